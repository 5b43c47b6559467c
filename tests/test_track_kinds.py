"""The table of every kind, and the numbers of the conditions made."""

from __future__ import annotations

import pytest

from monitor.track.kinds import ALARM_TABLE, NewConditions
from monitor.types import AlarmClass, AlarmKind, AlarmState, Channel, Priority

PHYSIOLOGICAL = {
    AlarmKind.AMPLITUDE_DROP,
    AlarmKind.RESPONSE_LOST,
    AlarmKind.LATENCY_SHIFT,
    AlarmKind.THRESHOLD_RISE,
    AlarmKind.MORPHOLOGY_CHANGE,
}


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


@pytest.mark.parametrize("kind", AlarmKind)
def test_a_condition_is_made_as_the_table_says_and_numbered(kind: AlarmKind) -> None:
    new = NewConditions()
    made = [new.make(kind, 5.0, "C3/C4", Channel("e1", "APB"), "rule", {"a": 1}) for _ in range(2)]
    assert [one.id for one in made] == [1, 2]
    entry = ALARM_TABLE[kind]
    assert (made[0].alarm_class, made[0].priority) == (entry.alarm_class, entry.priority)
    assert (made[0].state, made[0].raised_s) == (AlarmState.ACTIVE, 5.0)
    low = new.make(kind, 5.0, "", Channel("e1", "APB"), "rule", {}, priority=Priority.LOW)
    assert (low.id, low.priority) == (3, Priority.LOW)
