"""Zero-phase filters over the samples of a trial, all channels at once.

Forward and backward through second-order sections, so that no latency is shifted; the sweep is
continued at both ends by its odd reflection and each section starts in its steady state, which
keeps an offset or a slope from ringing (Gustafsson 1996 discusses the choices; this one is the
usual compromise).

Each sample of a recursive filter waits for the one before, so time goes to waste unless there is
other work meanwhile. The detection band (two sections) and the amplitude's low-pass (one) run side
by side in one pass. Many sweeps run as lanes, the innermost loop going over sweeps, of which the
processor takes several at once; a few run one by one, with their sections' states in registers. A
sweep comes out the same to the bit either way.
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
#: Sweeps filtered together as lanes: enough to fill the processor's vectors, few enough for its
#: cache. The number is fixed so that the compiler can lay the innermost loop out for it.
LANES = 16
#: From so many sweeps on lanes are faster than one sweep after another, empty lanes and all.
LANES_FROM = 5
#: A section that changes nothing, where there is no low-pass.
_IDENTITY = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])


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
    out = np.empty((2, *sweeps_uv.shape))
    _zero_phase(_both_sections(plan.fs_hz, plan.band_low_hz), sweeps_uv, pad, out)
    return out[0], out[1]


@lru_cache(maxsize=64)
def _both_sections(fs_hz: float, low_hz: float) -> FloatArray:
    return _stacked(bandpass_sections(fs_hz, low_hz), lowpass_sections(fs_hz))


def _stacked(band: FloatArray, low: FloatArray | None) -> FloatArray:
    return np.concatenate([band, _IDENTITY if low is None else low])


def zero_phase(
    band: FloatArray, low: FloatArray | None, sweeps_uv: FloatArray, pad: int
) -> tuple[FloatArray, FloatArray]:
    """Filter (k, n) sweeps forward and backward, twice: two views of the same sweeps.

    Args:
        band: (2, 6) second-order sections of the first view.
        low: (1, 6) of the second; None: it is the sweeps as they are.
        sweeps_uv: (k, n) float64; n > pad.
        pad: samples of odd reflection at each end.

    Returns:
        Both views, (k, n) float64, new arrays.
    """
    out = np.empty((2, *sweeps_uv.shape))
    _zero_phase(_stacked(band, low), np.ascontiguousarray(sweeps_uv), pad, out)
    return out[0], out[1]


@njit(cache=True)
def _zero_phase(sections, x, pad, out):  # type: ignore[no-untyped-def]
    row, n = 0, x.shape[1]
    if x.shape[0] >= LANES_FROM:
        lanes = np.empty((n + 2 * pad, 2 * LANES))
        while x.shape[0] - row >= LANES_FROM:
            _filter_lanes(sections, x[row : row + LANES], pad, lanes)
            for i in range(n):
                for c in range(min(LANES, x.shape[0] - row)):
                    out[0, row + c, i] = lanes[pad + i, c]
                    out[1, row + c, i] = lanes[pad + i, LANES + c]
            row += LANES
    padded = np.empty((2, n + 2 * pad))
    while row < x.shape[0]:
        _filter_one(sections, x[row], pad, padded)
        out[:, row] = padded[:, pad : pad + n]
        row += 1


@njit(cache=True)
def _step(section, u, z0, z1):  # type: ignore[no-untyped-def]
    """One sample ``u`` through a section (transposed direct form II): (output, its new state)."""
    b0, b1, b2, _, a1, a2 = section
    y = b0 * u + z0
    return y, b1 * u - a1 * y + z1, b2 * u - a2 * y


@njit(cache=True)
def _settled(section, u):  # type: ignore[no-untyped-def]
    """State of a section that has had ``u`` for ever, and its output: no transient follows."""
    b0, b1, b2, _, a1, a2 = section
    gain = (b0 + b1 + b2) / (1.0 + a1 + a2)
    return (gain - b0) * u, (b2 - a2 * gain) * u, gain * u


@njit(cache=True)
def _coefficients(sections, s):  # type: ignore[no-untyped-def]
    """A section as plain numbers: the compiler keeps those in registers."""
    c = sections[s]
    return c[0], c[1], c[2], c[3], c[4], c[5]


@njit(cache=True)
def _filter_one(sections, x, pad, padded):  # type: ignore[no-untyped-def]
    """Both views of one sweep (n,) -> ``padded`` (2, n + 2 pad)."""
    n = x.size
    total = n + 2 * pad
    band, smooth = padded[0], padded[1]
    for i in range(pad):
        band[i] = 2.0 * x[0] - x[pad - i]
        band[pad + n + i] = 2.0 * x[n - 1] - x[n - 2 - i]
    band[pad : pad + n] = x
    smooth[:] = band
    p, q, r = _coefficients(sections, 0), _coefficients(sections, 1), _coefficients(sections, 2)
    for direction in range(2):
        i, step = (0, 1) if direction == 0 else (total - 1, -1)
        p0, p1, u = _settled(p, band[i])
        q0, q1, _ = _settled(q, u)
        r0, r1, _ = _settled(r, smooth[i])
        for _ in range(total):
            u, p0, p1 = _step(p, band[i], p0, p1)
            band[i], q0, q1 = _step(q, u, q0, q1)
            smooth[i], r0, r1 = _step(r, smooth[i], r0, r1)
            i += step


@njit(cache=True)
def _filter_lanes(sections, x, pad, lanes):  # type: ignore[no-untyped-def]
    """Both views of up to ``LANES`` sweeps (k, n) -> ``lanes`` (n + 2 pad, 2 LANES).

    A row of ``lanes`` is a sample: the first view of every sweep, then the second.
    """
    k, n = x.shape
    total = n + 2 * pad
    for c in range(k):
        for i in range(pad):
            lanes[i, c] = 2.0 * x[c, 0] - x[c, pad - i]
            lanes[pad + n + i, c] = 2.0 * x[c, n - 1] - x[c, n - 2 - i]
    for i in range(n):
        for c in range(k):
            lanes[pad + i, c] = x[c, i]
    for i in range(total):
        # Empty lanes are worked through too, and numbers too small or none take their time.
        for c in range(k, LANES):
            lanes[i, c] = 0.0
        for c in range(LANES):
            lanes[i, LANES + c] = lanes[i, c]
    # Made here, so that the compiler knows how its rows lie to one another.
    states = np.empty((6, LANES))
    p, q, r = _coefficients(sections, 0), _coefficients(sections, 1), _coefficients(sections, 2)
    for direction in range(2):
        i, step = (0, 1) if direction == 0 else (total - 1, -1)
        for c in range(LANES):
            states[0, c], states[1, c], u = _settled(p, lanes[i, c])
            states[2, c], states[3, c], _ = _settled(q, u)
            states[4, c], states[5, c], _ = _settled(r, lanes[i, LANES + c])
        for _ in range(total):
            for c in range(LANES):
                u, states[0, c], states[1, c] = _step(p, lanes[i, c], states[0, c], states[1, c])
                lanes[i, c], states[2, c], states[3, c] = _step(q, u, states[2, c], states[3, c])
                u = lanes[i, LANES + c]
                u, states[4, c], states[5, c] = _step(r, u, states[4, c], states[5, c])
                lanes[i, LANES + c] = u
            i += step
