"""Take the mains and the stimulus artefact out of sweeps, before any filter sees them.

The order matters: a filter smears an artefact of millivolts over the response, and a mains fit
that sees artefact or response takes part of them for mains (on a real recording with 120 uV of
hum: 14.8 uV of noise left with a fit over everything, under 2 uV with the response left out).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from monitor.measure import artefact, noise
from monitor.measure.hum import subtract_hum
from monitor.measure.plan import SweepPlan
from monitor.types import FloatArray

#: In place of a mains frequency.
WHICHEVER = -1.0


class Cleaned(NamedTuple):
    """Sweeps (k, n) float64 as measured, and what was found on the way, each (k,).

    ``noise_uv``: SD of the noise. ``tail``: ``artefact.NO_TAIL``, ``SUBTRACTED`` or
    ``UNEXPLAINED``; ``tail_uv``: its size at the end of the blanking.
    """

    sweeps_uv: FloatArray
    noise_uv: FloatArray
    tail: FloatArray
    tail_uv: FloatArray


def clean_sweeps(
    sweeps_uv: FloatArray, plan: SweepPlan, mains_hz: float | None = None
) -> FloatArray:
    """Subtract the mains, blank each pulse, set the resting level to 0: no model of any tail.

    Args:
        sweeps_uv: (k, n) in microvolts, finite.
        plan: where the pulses lie.
        mains_hz: 50 or 60; 0 to leave it; None to find it in each sweep.

    Returns:
        (k, n) float64, a new array. The level of the clean part around the stimulus is 0; nothing
        else is filtered.
    """
    return _cleaned(sweeps_uv, plan, mains_hz, False).sweeps_uv


def clean(sweeps_uv: FloatArray, plan: SweepPlan, mains_hz: float | None = None) -> Cleaned:
    """What is measured: :func:`clean_sweeps`, and the artefact's tail modelled and subtracted."""
    return _cleaned(sweeps_uv, plan, mains_hz, True)


def _cleaned(
    sweeps_uv: FloatArray, plan: SweepPlan, mains_hz: float | None, with_tail: bool
) -> Cleaned:
    out = np.array(sweeps_uv, dtype=np.float64, order="C")
    found = np.zeros((3, out.shape[0]))
    wanted = WHICHEVER if mains_hz is None else mains_hz
    _clean(out, plan.frame, plan.mains, plan.hum, plan.tail, wanted, with_tail, found)
    return Cleaned(out, *found)


@njit(cache=True)
def _clean(  # type: ignore[no-untyped-def]
    sweeps, frame, mains, hum, tail, mains_hz, with_tail, found
):
    scratch = np.empty(sweeps.shape[1])
    for k in range(sweeps.shape[0]):
        x = sweeps[k]
        # The mains first: a straight line drawn through hum would leave its mirror image once the
        # hum is subtracted. The fit does not see the artefact, so nothing is lost by the order.
        if mains_hz != 0.0:
            subtract_mains(x, mains, mains_hz, scratch)
            subtract_hum(x, hum, mains_hz)
        level = noise.median(x[frame.level_start : frame.noise_stop])
        found[0, k] = noise.resting_sd(x[frame.noise_start : frame.noise_stop], scratch)
        if with_tail:
            found[1, k], found[2, k] = artefact.subtract_tail(x, level, found[0, k], tail)
        artefact.blank(x, frame.blanks, frame.blank_reach)
        for i in range(x.size):
            x[i] -= level


@njit(cache=True, fastmath=True)
def subtract_mains(x, mains, mains_hz, scratch):  # type: ignore[no-untyped-def]
    """Fit drift and a mains frequency with its harmonics to the clean part; take the mains off.

    The bases are orthonormal, so a sum of squared coefficients is the energy that they explain and
    no residual has to be formed.

    Args:
        x: (n,), changed in place.
        mains: see ``plan.MainsFits``.
        mains_hz: the frequency to take off, or ``WHICHEVER`` explains more, if it is there at all.
        scratch: (n,), overwritten.
    """
    before, after, n = mains.before, mains.after, x.size
    count = before + n - after
    # About its own level: squares of an electrode's offset would drown those of the hum.
    level = 0.0
    for i in range(before):
        level += x[i]
    for i in range(after, n):
        level += x[i]
    level /= max(count, 1)
    rest = scratch[:count]
    for i in range(before):
        rest[i] = x[i] - level
    for i in range(n - after):
        rest[before + i] = x[after + i] - level
    # What is left once drift is explained is what the mains has to explain.
    for p in range(mains.drift.shape[0]):
        _add(rest, mains.drift[p], -_dot(mains.drift[p], rest))
    resting = _dot(rest, rest)
    best, chosen = -1.0, -1
    terms = mains.basis.shape[1]
    coefficients = np.zeros((mains.hz.size, terms))
    for f in range(mains.hz.size):
        if mains.hz[f] != mains_hz and mains_hz != WHICHEVER:
            continue
        explained = 0.0
        for p in range(terms):
            coefficients[f, p] = _dot(mains.basis[f, p], rest)
            explained += coefficients[f, p] ** 2
        if explained > best:
            best, chosen = explained, f
    if chosen < 0 or (mains_hz == WHICHEVER and best <= mains.min_share * resting):
        return
    hum = np.zeros(n)
    for p in range(terms):
        _add(hum, mains.waves[chosen, p], coefficients[chosen, p])
    if _helps(rest, hum, mains):
        for i in range(n):
            x[i] -= hum[i]


@njit(cache=True, fastmath=True)
def _helps(rest, hum, mains):  # type: ignore[no-untyped-def]
    """Whether taking ``hum`` (n,) off leaves less on both sides of the stimulus, each by itself.

    Mains is there before and after. A fit to a twitch on one side lowers the sum all the same, and
    would bring its mirror image to the other side and into the response.

    Args:
        rest: (m,) the clean part without drift.
        hum: (n,) what is to be taken off the sweep.
        mains: see ``plan.MainsFits``.
    """
    before = mains.before
    after = hum[mains.after :]
    return _gain(rest[:before], hum[:before]) >= 0.0 and _gain(rest[before:], after) >= 0.0


@njit(cache=True, fastmath=True)
def _gain(rest, hum):  # type: ignore[no-untyped-def]
    """Energy of ``rest`` (m,) less that of ``rest - hum``, each about its own straight line."""
    product, square, rests, hums, rising, humming = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    count = rest.size
    middle = 0.5 * (count - 1)
    for i in range(count):
        product += rest[i] * hum[i]
        square += hum[i] * hum[i]
        rests += rest[i]
        hums += hum[i]
        rising += (i - middle) * rest[i]
        humming += (i - middle) * hum[i]
    level, slope = max(count, 1), max(count * (count * count - 1.0) / 12.0, 1.0)
    product -= rests * hums / level + rising * humming / slope
    square -= hums * hums / level + humming * humming / slope
    return 2.0 * product - square


@njit(cache=True, fastmath=True)
def _add(total, values, weight):  # type: ignore[no-untyped-def]
    for i in range(total.size):
        total[i] += weight * values[i]


@njit(cache=True, fastmath=True)
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total
