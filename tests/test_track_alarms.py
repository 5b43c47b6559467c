"""The book of all conditions: acknowledging, and conditions of another cause."""

from __future__ import annotations

import pytest

from monitor.config import TrackSection
from monitor.track.alarms import AlarmBook, CommandRefused
from monitor.types import AlarmKind, AlarmState, MonitorError, Priority


def book() -> AlarmBook:
    return AlarmBook(TrackSection())


def test_an_acknowledged_technical_condition_stands_until_it_is_gone() -> None:
    subject = book()
    subject.simple.raise_(AlarmKind.SIGNAL_STALLED, 1.0, "no samples")
    seen = subject.acknowledge(1, "Dr A", 2.0)
    assert (seen.state, seen.acknowledged_by, seen.acknowledged_s, seen.resolved_s) == (
        AlarmState.ACKNOWLEDGED,
        "Dr A",
        2.0,
        None,
    )
    gone = subject.simple.resolve(AlarmKind.SIGNAL_STALLED, 3.0)
    assert gone is not None
    assert (gone.state, gone.acknowledged_by) == (AlarmState.RESOLVED, "Dr A")


def test_what_can_not_be_acknowledged() -> None:
    subject = book()
    with pytest.raises(CommandRefused, match=r"no alarm 1$") as unknown:
        subject.acknowledge(1, "Dr A", 1.0)
    subject.simple.raise_(AlarmKind.SIGNAL_STALLED, 1.0, "no samples")
    subject.acknowledge(1, "Dr A", 2.0)
    with pytest.raises(CommandRefused, match="already acknowledged by Dr A") as twice:
        subject.acknowledge(1, "Dr B", 3.0)
    subject.simple.resolve(AlarmKind.SIGNAL_STALLED, 4.0)
    with pytest.raises(CommandRefused, match="already resolved") as late:
        subject.acknowledge(1, "Dr B", 5.0)
    assert [e.value.cause for e in (unknown, twice, late)] == ["unknown", "not_now", "not_now"]
    assert isinstance(late.value, MonitorError)


def test_conditions_of_one_kind_with_another_cause_each_have_a_life_of_their_own() -> None:
    subject, kind = book(), AlarmKind.STIMULUS_MISSING
    gone = subject.simple.raise_(kind, 1.0, "the marker stream is gone", cause="stream")
    wrong = subject.simple.raise_(kind, 2.0, "the pattern matches none", cause="pattern")
    assert gone is not None
    assert wrong is not None
    assert gone.id != wrong.id
    assert subject.acknowledge(wrong.id, "XY", 3.0).evidence == {
        "message": "the pattern matches none"
    }
    back = subject.simple.resolve(kind, 4.0, cause="stream")
    assert back is not None
    assert (back.id, back.acknowledged_by) == (gone.id, "")
    assert subject.simple.resolve(kind, 5.0, cause="stream") is None
    matched = subject.simple.resolve(kind, 6.0, cause="pattern")
    assert matched is not None
    assert (matched.id, matched.acknowledged_by) == (wrong.id, "XY")


def test_what_asks_to_be_heard() -> None:
    subject = book()
    assert subject.sounding == {}
    subject.simple.raise_(AlarmKind.SIGNAL_GAP, 1.0, "12 samples lost")
    subject.simple.raise_(AlarmKind.SIGNAL_STALLED, 1.0, "no samples")
    assert subject.sounding == {1: Priority.LOW, 2: Priority.HIGH}
    subject.acknowledge(2, "Dr A", 2.0)
    assert subject.sounding == {1: Priority.LOW}


def test_an_exhausted_chain_of_a_technical_alarm_ends_when_it_is_taken() -> None:
    subject = book()
    subject.simple.raise_(AlarmKind.SIGNAL_STALLED, 0.0, "no samples")
    assert [c.kind for c in subject.tick(600.0)] == [
        AlarmKind.SIGNAL_STALLED,
        AlarmKind.ESCALATION_EXHAUSTED,
    ]
    over = subject.simple.taken(subject.acknowledge(1, "Dr A", 601.0), 601.0)
    assert over is not None
    assert (over.id, over.state) == (2, AlarmState.RESOLVED)
