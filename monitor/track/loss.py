"""The life of one physiological condition: a response that dropped or is gone.

::

    first comparable trial beyond the criterion   unconfirmed   low; medium if gone or <= 20 %
    no comparable trial for 60 s, for 180 s       unconfirmed   a priority higher each time
    confirmed (see below)                         active        high
    operator acknowledges                         acknowledged  the condition stands
    acknowledged, then confirmed or worse         active        to be acknowledged again
    2 comparable trials in a row recovered        latched       where high and not acknowledged
                                                  resolved      else
    latched: acknowledged                         resolved
             beyond the criterion again           unconfirmed   the same condition, as high as it
                                                                was (``in_a_row``: active)

*Confirmed* with ``confirm = "estimator"``: at least two trials beyond the criterion and the
estimator's probability of an amplitude below it (:mod:`monitor.track.estimator`); or two comparable
trials in a row without any response, whatever the estimator says; or the response still absent
under a stimulus as strong or stronger. With ``confirm = "in_a_row"``: so many comparable trials in
a row beyond the criterion, and one that is not ends an unconfirmed condition.

A confirmed condition is high. Only a gradual decline, with control muscles that follow and the
response still there, is medium, and only as long as it is that.

*Worse* than what was acknowledged: a response is gone that had only dropped, the priority rose, or
it lies at least 20 points of percent below the lowest shown by then. The comparison is with what
was *acknowledged*, not with the trial before, so that a slow fall can't creep by in small steps.

Only comparable trials come here: a rejected, missed or out-of-order one neither confirms nor
clears.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.config import TrackSection
from monitor.track.criteria import Comparison
from monitor.track.scope import Judgement
from monitor.types import AlarmCondition, AlarmKind, AlarmState, Priority, Scope

RECOVER_TRIALS = 2
ESTIMATOR_TRIALS = 2
LOST_TRIALS = 2
WORSE_POINTS = 20.0
SHOWN_TRIALS = 10

RELEASE_S = 1.0
"""A repeat that was given in time may come in this much later, however the signal is cut."""

Evidence = dict[str, str | int | float | bool | None]

_ORDER = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)


def higher(a: Priority, b: Priority) -> Priority:
    """The higher of two priorities."""
    return _ORDER[max(_ORDER.index(a), _ORDER.index(b))]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the condition had shown when it was acknowledged."""

    kind: AlarmKind
    priority: Priority
    lowest_percent: float


