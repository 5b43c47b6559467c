"""What alarms are worth against the truth of simulated cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.alarm_cases import Case
from bench.alarm_rules import Alarm, Rule, percent_of_baseline


@dataclass(frozen=True, slots=True)
class Scored:
    """A case and what a rule raised on it."""

    case: Case
    alarms: list[Alarm]

    @property
    def high(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms if alarm.priority == "high"]

    def stood_before(self, m: int) -> bool:
        """A confirmed alarm of the muscle stood when its loss began: nothing is left to find.

        Such a loss counts for no rule; what is retold of the alarm would count as found at once.
        """
        start, muscle = self.case.loss_start[m], self.case.muscles[m]
        stands = False
        for alarm in self.alarms:
            if alarm.muscle == muscle and alarm.trial < start:
                stands = alarm.state in ("active", "acknowledged") and alarm.priority == "high"
        return stands

    def losses(self) -> list[int]:
        """Indices of the muscles that lose their response or part of it and count."""
        return [m for m in self.case.lost() if not self.stood_before(m)]

    def confirmed_after(self, m: int) -> int | None:
        """Stimuli from the first of a loss to the one that confirms it, counted from 1.

        One that was latched before does not count, nor one that is high but unconfirmed.
        """
        start, muscle = self.case.loss_start[m], self.case.muscles[m]
        trials = [
            alarm.trial
            for alarm in self.high
            if alarm.muscle == muscle and alarm.trial >= start and alarm.state == "active"
        ]
        return min(trials) - start + 1 if trials else None


def score(rule: Rule, cases: Sequence[Case]) -> list[Scored]:
    """Run a rule over cases."""
    return [Scored(case, rule.alarms(case)) for case in cases]


def false_percent(scored: Sequence[Scored]) -> float:
    """Percent of cases with a high-priority alarm."""
    return _percent([bool(one.high) for one in scored])


def untrue_percent(scored: Sequence[Scored], percent: float = 50.0) -> float:
    """Percent of simulated cases with a confirmed alarm on a muscle truly above ``percent``.

    Judged where it became high: what an alarm says of a muscle that was below is no falsehood.
    """
    untrue = []
    for one in scored:
        share = one.case.true_share
        if share is None:
            continue
        row = {trial: t for t, trial in enumerate(one.case.trials)}
        column = {muscle: m for m, muscle in enumerate(one.case.muscles)}
        was: dict[str, str] = {}
        wrong = False
        for alarm in one.alarms:
            if alarm.priority == "high" and was.get(alarm.muscle) != "high":
                wrong |= bool(100.0 * share[row[alarm.trial], column[alarm.muscle]] > percent)
            was[alarm.muscle] = alarm.priority
        untrue.append(wrong)
    return _percent(untrue)


def found_percent(scored: Sequence[Scored], within: int) -> float:
    """Percent of losses, muscle by muscle, confirmed within so many stimuli."""
    after = [one.confirmed_after(m) for one in scored for m in one.losses()]
    return _percent([n is not None and n <= within for n in after])


def median_trials(scored: Sequence[Scored]) -> float:
    """Median of the stimuli until a loss was confirmed; infinite where most were not."""
    after = sorted(
        math.inf if n is None else float(n)
        for one in scored
        for m in one.losses()
        for n in [one.confirmed_after(m)]
    )
    return after[len(after) // 2] if after else math.nan


def median_since_below(scored: Sequence[Scored], percent: float = 50.0) -> float:
    """As :func:`median_trials`, counted from the first trial truly at or below ``percent``.

    A slow loss can't be confirmed rightly before; one that is confirmed sooner counts as 0.
    """
    after = []
    for one in scored:
        share = one.case.true_share
        if share is None:
            continue
        for m in one.losses():
            below = np.flatnonzero(100.0 * share[:, m] <= percent)
            n = one.confirmed_after(m)
            if n is None or below.size == 0:
                after.append(math.inf)
            else:
                first = one.case.trials[int(below[0])]
                after.append(max(float(one.case.loss_start[m] + n - first), 0.0))
    return sorted(after)[len(after) // 2] if after else math.nan


def focal_percent(scored: Sequence[Scored]) -> float:
    """Percent of cases with any alarm that was called focal."""
    return _percent([any(a.scope == "focal" for a in one.alarms) for one in scored])


def first_shown_percent(scored: Sequence[Scored]) -> float:
    """Percent of trials at or beyond 50 % that showed an alarm of the muscle at once."""
    shown = []
    for one in scored:
        share = percent_of_baseline(one.case)
        raised = {(a.muscle, a.trial) for a in one.alarms}
        for m, muscle in enumerate(one.case.muscles):
            shown += [
                (muscle, trial) in raised
                for t, trial in enumerate(one.case.trials)
                if round(share[t, m], 6) <= 50.0
            ]
    return _percent(shown)


def lost_but_not_high(scored: Sequence[Scored]) -> int:
    """Losses, muscle by muscle, that ever had a confirmed alarm which was not high."""
    return sum(
        any(
            alarm.state == "active" and alarm.priority != "high"
            for alarm in one.alarms
            if alarm.muscle == one.case.muscles[m] and alarm.trial >= one.case.loss_start[m]
        )
        for one in scored
        for m in one.case.lost()
    )


def confirmed_percent(
    scored: Sequence[Scored], said: Callable[[Alarm], bool], muscles: tuple[str, ...] = ("",)
) -> float:
    """Percent of muscles with a confirmed alarm of which any was ``said`` to be so.

    ``muscles``: those that count, by the end of their names; all by default.
    """
    hits = []
    for one in scored:
        for muscle in one.case.muscles:
            own = [a for a in one.alarms if a.muscle == muscle and a.state == "active"]
            if own and muscle.endswith(muscles):
                hits.append(any(said(alarm) for alarm in own))
    return _percent(hits)


def left_out(scored: Sequence[Scored]) -> int:
    """Losses that don't count: their muscle had a confirmed alarm before."""
    return sum(len(one.case.lost()) - len(one.losses()) for one in scored)


def _percent(hits: Sequence[bool]) -> float:
    return 100.0 * sum(hits) / len(hits) if hits else math.nan
