"""Responses of other makings: each family is what it says, and its truth is read as of any."""

from __future__ import annotations

import numpy as np
import pytest

from models import varied
from models.responses import Amplifier, Grid, Responses

GRID = Grid(16_000.0, 0.1, 2400)
T_MS = GRID.start_ms + np.arange(GRID.n_samples) * 1e3 / GRID.fs_hz
AMPLIFIER = Amplifier(1000.0, 2.0)
COUNT = 200
FAMILIES = (varied.volleys, varied.deflections, varied.ringing_waves, varied.shaped_noise)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def drawn(rng: np.random.Generator) -> Responses:
    return varied.draw_varied(rng, COUNT, GRID, AMPLIFIER)


@pytest.mark.parametrize("draw", FAMILIES)
def test_a_family_begins_about_where_it_is_told_to(draw, rng: np.random.Generator) -> None:
    start_ms = np.linspace(8.0, 50.0, COUNT)
    waves = draw(rng, start_ms, GRID)
    assert waves.shape == (COUNT, T_MS.size)
    assert np.isfinite(waves).all()
    peak = np.abs(waves).max(axis=1, keepdims=True)
    assert (peak > 0).all()
    first_ms = T_MS[(np.abs(waves) > 0.05 * peak).argmax(axis=1)]
    late_ms = first_ms - start_ms
    assert np.percentile(late_ms, 1) > -8.0
    assert -1.0 < np.median(late_ms) < 6.0


def test_what_is_true_of_a_wave_is_read_off_it(drawn: Responses) -> None:
    assert drawn.waves.shape == (COUNT, GRID.n_samples)
    assert np.abs(drawn.waves).max(axis=1) == pytest.approx(1.0)
    for wave, onset_ms, span in zip(drawn.waves, drawn.onset_ms, drawn.peak_to_peak, strict=True):
        before = np.abs(wave[onset_ms - 1e-6 > T_MS])
        assert (before <= 0.05 + 1e-9).all()
        assert np.abs(wave[(onset_ms <= T_MS) & (onset_ms + 0.2 > T_MS)]).max() >= 0.05
        assert span == pytest.approx(np.ptp(wave))


def test_onsets_and_durations_lie_in_their_ranges_and_some_are_early(drawn: Responses) -> None:
    low, high = varied.ONSET_RANGE_MS
    assert (drawn.onset_ms >= low).all()
    assert (drawn.onset_ms <= high).all()
    low, high = varied.DURATION_RANGE_MS
    assert (drawn.duration_ms >= low).all()
    assert (drawn.duration_ms <= high).all()
    assert 0.03 < np.mean(drawn.onset_ms < 8.0) < 0.3
    assert len(np.unique(drawn.phases)) >= 4


def test_many_rise_slowly(drawn: Responses) -> None:
    half_ms = np.array(
        [
            T_MS[(np.abs(wave) > 0.5).argmax()] - onset_ms
            for wave, onset_ms in zip(drawn.waves, drawn.onset_ms, strict=True)
        ]
    )
    assert np.mean(half_ms > 3.0) > 0.25
    assert np.mean(half_ms < 1.0) > 0.05


def test_the_same_seed_draws_the_same(drawn: Responses) -> None:
    again = varied.draw_varied(np.random.default_rng(5), COUNT, GRID, AMPLIFIER)
    assert np.array_equal(again.waves, drawn.waves)
