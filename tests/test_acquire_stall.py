"""A signal that stops is found by ticks."""

from __future__ import annotations

import pytest

from monitor.acquire.stall import FIRST_SAMPLE_WAIT_S, StallWatch
from monitor.types import AlarmKind, Notice


def play(watch: StallWatch, chunk_s: float, until_s: float, tick_s: float = 0.05) -> float:
    """Chunks and ticks from 0 to ``until_s`` with no stall; gives the last chunk's end."""
    chunk, tick = 1, 1
    while min(chunk * chunk_s, tick * tick_s) <= until_s + 1e-9:
        if chunk * chunk_s <= tick * tick_s:
            assert watch.chunk(chunk * chunk_s, chunk_s, chunk * chunk_s) is None
            chunk += 1
        else:
            assert watch.tick(tick * tick_s, tick * tick_s) is None
            tick += 1
    return (chunk - 1) * chunk_s


def first_stall(watch: StallWatch, from_s: float, tick_s: float = 0.01) -> Notice:
    for i in range(1, 1000):
        at_s = from_s + i * tick_s
        if notice := watch.tick(at_s, at_s):
            return notice
    raise AssertionError("no stall found")


@pytest.mark.parametrize(
    ("chunk_s", "limit_s"), [(0.001, 0.25), (0.02, 0.25), (0.2, 0.6), (0.5, 1.5)]
)
def test_found_after_the_limit_for_the_usual_interval(chunk_s: float, limit_s: float) -> None:
    watch = StallWatch()
    last_s = play(watch, chunk_s, 5.0)
    assert watch.limit_s == pytest.approx(limit_s)
    notice = first_stall(watch, 5.0)
    assert notice.kind is AlarmKind.SIGNAL_STALLED
    assert notice.active
    assert limit_s < notice.at_s - last_s <= limit_s + 0.0101


def test_said_once_and_taken_back_with_its_length() -> None:
    watch = StallWatch()
    play(watch, 0.02, 2.0)
    first_stall(watch, 2.0)
    assert watch.tick(3.0, 3.0) is None
    back = watch.chunk(3.01, 0.02, 3.01)
    assert back is not None
    assert not back.active
    assert "1.00 s" in back.message
    assert watch.chunk(3.03, 0.02, 3.03) is None
    assert watch.tick(3.04, 3.04) is None


def test_the_first_samples_may_take_longer() -> None:
    watch = StallWatch()
    assert watch.tick(100.0, 0.0) is None
    assert watch.tick(100.0 + FIRST_SAMPLE_WAIT_S, 0.0) is None
    notice = watch.tick(100.1 + FIRST_SAMPLE_WAIT_S, 0.0)
    assert notice is not None
    assert "no samples have come" in notice.message


@pytest.mark.parametrize("wrong_lsl", [-1e6, 1e6])
def test_stamps_of_a_strange_clock_neither_hide_nor_feign_a_stall(wrong_lsl: float) -> None:
    watch = StallWatch()
    for i in range(100):
        assert watch.chunk(wrong_lsl + i * 0.05, 0.05, 0.0) is None
        assert watch.tick(i * 0.05, 0.0) is None
    notice = first_stall(watch, 99 * 0.05)
    assert abs(notice.at_s - 99 * 0.05 - 0.25) <= 0.061  # a tick of either kind


@pytest.mark.parametrize("piece_s", [0.02, 0.1, 0.3])
def test_the_usual_interval_is_that_of_the_arrivals_however_they_are_cut(piece_s: float) -> None:
    watch = StallWatch()
    for tick in range(1, 200):
        at_s = tick * 0.05
        if tick % 6 == 0:
            for i in range(round(0.3 / piece_s)):
                assert watch.chunk(at_s - 0.3 + (i + 1) * piece_s, piece_s, at_s) is None
        assert watch.tick(at_s, at_s) is None
    assert watch.limit_s == pytest.approx(0.9)


def test_a_backlog_in_one_piece_does_not_change_the_habit() -> None:
    watch = StallWatch()
    play(watch, 0.02, 2.0)
    watch.chunk(7.0, 5.0, 7.0)
    assert watch.limit_s == 0.25
