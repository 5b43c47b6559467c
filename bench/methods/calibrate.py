"""The two numbers that published methods leave open: ``python -m bench.methods.calibrate``.

On the simulator's validation split, never on the test split: what each k of the TKEO + Hilbert
pipeline gives, and the template detector's limit by 1 % false responses on sweeps without
artefact. What it prints stands as a constant in their modules.
"""

from __future__ import annotations

import argparse

from bench.accuracy import answer
from bench.accuracy_score import BANDS, band_score, detection_score
from bench.accuracy_sets import LabelledSet, simulated_set
from bench.methods.base import Cleaned, Method, MethodAnswers
from bench.methods.template import Template, false_limit
from bench.methods.tkeo_hilbert import TkeoHilbert

CHOICES = (3.0, 5.0, 8.0, 12.0, 16.0, 24.0)


def answered(method: Method, data: LabelledSet) -> MethodAnswers:
    """Its answers to a simulated set, which no method refuses."""
    said = answer(method, data)
    assert said is not None
    return said


def tkeo_lines(data: LabelledSet) -> list[str]:
    """One line a choice of k: right decisions, and onset error with misses from SNR 5."""
    lines = []
    for k in CHOICES:
        said = answered(Cleaned(TkeoHilbert(k=k)), data)
        found = detection_score("", said, data.labels)
        high = band_score("", said, data.labels, BANDS[-1], said.found())
        lines.append(
            f"k {k:>4g}: right {found.right:.3f}, false {found.false:.3f}; "
            f"SNR >= 5: onset {high.mae_ms:.2f} ms, missed {high.missed:.3f}"
        )
    return lines


def template_limit(data: LabelledSet) -> float:
    """The template detector's limit on a set."""
    said = answered(Cleaned(Template()), data)
    plain = (data.labels["present"] == 0) & (data.labels["artefact"] == 0)
    return false_limit(said.score[plain])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.methods.calibrate")
    parser.add_argument("--n", type=int, default=6400)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    data = simulated_set("validation", options.seed, options.n)
    print("\n".join(tkeo_lines(data)))
    print(f"template limit {template_limit(data):.1f}")


if __name__ == "__main__":
    main()
