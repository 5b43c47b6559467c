"""Mains hum of a sweep that has nothing before its stimulus.

With a clean part on both sides the hum is fitted outside the response (``plan.MainsFits``). Where
the sweep starts with its stimulus there is no such part: the hum has to be fitted to what is left
after the blanking, response and all. A response is over within 5-40 ms and hum goes on, so the fit
is one that the *majority* of samples decides: iteratively reweighted least squares, first with
the weights of least absolute deviations, which no third of the samples can pull away, then with
Tukey's biweight, to which the response is gone altogether (Holland and Welsch 1977).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from monitor.measure import noise
from monitor.types import FloatArray

#: Orders that are fitted: the even ones of real hum are small, and each costs two parameters.
ORDERS = (1, 2, 3, 4, 5, 7)
DRIFT_TERMS = 3
#: The fit runs on averages, at about this rate.
FIT_FS_HZ = 1500.0
#: Fewer periods than these can't be told from a slow wave beside a response.
MIN_PERIODS = 3.5
#: What is left of the spike and the steepest part of its tail.
START_MS = 2.0
#: Rounds with the weights of least absolute deviations, then with the biweight.
ABSOLUTE_ROUNDS, BIWEIGHT_ROUNDS = 3, 3
#: A residual of so many robust SD counts no more.
BIWEIGHT_SD = 4.685
#: Hum is subtracted where the fit with it leaves at most this share of the robust SD that drift
#: alone leaves.
LEFT_SHARE = 0.6
#: Not looked for where plain least squares leaves more than this share of the squares.
WORTH_SHARE = 0.75
CUT_SD = 2.0


class HumFits(NamedTuple):
    """``basis`` (f, p, m): drift and the waves of each frequency ``hz`` (f,) on the fit's own grid
    of m points, ``fold`` samples each from sample ``start`` on; ``waves`` (f, p - 3, n): the waves
    alone at the sweep's rate. No frequency where the sweep is too short or needs none of this.
    """

    start: int
    fold: int
    hz: FloatArray
    basis: FloatArray
    waves: FloatArray


def plan_hum(
    fs_hz: float, n_samples: int, search_start: int, mains_hz: tuple[float, ...], needed: bool
) -> HumFits:
    """Prepare the fits for sweeps of one shape.

    Args:
        fs_hz: sampling rate.
        n_samples: of a sweep.
        search_start: first sample after the last blanking.
        mains_hz: frequencies to try.
        needed: there is nothing before the stimulus.
    """
    fold = max(1, int(fs_hz // FIT_FS_HZ))
    start = search_start + int(START_MS * fs_hz / 1e3)
    points = max(0, (n_samples - start) // fold)
    t_s = np.arange(n_samples) / fs_hz
    frequencies, bases, all_waves = [], [], []
    for hz in mains_hz if needed else ():
        if points * fold / fs_hz < MIN_PERIODS / hz:
            continue
        # An order beyond the rate's half keeps its place, as nothing.
        phase = [2 * np.pi * hz * order * t_s * (hz * order < 0.45 * fs_hz) for order in ORDERS]
        heard = np.array([hz * order < 0.45 * fs_hz for order in ORDERS], dtype=np.float64)
        waves = np.concatenate([np.cos(phase) * heard[:, None], np.sin(phase) * heard[:, None]])
        seen = (
            waves[:, start : start + points * fold].reshape(len(waves), points, fold).mean(axis=2)
        )
        place = np.linspace(-1.0, 1.0, points)
        drift = np.stack([np.ones(points), place, place**2 - 1 / 3])
        frequencies.append(hz)
        bases.append(np.concatenate([drift, seen]))
        all_waves.append(waves)
    terms = 2 * len(ORDERS)
    return HumFits(
        start=start,
        fold=fold,
        hz=np.array(frequencies, dtype=np.float64),
        basis=np.ascontiguousarray(np.array(bases).reshape(-1, DRIFT_TERMS + terms, points)),
        waves=np.ascontiguousarray(np.array(all_waves).reshape(-1, terms, n_samples)),
    )


@njit(cache=True, fastmath=True)
def subtract_hum(x, hum, wanted_hz):  # type: ignore[no-untyped-def]
    """Take the hum off ``x`` (n,), in place, where there is some.

    Args:
        x: the sweep.
        hum: see :class:`HumFits`.
        wanted_hz: the frequency to take off, or a negative number for whichever explains more.
    """
    if hum.hz.size == 0:
        return
    terms, points = hum.basis.shape[1], hum.basis.shape[2]
    y = np.empty(points)
    for j in range(points):
        total = 0.0
        at = hum.start + j * hum.fold
        for i in range(at, at + hum.fold):
            total += x[i]
        y[j] = total / hum.fold
    # By plain least squares first, with a large response cut down to size: is there anything, and
    # at which frequency?
    least, chosen = np.inf, -1
    left = np.empty(points)
    weight = np.ones(points)
    scratch = np.empty(points)
    middle = noise.median(y)
    reach = CUT_SD * noise.robust_sd(y, scratch)
    cut = np.empty(points)
    for j in range(points):
        cut[j] = min(max(y[j], middle - reach), middle + reach)
    for f in range(hum.hz.size):
        if wanted_hz >= 0.0 and hum.hz[f] != wanted_hz:
            continue
        _weighted_fit(hum.basis[f], cut, weight, left)
        squares = _sum_of_squares(left)
        if squares < least:
            least, chosen = squares, f
    if chosen < 0:
        return
    _weighted_fit(hum.basis[chosen, :DRIFT_TERMS], cut, weight, left)
    if least > WORTH_SHARE * _sum_of_squares(left):
        return
    _weighted_fit(hum.basis[chosen, :DRIFT_TERMS], y, weight, left)
    without = _absolute_sd(left, scratch)
    basis = hum.basis[chosen]
    _weighted_fit(basis, y, weight, left)
    coefficients = np.zeros(terms)
    sd = 0.0
    for round_ in range(ABSOLUTE_ROUNDS + BIWEIGHT_ROUNDS):
        sd = _absolute_sd(left, scratch)
        if sd <= 0.0:
            break
        for j in range(points):
            if round_ < ABSOLUTE_ROUNDS:
                weight[j] = sd / max(scratch[j], 0.1 * sd)
            else:
                u = min(1.0, scratch[j] / (BIWEIGHT_SD * sd))
                weight[j] = (1.0 - u * u) * (1.0 - u * u)
        coefficients = _weighted_fit(basis, y, weight, left)
    if _absolute_sd(left, scratch) > LEFT_SHARE * without:
        return
    for p in range(hum.waves.shape[1]):
        a, wave = coefficients[DRIFT_TERMS + p], hum.waves[chosen, p]
        for i in range(x.size):
            x[i] -= a * wave[i]


@njit(cache=True, fastmath=True)
def _weighted_fit(basis, y, weight, left):  # type: ignore[no-untyped-def]
    """Coefficients (p,) of ``basis`` (p, m) in ``y`` (m,); what is left goes to ``left`` (m,)."""
    terms, points = basis.shape
    normal = np.empty((terms, terms))
    right = np.empty(terms)
    row = np.empty(points)
    for p in range(terms):
        for j in range(points):
            row[j] = weight[j] * basis[p, j]
        for q in range(p + 1):
            total = 0.0
            for j in range(points):
                total += row[j] * basis[q, j]
            normal[p, q] = total
        total = 0.0
        for j in range(points):
            total += row[j] * y[j]
        right[p] = total
        # A wave that the rate does not hold is all zeros.
        normal[p, p] += 1e-9 * points
    # Cholesky: lower triangle in place, then both substitutions.
    for p in range(terms):
        for q in range(p + 1):
            total = normal[p, q]
            for k in range(q):
                total -= normal[p, k] * normal[q, k]
            normal[p, q] = np.sqrt(max(total, 1e-12)) if p == q else total / normal[q, q]
    for p in range(terms):
        for k in range(p):
            right[p] -= normal[p, k] * right[k]
        right[p] /= normal[p, p]
    for p in range(terms - 1, -1, -1):
        for k in range(p + 1, terms):
            right[p] -= normal[k, p] * right[k]
        right[p] /= normal[p, p]
    for j in range(points):
        left[j] = y[j]
    for p in range(terms):
        for j in range(points):
            left[j] -= right[p] * basis[p, j]
    return right


@njit(cache=True)
def _absolute_sd(left, scratch):  # type: ignore[no-untyped-def]
    """Robust SD of residuals about zero; their sizes go to ``scratch``."""
    for j in range(left.size):
        scratch[j] = abs(left[j])
    return noise.MAD_TO_SD * noise.median(scratch)


@njit(cache=True, fastmath=True)
def _sum_of_squares(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in values:
        total += value * value
    return total
