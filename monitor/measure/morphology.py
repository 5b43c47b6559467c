"""Phases of a response: deflections that cross the resting level and are large enough to count.

A phase has to reach a fifth of the largest deflection. A smaller share would count what no two
readers, and no two sweeps, agree on: in an ordinary sweep, whose response is ten times the noise,
an eighth of it is 1.2 SD, which noise makes and unmakes; a fifth is 2 SD and shows in the trace.
"""

from __future__ import annotations

from numba import njit

from monitor.types import Morphology

#: A phase counts from this share of the largest deflection ...
PHASE_SHARE = 0.20
#: ... and from so many noise SD.
PHASE_SD = 3.0


@njit(cache=True)
def count_phases(sweep_uv, level_uv, start, stop, limit_uv):  # type: ignore[no-untyped-def]
    """Significant phases of ``sweep_uv`` in [start, stop) about ``level_uv``.

    A zero crossing is significant where the deflections on both sides of it pass ``limit_uv``; the
    phases are one more than the significant crossings, 0 where nothing passes.
    """
    phases = 0
    side = 0
    for i in range(start, stop):
        value = sweep_uv[i] - level_uv
        now = 1 if value > limit_uv else (-1 if value < -limit_uv else 0)
        if now != 0 and now != side:
            phases += 1
            side = now
    return phases


def morphology_of(phases: int) -> Morphology | None:
    """Name of a shape with so many phases; None for none."""
    if phases <= 0:
        return None
    if phases == 1:
        return Morphology.MONOPHASIC
    return Morphology.BIPHASIC if phases == 2 else Morphology.POLYPHASIC
