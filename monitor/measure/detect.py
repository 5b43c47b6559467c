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
#: An energy that falls from the very start of the search, peaking within this time, is taken for
#: the artefact's tail; it is passed over until it has been under the threshold once.
TAIL_MS = 2.0
#: A response that starts right behind the blanking looks the same. Where what was passed over
#: reached so many thresholds and nothing else was found, no absence is sure: with a network that
#: sees none it is told in doubt, and else not told (:mod:`monitor.measure.verdict`).
HIDES_RATIO = 2.0
#: The strongest of the rest is no more than the flank of what was passed over where it lies within
#: this of it.
FLANK_MS = 1.0
#: A search that starts later than this after the blanking starts beyond the artefact's tail.
TAIL_REACH_MS = 3.0
#: An energy that rises from the start of the search began in the masked part where the first
#: millisecond already has this share of its peak; less is the filter's foot before a response.
HIDDEN_SHARE = 0.35
EDGE_MS = 1.0

PAPER_GATE_SNR = 3.0

#: Under this share of the threshold nothing is looked at further.
CANDIDATE_RATIO = 0.5

#: Two bursts of the noise are two if they start so many times ``ENERGY_MS`` apart (a pop decays for
#: up to 30 ms); a burst that stands so many times above all others came once: a pop, a
#: heart beat, a twitch.
APART = 5
ONCE = 4.0

#: A muscle at work shows before the stimulus: its strongest burst stands so far out of the noise's
#: robust SD, and the noise is so slow (an amplifier's own is broad). Recorded at 3 uV SD: 2.9 SD
#: and 260 Hz in the median, at rest 1.5 SD and 480 Hz.
WORK_SD = 2.0
WORK_HZ = 320.0


@njit(cache=True)
def threshold_sd(noise_ms, window_ms):  # type: ignore[no-untyped-def]
    """Energy threshold in noise SD for a noise sample and a search window of these lengths."""
    base = np.interp(noise_ms, SAMPLE_MS, THRESHOLD_SD)
    return base + PER_DOUBLING_SD * np.log2(max(window_ms, 20.0) / 20.0)


@njit(cache=True)
def running_rms(band_uv, width):  # type: ignore[no-untyped-def]
    """RMS of ``band_uv`` (n,) over ``width`` samples; item i of (n - width + 1,) starts at i."""
    n = band_uv.size - width + 1
    squares = band_uv * band_uv
    out = np.empty(n)
    total = 0.0
    for i in range(width):
        total += squares[i]
    out[0] = total
    for i in range(1, n):
        total += squares[i + width - 1] - squares[i - 1]
        out[i] = total
    # In a loop of its own: roots of several samples are taken at once.
    for i in range(n):
        out[i] = np.sqrt(max(out[i], 0.0) / width)
    return out


