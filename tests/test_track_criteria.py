"""Percent of baseline, the amplitude-drop criterion and its boundaries, focal or not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from monitor.config import TrackSection
from monitor.track.criteria import (
    Comparison,
    DropCriterion,
    percent_of_baseline,
)
from monitor.types import AlarmKind, Baseline, BaselineState, Measurement, Status

BASELINE_UV = 730.0
BASELINE = Baseline(1, "C3/C4", "e1", "APB", BaselineState.FROZEN, BASELINE_UV, 22.0, 10, 10, ())


def compare(measurement: Measurement, track: TrackSection | None = None) -> Comparison:
    comparison = DropCriterion(track or TrackSection()).compare(7, measurement, BASELINE)
    assert comparison is not None
    return comparison


def response(percent: float) -> Measurement:
    return Measurement(Status.RESPONSE, amplitude_uv=BASELINE_UV * percent / 100)


@pytest.mark.parametrize(
    ("percent", "beyond", "recovered", "severe"),
    [
        (0, True, False, True),
        (19, True, False, True),
        (20, True, False, True),
        (21, True, False, False),
        (49, True, False, False),
        (50, True, False, False),
        (51, False, False, False),
        (59, False, False, False),
        (60, False, True, False),
        (61, False, True, False),
        (250, False, True, False),
    ],
)
def test_boundaries(percent: float, beyond: bool, recovered: bool, severe: bool) -> None:
    comparison = compare(response(percent))
    assert comparison.kind is AlarmKind.AMPLITUDE_DROP
    assert comparison.percent == pytest.approx(percent)
    assert (comparison.beyond, comparison.recovered, comparison.severe) == (
        beyond,
        recovered,
        severe,
    )


@pytest.mark.parametrize("percent", [50, 60])
@pytest.mark.parametrize("baseline_uv", [0.1, 3.3, 47.11, 730.0, 4999.7])
def test_a_value_on_a_threshold_does_not_hang_on_the_last_bit(
    percent: int, baseline_uv: float
) -> None:
    assert percent_of_baseline(baseline_uv * (percent / 100), baseline_uv) == percent
    assert percent_of_baseline(percent * baseline_uv / 100, baseline_uv) == percent


def test_thresholds_come_from_the_configuration() -> None:
    spine = TrackSection(alarm_percent=20.0, resolve_percent=30.0)
    assert compare(response(20), spine).beyond
    assert not compare(response(21), spine).beyond
    assert not compare(response(29), spine).recovered
    assert compare(response(30), spine).recovered
    assert "20 %" in DropCriterion(spine).rule(AlarmKind.AMPLITUDE_DROP, "APB")


@pytest.mark.parametrize(
    ("upper_uv", "hidden"),
    [
        (None, False),
        (0.49 * BASELINE_UV, False),
        (0.5 * BASELINE_UV, True),
        (0.51 * BASELINE_UV, True),
    ],
)
def test_no_response_is_lost_and_says_whether_noise_could_hide_it(
    upper_uv: float | None, hidden: bool
) -> None:
    gone = compare(Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=upper_uv))
    assert gone.kind is AlarmKind.RESPONSE_LOST
    assert (gone.percent, gone.beyond, gone.recovered, gone.severe) == (0.0, True, False, True)
    assert gone.below_detection_floor is hidden


@pytest.mark.parametrize(
    "status", [s for s in Status if s not in (Status.RESPONSE, Status.NO_RESPONSE)]
)
def test_what_does_not_judge_the_muscle_is_not_compared(status: Status) -> None:
    measurement = Measurement(status, amplitude_uv=1.0)
    assert DropCriterion(TrackSection()).compare(1, measurement, BASELINE) is None


def test_without_a_baseline_nothing_is_compared() -> None:
    criterion = DropCriterion(TrackSection())
    assert criterion.compare(1, response(10), None) is None
    assert criterion.compare(1, Measurement(Status.NO_RESPONSE, amplitude_uv=0.0), None) is None


@pytest.mark.parametrize("amplitude_uv", [math.nan, math.inf, -1.0, None])
def test_what_is_no_amplitude_is_compared_with_nothing(amplitude_uv: float | None) -> None:
    measurement = Measurement(Status.RESPONSE, amplitude_uv=amplitude_uv)
    assert DropCriterion(TrackSection()).compare(7, measurement, BASELINE) is None


def in_doubt(percent: float, upper_percent: float | None, status: Status) -> Comparison:
    upper_uv = None if upper_percent is None else BASELINE_UV * upper_percent / 100
    return compare(
        Measurement(
            status,
            ("out_of_distribution",),
            amplitude_uv=BASELINE_UV * percent / 100,
            amplitude_upper_uv=upper_uv,
            amplitude_uncertain=True,
        )
    )


@pytest.mark.parametrize(
    ("percent", "upper_percent", "status", "beyond"),
    [
        (30.0, 49.0, Status.RESPONSE, True),
        (30.0, 50.0, Status.RESPONSE, True),
        (30.0, 51.0, Status.RESPONSE, False),
        (30.0, None, Status.RESPONSE, False),
        (100.0, 120.0, Status.RESPONSE, False),
        (0.0, 50.0, Status.NO_RESPONSE, True),
        (0.0, 51.0, Status.NO_RESPONSE, False),
    ],
)
def test_an_uncertain_amplitude_is_beyond_where_even_its_upper_bound_is(
    percent: float, upper_percent: float | None, status: Status, beyond: bool
) -> None:
    found = in_doubt(percent, upper_percent, status)
    assert (found.uncertain, found.beyond, found.recovered) == (True, beyond, False)


def test_an_uncertain_onset_takes_nothing_from_the_amplitude() -> None:
    found = compare(Measurement(Status.RESPONSE, amplitude_uv=300.0, onset_uncertain=True))
    assert (found.uncertain, found.beyond) == (False, True)


@pytest.mark.parametrize(("floor_uv", "beyond"), [(None, True), (364.0, True), (366.0, False)])
def test_below_the_detection_floor_only_a_lost_response_alarms(
    floor_uv: float | None, beyond: bool
) -> None:
    small = replace(BASELINE, floor_uv=floor_uv)
    for percent in (0.0, 20.0, 49.0):
        found = DropCriterion(TrackSection()).compare(7, response(percent), small)
        assert found is not None
        assert found.beyond is beyond
    gone = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=400.0)
    lost = DropCriterion(TrackSection()).compare(7, gone, small)
    assert lost is not None
    assert (lost.kind, lost.beyond) == (AlarmKind.RESPONSE_LOST, True)
