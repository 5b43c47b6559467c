from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from monitor.measure.envelope import hilbert_envelope, hilbert_taps, return_to_baseline


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 22000.0])
@pytest.mark.parametrize("tone_hz", [60.0, 150.0, 400.0, 700.0])
def test_envelope_of_a_modulated_tone_is_its_modulation(fs_hz: float, tone_hz: float) -> None:
    t = np.arange(int(0.4 * fs_hz)) / fs_hz
    modulation = np.exp(-0.5 * ((t - 0.2) / 0.02) ** 2)
    tone = modulation * np.cos(2 * np.pi * tone_hz * t)
    found = hilbert_envelope(tone, 0, t.size, hilbert_taps(fs_hz))
    np.testing.assert_allclose(found, modulation, atol=0.04)


def test_equals_scipy_on_a_response_in_the_detection_band() -> None:
    rng = np.random.default_rng(1)
    sections = signal.butter(2, (60, 800), "bandpass", fs=5000.0, output="sos")
    x = signal.sosfiltfilt(sections, rng.normal(size=(3, 1200)) * signal.windows.hann(1200))
    theirs = np.abs(signal.hilbert(x, axis=1))
    for sweep, hull in zip(x, theirs, strict=True):
        ours = hilbert_envelope(sweep, 0, 1200, hilbert_taps(5000.0))
        np.testing.assert_allclose(ours, hull, atol=0.05 * hull.max())


def test_a_part_is_the_whole_in_that_part() -> None:
    x = np.random.default_rng(2).normal(size=900)
    whole = hilbert_envelope(x, 0, 900, hilbert_taps(5000.0))
    part = hilbert_envelope(x, 300, 420, hilbert_taps(5000.0))
    np.testing.assert_array_equal(part[300:420], whole[300:420])
    assert not part[:300].any()
    assert not part[420:].any()


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(0, 59), st.integers(1, 6))
def test_return_equals_the_slow_search(levels: list[int], peak: int, quiet: int) -> None:
    peak = min(peak, len(levels) - 1)
    hull = np.array(levels, dtype=float)
    expected = len(levels)
    for i in range(peak, len(levels)):
        stretch = levels[i : i + quiet]
        if all(level < 1 for level in stretch):  # a quiet stretch, cut by the end of the sweep too
            expected = i
            break
    assert return_to_baseline(hull, peak, len(levels), 1.0, quiet) == expected
