"""Alarms with the time between trials: what rises because nobody repeats, and what must.

The other figures of :mod:`bench.alarms` feed trials alone. Here time passes between them in steps
of a second, as it does live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec import structs

from bench.alarm_cases import Case
from bench.alarm_rules import DEFAULT, Ours
from bench.alarm_score import Scored, false_percent, score

TICKS_S = 1.0
SILENCE_S = 700.0
"""So long nobody stimulates after the first trial of a loss: longer than any rise takes."""

LIVE = Ours(ticks_s=TICKS_S)
PLAIN = Ours(structs.replace(DEFAULT, unconfirmed_rise_intervals=(0.0, 0.0)), TICKS_S)
"""The times of ``unconfirmed_rise_s`` alone, however seldom the case is stimulated."""


def print_rows(stable: Sequence[Case], losses: Sequence[Case]) -> None:
    """The rows of the table: stable cases, and losses that are never repeated."""
    print(f"  time passing, n = {len(stable)} stable cases, a high alarm of any kind in")
    for name, rule in (("trials alone", Ours()), ("plain 60 and 180 s", PLAIN), ("ours", LIVE)):
        print(f"    {name:<39} {false_percent(score(rule, stable)):>6.1f} %")
    for name, rule in (("plain 60 and 180 s", PLAIN), ("ours", LIVE)):
        waits_s = [wait_s for case in losses for wait_s in high_after_s(rule, case)]
        latest_s = max(wait_s for wait_s in waits_s if wait_s is not None)
        high = 100.0 * sum(wait_s is not None for wait_s in waits_s) / len(waits_s)
        print(
            f"    losses never repeated become high, {name:<19}{high:>6.1f} % of {len(waits_s)}, "
            f"at the latest after {latest_s:.0f} s"
        )


def high_after_s(rule: Ours, case: Case) -> list[float | None]:
    """Seconds to high of each loss of which nobody repeats the first trial; None: it never is.

    Muscles whose first trial of the loss raised nothing are left out; 0 where it was high at once.
    """
    cut = never_repeated(case)
    raised = Scored(cut, rule.alarms(cut))
    last, found = cut.trials[-1], list[float | None]()
    waits_s = {
        condition.channel: condition.evidence.get("not_repeated_for_s", 0.0)
        for _, conditions in rule.trials(cut)
        for condition in reversed(conditions)
        if condition.priority == "high"
    }
    for m in cut.lost():
        muscle = cut.muscles[m]
        now = [a for a in raised.alarms if a.muscle == muscle and a.trial == cut.loss_start[m]]
        if now:
            wait_s = waits_s.get(muscle)
            found.append(float(wait_s) if isinstance(wait_s, int | float) else None)
    assert all(alarm.trial != last for alarm in raised.alarms), "the last trial says nothing"
    return found


def never_repeated(case: Case) -> Case:
    """The case up to the first trial of its loss, and one long after that shows nothing."""
    start = max(case.loss_start)
    kept = case.trials.index(start) + 1
    muscles = len(case.muscles)
    return replace(
        case,
        time_s=np.append(case.time_s[:kept], case.time_s[kept - 1] + SILENCE_S),
        trials=(*case.trials[:kept], start + 1),
        settings=case.settings[: kept + 1],
        amplitude_uv=np.vstack([case.amplitude_uv[:kept], np.zeros((1, muscles))]),
        snr=np.vstack([case.snr[:kept], np.zeros((1, muscles))]),
        status=(*case.status[:kept], ("rejected",) * muscles),
    )
