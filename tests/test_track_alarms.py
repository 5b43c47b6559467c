"""The table of kinds, technical conditions and acknowledging."""

from __future__ import annotations

import pytest

from monitor.config import TrackSection
from monitor.track.alarms import ALARM_TABLE, AlarmBook, CommandRefused
from monitor.types import AlarmClass, AlarmKind, AlarmState, Channel, MonitorError, Priority

CHANNEL = Channel("e1", "APB", "left")
PHYSIOLOGICAL = {
    AlarmKind.AMPLITUDE_DROP,
    AlarmKind.RESPONSE_LOST,
    AlarmKind.LATENCY_SHIFT,
    AlarmKind.THRESHOLD_RISE,
    AlarmKind.MORPHOLOGY_CHANGE,
}


def book() -> AlarmBook:
    return AlarmBook(TrackSection())


def test_every_kind_is_in_the_table() -> None:
    assert set(ALARM_TABLE) == set(AlarmKind)
    meanings = [entry.meaning for entry in ALARM_TABLE.values()]
    assert len(set(meanings)) == len(meanings)
    assert all(meaning and "\n" not in meaning for meaning in meanings)


@pytest.mark.parametrize("kind", AlarmKind)
def test_class_of_each_kind(kind: AlarmKind) -> None:
    is_physiological = ALARM_TABLE[kind].alarm_class is AlarmClass.PHYSIOLOGICAL
    assert is_physiological is (kind in PHYSIOLOGICAL)


def test_the_losses_are_of_high_priority_once_confirmed() -> None:
    assert ALARM_TABLE[AlarmKind.AMPLITUDE_DROP].priority is Priority.HIGH
    assert ALARM_TABLE[AlarmKind.RESPONSE_LOST].priority is Priority.HIGH


def test_a_technical_condition_comes_and_goes() -> None:
    subject = book()
    raised = subject.raise_technical(AlarmKind.LEAD_OFF, 5.0, "e1 open", channel=CHANNEL)
    assert raised is not None
    assert (raised.id, raised.state, raised.alarm_class) == (
        1,
        AlarmState.ACTIVE,
        AlarmClass.TECHNICAL,
    )
    assert (raised.channel, raised.muscle, raised.evidence) == ("e1", "APB", {"message": "e1 open"})
    assert subject.raise_technical(AlarmKind.LEAD_OFF, 6.0, "e1 open", channel=CHANNEL) is None
    gone = subject.resolve_technical(AlarmKind.LEAD_OFF, 7.0, channel="e1")
    assert gone is not None
    assert (gone.id, gone.state, gone.raised_s, gone.resolved_s) == (
        1,
        AlarmState.RESOLVED,
        5.0,
        7.0,
    )
    assert subject.resolve_technical(AlarmKind.LEAD_OFF, 8.0, channel="e1") is None
    back = subject.raise_technical(AlarmKind.LEAD_OFF, 9.0, "e1 open", channel=CHANNEL)
    assert back is not None
    assert back.id == 2


def test_a_new_message_is_told_under_the_same_id() -> None:
    subject = book()
    subject.raise_technical(AlarmKind.SIGNAL_GAP, 1.0, "12 samples lost")
    told = subject.raise_technical(AlarmKind.SIGNAL_GAP, 2.0, "40 samples lost")
    assert told is not None
    assert (told.id, told.raised_s, told.evidence) == (1, 1.0, {"message": "40 samples lost"})


def test_conditions_of_channels_settings_and_the_case_are_apart() -> None:
    subject = book()
    kind = AlarmKind.BASELINE_UNRELIABLE
    raised = [
        subject.raise_technical(kind, 1.0, "m", setting="a", channel=CHANNEL),
        subject.raise_technical(kind, 1.0, "m", setting="b", channel=CHANNEL),
        subject.raise_technical(kind, 1.0, "m", setting="a", channel=Channel("e2", "TA")),
        subject.raise_technical(kind, 1.0, "m"),
    ]
    assert [condition.id for condition in raised if condition] == [1, 2, 3, 4]
    gone = subject.resolve_technical(kind, 2.0, setting="b", channel="e1")
    assert gone is not None
    assert gone.id == 2


def test_an_acknowledged_technical_condition_stands_until_it_is_gone() -> None:
    subject = book()
    subject.raise_technical(AlarmKind.SIGNAL_STALLED, 1.0, "no samples")
    seen = subject.acknowledge(1, "Dr A", 2.0)
    assert (seen.state, seen.acknowledged_by, seen.acknowledged_s, seen.resolved_s) == (
        AlarmState.ACKNOWLEDGED,
        "Dr A",
        2.0,
        None,
    )
    gone = subject.resolve_technical(AlarmKind.SIGNAL_STALLED, 3.0)
    assert gone is not None
    assert (gone.state, gone.acknowledged_by) == (AlarmState.RESOLVED, "Dr A")


def test_what_can_not_be_acknowledged() -> None:
    subject = book()
    with pytest.raises(CommandRefused, match=r"no alarm 1$") as unknown:
        subject.acknowledge(1, "Dr A", 1.0)
    subject.raise_technical(AlarmKind.SIGNAL_STALLED, 1.0, "no samples")
    subject.acknowledge(1, "Dr A", 2.0)
    with pytest.raises(CommandRefused, match="already acknowledged by Dr A") as twice:
        subject.acknowledge(1, "Dr B", 3.0)
    subject.resolve_technical(AlarmKind.SIGNAL_STALLED, 4.0)
    with pytest.raises(CommandRefused, match="already resolved") as late:
        subject.acknowledge(1, "Dr B", 5.0)
    assert [e.value.cause for e in (unknown, twice, late)] == ["unknown", "not_now", "not_now"]
    assert isinstance(late.value, MonitorError)


def test_conditions_of_one_kind_with_another_cause_each_have_a_life_of_their_own() -> None:
    subject, kind = book(), AlarmKind.STIMULUS_MISSING
    gone = subject.raise_technical(kind, 1.0, "the marker stream is gone", cause="stream")
    wrong = subject.raise_technical(kind, 2.0, "the pattern matches none", cause="pattern")
    assert gone is not None
    assert wrong is not None
    assert gone.id != wrong.id
    assert subject.acknowledge(wrong.id, "XY", 3.0).evidence == {
        "message": "the pattern matches none"
    }
    back = subject.resolve_technical(kind, 4.0, cause="stream")
    assert back is not None
    assert (back.id, back.acknowledged_by) == (gone.id, "")
    assert subject.resolve_technical(kind, 5.0, cause="stream") is None
    matched = subject.resolve_technical(kind, 6.0, cause="pattern")
    assert matched is not None
    assert (matched.id, matched.acknowledged_by) == (wrong.id, "XY")
