"""Technical and advisory conditions: they come, are acknowledged, passed on, and go."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.track.kinds import ALARM_TABLE, NewConditions
from monitor.track.technical import SimpleConditions
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Channel,
    Priority,
)

CHANNEL = Channel("e1", "APB", "left")
EXHAUSTED = AlarmKind.ESCALATION_EXHAUSTED
HIGH_TECHNICAL = [
    kind
    for kind, entry in ALARM_TABLE.items()
    if entry.alarm_class is AlarmClass.TECHNICAL and entry.priority is Priority.HIGH
]


def conditions(track: TrackSection | None = None) -> SimpleConditions:
    return SimpleConditions(track or TrackSection(), NewConditions(), {"model": "net"})


def seen(subject: SimpleConditions, condition: AlarmCondition | None) -> AlarmCondition:
    assert condition is not None
    return subject.acknowledged(replace(condition, acknowledged_by="Dr A", acknowledged_s=9.0))


def test_a_technical_condition_comes_and_goes() -> None:
    subject = conditions()
    raised = subject.raise_(AlarmKind.LEAD_OFF, 5.0, "e1 open", channel=CHANNEL)
    assert raised is not None
    assert (raised.id, raised.state, raised.alarm_class) == (
        1,
        AlarmState.ACTIVE,
        AlarmClass.TECHNICAL,
    )
    assert (raised.channel, raised.muscle, raised.evidence) == ("e1", "APB", {"message": "e1 open"})
    assert subject.raise_(AlarmKind.LEAD_OFF, 6.0, "e1 open", channel=CHANNEL) is None
    gone = subject.resolve(AlarmKind.LEAD_OFF, 7.0, channel="e1")
    assert gone is not None
    assert (gone.id, gone.state, gone.raised_s, gone.resolved_s) == (
        1,
        AlarmState.RESOLVED,
        5.0,
        7.0,
    )
    assert subject.resolve(AlarmKind.LEAD_OFF, 8.0, channel="e1") is None
    back = subject.raise_(AlarmKind.LEAD_OFF, 9.0, "e1 open", channel=CHANNEL)
    assert back is not None
    assert back.id == 2


def test_a_new_message_is_told_under_the_same_id() -> None:
    subject = conditions()
    subject.raise_(AlarmKind.SIGNAL_GAP, 1.0, "12 samples lost")
    told = subject.raise_(AlarmKind.SIGNAL_GAP, 2.0, "40 samples lost")
    assert told is not None
    assert (told.id, told.raised_s, told.evidence) == (1, 1.0, {"message": "40 samples lost"})


def test_conditions_of_channels_settings_and_the_case_are_apart() -> None:
    subject = conditions()
    kind = AlarmKind.BASELINE_UNRELIABLE
    raised = [
        subject.raise_(kind, 1.0, "m", setting="a", channel=CHANNEL),
        subject.raise_(kind, 1.0, "m", setting="b", channel=CHANNEL),
        subject.raise_(kind, 1.0, "m", setting="a", channel=Channel("e2", "TA")),
        subject.raise_(kind, 1.0, "m"),
    ]
    assert [condition.id for condition in raised if condition] == [1, 2, 3, 4]
    gone = subject.resolve(kind, 2.0, setting="b", channel="e1")
    assert gone is not None
    assert gone.id == 2


@pytest.mark.parametrize("kind", [kind for kind in HIGH_TECHNICAL if kind is not EXHAUSTED])
def test_a_high_one_that_nobody_takes_is_passed_on_to_the_end(kind: AlarmKind) -> None:
    subject = conditions()
    raised = subject.raise_(kind, 10.0, "gone")
    assert raised is not None
    assert subject.tick(129.9) == []
    [first] = subject.tick(130.0)
    assert (first.id, first.evidence) == (1, {"message": "gone", "escalation": "1 of 3"})
    [second] = subject.tick(310.0)
    told = subject.raise_(kind, 320.0, "still gone")
    assert told is not None
    assert told.evidence == {"message": "still gone", "escalation": "2 of 3"}
    [third, end] = subject.tick(610.0)
    assert [c.evidence["escalation"] for c in (second, third)] == ["2 of 3", "3 of 3"]
    assert (end.kind, end.alarm_class, end.priority) == (
        EXHAUSTED,
        AlarmClass.TECHNICAL,
        Priority.HIGH,
    )
    assert end.evidence == {"message": f"alarm 1 ({kind}) was not acknowledged", "alarm": 1}
    assert subject.tick(1e6) == [], "its own end is passed on to nobody"
    over = subject.resolve(kind, 1e6 + 1)
    assert over is not None
    ended = subject.taken(over, 1e6 + 1)
    assert ended is not None
    assert (ended.id, ended.state) == (end.id, AlarmState.RESOLVED)
    assert subject.conditions == []


def test_acknowledging_ends_the_passing_on() -> None:
    subject = conditions()
    raised = subject.raise_(AlarmKind.GATEWAY_LOST, 0.0, "gone")
    [passed, end] = subject.tick(900.0)
    taken = seen(subject, passed)
    assert taken.evidence == {"message": "gone"}
    assert raised is not None
    assert subject.taken(taken, 901.0) == replace(end, state=AlarmState.RESOLVED, resolved_s=901.0)
    assert subject.tick(9000.0) == []


def test_a_lower_one_is_not_passed_on_and_a_chain_may_be_empty() -> None:
    subject = conditions()
    for kind in (AlarmKind.LEAD_OFF, AlarmKind.SATURATED, AlarmKind.THRESHOLD_RISE):
        subject.raise_(kind, 0.0, "m", channel=CHANNEL)
    assert subject.tick(9000.0) == []
    nobody = conditions(TrackSection(escalate_s=()))
    nobody.raise_(AlarmKind.SIGNAL_STALLED, 0.0, "no samples")
    assert nobody.tick(9000.0) == []


def test_each_of_two_has_a_chain_of_its_own() -> None:
    subject = conditions(TrackSection(escalate_s=(100.0,)))
    subject.raise_(AlarmKind.SIGNAL_STALLED, 0.0, "no samples")
    subject.raise_(AlarmKind.GATEWAY_LOST, 50.0, "gone")
    found = [[c.kind for c in subject.tick(float(s))] for s in (100, 149, 150)]
    assert found == [
        [AlarmKind.SIGNAL_STALLED, EXHAUSTED],
        [],
        [AlarmKind.GATEWAY_LOST, EXHAUSTED],
    ]
    assert len({c.id for c in subject.conditions}) == 4


def test_one_that_rises_is_to_be_acknowledged_again_and_never_falls() -> None:
    subject, kind = conditions(), AlarmKind.THRESHOLD_RISE
    low = subject.raise_(kind, 0.0, "more than 500", channel=CHANNEL, priority=Priority.LOW)
    assert seen(subject, low).priority is Priority.LOW
    risen = subject.raise_(kind, 1.0, "more than 500", channel=CHANNEL, priority=Priority.MEDIUM)
    assert risen is not None
    assert (risen.id, risen.state, risen.priority) == (1, AlarmState.ACTIVE, Priority.MEDIUM)
    assert (risen.acknowledged_by, risen.acknowledged_s) == ("", None)
    assert risen.evidence["worse"] == "priority rose to medium since acknowledged"
    assert risen.evidence["model"] == "net"
    assert "worse" not in seen(subject, risen).evidence
    assert (
        subject.raise_(kind, 2.0, "more than 500", channel=CHANNEL, priority=Priority.LOW) is None
    )
    [standing] = subject.conditions
    assert (standing.state, standing.priority) == (AlarmState.ACKNOWLEDGED, Priority.MEDIUM)


def test_an_exhausted_chain_of_before_a_restart_goes_with_its_alarm() -> None:
    before = conditions()
    before.raise_(AlarmKind.SIGNAL_STALLED, 0.0, "no samples")
    [_, end] = before.tick(900.0)
    after = conditions()
    assert after.inherit(end) is end
    assert after.end_without_alarm({1}, 1.0) == []
    [ended] = after.end_without_alarm({7}, 2.0)
    assert (ended.id, ended.state, ended.resolved_s) == (end.id, AlarmState.RESOLVED, 2.0)
    assert after.conditions == []
    after.inherit(replace(end, evidence={"message": "of a record that names none"}))
    assert len(after.end_without_alarm({1}, 3.0)) == 1
