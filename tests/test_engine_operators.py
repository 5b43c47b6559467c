"""Operators' acts: what is asked becomes a command, and a recorded one finds its alarm again."""

from __future__ import annotations

import pytest

from monitor.engine.operators import StandingAlarms, command_of
from monitor.inputs import (
    Acknowledge,
    Annotate,
    Command,
    PauseAudio,
    SetBaseline,
)
from monitor.link import (
    AcknowledgeAlarm,
    AddAnnotation,
    Operator,
    PauseAudioSignal,
    SetNewBaseline,
)
from monitor.track.alarms import CommandRefused
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Priority,
)


@pytest.mark.parametrize(
    ("ask", "command"),
    [
        (AcknowledgeAlarm(3, "XY"), Acknowledge(3, "XY", 9.0)),
        (
            SetNewBaseline("L-TA", "XY", "moved", "s", 5.0, ("R-TA",), "surgeon", True),
            SetBaseline("L-TA", "XY", "moved", "s", 5.0, 9.0, ("R-TA",), "surgeon", True),
        ),
        (AddAnnotation("screw", "XY"), Annotate("screw", "XY", 9.0)),
        (PauseAudioSignal(60.0, "XY"), PauseAudio(60.0, "XY", 9.0)),
    ],
)
def test_what_is_asked_becomes_a_command_of_now(ask: Operator, command: Command) -> None:
    assert command_of(ask, 9.0) == command


def condition(
    number: int, channel: str = "L-TA", state: AlarmState = AlarmState.ACTIVE
) -> AlarmCondition:
    return AlarmCondition(
        number, AlarmKind.RESPONSE_LOST, AlarmClass.PHYSIOLOGICAL, Priority.HIGH, state, 1.0,
        setting="s", channel=channel,
    )  # fmt: skip


def test_a_recorded_acknowledgement_finds_its_alarm_under_another_number() -> None:
    live, replayed = StandingAlarms(), StandingAlarms()
    live.take(condition(5))
    live.take(condition(6, "R-TA"))
    live.take(Annotation(0.0, "no alarm", "XY"))
    replayed.take(condition(2, "R-TA"))
    replayed.take(condition(1))
    recorded = live.described(Acknowledge(6, "XY", 3.0))
    assert recorded.alarm == ("response_lost", "s", "R-TA")
    assert replayed.numbered(recorded).alarm_id == 2
    assert live.numbered(recorded) == recorded


def test_one_without_its_alarm_is_refused_and_names_it() -> None:
    alarms = StandingAlarms()
    alarms.take(condition(1))
    recorded = alarms.described(Acknowledge(1, "XY"))
    alarms.take(condition(1, state=AlarmState.RESOLVED))
    with pytest.raises(CommandRefused, match="no response_lost stands on L-TA, s"):
        alarms.numbered(recorded)
    bare = Acknowledge(7, "XY")
    assert alarms.described(bare) == alarms.numbered(bare) == bare
