"""How well sweeps are measured, ours beside the published methods: ``python -m bench.accuracy``.

Without arguments: the simulator's test split (never trained or tuned on), and the recorded sets
where ``../shared/data`` lies beside the checkout. ``--sweeps FILE.npz`` takes labelled sweeps of
one's own instead (:mod:`bench.accuracy_file` names its arrays). Every method goes through the one
interface of :mod:`bench.methods.base`; the published ones get the sweeps behind our removal of
artefact and mains, which they have no remedy for (``--raw``: as recorded).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)

from bench import accuracy_table as table  # noqa: E402
from bench.accuracy_file import read_sweeps  # noqa: E402
from bench.accuracy_profile import profile  # noqa: E402
from bench.accuracy_score import (  # noqa: E402
    BANDS,
    Labels,
    band_score,
    detection_score,
    doubt_scores,
)
from bench.accuracy_sets import LabelledSet, real_sets, simulated_set  # noqa: E402
from bench.accuracy_targets import Target, targets_of  # noqa: E402
from bench.measured import machine  # noqa: E402
from bench.methods.base import Method, MethodAnswers  # noqa: E402
from bench.methods.ours import DEPLOYED, TKEO_ONSET  # noqa: E402
from bench.methods.registry import PAPER_NETWORK, methods  # noqa: E402
from monitor.load_network import load_network  # noqa: E402
from monitor.types import MonitorError  # noqa: E402

SHARED = Path(__file__).parents[2] / "shared" / "data"
SEED = 2026
SWEEPS = 6400
#: Sweeps that are timed one by one.
TIMED = 200
#: The published latency methods' own ground, by label.
HOME = (("onset_ms", 12.0, 35.0), ("duration_ms", 0.0, 25.0))


def answer(
    method: Method, data: LabelledSet, refused: list[str] | None = None
) -> MethodAnswers | None:
    """A method's answers to a whole set, in the order of its rows.

    Set-ups that it refuses are left NaN, each with a line in ``refused``; None: all of them.
    """
    whole = {field.name: np.full(data.size, np.nan) for field in fields(MethodAnswers)}
    answered = 0
    for group in data.groups:
        try:
            said = method.measure(
                group.sweeps_uv, group.fs_hz, group.stimulus_index, group.pulses_ms
            )
        except ValueError as error:
            if refused is not None:
                refused.append(f"{method.name} refuses {len(group.rows)} of {data.name}: {error}")
            continue
        answered += 1
        for name, values in whole.items():
            values[group.rows] = getattr(said, name)
    return MethodAnswers(**whole) if answered else None


def answer_all(
    chosen: Sequence[Method], data: LabelledSet
) -> tuple[dict[str, MethodAnswers], dict[str, tuple[float, float]], list[str]]:
    """Answers by method; ms a sweep in one batch a set-up, and one by one; refusals as lines."""
    answers, spent = {}, {}
    refused: list[str] = []
    for method in chosen:
        said = answer(method, data, refused)
        if said is None:
            continue
        answers[method.name] = said
        begin = time.perf_counter()
        answer(method, data)
        batch_ms = 1e3 * (time.perf_counter() - begin) / data.size
        spent[method.name] = batch_ms, _alone_ms(method, data)
    return answers, spent, refused


def _alone_ms(method: Method, data: LabelledSet) -> float:
    """Median time of a call with one sweep; set-ups are planned once, as in a case."""
    took = []
    for group in data.groups[: max(1, TIMED // 10)]:
        for row in range(min(10, len(group.rows))):
            sweep = group.sweeps_uv[row : row + 1]
            begin = time.perf_counter()
            try:
                method.measure(sweep, group.fs_hz, group.stimulus_index, group.pulses_ms)
            except ValueError:
                continue
            took.append(1e3 * (time.perf_counter() - begin))
    return float(np.median(took))


def home_ground(data: LabelledSet) -> Labels:
    """Labels of the responses that the published latency methods were made for, the rest unknown.

    One pulse, no artefact, onset 12-35 ms after it, over within 25 ms: a hand's or an arm's answer
    to magnetic stimulation, well inside their window of 10-50 ms.
    """
    last_ms = data.of_group([group.pulses_ms[-1] for group in data.groups])
    known = data.labels
    at_home = (last_ms == 0.0) & (known["artefact"] == 0.0)
    for name, low, high in HOME:
        at_home &= (known[name] >= low) & (known[name] <= high)
    return known | {"present": np.where(at_home, known["present"], np.nan)}


def report(
    data: LabelledSet,
    answers: dict[str, MethodAnswers],
    spent: dict[str, tuple[float, float]],
) -> str:
    """All tables of one set as text."""
    name, reference = next(iter(answers.items()))
    common = reference.found()
    bands = table.bands_of(data.labels)
    scores = [
        band_score(name, said, data.labels, band, common)
        for band in bands
        for name, said in answers.items()
    ]
    present, absent = (int((data.labels["present"] == value).sum()) for value in (1.0, 0.0))
    artefacts = int((data.labels["artefact"] == 1.0).sum())
    found = [detection_score(name, said, data.labels) for name, said in answers.items()]
    clean = np.where(data.labels["artefact"] == 0.0, data.labels["present"], np.nan)
    grounds = {"clean, >= 5": data.labels | {"present": clean}, "home, >= 5": home_ground(data)}
    apart = [
        band_score(name, said, ground, BANDS[-1], common, title)
        for title, ground in grounds.items()
        for name, said in answers.items()
    ]
    parts = [
        f"{data.name}: {data.size} sweeps, {present} responses, {absent} without; "
        f"{artefacts} with an artefact",
        table.onset_table(scores),
        table.onset_table(apart),
        table.amplitude_table(scores),
        table.amplitude_table(apart),
        table.detection_table(found),
    ]
    doubts = [s for m, said in answers.items() for s in doubt_scores(m, said, data.labels)]
    if len(bands) > 1:
        parts += [
            table.detection_curve(answers, data.labels, bands),
            table.doubt_table(doubts),
            profile(name, reference, data),
            table.time_table(spent),
        ]
    return "\n\n".join(part for part in parts if part)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("--sweeps", type=Path, help="labelled sweeps, an .npz file")
    parser.add_argument("--n", type=int, default=SWEEPS, help="simulated sweeps")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="validation while something is still being chosen",
    )
    parser.add_argument("--paper", type=Path, default=PAPER_NETWORK, help="the CNN paper's network")
    parser.add_argument("--raw", action="store_true", help="published methods on raw sweeps")
    parser.add_argument("--plots", type=Path, help="a folder for the pictures (needs matplotlib)")
    options = parser.parse_args(arguments)
    try:
        chosen, missing = methods(options.paper, cleaned=not options.raw)
        if options.sweeps is not None:
            sets = [read_sweeps(options.sweeps)]
        else:
            sets = [simulated_set(options.split, options.seed, options.n), *real_sets(SHARED)]
    except MonitorError as error:
        raise SystemExit(str(error)) from None
    print(machine())
    for line in missing:
        print(line)
    wanted: list[Target] = []
    for number, data in enumerate(sets):
        answers, spent, refused = answer_all(chosen, data)
        print(f"\n{number + 1}. ", end="")
        # A set that ours refuses has nothing to be compared with.
        compared = DEPLOYED in answers
        print(report(data, answers, spent) if compared else f"{data.name}: {data.size} sweeps")
        for line in refused:
            print(line)
        if compared and TKEO_ONSET in answers:
            wanted += targets_of(data, answers[DEPLOYED], answers[TKEO_ONSET])
        if options.plots is not None and number == 0 and compared:
            from bench.accuracy_plots import draw

            draw(data, answers, options.plots)
    print(f"\n{'ours, as deployed':<58}{'':>9}{'asked':>11}  met")
    for target in wanted:
        print(target.line())
    if options.plots is not None and options.sweeps is None:
        from bench.accuracy_saliency import draw as draw_saliency

        if not draw_saliency(load_network(), sets, options.plots / "accuracy_saliency.png"):
            print("no picture of saliency: the network's file does not explain itself")


if __name__ == "__main__":
    main()
