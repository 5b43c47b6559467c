"""How often a case is stimulated, and when an alarm that nobody repeats rises."""

from __future__ import annotations

import pytest

from monitor.config import TrackSection
from monitor.track.repeats import Repeats

C3, C4 = "C3/C4", "C4/C3"


def given_every(interval_s: float, n: int = 6, track: TrackSection | None = None) -> Repeats:
    """A case of ``n`` stimuli, the first at 0 s."""
    repeats = Repeats(track or TrackSection())
    for i in range(n):
        repeats.stimulus(C3, interval_s * i)
    return repeats


@pytest.mark.parametrize(
    ("interval_s", "rises_s"),
    [
        (20.0, (60.0, 180.0)),
        (40.0, (60.0, 180.0)),
        (60.0, (90.0, 180.0)),
        (180.0, (270.0, 540.0)),
        (200.0, (300.0, 600.0)),
        (3600.0, (300.0, 600.0)),
    ],
)
def test_both_times_stretch_with_the_interval_up_to_a_bound(
    interval_s: float, rises_s: tuple[float, float]
) -> None:
    repeats = given_every(interval_s)
    assert repeats.usual_interval_s(C3) == interval_s
    assert repeats.rise_s(C3, since_s=5 * interval_s) == rises_s


@pytest.mark.parametrize(
    ("interval_s", "rises_s"), [(20.0, (60.0, 180.0)), (180.0, (450.0, 720.0))]
)
def test_a_repeat_that_could_not_be_judged_allows_for_one_more(
    interval_s: float, rises_s: tuple[float, float]
) -> None:
    repeats = given_every(interval_s)
    for _ in range(3):
        assert repeats.rise_s(C3, since_s=4 * interval_s) == rises_s
        repeats.stimulus(C3, repeats._latest_s[C3] + interval_s)


def test_nothing_is_usual_of_fewer_than_three_intervals_nor_of_another_setting() -> None:
    repeats = given_every(180.0, n=3)
    repeats.stimulus(C3, 200.0)
    assert repeats.usual_interval_s(C3) is None, "one that came late is no interval"
    assert repeats.rise_s(C3, 360.0) == (60.0, 180.0)
    repeats.stimulus(C3, 540.0)
    assert repeats.usual_interval_s(C3) == 180.0
    assert repeats.usual_interval_s(C4) is None
    assert repeats.rise_s(C4, 540.0) == (60.0, 180.0)


def test_a_pause_or_two_and_a_burst_leave_what_is_usual() -> None:
    repeats, at_s = Repeats(TrackSection()), 0.0
    for interval_s in (0.0, 180.0, 180.0, 1200.0, 180.0, 10.0):
        at_s += interval_s
        repeats.stimulus(C3, at_s)
    assert repeats.usual_interval_s(C3) == 180.0


def test_the_configured_times_may_stand_alone_and_are_the_least() -> None:
    plain = TrackSection(unconfirmed_rise_intervals=(0.0, 0.0))
    assert given_every(180.0, track=plain).rise_s(C3, 0.0) == (60.0, 180.0)
    late = TrackSection(unconfirmed_rise_s=(400.0, 900.0))
    assert given_every(180.0, track=late).rise_s(C3, 900.0) == (400.0, 900.0)
