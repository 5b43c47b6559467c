"""Alarms of a profile with control muscles: what is lowered, what is called focal or global.

Without controls nothing is ever lowered or called global, so that only these rows can show a loss
that was. ``python -m bench.alarm_controls`` prints them alone, ``python -m bench.alarms`` with the
rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec.structs import replace as with_values

from bench.alarm_cases import DESIGN, EVALUATION, Case, Loss, Scenario, simulate
from bench.alarm_rules import DEFAULT, Alarm, Ours
from bench.alarm_score import (
    Scored,
    confirmed_percent,
    false_percent,
    focal_percent,
    lost_but_not_high,
    score,
)
from monitor.track.estimator import fade_depth

HANDS = Ours(with_values(DEFAULT, controls=("APB",)))
OTHER_SIDE = Ours(with_values(DEFAULT, controls=("other_side",)))
PROFILES = (("hands", HANDS), ("other side", OTHER_SIDE))

STABLE = Scenario("stable")
LEGS = ("AH", "TA")
SUDDEN = (
    ("total, both legs whole", Loss(1.0, "AH", "legs")),
    ("70 %, both legs whole", Loss(0.7, "AH", "legs")),
    ("60 %, both legs whole", Loss(0.6, "AH", "legs")),
    ("60 %, both AH", Loss(0.6, "AH", "bilateral")),
    ("70 %, one AH", Loss(0.7, "AH")),
)
SLOW = (
    ("60 % over 20 min, legs", Loss(0.6, "AH", "legs", ramp_min=20.0), 80),
    ("60 % over 40 min, legs", Loss(0.6, "AH", "legs", ramp_min=40.0), 80),
    ("60 % over 40 min, legs, 160 trials", Loss(0.6, "AH", "legs", ramp_min=40.0), 160),
    ("90 % over 40 min, legs", Loss(0.9, "AH", "legs", ramp_min=40.0), 80),
)
"""Slow losses of both legs, with the whole published fade as every case here."""
OF_ALL = (
    ("legs to 40 % over 60 min", 0.6, 60.0),
    ("legs to 25 % over 60 min", 0.75, 60.0),
    ("legs to 25 % over 120 min", 0.75, 120.0),
    ("legs to 40 % over 20 min", 0.6, 20.0),
    ("legs to 25 % at once", 0.75, 0.0),
)
OF_ALL_FROM = 25


def of_all(case: Case, fraction: float, over_min: float) -> Case:
    """A stable case in which all muscles fall, legs by ``fraction`` and hands half as deep."""
    since_min = (case.time_s - case.time_s[OF_ALL_FROM]) / 60.0
    done = np.clip(since_min / over_min, 0.0, 1.0) if over_min else 1.0 * (since_min >= 0.0)
    depth = np.array([fade_depth(name[2:]) for name in case.muscles])
    share = np.exp(np.log(1.0 - fraction) * done[:, None] * depth)
    true_share = None if case.true_share is None else case.true_share * share
    return replace(case, amplitude_uv=case.amplitude_uv * share, true_share=true_share)


def print_rows(seed: int, n: int) -> None:
    """Every row for ``n`` cases each."""
    print(f"\nwith control muscles, n = {n} each; of muscles with a confirmed alarm:")
    for name, rule in PROFILES:
        print(f"  controls: {name}")
        for what, loss in SUDDEN:
            scored = score(rule, simulate(replace(STABLE, name=what, loss=loss), n, seed + 5))
            print(
                f"    {what:<36} not high: {lost_but_not_high(scored)} of {_lost(scored)}; "
                f"cases with an alarm called focal {focal_percent(scored):.0f} %"
            )
        for what, loss, trials in SLOW:
            slow = replace(STABLE, name=what, loss=loss, trials=trials)
            scored = score(rule, simulate(slow, n, seed + 5))
            print(
                f"    {what:<36} not high: {lost_but_not_high(scored)} of {_lost(scored)}; "
                f"called global {confirmed_percent(scored, is_global, LEGS):.1f} %"
            )
        for what, scenario in (("fade alone", STABLE), ("block", replace(STABLE, block=True))):
            scored = score(rule, simulate(replace(scenario, name=what), n, seed + 6))
            print(
                f"    {what:<36} cases called focal {focal_percent(scored):.1f} %; with a high "
                f"alarm {false_percent(scored):.1f} %"
            )
        stable = simulate(STABLE, n, seed + 7)
        for what, fraction, over_min in OF_ALL:
            scored = score(rule, [of_all(case, fraction, over_min) for case in stable])
            print(
                f"    {f'all muscles, {what}':<36} legs called global "
                f"{confirmed_percent(scored, is_global, LEGS):.0f} %, lowered "
                f"{confirmed_percent(scored, is_lowered, LEGS):.0f} %; cases called focal "
                f"{focal_percent(scored):.0f} %"
            )


def is_global(alarm: Alarm) -> bool:
    return alarm.scope == "global"


def is_lowered(alarm: Alarm) -> bool:
    return alarm.priority != "high"


def _lost(scored: Sequence[Scored]) -> int:
    return sum(len(one.case.lost()) for one in scored)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.alarm_controls", description=__doc__)
    parser.add_argument("--n", type=int, default=60, help="cases of each row")
    parser.add_argument("--design", action="store_true", help="the seeds that tuning uses")
    given = parser.parse_args(arguments)
    print_rows(DESIGN if given.design else EVALUATION, given.n)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
