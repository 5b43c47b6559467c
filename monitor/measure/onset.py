"""The onset as a change point of the sweep's energy, by likelihood.

A fixed threshold on psi errs both ways: what lies apart from the main part of a response, by more
than the longest break, is lost, and noise that happens to lie close before it is taken along. Here
every half millisecond weighs for or against "the response has begun": how far its psi
(:mod:`monitor.measure.tkeo`) and its plain energy stand above the noise, and how far below the
strongest part. What is gained from a place up to the strongest part, and how the energy jumps
there, is the log likelihood of an onset at that place, as in the change-point detectors of surface
EMG (Staude 2001, EURASIP J Appl Signal Process 2001:67; Page's cumulative sum 1954). The weights
are curves, piecewise linear in the logarithm of an energy, fitted on the simulator's training
split by ``python -m bench.accuracy_onset_fit``: a conditional logit (McFadden 1974), so that the
scores are a distribution over places. Its median is the onset, its SD what the onset is worth.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from monitor.measure import tkeo
from monitor.measure.onset_curves import CURVES

STEP_MS = 0.5
#: Energies are means over this much, as psi is.
MEAN_MS = 1.0
#: The plain energy is of the sweep behind a causal high-pass (a zero-phase one has a foot before a
#: slow response), which starts from the mean of so much.
HIGHPASS_HZ = 15.0
LEAD_MS, NOISE_LEAD_MS = 2.0, 20.0
#: The jump at a place is between the energies so many steps after and before.
BESIDE_STEPS = 2
#: What is near the end of the blanking may be the artefact's: weighed apart, by this decay, and in
#: full only where the first so many steps reach the second of these log energies over noise; where
#: they stay under the first, there is none.
NEAR_MS = 6.0
RESIDUE_STEPS = 4
RESIDUE = (1.0, 3.0)
#: No onset leaves behind it what is clearly part of the response: two steps in a row, at least so
#: many after the start (an artefact's tail is clear too), with energy and psi so far over noise and
#: the energy no further under its peak, up to so many steps before. Curves that add up can't
#: say that: a short first part does not pay for the silence between it and the main one.
CLEAR, CLEAR_PSI, CLEAR_UNDER_PEAK = 5.0, 2.0, 3.0
CLEAR_STEPS, CLEAR_AFTER_STEPS = 30, 4
#: Knots of the curves, in nepers of energy: the first and the distance to the next ...
OVER_NOISE, UNDER_PEAK, JUMP = (-2.0, 1.25), (-9.0, 1.125), (-4.0, 1.25)
KNOTS = 9
#: ... and between which levels of the strongest part the curves are blended.
PEAK_LEVELS = (2.0, 5.0, 8.0)
#: Rows of the curves: psi and energy from the onset on, each over noise and under the peak; the
#: energy's jump at the onset, and its level just before, over noise and under the peak; what is
#: near the blanking, over noise and under the peak.
(_PSI, _PSI_PEAK, _ENERGY, _ENERGY_PEAK, _JUMP, _BEFORE, _BEFORE_PEAK, _NEAR, _NEAR_PEAK,
 KINDS) = range(10)  # fmt: skip
_FLOOR = 1e-6


@njit(cache=True)
def onset_place(  # type: ignore[no-untyped-def]
    band, smooth, start, best, noise_start, noise_stop, fs_hz, places
):
    """Where the response begins that holds the strongest stretch up to ``best``.

    Args:
        band: (n,) the sweep in the detection band, in uV.
        smooth: (n,) the sweep behind the amplitude's low-pass.
        start: first sample at which it may begin.
        best: end of the strongest stretch of energy, in samples.
        noise_start, noise_stop: samples of noise.
        fs_hz: sampling rate.
        places: (p,) takes the log likelihood of an onset at ``start`` and every ``STEP_MS`` from
            there, up to a constant; as many as fit.

    Returns:
        (onset, its SD, how many places), the first two in samples; the onset is a fraction.
    """
    levels = log_energies(band, smooth, start, best, noise_start, noise_stop, fs_hz)
    score = scores(levels, curves_for(levels[0].max(), levels[1].max(), CURVES))
    place, sd = median_and_sd(score)
    while True:
        earlier = _clear_part_before(levels, int(place))
        if earlier < 0:
            break
        score[earlier + 1 :] = -np.inf
        place, sd = median_and_sd(score)
        place = min(place, float(earlier))
    step = STEP_MS * fs_hz / 1e3
    count = min(score.size, places.size)
    places[:count] = score[:count]
    return start + place * step, sd * step, count


@njit(cache=True)
def _clear_part_before(levels, place):  # type: ignore[no-untyped-def]
    """First step of the clear part of a response that ``place`` would leave behind it, or -1."""
    psi, energy = levels[0], levels[1]
    over = max(CLEAR, energy.max() - CLEAR_UNDER_PEAK)
    found = -1
    for k in range(place - 3, max(CLEAR_AFTER_STEPS, place - CLEAR_STEPS) - 1, -1):
        if min(psi[k], psi[k + 1]) > CLEAR_PSI and min(energy[k], energy[k + 1]) > over:
            found = k
    return found


@njit(cache=True)
def log_energies(band, smooth, start, stop, noise_start, noise_stop, fs_hz):  # type: ignore[no-untyped-def]
    """Log of psi and of the plain energy over those of the noise, (2, m), every ``STEP_MS``."""
    per_ms = fs_hz / 1e3
    stop = min(band.size, stop)
    span = max(3, int(MEAN_MS * per_ms + 0.5) | 1)
    begin = max(0, start - span)
    psi = tkeo.smoothed_energy(band[begin : min(band.size, stop + span)], span)
    resting = tkeo.smoothed_energy(band[noise_start:noise_stop], span).mean()
    turn = 1.0 - np.exp(-2.0 * np.pi * HIGHPASS_HZ / fs_hz)
    energy = _highpassed_energy(smooth[start:stop], turn, max(1, int(LEAD_MS * per_ms)), span)
    lead = max(1, int(NOISE_LEAD_MS * per_ms))
    hiss = _highpassed_energy(smooth[noise_start:noise_stop], turn, lead, 1).mean()
    count = max(1, int(np.ceil((stop - start) / (STEP_MS * per_ms))))
    levels = np.empty((2, count))
    for k in range(count):
        i = min(int(k * STEP_MS * per_ms), stop - start - 1)
        levels[0, k] = np.log(psi[start + i - begin] / max(resting, 1e-12) + _FLOOR)
        levels[1, k] = np.log(energy[i] / max(hiss, 1e-12) + _FLOOR)
    return levels


@njit(cache=True)
def _highpassed_energy(x_uv, turn, lead, width):  # type: ignore[no-untyped-def]
    """Square of ``x_uv`` (n,) less its exponential mean, averaged over ``width`` (odd), centred."""
    n = x_uv.size
    level = x_uv[: min(lead, n)].mean()
    total = np.zeros(n + 1)
    for i in range(n):
        value = x_uv[i] - level
        level += turn * value
        total[i + 1] = total[i] + value * value
    half = width // 2
    out = np.empty(n)
    for i in range(n):
        first, last = max(0, i - half), min(n, i + half + 1)
        out[i] = (total[last] - total[first]) / (last - first)
    return out


@njit(cache=True)
def knot(value, first, apart):  # type: ignore[no-untyped-def]
    """(index, share of the next knot) of ``value`` between evenly spaced knots, clipped."""
    at = min(max((value - first) / apart, 0.0), KNOTS - 1.0)
    index = min(int(at), KNOTS - 2)
    return index, at - index


@njit(cache=True)
def blend(peak):  # type: ignore[no-untyped-def]
    """Shares (levels,) of the sets of curves for a strongest part of this log energy."""
    shares = np.zeros(len(PEAK_LEVELS))
    last = len(PEAK_LEVELS) - 1
    if peak <= PEAK_LEVELS[0]:
        shares[0] = 1.0
    elif peak >= PEAK_LEVELS[last]:
        shares[last] = 1.0
    else:
        for i in range(last):
            if PEAK_LEVELS[i] <= peak < PEAK_LEVELS[i + 1]:
                share = (peak - PEAK_LEVELS[i]) / (PEAK_LEVELS[i + 1] - PEAK_LEVELS[i])
                shares[i], shares[i + 1] = 1.0 - share, share
    return shares


@njit(cache=True)
def curves_for(psi_peak, energy_peak, curves):  # type: ignore[no-untyped-def]
    """The curves (kinds, knots) of one sweep out of ``curves`` (kinds, levels, knots)."""
    of_psi, of_energy = blend(psi_peak), blend(energy_peak)
    out = np.zeros((KINDS, KNOTS))
    for kind in range(KINDS):
        shares = of_psi if kind <= _PSI_PEAK else of_energy
        for level in range(shares.size):
            for i in range(KNOTS):
                out[kind, i] += shares[level] * curves[kind, level, i]
    return out


@njit(cache=True)
def _on(curve, value, knots):  # type: ignore[no-untyped-def]
    i, share = knot(value, knots[0], knots[1])
    return (1.0 - share) * curve[i] + share * curve[i + 1]


@njit(cache=True)
def scores(levels, curves):  # type: ignore[no-untyped-def]
    """Log likelihood (m,) of an onset at each place, up to a constant.

    Args:
        levels: (2, m) see :func:`log_energies`.
        curves: (kinds, knots) of this sweep.
    """
    m = levels.shape[1]
    psi, energy = levels[0], levels[1]
    psi_peak, energy_peak = psi.max(), energy.max()
    out = np.empty(m)
    gained = 0.0
    fade = np.exp(-STEP_MS / NEAR_MS)
    low, high = RESIDUE
    residue = min(max((energy[:RESIDUE_STEPS].max() - low) / (high - low), 0.0), 1.0)
    near = residue * fade ** (m - 1)
    for k in range(m - 1, -1, -1):
        under = energy[k] - energy_peak
        gained += _on(curves[_PSI], psi[k], OVER_NOISE)
        gained += _on(curves[_PSI_PEAK], psi[k] - psi_peak, UNDER_PEAK)
        gained += _on(curves[_ENERGY], energy[k], OVER_NOISE)
        gained += _on(curves[_ENERGY_PEAK], under, UNDER_PEAK)
        gained += near * _on(curves[_NEAR], energy[k], OVER_NOISE)
        gained += near * _on(curves[_NEAR_PEAK], under, UNDER_PEAK)
        near /= fade
        before, after = energy[max(0, k - BESIDE_STEPS)], energy[min(m - 1, k + BESIDE_STEPS)]
        out[k] = (
            gained
            + _on(curves[_JUMP], after - before, JUMP)
            + _on(curves[_BEFORE], before, OVER_NOISE)
            + _on(curves[_BEFORE_PEAK], before - energy_peak, UNDER_PEAK)
        )
    return out


@njit(cache=True)
def median_and_sd(score):  # type: ignore[no-untyped-def]
    """Median and SD, in steps, of the distribution whose log is ``score`` (m,).

    Place k stands for what lies within half a step of it; the median is interpolated.
    """
    weight = np.exp(score - score.max())
    total = weight.sum()
    half = 0.5 * total
    mean, square, passed = 0.0, 0.0, 0.0
    median = -1.0
    for k in range(weight.size):
        mean += k * weight[k]
        square += k * k * weight[k]
        if median < 0.0 and passed + weight[k] >= half:
            median = max(0.0, k - 0.5 + (half - passed) / weight[k])
        passed += weight[k]
    mean /= total
    return median, np.sqrt(max(square / total - mean * mean, 0.0))


@njit(cache=True)
def joint_median(score, weight, other, other_sd):  # type: ignore[no-untyped-def]
    """Median, in steps, of an onset of which two distributions are known.

    Args:
        score: (m,) log likelihood of each place.
        weight: of it: it counts twice what follows from neighbouring samples twice.
        other, other_sd: another opinion and its SD, in steps; taken for a Laplace distribution,
            whose tails forgive an opinion that is far off.
    """
    joint = np.empty(score.size)
    for k in range(score.size):
        joint[k] = weight * score[k] - abs(k - other) / other_sd
    return median_and_sd(joint)[0]
