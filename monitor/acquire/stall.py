"""Finds a signal that has stopped, from ticks alone. PURE."""

from __future__ import annotations

from monitor.types import AlarmKind, Notice

STALL_MIN_S = 0.25
STALL_INTERVALS = 3.0
FIRST_SAMPLE_WAIT_S = 2.0

# Weight of one arrival in the usual interval, and how many times the usual one it can count for at
# most: a backlog handed over in one piece is not a change of habit.
_WEIGHT = 0.05
_OUTLIER = 4.0


class StallWatch:
    """Raises ``signal_stalled`` after max(250 ms, 3 x the usual chunk interval) without samples.

    Chunks carry no time of arrival. What came between two ticks arrived together, when its newest
    sample was stamped, as far as that lies between these ticks: however a replay cuts it into
    chunks, the usual interval is that of the arrivals.

    Attributes:
        stalled: whether a stall stands.
    """

    def __init__(self) -> None:
        self._interval_s: float | None = None
        self._arrived_lsl: float | None = None
        self._unplaced_lsl: float | None = None
        self._ticked_lsl: float | None = None
        self._came_s = 0.0  # signal that came since the last tick
        self.stalled = False

    @property
    def limit_s(self) -> float:
        """Silence in s that counts as a stall."""
        if self._interval_s is None:
            return FIRST_SAMPLE_WAIT_S
        return max(STALL_MIN_S, STALL_INTERVALS * self._interval_s)

    def chunk(self, newest_lsl: float, duration_s: float, at_s: float) -> Notice | None:
        """Samples came.

        Args:
            newest_lsl: stamp of the newest one on the machine's clock.
            duration_s: length of the chunk.
            at_s: case time.

        Returns:
            The end of a stall, if there was one.
        """
        self._came_s += duration_s
        self._unplaced_lsl = newest_lsl
        if not self.stalled:
            return None
        self.stalled = False
        silent_s = (self._ticked_lsl or 0.0) - (self._arrived_lsl or 0.0)
        message = f"the signal is back after {silent_s:.2f} s"
        return Notice(AlarmKind.SIGNAL_STALLED, False, at_s, message=message)

    def tick(self, now_lsl: float, at_s: float) -> Notice | None:
        """Time passed: ``now_lsl`` on the machine's clock, ``at_s`` on the case's.

        Returns:
            The beginning of a stall, if this is one.
        """
        previous_lsl = now_lsl if self._ticked_lsl is None else self._ticked_lsl
        self._ticked_lsl = now_lsl
        if self._unplaced_lsl is not None:
            self._arrived_lsl = min(max(self._unplaced_lsl, previous_lsl), now_lsl)
            self._unplaced_lsl = None
            self._arrived_in_one(self._came_s)
            self._came_s = 0.0
        elif self._arrived_lsl is None:
            self._arrived_lsl = now_lsl  # the first tick: waiting begins
        silent_s = now_lsl - self._arrived_lsl
        if self.stalled or silent_s <= self.limit_s:
            return None
        self.stalled = True
        if self._interval_s is None:
            message = f"no samples have come in {silent_s:.2f} s"
        else:
            message = f"no samples for {silent_s:.2f} s"
        return Notice(AlarmKind.SIGNAL_STALLED, True, at_s, message=message)

    def _arrived_in_one(self, duration_s: float) -> None:
        if self._interval_s is None:
            self._interval_s = duration_s
            return
        counted_s = min(duration_s, _OUTLIER * self._interval_s)
        self._interval_s += _WEIGHT * (counted_s - self._interval_s)