@njit(cache=True)
def find_burst(band_uv, start, stop, noise_sd_uv, frame):  # type: ignore[no-untyped-def]
    """Strongest stretch of energy in [start, stop) that noise does not explain.

    Args:
        band_uv: the sweep in the detection band.
        start, stop: where a response's energy may begin, in samples; ``stop`` leaves room for
            ``ENERGY_MS`` before the sweep's end.
        noise_sd_uv: robust SD of the noise in the detection band.
        frame: ``plan.Frame``: where the noise was estimated.

    Returns:
        (index of the strongest stretch or -1, its energy in uV RMS, threshold in uV RMS, threshold
        without bursts of the noise that came once, started inside the masked part, energy of what
        was passed over, nothing stands beside that). The fifth is true where the energy was above
        the threshold from the start and still rose: a response whose onset the artefact hides. What
        was passed over is the artefact's tail as a rule (0: nothing was); where the last is true
        the index is its own, and the energy still that of the rest.
    """
    per_ms = frame.fs_hz / 1e3
    width = energy_width(frame.fs_hz)
    if stop <= start:
        return -1, 0.0, 0.0, 0.0, False, 0.0, False
    noise_peak, repeated = 0.0, 0.0
    if frame.noise_stop - frame.noise_start > width:
        # The last stretch that fits is left out, as it was when the thresholds were measured.
        steady = running_rms(band_uv[frame.noise_start : frame.noise_stop - 1], width)
        noise_peak, repeated = strongest_bursts(steady, APART * width)
    noise_ms = (frame.noise_stop - frame.noise_start) / per_ms
    limit = noise_sd_uv * threshold_sd(noise_ms, (stop - start) / per_ms)
    lenient = limit
    if noise_sd_uv > 0.0:
        limit = max(limit, _above_burst(noise_peak, noise_sd_uv))
        lenient = max(lenient, _above_burst(repeated, noise_sd_uv))
    energy = running_rms(band_uv[start : stop + width - 1], width)
    masked = False
    first, peak = 0, 0
    if energy[0] > limit and start - frame.search_start <= TAIL_REACH_MS * per_ms:
        first = energy.size
        for i in range(energy.size):
            if energy[i] <= limit:
                first = i
                break
            if energy[i] > energy[peak]:
                peak = i
        if peak > TAIL_MS * per_ms:
            edge = band_uv[start : start + max(3, int(EDGE_MS * per_ms))]
            edge_uv = np.sqrt(np.mean(edge * edge))
            masked = edge_uv > max(limit, HIDDEN_SHARE * energy[peak])
            first = 0
    best = -1
    largest = 0.0
    for i in range(first, energy.size):
        if energy[i] > largest:
            largest = energy[i]
            best = start + i
    passed = energy[peak] if first > 0 else 0.0
    flank = largest < CANDIDATE_RATIO * lenient or best - start - first < FLANK_MS * per_ms
    alone = flank and passed >= HIDES_RATIO * limit
    if alone:
        best = start + peak
    return best, largest, limit, lenient, masked, passed, alone


@njit(cache=True)
def _above_burst(burst_uv, noise_sd_uv):  # type: ignore[no-untyped-def]
    """What stands clear of bursts of the noise that reach ``burst_uv`` RMS."""
    return burst_uv * np.interp(burst_uv / noise_sd_uv, NOISE_BURST_SD, OVER_NOISE_BURST)


@njit(cache=True)
def strongest_bursts(energy, apart):  # type: ignore[no-untyped-def]
    """Largest of ``energy`` (m,), and the largest without what came once.

    That is the same, unless it stands ``ONCE`` times above all that lies ``apart`` samples from it.
    """
    peak = 0
    for i in range(energy.size):
        if energy[i] > energy[peak]:
            peak = i
    second = 0.0
    for i in range(energy.size):
        if abs(i - peak) >= apart:
            second = max(second, energy[i])
    largest = energy[peak]
    return largest, second if 0.0 < ONCE * second < largest else largest


@njit(cache=True)
def is_at_work(noise_uv, noise_sd_uv, fs_hz):  # type: ignore[no-untyped-def]
    """Whether noise is a muscle's own activity, single potentials rather than a steady hiss.

    Args:
        noise_uv: (n,) of the detection band.
        noise_sd_uv: its robust SD.
        fs_hz: sampling rate.
    """
    width = energy_width(fs_hz)
    if noise_uv.size <= width + 2:
        return False
    repeated = strongest_bursts(running_rms(noise_uv[:-1], width), APART * width)[1]
    if repeated < WORK_SD * noise_sd_uv:
        return False
    # A sine's second difference is 4 sin^2(pi f / fs) times the sine.
    squares, bends = 0.0, 0.0
    for i in range(1, noise_uv.size - 1):
        bend = noise_uv[i - 1] - 2.0 * noise_uv[i] + noise_uv[i + 1]
        squares += noise_uv[i] * noise_uv[i]
        bends += bend * bend
    return np.sqrt(bends) < 4.0 * np.sin(np.pi * WORK_HZ / fs_hz) ** 2 * np.sqrt(squares)


@njit(cache=True)
def energy_width(fs_hz):  # type: ignore[no-untyped-def]
    """``ENERGY_MS`` in samples."""
    return max(2, int(ENERGY_MS * fs_hz / 1e3))
