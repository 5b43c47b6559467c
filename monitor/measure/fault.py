"""Sweeps that can't be measured at all, and why."""

from __future__ import annotations

import numpy as np
from numba import njit

from monitor.measure import noise
from monitor.measure.plan import SweepPlan
from monitor.types import FloatArray

#: Looked at is so much after the artefact: a response is over by then.
LOOKED_MS = 100.0
#: Equal samples at the extreme of a sweep, so many in a row, are clipping where the sweep comes
#: there at a corner. A smooth top that a converter rounded has none: it is a parabola that stays
#: within one step for as long as the run, so beside the run it lies lower by as many steps as the
#: square of the distance from its middle, over the run's half.
CUT_RUN = 3
#: So many times that, with an SD of the noise, which can level a top, added to the step, is a
#: corner: the mean of both sides, with this share of it on the lesser side.
CORNER_TIMES = 2.0
LESSER_SIDE = 0.5
#: In noise of so many steps equal neighbours at the extreme are no chance.
FINE_SD = 16.0
#: Looked at is half a run beside it, within these.
CORNER_SAMPLES = 2
CORNER_MS = 2.0
#: The tops of a response may be cut off: it is still seen to be there, and to be at least so large.
#: More at the extremes than this in all is an amplifier that is blocked.
CLIPPED_MS = 20.0
#: A quarter of the sweep at its extremes, in runs, is clipping whatever the noise: hum or cautery
#: over the whole epoch leaves no part to know the noise from. A range of so many steps of the
#: converter tells it from a quiet channel that is finer than its converter.
RAILED_SHARE = 0.25
RAILED_STEPS = 16
RAILED_RUN = 4
#: What lies within so many steps of where a quiet muscle rests is that rest, and no end of a range.
QUIET_STEPS = 4.0

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
    if max(at_low, at_high) < CUT_RUN:
        return _NONE
    sd = noise.robust_sd(before, np.empty(before.size))
    at_rest, step = noise.median(before), _least_step(rest)
    # Where a quiet muscle rests is no end of the range, however often its samples are equal.
    quiet = QUIET_STEPS * step if sd <= QUIET_STEPS * step else -1.0
    at_ends = at_low if abs(low - at_rest) > quiet else 0
    at_ends += at_high if abs(high - at_rest) > quiet else 0
    railed = at_ends >= RAILED_SHARE * rest.size
    farthest = int(CORNER_MS * frame.fs_hz / 1e3)
    if _is_cut(rest, low, step, sd, farthest) or _is_cut(rest, high, step, sd, farthest):
        blocked = railed or at_ends > CLIPPED_MS * frame.fs_hz / 1e3
        return _SATURATED if blocked else _CLIPPED
    return _SATURATED if railed and _is_railed(rest, low, high) else _NONE


@njit(cache=True)
def looked_at(x, frame):  # type: ignore[no-untyped-def]
    """The part of a sweep in which extremes are looked for."""
    return x[frame.search_start :][: int(LOOKED_MS * frame.fs_hz / 1e3) + 1]


@njit(cache=True)
def _least_step(rest):  # type: ignore[no-untyped-def]
    """The least that neighbours differ by: a step of the converter, or of the numbers."""
    step = np.inf
    for i in range(1, rest.size):
        change = abs(rest[i] - rest[i - 1])
        step = min(step, change if change > 0.0 else step)
    return step


@njit(cache=True)
def _is_cut(rest, extreme, step, sd, farthest):  # type: ignore[no-untyped-def]
    """Whether ``rest`` (n,) stays at its extreme and comes from there at a corner."""
    middle = noise.median(rest)
    # A muscle at rest stays where it is as well, under a converter coarser than its noise.
    if abs(extreme - middle) < QUIET_STEPS * step + sd:
        return False
    inward = 1.0 if extreme < middle else -1.0
    flat_uv = step + sd if sd < FINE_SD * step else step
    run = 0
    for i in range(rest.size + 1):
        if i < rest.size and rest[i] == extreme:
            run += 1
            continue
        if run >= CUT_RUN:
            away = max(CORNER_SAMPLES, min((run + 1) // 2, farthest))
            least_uv = CORNER_TIMES * flat_uv * (1.0 + 2.0 * away / (run - 1)) ** 2
            first, last = i - run - away, i - 1 + away
            # At an end of what is looked at, the other side alone tells.
            enters_uv = inward * (rest[first] - extreme) if first >= 0 else np.inf
            leaves_uv = inward * (rest[last] - extreme) if last < rest.size else np.inf
            lesser_uv = min(enters_uv, leaves_uv)
            both_uv = lesser_uv + max(enters_uv, leaves_uv)
            enough_uv = least_uv if both_uv == np.inf else LESSER_SIDE * least_uv
            if lesser_uv >= enough_uv and both_uv >= 2.0 * least_uv:
                return True
        run = 0
    return False


@njit(cache=True)
def _is_railed(rest, low, high):  # type: ignore[no-untyped-def]
    """Whether a sweep stays at either end of a range of many steps again and again."""
    if max(longest_run(rest, low), longest_run(rest, high)) < RAILED_RUN:
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
