"""Errors on held-out sweeps, the network beside the TKEO stage: ``python -m models.evaluate``.

Every sweep of the test split goes through the monitor's own chain. Four rows a band of SNR:

* ``tkeo``: the chain without a network, its detector and its TKEO onset;
* ``network``: the network alone, a response where it says so with a probability of at least 0.5;
* ``same``: the network's onset and amplitude on the sweeps that the detector called responses, so
  that both are judged on the same sweeps;
* ``deployed``: what the monitor reports, onsets reconciled.

Onset and amplitude errors are over the responses that the row found; ``missed`` counts the others.
Then, of the network alone: response or not, how often the truth lies within the stated uncertainty,
shape, and artefacts by type.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.simulator import BLOCK_SWEEPS, Block, Truth, simulate_block
from monitor.load_network import load_network
from monitor.measure.clean import clean
from monitor.measure.network import ARTEFACT_TYPES, Network, NetworkOutput
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import network_window
from monitor.measure.sweep import measure_sweeps
from monitor.measure.windows import any_window
from monitor.types import Measurement, Status

FloatArray = NDArray[np.float64]

BANDS = ((1.5, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, np.inf))
SEED = 2026
#: The row ``network`` calls a response at the first of these.
THRESHOLDS = (0.5, 0.9, 0.95, 0.98)
ARTEFACT_PROBABILITY = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What one method says of k sweeps: found or not, onset from the last pulse, peak to peak."""

    found: NDArray[np.bool_]
    onset_ms: FloatArray
    amplitude_uv: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """Truth and every method's answers to the same k sweeps."""

    response: NDArray[np.bool_]
    artefact: NDArray[np.bool_]
    snr: FloatArray
    onset_ms: FloatArray
    amplitude_uv: FloatArray
    rows: dict[str, Row]
    response_probability: FloatArray
    artefact_found: NDArray[np.bool_]
    #: What a network may give beside; None where it does not.
    details: Details | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    """Of k sweeps: stated uncertainties, artefacts by type, shape; truth and the network's word.

    ``onset_sd_ms``, ``amplitude_log_sd``, ``novelty`` (k,); ``types_true`` and ``types_said``
    (k, 7); ``shape_true`` and ``shape_said`` (k,): 1 mono-, 2 bi-, 3 polyphasic, 0 none.
    """

    onset_sd_ms: FloatArray
    amplitude_log_sd: FloatArray
    novelty: FloatArray
    types_true: NDArray[np.bool_]
    types_said: NDArray[np.bool_]
    shape_true: NDArray[np.int64]
    shape_said: NDArray[np.int64]


def _details(truth: Truth, answers: NetworkOutput) -> Details | None:
    if (
        answers.onset_sd_ms is None
        or answers.amplitude_log_sd is None
        or answers.novelty is None
        or answers.artefact_types is None
        or answers.morphology is None
    ):
        return None
    return Details(
        answers.onset_sd_ms,
        answers.amplitude_log_sd,
        answers.novelty,
        truth.artefact_types,
        answers.artefact_types >= ARTEFACT_PROBABILITY,
        np.minimum(truth.phases, 3),
        1 + answers.morphology.argmax(axis=1),
    )


def answer_block(block: Block, network: Network) -> Answered:
    """Put the sweeps of one block through the chain without and with the network."""
    setup, truth = block.setup, block.truth
    plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
    # Any muscle: the window that the monitor takes where it knows no better.
    window = any_window(setup.last_pulse_ms)
    windows = [window] * block.sweeps_uv.shape[0]
    fraction = setup.stimulus_fraction
    alone, _ = measure_sweeps(block.sweeps_uv, plan, windows, fraction)
    deployed, _ = measure_sweeps(block.sweeps_uv, plan, windows, fraction, network)
    at_ms = setup.last_pulse_ms + network.window_offset_ms
    start = setup.stimulus_index + fraction + at_ms * setup.fs_hz / 1e3
    cleaned = clean(block.sweeps_uv, plan).sweeps_uv
    answers = network(network_window(cleaned, setup.fs_hz, start))
    tkeo = _measured(alone)
    said = answers.response_probability >= THRESHOLDS[0]
    return Answered(
        response=truth.response,
        artefact=truth.artefact,
        snr=truth.snr,
        onset_ms=truth.onset_ms,
        amplitude_uv=truth.amplitude_uv,
        rows={
            "tkeo": tkeo,
            "network": Row(said, answers.onset_from_last_ms, answers.amplitude_uv),
            "same": Row(tkeo.found, answers.onset_from_last_ms, answers.amplitude_uv),
            "deployed": _measured(deployed),
        },
        response_probability=answers.response_probability,
        artefact_found=answers.artefact_probability >= ARTEFACT_PROBABILITY,
        details=_details(truth, answers),
    )


