"""Amplitude envelope by the Hilbert transform, and where it returns to baseline."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit

from monitor.measure import noise
from monitor.types import FloatArray

#: Back at baseline: under this share of the response's largest envelope ...
END_SHARE = 0.1
#: ... or within so many SD of the noise's envelope over its mean, whichever is higher ...
END_SD = 3.0
#: ... which for normal noise of SD 1 are these (Rayleigh's distribution).
RAYLEIGH_MEAN, RAYLEIGH_SD = 1.2533, 0.6551
#: ... for this long (the gap between two phases is shorter).
QUIET_MS = 4.0
#: Within that the end is where the sweep itself comes to rest: the same shares as for the foot.
TAIL_SHARE = 0.05
TAIL_SD = 2.5
#: The level after the response is the median of so much after the envelope's return.
REST_MS = 10.0
#: The Hilbert transformer reaches so far to each side.
HILBERT_MS = 16.0


@lru_cache(maxsize=64)
def hilbert_taps(fs_hz: float) -> FloatArray:
    """Odd half of a Hilbert transformer's impulse response: item i belongs to lag 2 i + 1.

    The ideal 2 / (pi lag) under a Hamming window of ``HILBERT_MS`` to each side (Oppenheim and
    Schafer, Discrete-Time Signal Processing, 12.4): right to 2 % from 60 Hz upwards, where the
    energy of muscle responses lies, and free of the wrap-around of a transform of the whole sweep.
    """
    reach = int(HILBERT_MS * fs_hz / 1e3)
    lags = np.arange(1, reach + 1, 2)
    window = 0.54 + 0.46 * np.cos(np.pi * lags / (reach + 1))
    taps: FloatArray = 2.0 / (np.pi * lags) * window
    return taps


@njit(cache=True)
def hilbert_envelope(band_uv, start, stop, taps):  # type: ignore[no-untyped-def]
    """Modulus of the analytic signal (Gabor 1946) of ``band_uv`` (n,) in [start, stop).

    Returns:
        (n,); 0 outside the range. Beyond the sweep's ends the signal counts as 0.
    """
    n = band_uv.size
    hull = np.zeros(n)
    quadrature = np.zeros(stop - start)
    for t in range(taps.size):
        lag = 2 * t + 1
        # Every sample of the range at once for each lag: the processor takes several together.
        first, last = max(start, lag), min(stop, n - lag)
        _add(quadrature[first - start :], band_uv[first - lag : stop - lag], taps[t])
        _add(quadrature[: last - start], band_uv[start + lag : last + lag], -taps[t])
    for i in range(start, stop):
        hull[i] = np.sqrt(band_uv[i] * band_uv[i] + quadrature[i - start] ** 2)
    return hull


@njit(cache=True)
def _add(total, values, weight):  # type: ignore[no-untyped-def]
    for i in range(min(total.size, values.size)):
        total[i] += weight * values[i]


@njit(cache=True)
def return_to_baseline(envelope_uv, peak, stop, limit_uv, quiet):  # type: ignore[no-untyped-def]
    """First index after ``peak`` from which ``quiet`` samples lie under ``limit_uv``.

    Returns:
        Sample index; ``stop`` where it never returns before it.
    """
    count = 0
    for i in range(peak, stop):
        if envelope_uv[i] < limit_uv:
            count += 1
            if count >= quiet:
                return i - quiet + 1
        else:
            count = 0
    return stop - count if count > 0 else stop


@njit(cache=True)
def tail_of(sweep_uv, peak, end, noise_sd_uv, fs_hz):  # type: ignore[no-untyped-def]
    """Where the last deflection before ``end`` reaches the level that follows it.

    The band-pass rings for some milliseconds after a response, so its envelope returns late; the
    sweep that was not high-passed shows the true end, but drifts, so the envelope says where to
    look.

    Args:
        sweep_uv: (n,) not high-passed.
        peak, end: largest envelope and its return to baseline, in samples.
        noise_sd_uv: noise SD of ``sweep_uv``.
        fs_hz: sampling rate.

    Returns:
        Index one past the last sample of the response, in (peak, end].
    """
    n = sweep_uv.size
    level = noise.median(sweep_uv[min(end, n - 1) : min(n, end + int(REST_MS * fs_hz / 1e3)) + 1])
    largest = abs(sweep_uv[peak] - level)
    for i in range(peak, end):
        largest = max(largest, abs(sweep_uv[i] - level))
    limit = max(TAIL_SHARE * largest, TAIL_SD * noise_sd_uv)
    i = end
    # Two samples in a row: one alone may be noise.
    while i > peak + 1 and (
        abs(sweep_uv[i - 1] - level) <= limit or abs(sweep_uv[i - 2] - level) <= limit
    ):
        i -= 1
    return i
