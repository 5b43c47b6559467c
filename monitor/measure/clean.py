"""Take the stimulus artefact and the mains out of sweeps, before any filter sees them.

The order matters: a filter smears an artefact of millivolts over the response, and a mains fit
that sees artefact or response takes part of them for mains (on a real recording with 120 uV of
hum: 14.8 uV of noise left with a fit over everything, under 2 uV with the response left out).
"""

from __future__ import annotations

import numpy as np

from monitor.measure.plan import MainsFit, SweepPlan
from monitor.types import FloatArray


def clean_sweeps(
    sweeps_uv: FloatArray, plan: SweepPlan, mains_hz: float | None = None
) -> FloatArray:
    """Subtract the mains, blank each pulse's artefact and set the resting level to 0.

    Args:
        sweeps_uv: (k, n) in microvolts, finite.
        plan: where the pulses lie.
        mains_hz: 50 or 60; 0 to leave it; None to find it in each sweep.

    Returns:
        (k, n) float64, a new array. The level of the clean part around the stimulus is 0; nothing
        else is filtered.
    """
    out = np.array(sweeps_uv, dtype=np.float64, order="C")
    # The mains first: a straight line drawn through hum would leave its mirror image once the hum
    # is subtracted. The fit does not see the artefact, so nothing is lost by the order.
    if mains_hz != 0.0:
        _subtract_mains(out, plan, mains_hz)
    blank_artefacts(out, plan)
    start, stop = plan.noise
    level_start = max(start, stop - int(0.05 * plan.fs_hz)) if plan.noise_source == "pre" else start
    out -= np.median(out[:, level_start:stop], axis=1, keepdims=True)
    return out


def blank_artefacts(sweeps_uv: FloatArray, plan: SweepPlan) -> None:
    """Replace each pulse's artefact by a straight line between its edges, in place."""
    reach = max(1, int(0.4e-3 * plan.fs_hz))
    n = plan.n_samples
    for start, stop in plan.blanks:
        after = sweeps_uv[:, stop : min(n, stop + reach)]
        before = sweeps_uv[:, max(0, start - reach) : start]
        if after.shape[1] == 0 and before.shape[1] == 0:
            continue
        right = after.mean(axis=1) if after.shape[1] else before.mean(axis=1)
        left = before.mean(axis=1) if before.shape[1] else right
        slope = np.linspace(0.0, 1.0, stop - start)
        sweeps_uv[:, start:stop] = left[:, None] + (right - left)[:, None] * slope


def _subtract_mains(sweeps_uv: FloatArray, plan: SweepPlan, mains_hz: float | None) -> None:
    fits = [fit for fit in plan.mains if mains_hz is None or fit.mains_hz == mains_hz]
    if not fits:
        return
    observed = sweeps_uv[:, plan.clean]
    # What is left once drift is explained is what the mains has to explain.
    resting = observed - (observed @ plan.drift_project.T) @ plan.drift_basis
    variance = np.einsum("ij,ij->i", resting, resting)
    best: list[tuple[FloatArray, FloatArray, MainsFit]] = []
    for fit in fits:
        coefficients = observed @ fit.project.T
        left = observed - coefficients @ fit.basis
        best.append((coefficients, np.einsum("ij,ij->i", left, left), fit))
    remains = np.stack([left for _, left, _ in best])
    choice = np.argmin(remains, axis=0)
    drift_terms = plan.drift_basis.shape[0]
    for index, (coefficients, left, fit) in enumerate(best):
        take = choice == index
        if mains_hz is None:
            take &= left < (1.0 - fit.min_share) * variance
        if take.any():
            sweeps_uv[take] -= coefficients[take][:, drift_terms:] @ fit.waves
