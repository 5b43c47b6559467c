"""When noise hides what it hides, and when a small response is lost all the same."""

from __future__ import annotations

import pytest

from monitor.config import TrackSection
from monitor.track.buried import NOISE_HIDES, NOISE_TIMES, is_buried, set_buried_aside
from monitor.types import Baseline, BaselineState, Measurement, Status

NOISE_UV = 4.0
BASELINE = Baseline(
    1, "C3/C4", "e1", "APB", BaselineState.FROZEN, 400.0, 22.0, 10, 10, (), floor_uv=4 * NOISE_UV
)


def silent(noise_uv: float, upper_uv: float | None = None) -> Measurement:
    return Measurement(
        Status.NO_RESPONSE,
        amplitude_uv=0.0,
        amplitude_upper_uv=4 * noise_uv if upper_uv is None else upper_uv,
        noise_uv=noise_uv,
    )


@pytest.mark.parametrize(
    ("measurement", "buried"),
    [
        (silent(NOISE_UV), False),
        # many times the noise, but the criterion (200 uV) still shows in it
        (silent(49.0), False),
        (silent(51.0), True),
        (silent(25.0, upper_uv=201.0), True),
        # it could hide in what noise there always was: lost all the same
        (silent(NOISE_TIMES * NOISE_UV - 0.1, upper_uv=900.0), False),
        (silent(NOISE_TIMES * NOISE_UV, upper_uv=900.0), True),
        (Measurement(Status.NO_RESPONSE, amplitude_uv=0.0), False),
        (Measurement(Status.RESPONSE, amplitude_uv=90.0, noise_uv=900.0), False),
        (Measurement(Status.REJECTED, ("nan",), noise_uv=900.0), False),
    ],
)
def test_noise_many_times_the_baselines_that_could_hide_the_criterion(
    measurement: Measurement, buried: bool
) -> None:
    assert is_buried(measurement, BASELINE, 50.0) is buried
    assert not is_buried(measurement, None, 50.0)


def test_it_is_rejected_and_what_was_measured_stays_with_it() -> None:
    heard = Measurement(Status.RESPONSE, amplitude_uv=400.0, noise_uv=900.0)
    given = (silent(900.0), heard, silent(NOISE_UV), silent(900.0))
    baselines = [BASELINE, BASELINE, BASELINE, None]
    set_aside = set_buried_aside(given, baselines.__getitem__, TrackSection())
    assert set_aside[1:] == given[1:]
    first = set_aside[0]
    assert (first.status, first.reasons) == (Status.REJECTED, (NOISE_HIDES,))
    assert (first.amplitude_uv, first.amplitude_upper_uv, first.noise_uv) == (None, 3600.0, 900.0)
