"""Events folded into a case, and its fingerprint."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.journal.database import EventRow
from monitor.journal.fold import fingerprint, fold


def rows(*events: tuple[str, dict[str, Any]]) -> list[EventRow]:
    return [
        EventRow(seq, f"t{seq}", kind, msgspec.json.encode(body))
        for seq, (kind, body) in enumerate(events, 1)
    ]


def alarm(number: int, state: str, kind: str = "physiological", **more: Any) -> tuple[str, Any]:
    return "alarm", {"id": number, "class": kind, "state": state, "timing": {"raised": 1.0}, **more}


def trial(number: int, **more: Any) -> tuple[str, Any]:
    return "trial", {"trial": number, "timing": {"measured": 1.0}, "waveform": None, **more}


def baseline(amplitude_uv: float) -> tuple[str, Any]:
    return "baseline", {"setting": "s", "channel": "c", "amplitude_uv": amplitude_uv}


def test_the_latest_word_stands_and_every_word_is_kept() -> None:
    case = fold(
        rows(
            trial(1),
            baseline(1.0),
            alarm(1, "unconfirmed"),
            baseline(2.0),
            alarm(1, "active"),
            ("annotation", {"text": "incision"}),
            ("status", {"state": "running"}),
            ("status", {"state": "ended"}),
        )
    )
    assert [t["trial"] for t in case.trials] == [1]
    assert case.alarms[1]["state"] == "active"
    assert [a["state"] for a in case.alarm_history] == ["unconfirmed", "active"]
    assert case.baselines["s", "c"]["amplitude_uv"] == 2.0
    assert len(case.baseline_history) == 2
    assert case.annotations == [{"text": "incision"}]
    assert case.status == {"state": "ended"}
    assert case.last_seq == 8


def of(*events: tuple[str, dict[str, Any]]) -> str:
    return fingerprint(fold(rows(*events)))


BASE = (trial(1, x=1.5), baseline(1.0), alarm(4, "active"))


def test_it_does_not_depend_on_time_seq_or_where_epochs_lie() -> None:
    later = ("trial", {**BASE[0][1], "timing": {"measured": 9.0}, "waveform": {"offset": 5}})
    assert of(*BASE) == of(("status", {"state": "running"}), later, *BASE[1:])


def test_it_does_not_depend_on_technical_alarms_or_how_many_ids_they_took() -> None:
    technical = alarm(1, "active", "technical")
    assert of(*BASE) == of(technical, BASE[0], BASE[1], alarm(9, "active"))


@pytest.mark.parametrize(
    "changed",
    [
        (trial(1, x=1.5000001), *BASE[1:]),
        (BASE[0], baseline(1.1), BASE[2]),
        (BASE[0], BASE[1], alarm(4, "latched")),
        (*BASE, alarm(4, "resolved")),
        (*BASE, alarm(5, "active")),
        BASE[1:],
    ],
)
def test_it_changes_with_every_result(changed) -> None:
    assert of(*BASE) != of(*changed)


def test_it_tells_one_alarm_twice_from_two_alarms() -> None:
    assert of(alarm(1, "active"), alarm(1, "active")) != of(alarm(1, "active"), alarm(2, "active"))
