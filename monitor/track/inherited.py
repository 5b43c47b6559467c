"""A loss out of the record: what its life goes on with after the engine was restarted.

The record has the condition as it was shown, with its evidence, and not the counts behind it. Those
that only ever bring a state nearer (trials in a row) begin anew: it takes two trials of this run to
confirm a loss, or to end one. Those that keep something from being said twice go on, and so does
what was acknowledged.
"""

from __future__ import annotations

import re

from monitor.config import TrackSection
from monitor.inputs import ResumedAlarm
from monitor.track.confirmation import Beyond
from monitor.track.loss import Loss, seen_as
from monitor.types import AlarmCondition, AlarmKind, AlarmState

_ABSENT = re.compile(r"no response in trial (?P<trial>\d+) under (?P<setting>.*)", re.DOTALL)
"""As :class:`monitor.track.alarms.AlarmBook` writes it."""

LOSS_KINDS = frozenset({AlarmKind.AMPLITUDE_DROP, AlarmKind.RESPONSE_LOST})


def inherited_loss(alarm: ResumedAlarm, track: TrackSection) -> Loss:
    """The loss that a recorded condition of one of :data:`LOSS_KINDS` stands for."""
    condition = alarm.condition
    evidence = condition.evidence
    trials = str(evidence.get("trials", ""))
    lowest = _number(condition, "lowest_percent")
    loss = Loss(
        condition=condition,
        track=track,
        lowest_percent=(condition.percent_of_baseline or 0.0) if lowest is None else lowest,
        trials=tuple(trial for trial in trials.split(", ") if trial),
        beyond=Beyond(int(_number(condition, "trials_beyond") or 0)),
        absent_under=_absent_under(condition),
        confirmed=_was_confirmed(condition),
        alone_since_s=alarm.alone_since_s,
        rises=_step(condition, "rise"),
        high_since_s=alarm.high_since_s,
        passed_on=_step(condition, "escalation"),
    )
    if condition.state is not AlarmState.ACKNOWLEDGED:
        return loss
    was = alarm.acknowledged or condition
    lowest = _number(was, "lowest_percent")
    return seen_as(loss, was.kind, was.priority, loss.lowest_percent if lowest is None else lowest)


def _was_confirmed(condition: AlarmCondition) -> bool:
    match condition.state:
        case AlarmState.ACTIVE:
            return True
        case AlarmState.ACKNOWLEDGED:
            return "confirmed_by" in condition.evidence
        case AlarmState.LATCHED:
            return condition.evidence.get("reason") == "recovered"
    return False


def _absent_under(condition: AlarmCondition) -> str:
    """The setting whose stimulus alone raised the loss, or brought it back; empty once its own
    setting had a say.
    """
    evidence = condition.evidence
    told = _ABSENT.fullmatch(str(evidence.get("absent_elsewhere", "")))
    alone = told is not None and evidence.get("trials") == told["trial"]
    if told is None or not alone or "recovering" in evidence or "confirmed_by" in evidence:
        return ""
    return told["setting"]


def _step(condition: AlarmCondition, name: str) -> int:
    """How far evidence of the form ``2 of 3`` has come; 0 without it."""
    return int(str(condition.evidence.get(name, "0")).split(" ")[0])


def _number(condition: AlarmCondition, name: str) -> float | None:
    value = condition.evidence.get(name)
    return float(value) if isinstance(value, int | float) else None
