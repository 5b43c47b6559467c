"""Plots for :mod:`bench.alarms`: the frontier, and single cases with estimate and alarms."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench.alarm_cases import Case, Loss, Scenario, simulate
from bench.alarm_rules import Ours, channels_of
from monitor.config import TrackSection
from monitor.track.estimator import AmplitudeEstimator

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

CURVES = dict[str, list[tuple[float, dict[str, tuple[float, float]]]]]
NAMES = {"APB": "hand, CV 48 %", "AH": "abductor hallucis, CV 35 %", "TA": "tibialis ant., CV 27 %"}
COLOURS = {"low": "#4477aa", "medium": "#ddaa33", "high": "#bb3333"}


def frontier(curves: CURVES, path: Path) -> None:
    """Losses of 70 % found, and stimuli until then, against false cases; a column a muscle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(2, 3, figsize=(13, 7), sharex=True, layout="constrained")
    for column, (muscle, name) in enumerate(NAMES.items()):
        for family, points in curves.items():
            ordered = sorted((false, *found[muscle]) for false, found in points)
            false = [max(f, 0.2) for f, _, _ in ordered]
            width = 2.4 if family == "estimator" else 1.2
            axes[0, column].plot(
                false, [found for _, found, _ in ordered], "o-", lw=width, ms=3, label=family
            )
            finite = [n if np.isfinite(n) else np.nan for _, _, n in ordered]
            axes[1, column].plot(false, finite, "o-", lw=width, ms=3)
        axes[0, column].set(title=name, ylim=(0, 102))
        axes[1, column].set(xlabel="stable cases with a high alarm, %", xscale="log", ylim=(0, 16))
        for axis in axes[:, column]:
            axis.axvline(10, color="0.6", ls=":")
            axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("70 % losses confirmed within 6 stimuli, %")
    axes[1, 0].set_ylabel("median stimulus that confirms")
    axes[0, 2].legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def single_cases(seed: int, folder: Path) -> None:
    """A stable case, a fade, a sudden and a slow loss: the most affected muscle of each."""
    shown = {
        "stable": Scenario("stable", fade=0.0),
        "fade": Scenario("fade", fade=1.15),
        "sudden_loss": Scenario("sudden", loss=Loss(0.7, "AH")),
        "slow_loss": Scenario("slow", loss=Loss(0.8, "AH", ramp_min=10.0)),
    }
    for name, scenario in shown.items():
        case = simulate(scenario, 1, seed + 9)[0]
        _case(case, name.replace("_", " "), folder / f"alarms_{name}.png")


def _case(case: Case, title: str, path: Path) -> None:
    affected = case.lost() or [2]
    rows = [affected[0], next(m for m in range(len(case.muscles)) if m not in affected)]
    percent, estimate = _followed(case)
    figure, axes = plt.subplots(len(rows), 1, figsize=(11, 6.5), sharex=True, layout="constrained")
    trials = Ours().trials(case)
    for axis, m in zip(axes, rows, strict=True):
        hours = case.time_s / 3600.0
        axis.plot(hours, percent[:, m], "o", ms=3, color="0.45", label="trial")
        axis.plot(hours, estimate[:, m, 0], color="#225522", lw=1.6, label="estimate, 95 %")
        axis.fill_between(
            hours, estimate[:, m, 1], estimate[:, m, 2], color="#55aa55", alpha=0.25, lw=0
        )
        for t, (_, conditions) in enumerate(trials):
            for c in (c for c in conditions if c.channel == case.muscles[m]):
                marker = {"unconfirmed": "v", "resolved": "x", "latched": "s"}.get(c.state, "D")
                if c.kind in ("amplitude_drop", "response_lost"):
                    axis.plot(hours[t], 14, marker, color=COLOURS[c.priority], ms=6)
        axis.axhline(50, color="#bb3333", lw=0.8, ls="--")
        axis.axhline(60, color="0.6", lw=0.8, ls=":")
        _truth(axis, case, m)
        axis.set(yscale="log", ylim=(10, 400), ylabel=f"{case.muscles[m]}, % of baseline")
        axis.set_yticks([12.5, 25, 50, 100, 200, 400], ["12", "25", "50", "100", "200", "400"])
        axis.minorticks_off()
        axis.grid(alpha=0.25)
    axes[0].legend(loc="upper right", fontsize=8)
    axes[0].set_title(
        f"{title}: alarms below (v unconfirmed, D active, s latched, x resolved; "
        "blue low, yellow medium, red high)",
        fontsize=10,
    )
    axes[-1].set_xlabel("hours")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _truth(axis: Axes, case: Case, m: int) -> None:
    start = case.loss_start[m]
    if start >= 0:
        at = case.time_s[case.trials.index(start)] / 3600.0
        axis.axvline(at, color="k", lw=1.0)
        axis.annotate(f"loss of {case.loss_fraction[m]:.0%}", (at, 300), fontsize=8)


def _followed(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """(trials, muscles) percent as measured; (trials, muscles, 3) estimate and its bounds."""
    ours = Ours().trials(case)
    shape = case.amplitude_uv.shape
    percent, estimate = np.full(shape, np.nan), np.full((*shape, 3), np.nan)
    channels = [row.channel for row in ours[0][0].channels]
    track = TrackSection()
    estimator = AmplitudeEstimator(channels_of(case), [track.alarm_percent] * len(channels))
    baselines: list[float | None] = [None] * len(channels)
    for t, (trial, _) in enumerate(ours):
        before = [row.baseline_uv for row in trial.channels]
        for m, uv in enumerate(before):
            if uv is not None and uv != baselines[m]:
                estimator.baseline_learned(m)
        baselines = before
        estimator.observe(trial.stimulus_s, [row.measurement for row in trial.channels], baselines)
        for m, found in enumerate(estimator.judge()):
            percent[t, m] = trial.channels[m].percent_of_baseline or np.nan
            if found is not None:
                estimate[t, m] = found.percent, found.lower_percent, found.upper_percent
    return percent, estimate
