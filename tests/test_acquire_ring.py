"""The ring against an array that forgets nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.acquire.ring import Ring


def signal(n: int, n_channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Every sample of every channel different; stamps that are the sample's number."""
    samples = np.arange(n * n_channels, dtype=np.float32).reshape(n, n_channels)
    return samples, np.arange(n, dtype=np.float64)


@given(
    capacity=st.integers(1, 40),
    chunks=st.lists(st.integers(0, 100), max_size=20),
    data=st.data(),
)
def test_holds_the_newest_samples_whatever_the_chunks(
    capacity: int, chunks: list[int], data: st.DataObject
) -> None:
    total = sum(chunks)
    samples, stamps = signal(total)
    ring = Ring(capacity, 3)
    at = 0
    for n in chunks:
        ring.append(samples[at : at + n], stamps[at : at + n])
        at += n
    assert ring.counter == total
    assert ring.oldest == max(0, total - capacity)
    first = data.draw(st.integers(ring.oldest, total))
    end = data.draw(st.integers(first, total))
    columns = data.draw(st.lists(st.integers(0, 2), unique=True))
    np.testing.assert_array_equal(ring.stamps(first, end), stamps[first:end])
    sweeps = ring.sweeps(first, end, columns)
    np.testing.assert_array_equal(sweeps, samples[first:end, columns].T)
    assert sweeps.dtype == np.float32
    assert sweeps.flags.c_contiguous


@pytest.mark.parametrize(("first", "end"), [(3, 8), (10, 15), (9, 8), (-1, 2)])
def test_never_hands_out_what_it_does_not_have(first: int, end: int) -> None:
    ring = Ring(10, 3)
    ring.append(*signal(14))
    for ask in (lambda: ring.stamps(first, end), lambda: ring.sweeps(first, end, [0])):
        with pytest.raises(IndexError, match="4 to 14 are here"):
            ask()


def test_sweeps_are_the_callers_own() -> None:
    ring = Ring(8, 3)
    ring.append(*signal(8))
    sweeps = ring.sweeps(0, 8, [1])
    before = sweeps.copy()
    ring.append(*signal(5))
    np.testing.assert_array_equal(sweeps, before)
