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
    x = np.ascontiguousarray(sweeps_uv.T)
    pad = min(int(PAD_MS * plan.fs_hz / 1e3), plan.n_samples - 2)
    band = np.ascontiguousarray(
        _zero_phase(bandpass_sections(plan.fs_hz, plan.band_low_hz), x, pad).T
    )
    low = lowpass_sections(plan.fs_hz)
    if low is None:
        return band, sweeps_uv
    return band, np.ascontiguousarray(_zero_phase(low, x, pad).T)


def zero_phase(sections: FloatArray, sweeps_uv: FloatArray, pad: int) -> FloatArray:
    """Filter (k, n) sweeps forward and backward.

    Args:
        sections: (s, 6) second-order sections.
        sweeps_uv: (k, n) float64; n > pad.
        pad: samples of odd reflection at each end.

    Returns:
        (k, n) float64, a new array.
    """
    out = _zero_phase(sections, np.ascontiguousarray(sweeps_uv.T), pad)
    return np.ascontiguousarray(out.T)


@njit(cache=True)
def _zero_phase(sections, x, pad):  # type: ignore[no-untyped-def]
    n, k = x.shape
    total = n + 2 * pad
    work = np.empty((total, k))
    for c in range(k):
        for i in range(pad):
            work[i, c] = 2.0 * x[0, c] - x[pad - i, c]
            work[pad + n + i, c] = 2.0 * x[n - 1, c] - x[n - 2 - i, c]
    for i in range(n):
        for c in range(k):
            work[pad + i, c] = x[i, c]
    z0 = np.empty(k)
    z1 = np.empty(k)
    for direction in range(2):
        step = 1 if direction == 0 else -1
        first = 0 if direction == 0 else total - 1
        for s in range(sections.shape[0]):
            b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
            a1, a2 = sections[s, 4], sections[s, 5]
            # Start settled on the section's own first input: an offset then gives no transient.
            gain = (b0 + b1 + b2) / (1.0 + a1 + a2)
            for c in range(k):
                u = work[first, c]
                z0[c] = (gain - b0) * u
                z1[c] = (b2 - a2 * gain) * u
            i = first
            for _ in range(total):
                for c in range(k):
                    u = work[i, c]
                    y = b0 * u + z0[c]
                    z0[c] = b1 * u - a1 * y + z1[c]
                    z1[c] = b2 * u - a2 * y
                    work[i, c] = y
                i += step
    return work[pad : pad + n]
