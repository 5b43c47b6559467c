"""Alarm conditions: the table of every kind, and the conditions of one case.

After IEC 60601-1-8 (no conformity is claimed): a condition has a class and a priority,
acknowledging never clears it, a worsening one alarms again, and one of high priority is latched
until somebody has seen it (:mod:`monitor.track.loss` has that life). Technical conditions are
simpler: active or acknowledged while they last, then resolved; none of them latches. Advisory
physiological ones (:mod:`monitor.track.advisory`) live the same simple life.

:data:`ALARM_TABLE` holds every kind; :class:`AlarmBook` is the only place that makes conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.track.criteria import Comparison, DropCriterion
from monitor.track.evidence import INTERRUPTED, Evidence
from monitor.track.inherited import LOSS_KINDS, inherited_loss
from monitor.track.loss import Loss
from monitor.track.repeats import Repeats
from monitor.track.scope import Judgement
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Channel,
    MonitorError,
    Priority,
    ResumedAlarm,
)


class CommandRefused(MonitorError):
    """A command that can't be carried out; nothing has changed.

    ``cause``: ``unknown`` (there is no such alarm, channel or setting), ``not_now`` (not possible
    as things stand) or ``invalid`` (the command itself is wrong).
    """

    def __init__(self, message: str, cause: Literal["unknown", "not_now", "invalid"]) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """What is fixed for a kind: class, default priority and its meaning in one line.

    Of the physiological kinds ``priority`` is that of the confirmed condition; an unconfirmed one
    starts lower.
    """

    alarm_class: AlarmClass
    priority: Priority
    meaning: str


def _physiological(priority: Priority, meaning: str) -> AlarmEntry:
    return AlarmEntry(AlarmClass.PHYSIOLOGICAL, priority, meaning)


def _technical(priority: Priority, meaning: str) -> AlarmEntry:
    return AlarmEntry(AlarmClass.TECHNICAL, priority, meaning)


_K, _P = AlarmKind, Priority

ALARM_TABLE: Mapping[AlarmKind, AlarmEntry] = MappingProxyType(
    {
        _K.AMPLITUDE_DROP: _physiological(_P.HIGH, "the response fell below the criterion"),
        _K.RESPONSE_LOST: _physiological(_P.HIGH, "a muscle with a baseline no longer responds"),
        _K.LATENCY_SHIFT: _physiological(_P.LOW, "the response comes later than at baseline"),
        _K.THRESHOLD_RISE: _physiological(_P.MEDIUM, "a response takes more stimulus than before"),
        _K.MORPHOLOGY_CHANGE: _physiological(_P.LOW, "the response has lost phases"),
        _K.SIGNAL_STALLED: _technical(_P.HIGH, "no samples arrive: nothing is being monitored"),
        _K.SIGNAL_GAP: _technical(_P.LOW, "samples were lost"),
        _K.CLOCK_FAULT: _technical(_P.MEDIUM, "the signal's time stamps can't be trusted"),
        _K.LEAD_OFF: _technical(_P.MEDIUM, "an electrode is off"),
        _K.SATURATED: _technical(_P.LOW, "the amplifier is at its limit"),
        _K.ELECTROCAUTERY: _technical(_P.LOW, "electrocautery covers the signal"),
        _K.STIMULUS_MISSING: _technical(_P.MEDIUM, "no stimulus where one was due"),
        _K.STIMULUS_MISALIGNED: _technical(_P.MEDIUM, "artefact and stimulus marker moved apart"),
        _K.STIMULUS_NOT_DELIVERED: _technical(_P.MEDIUM, "a marker without a stimulus artefact"),
        _K.NOT_COMPARABLE: _technical(_P.LOW, "trials don't match the baseline's stimulation"),
        _K.BASELINE_UNRELIABLE: _technical(_P.LOW, "too few responses for a baseline"),
        _K.NOT_MEASURABLE: _technical(_P.MEDIUM, "trials of this muscle can't be measured"),
        _K.REJECTS_IN_A_ROW: _technical(_P.MEDIUM, "trials are rejected on every muscle"),
        _K.RECORDING_FAULT: _technical(_P.HIGH, "the case is not being recorded safely"),
        _K.MODEL_FAULT: _technical(_P.MEDIUM, "the network gives wrong answers and is out of use"),
        _K.RECEIVER_LOST: _technical(_P.HIGH, "a receiver of alarms no longer confirms them"),
        _K.GATEWAY_LOST: _technical(_P.HIGH, "displays are cut off from the engine"),
        _K.ENGINE_RESTARTED: _technical(_P.MEDIUM, "the engine was restarted during the case"),
        _K.ESCALATION_EXHAUSTED: _technical(_P.HIGH, "an alarm was passed on and none took it"),
    }
)

_NONE: Mapping[str, Loss] = MappingProxyType({})
_WHOLE_CASE = Channel("", muscle="")


class AlarmBook:
    """The conditions of one case: which stand, and what trials, notices and operators do to them.

    Ids count from 1 and are never used twice. Every method returns the conditions that changed as
    they then stand.
    """

    def __init__(self, track: TrackSection, explained: Evidence | None = None) -> None:
        self._track = track
        self._criterion = DropCriterion(track)
        self._explained = explained or {}
        self._repeats = Repeats(track)
        self._last_id = 0
        self._losses: dict[str, dict[str, Loss]] = {}
        self._technical: dict[tuple[AlarmKind, str, str, str], AlarmCondition] = {}

    def number_after(self, alarms: int) -> None:
        """So many conditions were numbered in an earlier run of the case."""
        self._last_id = alarms

    def stimulus(self, setting: str, at_s: float) -> None:
        """A stimulus of a setting was given in order: how often they come is when a repeat is due.

        To be told of every one, measured or missed, ahead of what it raises.
        """
        self._repeats.stimulus(setting, at_s)

    def inherit(self, alarm: ResumedAlarm) -> AlarmCondition:
        """A condition that stood when an earlier run was interrupted goes on as it stood."""
        condition = alarm.condition
        if condition.kind in LOSS_KINDS:
            return self._keep_loss(inherited_loss(alarm, self._track))
        key = (condition.kind, condition.setting, condition.channel, "")
        self._technical[key] = condition
        return condition

    def loss(self, setting: str, channel: str) -> Loss | None:
        """The loss standing on a channel under a setting, latched included."""
        return self.standing(setting).get(channel)

    def standing(self, setting: str) -> Mapping[str, Loss]:
        """The losses standing under a setting, by channel, latched included."""
        return self._losses.get(setting, _NONE)

    def losses(self, channel: str) -> list[Loss]:
        """The losses standing on a channel under any setting."""
        return [losses[channel] for losses in self._losses.values() if channel in losses]

    @property
    def highest(self) -> Priority | None:
        """The highest priority that stands and nobody has acknowledged."""
        standing = [loss.condition for ls in self._losses.values() for loss in ls.values()]
        standing += self._technical.values()
        open_ = {c.priority for c in standing if c.state is not AlarmState.ACKNOWLEDGED}
        return next((p for p in (_P.HIGH, _P.MEDIUM, _P.LOW) if p in open_), None)

    def judge(
        self,
        setting: str,
        channel: Channel,
        comparison: Comparison,
        judgement: Judgement,
        at_s: float,
        *,
        noted: str = "",
    ) -> AlarmCondition | None:
        """Take a channel's comparable trial; the condition that it raised or changed, or None.

        Of a trial whose amplitude is uncertain only a condition that does not stand yet is made.

        Args:
            setting: the trial's stimulation setting.
            channel: the channel.
            comparison: the trial against the baseline.
            judgement: what the estimates say of the channel after it.
            at_s: the trial's stimulus, seconds of the case.
            noted: what the record notes that may explain it (a bolus, the pressure).
        """
        loss = self.standing(setting).get(channel.name)
        if loss is None:
            if not comparison.beyond:
                return None
            after = self._raised(setting, channel, comparison, judgement, at_s, noted=noted)
        elif comparison.uncertain:
            return None
        else:
            rule = self._criterion.rule(loss.kind_after(comparison), channel.muscle)
            after = loss.after(comparison, judgement, rule, at_s, noted)
            if after is loss:
                return None
        return self._keep_loss(after)

    def _raised(
        self,
        setting: str,
        channel: Channel,
        comparison: Comparison,
        judgement: Judgement,
        at_s: float,
        *,
        noted: str,
        absent_under: str = "",
    ) -> Loss:
        alarm, resolve = self._criterion.thresholds(channel.muscle)
        rule = self._criterion.rule(comparison.kind, channel.muscle)
        evidence: Evidence = {"threshold_percent": alarm, "recovery_percent": resolve}
        evidence |= self._explained
        if absent_under:
            told = f"no response in trial {comparison.trial} under {absent_under}"
            evidence["absent_elsewhere"] = told
        return Loss.raised(
            self._condition(comparison.kind, at_s, setting, channel, rule, evidence),
            comparison,
            judgement,
            self._track,
            noted=noted,
            absent_under=absent_under,
        )

    def raise_absent(
        self,
        setting: str,
        channel: Channel,
        comparison: Comparison,
        under: str,
        at_s: float,
        noted: str = "",
    ) -> AlarmCondition:
        """No response ``under`` a stimulus as strong as that of ``setting``, where none stands.

        Args:
            setting: whose baseline says that the muscle should have answered.
            channel: the channel.
            comparison: the trial against that baseline.
            under: the setting of the trial.
            at_s: the trial's stimulus, seconds of the case.
            noted: what the record notes that may explain it.
        """
        return self._keep_loss(
            self._raised(
                setting,
                channel,
                comparison,
                Judgement(),
                at_s,
                noted=noted,
                absent_under=under,
            )
        )

    def absent_elsewhere(
        self, loss: Loss, under: str, trial: int, at_s: float
    ) -> AlarmCondition | None:
        """No response ``under`` another setting as strong, where a loss stands."""
        rule = self._criterion.rule(AlarmKind.RESPONSE_LOST, loss.condition.muscle)
        after = loss.absent_elsewhere(under, trial, rule, at_s)
        return None if after is loss else self._keep_loss(after)

    def present_elsewhere(self, loss: Loss, trial: int, at_s: float) -> AlarmCondition | None:
        """A response to no stronger a stimulus than the one that raised the loss in vain."""
        condition = self._keep_loss(loss.present_elsewhere(trial, at_s))
        return None if condition is loss.condition else condition

    def tick(self, at_s: float) -> list[AlarmCondition]:
        """Time passed: unconfirmed losses rise, high ones that nobody takes are passed on."""
        found: list[AlarmCondition | None] = []
        for loss in [loss for losses in self._losses.values() for loss in losses.values()]:
            after = loss.waited(at_s, self._rise_s(loss))
            if after is loss:
                continue
            found.append(self._keep_loss(after))
            if after.exhausted:
                condition = after.condition
                key = (AlarmKind.ESCALATION_EXHAUSTED, condition.setting, condition.channel, "")
                told = self._technical.get(key)
                if told is not None and told.state is AlarmState.ACKNOWLEDGED:
                    # Seen the last time; this is another time.
                    found.append(self.taken(condition, at_s))
                found.append(
                    self.raise_technical(
                        AlarmKind.ESCALATION_EXHAUSTED,
                        at_s,
                        f"alarm {condition.id} ({condition.channel}) was not acknowledged",
                        setting=condition.setting,
                        channel=Channel(condition.channel, condition.muscle),
                    )
                )
        return [condition for condition in found if condition is not None]

    def _rise_s(self, loss: Loss) -> tuple[float, ...] | None:
        since_s = loss.alone_since_s
        return None if since_s is None else self._repeats.rise_s(loss.condition.setting, since_s)

    def taken(self, condition: AlarmCondition, at_s: float) -> AlarmCondition | None:
        """A loss was taken or has ended: its exhausted escalation is over; None without one."""
        if ALARM_TABLE[condition.kind].alarm_class is not AlarmClass.PHYSIOLOGICAL:
            return None
        return self.resolve_technical(
            AlarmKind.ESCALATION_EXHAUSTED,
            at_s,
            setting=condition.setting,
            channel=condition.channel,
        )

    def raise_technical(
        self,
        kind: AlarmKind,
        at_s: float,
        message: str,
        *,
        setting: str = "",
        channel: Channel = _WHOLE_CASE,
        trial: int | None = None,
        cause: str = "",
        more: Evidence | None = None,
    ) -> AlarmCondition | None:
        """A technical or advisory condition is there; None where it stood with the same message.

        Conditions of one kind and place with another ``cause`` are others. ``more``: what explains
        an advisory one beside its message.
        """
        key = (kind, setting, channel.name, cause)
        standing = self._technical.get(key)
        evidence: Evidence = {"message": message}
        if more is not None:
            evidence |= more | self._explained
        if standing is None:
            rule = ALARM_TABLE[kind].meaning
            found = self._condition(kind, at_s, setting, channel, rule, evidence, trial)
        elif standing.evidence["message"] == message and INTERRUPTED not in standing.evidence:
            return None
        else:
            found = replace(standing, evidence=evidence)
        self._technical[key] = found
        return found

    def resolve_technical(
        self,
        kind: AlarmKind,
        at_s: float,
        *,
        setting: str = "",
        channel: str = "",
        cause: str = "",
    ) -> AlarmCondition | None:
        """Such a condition is gone, acknowledged or not; None where it did not stand."""
        standing = self._technical.pop((kind, setting, channel, cause), None)
        if standing is None:
            return None
        return replace(standing, state=AlarmState.RESOLVED, resolved_s=at_s)

    def acknowledge(self, alarm_id: int, by: str, at_s: float) -> AlarmCondition:
        """An operator has seen a condition.

        Raises:
            CommandRefused: there is no such condition, it is resolved, or acknowledged already.
        """
        for loss in [loss for losses in self._losses.values() for loss in losses.values()]:
            if loss.condition.id == alarm_id:
                _refuse_second(loss.condition)
                return self._keep_loss(loss.acknowledged(by, at_s))
        for technical_key, standing in self._technical.items():
            if standing.id == alarm_id:
                _refuse_second(standing)
                acknowledged = replace(
                    standing,
                    state=AlarmState.ACKNOWLEDGED,
                    acknowledged_by=by,
                    acknowledged_s=at_s,
                )
                if standing.kind is _K.THRESHOLD_RISE and INTERRUPTED in standing.evidence:
                    # The thresholds of the earlier run are not known: no trial can end it.
                    del self._technical[technical_key]
                    return replace(acknowledged, state=AlarmState.RESOLVED, resolved_s=at_s)
                self._technical[technical_key] = acknowledged
                return acknowledged
        if 1 <= alarm_id <= self._last_id:
            raise CommandRefused(f"alarm {alarm_id} is already resolved", "not_now")
        raise CommandRefused(f"there is no alarm {alarm_id}", "unknown")

    def _keep_loss(self, loss: Loss) -> AlarmCondition:
        condition = loss.condition
        losses = self._losses.setdefault(condition.setting, {})
        if condition.state is AlarmState.RESOLVED:
            losses.pop(condition.channel, None)
        else:
            losses[condition.channel] = loss
        return condition

    def _condition(
        self,
        kind: AlarmKind,
        at_s: float,
        setting: str,
        channel: Channel,
        rule: str,
        evidence: Evidence,
        trial: int | None = None,
    ) -> AlarmCondition:
        self._last_id += 1
        entry = ALARM_TABLE[kind]
        return AlarmCondition(
            id=self._last_id,
            kind=kind,
            alarm_class=entry.alarm_class,
            priority=entry.priority,
            state=AlarmState.ACTIVE,
            raised_s=at_s,
            setting=setting,
            channel=channel.name,
            muscle=channel.muscle,
            trial=trial,
            rule=rule,
            evidence=evidence,
        )


def _refuse_second(condition: AlarmCondition) -> None:
    if condition.state is AlarmState.ACKNOWLEDGED:
        raise CommandRefused(
            f"alarm {condition.id} is already acknowledged by {condition.acknowledged_by}",
            "not_now",
        )
