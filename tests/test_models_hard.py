"""Disturbances for training alone: each family shows what it is meant to."""

from __future__ import annotations

import numpy as np
import pytest

from models import hard
from models.disturbances import PRESENT_SD
from models.responses import Amplifier

T_MS = np.arange(-500, 750) / 5.0
FS_HZ = 5000.0
COUNT = 200
SEEN = (T_MS > 4.2) & (T_MS < 103.0)
AMPLIFIER = Amplifier(1500.0, 5.0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)


@pytest.mark.parametrize("draw", [hard.coloured_noise, hard.tonic_firing])
def test_noise_has_unit_sd_and_is_finite(draw, rng: np.random.Generator) -> None:
    noise = draw(rng, COUNT, T_MS.size, FS_HZ, AMPLIFIER)
    assert noise.shape == (COUNT, T_MS.size)
    assert noise.std(axis=1) == pytest.approx(1.0)


def test_coloured_noise_has_narrow_or_low_bands(rng: np.random.Generator) -> None:
    noise = hard.coloured_noise(rng, COUNT, T_MS.size, FS_HZ, AMPLIFIER)
    power = np.square(np.abs(np.fft.rfft(noise)))
    f_hz = np.fft.rfftfreq(T_MS.size, 1 / FS_HZ)
    below = power[:, f_hz < 300].sum(axis=1) / power.sum(axis=1)
    # White noise behind this amplifier has a fifth of its power there.
    assert np.mean(below > 0.8) > 0.4


def test_a_tonic_unit_fires_again_and_again(rng: np.random.Generator) -> None:
    noise = hard.tonic_firing(rng, COUNT, T_MS.size, FS_HZ, AMPLIFIER)
    halves = [np.abs(part).max(axis=1) for part in np.array_split(noise, 2, axis=1)]
    both = np.minimum(*halves) / np.maximum(*halves)
    assert np.median(both) > 0.7
    kurtosis = np.mean(noise**4, axis=1)
    assert np.mean(kurtosis > 4) > 0.5


def test_a_struck_filter_is_silent_before_and_rings_after(rng: np.random.Generator) -> None:
    waves = hard.struck_filters(rng, COUNT, T_MS, (0.0, 4.0))
    assert (waves[:, T_MS < -0.2] == 0).all()
    assert np.isfinite(waves).all()
    late = waves[:, T_MS > 20.0]
    turns = (np.diff(np.sign(np.diff(late, axis=1)), axis=1) != 0).sum(axis=1)
    assert np.mean(turns >= 3) > 0.3


def test_polarisation_follows_the_last_pulse_and_decays(rng: np.random.Generator) -> None:
    waves = hard.polarisation(rng, COUNT, T_MS, (0.0, 8.0))
    assert (waves[:, T_MS < 8.0] == 0).all()
    early, late = (np.abs(waves[:, at]).max(axis=1) for at in (T_MS > 8.0, T_MS > 120.0))
    assert np.median(late / early) < 0.3


def test_no_burst_is_what_a_response_is(rng: np.random.Generator) -> None:
    waves = hard.bursts(rng, COUNT, T_MS, 0.0, AMPLIFIER)
    there = waves != 0
    first_ms, last_ms = T_MS[there.argmax(axis=1)], T_MS[::-1][there[:, ::-1].argmax(axis=1)]
    within = (first_ms > 1.0) & (first_ms < hard.RESPONSE_MS) & (last_ms < T_MS[-1] - 1)
    assert within.sum() > 10
    # Sparse discharges may begin a little after their envelope and end before it.
    assert np.median((last_ms - first_ms)[within]) > 0.9 * hard.RESPONSE_MS


def test_a_movement_is_a_smooth_step(rng: np.random.Generator) -> None:
    waves = hard.movements(rng, COUNT, T_MS)
    steps = np.abs(np.diff(waves, axis=1)).max(axis=1)
    assert (steps < 0.05 * np.maximum(np.ptp(waves, axis=1), 1.0)).all()
    assert np.ptp(waves, axis=1).max() <= 80.0 + 1e-9


def test_hardships_come_in_their_shares_and_no_amplifier_is_overdriven(
    rng: np.random.Generator,
) -> None:
    noise_uv = np.full(COUNT, 5.0)
    made = hard.draw_hardships(rng, T_MS, (0.0,), AMPLIFIER, noise_uv, SEEN)
    assert 0.35 < len(made.noisy) / COUNT < 0.65
    assert made.noise.shape == (len(made.noisy), T_MS.size)
    assert made.contracted.sum() == pytest.approx(hard.TONIC_SHARE * COUNT, abs=20)
    assert np.abs(made.residue).max() * 5.0 <= 2 * hard.HIGHEST_UV
    span = np.ptp(made.residue[:, SEEN], axis=1)
    assert 0.15 < np.mean(span > 0) < 0.5
    assert np.median(span[span > 0]) > PRESENT_SD
    for waves, share in ((made.burst, hard.BURST_SHARE), (made.movement, hard.MOVED_SHARE)):
        assert np.mean(waves.any(axis=1)) == pytest.approx(share, abs=0.08)


def test_contraction_is_noise_of_a_muscles_band(rng: np.random.Generator) -> None:
    noise = hard.contraction(rng, COUNT, T_MS.size, FS_HZ, AMPLIFIER)
    assert noise.std(axis=1) == pytest.approx(1.0)
    power = np.square(np.abs(np.fft.rfft(noise)))
    f_hz = np.fft.rfftfreq(T_MS.size, 1 / FS_HZ)
    within = power[:, (f_hz > 10) & (f_hz < 500)].sum(axis=1) / power.sum(axis=1)
    assert np.percentile(within, 5) > 0.65
    assert np.median(within) > 0.8


def test_cautery_flares_up_and_ends(rng: np.random.Generator) -> None:
    waves = hard.flaring_cautery(rng, COUNT, T_MS)
    assert np.isfinite(waves).all()
    silent = (waves == 0).mean(axis=1)
    assert np.mean((silent > 0.1) & (silent < 0.95)) > 0.5


def test_a_loose_contact_jumps_and_decays(rng: np.random.Generator) -> None:
    waves = hard.loose_contact(rng, COUNT, T_MS)
    assert np.isfinite(waves).all()
    peak = np.abs(waves).max(axis=1)
    assert (peak > 0).all()
    assert np.mean(np.abs(waves[:, -1]) < 0.5 * peak) > 0.6
