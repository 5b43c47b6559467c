from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from monitor.measure.envelope import hilbert_envelope, return_to_baseline


def test_envelope_of_a_modulated_tone_is_its_modulation() -> None:
    t = np.arange(2000) / 5000
    modulation = np.exp(-0.5 * ((t - 0.2) / 0.02) ** 2)
    tone = modulation * np.cos(2 * np.pi * 300 * t)
    found = hilbert_envelope(tone[None])[0]
    np.testing.assert_allclose(found, modulation, atol=0.01)


def test_equals_scipy_where_nothing_is_padded() -> None:
    x = np.random.default_rng(1).normal(size=(3, 1200))
    x *= signal.windows.hann(1200)
    theirs = np.abs(signal.hilbert(np.pad(x, ((0, 0), (0, 150))), axis=1))[:, :1200]
    np.testing.assert_allclose(hilbert_envelope(x), theirs, atol=1e-9)


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
