from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.xdf_arrival import Arrivals
from monitor.sources.xdf_file import XdfFile
from tests.xdf_writer import XdfWriter


def arrivals(
    folder: Path,
    stamps_s: Sequence[float],
    offsets: Sequence[tuple[float, float]] = (),
    chunk_samples: int = 3,
) -> Arrivals:
    xdf = XdfWriter()
    xdf.stream(1, fmt="int8")
    for k in range(0, len(stamps_s), chunk_samples):
        part = stamps_s[k : k + chunk_samples]
        xdf.samples(1, part, [[0]] * len(part))
    for at_s, offset_s in offsets:
        xdf.offset(1, at_s, offset_s)
    return Arrivals(XdfFile(xdf.save(folder)), 1)


def test_without_offsets_the_stamps_are_all_there_is(tmp_path: Path) -> None:
    found = arrivals(tmp_path, [1.0, 2.0, 3.0, 4.0])
    assert found.at(range(4)).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert found.at([]).tolist() == []


def test_the_nearest_offset_counts_later_ones_included(tmp_path: Path) -> None:
    found = arrivals(tmp_path, [0.0, 4.0, 6.0, 9.0, 99.0], [(2.0, 100.0), (8.0, 101.0)])
    assert found.at(range(5)).tolist() == [100.0, 104.0, 107.0, 110.0, 200.0]


def test_it_never_goes_back_and_a_stamp_that_is_none_comes_with_the_one_before(
    tmp_path: Path,
) -> None:
    stamps_s = [5.0, 4.5, 6.0, 5.5, np.nan, 7.0, 6.9]
    found = arrivals(tmp_path, stamps_s)
    assert found.at(range(7)).tolist() == [5.0, 5.0, 6.0, 6.0, 6.0, 7.0, 7.0]
    assert np.isnan(arrivals(tmp_path, [np.nan, 1.0]).at([0])).all()


@pytest.mark.parametrize("chunk_samples", [1, 2, 5, 100])
def test_a_clock_that_begins_anew_keeps_the_order(tmp_path: Path, chunk_samples: int) -> None:
    stamps_s = [500.0, 501.0, 502.0, 0.0, 1.0, 2.0, 0.5, 1.5]
    offsets = [(500.0, 0.0), (0.0, 503.0)]
    # The third clock has no offset of its own: the last known one serves.
    found = arrivals(tmp_path, stamps_s, offsets, chunk_samples)
    assert found.at(range(8)).tolist() == [500.0, 501.0, 502.0, 503.0, 504.0, 505.0, 505.0, 505.0]


@given(
    stamps_s=st.lists(st.floats(0, 100) | st.just(np.nan), min_size=1, max_size=30),
    offsets=st.lists(st.tuples(st.floats(0, 100), st.floats(-5, 5)), max_size=5),
    chunk_samples=st.integers(1, 30),
    data=st.data(),
)
def test_chunking_and_the_order_of_asking_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    stamps_s: list[float],
    offsets: list[tuple[float, float]],
    chunk_samples: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = arrivals(folder, stamps_s, offsets, len(stamps_s)).at(range(len(stamps_s)))
    wanted = data.draw(st.lists(st.integers(0, len(stamps_s) - 1)))
    np.testing.assert_array_equal(
        arrivals(folder, stamps_s, offsets, chunk_samples).at(wanted), whole[wanted]
    )
