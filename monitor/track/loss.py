"""The life of one physiological condition: a response that dropped or is gone.

::

    first comparable trial beyond the criterion   unconfirmed   low; medium if gone or <= 20 %
    no comparable trial for 60 s, for 180 s or    unconfirmed   a priority higher each time
      1.5 and 3 usual intervals, where longer
    confirmed (see below)                         active        high
    operator acknowledges                         acknowledged  the condition stands
    acknowledged, then confirmed or worse         active        to be acknowledged again
    2 comparable trials in a row recovered        latched       where high and not acknowledged
                                                  resolved      else
    latched: acknowledged                         resolved
             beyond the criterion again           unconfirmed   the same condition, as high as it
                                                                was (``in_a_row``: active)

*Confirmed* by :mod:`monitor.track.confirmation`; with ``confirm = "in_a_row"`` a trial that is not
beyond the criterion ends an unconfirmed condition. In either case by the response absent under a
stimulus of another setting that is as strong or stronger, the second time that it is low or absent.

A confirmed condition is high. Only a gradual decline, with control muscles that follow and the
response still there, is medium, and only as long as it is that.

*Worse* than what was acknowledged: a response is gone that had only dropped, the priority rose, or
it lies at least 20 points of percent below the lowest shown by then. The comparison is with what
was *acknowledged*, not with the trial before, so that a slow fall can't creep by in small steps.

Only comparable trials come here: a rejected, missed or out-of-order one neither confirms nor
clears. One whose amplitude is uncertain does neither, but where even its upper bound lies beyond
the criterion it raises a condition, or brings a latched one back, unconfirmed.
"""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.track.confirmation import Beyond, confirmed_by, needed_trials
from monitor.track.context import noted_after
from monitor.track.criteria import Comparison
from monitor.track.evidence import (
    INTERRUPTED,
    PRESENT_ELSEWHERE,
    Evidence,
    tell_beyond,
    tell_counted,
    tell_judgement,
    tell_latest,
)
from monitor.track.scope import Judgement
from monitor.types import AlarmCondition, AlarmKind, AlarmState, Priority, Scope

RECOVER_TRIALS = 2
WORSE_POINTS = 20.0
SHOWN_TRIALS = 10

RELEASE_S = 1.0
"""A repeat that was given in time may come in this much later, however the signal is cut."""

_OF_RECOVERY = ("recovering", "recovered_s", "reason", PRESENT_ELSEWHERE)
_OF_ITS_END = (*_OF_RECOVERY, "escalation")
_OF_A_WAIT = ("rise",)
"""How often it rose since its latest trial; how long it waited then goes on explaining the priority
that it has from that."""
_OF_ITS_EPISODE = (
    "confirmed_by",
    "absent_elsewhere",
    "scope_evidence",
    "rise",
    "not_repeated_for_s",
)
"""What explains a loss that is over and is not to explain the one that it comes back as."""

_ORDER = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)


def higher(a: Priority, b: Priority) -> Priority:
    """The higher of two priorities."""
    return a if a is b or a is Priority.HIGH or b is Priority.LOW else b


class _Seen(Struct, frozen=True, gc=False):
    """What the condition had shown when it was acknowledged."""

    kind: AlarmKind
    priority: Priority
    lowest_percent: float


