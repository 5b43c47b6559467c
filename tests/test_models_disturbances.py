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
    noise = disturbances.noise(rng, 200, T_MS.size, 5000.0, Amplifier(1000.0, 20.0))
    assert noise.std(axis=1) == pytest.approx(1.0)
    power = np.square(np.abs(np.fft.rfft(noise))).mean(axis=0)
    f_hz = np.fft.rfftfreq(T_MS.size, 1 / 5000.0)
    assert power[(f_hz > 100) & (f_hz < 500)].mean() > 5 * power[f_hz > 2000].mean()


def test_half_of_the_noise_is_spiky_as_background_emg_is(rng: np.random.Generator) -> None:
    noise = disturbances.noise(rng, COUNT, T_MS.size, 5000.0, Amplifier(1500.0, 5.0))
    kurtosis = np.mean(noise**4, axis=1) / np.mean(noise**2, axis=1) ** 2
    assert np.mean(kurtosis > 4) > 0.1
    assert np.mean(kurtosis < 3.5) > 0.4


def test_hum_has_its_frequency_and_odd_harmonics(rng: np.random.Generator) -> None:
    hum = disturbances.mains(rng, COUNT, np.arange(5000) / 5.0, 60.0)
    assert 0.6 < share_touched(hum) < 0.8
    amplitude = np.abs(np.fft.rfft(hum)).mean(axis=0)
    assert np.argmax(amplitude) == 60
    assert amplitude[180] > amplitude[120]


def test_each_pulse_leaves_the_same_artefact_and_none_comes_before(
    rng: np.random.Generator,
) -> None:
    artefact = disturbances.stimulus_artefact(rng, COUNT, T_MS, (0.0, 20.0))
    assert (artefact[:, T_MS < 0] == 0).all()
    first, second = np.searchsorted(T_MS, [0.0, 20.0])
    carried_over = artefact[:, second - 1]
    jump = artefact[:, second] - carried_over
    # The tail of the first pulse has decayed a little further one sample on.
    np.testing.assert_allclose(jump, artefact[:, first], atol=0.2 * np.abs(carried_over).max() + 1)


@pytest.mark.parametrize(
    ("disturb", "low", "high"),
    [
        (disturbances.electrode_pop, 0.01, 0.08),
        (disturbances.electrocautery, 0.01, 0.06),
        (disturbances.heart, 0.06, 0.2),
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


def test_a_clipped_sweep_stays_within_its_range_and_says_so(rng: np.random.Generator) -> None:
    sweeps = 100.0 + rng.normal(0, 10, (COUNT, T_MS.size))
    before = sweeps.copy()
    clipped = disturbances.clip(rng, sweeps)
    rows = clipped.any(axis=1)
    assert 0.01 < rows.mean() < 0.08
    assert np.array_equal(clipped, sweeps != before)
    away = np.abs(sweeps - np.median(before, axis=1, keepdims=True)).max(axis=1)
    assert (away[rows] < np.abs(before - 100).max(axis=1)[rows]).all()
