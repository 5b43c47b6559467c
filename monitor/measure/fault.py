"""Sweeps that can't be measured at all, and why."""

from __future__ import annotations

import numpy as np
from numba import njit

from monitor.measure import noise
from monitor.measure.plan import SweepPlan
from monitor.types import FloatArray

#: Looked at is so much after the artefact: a response is over by then.
LOOKED_MS = 100.0
#: So many equal samples in a row at the extreme of a sweep, far outside the noise, are clipping.
CLIPPED_RUN = 4
CLIPPED_SD = 10.0
#: So are so many at it in all, some of them in a row, that the next part of the range, of this
#: share of it, has far fewer, where the range is many steps of the converter: a peak that was not
#: cut off has its samples on the way there.
CUT_SAMPLES = 4
CUT_RUN = 2
CUT_NEXT_SHARE = 0.05
CUT_TIMES = 1.5
CUT_STEPS = 64
#: In a range of so many steps even a smooth peak has no two samples at its extreme, not to say
#: three.
FINE_STEPS = 8192
FINE_RUN = 3
#: The tops of a response may be cut off: it is still seen to be there, and to be at least so large.
#: More at the extremes than this in all is an amplifier that is blocked.
CLIPPED_MS = 20.0
#: A quarter of the sweep at its extremes, in runs, is clipping whatever the noise: hum or cautery
#: over the whole epoch leaves no part to know the noise from. A range of so many steps of the
#: converter tells it from a quiet channel that is finer than its converter.
RAILED_SHARE = 0.25
RAILED_STEPS = 16

#: "clipped" can be measured, for what is left of it; the others can't.
CLIPPED = "clipped"
FAULTS = ("", "nan", "flat_line", "saturated", CLIPPED)
_NONE, _NAN, _FLAT, _SATURATED, _CLIPPED = range(len(FAULTS))


def faults_of(sweeps_uv: FloatArray, plan: SweepPlan) -> list[str]:
    """What is wrong with each of (k, n) sweeps: one of :data:`FAULTS`, "" for nothing."""
    found = np.empty(sweeps_uv.shape[0], np.int64)
    _find(np.ascontiguousarray(sweeps_uv), plan.frame, found)
    return [FAULTS[fault] for fault in found.tolist()]


@njit(cache=True)
def _find(sweeps, frame, found):  # type: ignore[no-untyped-def]
    for k in range(sweeps.shape[0]):
        found[k] = _fault(sweeps[k], frame)


@njit(cache=True)
def _fault(x, frame):  # type: ignore[no-untyped-def]
    missing = 0
    # Without a way out, several samples are looked at together.
    for value in x:
        missing += 0 if np.isfinite(value) else 1
    if missing:
        return _NAN
    rest = looked_at(x, frame)
    before = x[frame.noise_start : frame.noise_stop]
    low, high = noise.extremes(rest)
    if low == high:
        # An electrode that was lost before the stimulus, or a quiet one under one converter step?
        same = 0
        for value in before:
            same += 1 if value == low else 0
        return _FLAT if same == before.size or 2 * same < before.size else _NONE
    at_low = at_high = 0
    for value in rest:
        at_low += 1 if value == low else 0
        at_high += 1 if value == high else 0
    if max(at_low, at_high) < min(CUT_SAMPLES, FINE_RUN):
        return _NONE
    railed = at_low + at_high >= RAILED_SHARE * rest.size
    if _clipped(rest, before, low, high) or _cut(rest, low, high):
        blocked = railed or at_low + at_high > CLIPPED_MS * frame.fs_hz / 1e3
        return _SATURATED if blocked else _CLIPPED
    return _SATURATED if railed and _is_railed(rest, low, high) else _NONE


@njit(cache=True)
def looked_at(x, frame):  # type: ignore[no-untyped-def]
    """The part of a sweep in which extremes are looked for."""
    return x[frame.search_start :][: int(LOOKED_MS * frame.fs_hz / 1e3) + 1]


@njit(cache=True)
def _clipped(rest, before, low, high):  # type: ignore[no-untyped-def]
    """Whether ``rest`` (n,) stays at one of its extremes, far outside the noise of ``before``."""
    sd = noise.robust_sd(before, np.empty(before.size))
    middle = noise.median(rest)
    for extreme in (low, high):
        far = abs(extreme - middle) > CLIPPED_SD * max(sd, 1e-9)
        if far and longest_run(rest, extreme) >= CLIPPED_RUN:
            return True
    return False


@njit(cache=True)
def _cut(rest, low, high):  # type: ignore[no-untyped-def]
    """Whether samples of ``rest`` (n,) crowd at one of its extremes and not on the way there."""
    span = high - low
    # The least that neighbours differ by is a step of the converter, or of the numbers themselves.
    step = span
    for i in range(1, rest.size):
        change = abs(rest[i] - rest[i - 1])
        step = min(step, change if change > 0.0 else step)
    for extreme in (low, high):
        at = near = 0
        for value in rest:
            away = abs(value - extreme)
            at += 1 if away == 0.0 else 0
            near += 1 if 0.0 < away <= CUT_NEXT_SHARE * span else 0
        crowded = at >= CUT_SAMPLES and at >= CUT_TIMES * near and span >= CUT_STEPS * step
        run = longest_run(rest, extreme) if at >= FINE_RUN else 0
        if (crowded and run >= CUT_RUN) or (span >= FINE_STEPS * step and run >= FINE_RUN):
            return True
    return False


@njit(cache=True)
def _is_railed(rest, low, high):  # type: ignore[no-untyped-def]
    """Whether a sweep stays at either end of a range of many steps again and again."""
    if max(longest_run(rest, low), longest_run(rest, high)) < CLIPPED_RUN:
        return False
    levels = np.sort(rest)
    step = np.inf
    for i in range(1, levels.size):
        if levels[i] > levels[i - 1]:
            step = min(step, levels[i] - levels[i - 1])
    return high - low >= RAILED_STEPS * step


@njit(cache=True)
def longest_run(values, level):  # type: ignore[no-untyped-def]
    """Most samples in a row that equal ``level``."""
    longest = 0
    run = 0
    for value in values:
        run = run + 1 if value == level else 0
        longest = max(longest, run)
    return longest