class Loss(Struct, frozen=True, gc=False):
    """A standing condition and what its life needs beyond what is shown.

    The condition's ``trial``, ``percent_of_baseline`` and ``amplitude_uv`` are those of the latest
    trial beyond the criterion; its ``evidence`` names the latest comparable trial, whichever way it
    went. ``kind`` is the worst it has been. ``absent_under`` is the setting of the stimulus that
    raised it, or alone brought it back, where that was another than its own, until a trial of its
    own has had a say.
    """

    condition: AlarmCondition
    track: TrackSection
    lowest_percent: float
    trials: tuple[int, ...] = ()
    beyond: Beyond = Beyond()
    absent_under: str = ""
    recovered_in_a_row: int = 0
    confirmed: bool = False
    seen: _Seen | None = None
    alone_since_s: float | None = None
    rises: int = 0
    high_since_s: float | None = None
    passed_on: int = 0

    @classmethod
    def raised(
        cls,
        condition: AlarmCondition,
        comparison: Comparison,
        judgement: Judgement,
        track: TrackSection,
        *,
        noted: str = "",
        absent_under: str = "",
    ) -> Loss:
        """The first trial beyond the criterion; ``condition`` names it and is completed here."""
        first = cls(
            condition=replace(condition, state=AlarmState.UNCONFIRMED, priority=Priority.LOW),
            track=track,
            lowest_percent=comparison.percent,
        )
        now = first._taken(comparison, judgement, condition.rule, condition.raised_s, noted)
        return replace(now, absent_under=absent_under)

    def after(
        self,
        comparison: Comparison,
        judgement: Judgement,
        rule: str,
        at_s: float,
        noted: str = "",
    ) -> Loss:
        """The condition after the next comparable trial.

        Args:
            comparison: the trial against the baseline.
            judgement: what the estimates say after it.
            rule: the criterion in words, for the kind that the condition then has; read of a
                trial beyond it alone.
            at_s: the trial's stimulus, seconds of the case.
            noted: what the record notes that may explain it.

        Returns:
            This very value where nothing changed.
        """
        if not comparison.beyond:
            return self._better(comparison, judgement, at_s, noted)
        return self._anew()._taken(comparison, judgement, rule, at_s, noted)

    def absent_elsewhere(self, setting: str, trial: int, rule: str, at_s: float) -> Loss:
        """No response to a stimulus of another setting that is as strong: the second says lost.

        The first was beyond the criterion, or absent, under whichever setting.
        """
        condition, kind = self.condition, AlarmKind.RESPONSE_LOST
        latched = condition.state is AlarmState.LATCHED
        if self.confirmed and condition.kind is kind and not latched:
            return self
        now = self._anew()
        newly = now.beyond.trials > 0 and not now.confirmed
        dropped = (*_OF_RECOVERY, *_OF_A_WAIT)
        evidence = {k: v for k, v in now.condition.evidence.items() if k not in dropped}
        told = f"no response in trial {trial} under {setting}"
        evidence["absent_elsewhere"] = told
        if latched:
            evidence["returned_trial"] = trial
        if newly:
            evidence["confirmed_by"] = told
        now = replace(
            now,
            condition=replace(
                now.condition,
                kind=kind,
                rule=rule,
                trial=trial,
                percent_of_baseline=0.0,
                amplitude_uv=0.0,
            ),
            absent_under=setting if latched else now.absent_under,
            lowest_percent=0.0,
            trials=(*now.trials, trial)[-SHOWN_TRIALS:],
            confirmed=now.confirmed or newly,
            beyond=replace(now.beyond, trials=now.beyond.trials + 1),
            recovered_in_a_row=0,
            alone_since_s=at_s,
            rises=0,
        )
        tell_counted(evidence, now.trials, now.beyond.trials, needed_trials(self.track), 0.0)
        evidence["latest_trial"], evidence["latest_percent"] = trial, 0.0
        least = Priority.HIGH if now.confirmed else Priority.MEDIUM
        return now._standing({}, evidence, newly, least, at_s, None, now.condition.scope)

    def present_elsewhere(self, setting: str, trial: int, at_s: float) -> Loss:
        """A response to a stimulus no stronger than the one that alone raised it, in vain.

        The first answers the request for a repeat, two in a row show that it was that one trial.
        They say nothing of a loss that is confirmed.
        """
        if self.confirmed or self.condition.state is AlarmState.LATCHED:
            return self
        in_a_row = self.recovered_in_a_row + 1
        evidence = self.condition.evidence.copy()
        evidence[PRESENT_ELSEWHERE] = f"response in trial {trial} under {setting}"
        now = replace(
            self,
            condition=replace(self.condition, evidence=evidence),
            recovered_in_a_row=in_a_row,
            alone_since_s=None,
        )
        if in_a_row < RECOVER_TRIALS:
            return now
        return now._over(evidence | {"latest_trial": trial}, at_s, "")

    def acknowledged(self, by: str, at_s: float) -> Loss:
        """Somebody has seen it. A condition that is over ends here; one that stands goes on."""
        condition = replace(self.condition, acknowledged_by=by, acknowledged_s=at_s)
        if condition.state is AlarmState.LATCHED:
            return replace(
                self, condition=replace(condition, state=AlarmState.RESOLVED, resolved_s=at_s)
            )
        dropped = ("worse", "escalation")
        evidence = {k: value for k, value in condition.evidence.items() if k not in dropped}
        after = replace(
            self,
            condition=replace(condition, state=AlarmState.ACKNOWLEDGED, evidence=evidence),
            high_since_s=None,
            passed_on=0,
        )
        return seen_as(after, condition.kind, condition.priority, self.lowest_percent)

    def remarked(self, text: str) -> Loss:
        """After its latest trial somebody noted what may explain it."""
        evidence = noted_after(self.condition.evidence, text)
        return replace(self, condition=replace(self.condition, evidence=evidence))

    def waited(self, at_s: float, rise_s: tuple[float, ...] | None = None) -> Loss:
        """Time passed: an unconfirmed condition that nobody repeats rises, a high one is passed on.

        Args:
            at_s: seconds of the case.
            rise_s: after how long without a comparable trial it rises, as often as there are
                values; None: the configured times (``unconfirmed_rise_s``).

        Returns:
            This very value where nothing changed.
        """
        now = self
        if self.condition.state is AlarmState.UNCONFIRMED and self.alone_since_s is not None:
            alone_s = at_s - self.alone_since_s - RELEASE_S
            limits_s = self.track.unconfirmed_rise_s if rise_s is None else rise_s
            rises = sum(alone_s >= limit_s for limit_s in limits_s)
            if rises > self.rises:
                now = self._risen(rises, limits_s, at_s)
        return now._passed_on(at_s)

    @property
    def exhausted(self) -> bool:
        """It was passed on to the last of the chain and nobody took it."""
        chain = len(self.track.escalate_s)
        return chain > 0 and self.passed_on >= chain

    def kind_after(self, comparison: Comparison) -> AlarmKind:
        """A condition that once was a lost response stays one, whatever flickers back."""
        lost = AlarmKind.RESPONSE_LOST
        return lost if comparison.kind is lost else self.condition.kind

    # ------------------------------------------------------------------ comparable trials

    def _anew(self) -> Loss:
        """Itself where it stands; latched, it comes back, and somebody is to take it again."""
        if self.condition.state is not AlarmState.LATCHED:
            return self
        anew = self.track.confirm != "in_a_row"
        dropped = (*_OF_ITS_END, *_OF_ITS_EPISODE) if anew else _OF_ITS_END
        evidence = {k: v for k, v in self.condition.evidence.items() if k not in dropped}
        condition = replace(self.condition, evidence=evidence)
        now = replace(self, condition=condition, high_since_s=None, passed_on=0)
        if not anew:
            return now
        # It has been and is over: one low trial is to be repeated, not to be alarmed on anew. What
        # it had come to before is not what this one is held to, nor its scope that of this one.
        return replace(
            now,
            condition=replace(condition, scope=Scope.INDETERMINATE),
            lowest_percent=math.inf,
            trials=(),
            beyond=Beyond(),
            confirmed=False,
            rises=0,
        )

    def _taken(
        self, comparison: Comparison, judgement: Judgement, rule: str, at_s: float, noted: str
    ) -> Loss:
        before = self.condition
        lost = comparison.kind is AlarmKind.RESPONSE_LOST
        evidence = before.evidence.copy()
        for name in (*_OF_RECOVERY, *_OF_A_WAIT):
            evidence.pop(name, None)
        if before.state is AlarmState.LATCHED:
            evidence["returned_trial"] = comparison.trial
        now = replace(
            self,
            absent_under="",
            lowest_percent=min(self.lowest_percent, comparison.percent),
            trials=(*self.trials, comparison.trial)[-SHOWN_TRIALS:],
            beyond=self.beyond.and_one(lost=lost, counts=not comparison.uncertain),
            recovered_in_a_row=0,
            alone_since_s=at_s,
            rises=0,
        )
        counted, needed = now.beyond.trials, needed_trials(self.track)
        tell_beyond(evidence, comparison, now.trials, counted, needed, now.lowest_percent)
        changes: dict[str, Any] = {
            "kind": self.kind_after(comparison),
            "rule": rule,
            "trial": comparison.trial,
            "percent_of_baseline": comparison.percent,
            "baseline_uv": comparison.baseline.amplitude_uv,
            "amplitude_uv": comparison.amplitude_uv,
        }
        least = Priority.MEDIUM if comparison.severe else Priority.LOW
        return now._judged(changes, evidence, comparison, judgement, least, at_s, noted)

    def _better(
        self, comparison: Comparison, judgement: Judgement, at_s: float, noted: str
    ) -> Loss:
        if self.condition.state is AlarmState.LATCHED:
            return self
        in_a_row = self.recovered_in_a_row + 1 if comparison.recovered else 0
        now = replace(
            self,
            absent_under="",
            recovered_in_a_row=in_a_row,
            beyond=self.beyond.and_another(),
            # A response that has recovered answers the request for a repeat; less than that only
            # puts it off.
            alone_since_s=None if comparison.recovered else at_s,
        )
        evidence = self.condition.evidence.copy()
        evidence.pop(PRESENT_ELSEWHERE, None)
        literal = self.track.confirm == "in_a_row"
        if in_a_row >= RECOVER_TRIALS or (literal and not self.confirmed):
            tell_latest(evidence, comparison)
            return now._over(evidence, at_s, noted)
        evidence["recovering"] = f"{in_a_row} of {RECOVER_TRIALS}"
        return now._judged({}, evidence, comparison, judgement, None, at_s, noted)

    def _over(self, evidence: Evidence, at_s: float, noted: str) -> Loss:
        """High and not acknowledged: latched, so that nobody misses what has been."""
        condition = self.condition
        evidence.pop(INTERRUPTED, None)
        evidence["reason"] = "recovered" if self.confirmed else "not repeated"
        if self.confirmed:
            evidence["recovering"] = f"{self.recovered_in_a_row} of {RECOVER_TRIALS}"
            evidence["recovered_s"] = at_s
        if noted:
            evidence["noted"] = noted
        if condition.priority is Priority.HIGH and condition.state is not AlarmState.ACKNOWLEDGED:
            over = replace(condition, evidence=evidence, state=AlarmState.LATCHED)
        else:
            state = AlarmState.RESOLVED
            over = replace(condition, evidence=evidence, state=state, resolved_s=at_s)
        return replace(self, condition=over)

    def _judged(
        self,
        changes: dict[str, Any],
        evidence: Evidence,
        comparison: Comparison,
        judgement: Judgement,
        least: Priority | None,
        at_s: float,
        noted: str,
    ) -> Loss:
        """With the estimate in the evidence, confirmed where this trial does so."""
        by = "" if self.confirmed else confirmed_by(self.beyond, judgement.estimate, self.track)
        if by:
            evidence["confirmed_by"] = by
        # One trial says nothing of the scope: an unconfirmed loss is neither focal nor global.
        told = by or (self.confirmed and comparison.beyond)
        scope = judgement.scope if told else self.condition.scope
        tell_judgement(evidence, comparison, judgement, of_scope=bool(told))
        now = replace(self, confirmed=True) if by else self
        if noted:
            evidence["noted"] = noted
        return now._standing(changes, evidence, bool(by), least, at_s, judgement, scope)

    def _standing(
        self,
        changes: dict[str, Any],
        evidence: Evidence,
        newly: bool,
        least: Priority | None,
        at_s: float,
        judgement: Judgement | None,
        scope: Scope,
    ) -> Loss:
        """State and priority of a condition that goes on, and the condition made of it all.

        Args:
            changes: of the condition, beside those that follow here.
            evidence: the whole of it.
            newly: this is what confirmed it.
            least: the priority that the trial alone asks for; None where it was not beyond the
                criterion, so that it raises no priority unless it confirms.
            at_s: seconds of the case.
            judgement: of the trial, where there is one.
            scope: what the scope then is.
        """
        condition, seen = self.condition, self.seen
        evidence.pop(INTERRUPTED, None)
        kind = changes.get("kind", condition.kind)
        priority = condition.priority
        if self.confirmed and (newly or least):
            priority = higher(priority, _confirmed_priority(kind, judgement))
        elif least:
            priority = higher(priority, least)
        worse = self._worse(kind, priority)
        state = AlarmState.ACTIVE if self.confirmed else AlarmState.UNCONFIRMED
        if condition.state is AlarmState.ACKNOWLEDGED:
            if newly or worse:
                changes |= {"acknowledged_by": "", "acknowledged_s": None}
                seen = None
                if worse:
                    evidence["worse"] = worse
            else:
                state = AlarmState.ACKNOWLEDGED
        after = replace(
            condition, **changes, state=state, priority=priority, evidence=evidence, scope=scope
        )
        return replace(self, condition=after, seen=seen)._since_high(at_s)

    def _worse(self, kind: AlarmKind, priority: Priority) -> str:
        """In words, how this is worse than what was acknowledged; empty where it is not."""
        if self.seen is None:
            return ""
        if kind is not self.seen.kind:
            return "response gone since acknowledged"
        fallen = self.seen.lowest_percent - self.lowest_percent
        if fallen >= WORSE_POINTS:
            return f"{fallen:.0f} points below the {self.seen.lowest_percent:.0f} % acknowledged"
        if priority is not self.seen.priority:
            return f"priority rose to {priority.value} since acknowledged"
        return ""

    # ------------------------------------------------------------------ time

    def _risen(self, rises: int, limits_s: tuple[float, ...], at_s: float) -> Loss:
        steps = rises - self.rises
        at = min(_ORDER.index(self.condition.priority) + steps, len(_ORDER) - 1)
        condition = replace(
            self.condition,
            priority=_ORDER[at],
            evidence=self.condition.evidence
            | {"not_repeated_for_s": limits_s[rises - 1], "rise": f"{rises} of {len(limits_s)}"},
        )
        return replace(self, condition=condition, rises=rises)._since_high(at_s)

    def _since_high(self, at_s: float) -> Loss:
        """Since when a high condition waits for somebody."""
        waits = (
            self.condition.priority is Priority.HIGH
            and self.condition.state is not AlarmState.ACKNOWLEDGED
        )
        if not waits:
            if self.high_since_s is None:
                return self
            return replace(self, high_since_s=None, passed_on=0)
        return self if self.high_since_s is not None else replace(self, high_since_s=at_s)

    def _passed_on(self, at_s: float) -> Loss:
        if self.high_since_s is None:
            return self
        waited_s = at_s - self.high_since_s
        level = sum(waited_s >= limit_s for limit_s in self.track.escalate_s)
        if level <= self.passed_on:
            return self
        told = {"escalation": f"{level} of {len(self.track.escalate_s)}"}
        condition = replace(self.condition, evidence=self.condition.evidence | told)
        return replace(self, condition=condition, passed_on=level)


def seen_as(loss: Loss, kind: AlarmKind, priority: Priority, lowest_percent: float) -> Loss:
    """Somebody has seen the loss when it was no worse than that."""
    return replace(loss, seen=_Seen(kind, priority, lowest_percent))


def _confirmed_priority(kind: AlarmKind, judgement: Judgement | None) -> Priority:
    """Medium for a gradual decline that the controls follow, the response being there."""
    lowered = (
        judgement is not None
        and judgement.gradual
        and judgement.scope is Scope.GLOBAL
        and kind is AlarmKind.AMPLITUDE_DROP
    )
    return Priority.MEDIUM if lowered else Priority.HIGH
