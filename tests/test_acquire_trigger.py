"""Rising edges of a TTL column, however it comes in pieces."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.acquire.trigger import TriggerReader


def edges(values: list[float], cuts: list[int], min_width: int = 1) -> list[int]:
    reader = TriggerReader(0.5, min_width)
    found: list[int] = []
    bounds = sorted({0, len(values), *cuts})
    for first, end in itertools.pairwise(bounds):
        found += reader.read(np.array(values[first:end], dtype=np.float32), first)
    return found


@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.49, 0.5, 5.0, float("nan")]), max_size=60),
    st.lists(st.integers(0, 60), max_size=8),
    st.integers(1, 4),
)
def test_an_edge_is_a_low_sample_and_then_enough_high_ones(
    values: list[float], cuts: list[int], min_width: int
) -> None:
    high = [value >= 0.5 for value in values]
    expected = [
        i
        for i in range(1, len(high))
        if not high[i - 1] and len(high) >= i + min_width and all(high[i : i + min_width])
    ]
    assert edges(values, [cut for cut in cuts if cut <= len(values)], min_width) == expected


def test_a_column_that_is_high_from_the_start_or_after_a_gap_shows_no_edge() -> None:
    reader = TriggerReader(0.5, 1)
    assert reader.read(np.ones(5, np.float32), 0) == []
    assert reader.read(np.array([0, 1, 1], np.float32), 5) == [6]
    reader.reset()
    assert reader.read(np.array([1, 1, 0, 1], np.float32), 20) == [23]
