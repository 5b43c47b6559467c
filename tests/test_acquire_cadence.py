"""Stimuli that stop coming."""

from __future__ import annotations

from monitor.acquire.cadence import LATE_INTERVALS, LATE_S, CadenceWatch
from monitor.types import AlarmKind


def test_it_is_said_once_when_the_cadence_stops_and_once_when_it_is_back() -> None:
    watch = CadenceWatch(10.0)
    assert watch.tick(1000.0, 1000.0) is None  # the first has not come: nothing has stopped
    assert watch.stimulus(1000.0, 1000.0) is None
    limit_s = LATE_INTERVALS * 10.0 + LATE_S
    assert watch.tick(1000.0 + limit_s, 1015.0) is None
    notice = watch.tick(1000.1 + limit_s, 1016.0)
    assert notice is not None
    assert (notice.kind, notice.active, notice.at_s) == (AlarmKind.STIMULUS_MISSING, True, 1016.0)
    assert "no stimulus for 15.6 s" in notice.message
    assert watch.tick(1100.0, 1100.0) is None
    back = watch.stimulus(1101.0, 1101.0)
    assert back is not None
    assert not back.active
    assert watch.stimulus(1111.0, 1111.0) is None


def test_without_a_cadence_nothing_is_ever_missing() -> None:
    watch = CadenceWatch(0.0)
    watch.stimulus(1.0, 1.0)
    assert watch.tick(1e6, 1e6) is None


def test_where_the_first_is_due_it_can_be_missing_too() -> None:
    watch = CadenceWatch(2.0)
    for k in range(70):
        watch.begin(1000.0 + k * 0.05)
        assert watch.tick(1000.0 + k * 0.05, 0.0) is None
    notice = watch.tick(1000.0 + LATE_INTERVALS * 2.0 + LATE_S + 0.01, 0.0)
    assert notice is not None
    assert notice.active


def test_one_with_a_stamp_far_ahead_counts_as_of_now() -> None:
    watch = CadenceWatch(2.0)
    watch.stimulus(1e6, 0.0)
    assert watch.tick(1000.0, 0.0) is None
    assert watch.tick(1000.0 + LATE_INTERVALS * 2.0 + LATE_S + 0.01, 0.0) is not None
