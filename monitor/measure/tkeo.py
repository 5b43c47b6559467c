"""Onset by the Teager-Kaiser energy operator.

psi[n] = x[n]^2 - x[n-1] x[n+1] (Kaiser 1990) answers to amplitude and frequency at once, so a
response stands out from slower background (Solnik et al. 2010 on EMG onsets). The threshold is
adaptive, mean + k SD of psi before the stimulus, as in Demigha and Lyapuntsova 2026 (TKEO +
Hilbert); a run rule asks that psi stays above it, and a counter that starts anew at each break
keeps a lone spike from passing for an onset.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from monitor.measure import noise

SMOOTH_MS = 1.0
RUN_MS = 1.0
#: Breaks within one response (between its phases psi falls under the threshold).
BREAK_MS = 5.0
#: Against the filter's own foot before a large response: share of the response's largest psi.
PEAK_SHARE = 0.004
#: The foot: where the sweep leaves its resting level by this share of its largest deflection ...
FOOT_SHARE = 0.05
#: ... or by this many noise SD, where noise hides that.
FOOT_SD = 2.5
#: An early phase too slow for psi still belongs to the response where it is this large ...
PHASE_SHARE = 0.15
PHASE_SD = 3.0
#: ... lies within so much of the TKEO onset, and no gap longer than this parts it.
FOOT_MS = 10.0
FOOT_GAP_MS = 2.5
#: The resting level is the median of so much before the TKEO onset.
REST_MS = 18.0
#: The foot counts for nothing under the first height of the response's envelope in noise SD, for
#: all over the second.
FOOT_SEEN_SD = (15.0, 30.0)


@njit(cache=True)
def tkeo(x_uv):  # type: ignore[no-untyped-def]
    """Energy (n,) in uV^2 of ``x_uv`` (n,); the ends repeat their neighbours."""
    n = x_uv.size
    out = np.zeros(n)
    for i in range(1, n - 1):
        out[i] = x_uv[i] * x_uv[i] - x_uv[i - 1] * x_uv[i + 1]
    if n > 2:
        out[0], out[n - 1] = out[1], out[n - 2]
    return out


@njit(cache=True)
def smoothed_energy(x_uv, width):  # type: ignore[no-untyped-def]
    """|TKEO| averaged over ``width`` samples (odd), centred; shorter at the ends."""
    energy = np.abs(tkeo(x_uv))
    n = energy.size
    half = width // 2
    out = np.empty(n)
    if n <= width:
        for i in range(n):
            out[i] = np.mean(energy[max(0, i - half) : i + half + 1])
        return out
    # The first and last windows are cut short; between them one sample enters as one leaves.
    total = 0.0
    for i in range(half):
        total += energy[i]
    for i in range(half + 1):
        total += energy[i + half]
        out[i] = total / (i + half + 1)
    whole = 2 * half + 1
    for i in range(half + 1, n - half):
        total += energy[i + half] - energy[i - half - 1]
        out[i] = total / whole
    for i in range(max(half + 1, n - half), n):
        total -= energy[i - half - 1]
        out[i] = total / (n - i + half)
    return out


@njit(cache=True)
def first_run(energy, threshold, start, stop, run):  # type: ignore[no-untyped-def]
    """First index in [start, stop) of ``run`` samples in a row above ``threshold``; or -1."""
    count = 0
    for i in range(start, min(stop, energy.size)):
        if energy[i] > threshold:
            count += 1
            if count >= run:
                return i - run + 1
        else:
            count = 0
    return -1


@njit(cache=True)
def onset_before(energy, threshold, start, peak, run, longest_break):  # type: ignore[no-untyped-def]
    """Where the activity that holds ``peak`` begins: the first run not parted from it by a break.

    Activity earlier in the window that has died down before the response is not its onset.

    Returns:
        Sample index, or -1 where there is no run up to ``peak`` + ``run``.
    """
    begin = start
    quiet = 0
    for i in range(peak, start - 1, -1):
        if energy[i] > threshold:
            quiet = 0
        else:
            quiet += 1
            if quiet > longest_break:
                begin = i + 1
                break
    return first_run(energy, threshold, begin, peak + 2 * run + 1, run)


@njit(cache=True)
def onset_over(band_uv, start, best, stop, run, frame, k):  # type: ignore[no-untyped-def]
    """Onset by a threshold: the run of psi over mean + ``k`` SD that leads to its peak.

    Args:
        band_uv: (n,) in the detection band.
        start: first sample that counts; best, stop: the strongest stretch; run: samples in a row.
        frame: where the noise lies.
        k: the threshold.
    """
    n = band_uv.size
    per_ms = frame.fs_hz / 1e3
    span = max(3, int(SMOOTH_MS * per_ms + 0.5) | 1)
    rest = smoothed_energy(band_uv[frame.noise_start : frame.noise_stop], span)
    # The energy where it is needed, with a margin for its smoothing.
    begin = max(0, start - span)
    psi = smoothed_energy(band_uv[begin : min(n, stop + 2 * run + span)], span)
    peak = best - begin
    for i in range(best - begin, min(stop, n) - begin):
        if psi[i] > psi[peak]:
            peak = i
    threshold = max(rest.mean() + k * rest.std(), PEAK_SHARE * psi[peak])
    threshold = min(threshold, 0.5 * psi[peak])
    breaks = int(BREAK_MS * per_ms)
    found = onset_before(psi, threshold, start - begin, peak, run, breaks)
    return found + begin if found >= 0 else max(start, min(best, peak + begin))


@njit(cache=True)
def foot_of(sweep_uv, onset, start, stop, noise_sd_uv, fs_hz):  # type: ignore[no-untyped-def]
    """Where the deflection that psi found leaves the resting level: the place that a reader marks.

    psi answers to the steep part; the foot of a slow first phase lies before it.

    Args:
        sweep_uv: (n,) not high-passed, so without the filter's own foot.
        onset: TKEO onset; start, stop: where the response may lie; all in samples.
        noise_sd_uv: noise SD of ``sweep_uv``.
        fs_hz: sampling rate.

    Returns:
        Fractional sample index, by interpolation where the limit is crossed.
    """
    per_ms = fs_hz / 1e3
    earliest = max(start, onset - int(FOOT_MS * per_ms))
    rest_start = max(start, onset - int(REST_MS * per_ms))
    level = noise.median(sweep_uv[rest_start : max(rest_start + 1, onset)])
    largest = 0.0
    for i in range(onset, stop):
        largest = max(largest, abs(sweep_uv[i] - level))
    limit = max(FOOT_SHARE * largest, FOOT_SD * noise_sd_uv)
    inside = onset
    while inside < stop - 1 and abs(sweep_uv[inside] - level) <= limit:
        inside += 1
    if abs(sweep_uv[inside] - level) <= limit:
        return float(onset)
    strong = max(PHASE_SHARE * largest, PHASE_SD * noise_sd_uv)
    gap = 0
    for i in range(onset, earliest - 1, -1):
        if abs(sweep_uv[i] - level) > strong:
            gap = 0
            inside = min(inside, i)
        else:
            gap += 1
            if gap > FOOT_GAP_MS * per_ms:
                break
    i = inside
    while i > earliest and abs(sweep_uv[i - 1] - level) > limit:
        i -= 1
    if i == 0:
        return 0.0
    outer = abs(sweep_uv[i - 1] - level)
    inner = abs(sweep_uv[i] - level)
    if inner <= limit or outer >= limit:
        return float(i)
    return i - 1 + (limit - outer) / (inner - outer)
