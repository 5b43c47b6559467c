"""What the record notes that may explain a loss: a bolus, the pressure, a train-of-four."""

from __future__ import annotations

import re
from collections import deque

from monitor.track.evidence import Evidence

NOTED_FOR_S = 1800.0
SHOWN = 3

_SEPARATOR = "; "

_CONFOUNDERS = re.compile(
    r"\b("
    r"bolus(es)?|propofol|ketamine|etomidate|thiopental|midazolam|remifentanil|sufentanil|fentanyl|"
    r"dexmedetomidine|clonidine|lidocaine|magnesium|sevo\w*|desflurane|isoflurane|nitrous|n2o|gas|"
    r"\w*curonium|\w*curium|succinylcholine|suxamethonium|\w*relaxants?|sugammadex|neostigmine|"
    r"\w*ephrine|\w*adrenaline|ephedrine|vasopressin|"
    r"(tof|map|n?i?bp|abp|rr|hb|temp)\s*[\d=:<>]\S*|tof|train.of.four|map|n?i?bp|abp|\w*pressure|"
    r"hypotens\w*|hypertens\w*|hypoxi\w*|hypotherm\w*|bleed\w*|blood|temp|temperature|cool\w*|"
    r"position\w*|turn\w*|tourniquet"
    r")(?!\w)",
    re.IGNORECASE,
)


class Confounders:
    """The remarks of the last half hour that name something which may change all responses."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, str]] = deque()

    def take(self, at_s: float, text: str) -> bool:
        """An operator's remark; whether it is one that may explain a loss."""
        if _CONFOUNDERS.search(text) is None:
            return False
        self._noted.append((at_s, text))
        return True

    def at(self, at_s: float, trial: int) -> str:
        """The latest of them in words, newest first, as seen from a trial; empty without any.

        The words name the trial: an alarm that stands shows them long after.
        """
        if not self._noted:
            return ""
        while self._noted and self._noted[0][0] < at_s - NOTED_FOR_S:
            self._noted.popleft()
        latest = list(self._noted)[: -SHOWN - 1 : -1]
        return _SEPARATOR.join(
            f"{text} ({(at_s - then_s) / 60.0:.0f} min before trial {trial})"
            for then_s, text in latest
        )


def noted_after(evidence: Evidence, text: str) -> Evidence:
    """The evidence of an alarm with a remark that came after its latest trial."""
    before = [words for words in str(evidence.get("noted", "")).split(_SEPARATOR) if words]
    words = [f"{text} (after trial {evidence.get('latest_trial')})", *before]
    return {**evidence, "noted": _SEPARATOR.join(words[:SHOWN])}
