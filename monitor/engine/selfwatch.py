"""The technical conditions that belong to the engine itself: its record, its display, its markers.

Nothing here reads a clock or raises an alarm: notices go to the core, which owns every condition.
"""

from __future__ import annotations

from monitor.link import ReportReceivers
from monitor.types import AlarmKind, Notice

GATEWAY_LOST_S = 2.0
"""A display process that is away for longer is missed; a restart of it takes less."""

MARKERS_WITHOUT_A_STIMULUS = 5
"""So many markers and never a stimulus: the pattern is probably wrong, and somebody must know."""

_SHOWN_TEXTS = 6


class SelfWatch:
    """Turns what the engine sees of itself into notices, once per change."""

    def __init__(self) -> None:
        self._standing: set[AlarmKind] = set()
        self._receiver_seen = False
        self._receiver_left: float | None = None
        self._markers_ended = False
        self._receivers: tuple[str, ...] = ()
        self._lost: tuple[str, ...] = ()

    def look(
        self, now: float, case_s: float, record_fault: str, receivers: int, awaited: bool
    ) -> list[Notice]:
        """Record and display. ``now``: seconds on a steady clock; ``record_fault`` "": none."""
        notices = self._turn(AlarmKind.RECORDING_FAULT, bool(record_fault), case_s, record_fault)
        if receivers:
            self._receiver_seen = True
            self._receiver_left = None
        elif self._receiver_left is None:
            self._receiver_left = now
        away_s = 0.0 if self._receiver_left is None else now - self._receiver_left
        lost = awaited and self._receiver_seen and away_s > GATEWAY_LOST_S
        return notices + self._turn(
            AlarmKind.GATEWAY_LOST, lost, case_s, "the display process is gone"
        )

    def receivers(self, report: ReportReceivers) -> tuple[str, ...]:
        """What a gateway reports; the receivers that the gateway before it knew.

        :meth:`receivers_lost` then says what to make of it.
        """
        if not report.fresh:
            self._receivers, self._lost = report.known, report.lost
        return self._receivers

    def receivers_lost(self, case_s: float) -> Notice:
        """One condition for all of them; the same again changes nothing in the core."""
        more = len(self._lost) - _SHOWN_TEXTS
        shown = ", ".join(self._lost[:_SHOWN_TEXTS]) + (f" and {more} more" if more > 0 else "")
        message = f"no longer confirmed by: {shown}" if self._lost else ""
        return Notice(AlarmKind.RECEIVER_LOST, bool(self._lost), case_s, message=message)

    def markers(
        self, case_s: float, matched: int, seen: dict[str, int], *, ended: bool = False
    ) -> list[Notice]:
        """Markers come and none of them is a stimulus; ``ended``: and no more will ever come."""
        self._markers_ended |= ended
        enough = 0 if self._markers_ended else MARKERS_WITHOUT_A_STIMULUS
        unmatched = matched == 0 and sum(seen.values()) >= enough
        message = "there were no markers"
        if seen:
            message = f"stimulus.pattern matches none of the markers: {marker_texts(seen)}"
        # A marker stream that is gone is the same kind, and another matter.
        return self._turn(AlarmKind.STIMULUS_MISSING, unmatched, case_s, message, "pattern")

    def _turn(
        self, kind: AlarmKind, active: bool, case_s: float, message: str, cause: str = ""
    ) -> list[Notice]:
        if active == (kind in self._standing):
            return []
        if active:
            self._standing.add(kind)
        else:
            self._standing.remove(kind)
        return [Notice(kind, active, case_s, message=message if active else "", cause=cause)]


def marker_texts(seen: dict[str, int]) -> str:
    """The markers that there were, most frequent first, as a person would list them."""
    ranked = sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ", ".join(f"'{text}' x {count}" for text, count in ranked[:_SHOWN_TEXTS])
    return shown + (", ..." if len(ranked) > _SHOWN_TEXTS else "")
