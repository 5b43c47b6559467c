"""How far alarms can be trusted: false ones against losses found, ours beside the usual rules.

``python -m bench.alarms`` simulates cases (:mod:`bench.alarm_cases`), runs the product's tracker
and the literal rules over them and prints the table; ``--plots DIR`` draws the frontier and single
cases; ``--cases FILE.parquet`` scores cases given from outside instead, and ``--out FILE.parquet``
writes every alarm of ours. Nothing is random but the cases, and those hang on their seed alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import structs

from bench import alarm_controls, alarm_waiting
from bench.alarm_cases import DESIGN, EVALUATION, Case, Loss, Scenario, read, simulate, wider
from bench.alarm_rules import Alarm, Ewma, InARow, Ours, Rule, channels_of, measurement
from bench.alarm_score import (
    Scored,
    false_percent,
    first_shown_percent,
    focal_percent,
    found_percent,
    left_out,
    lost_but_not_high,
    median_since_below,
    median_trials,
    score,
    untrue_percent,
)
from bench.measured import header, machine, row
from monitor.config import CaseConfig, TrackSection
from monitor.track.estimator import AmplitudeEstimator
from monitor.track.tracker import Tracker
from monitor.types import Epoch, Measurement, MonitorError, Stimulus

RULES: tuple[Rule, ...] = (InARow(1), InARow(2), InARow(3), Ewma(), Ours())
MUSCLES = ("APB", "AH", "TA")
LOSSES = ((0.6, 10), (0.7, 6), (0.9, 3), (1.0, 3))

STABLE = Scenario("stable")
AROUND = (
    replace(STABLE, name="correlation 0", correlation=0.0),
    replace(STABLE, name="correlation 0.5", correlation=0.5),
    replace(STABLE, name="no fade", fade=0.0),
    replace(STABLE, name="300 trials", trials=300),
    wider(replace(STABLE, name="16 muscles"), 16),
    replace(STABLE, name="block", block=True),
    replace(STABLE, name="variability of each muscle's own", spread=0.25),
    replace(STABLE, name="steps of its own, half the fade", fade=0.5, own_steps=0.2),
)
OTHER_LOSSES = (
    ("70 % on both sides, AH", Loss(0.7, "AH", "bilateral"), 6),
    ("70 % over ten minutes, AH", Loss(0.7, "AH", ramp_min=10.0), 6),
    ("90 % over ten minutes, AH", Loss(0.9, "AH", ramp_min=10.0), 6),
    ("total, both legs whole", Loss(1.0, "AH", "legs"), 3),
    ("90 % for 4 trials only, AH", Loss(0.9, "AH", lasts_trials=4), 4),
)
SLOW_LOSSES = (
    ("60 % over 20 min, TA", Loss(0.6, "TA", ramp_min=20.0)),
    ("60 % over 10 min, AH", Loss(0.6, "AH", ramp_min=10.0)),
    ("60 % at once, AH", Loss(0.6, "AH")),
)
"""Of long cases: how long a loss about the criterion stays unconfirmed."""
SLOW_TRIALS, SLOW_WITHIN = 240, (15, 30, 60)
PROBABILITIES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
PERCENTS = (2.0, 4.0, 6.0, 8.0, 10.0, 13.0, *(float(p) for p in range(16, 62, 3)))
REPEATS, LEARNING = 10, 12
WAITING = 100
"""So many stable cases, and losses, are run with the time between their trials."""
LIMITS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.alarms", description=__doc__)
    parser.add_argument("--cases", type=Path, help="score these cases (Parquet)")
    parser.add_argument("--out", type=Path, help="write every alarm of ours (Parquet)")
    parser.add_argument("--plots", type=Path, help="draw into this folder")
    parser.add_argument("--n", type=int, default=1000, help="stable cases; losses: a third each")
    parser.add_argument("--design", action="store_true", help="the seeds that tuning uses")
    given = parser.parse_args(arguments)
    if given.out is not None and not given.out.parent.is_dir():
        print(f"{given.out}: there is no folder {given.out.parent}", file=sys.stderr)
        return 2
    print(machine())
    try:
        if given.cases is not None:
            _outside(read(given.cases), given.out)
            return 0
    except MonitorError as error:
        print(error, file=sys.stderr)
        return 2
    seed = DESIGN if given.design else EVALUATION
    print(f"seeds     {'design' if given.design else 'evaluation'}, {seed}\n")
    stable = simulate(STABLE, given.n, seed)
    losses = {
        (fraction, muscle): simulate(
            replace(STABLE, name=f"loss-{fraction:g}-{muscle}", loss=Loss(fraction, muscle)),
            max(given.n // 3, 1),
            seed + 1,
        )
        for fraction, _ in LOSSES
        for muscle in MUSCLES
    }
    ours = _table(stable, losses)
    _around(seed, given.n)
    alarm_controls.print_rows(seed, max(given.n // 5, 1))
    _cost()
    few = max(given.n // 3, 1)
    frontier = Frontier(stable[:few], {key: cases[:few] for key, cases in losses.items()})
    frontier.print()
    if given.out is not None:
        write(given.out, [alarm for one in ours for alarm in one.alarms])
    if given.plots is not None:
        from bench import alarm_plots  # matplotlib is not needed for figures alone

        alarm_plots.frontier(frontier.curves, given.plots / "alarms_frontier.png")
        alarm_plots.single_cases(seed, given.plots)
    return 0


def _table(stable: list[Case], losses: dict[tuple[float, str], list[Case]]) -> list[Scored]:
    """The table of the losses and false alarms by rule; ours, scored."""
    print(f"{'rule':<24}{'false':>7}" + "".join(
        f"{f'{fraction:.0%} {muscle}/{within}':>13}"
        for fraction, within in LOSSES
        for muscle in MUSCLES
    ))  # fmt: skip
    kept: list[Scored] = []
    found_all: list[Scored] = []
    for rule in RULES:
        scored = score(rule, stable)
        cells = []
        for fraction, within in LOSSES:
            for muscle in MUSCLES:
                one = score(rule, losses[fraction, muscle])
                cells.append(f"{found_percent(one, within):>7.1f} ({median_trials(one):>2g})")
                if isinstance(rule, Ours):
                    found_all += one
        name = rule.name
        print(f"{name:<24}{false_percent(scored):>6.1f}%" + "".join(f"{c:>13}" for c in cells))
        if isinstance(rule, Ours):
            kept = scored
    print(f"left out, for a confirmed alarm stood before the loss: {left_out(found_all)} of ours")
    severe = [s for s in found_all if max(s.case.loss_fraction) >= 0.9]
    print(
        f"\nn = {len(stable)} stable cases, {len(losses[0.6, 'AH'])} of each loss; percent of "
        "losses confirmed within so many stimuli\n(rejected ones count), in brackets the median "
        "stimulus. Of ours:"
    )
    print(f"  90 % and total losses within 3            {found_percent(severe, 3):>6.1f} %")
    print(f"  trials <= 50 % shown at once              {first_shown_percent(kept):>6.1f} %")
    print(f"  stable cases (fade alone) called focal    {focal_percent(kept):>6.1f} %")
    print(f"  focal losses of 70 % and more called so   {_focal_of_focal(found_all):>6.1f} %")
    alarm_waiting.print_rows(stable[:WAITING], [s.case for s in severe][:WAITING])
    return kept + found_all


def _focal_of_focal(scored: list[Scored]) -> float:
    return focal_percent([s for s in scored if max(s.case.loss_fraction) >= 0.7])


def _around(seed: int, n: int) -> None:
    """The scenarios around the reference: false alarms without a loss, and other kinds of loss."""
    few = max(n // 5, 1)
    print(f"\naround the reference, n = {few} each")
    for scenario in AROUND:
        cases = simulate(scenario, few, seed + 2)
        scored = score(Ours(), cases)
        literal = [false_percent(score(InARow(k), cases)) for k in (2, 3)]
        print(
            f"  {scenario.name:<33} false: ours {false_percent(scored):>5.1f} % "
            f"({untrue_percent(scored):.1f} % of a muscle truly above half), 2 and 3 in a row "
            f"{literal[0]:>5.1f} and {literal[1]:>5.1f} %; called focal "
            f"{focal_percent(scored):>4.1f} %"
        )
    for name, loss, within in OTHER_LOSSES:
        cases = simulate(replace(STABLE, name=name, loss=loss), few, seed + 3)
        scored = score(Ours(), cases)
        print(
            f"  {name:<28} {found_percent(scored, within):>5.1f} % within {within}; confirmed "
            f"below high: {lost_but_not_high(scored)}"
        )
    for name, loss in SLOW_LOSSES:
        long = replace(STABLE, name=name, loss=loss, trials=SLOW_TRIALS)
        scored = score(Ours(), simulate(long, max(few // 2, 1), seed + 3))
        within = ", ".join(f"{found_percent(scored, n):.0f} % within {n}" for n in SLOW_WITHIN)
        print(
            f"  {f'{name}, {SLOW_TRIALS} trials':<36} median stimulus "
            f"{median_trials(scored):g}, {median_since_below(scored):g} since truly below half; "
            f"{within} (n = {len(scored)})"
        )
    quiet = Scenario("one outlier", trials=110, fade=0.0, outliers=0.0, weak_trials=0.0)
    plain = simulate(quiet, few, seed + 4)
    without = score(Ours(), plain)
    with_one = score(Ours(), [with_outlier(case, i) for i, case in enumerate(plain)])
    own = sum(any(a.muscle == one.case.muscles[0] for a in one.high) for one in with_one)
    print(
        f"  one outlier among 100 stable trials: a high alarm in {_high(with_one)} of {few} cases, "
        f"on the muscle itself in {own}; without the outlier in {_high(without)}"
    )


def _high(scored: Sequence[Scored]) -> int:
    return sum(bool(one.high) for one in scored)


def with_outlier(case: Case, i: int) -> Case:
    """The first muscle with a single sweep at 5 % of its median, after its baseline."""
    amplitude_uv = case.amplitude_uv.copy()
    t = 20 + i % 80
    amplitude_uv[t, 0] = 0.05 * np.median(amplitude_uv[:, 0])
    status = tuple(("response", *row[1:]) if at == t else row for at, row in enumerate(case.status))
    return replace(case, amplitude_uv=amplitude_uv, status=status)


def _cost() -> None:
    """The time of a trial of 16 muscles in this stage: the estimator alone, then all of it.

    A stable case with the whole fade, so that some unconfirmed losses stand in most of its trials;
    and the same with eight muscles at 30 % from the end of learning on.
    """
    case = simulate(wider(STABLE, 16), 1, DESIGN)[0]
    channels = channels_of(case)
    trials = [
        tuple(measurement(case, t, m) for m in range(len(channels)))
        for t in range(len(case.trials))
    ]
    rng = np.random.default_rng(DESIGN)
    sweeps_uv = rng.normal(0.0, 100.0, (len(channels), 1250)).astype(np.float32)
    lost = [tuple(_at_30_percent(m) if i < 8 else m for i, m in enumerate(row)) for row in trials]
    estimates, learning, after, alarmed = [], [], [], []
    for _ in range(REPEATS):
        estimator = AmplitudeEstimator(channels, [50.0] * len(channels))
        given: list[float | None] = [float(uv) for uv in np.median(case.amplitude_uv[:10], axis=0)]
        tracker, with_losses = Tracker(channels, CaseConfig()), Tracker(channels, CaseConfig())
        for t, trial in enumerate(trials):
            at_s = float(case.time_s[t])
            before = time.perf_counter()
            estimator.observe(at_s, trial, given)
            estimator.judge()
            estimates.append(1e3 * (time.perf_counter() - before))
            if t == 9:
                for m in range(len(channels)):
                    estimator.baseline_learned(m)
            stimulus = Stimulus(at_s, "", case.settings[t])
            epoch = Epoch(case.trials[t], stimulus, at_s, 0, 500, 0.0, 5000.0, sweeps_uv)
            before = time.perf_counter()
            for _ in tracker.trial(epoch, trial, sweeps_uv):
                pass
            (learning if t < LEARNING else after).append(1e3 * (time.perf_counter() - before))
            given_now = trial if t < LEARNING else lost[t]
            before = time.perf_counter()
            for _ in with_losses.trial(epoch, given_now, sweeps_uv):
                pass
            if t >= LEARNING:
                alarmed.append(1e3 * (time.perf_counter() - before))
    print("\ncost of a trial of 16 muscles\n" + header())
    print(row("estimator: state, every estimate, interval", estimates, (50, 0.1)))
    print(row("whole stage, baselines frozen", after, (50, 0.1)))
    print(row("whole stage, 8 muscles at 30 % of baseline", alarmed))
    print(row(f"whole stage, first {LEARNING} trials (learning)", learning))


def _at_30_percent(measured: Measurement) -> Measurement:
    """The same with less than a third of the amplitude, and of its bounds."""
    shares = {
        name: 0.3 * uv
        for name in ("amplitude_uv", "amplitude_lower_uv", "amplitude_upper_uv")
        if (uv := getattr(measured, name)) is not None
    }
    return structs.replace(measured, **shares)


class Frontier:
    """Losses found against false cases, for every rule as its threshold moves."""

    def __init__(self, stable: list[Case], losses: dict[tuple[float, str], list[Case]]) -> None:
        families: dict[str, list[Rule]] = {
            f"{k} in a row": [InARow(k, percent) for percent in PERCENTS] for k in (1, 2, 3)
        }
        families["EWMA"] = [Ewma(limit) for limit in LIMITS]
        families["estimator"] = [
            Ours(TrackSection(confirm="estimator", confirm_probability=p)) for p in PROBABILITIES
        ]
        self.curves: dict[str, list[tuple[float, dict[str, tuple[float, float]]]]] = {}
        for family, rules in families.items():
            self.curves[family] = [
                (
                    false_percent(score(rule, stable)),
                    {
                        muscle: (found_percent(one, 6), median_trials(one))
                        for muscle in MUSCLES
                        for one in [score(rule, losses[0.7, muscle])]
                    },
                )
                for rule in rules
            ]

    def at(self, family: str, muscle: str, false: float) -> float:
        """Losses of 70 % found within 6 where the rule is moved to so many false cases.

        0 where no threshold that was tried brings the rule down to so few.
        """
        points = sorted((f, found[muscle][0]) for f, found in self.curves[family])
        if false < points[0][0]:
            return 0.0
        return float(np.interp(false, [f for f, _ in points], [found for _, found in points]))

    def print(self) -> None:
        """The rules at the same false alarms."""
        print("\n70 % loss within 6 stimuli, every rule moved to the same share of false cases")
        print(f"{'rule':<16}" + "".join(f"{f'{m} at {f} %':>14}" for f in (2, 10) for m in MUSCLES))
        for family in self.curves:
            cells = [self.at(family, muscle, f) for f in (2.0, 10.0) for muscle in MUSCLES]
            print(f"{family:<16}" + "".join(f"{cell:>14.1f}" for cell in cells))
        literal = {m: max(self.at(f"{k} in a row", m, 10.0) for k in (1, 2, 3)) for m in MUSCLES}
        gains = {m: self.at("estimator", m, 10.0) - literal[m] for m in MUSCLES}
        print("against the best literal rule at 10 %: "
              + ", ".join(f"{m} {gain:+.1f} points" for m, gain in gains.items()))  # fmt: skip


def _outside(cases: list[Case], out: Path | None) -> None:
    """Score cases that were given."""
    kinds = dict.fromkeys(case.kind for case in cases)
    for rule in RULES:
        scored = score(rule, cases)
        print(f"\n{rule.name}")
        for kind in kinds:
            own = [one for one in scored if one.case.kind == kind]
            without = [one for one in own if not one.case.lost()]
            with_loss = [one for one in own if one.case.lost()]
            line = f"  {kind:<28} n {len(own):>5}"
            if without:
                line += f"  false {false_percent(without):>5.1f} %"
                line += f"  called focal {focal_percent(without):>5.1f} %"
            if with_loss:
                found = ", ".join(f"{found_percent(with_loss, w):.1f} % in {w}" for w in (3, 6, 10))
                line += f"  found {found}; median {median_trials(with_loss):g}"
            print(line)
        if isinstance(rule, Ours):
            print(f"  trials <= 50 % shown at once: {first_shown_percent(scored):.1f} %")
            if out is not None:
                write(out, [alarm for one in scored for alarm in one.alarms])


def write(path: Path, alarms: list[Alarm]) -> None:
    """Write alarms, a row a change."""
    names = Alarm.__dataclass_fields__
    rows = [asdict(alarm) for alarm in alarms]
    pq.write_table(pa.table({name: [r[name] for r in rows] for name in names}), path)
    print(f"\n{len(rows)} alarms written to {path}")


if __name__ == "__main__":
    raise SystemExit(main())
