"""Where a method is strong and weak: its scores by artefact, train, sampling rate, latency, shape.

Every kind but the artefact's own is over sweeps without artefact: one cause at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench.accuracy_score import BANDS, BandScore, DetectionScore, band_score, detection_score
from bench.accuracy_sets import LabelledSet
from bench.accuracy_table import ms, percent
from bench.methods.base import FloatArray, MethodAnswers

BoolArray = NDArray[np.bool_]

#: Kind -> edges of its classes, [low, high).
EDGES: dict[str, tuple[float, ...]] = {
    "last pulse ms": (0.0, 0.1, 9.0, 13.0, 20.0, 40.0),
    "before it ms": (0.0, 1.0, 60.0, 500.0),
    "fs kHz": (2.0, 2.9, 4.5, 9.0, 15.0, 30.0),
    "onset ms": (8.0, 12.0, 20.0, 30.0, 40.0, 51.0),
    "duration ms": (5.0, 8.0, 12.0, 20.0, 30.0, 41.0),
    "shape": (1.0, 2.0, 3.0, 4.0),
}
LEAST = 8


def classes(data: LabelledSet) -> Iterator[tuple[str, BoolArray]]:
    """Name and members of each class of sweeps."""
    clean = data.labels["artefact"] != 1.0
    yield "all", np.ones(data.size, dtype=np.bool_)
    yield "no artefact", clean
    count = np.sum(list(data.artefact_types.values()), axis=0) if data.artefact_types else 0
    for name, there in data.artefact_types.items():
        yield f"only {name.replace('_', ' ')}", there & (count == 1)
    groups = data.groups
    last_ms = data.of_group([group.pulses_ms[-1] for group in groups])
    values: dict[str, FloatArray] = {
        "last pulse ms": last_ms,
        "before it ms": data.of_group([1e3 * g.stimulus_index / g.fs_hz for g in groups]),
        "fs kHz": data.of_group([group.fs_hz / 1e3 for group in groups]),
        "onset ms": data.labels["onset_ms"] - last_ms,
        "duration ms": data.labels["duration_ms"],
        "shape": data.labels["morphology"],
    }
    for kind, edges in EDGES.items():
        for low, high in pairwise(edges):
            inside = (values[kind] >= low) & (values[kind] < high)
            shown = f"{low:g}" if kind == "shape" else f"{low:g}-{high:g}"
            yield f"{kind} {shown}", clean & inside


def profile(name: str, answers: MethodAnswers, data: LabelledSet) -> str:
    """The table for one method; classes with too few responses and absent sweeps are left out."""
    titles = (
        f"{name:<28}{'SNR >= 5: n':>12}{'missed %':>9}{'MAE ms':>8}{'p95':>7}{'bias':>7}"
        f"{'size %':>8}{'range %':>8}{'shape %':>8}{'  3-5: missed %':>15}{'none: n':>9}"
        f"{'false %':>9}{'rejected %':>11}{'  artefact seen %':>17}"
    )
    lines = [titles, "-" * len(titles)]
    for title, members in classes(data):
        present = np.where(members, data.labels["present"], np.nan)
        labels = data.labels | {"present": present}
        strong = band_score(title, answers, labels, BANDS[-1], answers.found())
        weak = band_score(title, answers, labels, BANDS[1], answers.found())
        absent = present == 0.0
        if strong.n >= LEAST or absent.sum() >= LEAST:
            decided = detection_score(title, answers, labels)
            rejected = np.isnan(answers.response[absent])
            seen = answers.artefact[members] == 1.0
            lines.append(_line(strong, weak, decided, int(absent.sum()), rejected, seen))
    return "\n".join(lines)


def _line(
    strong: BandScore,
    weak: BandScore,
    decided: DetectionScore,
    absent: int,
    rejected: BoolArray,
    seen: BoolArray,
) -> str:
    share = float(rejected.mean()) if rejected.size else np.nan
    return (
        f"{strong.method:<28}{strong.n:>12}{percent(strong.missed):>9}{ms(strong.mae_ms):>8}"
        f"{ms(strong.p95_ms):>7}{ms(strong.bias_ms):>7}{percent(strong.amplitude_bias):>8}"
        f"{percent(strong.covered):>8}{percent(strong.shape_right):>8}"
        f"{percent(weak.missed):>15}{absent:>9}{percent(decided.false):>9}{percent(share):>11}"
        f"{percent(float(seen.mean())):>17}"
    )
