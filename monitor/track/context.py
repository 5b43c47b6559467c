"""What the record notes that may explain a loss: a bolus, the pressure, a train-of-four."""

from __future__ import annotations

import re
from collections import deque

NOTED_FOR_S = 1800.0
SHOWN = 3

_CONFOUNDERS = re.compile(
    r"\b(bolus|propofol|ketamine|remifentanil|sevo\w*|desflurane|isoflurane|gas|rocuronium|"
    r"vecuronium|relaxant|tof|train.of.four|map|pressure|hypotens\w*|bleed\w*|temp\w*|cool\w*|"
    r"position\w*|turn\w*)\b",
    re.IGNORECASE,
)


class Confounders:
    """The remarks of the last half hour that name something which may change all responses."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, str]] = deque()

    def take(self, at_s: float, text: str) -> None:
        """An operator's remark."""
        if _CONFOUNDERS.search(text):
            self._noted.append((at_s, text))

    def at(self, at_s: float) -> str:
        """The latest of them in words, newest first; empty where there are none."""
        if not self._noted:
            return ""
        while self._noted and self._noted[0][0] < at_s - NOTED_FOR_S:
            self._noted.popleft()
        latest = list(self._noted)[: -SHOWN - 1 : -1]
        return "; ".join(
            f"{text} ({(at_s - then_s) / 60.0:.0f} min before)" for then_s, text in latest
        )
