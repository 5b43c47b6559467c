"""Sweeps in noise that would hide a response: nothing can be said of the muscle.

A small response that is gone reads as lost, whatever could hide in the noise that there always was.
But where the noise of a sweep is many times that of the baseline's, and a response above the
criterion could lie in it, a fault lies over the signal: electrocautery, an electrode that came
loose, an amplifier at its limit all along. That is no loss, and never 0 % of baseline.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.track.baseline import floor_of
from monitor.track.criteria import percent_of_baseline
from monitor.types import Baseline, Measurement, Status

NOISE_TIMES = 5.0
"""Noise so many times that of the baseline's trials is no longer the muscle's."""

_NO_RESPONSE = Status.NO_RESPONSE

NOISE_HIDES = "noise_hides_response"
"""The reason for which such a sweep is rejected."""


def is_buried(measurement: Measurement, baseline: Baseline | None, alarm_percent: float) -> bool:
    """Whether the absence of a response says nothing, the noise being what it is.

    Args:
        measurement: of the sweep.
        baseline: what the muscle had; None: nothing to tell by.
        alarm_percent: of the criterion.
    """
    if measurement.status is not Status.NO_RESPONSE or baseline is None:
        return False
    floor_uv, upper_uv = floor_of(measurement), measurement.amplitude_upper_uv
    if baseline.amplitude_uv is None or not baseline.floor_uv:
        return False
    if floor_uv is None or floor_uv < NOISE_TIMES * baseline.floor_uv:
        return False
    could_be_uv = floor_uv if upper_uv is None else max(floor_uv, upper_uv)
    return percent_of_baseline(could_be_uv, baseline.amplitude_uv) > alarm_percent


def set_buried_aside(
    measurements: tuple[Measurement, ...],
    baseline_of: Callable[[int], Baseline | None],
    track: TrackSection,
) -> tuple[Measurement, ...]:
    """The measurements of a trial, those that are buried rejected: for the record only.

    ``baseline_of``: the baseline of a channel by its place; asked only where there is no response.
    """
    kept = list(measurements)
    for i, measurement in enumerate(measurements):
        if measurement.status is not _NO_RESPONSE:
            continue
        baseline = baseline_of(i)
        if baseline is None:
            continue
        if is_buried(measurement, baseline, track.thresholds(baseline.muscle)[0]):
            reasons = (*measurement.reasons, NOISE_HIDES)
            kept[i] = replace(
                measurement, status=Status.REJECTED, reasons=reasons, amplitude_uv=None
            )
    return tuple(kept)