@dataclass(frozen=True, slots=True)
class Loss:
    """A standing condition and what its life needs beyond what is shown.

    The condition's ``trial``, ``percent_of_baseline`` and ``amplitude_uv`` are those of the latest
    trial beyond the criterion; its ``evidence`` names the latest comparable trial, whichever way it
    went. ``kind`` is the worst it has been. ``intensity`` is that of the stimuli it was judged by.
    """

    condition: AlarmCondition
    track: TrackSection
    lowest_percent: float
    intensity: float | None = None
    trials: tuple[int, ...] = ()
    trials_beyond: int = 0
    beyond_in_a_row: int = 0
    lost_in_a_row: int = 0
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
        intensity: float | None = None,
    ) -> Loss:
        """The first trial beyond the criterion; ``condition`` names it and is completed here."""
        first = cls(
            condition=replace(condition, state=AlarmState.UNCONFIRMED, priority=Priority.LOW),
            track=track,
            lowest_percent=comparison.percent,
            intensity=intensity,
        )
        return first._again(comparison, judgement, condition.rule, condition.raised_s)

    def after(self, comparison: Comparison, judgement: Judgement, rule: str, at_s: float) -> Loss:
        """The condition after the next comparable trial.

        Args:
            comparison: the trial against the baseline.
            judgement: what the estimates say after it.
            rule: the criterion in words, for the kind that the condition then has.
            at_s: the trial's stimulus, seconds of the case.
        """
        if comparison.beyond:
            return self._again(comparison, judgement, rule, at_s)
        return self._better(comparison, judgement, at_s)

    def absent_elsewhere(self, setting: str, trial: int, rule: str, at_s: float) -> Loss:
        """No response to a stimulus of another setting that is as strong: it is lost."""
        kind = AlarmKind.RESPONSE_LOST
        if self.confirmed and self.condition.kind is kind:
            return self
        evidence = self.condition.evidence | {
            "confirmed_by": f"no response in trial {trial} under {setting}"
        }
        now = replace(
            self,
            condition=replace(self.condition, kind=kind, rule=rule, evidence=evidence),
            confirmed=True,
        )
        return now._standing(self, Priority.HIGH, at_s)

    def acknowledged(self, by: str, at_s: float) -> Loss:
        """Somebody has seen it. A condition that is over ends here; one that stands goes on."""
        condition = replace(self.condition, acknowledged_by=by, acknowledged_s=at_s)
        if condition.state is AlarmState.LATCHED:
            return replace(
                self, condition=replace(condition, state=AlarmState.RESOLVED, resolved_s=at_s)
            )
        dropped = ("worse", "escalation")
        evidence = {k: value for k, value in condition.evidence.items() if k not in dropped}
        return replace(
            self,
            condition=replace(condition, state=AlarmState.ACKNOWLEDGED, evidence=evidence),
            seen=_Seen(condition.kind, condition.priority, self.lowest_percent),
            high_since_s=None,
            passed_on=0,
        )

    def waited(self, at_s: float) -> Loss:
        """Time passed: an unconfirmed condition that nobody repeats rises, a high one is passed on.

        Returns:
            This very value where nothing changed.
        """
        now = self
        if self.condition.state is AlarmState.UNCONFIRMED and self.alone_since_s is not None:
            alone_s = at_s - self.alone_since_s - RELEASE_S
            rises = sum(alone_s >= limit_s for limit_s in self.track.unconfirmed_rise_s)
            if rises > self.rises:
                now = self._risen(rises, at_s)
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

    def _again(self, comparison: Comparison, judgement: Judgement, rule: str, at_s: float) -> Loss:
        if self.condition.state is AlarmState.LATCHED and self.track.confirm == "estimator":
            # It has been and is over: one low trial is to be repeated, not to be alarmed on anew.
            anew = replace(self, trials=(), trials_beyond=0, lost_in_a_row=0, confirmed=False)
            return anew._taken(comparison, judgement, rule, at_s)
        return self._taken(comparison, judgement, rule, at_s)

    def _taken(self, comparison: Comparison, judgement: Judgement, rule: str, at_s: float) -> Loss:
        before = self.condition
        lost = comparison.kind is AlarmKind.RESPONSE_LOST
        evidence = dict(before.evidence)
        if before.state is AlarmState.LATCHED:
            evidence["returned_trial"] = comparison.trial
        for key in ("recovering", "recovered_s", "reason"):
            evidence.pop(key, None)
        now = replace(
            self,
            condition=replace(
                before,
                kind=self.kind_after(comparison),
                rule=rule,
                evidence=evidence,
                trial=comparison.trial,
                percent_of_baseline=comparison.percent,
                baseline_uv=comparison.baseline.amplitude_uv,
                amplitude_uv=comparison.amplitude_uv,
            ),
            lowest_percent=min(self.lowest_percent, comparison.percent),
            trials=(*self.trials, comparison.trial)[-SHOWN_TRIALS:],
            trials_beyond=self.trials_beyond + 1,
            beyond_in_a_row=self.beyond_in_a_row + 1,
            lost_in_a_row=self.lost_in_a_row + 1 if lost else 0,
            recovered_in_a_row=0,
            alone_since_s=at_s,
        )
        now = now._judged(comparison, judgement, now._beyond(comparison))
        least = Priority.MEDIUM if comparison.severe else Priority.LOW
        return now._standing(self, least, at_s, judgement)

    def _better(self, comparison: Comparison, judgement: Judgement, at_s: float) -> Loss:
        if self.condition.state is AlarmState.LATCHED:
            return self
        in_a_row = self.recovered_in_a_row + 1 if comparison.recovered else 0
        now = replace(
            self,
            recovered_in_a_row=in_a_row,
            beyond_in_a_row=0,
            lost_in_a_row=0,
            alone_since_s=None,
        )
        literal = self.track.confirm == "in_a_row"
        if in_a_row >= RECOVER_TRIALS or (literal and not self.confirmed):
            reason = "recovered" if self.confirmed else "not repeated"
            latest = {"latest_trial": comparison.trial, "latest_percent": comparison.percent}
            return now._shown(latest)._over(reason, at_s)
        recovering: Evidence = {"recovering": f"{in_a_row} of {RECOVER_TRIALS}"}
        now = now._judged(comparison, judgement, recovering)
        return now._standing(self, None, at_s, judgement)

    def _over(self, reason: str, at_s: float) -> Loss:
        """High and not acknowledged: latched, so that nobody misses what has been."""
        shown: Evidence = {"reason": reason}
        if self.confirmed:
            in_a_row = self.recovered_in_a_row
            shown |= {"recovering": f"{in_a_row} of {RECOVER_TRIALS}", "recovered_s": at_s}
        now = self._shown(shown)
        condition = now.condition
        seen = condition.state is AlarmState.ACKNOWLEDGED
        if condition.priority is Priority.HIGH and not seen:
            return replace(now, condition=replace(condition, state=AlarmState.LATCHED))
        return replace(
            now, condition=replace(condition, state=AlarmState.RESOLVED, resolved_s=at_s)
        )

    def _standing(
        self, before: Loss, least: Priority | None, at_s: float, judgement: Judgement | None = None
    ) -> Loss:
        """State and priority of a condition that goes on after what made ``self`` of ``before``.

        ``least``: the priority that the trial alone asks for; None where it was not beyond the
        criterion, so that it raises no priority unless it confirms.
        """
        condition, seen = self.condition, self.seen
        newly = self.confirmed and not before.confirmed
        priority = condition.priority
        if self.confirmed and (newly or least):
            priority = higher(priority, self._confirmed_priority(judgement))
        elif least:
            priority = higher(priority, least)
        worse = self._worse(priority)
        by, by_s, evidence = (
            condition.acknowledged_by,
            condition.acknowledged_s,
            condition.evidence,
        )
        state = AlarmState.ACTIVE if self.confirmed else AlarmState.UNCONFIRMED
        if condition.state is AlarmState.ACKNOWLEDGED:
            if newly or worse:
                by, by_s, seen = "", None, None
                evidence = {**evidence, "worse": worse} if worse else evidence
            else:
                state = AlarmState.ACKNOWLEDGED
        condition = replace(
            condition,
            state=state,
            priority=priority,
            acknowledged_by=by,
            acknowledged_s=by_s,
            evidence=evidence,
        )
        return replace(self, condition=condition, seen=seen)._since_high(at_s)

    def _confirmed_priority(self, judgement: Judgement | None) -> Priority:
        """Medium for a gradual decline that the controls follow, the response being there."""
        lowered = (
            judgement is not None
            and judgement.gradual
            and judgement.scope is Scope.GLOBAL
            and self.condition.kind is AlarmKind.AMPLITUDE_DROP
        )
        return Priority.MEDIUM if lowered else Priority.HIGH

    def _judged(self, comparison: Comparison, judgement: Judgement, more: Evidence) -> Loss:
        """With the estimate and ``more`` in the evidence, confirmed where this trial does so."""
        estimate = judgement.estimate
        shown: Evidence = {
            **self.condition.evidence,
            **more,
            "latest_trial": comparison.trial,
            "latest_percent": comparison.percent,
            "scope_evidence": judgement.scope_evidence,
            "gradual": judgement.gradual,
        }
        if estimate is not None:
            shown["estimate_percent"] = estimate.percent
            shown["estimate_lower_percent"] = estimate.lower_percent
            shown["estimate_upper_percent"] = estimate.upper_percent
            shown["probability_below"] = estimate.p_below
            shown["probability_sudden"] = estimate.p_sudden
        by = "" if self.confirmed else self._confirmation(judgement)
        if by:
            shown["confirmed_by"] = by
        # One trial says nothing of the scope: an unconfirmed loss is neither focal nor global.
        told = by or (self.confirmed and comparison.beyond)
        scope = judgement.scope if told else self.condition.scope
        return replace(
            self,
            confirmed=self.confirmed or bool(by),
            condition=replace(self.condition, scope=scope, evidence=shown),
        )

    def _confirmation(self, judgement: Judgement) -> str:
        """What confirms the condition, in words; empty where nothing does yet."""
        estimate, track = judgement.estimate, self.track
        if track.confirm == "in_a_row" or estimate is None:
            if self.beyond_in_a_row >= track.confirm_in_a_row:
                return f"{self.beyond_in_a_row} trials in a row"
            return ""
        if self.lost_in_a_row >= LOST_TRIALS:
            return f"no response in {LOST_TRIALS} trials in a row"
        if self.trials_beyond >= ESTIMATOR_TRIALS and estimate.p_below >= track.confirm_probability:
            return f"estimator: {estimate.p_below:.3f} >= {track.confirm_probability:g}"
        return ""

    def _worse(self, priority: Priority) -> str:
        """In words, how this is worse than what was acknowledged; empty where it is not."""
        if self.seen is None:
            return ""
        if self.condition.kind is not self.seen.kind:
            return "response gone since acknowledged"
        fallen = self.seen.lowest_percent - self.lowest_percent
        if fallen >= WORSE_POINTS:
            return f"{fallen:.0f} points below the {self.seen.lowest_percent:.0f} % acknowledged"
        if priority is not self.seen.priority:
            return f"priority rose to {priority.value} since acknowledged"
        return ""

    def _beyond(self, comparison: Comparison) -> Evidence:
        """The values of a trial beyond the criterion, and of the baseline it was held to."""
        baseline = comparison.baseline
        needed = (
            self.track.confirm_in_a_row if self.track.confirm == "in_a_row" else ESTIMATOR_TRIALS
        )
        return {
            "n_of_k": f"{min(self.trials_beyond, needed)} of {needed}",
            "trials": ", ".join(str(trial) for trial in self.trials),
            "lowest_percent": self.lowest_percent,
            "trials_beyond": self.trials_beyond,
            "baseline_id": baseline.id,
            "baseline_uv": baseline.amplitude_uv,
            "baseline_responses": baseline.responses,
            "baseline_accepted": baseline.accepted,
            "baseline_set_by": baseline.set_by,
            "baseline_spread": baseline.spread,
            "below_detection_floor": comparison.below_detection_floor,
            "upper_uv": comparison.upper_uv,
        }

    # ------------------------------------------------------------------ time

    def _risen(self, rises: int, at_s: float) -> Loss:
        steps = rises - self.rises
        at = min(_ORDER.index(self.condition.priority) + steps, len(_ORDER) - 1)
        condition = replace(
            self.condition,
            priority=_ORDER[at],
            evidence=self.condition.evidence
            | {"not_repeated_for_s": self.track.unconfirmed_rise_s[rises - 1]},
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
        return replace(self._shown(told), passed_on=level)

    def _shown(self, more: Mapping[str, str | int | float | bool | None]) -> Loss:
        condition = replace(self.condition, evidence={**self.condition.evidence, **more})
        return replace(self, condition=condition)
