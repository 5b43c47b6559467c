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


FAULTS = ("", "nan", "flat_line", "saturated")
_NONE, _NAN, _FLAT, _SATURATED = range(len(FAULTS))


def faults_of(sweeps_uv: FloatArray, plan: SweepPlan) -> list[str]:
    """Why each of (k, n) sweeps can't be measured: one of :data:`FAULTS`, "" for no reason."""
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
    rest = x[frame.search_start :]
    low, high = noise.extremes(rest)
    if low == high:
        if noise.extent(x[frame.noise_start : frame.noise_stop]) == 0.0:
            return _FLAT
    at_low = at_high = 0
    for value in rest:
        at_low += 1 if value == low else 0
        at_high += 1 if value == high else 0
    if max(at_low, at_high) >= CLIPPED_RUN and _clipped(x, frame):
        return _SATURATED
    return _NONE


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


@njit(cache=True)
def longest_run(values, level):  # type: ignore[no-untyped-def]
    """Most samples in a row that equal ``level``."""
    longest = 0
    run = 0
    for value in values:
        run = run + 1 if value == level else 0
        longest = max(longest, run)
    return longest
