"""Simulated muscle responses and their truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import freqz, lfilter

from models.responses import (
    DURATION_RANGE_MS,
    ONSET_RANGE_MS,
    ONSET_SHARE,
    Amplifier,
    Grid,
    _read,
    add_potentials,
    draw_responses,
    filtered,
    unit_potential,
)

GRID = Grid(fs_hz=20_000.0, start_ms=0.0, n_samples=2400)
AMPLIFIER = Amplifier(lowpass_hz=2000.0, highpass_hz=2.0)


def test_responses_lie_within_the_stated_ranges_and_fill_them() -> None:
    drawn = draw_responses(np.random.default_rng(1), 400, GRID, AMPLIFIER)
    assert drawn.waves.shape == (400, GRID.n_samples)
    assert np.abs(drawn.waves).max(axis=1) == pytest.approx(1.0)
    assert drawn.peak_to_peak == pytest.approx(np.ptp(drawn.waves, axis=1))
    for values, (low, high) in (
        (drawn.onset_ms, ONSET_RANGE_MS),
        (drawn.duration_ms, DURATION_RANGE_MS),
    ):
        assert values.min() >= low
        assert values.max() <= high
        assert np.ptp(values) > 0.7 * (high - low)


def test_shapes_go_from_one_phase_to_many() -> None:
    waves = draw_responses(np.random.default_rng(2), 200, GRID, AMPLIFIER).waves
    phases = [1 + np.count_nonzero(np.diff(np.sign(wave[np.abs(wave) > 0.15]))) for wave in waves]
    shares = np.bincount(np.minimum(phases, 4), minlength=5)[1:] / len(phases)
    assert (shares > 0.02).all(), shares


def test_onset_and_end_are_where_a_known_wave_crosses_five_per_cent() -> None:
    t_ms = np.arange(GRID.n_samples) / 20.0
    up, down = 20.013, 31.377
    triangle = np.interp(t_ms, [up - 0.05, 25.0, down + 0.07], [0.0, 1.0, 0.0])
    smooth, waves = -3.0 * triangle[None], -3.0 * triangle[None]
    onset, end, span, phases = _read(smooth, waves, ONSET_SHARE, 0.12)[0]
    peak = np.interp(25.0, t_ms, triangle)
    assert onset / 20 == pytest.approx(
        up - 0.05 + ONSET_SHARE * peak * (25.0 - up + 0.05), abs=2e-3
    )
    assert end / 20 == pytest.approx(
        down + 0.07 - ONSET_SHARE * peak * (down + 0.07 - 25.0), abs=2e-3
    )
    assert (span, phases) == (pytest.approx(1.0), 1)
    assert waves.min() == pytest.approx(-1.0)


def test_phases_are_counted_by_the_monitors_rule() -> None:
    t_ms = np.arange(GRID.n_samples) / 20.0
    wave = np.where((t_ms > 20) & (t_ms < 30), np.sin(2 * np.pi * (t_ms - 20) / 6.0), 0.0)
    assert _read(wave[None].copy(), wave[None].copy(), ONSET_SHARE, 0.12)[0, 3] == 4
    small = np.where(t_ms < 23, wave, 0.1 * wave)
    assert _read(small[None].copy(), small[None].copy(), ONSET_SHARE, 0.12)[0, 3] == 1


def test_the_kernel_adds_what_the_formula_says() -> None:
    rng = np.random.default_rng(4)
    at, scale = rng.uniform(-5.0, 80.0, (3, 4)), rng.uniform(2.0, 9.0, (3, 4))
    weights = rng.normal(size=(3, 4, 3))
    out = np.zeros((3, 200))
    add_potentials(out, at, scale, weights)
    z = (np.arange(200) - at[..., None]) / scale[..., None]
    np.testing.assert_allclose(out, unit_potential(z, weights).sum(axis=1), atol=0.02)


def test_the_noiseless_response_is_under_five_per_cent_before_its_onset_and_over_it_there() -> None:
    amplifier = Amplifier(lowpass_hz=2000.0, highpass_hz=0.01)
    drawn = draw_responses(np.random.default_rng(3), 50, GRID, amplifier)
    for wave, onset_ms, duration_ms in zip(
        drawn.waves, drawn.onset_ms, drawn.duration_ms, strict=True
    ):
        before = int(onset_ms * 20) - 1
        after = int((onset_ms + duration_ms) * 20) + 3
        away = np.abs(wave)
        assert away[:before].max() < ONSET_SHARE + 2e-3
        # What the high-pass left of a mean rests beside zero.
        assert away[after:].max() < ONSET_SHARE + 1e-2
        assert away[before + 3] > ONSET_SHARE - 2e-3


def test_derivatives_of_the_unit_potential_are_what_they_are_called() -> None:
    z = np.linspace(0, 16, 16_001)
    zero, first, second = (unit_potential(z, np.eye(3)[i]) for i in range(3))
    np.testing.assert_allclose(first / 1.3, np.gradient(zero / 0.74, z), atol=2e-3)
    np.testing.assert_allclose(second[1:] / 1.7, np.gradient(first / 1.3, z)[1:], atol=1e-2)
    assert unit_potential(np.array([-1.0]), np.ones(3))[0] == 0.0
    for wave, peak in ((zero, 1.0), (first, 1.0), (second, 1.7)):
        assert np.abs(wave).max() == pytest.approx(peak, abs=0.03)
        assert np.abs(wave[-1]) < 0.01


@pytest.mark.parametrize("fs_hz", [5000.0, 20_000.0])
def test_the_amplifier_halves_power_at_its_corners(fs_hz: float) -> None:
    for corner_hz, section in (
        (AMPLIFIER.lowpass_hz, AMPLIFIER.lowpass(fs_hz)),
        (AMPLIFIER.highpass_hz, AMPLIFIER.highpass(fs_hz)),
    ):
        _, gain = freqz(section[:3], [1.0, *section[3:]], worN=[corner_hz], fs=fs_hz)
        assert abs(gain[0]) == pytest.approx(np.sqrt(0.5))


def test_filtering_is_what_scipy_computes() -> None:
    rows = np.random.default_rng(5).normal(size=(2, 300))
    section = AMPLIFIER.lowpass(5000.0)
    np.testing.assert_allclose(
        filtered(rows, section), lfilter(section[:3], [1.0, *section[3:]], rows), atol=1e-12
    )