def _measured(measurements: Sequence[Measurement]) -> Row:
    def column(values: list[float | None]) -> FloatArray:
        return np.array([np.nan if v is None else v for v in values])

    return Row(
        np.array([m.status is Status.RESPONSE for m in measurements]),
        column([m.onset_from_last_ms for m in measurements]),
        column([m.amplitude_uv for m in measurements]),
    )


def answer_split(network: Network, split: str, seed: int, count: int) -> Answered:
    """Simulate ``count`` sweeps of a split and answer them all."""
    parts = [
        answer_block(simulate_block(seed, split, number, min(BLOCK_SWEEPS, count - first)), network)
        for number, first in enumerate(range(0, count, BLOCK_SWEEPS))
    ]
    rows = {
        method: Row(
            found=np.concatenate([part.rows[method].found for part in parts]),
            onset_ms=np.concatenate([part.rows[method].onset_ms for part in parts]),
            amplitude_uv=np.concatenate([part.rows[method].amplitude_uv for part in parts]),
        )
        for method in parts[0].rows
    }
    return Answered(
        response=np.concatenate([part.response for part in parts]),
        artefact=np.concatenate([part.artefact for part in parts]),
        snr=np.concatenate([part.snr for part in parts]),
        onset_ms=np.concatenate([part.onset_ms for part in parts]),
        amplitude_uv=np.concatenate([part.amplitude_uv for part in parts]),
        rows=rows,
        response_probability=np.concatenate([part.response_probability for part in parts]),
        artefact_found=np.concatenate([part.artefact_found for part in parts]),
        details=_joined([part.details for part in parts]),
    )


def _joined(parts: Sequence[Details | None]) -> Details | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Details(
        *(np.concatenate([getattr(part, each.name) for part in known]) for each in fields(Details))
    )


def band_line(answered: Answered, method: str, low: float, high: float) -> str:
    """One line of the table: a method's errors on the responses of an SNR band."""
    row = answered.rows[method]
    band = answered.response & (answered.snr >= low) & (answered.snr < high)
    hit = band & row.found
    values = [f"{band.sum():d}", _percent(~row.found[band]), *_errors(answered, row, hit)]
    return "| " + " | ".join([_band_name(low, high), method, *values]) + " |"


def _errors(answered: Answered, row: Row, hit: NDArray[np.bool_]) -> list[str]:
    """Onset and amplitude errors of the responses that a row found, as the table shows them."""
    if hit.sum() < 2:
        return ["-"] * 9
    error_ms = (row.onset_ms - answered.onset_ms)[hit]
    size_ms = np.abs(error_ms)
    truth_uv, answer_uv = answered.amplitude_uv[hit], np.maximum(row.amplitude_uv[hit], 1.0)
    ratio = answer_uv / truth_uv
    return [
        f"{size_ms.mean():.2f}",
        f"{np.median(size_ms):.2f}",
        f"{np.percentile(size_ms, 95):.1f}",
        f"{error_ms.mean():+.2f}",
        f"{100 * (size_ms < 0.5).mean():.0f}",
        f"{100 * (size_ms < 1.0).mean():.0f}",
        f"{100 * np.median(np.abs(ratio - 1)):.1f}",
        f"{100 * np.median(ratio - 1):+.1f}",
        _r2(np.log(truth_uv), np.log(answer_uv)),
    ]


def _r2(truth: FloatArray, answer: FloatArray) -> str:
    """Share of the variance of ``truth`` that ``answer`` explains, with no line fitted."""
    spread = np.square(truth - truth.mean()).sum()
    return f"{1 - np.square(answer - truth).sum() / spread:.3f}" if spread > 0 else "-"


def detection_table(answered: Answered) -> list[str]:
    """Response or not: missed responses a band against false ones, at several thresholds."""
    names = [_band_name(low, high) for low, high in BANDS]
    lines = [
        "| response or not | " + " | ".join(f"missed, SNR {name} %" for name in names)
        + " | false % | false beside an artefact % |",
        "|---|" + "---|" * (len(BANDS) + 2),
    ]  # fmt: skip
    said = {"tkeo": answered.rows["tkeo"].found}
    for probability in THRESHOLDS:
        said[f"network, p >= {probability:g}"] = answered.response_probability >= probability
    absent = ~answered.response
    for name, found in said.items():
        shares = [
            _percent(~found[answered.response & (answered.snr >= low) & (answered.snr < high)])
            for low, high in BANDS
        ]
        shares += [
            _percent(found[absent & ~answered.artefact]),
            _percent(found[absent & answered.artefact]),
        ]
        lines.append("| " + " | ".join([name, *shares]) + " |")
    return lines


