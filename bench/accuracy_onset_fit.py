"""Fit the curves by which TKEO's onset is found: ``python -m bench.accuracy_onset_fit``.

Prints :mod:`monitor.measure.onset_curves`. Every sweep of the simulator's training split with a
response and energy over the detector's threshold is a choice among places (a conditional logit,
linear in the curves' values at their knots). The likelihood gives a start; then what is made small
is mostly the expected error of the onset, errors beyond ``FAR_MS`` being equally bad: the
likelihood alone spends itself on a few artefacts that no onset fits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)
from numpy.typing import NDArray  # noqa: E402
from scipy.optimize import minimize  # noqa: E402

from models.simulator import BLOCK_SWEEPS, simulate_block  # noqa: E402
from monitor.measure import detect, noise, onset  # noqa: E402
from monitor.measure.clean import clean  # noqa: E402
from monitor.measure.fault import faults_of  # noqa: E402
from monitor.measure.filters import band_and_smooth  # noqa: E402
from monitor.measure.onset_curves import CURVES  # noqa: E402
from monitor.measure.plan import plan_sweeps  # noqa: E402
from monitor.measure.response import PEAK_AFTER_ONSET_MS  # noqa: E402
from monitor.measure.sweep import window_spans  # noqa: E402
from monitor.measure.windows import any_window  # noqa: E402
from monitor.types import Float32Array, FloatArray  # noqa: E402

SEED = 2026
BLOCKS = 300
#: Of what is made small, the share of the expected error in ms; the rest is the likelihood.
ERROR_SHARE = 0.8
FAR_MS = 15.0
RIDGE = 3.0
ITERATIONS = (100, 150)
NAMES = (
    "psi over noise",
    "psi under its peak",
    "energy over noise",
    "energy under its peak",
    "jump of the energy",
    "energy just before, over noise",
    "energy just before, under its peak",
    "near the blanking, over noise",
    "near the blanking, under the peak",
)


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Places of all sweeps below one another.

    ``terms`` (rows, kinds x levels x knots): by these the curves' values count at each place;
    ``first`` (sweeps,): row of each sweep's first place; ``true`` (sweeps,): its onset, in steps.
    """

    terms: Float32Array
    first: NDArray[np.intp]
    true: FloatArray


def terms_of(levels: FloatArray) -> Float32Array:
    """What multiplies each value of the curves in the scores of one sweep, (m, all values).

    The scores are linear in them, so every term is the score under a curve that is 1 at one knot.
    """
    psi_shares = onset.blend(levels[0].max())
    energy_shares = onset.blend(levels[1].max())
    columns = np.zeros((levels.shape[1], *CURVES.shape), np.float32)
    for kind in range(onset.KINDS):
        shares = psi_shares if NAMES[kind].startswith("psi") else energy_shares
        for i in range(onset.KNOTS):
            unit = np.zeros((onset.KINDS, onset.KNOTS))
            unit[kind, i] = 1.0
            score = onset.scores(levels, unit)
            columns[:, kind, :, i] = score[:, None] * shares
    return columns.reshape(levels.shape[1], -1)


def sweeps_to_fit(blocks: int, split: str) -> Iterator[tuple[FloatArray, float]]:
    """Energies (2, m) and true onset, in steps, of every sweep that can be fitted to."""
    for number in range(blocks):
        block = simulate_block(SEED, split, number, BLOCK_SWEEPS)
        setup, truth = block.setup, block.truth
        plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
        frame = plan.frame
        faults = faults_of(block.sweeps_uv, plan)
        rows = [k for k in np.flatnonzero(truth.response) if not faults[k]]
        if not rows:
            continue
        band, smooth = band_and_smooth(clean(block.sweeps_uv[rows], plan).sweeps_uv, plan)
        window_start, window_stop = window_spans(plan, (any_window(setup.last_pulse_ms),))[0]
        width = detect.energy_width(setup.fs_hz)
        per_ms = setup.fs_hz / 1e3
        start = max(frame.search_start, int(window_start))
        stop = min(setup.n_samples, int(window_stop) + int(PEAK_AFTER_ONSET_MS * per_ms))
        last_pulse = setup.stimulus_index + setup.stimulus_fraction + setup.last_pulse_ms * per_ms
        noise_range = frame.noise_start, frame.noise_stop
        scratch = np.empty(setup.n_samples)
        for k, row in enumerate(rows):
            sd = noise.robust_sd(band[k, slice(*noise_range)], scratch)
            best, energy, limit, *_ = detect.find_burst(band[k], start, stop - width, sd, frame)
            true = last_pulse + truth.onset_ms[row] * per_ms
            end = best + width
            if energy <= limit or not start <= true < end:
                continue
            levels = onset.log_energies(band[k], smooth[k], start, end, *noise_range, setup.fs_hz)
            yield levels, (true - start) / (onset.STEP_MS * per_ms)


