"""The stimulus artefact: each pulse is blanked, the tail of the last one modelled and subtracted.

What an amplifier does after a pulse is its own impulse response: a decay (electrode polarisation,
the coupling's recovery), or a ringing of its filters, both exponentially damped. It is already at
work in the blanked milliseconds, once the spike is over, and before any muscle can answer. So a
tail is a damped curve *anchored there*: it is fitted from 2 ms after the last pulse on, and a
response, which is flat until it starts, can't pass for one.

Two fits are tried in turn:

1. the **whole** stretch up to 30 ms as one damped curve, a decay or (after a single pulse) a
   ringing. Where it explains the stretch, there is nothing else in it worth protecting;
2. a pure decay fitted to the part before the earliest response and to whatever later samples it
   explains; a response stands out of that fit and is left out of it (iteratively trimmed least
   squares, Rousseeuw and Leroy 1987).

Where neither explains its samples to within the noise, the whole curve is still subtracted if it is
most of what is there; else nothing is. Which of these it was is reported, so that a measurement
beside such a tail can be marked.

After a train only decays are tried: a response that began during the train looks like a ringing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from monitor.types import FloatArray

#: The fit starts so long after the last pulse: the spike itself is over in a millisecond or two ...
FIT_START_MS = 2.0
#: ... and what is left of it is a term of the fit with this time constant.
SPIKE_MS = 0.6
FIT_STOP_MS = 30.0
#: No response begins earlier than this after the last pulse.
EARLIEST_RESPONSE_MS = 7.0
#: Time constants and frequencies that are tried; electrodes and amplifiers of the operating room
#: lie within them (190 artefacts recorded in surgery ring at 20-90 Hz).
DECAYS_MS = (0.8, 1.2, 1.8, 2.7, 4.05, 6.08, 9.11, 13.7)
RINGS_MS = (1.5, 2.5, 4.0, 7.0, 12.0)
RINGS_HZ = (20.0, 35.0, 50.0, 70.0, 90.0, 120.0)
#: A tail is looked for where the first 2 ms after the blanking stand out of the noise by so much.
EVIDENCE_SD = 3.5
EVIDENCE_MS = 2.0
#: A fit explains its samples where so many noise SD, or this share of what was there, are left.
EXPLAINED_SD = 1.4
EXPLAINED_SHARE = 0.4
#: A decay explains the part before the earliest response to within this share of its size.
ANCHOR_SHARE = 0.03
#: Samples further than this from a decay belong to a response.
TRIM_SD = 3.0
TRIM_ROUNDS = 4
#: Each halves the distance of the time constants tried.
REFINEMENTS = 3
#: The fit runs on averages, at about this rate.
FIT_FS_HZ = 4400.0

NO_TAIL, SUBTRACTED, PARTLY, UNEXPLAINED = range(4)


class TailFits(NamedTuple):
    """Candidate curves on the fit's own grid of m points, ``fold`` samples each.

    ``start``: first sample of the grid. ``early``: points before the earliest response; ``seen``:
    first point after the blanking; ``evidence``: first point after the part that shows whether
    there is a tail. ``rate`` (c,) and ``turn`` (c,): damping and angular frequency per sample of
    each candidate, ``turn`` 0 for a decay with a linear factor. ``basis`` (c, 4, m): spike, rest
    level, and the two curves; ``project`` (c, 4, m) gives their coefficients. ``decay_rate`` (d,):
    of the plain decays, evenly spaced in their logarithm.
    """

    start: int
    fold: int
    seen: int
    evidence: int
    early: int
    rate: FloatArray
    turn: FloatArray
    basis: FloatArray
    project: FloatArray
    decay_rate: FloatArray


def plan_tail(
    fs_hz: float, n_samples: int, last_pulse: float, blank_stop: int, single: bool
) -> TailFits:
    """Prepare the fits for sweeps of one shape.

    Args:
        fs_hz: sampling rate.
        n_samples: of a sweep.
        last_pulse: the last pulse, in samples (fractions count).
        blank_stop: first sample after its blanking.
        single: one pulse, so that a ringing may be tried.
    """
    per_ms = fs_hz / 1e3
    fold = max(1, int(fs_hz // FIT_FS_HZ))
    start = int(np.ceil(last_pulse + FIT_START_MS * per_ms))
    stop = min(n_samples, int(last_pulse + FIT_STOP_MS * per_ms))
    points = max(0, (stop - start) // fold)
    # The grid's times from the start of the fit, in samples.
    at = np.arange(points) * fold + (fold - 1) / 2.0

    def points_until(sample: float) -> int:
        return int(np.clip(np.ceil((sample - start) / fold), 0, points))

    rates, turns, bases = [], [], []
    spike = np.exp(-at / (SPIKE_MS * per_ms))
    level = np.ones(points)
    for tau_ms, f_hz in [(tau, 0.0) for tau in RINGS_MS] + [
        (tau, f) for tau in RINGS_MS for f in RINGS_HZ if single
    ]:
        rate, turn = 1.0 / (tau_ms * per_ms), 2.0 * np.pi * f_hz / fs_hz
        damped = np.exp(-at * rate)
        pair = (damped, damped * at * rate) if f_hz == 0.0 else (
            damped * np.cos(turn * at), damped * np.sin(turn * at))  # fmt: skip
        rates.append(rate)
        turns.append(turn)
        bases.append(np.stack([spike, level, *pair]))
    basis = np.stack(bases)
    # The anchor counts twice: it holds the tail alone.
    weight = np.where(
        np.arange(points) < points_until(last_pulse + EARLIEST_RESPONSE_MS * per_ms), 2.0, 1.0
    )
    project = (
        np.stack([np.linalg.pinv((b * weight).T) * weight for b in basis]) if points else basis
    )
    decay_rate = np.array([1.0 / (tau * per_ms) for tau in DECAYS_MS])
    return TailFits(
        start=start,
        fold=fold,
        seen=points_until(blank_stop),
        evidence=points_until(blank_stop + EVIDENCE_MS * per_ms),
        early=points_until(last_pulse + EARLIEST_RESPONSE_MS * per_ms),
        rate=np.array(rates),
        turn=np.array(turns),
        basis=np.ascontiguousarray(basis),
        project=np.ascontiguousarray(project),
        decay_rate=decay_rate,
    )


@njit(cache=True)
def blank(sweep_uv, blanks, reach):  # type: ignore[no-untyped-def]
    """Replace each pulse's artefact by a straight line between its edges, in place.

    Args:
        sweep_uv: (n,).
        blanks: (p, 2) ranges [start, stop) in samples, in order, not touching.
        reach: samples beyond each edge whose mean is the line's end.
    """
    n = sweep_uv.size
    for p in range(blanks.shape[0]):
        start, stop = blanks[p, 0], blanks[p, 1]
        after, before = min(n, stop + reach), max(0, start - reach)
        if after == stop and before == start:
            continue
        right = np.mean(sweep_uv[stop:after]) if after > stop else np.mean(sweep_uv[before:start])
        left = np.mean(sweep_uv[before:start]) if start > before else right
        step = (right - left) / max(stop - start - 1, 1)
        for i in range(start, stop):
            sweep_uv[i] = left + step * (i - start)


@njit(cache=True)
def subtract_tail(sweep_uv, level_uv, noise_sd_uv, fits):  # type: ignore[no-untyped-def]
    """Model the tail of the last artefact and subtract it, in place, from the fit's start on.

    Args:
        sweep_uv: (n,), mains removed, not blanked.
        level_uv: its resting level.
        noise_sd_uv: its noise SD.
        fits: see :func:`plan_tail`.

    Returns:
        (NO_TAIL, SUBTRACTED, PARTLY or UNEXPLAINED, tail at the end of the blanking in uV: what
        was subtracted there, or what stands there unexplained).
    """
    points = fits.basis.shape[2]
    if fits.evidence <= fits.seen or fits.early <= fits.seen or fits.early >= points:
        return NO_TAIL, 0.0
    y = np.empty(points)
    for j in range(points):
        total = 0.0
        at = fits.start + j * fits.fold
        for i in range(at, at + fits.fold):
            total += sweep_uv[i]
        y[j] = total / fits.fold - level_uv
    stands = _rms(y[fits.seen : fits.evidence])
    if stands < EVIDENCE_SD * noise_sd_uv:
        return NO_TAIL, 0.0
    left_uv, before_uv, c, first, second = _one_damped_curve(y, fits)
    if left_uv <= EXPLAINED_SD * noise_sd_uv:
        return SUBTRACTED, _subtract(sweep_uv, fits, fits.rate[c], fits.turn[c], first, second)
    anchor_uv, rate, decay = _decay_beside_a_response(y, noise_sd_uv, fits)
    if anchor_uv <= max(EXPLAINED_SD * noise_sd_uv, ANCHOR_SHARE * stands):
        return SUBTRACTED, _subtract(sweep_uv, fits, rate, 0.0, decay, 0.0)
    if left_uv <= EXPLAINED_SHARE * before_uv:
        return PARTLY, _subtract(sweep_uv, fits, fits.rate[c], fits.turn[c], first, second)
    return UNEXPLAINED, stands


@njit(cache=True, fastmath=True)
def _one_damped_curve(y, fits):  # type: ignore[no-untyped-def]
    """Best candidate for the whole stretch: (RMS left, RMS before, which, its coefficients)."""
    best, chosen, first, second = np.inf, -1, 0.0, 0.0
    points = y.size
    coefficients = np.empty(4)
    for c in range(fits.basis.shape[0]):
        for p in range(4):
            total = 0.0
            for j in range(points):
                total += fits.project[c, p, j] * y[j]
            coefficients[p] = total
        left = 0.0
        for j in range(fits.seen, points):
            r = y[j]
            for p in range(4):
                r -= coefficients[p] * fits.basis[c, p, j]
            left += r * r
        if left < best:
            best, chosen, first, second = left, c, coefficients[2], coefficients[3]
    left_uv = np.sqrt(best / (points - fits.seen))
    before_uv = np.std(y[fits.seen :])
    return left_uv, before_uv, chosen, first, second


@njit(cache=True)
def _decay_beside_a_response(y, noise_sd_uv, fits):  # type: ignore[no-untyped-def]
    """Best pure decay beside a response: (RMS that it leaves of the anchor, rate, coefficient)."""
    basis = np.ones((3, y.size))
    basis[0] = fits.basis[0, 0]
    use = np.empty(y.size, dtype=np.bool_)
    best = (np.inf, np.inf, 0.0)
    rate = 0.0
    for d in range(fits.decay_rate.size):
        tried = _trimmed_decay(y, noise_sd_uv, fits.decay_rate[d], fits, basis, use)
        if tried[0] < best[0]:
            best, rate = tried, fits.decay_rate[d]
    # The list is coarse: halve its steps around the best one.
    step = np.sqrt(fits.decay_rate[0] / fits.decay_rate[1])
    for _ in range(REFINEMENTS):
        middle = rate
        for candidate in (middle * step, middle / step):
            tried = _trimmed_decay(y, noise_sd_uv, candidate, fits, basis, use)
            if tried[0] < best[0]:
                best, rate = tried, candidate
        step = np.sqrt(step)
    return best[1], rate, best[2]


@njit(cache=True)
def _trimmed_decay(y, noise_sd_uv, rate, fits, basis, use):  # type: ignore[no-untyped-def]
    """Trimmed least squares with this rate: (score, RMS left of the anchor, coefficient)."""
    points = y.size
    factor, value = np.exp(-rate * fits.fold), np.exp(-rate * (fits.fold - 1) / 2.0)
    for j in range(points):
        basis[2, j] = value
        value *= factor
    use[: fits.early] = True
    use[fits.early :] = False
    spike, level, decay = 0.0, 0.0, 0.0
    limit = TRIM_SD * noise_sd_uv
    for _ in range(TRIM_ROUNDS):
        spike, level, decay = _three_terms(basis, y, use)
        for j in range(fits.early, points):
            use[j] = abs(y[j] - spike * basis[0, j] - level - decay * basis[2, j]) < limit
    left, anchor = 0.0, 0.0
    for j in range(points):
        r = y[j] - spike * basis[0, j] - level - decay * basis[2, j]
        # More samples explained is better, as long as they are explained equally well.
        left += r * r if use[j] else limit * limit
        if fits.seen <= j < fits.early:
            anchor += r * r
    return left, np.sqrt(anchor / (fits.early - fits.seen)), decay


@njit(cache=True, fastmath=True)
def _three_terms(basis, y, use):  # type: ignore[no-untyped-def]
    """Least-squares coefficients of spike, level and decay over the points in use."""
    aa, ab, ac, ay, bc, by, cc, cy = 1e-12, 0.0, 0.0, 0.0, 0.0, 0.0, 1e-12, 0.0
    # With the anchor alone a slow decay and an offset are the same thing, but the level is known:
    # as if it had been measured once more over the whole stretch.
    bb = float(y.size)
    for j in range(y.size):
        if use[j]:
            a, c, value = basis[0, j], basis[2, j], y[j]
            aa += a * a
            ab += a
            ac += a * c
            ay += a * value
            bb += 1.0
            bc += c
            by += value
            cc += c * c
            cy += c * value
    # Cramer's rule on the symmetric 3 x 3 system.
    m0, m1, m2 = bb * cc - bc * bc, ab * cc - bc * ac, ab * bc - bb * ac
    det = aa * m0 - ab * m1 + ac * m2
    if abs(det) < 1e-30:
        return 0.0, 0.0, 0.0
    spike = (ay * m0 - ab * (by * cc - bc * cy) + ac * (by * bc - bb * cy)) / det
    level = (aa * (by * cc - bc * cy) - ay * m1 + ac * (ab * cy - by * ac)) / det
    decay = (aa * (bb * cy - by * bc) - ab * (ab * cy - by * ac) + ay * m2) / det
    return spike, level, decay


@njit(cache=True)
def _subtract(sweep_uv, fits, rate, turn, first, second):  # type: ignore[no-untyped-def]
    """Take first * curve 1 + second * curve 2 off; what that was at the end of the blanking."""
    damping = np.exp(-rate)
    c, s = np.cos(turn), np.sin(turn)
    # Curves in step with the fit's grid: its first point lies half a fold into the sweep.
    a = 1.0
    x, z = 1.0, 0.0
    at_blank = 0.0
    seen = fits.start + fits.seen * fits.fold
    # `at` of the grid counts from `start`, so sample `start` has at = 0.
    for i in range(fits.start, sweep_uv.size):
        if turn == 0.0:
            value = a * (first + second * (i - fits.start) * rate)
        else:
            value = a * (first * x + second * z)
            x, z = x * c - z * s, z * c + x * s
        sweep_uv[i] -= value
        if i == seen:
            at_blank = abs(value)
        a *= damping
        if a < 1e-5:
            break
    return at_blank


@njit(cache=True)
def _rms(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in values:
        total += value * value
    return np.sqrt(total / max(values.size, 1))
