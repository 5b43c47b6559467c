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

Here is what a loss *is*, and its state and priority. What happens to it: its own comparable trials
(:mod:`monitor.track.loss_trials`), stimuli of other settings (:mod:`monitor.track.loss_elsewhere`),
time (:mod:`monitor.track.loss_waiting`), and here what operators do.
"""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.track.confirmation import Beyond
from monitor.track.context import noted_after
from monitor.track.criteria import Comparison
from monitor.track.evidence import INTERRUPTED, PRESENT_ELSEWHERE, Evidence
from monitor.track.scope import Judgement
from monitor.types import AlarmCondition, AlarmKind, AlarmState, Priority, Scope

RECOVER_TRIALS = 2
WORSE_POINTS = 20.0
SHOWN_TRIALS = 10

OF_RECOVERY = ("recovering", "recovered_s", "reason", PRESENT_ELSEWHERE)
"""Evidence that a trial beyond the criterion takes back."""
OF_A_WAIT = ("rise",)
"""How often it rose since its latest trial; how long it waited then goes on explaining the priority
that it has from that."""
_OF_ITS_END = (*OF_RECOVERY, "escalation")
_OF_ITS_EPISODE = (
    "confirmed_by",
    "absent_elsewhere",
    "scope_evidence",
    "rise",
    "not_repeated_for_s",
)
"""What explains a loss that is over and is not to explain the one that it comes back as."""


# To read a member off its enum takes longer than all else that is done with it here.
_UNCONFIRMED, _ACTIVE, _ACKNOWLEDGED, _LATCHED, _ = AlarmState
_LOW, _MEDIUM, _HIGH = Priority
_LOST = AlarmKind.RESPONSE_LOST


def higher(a: Priority, b: Priority) -> Priority:
    """The higher of two priorities."""
    return a if a is b or a is _HIGH or b is _LOW else b


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
    own has had a say. ``trials`` are the latest beyond the criterion, as shown.
    """

    condition: AlarmCondition
    track: TrackSection
    lowest_percent: float
    trials: tuple[str, ...] = ()
    beyond: Beyond = Beyond()
    absent_under: str = ""
    recovered_in_a_row: int = 0
    confirmed: bool = False
    seen: _Seen | None = None
    alone_since_s: float | None = None
    rises: int = 0
    high_since_s: float | None = None
    passed_on: int = 0

    @property
    def is_latched(self) -> bool:
        """It is over and waits to be seen."""
        return self.condition.state is _LATCHED

    @property
    def exhausted(self) -> bool:
        """It was passed on to the last of the chain and nobody took it."""
        chain = len(self.track.escalate_s)
        return chain > 0 and self.passed_on >= chain

    def kind_after(self, comparison: Comparison) -> AlarmKind:
        """A condition that once was a lost response stays one, whatever flickers back."""
        return _LOST if comparison.kind is _LOST else self.condition.kind

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
        """After its latest trial somebody noted what may explain it.

        Itself where that is all told already.
        """
        evidence = noted_after(self.condition.evidence, text)
        if evidence == self.condition.evidence:
            return self
        return replace(self, condition=replace(self.condition, evidence=evidence))

    # ------------------------------------------------------------------ its states

    def anew(self) -> Loss:
        """Itself where it stands; latched, it comes back, and somebody is to take it again."""
        if not self.is_latched:
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

    def over(self, evidence: Evidence, at_s: float, noted: str) -> Loss:
        """It has ended. High and not acknowledged: latched, so that nobody misses what has been."""
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

    def goes_on(
        self,
        evidence: Evidence,
        newly: bool,
        least: Priority | None,
        at_s: float,
        judgement: Judgement | None,
        scope: Scope,
    ) -> Loss:
        """State and priority of a condition that goes on.

        Args:
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
        priority = condition.priority
        if self.confirmed and (newly or least):
            priority = higher(priority, _confirmed_priority(condition.kind, judgement))
        elif least:
            priority = higher(priority, least)
        state = _ACTIVE if self.confirmed else _UNCONFIRMED
        if condition.state is _ACKNOWLEDGED:
            worse = self._worse(priority)
            if worse:
                evidence["worse"] = worse
            if newly or worse:
                condition = replace(condition, acknowledged_by="", acknowledged_s=None)
                seen = None
            else:
                state = _ACKNOWLEDGED
        after = replace(condition, state=state, priority=priority, evidence=evidence, scope=scope)
        return replace(self, condition=after, seen=seen).since_high(at_s)

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

    def since_high(self, at_s: float) -> Loss:
        """Since when a high condition waits for somebody."""
        condition = self.condition
        if condition.priority is not _HIGH or condition.state is _ACKNOWLEDGED:
            if self.high_since_s is None:
                return self
            return replace(self, high_since_s=None, passed_on=0)
        return self if self.high_since_s is not None else replace(self, high_since_s=at_s)


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
    return _MEDIUM if lowered else _HIGH
