"""The alarm conditions of one case, of every kind.

After IEC 60601-1-8 (no conformity is claimed): a condition has a class and a priority
(:mod:`monitor.track.kinds`), acknowledging never clears it, a worsening one alarms again, and one
of high priority is latched until somebody has seen it (:mod:`monitor.track.loss` has that life).
Technical and advisory conditions are simpler (:mod:`monitor.track.technical`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.inputs import ResumedAlarm
from monitor.track import loss_elsewhere, loss_trials, loss_waiting
from monitor.track.criteria import Comparison, DropCriterion
from monitor.track.evidence import Evidence
from monitor.track.inherited import LOSS_KINDS, inherited_loss
from monitor.track.kinds import NewConditions
from monitor.track.loss import Loss
from monitor.track.repeats import Repeats
from monitor.track.scope import Judgement
from monitor.track.technical import SimpleConditions
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Channel,
    MonitorError,
    Priority,
)


class CommandRefused(MonitorError):
    """A command that can't be carried out; nothing has changed.

    ``cause``: ``unknown`` (there is no such alarm, channel or setting), ``not_now`` (not possible
    as things stand) or ``invalid`` (the command itself is wrong).
    """

    def __init__(self, message: str, cause: Literal["unknown", "not_now", "invalid"]) -> None:
        super().__init__(message)
        self.cause = cause


SOUNDING = (AlarmState.UNCONFIRMED, AlarmState.ACTIVE)
"""The states in which a condition asks to be heard."""

_NONE: Mapping[str, Loss] = MappingProxyType({})


class AlarmBook:
    """The conditions of one case: which stand, and what trials, notices and operators do to them.

    Ids count from 1 and are never used twice. Every method returns the conditions that changed as
    they then stand. ``simple`` are those that are no loss: technical and advisory.
    """

    def __init__(self, track: TrackSection, explained: Evidence | None = None) -> None:
        self._track = track
        self._criterion = DropCriterion(track)
        self._explained = explained or {}
        self._repeats = Repeats(track)
        self._new = NewConditions()
        self._losses: dict[str, dict[str, Loss]] = {}
        self.simple = SimpleConditions(track, self._new, self._explained)

    def number_after(self, alarms: int) -> None:
        """So many conditions were numbered in an earlier run of the case."""
        self._new.last_id = alarms

    def stimulus(self, setting: str, at_s: float) -> None:
        """A stimulus of a setting was given in order: how often they come is when a repeat is due.

        To be told of every one, measured or missed, ahead of what it raises.
        """
        self._repeats.stimulus(setting, at_s)

    def inherit(self, standing: tuple[ResumedAlarm, ...], at_s: float) -> list[AlarmCondition]:
        """The conditions that stood when an earlier run was interrupted go on as they stood.

        An exhausted escalation goes with its alarm: those of technical alarms ended there.
        """
        found = [self._inherit(alarm) for alarm in standing]
        return found + self.simple.end_without_alarm({c.id for c in found}, at_s)

    def _inherit(self, alarm: ResumedAlarm) -> AlarmCondition:
        condition = alarm.condition
        if condition.kind in LOSS_KINDS:
            return self._keep_loss(inherited_loss(alarm, self._track))
        return self.simple.inherit(condition)

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
    def sounding(self) -> dict[int, Priority]:
        """The priorities, by id, of what stands and nobody has acknowledged; latched is over."""
        standing = [loss.condition for ls in self._losses.values() for loss in ls.values()]
        standing += self.simple.conditions
        return {c.id: c.priority for c in standing if c.state in SOUNDING}

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

        Of a trial whose amplitude is uncertain only a condition that does not stand yet, or is
        latched, is made.

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
        elif comparison.uncertain and not self._brings_back(loss, comparison):
            return None
        else:
            rule = ""
            if comparison.beyond:
                rule = self._criterion.rule(loss.kind_after(comparison), channel.muscle)
            after = loss_trials.after(loss, comparison, judgement, rule, at_s, noted)
            if after is loss:
                return None
        return self._keep_loss(after)

    def _brings_back(self, loss: Loss, comparison: Comparison) -> bool:
        """Whether a latched loss returns with this trial, as one that is new would be raised."""
        return loss.is_latched and comparison.beyond and self._track.confirm != "in_a_row"

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
        return loss_trials.raised(
            self._new.make(comparison.kind, at_s, setting, channel, rule, evidence),
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
        after = loss_elsewhere.absent(loss, under, trial, rule, at_s)
        return None if after is loss else self._keep_loss(after)

    def present_elsewhere(
        self, loss: Loss, under: str, trial: int, at_s: float
    ) -> AlarmCondition | None:
        """A response ``under`` no stronger a stimulus than the one that raised it in vain."""
        after = loss_elsewhere.present(loss, under, trial, at_s)
        return None if after is loss else self._keep_loss(after)

    def remarked(self, text: str) -> list[AlarmCondition]:
        """Somebody noted what may explain the losses that stand; latched ones are over."""
        standing = [loss for losses in self._losses.values() for loss in losses.values()]
        return [
            self._keep_loss(after)
            for loss in standing
            if not loss.is_latched and (after := loss.remarked(text)) is not loss
        ]

    def tick(self, at_s: float) -> list[AlarmCondition]:
        """Time passed: unconfirmed losses rise, high conditions that nobody takes are passed on."""
        found: list[AlarmCondition] = []
        for loss in [loss for losses in self._losses.values() for loss in losses.values()]:
            after = loss_waiting.waited(loss, at_s, self._rise_s(loss))
            if after is loss:
                continue
            found.append(self._keep_loss(after))
            if after.exhausted:
                found += self.simple.exhausted(after.condition, at_s)
        return found + self.simple.tick(at_s)

    def _rise_s(self, loss: Loss) -> tuple[float, ...] | None:
        since_s = loss.alone_since_s
        return None if since_s is None else self._repeats.rise_s(loss.condition.setting, since_s)

    def acknowledge(self, alarm_id: int, by: str, at_s: float) -> AlarmCondition:
        """An operator has seen a condition.

        Raises:
            CommandRefused: there is no such condition, it is resolved, or acknowledged already.
        """
        for loss in [loss for losses in self._losses.values() for loss in losses.values()]:
            if loss.condition.id == alarm_id:
                _refuse_second(loss.condition)
                return self._keep_loss(loss.acknowledged(by, at_s))
        for standing in self.simple.conditions:
            if standing.id == alarm_id:
                _refuse_second(standing)
                seen = replace(standing, acknowledged_by=by, acknowledged_s=at_s)
                return self.simple.acknowledged(seen)
        if 1 <= alarm_id <= self._new.last_id:
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


def _refuse_second(condition: AlarmCondition) -> None:
    if condition.state is AlarmState.ACKNOWLEDGED:
        raise CommandRefused(
            f"alarm {condition.id} is already acknowledged by {condition.acknowledged_by}",
            "not_now",
        )
