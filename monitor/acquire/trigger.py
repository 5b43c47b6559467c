"""A trigger column of the signal: its rising edges are stimuli. PURE."""

from __future__ import annotations

import numpy as np

from monitor.types import Float32Array


class TriggerReader:
    """Finds rising edges in a TTL column.

    An edge counts once the column has stayed at or above the threshold for the minimum width; a
    column that is high from the start on, or after a gap, shows no edge. NaN is low.

    Args:
        threshold: in the column's own values.
        min_width: samples, at least 1.
    """

    def __init__(self, threshold: float, min_width: int) -> None:
        self._threshold = threshold
        self._min_width = max(1, min_width)
        self._was_high = True
        self._rise: int | None = None  # an edge that is not yet wide enough

    def reset(self) -> None:
        """The signal was interrupted: what comes next does not follow on what was."""
        self._was_high = True
        self._rise = None

    def read(self, values: Float32Array, first: int) -> list[int]:
        """Take the next samples (n,), of which the first has the counter ``first``.

        Returns:
            The counters of the edges that are now known to be wide enough: each the first sample
            at or above the threshold.
        """
        high = values >= self._threshold
        changes = np.flatnonzero(high != np.concatenate(([self._was_high], high[:-1])))
        edges = []
        for at in changes.tolist():
            if high[at]:
                self._rise = first + at
            elif self._rise is not None:
                if first + at - self._rise >= self._min_width:
                    edges.append(self._rise)
                self._rise = None
        if len(high):
            self._was_high = bool(high[-1])
        if self._rise is not None and first + len(high) - self._rise >= self._min_width:
            edges.append(self._rise)
            self._rise = None
        return edges
