"""What is asked of ours as deployed, and whether it is met: one line a figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench.accuracy_score import BANDS, BandScore, DetectionScore, band_score, detection_score
from bench.accuracy_sets import LabelledSet
from bench.methods.base import MethodAnswers

WEAK, LOW, _, STRONG, CLEAR = BANDS
WHOLE = (-np.inf, np.inf)


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and its limit: an upper one where ``at_most``, else a lower one."""

    what: str
    got: float
    limit: float
    at_most: bool
    digits: int = 2

    @property
    def met(self) -> bool:
        """False for a figure that could not be had."""
        return self.got <= self.limit if self.at_most else self.got >= self.limit

    def line(self) -> str:
        """As the bench prints it."""
        sign = "<=" if self.at_most else ">="
        got = f"{self.got:.{self.digits}f}" if np.isfinite(self.got) else "-"
        asked = f"{sign} {self.limit:g}"
        return f"{self.what:<58}{got:>9}{asked:>11}  {'yes' if self.met else 'NO'}"


def targets_of(data: LabelledSet, deployed: MethodAnswers, tkeo: MethodAnswers) -> Iterator[Target]:
    """What is asked of a set, by its name; nothing of one that nothing is asked of.

    Args:
        data: simulated (with SNR) or recorded.
        deployed: answers of ours as deployed.
        tkeo: the same with the TKEO stage's onsets.
    """
    decided = detection_score("", deployed, data.labels)
    if np.isfinite(data.labels["snr"]).any():
        yield from _simulated(data, deployed, tkeo, decided)
    elif data.name == "mepfeatx":
        truth_uv = data.labels["amplitude_uv"]
        found = (deployed.response == 1.0) & np.isfinite(truth_uv)
        for what, uv, limit in (
            ("raw", deployed.amplitude_raw_uv, 1.0),
            ("corrected", deployed.amplitude_uv, 3.0),
        ):
            error = 100 * np.median(np.abs(uv / truth_uv - 1)[found])
            yield Target(f"mepfeatx: {what} amplitude, median error %", error, limit, True)
        yield Target("mepfeatx: present or absent agrees, %", 100 * decided.right, 97.0, False, 1)
    elif data.name == "dbs-artefact":
        yield Target("dbs-artefact: false responses of 190", _said(deployed), 0.0, True, 0)
    elif data.name == "tms-brainvision":
        there = data.labels["present"] == 1.0
        answered = float((deployed.response == 1.0)[there].sum())
        silent = float((deployed.response == 0.0)[~there].sum())
        yield Target("tms-brainvision: right muscles answer, of 40", answered, 40.0, False, 0)
        yield Target("tms-brainvision: left muscles silent, of 40", silent, 39.0, False, 0)


def _said(answers: MethodAnswers) -> float:
    return float((answers.response == 1.0).sum())


def _simulated(
    data: LabelledSet, deployed: MethodAnswers, tkeo: MethodAnswers, decided: DetectionScore
) -> Iterator[Target]:
    def score(answers: MethodAnswers, band: tuple[float, float]) -> BandScore:
        return band_score("", answers, data.labels, band, answers.found())

    clear, weak, low, strong, whole = (
        score(deployed, band) for band in (CLEAR, WEAK, LOW, STRONG, WHOLE)
    )
    yield Target("onset MAE, SNR >= 5, ms", clear.mae_ms, 0.4, True)
    yield Target("onset MAE, SNR 1.5-3, ms", weak.mae_ms, 2.5, True)
    yield Target("TKEO alone: onset MAE, SNR >= 5, ms", score(tkeo, CLEAR).mae_ms, 0.9, True)
    yield Target("TKEO alone: onset MAE, SNR 1.5-3, ms", score(tkeo, WEAK).mae_ms, 6.0, True)
    yield Target("onset within 0.5 ms, SNR >= 5, %", 100 * clear.below_half, 80.0, False, 1)
    yield Target("onset within 1 ms, SNR >= 5, %", 100 * clear.below_one, 96.0, False, 1)
    # What alarms rest on: an uncertain amplitude neither confirms nor clears.
    doubted = deployed.amplitude_uncertain == 1.0
    certain = score(
        replace(deployed, amplitude_uv=np.where(doubted, np.nan, deployed.amplitude_uv)), CLEAR
    )
    for name, part in (
        ("all found", whole),
        ("SNR >= 5", clear),
        ("SNR >= 5, not in doubt", certain),
    ):
        yield Target(f"amplitude R2, {name}", part.r2, 0.995, False, 4)
        yield Target(f"amplitude ICC, {name}", part.icc, 0.98, False, 4)
        yield Target(f"log amplitude R2, {name}", part.r2_log, 0.995, False, 4)
        yield Target(f"log amplitude ICC, {name}", part.icc_log, 0.98, False, 4)
    bias = abs(100 * low.amplitude_bias)
    yield Target("amplitude, SNR 3-5: |median bias| %", bias, 5.0, True, 1)
    yield Target("artefact or not, right %", 100 * decided.artefact_right, 98.0, False, 1)
    yield Target("sweeps without artefact rejected, %", 100 * decided.rejected_clean, 1.0, True, 1)
    yield Target("response present or absent, right %", 100 * decided.right, 98.0, False, 1)
    yield Target("shape right, SNR > 10, %", 100 * strong.shape_right, 97.0, False, 1)
    yield Target("shape right, SNR 1.5-3, %", 100 * weak.shape_right, 75.0, False, 1)
