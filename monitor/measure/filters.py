"""Zero-phase filters over the samples of a trial, all channels at once.

Forward and backward through second-order sections, so that no latency is shifted; the sweep is
continued at both ends by its odd reflection and each section starts in its steady state, which
keeps an offset or a slope from ringing (Gustafsson 1996 discusses the choices; this one is the
usual compromise). The inner loop runs over channels: they are independent, so the processor
works on several at once, where a loop over time would wait for its own recursion.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from scipy import signal

from monitor.measure.plan import DETECTION_LOW_HZ, SweepPlan
from monitor.types import FloatArray

#: Detection and onset: what a muscle response holds, less movement (``plan.DETECTION_LOW_HZ``) and
#: hiss.
DETECTION_HIGH_HZ = 1000.0
#: Amplitude: nothing is taken off at the low end (a 20 Hz high-pass costs 3-18 % of a 35 ms leg
#: response); hiss above the response goes.
AMPLITUDE_LOWPASS_HZ = 1500.0
#: Padding of the zero-phase filters: the 30 Hz corner has settled by then.
PAD_MS = 50.0
#: Sweeps filtered together: enough to fill the processor's lanes, few enough for its cache.
BLOCK = 16


@lru_cache(maxsize=64)
def bandpass_sections(fs_hz: float, low_hz: float = DETECTION_LOW_HZ) -> FloatArray:
    """Second-order sections (2, 6) of the detection band-pass at this sampling rate."""
    high_hz = min(DETECTION_HIGH_HZ, 0.45 * fs_hz)
    sections: FloatArray = signal.butter(2, (low_hz, high_hz), "bandpass", fs=fs_hz, output="sos")
    return sections


@lru_cache(maxsize=64)
def lowpass_sections(fs_hz: float) -> FloatArray | None:
    """Sections (1, 6) of the amplitude low-pass; None where the rate leaves nothing to take off."""
    if fs_hz < 3 * AMPLITUDE_LOWPASS_HZ:
        return None
    sections: FloatArray = signal.butter(2, AMPLITUDE_LOWPASS_HZ, "lowpass", fs=fs_hz, output="sos")
    return sections


def band_and_smooth(sweeps_uv: FloatArray, plan: SweepPlan) -> tuple[FloatArray, FloatArray]:
    """Cleaned sweeps (k, n) in the detection band, and behind the amplitude's low-pass."""
    pad = min(int(PAD_MS * plan.fs_hz / 1e3), plan.n_samples - 2)
    band = zero_phase(bandpass_sections(plan.fs_hz, plan.band_low_hz), sweeps_uv, pad)
    low = lowpass_sections(plan.fs_hz)
    return band, sweeps_uv if low is None else zero_phase(low, sweeps_uv, pad)


def zero_phase(sections: FloatArray, sweeps_uv: FloatArray, pad: int) -> FloatArray:
    """Filter (k, n) sweeps forward and backward.

    Args:
        sections: (s, 6) second-order sections.
        sweeps_uv: (k, n) float64; n > pad.
        pad: samples of odd reflection at each end.

    Returns:
        (k, n) float64, a new array.
    """
    out = np.empty_like(sweeps_uv)
    for first in range(0, sweeps_uv.shape[0], BLOCK):
        rows = slice(first, first + BLOCK)
        _zero_phase(sections, sweeps_uv[rows], pad, out[rows])
    return out


@njit(cache=True)
def _zero_phase(sections, x, pad, out):  # type: ignore[no-untyped-def]
    k, n = x.shape
    total = n + 2 * pad
    work = np.empty((total, k))
    for c in range(k):
        for i in range(pad):
            work[i, c] = 2.0 * x[c, 0] - x[c, pad - i]
            work[pad + n + i, c] = 2.0 * x[c, n - 1] - x[c, n - 2 - i]
        for i in range(n):
            work[pad + i, c] = x[c, i]
    many = sections.shape[0]
    z0 = np.empty((many, k))
    z1 = np.empty((many, k))
    for direction in range(2):
        step = 1 if direction == 0 else -1
        i = 0 if direction == 0 else total - 1
        # Start settled on each section's own first input: an offset then gives no transient.
        for c in range(k):
            u = work[i, c]
            for s in range(many):
                b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
                a1, a2 = sections[s, 4], sections[s, 5]
                gain = (b0 + b1 + b2) / (1.0 + a1 + a2)
                z0[s, c] = (gain - b0) * u
                z1[s, c] = (b2 - a2 * gain) * u
                u *= gain
        for _ in range(total):
            # All sections at a sample before the next: they are then under way side by side.
            for s in range(many):
                b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
                a1, a2 = sections[s, 4], sections[s, 5]
                for c in range(k):
                    u = work[i, c]
                    y = b0 * u + z0[s, c]
                    z0[s, c] = b1 * u - a1 * y + z1[s, c]
                    z1[s, c] = b2 * u - a2 * y
                    work[i, c] = y
            i += step
    for c in range(k):
        for i in range(n):
            out[c, i] = work[pad + i, c]
