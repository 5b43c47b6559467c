"""From markers to stimuli: which markers are one, and what they say of it. PURE."""

from __future__ import annotations

import math
import re
from collections import OrderedDict

from monitor.config import StimulusSection
from monitor.types import AlarmKind, Marker, Notice, Stimulus

SEEN_LIMIT = 64
OTHERS = "(others)"
_LABEL_LENGTH = 80
_DUPLICATES_REMEMBERED = 256


class StimulusReader:
    """Finds the stimuli among the markers.

    Attributes:
        seen_markers: how often each marker text came, for telling a person why a pattern matches
            nothing; bounded: texts after the first 64 count under ``(others)``.
        matched: stimuli found, duplicates left out; a pulse that its train's other markers made
            part of it is taken off again by whoever joins them.
        duplicates: stimulus markers with the stamp of an earlier one.
    """

    def __init__(self, section: StimulusSection) -> None:
        self._pattern = re.compile(section.pattern)
        self._offset_s = section.offset_ms / 1000.0
        self._pulses_ms = section.pulses_ms
        self._recent: OrderedDict[tuple[float, str], None] = OrderedDict()
        self._intensity_unreadable = False
        self.seen_markers: dict[str, int] = {}
        self.matched = 0
        self.duplicates = 0

    def read(
        self, marker: Marker, correction_s: float, at_s: float
    ) -> tuple[Stimulus | None, Notice | None]:
        """Read one marker.

        Args:
            marker: as it came.
            correction_s: from the marker's clock to the signal's.
            at_s: case time, for the notice.

        Returns:
            The stimulus, if the marker is one and its first copy; and a notice where the text of
            its intensity turned out not to be a number (``not_comparable``: the stimulus stands,
            without an intensity), or is one again.
        """
        text = str(marker.value)
        self._count(text)
        match = self._pattern.search(text)
        if match is None:
            return None, None
        if self._is_duplicate(marker.t_lsl, correction_s, text):
            self.duplicates += 1
            return None, None
        self.matched += 1
        groups = match.groupdict()
        intensity, notice = self._intensity(groups.get("intensity"), text, at_s)
        stimulus = Stimulus(
            t_lsl=marker.t_lsl + correction_s + self._offset_s,
            marker=text,
            setting=groups.get("setting") or "default",
            intensity=intensity,
            pulses_ms=self._pulses_ms,
        )
        return stimulus, notice

    def triggered(self, t_lsl: float) -> Stimulus:
        """The stimulus that an edge of the trigger column at ``t_lsl`` stands for."""
        self.matched += 1
        return Stimulus(t_lsl + self._offset_s, "trigger", pulses_ms=self._pulses_ms)

    def _count(self, text: str) -> None:
        label = text[:_LABEL_LENGTH]
        if label not in self.seen_markers and len(self.seen_markers) >= SEEN_LIMIT:
            label = OTHERS
        self.seen_markers[label] = self.seen_markers.get(label, 0) + 1

    def _is_duplicate(self, t_lsl: float, correction_s: float, text: str) -> bool:
        """Sent again (same stamp and text, whatever the clocks say now), or said twice at once."""
        keys = (t_lsl, text), (t_lsl + correction_s, "")
        if any(key in self._recent for key in keys):
            return True
        for key in keys:
            self._recent[key] = None
            if len(self._recent) > 2 * _DUPLICATES_REMEMBERED:
                self._recent.popitem(last=False)
        return False

    def _intensity(
        self, written: str | None, text: str, at_s: float
    ) -> tuple[float | None, Notice | None]:
        if written is None:
            return None, None
        try:
            value = float(written)
        except ValueError:
            value = math.nan
        readable = math.isfinite(value)
        notice = None
        if readable is self._intensity_unreadable:
            self._intensity_unreadable = not readable
            message = "" if readable else f"marker '{text}': intensity '{written}' is not a number"
            notice = Notice(AlarmKind.NOT_COMPARABLE, not readable, at_s, message=message)
        return (value if readable else None), notice
