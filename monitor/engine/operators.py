"""Operators' acts: from what is asked to the core's command, into a recording and back out of it.

The engine has conditions of its own (its record, its display), which are numbered with all others.
A replay need not have the same ones, so a recorded acknowledgement says which condition it was for,
and is given the number that this condition has now.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.inputs import Acknowledge, Annotate, Command, PauseAudio, SetBaseline
from monitor.link import (
    AcknowledgeAlarm,
    AddAnnotation,
    Operator,
    PauseAudioSignal,
    SetNewBaseline,
)
from monitor.track.alarms import CommandRefused
from monitor.types import AlarmCondition, AlarmState, Event


def command_of(ask: Operator, t_lsl: float) -> Command:
    """What an operator asks, as the core has it; ``t_lsl`` is now on this machine's LSL clock."""
    match ask:
        case AcknowledgeAlarm():
            return Acknowledge(ask.alarm_id, ask.by, t_lsl)
        case SetNewBaseline():
            return SetBaseline(
                channel=ask.channel,
                by=ask.by,
                reason=ask.reason,
                setting=ask.setting,
                amplitude_uv=ask.amplitude_uv,
                t_lsl=t_lsl,
                group=ask.group,
                role=ask.role,
                override=ask.override,
            )
        case AddAnnotation():
            return Annotate(ask.text, ask.by, t_lsl)
        case PauseAudioSignal():
            return PauseAudio(ask.seconds, ask.by, t_lsl)


class StandingAlarms:
    """The conditions of the core that are not resolved, in the core's own numbers."""

    def __init__(self) -> None:
        self._standing: dict[int, AlarmCondition] = {}

    def take(self, event: Event) -> None:
        """Follow what the core says."""
        if not isinstance(event, AlarmCondition):
            return
        if event.state is AlarmState.RESOLVED:
            self._standing.pop(event.id, None)
        else:
            self._standing[event.id] = event

    def described(self, command: Acknowledge) -> Acknowledge:
        """The command with what the alarm is, for the recording."""
        condition = self._standing.get(command.alarm_id)
        return command if condition is None else replace(command, alarm=_place(condition))

    def numbered(self, command: Acknowledge) -> Acknowledge:
        """The command with the number that its alarm has here.

        Raises:
            CommandRefused: no such condition stands.
        """
        if command.alarm is None:
            return command
        found = [c.id for c in self._standing.values() if _place(c) == command.alarm]
        if not found:
            kind, setting, channel = command.alarm
            where = ", ".join(part for part in (channel, setting) if part) or "the case"
            raise CommandRefused(f"no {kind} stands on {where}", "unknown")
        same = command.alarm_id in found
        return command if same else replace(command, alarm_id=min(found))


def _place(condition: AlarmCondition) -> tuple[str, str, str]:
    return condition.kind.value, condition.setting, condition.channel