def uncertainty_table(answered: Answered, details: Details) -> list[str]:
    """How often the truth lies within one and two stated SD (68 and 95 %), and the shapes told."""
    row = answered.rows["network"]
    lines = [
        "| SNR | n | onset: stated SD ms | within 1 SD % | 2 SD % | amplitude: stated SD % "
        "| within 1 SD % | 2 SD % | shape right % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for low, high in BANDS:
        band = answered.response & (answered.snr >= low) & (answered.snr < high)
        if not band.any():
            continue
        off_ms = np.abs(row.onset_ms - answered.onset_ms)[band]
        amplitude_uv = np.maximum(row.amplitude_uv[band], 1e-3)
        off_log = np.abs(np.log(amplitude_uv / answered.amplitude_uv[band]))
        sd_ms, sd_log = details.onset_sd_ms[band], details.amplitude_log_sd[band]
        values = [
            f"{band.sum():d}",
            f"{np.median(sd_ms):.2f}",
            *(_percent(off_ms <= k * sd_ms) for k in (1, 2)),
            f"{100 * np.median(sd_log):.1f}",
            *(_percent(off_log <= k * sd_log) for k in (1, 2)),
            _percent(details.shape_true[band] == details.shape_said[band]),
        ]
        lines.append("| " + " | ".join([_band_name(low, high), *values]) + " |")
    return lines


def artefact_table(answered: Answered, details: Details) -> list[str]:
    """Each type of artefact: how often it is there, found, and named where nothing is."""
    lines = ["| artefact | n | found % | as that type % | clean sweeps so called % |"]
    lines.append("|---|---|---|---|---|")
    clean = ~answered.artefact
    for column, name in enumerate(ARTEFACT_TYPES):
        there, said = details.types_true[:, column], details.types_said[:, column]
        values = [f"{there.sum():d}", _percent(answered.artefact_found[there])]
        values += [_percent(said[there]), _percent(said[clean])]
        lines.append("| " + " | ".join([name, *values]) + " |")
    found = answered.artefact_found
    values = [f"{(~clean).sum():d}", _percent(found[~clean]), "", _percent(found[clean])]
    lines.append("| " + " | ".join(["any", *values]) + " |")
    return lines


def report(answered: Answered) -> str:
    """All tables, in Markdown."""
    lines = [
        "| SNR | row | n | missed % | onset MAE ms | median | p95 | bias | < 0.5 ms % | < 1 ms % "
        "| amplitude median error % | bias % | R2 of log |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for low, high in BANDS:
        lines += [band_line(answered, method, low, high) for method in answered.rows]
    lines += ["", *detection_table(answered), ""]
    if answered.details is not None:
        lines += [*uncertainty_table(answered, answered.details), ""]
        lines += [*artefact_table(answered, answered.details), ""]
    absent, artefact, found = ~answered.response, answered.artefact, answered.artefact_found
    lines.append(
        f"{absent.sum()} of {absent.size} sweeps hold no response, {artefact.sum()} an artefact "
        f"({(absent & artefact).sum()} of them no response). Artefact or not: right in "
        f"{_percent(found == artefact)} %; of the artefacts {_percent(found[artefact])} % found."
    )
    return "\n".join(lines)


def _percent(which: NDArray[np.bool_]) -> str:
    return f"{100 * which.mean():.1f}" if which.size else "-"


def _band_name(low: float, high: float) -> str:
    return f"{low:g}-{high:g}" if np.isfinite(high) else f"> {low:g}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, help="an .onnx file; default: the deployed one")
    parser.add_argument("--sweeps", type=int, default=6400)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    if options.model is None:
        network = load_network()
    else:
        network = Network.from_bytes(options.model.read_bytes())
        network.verify()
    print(f"{network.name} {network.version} {network.sha256}")
    print(f"{options.sweeps} sweeps of split {options.split}, seed {options.seed}\n")
    print(report(answer_split(network, options.split, options.seed, options.sweeps)))


if __name__ == "__main__":
    main()
