"""Amplitude envelope by the Hilbert transform, and where it returns to baseline."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import fft

from monitor.types import FloatArray

#: Back at baseline: under this share of the response's largest envelope ...
END_SHARE = 0.1
#: ... or within so many SD of the envelope before the stimulus, whichever is higher ...
END_SD = 3.0
#: ... for this long (the gap between two phases is shorter).
QUIET_MS = 4.0
#: Within that the end is where the sweep itself comes to rest: the same shares as for the foot.
TAIL_SHARE = 0.05
TAIL_SD = 2.5
#: The level after the response is the median of so much after the envelope's return.
REST_MS = 10.0


def hilbert_envelope(band_uv: FloatArray) -> FloatArray:
    """Modulus of the analytic signal (Gabor 1946) of (k, n) sweeps; (k, n)."""
    n = band_uv.shape[1]
    size = fft.next_fast_len(n + n // 8)
    spectrum = fft.rfft(band_uv, size, axis=1)
    full = np.zeros((band_uv.shape[0], size), dtype=np.complex128)
    full[:, : spectrum.shape[1]] = spectrum
    full[:, 1 : (size + 1) // 2] *= 2.0
    envelope: FloatArray = np.abs(fft.ifft(full, axis=1)[:, :n])
    return envelope


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
    level = np.median(sweep_uv[min(end, n - 1) : min(n, end + int(REST_MS * fs_hz / 1e3)) + 1])
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
