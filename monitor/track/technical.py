"""Conditions that live simply: the technical ones, and the advisory signs beside the amplitude.

Active or acknowledged while they last, then resolved; none of them latches: what is mended needs
nobody's attention. One of high priority that nobody acknowledges is passed on, and the end of that
chain is a condition of its own (``escalation_exhausted``), which is passed on to nobody: there is
nobody left.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.track.evidence import INTERRUPTED, Evidence
from monitor.track.kinds import ALARM_TABLE, NewConditions
from monitor.track.loss import higher
from monitor.types import AlarmClass, AlarmCondition, AlarmKind, AlarmState, Channel, Priority

WHOLE_CASE = Channel("", muscle="")

_EXHAUSTED = AlarmKind.ESCALATION_EXHAUSTED

Place = tuple[AlarmKind, str, str, str]
"""Kind, setting, channel and cause: conditions that differ in one of them are others."""


class _Standing(Struct, frozen=True):
    """A condition and, where it is high and nobody has acknowledged it, how far it was passed on.

    ``high_since_s`` is None where it is not passed on.
    """

    condition: AlarmCondition
    high_since_s: float | None = None
    passed_on: int = 0


class SimpleConditions:
    """The technical and advisory conditions of one case.

    Every method returns the conditions that changed as they then stand.

    Args:
        track: its ``escalate_s``.
        new: makes the conditions.
        explained: what explains every advisory one: profile and model.
    """

    def __init__(self, track: TrackSection, new: NewConditions, explained: Evidence) -> None:
        self._escalate_s = track.escalate_s
        self._new = new
        self._explained = explained
        self._standing: dict[Place, _Standing] = {}

    @property
    def conditions(self) -> list[AlarmCondition]:
        """Those that stand, in the order in which they came."""
        return [standing.condition for standing in self._standing.values()]

    def inherit(self, condition: AlarmCondition) -> AlarmCondition:
        """A condition that stood when an earlier run was interrupted goes on as it stood."""
        kind = condition.kind
        cause = _of_alarm(condition.evidence.get("alarm")) if kind is _EXHAUSTED else ""
        self._standing[kind, condition.setting, condition.channel, cause] = _Standing(condition)
        return condition

    def raise_(
        self,
        kind: AlarmKind,
        at_s: float,
        message: str,
        *,
        setting: str = "",
        channel: Channel = WHOLE_CASE,
        trial: int | None = None,
        cause: str = "",
        more: Evidence | None = None,
        priority: Priority | None = None,
    ) -> AlarmCondition | None:
        """A condition is there; None where it stood with the same message and priority.

        Args:
            kind: of the condition.
            at_s: seconds of the case.
            message: one line for people.
            setting: the stimulation setting that it concerns; empty: any.
            channel: the channel that it concerns.
            trial: the trial that showed it.
            cause: conditions of one kind and place with another cause are others.
            more: what explains an advisory one beside its message.
            priority: where it is not the table's. One that stands never falls, and one that rises
                is to be acknowledged again.
        """
        place = (kind, setting, channel.name, cause)
        before = self._standing.get(place)
        evidence: Evidence = {"message": message}
        if more is not None:
            evidence |= more
        if ALARM_TABLE[kind].alarm_class is AlarmClass.PHYSIOLOGICAL:
            evidence |= self._explained
        if before is None:
            rule = ALARM_TABLE[kind].meaning
            now = self._new.make(kind, at_s, setting, channel, rule, evidence, trial, priority)
            passed_on = now.priority is Priority.HIGH and kind is not _EXHAUSTED
            self._standing[place] = _Standing(now, at_s if passed_on else None)
            return now
        was = before.condition
        rises = priority is not None and higher(priority, was.priority) is not was.priority
        same = was.evidence["message"] == message and INTERRUPTED not in was.evidence
        if same and not rises:
            return None
        if "escalation" in was.evidence:
            evidence["escalation"] = was.evidence["escalation"]
        now = replace(was, evidence=evidence)
        if rises and priority is not None:
            now = replace(now, priority=priority)
            if was.state is AlarmState.ACKNOWLEDGED:
                evidence["worse"] = f"priority rose to {priority.value} since acknowledged"
                active = AlarmState.ACTIVE
                now = replace(now, state=active, acknowledged_by="", acknowledged_s=None)
        self._standing[place] = replace(before, condition=now)
        return now

    def resolve(
        self, kind: AlarmKind, at_s: float, *, setting: str = "", channel: str = "", cause: str = ""
    ) -> AlarmCondition | None:
        """Such a condition is gone, acknowledged or not; None where it did not stand."""
        standing = self._standing.pop((kind, setting, channel, cause), None)
        if standing is None:
            return None
        return replace(standing.condition, state=AlarmState.RESOLVED, resolved_s=at_s)

    def acknowledged(self, condition: AlarmCondition) -> AlarmCondition:
        """One of :attr:`conditions`, which names who has seen it and when, stands so from now."""
        evidence = {k: v for k, v in condition.evidence.items() if k not in ("worse", "escalation")}
        now = replace(condition, state=AlarmState.ACKNOWLEDGED, evidence=evidence)
        place = next(
            place for place, one in self._standing.items() if one.condition.id == condition.id
        )
        self._standing[place] = _Standing(now)
        return now

    def tick(self, at_s: float) -> list[AlarmCondition]:
        """Time passed: high ones that nobody takes are passed on, and the last tells that."""
        found: list[AlarmCondition] = []
        for place, standing in list(self._standing.items()):
            if standing.high_since_s is None:
                continue
            waited_s = at_s - standing.high_since_s
            level = sum(waited_s >= limit_s for limit_s in self._escalate_s)
            if level <= standing.passed_on:
                continue
            told = {"escalation": f"{level} of {len(self._escalate_s)}"}
            now = replace(standing.condition, evidence=standing.condition.evidence | told)
            self._standing[place] = replace(standing, condition=now, passed_on=level)
            found.append(now)
            if level == len(self._escalate_s):
                found += self.exhausted(now, at_s)
        return found

    def exhausted(self, condition: AlarmCondition, at_s: float) -> list[AlarmCondition]:
        """An alarm was passed on to the last of the chain, and nobody took it."""
        setting, channel = condition.setting, Channel(condition.channel, condition.muscle)
        cause = _of_alarm(condition.id)
        found: list[AlarmCondition | None] = []
        told = self._standing.get((_EXHAUSTED, setting, channel.name, cause))
        if told is not None and told.condition.state is AlarmState.ACKNOWLEDGED:
            # Seen the last time; this is another time.
            found.append(self.taken(condition, at_s))
        about = channel.name or condition.kind.value
        message = f"alarm {condition.id} ({about}) was not acknowledged"
        found.append(
            self.raise_(
                _EXHAUSTED, at_s, message, setting=setting, channel=channel, cause=cause,
                more={"alarm": condition.id},
            )
        )  # fmt: skip
        return [one for one in found if one is not None]

    def end_without_alarm(self, alarms: set[int], at_s: float) -> list[AlarmCondition]:
        """End every exhausted chain but those of ``alarms``, by id."""
        ended = [
            self.resolve(kind, at_s, setting=setting, channel=channel, cause=cause)
            for (kind, setting, channel, cause), one in list(self._standing.items())
            if kind is _EXHAUSTED and one.condition.evidence.get("alarm") not in alarms
        ]
        return [condition for condition in ended if condition is not None]

    def taken(self, condition: AlarmCondition, at_s: float) -> AlarmCondition | None:
        """An alarm was taken or has ended: its exhausted chain is over; None without one."""
        return self.resolve(
            _EXHAUSTED,
            at_s,
            setting=condition.setting,
            channel=condition.channel,
            cause=_of_alarm(condition.id),
        )


def _of_alarm(alarm_id: object) -> str:
    return f"alarm {alarm_id}"
