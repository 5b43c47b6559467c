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

_REASONS = ("", "nan", "flat_line", "saturated")
_NONE, _NAN, _FLAT, _SATURATED = range(4)


def faults_of(sweeps_uv: FloatArray, plan: SweepPlan) -> list[str]:
    """Why each of (k, n) sweeps can't be measured: "nan", "flat_line", "saturated"; or ""."""
    return [_REASONS[code] for code in _faults(sweeps_uv, plan.frame)]


@njit(cache=True)
def _faults(sweeps, frame):  # type: ignore[no-untyped-def]
    codes = np.zeros(sweeps.shape[0], dtype=np.int64)
    scratch = np.empty(sweeps.shape[1])
    for k in range(sweeps.shape[0]):
        x = sweeps[k]
        # One sum finds every NaN and infinity: neither can be cancelled.
        if not np.isfinite(np.sum(np.abs(x))):
            codes[k] = _NAN
            continue
        rest = x[frame.search_start :]
        before = x[frame.noise_start : frame.noise_stop]
        low, high = rest.min(), rest.max()
        if low == high and before.min() == before.max():
            codes[k] = _FLAT
            continue
        for extreme in (low, high):
            if longest_run(rest, extreme) >= CLIPPED_RUN:
                away = abs(extreme - noise.median(rest, scratch))
                if away > CLIPPED_SD * max(noise.robust_sd(before, scratch), 1e-9):
                    codes[k] = _SATURATED
    return codes


@njit(cache=True)
def longest_run(values, level):  # type: ignore[no-untyped-def]
    """Most samples in a row that equal ``level``."""
    longest = 0
    run = 0
    for value in values:
        run = run + 1 if value == level else 0
        longest = max(longest, run)
    return longest
