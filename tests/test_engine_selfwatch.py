"""What the engine sees of itself, once per change."""

from __future__ import annotations

import pytest

from monitor.engine.selfwatch import (
    GATEWAY_LOST_S,
    MARKERS_WITHOUT_A_STIMULUS,
    SelfWatch,
    marker_texts,
)
from monitor.link import ReportReceivers
from monitor.types import AlarmKind


def look(watch: SelfWatch, now: float, fault: str = "", receivers: int = 1, awaited: bool = True):
    notices = watch.look(now, 7.0, fault, receivers, awaited)
    return [(notice.kind, notice.active) for notice in notices]


def test_a_recording_fault_is_told_once_and_then_that_it_is_over() -> None:
    watch = SelfWatch()
    assert look(watch, 0.0) == []
    assert look(watch, 1.0, "disk full") == [(AlarmKind.RECORDING_FAULT, True)]
    assert look(watch, 2.0, "disk still full") == []
    assert look(watch, 3.0) == [(AlarmKind.RECORDING_FAULT, False)]


def test_a_gateway_that_was_there_and_stays_away_is_missed() -> None:
    watch = SelfWatch()
    assert look(watch, 0.0) == []
    assert look(watch, 1.0, receivers=0) == []
    assert look(watch, 1.0 + GATEWAY_LOST_S, receivers=0) == [], "a restart takes less"
    assert look(watch, 1.1 + GATEWAY_LOST_S, receivers=0) == [(AlarmKind.GATEWAY_LOST, True)]
    assert look(watch, 60.0, receivers=0) == []
    assert look(watch, 61.0) == [(AlarmKind.GATEWAY_LOST, False)]
    assert look(watch, 62.0, receivers=0) == []


@pytest.mark.parametrize("awaited", [True, False])
def test_one_that_never_came_is_not_missed(awaited: bool) -> None:
    watch = SelfWatch()
    assert look(watch, 0.0, receivers=0, awaited=awaited) == []
    assert look(watch, 99.0, receivers=0, awaited=awaited) == []


def test_receivers_that_are_lost_are_one_condition_that_names_them() -> None:
    watch = SelfWatch()
    assert watch.receivers(ReportReceivers(("desk", "wall"), ("wall",))) == ("desk", "wall")
    notice = watch.receivers_lost(7.0)
    assert (notice.kind, notice.active) == (AlarmKind.RECEIVER_LOST, True)
    assert notice.message == "no longer confirmed by: wall"
    watch.receivers(ReportReceivers((), tuple(f"d{i}" for i in range(9))))
    assert watch.receivers_lost(7.0).message.endswith("d5 and 3 more")
    watch.receivers(ReportReceivers(("desk", "wall"), ("wall",)))
    # A gateway that has just started knows none and asks who there was.
    assert watch.receivers(ReportReceivers(fresh=True)) == ("desk", "wall")
    assert watch.receivers_lost(8.0).active
    watch.receivers(ReportReceivers(("desk",), ()))
    assert not watch.receivers_lost(9.0).active


def test_markers_without_a_stimulus_are_named_until_one_matches() -> None:
    watch = SelfWatch()
    few = {"S254": MARKERS_WITHOUT_A_STIMULUS - 1}
    assert watch.markers(1.0, 0, few) == []
    (notice,) = watch.markers(2.0, 0, {**few, "S1": 1})
    assert notice.kind is AlarmKind.STIMULUS_MISSING
    assert notice.active
    assert notice.cause == "pattern", "not the same as a marker stream that is gone"
    assert "'S254' x 4, 'S1' x 1" in notice.message
    assert watch.markers(3.0, 0, {"S254": 50}) == []
    assert [n.active for n in watch.markers(4.0, 1, {"S254": 51})] == [False]


def test_at_the_end_a_single_marker_or_none_is_enough() -> None:
    watch = SelfWatch()
    (notice,) = watch.markers(2.0, 0, {"S254": 1}, ended=True)
    assert (notice.kind, notice.active) == (AlarmKind.STIMULUS_MISSING, True)
    assert watch.markers(3.0, 0, {"S254": 1}) == [], "it stays"
    (notice,) = SelfWatch().markers(2.0, 0, {}, ended=True)
    assert notice.message == "there were no markers"
    assert SelfWatch().markers(2.0, 1, {"S255": 1}, ended=True) == []


def test_marker_texts_are_the_most_frequent_ones() -> None:
    seen = {f"m{i}": i for i in range(1, 10)}
    assert marker_texts(seen).startswith("'m9' x 9, 'm8' x 8")
    assert marker_texts(seen).endswith("'m4' x 4, ...")
    assert marker_texts({"a": 1}) == "'a' x 1"