def gather(blocks: int, split: str) -> Choices:
    terms, true = [], []
    for levels, at in sweeps_to_fit(blocks, split):
        terms.append(terms_of(levels))
        true.append(min(at, len(terms[-1]) - 1.0))
    first = np.cumsum([0, *(len(rows) for rows in terms[:-1])])
    return Choices(np.concatenate(terms), first, np.array(true))


def fit(choices: Choices) -> FloatArray:
    """Values of the curves, in the shape of ``onset_curves.CURVES``."""
    values = np.zeros(choices.terms.shape[1])
    for share, iterations in zip((0.0, ERROR_SHARE), ITERATIONS, strict=True):
        found = minimize(
            _loss,
            values,
            (choices, share),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": iterations},
        )
        values = found.x
    return np.asarray(values).reshape(CURVES.shape)


def _loss(values: FloatArray, choices: Choices, share: float) -> tuple[float, FloatArray]:
    """What is made small, and its gradient."""
    terms, first, true = choices.terms, choices.first, choices.true
    counts = np.diff([*first, len(terms)])
    sweep = np.repeat(np.arange(len(first)), counts)
    score = terms @ values.astype(np.float32)
    top = np.maximum.reduceat(score, first)
    weight = np.exp(score - top[sweep])
    total = np.add.reduceat(weight, first)
    weight /= total[sweep]
    chosen = first + np.round(true).astype(np.intp)
    likelihood = np.mean(score[chosen] - top - np.log(total), dtype=np.float64)
    slope = terms[chosen].mean(axis=0, dtype=np.float64) - (weight @ terms) / len(first)
    apart = np.abs(np.arange(len(terms)) - first[sweep] - true[sweep]) * onset.STEP_MS
    apart = np.minimum(apart, FAR_MS).astype(np.float32)
    expected = np.add.reduceat(weight * apart, first)
    steeper = ((weight * (apart - expected[sweep])) @ terms) / len(first)
    ridge = RIDGE / len(first)
    loss = share * expected.mean(dtype=np.float64) - (1.0 - share) * likelihood
    gradient = share * steeper - (1.0 - share) * slope + 2.0 * ridge * values
    return float(loss + ridge * values @ values), gradient.astype(np.float64)


def written(curves: FloatArray) -> str:
    """The module that holds them."""
    lines = [
        '"""Curves of :mod:`monitor.measure.onset`, as ``bench.accuracy_onset_fit`` fits them."""',
        "",
        "from __future__ import annotations",
        "",
        "import numpy as np",
        "",
        "#: (kinds, levels of the strongest part, knots).",
        "CURVES = np.array(",
        "    [",
    ]
    for name, kind in zip(NAMES, curves, strict=True):
        lines.append(f"        [  # {name}")
        lines += [f"            [{', '.join(f'{v:.2f}' for v in row)}]," for row in kind]
        lines.append("        ],")
    return "\n".join([*lines, "    ]", ")", ""])


def errors_ms(curves: FloatArray, blocks: int, split: str) -> FloatArray:
    """Errors of the onset on sweeps of a split."""
    found = []
    for levels, true in sweeps_to_fit(blocks, split):
        own = onset.curves_for(levels[0].max(), levels[1].max(), curves)
        place = onset.median_and_sd(onset.scores(levels, own))[0]
        found.append((place - true) * onset.STEP_MS)
    return np.array(found)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy_onset_fit", description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help=f"of {BLOCK_SWEEPS} sweeps")
    parser.add_argument("--out", type=Path, help="write the module here, instead of printing it")
    options = parser.parse_args(arguments)
    curves = fit(gather(options.blocks, "training"))
    text = written(curves)
    if options.out is None:
        print(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    errors = np.abs(errors_ms(curves, max(1, options.blocks // 10), "validation"))
    print(f"validation: {errors.size} sweeps, MAE {errors.mean():.2f} ms")


if __name__ == "__main__":
    main()
