from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from monitor.measure.amplitude import combine
from monitor.measure.noise import (
    corrected_amplitude,
    extremes,
    median,
    resting_sd,
    robust_sd,
)


def test_robust_sd_is_the_sd_of_normal_noise_and_ignores_spikes() -> None:
    values = np.random.default_rng(0).normal(5, 3, 4000)
    scratch = np.empty(4000)
    assert robust_sd(values, scratch) == pytest.approx(3, rel=0.05)
    values[:40] = 1e5
    assert robust_sd(values, scratch) == pytest.approx(3, rel=0.06)


def test_a_slope_is_no_noise() -> None:
    values = np.random.default_rng(1).normal(0, 3, 1000) + np.linspace(0, 500, 1000)
    assert resting_sd(values, np.empty(1000)) == pytest.approx(3, rel=0.08)


# No microvolt is a subnormal number: a thousandth of one is nothing.
VALUES = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0])


@given(st.lists(VALUES, min_size=1, max_size=60))
def test_median_is_numpys(values: list[float]) -> None:
    spread = max(values) - min(values)
    assert abs(median(np.array(values)) - np.median(values)) <= 1e-9 * spread


@pytest.mark.parametrize("step", [0.0, 0.25, 3.0])
@pytest.mark.parametrize("far_uv", [0.0, 1e4])
def test_median_is_exact_whatever_is_tied_or_far_off(step: float, far_uv: float) -> None:
    rng = np.random.default_rng(3)
    for n in (1, 2, 3, 10, 49, 50, 494, 495):
        for _ in range(20):
            values = rng.normal(-5.0, 3.0, n) + far_uv * (rng.random(n) < 0.02)
            values = np.round(values / step) * step if step else values
            assert median(values) == np.median(values)
            assert median(np.abs(values)) == np.median(np.abs(values))
            assert extremes(values) == (values.min(), values.max())


def test_a_median_of_no_numbers_comes_to_an_end() -> None:
    median(np.array([1.0, np.nan, 3.0, np.nan, 2.0]))
    median(np.array([1.0, np.inf, 3.0, -np.inf, 2.0]))


def coloured(rng: np.random.Generator, k: int, n: int) -> np.ndarray:
    """Amplifier noise and background EMG together, SD 1."""
    sections = signal.butter(2, (20, 800), "bandpass", fs=5000, output="sos")
    x = signal.sosfilt(sections, rng.normal(size=(k, n + 500)), axis=1)[:, 500:]
    return x / x.std()


@pytest.mark.parametrize("peak_snr", [3.0, 5.0, 10.0, 30.0])
def test_corrected_amplitude_is_nearly_unbiased_where_raw_is_not(peak_snr: float) -> None:
    rng = np.random.default_rng(7)
    t_ms = np.arange(75) / 5
    shape = np.sin(2 * np.pi * t_ms / 15) * np.exp(-0.5 * ((t_ms - 7) / 4) ** 2)
    shape *= peak_snr / np.abs(shape).max()
    truth = np.ptp(shape)
    raw = np.ptp(shape + coloured(rng, 3000, 75), axis=1)
    corrected = np.array([corrected_amplitude(value, 1.0) for value in raw])
    raw_bias = np.median(raw) / truth - 1
    bias = np.median(corrected) / truth - 1
    assert raw_bias > 0
    assert abs(bias) < 0.06
    assert abs(bias) < abs(raw_bias) or abs(raw_bias) < 0.03
    # The interval reported with it, from the same SD.
    found = [combine(max(value, 1e-9), 1.0, None, None) for value in corrected]
    inside = np.mean([one.lower_uv <= truth <= one.upper_uv for one in found])
    assert inside > 0.93


def test_noise_alone_reads_next_to_nothing() -> None:
    raw = np.ptp(coloured(np.random.default_rng(8), 2000, 75), axis=1)
    corrected = np.array([corrected_amplitude(value, 1.0) for value in raw])
    assert np.median(raw) > 4
    assert np.median(corrected) < 0.5 * np.median(raw)


def test_never_negative_and_increasing() -> None:
    amplitudes = [corrected_amplitude(raw, 1.0) for raw in np.linspace(0, 50, 400)]
    assert min(amplitudes) == 0.0
    assert np.all(np.diff(amplitudes) >= 0)
    assert corrected_amplitude(12.5, 0.0) == 12.5
