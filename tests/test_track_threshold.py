"""The stimulation threshold: what raises, confirms and ends its rise, to the last volt."""

from __future__ import annotations

import pytest

from monitor.track.threshold import StimulationThreshold
from monitor.types import AlarmKind, Measurement, Priority, Status

SILENT = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)
RESPONSE = Measurement(Status.RESPONSE, amplitude_uv=400.0)


def rise() -> StimulationThreshold:
    threshold = StimulationThreshold(100.0)
    for volts in (320.0, 300.0):
        assert threshold.take(volts, RESPONSE, True) == []
    return threshold


@pytest.mark.parametrize(("volts", "raised"), [(399.0, False), (400.0, True), (401.0, True)])
def test_a_response_that_takes_more_is_a_threshold_rise(volts: float, raised: bool) -> None:
    threshold = rise()
    assert threshold.take(300.0, SILENT, False) == []
    found = threshold.take(volts, RESPONSE, False)
    assert [f.active for f in found] == [True] * raised


@pytest.mark.parametrize(("volts", "raised"), [(399.0, False), (400.0, True)])
def test_a_strong_stimulus_in_vain_is_one_too(volts: float, raised: bool) -> None:
    found = rise().take(volts, SILENT, False)
    assert [f.active for f in found] == [True] * raised
    assert all("more than 400" in f.message for f in found)


def test_a_threshold_rise_ends_with_a_response_to_less() -> None:
    threshold = rise()
    threshold.take(400.0, SILENT, False)
    assert threshold.take(420.0, RESPONSE, False) == []
    [over] = threshold.take(310.0, RESPONSE, False)
    assert (over.kind, over.active) == (AlarmKind.THRESHOLD_RISE, False)


def test_without_intensity_or_rule_there_is_no_threshold() -> None:
    assert StimulationThreshold(None).take(900.0, SILENT, False) == []
    assert rise().take(None, SILENT, False) == []
    assert rise().take(900.0, Measurement(Status.REJECTED), False) == []


def test_one_missed_response_is_low_and_the_second_makes_it_medium() -> None:
    threshold = rise()
    [first] = threshold.take(400.0, SILENT, False)
    assert (first.priority, first.n_of_k) == (Priority.LOW, "1 of 2")
    assert first.more == {
        "threshold_before": 300.0,
        "threshold_in_vain": 400.0,
        "threshold_needed": None,
    }
    [second] = threshold.take(400.0, SILENT, False)
    assert (second.priority, second.n_of_k) == (Priority.MEDIUM, "2 of 2")
    assert threshold.take(450.0, SILENT, False) == [], "told already"
    assert threshold.take(460.0, RESPONSE, False) == []
    assert threshold.take(399.0, RESPONSE, False)[0].active is False


@pytest.mark.parametrize(
    ("in_vain", "priority"), [([300.0], Priority.LOW), ([300.0, 320.0, 350.0], Priority.MEDIUM)]
)
def test_a_search_that_ends_in_a_response_counts_what_was_in_vain(
    in_vain: list[float], priority: Priority
) -> None:
    threshold = rise()
    for volts in in_vain:
        assert threshold.take(volts, SILENT, False) == []
    [found] = threshold.take(410.0, RESPONSE, False)
    assert (found.priority, found.message) == (priority, "a response takes 410, 300 at baseline")
    assert threshold.take(410.0, RESPONSE, False) == [], "a response is no second miss"


def test_a_stimulus_that_never_was_enough_is_not_in_vain() -> None:
    threshold = rise()
    for _ in range(3):
        assert threshold.take(296.0, SILENT, False) == []
    assert threshold.take(500.0, RESPONSE, False) == []
    assert (threshold.in_vain, threshold.misses) == (None, 0)
    threshold.take(297.5, SILENT, False)
    assert threshold.misses == 1, "as read back, the same stimulus"


def test_what_was_missed_before_a_response_to_as_little_counts_no_more() -> None:
    threshold = rise()
    threshold.take(300.0, SILENT, False)
    threshold.take(310.0, RESPONSE, False)
    [found] = threshold.take(400.0, SILENT, False)
    assert found.priority is Priority.LOW


@pytest.mark.parametrize("misses", [1, 2])
def test_a_rise_of_before_a_restart_goes_on_and_ends_as_any(misses: int) -> None:
    before = rise()
    told = [found for _ in range(misses) for found in before.take(400.0, SILENT, False)]
    after = StimulationThreshold(100.0)
    after.inherit(told[-1].more | {"n_of_k": told[-1].n_of_k})
    assert (after.before, after.in_vain, after.misses) == (300.0, 400.0, misses)
    again = after.take(400.0, SILENT, False)
    assert [f.priority for f in again] == [Priority.MEDIUM] * (misses == 1)
    [over] = after.take(399.0, RESPONSE, False)
    assert over.active is False
