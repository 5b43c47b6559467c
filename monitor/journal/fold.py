"""A journal's events folded into the case as it stands: trials, alarms, baselines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from monitor.journal.database import EventRow

Body = dict[str, Any]

_NOT_FINGERPRINTED = ("timing", "waveform")


@dataclass(slots=True)
class CaseFold:
    """What the events say, oldest first.

    ``alarms`` and ``baselines`` hold the latest word of each id and (setting, channel); the
    histories hold every word, as the fingerprint needs it.
    """

    trials: list[Body] = field(default_factory=list)
    alarms: dict[int, Body] = field(default_factory=dict)
    baselines: dict[tuple[str, str], Body] = field(default_factory=dict)
    annotations: list[Body] = field(default_factory=list)
    status: Body | None = None
    last_seq: int = 0
    alarm_history: list[Body] = field(default_factory=list)
    baseline_history: list[Body] = field(default_factory=list)


def fold(events: Iterable[EventRow]) -> CaseFold:
    """Fold events, which must come in the order of their ``seq``."""
    case = CaseFold()
    for row in events:
        body: Body = msgspec.json.decode(row.body)
        case.last_seq = row.seq
        match row.type:
            case "trial":
                case.trials.append(body)
            case "alarm":
                case.alarms[body["id"]] = body
                case.alarm_history.append(body)
            case "baseline":
                case.baselines[body["setting"], body["channel"]] = body
                case.baseline_history.append(body)
            case "annotation":
                case.annotations.append(body)
            case "status":
                case.status = body
    return case


def fingerprint(case: CaseFold) -> str:
    """SHA-256 over trials, baselines and physiological alarms, in their order, every change.

    Left out: ``timing`` and where the waveform lies (``t`` and ``seq`` are not in a body). Alarms
    are numbered by their first appearance: how many technical ones came between is no result.
    """
    numbers: dict[int, int] = {}
    alarms = [
        {**_bare(body), "id": numbers.setdefault(body["id"], len(numbers) + 1)}
        for body in case.alarm_history
        if body["class"] == "physiological"
    ]
    record = {
        "trials": [_bare(body) for body in case.trials],
        "baselines": [
            {**_bare(body), "overrode": [numbers.get(id_) for id_ in body.get("overrode", ())]}
            for body in case.baseline_history
        ],
        "alarms": alarms,
    }
    return hashlib.sha256(msgspec.json.encode(record, order="deterministic")).hexdigest()


def _bare(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in _NOT_FINGERPRINTED}
