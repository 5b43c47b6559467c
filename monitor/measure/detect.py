"""Is there a response? A detector calibrated so that noise alone is called one in under 1 %.

The paper's gate (peak over noise SD of 3) lets half of pure noise pass: the largest of some
hundred noise samples has a median near 3 SD. Here the energy of the strongest 6 ms within the
muscle's window is held against two yardsticks from the same sweep: the noise's robust SD, with a
threshold that knows how long the window and how short the sample of noise is, and the strongest
6 ms of the noise itself, which background activity of the muscle raises.

The constants were measured on white noise, on noise shaped like background EMG (20-300 Hz) and on
slow noise (10-150 Hz); ``tests/test_measure_detect.py`` repeats the measurement.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ENERGY_MS = 6.0
#: Threshold in noise SD over the length of the noise sample in ms, for a window of 20 ms ...
SAMPLE_MS = np.array([15.0, 20.0, 50.0, 100.0])
THRESHOLD_SD = np.array([4.2, 3.6, 2.6, 2.25])
#: ... and what every doubling of the window adds.
PER_DOUBLING_SD = 0.15
#: The strongest 6 ms of noise in SD -> how far a response must stand above it: steady noise never
#: reaches 1.7 and asks for less than the bursts of a muscle at work.
NOISE_BURST_SD = np.array([1.7, 2.5])
OVER_NOISE_BURST = np.array([1.35, 1.75])
#: An energy that falls from the very start of the search, peaking within this time, is the
#: artefact's tail; it is passed over until it has been under the threshold once.
TAIL_MS = 2.0
#: An energy that rises from the start of the search began in the masked part where the first
#: millisecond already has this share of its peak; less is the filter's foot before a response.
HIDDEN_SHARE = 0.35
EDGE_MS = 1.0

PAPER_GATE_SNR = 3.0


@njit(cache=True)
def threshold_sd(noise_ms, window_ms):  # type: ignore[no-untyped-def]
    """Energy threshold in noise SD for a noise sample and a search window of these lengths."""
    base = np.interp(noise_ms, SAMPLE_MS, THRESHOLD_SD)
    return base + PER_DOUBLING_SD * np.log2(max(window_ms, 20.0) / 20.0)


@njit(cache=True)
def running_rms(band_uv, width):  # type: ignore[no-untyped-def]
    """RMS of ``band_uv`` (n,) over ``width`` samples; item i of (n - width + 1,) starts at i."""
    n = band_uv.size - width + 1
    out = np.empty(n)
    total = 0.0
    for i in range(width):
        total += band_uv[i] * band_uv[i]
    for i in range(n):
        out[i] = np.sqrt(max(total, 0.0) / width)
        if i + 1 < n:
            entering, leaving = band_uv[i + width], band_uv[i]
            total += entering * entering - leaving * leaving
    return out


@njit(cache=True)
def find_burst(  # type: ignore[no-untyped-def]
    band_uv, energy_uv, start, stop, noise_start, noise_stop, noise_sd_uv, fs_hz
):
    """Strongest stretch of energy in [start, stop) that noise does not explain.

    Args:
        band_uv: the sweep in the detection band.
        energy_uv: its :func:`running_rms` over ``ENERGY_MS``.
        start, stop: where a response's energy may begin, in samples.
        noise_start, noise_stop: where the noise was estimated.
        noise_sd_uv: its robust SD in the detection band.
        fs_hz: sampling rate.

    Returns:
        (index of the strongest stretch or -1, threshold in uV, started inside the masked part).
        The last is true where the energy was above the threshold from the start and still rose:
        a response whose onset the artefact hides.
    """
    width = int(ENERGY_MS * fs_hz / 1e3)
    stop = min(stop, energy_uv.size)
    noise_stop = min(noise_stop - width, energy_uv.size)
    if stop <= start:
        return -1, 0.0, False
    noise_peak = 0.0
    for i in range(noise_start, noise_stop):
        noise_peak = max(noise_peak, energy_uv[i])
    noise_ms = (noise_stop + width - noise_start) * 1e3 / fs_hz
    limit = noise_sd_uv * threshold_sd(noise_ms, (stop - start) * 1e3 / fs_hz)
    if noise_sd_uv > 0.0:
        over = np.interp(noise_peak / noise_sd_uv, NOISE_BURST_SD, OVER_NOISE_BURST)
        limit = max(limit, over * noise_peak)
    masked = False
    first = start
    if energy_uv[start] > limit:
        peak = start
        first = stop
        for i in range(start, stop):
            if energy_uv[i] <= limit:
                first = i
                break
            if energy_uv[i] > energy_uv[peak]:
                peak = i
        if peak - start > TAIL_MS * fs_hz / 1e3:
            edge = band_uv[start : start + max(3, int(EDGE_MS * fs_hz / 1e3))]
            edge_uv = np.sqrt(np.mean(edge * edge))
            masked = edge_uv > max(limit, HIDDEN_SHARE * energy_uv[peak])
            first = start
    best = -1
    for i in range(first, stop):
        if energy_uv[i] > limit and (best < 0 or energy_uv[i] > energy_uv[best]):
            best = i
    return best, limit, masked
