from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from monitor.measure.filters import (
    LANES,
    LANES_FROM,
    bandpass_sections,
    lowpass_sections,
    zero_phase,
)


def oracle(sections: np.ndarray, sweep: np.ndarray, pad: int) -> np.ndarray:
    """scipy's own forward-backward filter."""
    return signal.sosfiltfilt(sections, sweep, padtype="odd", padlen=pad)


@settings(max_examples=40, deadline=None)
@given(
    fs_hz=st.sampled_from([2000.0, 3000.0, 5000.0, 22000.0]),
    n=st.integers(300, 900),
    k=st.sampled_from([1, LANES_FROM - 1, LANES_FROM, LANES, LANES + 1, 2 * LANES + LANES_FROM]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_scipy(fs_hz: float, n: int, k: int, seed: int) -> None:
    sweeps = np.random.default_rng(seed).normal(size=(k, n)).cumsum(axis=1)
    band, low = bandpass_sections(fs_hz), lowpass_sections(fs_hz)
    banded, smooth = zero_phase(band, low, sweeps, 120)
    atol = 1e-8 * np.abs(sweeps).max()
    np.testing.assert_allclose(banded, [oracle(band, sweep, 120) for sweep in sweeps], atol=atol)
    if low is None:
        np.testing.assert_array_equal(smooth, sweeps)
    else:
        np.testing.assert_allclose(smooth, [oracle(low, sweep, 120) for sweep in sweeps], atol=atol)


@settings(max_examples=20, deadline=None)
@given(k=st.integers(1, 2 * LANES + 1), seed=st.integers(0, 2**32 - 1))
def test_a_sweep_comes_out_alike_alone_and_among_others(k: int, seed: int) -> None:
    sweeps = np.random.default_rng(seed).normal(size=(k, 400)) * 100
    sections = bandpass_sections(5000.0), lowpass_sections(5000.0)
    together = zero_phase(*sections, sweeps, 250)
    for row, sweep in enumerate(sweeps):
        alone = zero_phase(*sections, sweep[None], 250)
        np.testing.assert_array_equal(alone[0][0], together[0][row])
        np.testing.assert_array_equal(alone[1][0], together[1][row])


def test_does_not_shift_a_response() -> None:
    t = np.arange(1000) / 5000
    burst = np.exp(-0.5 * ((t - 0.1) / 0.001) ** 2) * np.sin(2 * np.pi * 200 * (t - 0.1))
    out = zero_phase(bandpass_sections(5000.0), None, burst[None], 250)[0][0]
    assert abs(np.argmax(out) - np.argmax(burst)) <= 1


def test_an_offset_does_not_ring() -> None:
    out = zero_phase(bandpass_sections(5000.0), None, np.full((2, 800), 1e4), 250)[0]
    assert np.abs(out).max() < 1e-6


@pytest.mark.parametrize("fs_hz", [2000.0, 3000.0])
def test_slow_rates_have_no_lowpass_and_a_band_below_nyquist(fs_hz: float) -> None:
    assert lowpass_sections(fs_hz) is None
    w, h = signal.sosfreqz(bandpass_sections(fs_hz), worN=512, fs=fs_hz)
    assert np.all(np.isfinite(h))
    assert w[np.abs(h) > 0.707].max() < 0.46 * fs_hz


def test_a_leg_response_of_35_ms_keeps_its_amplitude() -> None:
    """The amplitude path may cost 1 % of a slow leg response; a 20 Hz high-pass costs more."""
    fs_hz = 5000.0
    t_ms = (np.arange(1250) - 500) / 5
    inside = (t_ms > 35) & (t_ms < 70)
    response = np.where(inside, np.sin(2 * np.pi * (t_ms - 35) / 35), 0.0)[None] * 100
    low = lowpass_sections(fs_hz)
    assert low is not None
    kept = np.ptp(zero_phase(bandpass_sections(fs_hz), low, response, 250)[1]) / np.ptp(response)
    high_passed = signal.sosfiltfilt(
        signal.butter(2, 20, "highpass", fs=fs_hz, output="sos"), response[0]
    )
    assert kept > 0.99
    assert np.ptp(high_passed) / np.ptp(response) < 0.99
