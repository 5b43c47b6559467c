"""What is not the response: each disturbance alone, in units of the noise's SD."""

from __future__ import annotations

import numpy as np
import pytest

from models import disturbances
from models.responses import Amplifier

T_MS = np.arange(-500, 750) / 5.0
COUNT = 600


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def share_touched(sweeps: np.ndarray) -> float:
    return float((np.ptp(sweeps, axis=1) > 0).mean())


def test_noise_has_unit_sd_and_the_amplifiers_band(rng: np.random.Generator) -> None:
    noise, _, _ = disturbances.noise(rng, 200, T_MS.size, 5000.0, Amplifier(1000.0, 20.0))
    assert noise.std(axis=1) == pytest.approx(1.0)
    power = np.square(np.abs(np.fft.rfft(noise))).mean(axis=0)
    f_hz = np.fft.rfftfreq(T_MS.size, 1 / 5000.0)
    assert power[(f_hz > 100) & (f_hz < 500)].mean() > 5 * power[f_hz > 2000].mean()


def test_background_emg_is_spiky_and_rules_the_noise_of_contracted_muscles(
    rng: np.random.Generator,
) -> None:
    noise, emg, contracted = disturbances.noise(
        rng, COUNT, T_MS.size, 5000.0, Amplifier(1500.0, 5.0)
    )
    assert 0.08 < contracted.mean() < 0.17
    share = emg.std(axis=1)
    assert (share[contracted] > 0.85).all()
    assert (share[~contracted] < 0.6).all()
    assert np.mean(share == 0.0) > 0.4
    kurtosis = np.mean(noise**4, axis=1) / np.mean(noise**2, axis=1) ** 2
    assert np.mean(kurtosis[contracted] > 4) > 0.4
    assert np.mean(kurtosis[share == 0.0] < 3.5) > 0.8


def test_half_of_the_noise_grows_towards_low_frequencies(rng: np.random.Generator) -> None:
    noise, emg, _ = disturbances.noise(rng, COUNT, T_MS.size, 5000.0, Amplifier(2000.0, 5.0))
    quiet = noise[emg.std(axis=1) == 0.0]
    power = np.square(np.abs(np.fft.rfft(quiet)))
    f_hz = np.fft.rfftfreq(T_MS.size, 1 / 5000.0)
    slope = power[:, (f_hz > 15) & (f_hz < 60)].mean(1) / power[
        :, (f_hz > 500) & (f_hz < 900)
    ].mean(1)
    assert 0.25 < np.mean(slope > 5) < 0.6
    assert np.mean(slope < 2) > 0.3


def test_hum_has_its_frequency_and_odd_harmonics(rng: np.random.Generator) -> None:
    hum = disturbances.mains(rng, COUNT, np.arange(5000) / 5.0, 60.0)
    assert 0.6 < share_touched(hum) < 0.8
    amplitude = np.abs(np.fft.rfft(hum)).mean(axis=0)
    assert np.argmax(amplitude) == 60
    assert amplitude[180] > amplitude[120]


SEEN = (T_MS > 24.2) & (T_MS < 123.0)


def test_each_pulse_leaves_the_same_artefact_and_none_comes_before(
    rng: np.random.Generator,
) -> None:
    artefact, _ = disturbances.stimulus_artefact(rng, T_MS, (0.0, 20.0), np.ones(COUNT), SEEN)
    assert (artefact[:, T_MS < 0] == 0).all()
    size, tau_ms = rng.normal(size=(3, 4)), rng.uniform(0.1, 9.0, (3, 4))
    swing_hz, angle = np.array([50.0, 90.0, 150.0]), np.array([0.0, 1.0, 2.0])
    both, one, other = (
        sum(disturbances._struck(T_MS, np.array(pulses), size, tau_ms, swing_hz, angle))
        for pulses in ([0.0, 20.0], [0.0], [20.0])
    )
    np.testing.assert_allclose(both, one + other, atol=1e-9)
    np.testing.assert_allclose(other[:, 100:], one[:, :-100], atol=1e-9)


def test_what_is_left_of_the_stimulus_artefact_is_there_or_not(rng: np.random.Generator) -> None:
    noise_uv = np.full(COUNT, 5.0)
    artefact, span = disturbances.stimulus_artefact(rng, T_MS, (0.0, 20.0), noise_uv, SEEN)
    np.testing.assert_allclose(np.ptp(artefact[:, SEEN], axis=1), span, rtol=1e-9)
    between = (span > disturbances.NEGLIGIBLE_SD) & (span < disturbances.PRESENT_SD)
    assert not between.any()
    assert 0.1 < np.mean(span > disturbances.PRESENT_SD) < 0.7
    assert np.abs(artefact).max() * 5.0 < 20_000.0


def test_some_artefacts_ring(rng: np.random.Generator) -> None:
    artefact, span = disturbances.stimulus_artefact(rng, T_MS, (0.0,), np.ones(COUNT), T_MS > 4.2)
    tail = artefact[span > 20][:, (T_MS > 4.2) & (T_MS < 30)]
    swings = (np.diff(np.sign(np.diff(tail, axis=1)), axis=1) != 0).sum(axis=1)
    assert 0.2 < np.mean(swings >= 2) < 0.9


@pytest.mark.parametrize(
    ("disturb", "low", "high"),
    [
        (disturbances.electrode_pop, 0.03, 0.1),
        (disturbances.electrocautery, 0.015, 0.08),
        (disturbances.heart, 0.04, 0.17),
    ],
)
def test_rare_disturbances_are_rare_and_there(
    rng: np.random.Generator, disturb, low: float, high: float
) -> None:
    sweeps = disturb(rng, COUNT, T_MS)
    assert sweeps.shape == (COUNT, T_MS.size)
    assert low < share_touched(sweeps) < high


def test_drift_is_slow(rng: np.random.Generator) -> None:
    drift = disturbances.drift(rng, COUNT, T_MS)
    steps = np.abs(np.diff(drift, axis=1)).max(axis=1)
    assert (steps < 0.02 * np.maximum(np.ptp(drift, axis=1), 1.0)).mean() > 0.98


def test_a_clipped_sweep_stays_within_its_range_and_says_what_it_lost(
    rng: np.random.Generator,
) -> None:
    sweeps = 100.0 + rng.normal(0, 10, (4 * COUNT, T_MS.size))
    sweeps[:, T_MS < 1] *= 5.0
    before = sweeps.copy()
    seen = T_MS > 4.2
    lost = disturbances.clip(rng, sweeps, seen)
    inside = lost > 0
    assert 0.02 < inside.mean() < 0.07
    changed = sweeps != before
    assert np.array_equal(changed[:, seen].any(axis=1), inside)
    # In others the stimulus artefact alone saturates.
    assert 0.1 < (changed.any(axis=1) & ~inside).mean() < 0.3
    middle = np.median(before, axis=1, keepdims=True)
    highest = [np.abs(s - middle)[:, seen].max(axis=1) for s in (before, sweeps)]
    np.testing.assert_allclose((highest[0] - highest[1])[inside], lost[inside])


def test_a_lost_electrode_leaves_a_flat_line(rng: np.random.Generator) -> None:
    sweeps = rng.normal(size=(4 * COUNT, T_MS.size))
    seen = T_MS > 4.2
    lost = disturbances.lost_electrode(rng, sweeps, seen)
    assert 0.003 < lost.mean() < 0.02
    assert (np.ptp(sweeps[:, seen], axis=1)[lost] == 0).all()
    assert (np.ptp(sweeps[:, seen], axis=1)[~lost] > 0).all()
