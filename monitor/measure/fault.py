"""Sweeps that can't be measured at all, and why."""

from __future__ import annotations

import numpy as np
from numba import njit

from monitor.measure import noise
from monitor.measure.plan import SweepPlan
from monitor.types import FloatArray

#: So many equal samples at the extreme of a sweep, far outside the noise, are clipping.
CLIPPED_RUN = 4
CLIPPED_SD = 10.0
#: A quarter of the sweep at its extremes, in runs, is clipping whatever the noise: hum or cautery
#: over the whole epoch leaves no part to know the noise from. A range of so many steps of the
#: converter tells it from a quiet channel that is finer than its converter.
RAILED_SHARE = 0.25
RAILED_STEPS = 16


def faults_of(sweeps_uv: FloatArray, plan: SweepPlan) -> list[str]:
    """Why each of (k, n) sweeps can't be measured: "nan", "flat_line", "saturated"; or ""."""
    frame = plan.frame
    rest = sweeps_uv[:, frame.search_start :]
    low, high = rest.min(axis=1), rest.max(axis=1)
    finite = np.logical_and.reduce(np.isfinite(sweeps_uv), axis=1).tolist()
    # Whole arrays first, in numpy's own loops; what they single out is looked at in turn.
    level = np.equal(low, high).tolist()
    at_low = np.count_nonzero(rest == low[:, None], axis=1)
    at_high = np.count_nonzero(rest == high[:, None], axis=1)
    many = np.greater_equal(np.maximum(at_low, at_high), CLIPPED_RUN).tolist()
    railed = np.greater_equal(at_low + at_high, RAILED_SHARE * rest.shape[1]).tolist()
    faults = []
    for k, sweep in enumerate(sweeps_uv):
        fault = ""
        if not finite[k]:
            fault = "nan"
        elif level[k] and np.ptp(sweep[frame.noise_start : frame.noise_stop]) == 0.0:
            fault = "flat_line"
        elif many[k] and (_clipped(sweep, frame) or (railed[k] and _is_railed(rest[k]))):
            fault = "saturated"
        faults.append(fault)
    return faults


@njit(cache=True)
def _clipped(x, frame):  # type: ignore[no-untyped-def]
    """Whether ``x`` (n,) stays at one of its extremes, far outside the noise."""
    scratch = np.empty(x.size)
    rest = x[frame.search_start :]
    sd = noise.robust_sd(x[frame.noise_start : frame.noise_stop], scratch)
    middle = noise.median(rest)
    for extreme in (rest.min(), rest.max()):
        far = abs(extreme - middle) > CLIPPED_SD * max(sd, 1e-9)
        if far and longest_run(rest, extreme) >= CLIPPED_RUN:
            return True
    return False


def _is_railed(rest: FloatArray) -> bool:
    """Whether a sweep stays at either end of a range of many steps again and again."""
    levels = np.unique(rest)
    low, high = levels[0], levels[-1]
    if high - low < RAILED_STEPS * np.diff(levels).min(initial=np.inf):
        return False
    return bool(max(longest_run(rest, low), longest_run(rest, high)) >= CLIPPED_RUN)


@njit(cache=True)
def longest_run(values, level):  # type: ignore[no-untyped-def]
    """Most samples in a row that equal ``level``."""
    longest = 0
    run = 0
    for value in values:
        run = run + 1 if value == level else 0
        longest = max(longest, run)
    return longest
