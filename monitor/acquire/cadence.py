"""Finds stimuli that no longer come although a cadence is configured, from ticks alone. PURE."""

from __future__ import annotations

import math

from monitor.types import AlarmKind, Notice

#: Overdue is a stimulus after so many times the usual interval, and so long on top: for markers
#: that travel and for a stimulator that is triggered by hand.
LATE_INTERVALS = 1.5
LATE_S = 0.5


class CadenceWatch:
    """Raises ``stimulus_missing`` where the stimuli stop, once the first has come or is due.

    Args:
        cadence_s: usual time between stimuli; 0 watches nothing.
    """

    def __init__(self, cadence_s: float) -> None:
        self._cadence_s = cadence_s
        self._limit_s = LATE_INTERVALS * cadence_s + LATE_S
        self._latest_lsl = -math.inf
        self._missing = False

    def begin(self, now_lsl: float) -> None:
        """From now on the first is due: nothing else would tell that none ever comes."""
        if self._latest_lsl == -math.inf:
            self._latest_lsl = now_lsl

    def stimulus(self, t_lsl: float, at_s: float) -> Notice | None:
        """A stimulus came; ``t_lsl`` on the machine's clock, ``at_s`` case time."""
        self._latest_lsl = max(self._latest_lsl, t_lsl)
        if not self._missing:
            return None
        self._missing = False
        message = "stimuli come again"
        return Notice(AlarmKind.STIMULUS_MISSING, False, at_s, message=message, cause="cadence")

    def tick(self, now_lsl: float, at_s: float) -> Notice | None:
        """Time passed."""
        # One with a stamp far ahead counts as of now, or it would silence this for as long.
        self._latest_lsl = min(self._latest_lsl, now_lsl)
        overdue_s = now_lsl - self._latest_lsl
        if not self._cadence_s or self._missing or not self._limit_s < overdue_s < math.inf:
            return None
        self._missing = True
        message = (
            f"no stimulus for {overdue_s:.1f} s; one every {self._cadence_s:g} s is usual "
            "(stimulus.cadence_s)"
        )
        return Notice(AlarmKind.STIMULUS_MISSING, True, at_s, message=message, cause="cadence")
