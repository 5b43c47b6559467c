"""The signal stage on the simulator and on recordings: ``python -m bench.signal``.

1. Response or none: missed by SNR and by reason, and false ones, with and without the network.
2. Amplitude: bias, error and how often the truth lies within the bounds, by SNR.
3. The artefact's tail: amplitudes of responses beside one, with and without its model.
4. Time of the stages that need no network.

``--fit`` prints instead the weights and the limit of ``monitor.measure.decide``.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)

from bench.latency import FS_HZ, INDEX, N_SAMPLES, sweeps  # noqa: E402
from bench.measured import machine  # noqa: E402
from models.simulator import ARTEFACT_TYPES, Block, simulate_block  # noqa: E402
from monitor.load_network import load_network  # noqa: E402
from monitor.measure import decide  # noqa: E402
from monitor.measure.clean import clean  # noqa: E402
from monitor.measure.fault import CLIPPED, faults_of  # noqa: E402
from monitor.measure.filters import band_and_smooth  # noqa: E402
from monitor.measure.network import Network  # noqa: E402
from monitor.measure.plan import SweepPlan, plan_sweeps  # noqa: E402
from monitor.measure.resample import network_window  # noqa: E402
from monitor.measure.response import Found, Views, read_sweeps  # noqa: E402
from monitor.measure.sweep import MeasureOptions, measure_sweeps, window_spans  # noqa: E402
from monitor.measure.windows import OnsetWindow, any_window  # noqa: E402
from monitor.types import FloatArray, Measurement, Status  # noqa: E402

SEED = 2026
#: What ``--fit`` learns from: sweeps of the training split that the network was not trained on.
FIT_SEED = 31
#: How much those with an artefact count there, and what share of the validation split's clean
#: sweeps without a response may pass: 1 % is allowed, and 2,700 of them leave a fifth of it open.
ARTEFACT_WEIGHT = 0.1
FALSE_SHARE = 0.0075
BLOCK = 64
BANDS = ((1.5, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, np.inf))
RESIDUE = ARTEFACT_TYPES.index("stimulus")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One simulated sweep: its truth, and what was measured without and with the network."""

    present: bool
    artefact: bool
    residue: bool
    snr: float
    amplitude_uv: float
    alone: Measurement
    together: Measurement
    without_tail_model: Measurement


def window_of(block: Block) -> OnsetWindow:
    return any_window(block.setup.last_pulse_ms)


def plan_of(block: Block) -> SweepPlan:
    setup = block.setup
    return plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)


def cases_of(block: Block, network: Network) -> list[Case]:
    plan, truth = plan_of(block), block.truth
    windows = [window_of(block)] * block.sweeps_uv.shape[0]
    # With no sample to look for evidence in, no tail is ever modelled.
    blind = replace(plan, tail=plan.tail._replace(evidence=0))

    def measured(with_plan: SweepPlan, with_network: Network | None) -> tuple[Measurement, ...]:
        fraction = block.setup.stimulus_fraction
        return measure_sweeps(block.sweeps_uv, with_plan, windows, fraction, with_network)[0]

    rows = zip(measured(plan, None), measured(plan, network), measured(blind, None), strict=True)
    return [
        Case(
            bool(truth.response[i]),
            bool(truth.artefact[i]),
            bool(truth.artefact_types[i, RESIDUE]),
            float(truth.snr[i]),
            float(truth.amplitude_uv[i]),
            *row,
        )
        for i, row in enumerate(rows)
    ]


def percent(values: Sequence[bool]) -> str:
    return f"{100 * float(np.mean(values)):.1f}" if values else "-"


def band_name(low: float, high: float) -> str:
    return f"{low:g}-{high:g}" if np.isfinite(high) else f"> {low:g}"


def found(m: Measurement) -> bool:
    return m.status is Status.RESPONSE


def in_band(cases: Sequence[Case], low: float, high: float) -> list[Case]:
    return [c for c in cases if c.present and low <= c.snr < high]


def detection(cases: Sequence[Case]) -> None:
    print("\n1. Response or none\n")
    names = " | ".join(f"missed, SNR {band_name(*band)} %" for band in BANDS)
    print(f"| decided by | {names} | false, clean % | false beside an artefact % |")
    print("|---|" + "---|" * (len(BANDS) + 2))
    ways: dict[str, Callable[[Case], Measurement]] = {
        "energy alone": lambda c: c.alone,
        "energy and network": lambda c: c.together,
    }
    for name, of in ways.items():
        cells = [percent([not found(of(c)) for c in in_band(cases, *band)]) for band in BANDS]
        for beside in (False, True):
            absent = [c for c in cases if not c.present and c.artefact is beside]
            cells.append(percent([found(of(c)) for c in absent]))
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\n| SNR | missed by energy and network: reported as, share of the band % |\n|---|---|")
    for band in BANDS:
        inside = in_band(cases, *band)
        why = Counter(
            " ".join((m.status.value, *m.reasons))
            for m in (c.together for c in inside)
            if not found(m)
        )
        said = ", ".join(f"{k} {100 * n / len(inside):.1f}" for k, n in why.most_common(5))
        print(f"| {band_name(*band)} | {said} |")


def amplitudes(cases: Sequence[Case]) -> None:
    print("\n2. Amplitude of the responses found\n")
    print("| SNR | n | bias, median % | error, median % | truth within bounds %, clean "
          "| beside an artefact | marked uncertain % |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for band in BANDS:
        inside = [c for c in in_band(cases, *band) if found(c.together)]
        ratio = np.array([(c.together.amplitude_uv or 0.0) / c.amplitude_uv for c in inside])
        cells = [f"{len(inside)}", f"{100 * np.median(ratio - 1):+.1f}",
                 f"{100 * np.median(np.abs(ratio - 1)):.1f}"]  # fmt: skip
        cells += [percent([held(c) for c in inside if c.artefact is b]) for b in (False, True)]
        cells.append(percent([c.together.amplitude_uncertain for c in inside]))
        print(f"| {band_name(*band)} | " + " | ".join(cells) + " |")


def held(case: Case) -> bool:
    low, high = case.together.amplitude_lower_uv, case.together.amplitude_upper_uv
    return low is not None and high is not None and low <= case.amplitude_uv <= high


def restoration(cases: Sequence[Case]) -> None:
    print("\n3. Beside a stimulus artefact that outlasts the blanking\n")
    print("| | responses (SNR > 5) found % | amplitude error, median % | p90 % "
          "| false in absent sweeps % |\n|---|---|---|---|---|")  # fmt: skip
    beside = [c for c in cases if c.residue]
    ways: dict[str, Callable[[Case], Measurement]] = {
        "tail left in": lambda c: c.without_tail_model,
        "tail subtracted": lambda c: c.alone,
    }
    for name, of in ways.items():
        present = [c for c in beside if c.present and c.snr > 5]
        errors = [
            abs((of(c).amplitude_uv or 0.0) / c.amplitude_uv - 1) for c in present if found(of(c))
        ]
        print(f"| {name} | {percent([found(of(c)) for c in present])} "
              f"| {100 * np.median(errors):.1f} | {100 * np.percentile(errors, 90):.0f} "
              f"| {percent([found(of(c)) for c in beside if not c.present])} |")  # fmt: skip
    print(f"\n{len(beside)} sweeps, {sum(c.present for c in beside)} of them with a response.")


def speed(n: int) -> None:
    print("\n4. Measurement without the network, ms\n")
    print("| sweeps in one call | n | min | p50 | p95 | p99 |\n|---|---|---|---|---|---|")
    plan = plan_sweeps(FS_HZ, N_SAMPLES, INDEX)
    for k, times in ((1, n), (16, n), (1000, max(5, n // 50))):
        # Another trial each time: a processor learns the branches of one that repeats itself.
        material = [sweeps(k, seed).astype(np.float64) for seed in range(20 if k < 100 else 3)]
        windows = [OnsetWindow(13.0, 40.0)] * k
        taken = []
        for number in range(times + 5):
            begin = time.perf_counter()
            measure_sweeps(material[number % len(material)], plan, windows, 0.3)
            taken.append((time.perf_counter() - begin) * 1e3)
        p50, p95, p99 = np.percentile(taken[5:], [50, 95, 99])
        print(f"| {k} | {times} | {min(taken[5:]):.3f} | {p50:.3f} | {p95:.3f} | {p99:.3f} |")


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What ``monitor.measure.decide`` weighs, of n sweeps; (n,) each.

    ``snr`` is 0 without a response; ``energy_ratio`` 0 where there is no candidate.
    """

    snr: FloatArray
    artefact: FloatArray
    energy_ratio: FloatArray
    probability: FloatArray
    onset_ms: FloatArray
    noise_known: FloatArray
    tail_like: FloatArray
    at_work: FloatArray
    early: FloatArray

    def columns(self) -> FloatArray:
        """(n, 4): 1, the network's log odds, and the log ratio above and below 0."""
        p = np.clip(self.probability, 1 - decide.SUREST_PROBABILITY, decide.SUREST_PROBABILITY)
        ratio = np.log(np.maximum(self.energy_ratio, 1e-9))
        above = np.clip(ratio, 0.0, decide.LARGEST_LOG_RATIO)
        below = np.clip(ratio, np.log(decide.FLOOR), 0.0)
        return np.stack([np.ones_like(p), np.log(p / (1 - p)), above, below], axis=1)

    def admitted(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Sweeps that a probability of one would make a response."""
        flags = (self.noise_known, self.tail_like, self.at_work, self.early)
        rows = zip(self.energy_ratio, *(flag.astype(bool) for flag in flags), strict=True)
        return np.array(
            [
                decide.is_response(
                    float(ratio),
                    1.0,
                    noise_known=bool(known),
                    tail_like=bool(tail),
                    at_work=bool(work),
                    early=bool(early),
                )
                for ratio, known, tail, work, early in rows
            ]
        )


def evidence(split: str, seed: int, count: int, network: Network) -> Evidence:
    """The evidence in ``count`` blocks of a split, read with the monitor's own stages."""
    rows: list[tuple[float, ...]] = []
    for block in (simulate_block(seed, split, number, BLOCK) for number in range(count)):
        plan, setup = plan_of(block), block.setup
        faults = faults_of(block.sweeps_uv, plan)
        cleaned = clean(block.sweeps_uv, plan).sweeps_uv
        band, smooth = band_and_smooth(cleaned, plan)
        spans = window_spans(plan, (window_of(block),) * len(cleaned))
        readings = read_sweeps(
            Views(cleaned, smooth, band), plan.frame, spans, MeasureOptions().tkeo_k
        )
        at_ms = setup.last_pulse_ms + network.window_offset_ms
        start = setup.stimulus_index + setup.stimulus_fraction + at_ms * setup.fs_hz / 1e3
        said = network(network_window(cleaned, setup.fs_hz, start))
        for i, reading in enumerate(readings):
            if faults[i] not in ("", CLIPPED):
                continue
            known, tail_like = plan.noise_source == "pre", bool(reading.tail_like)
            ratio = reading.passed_ratio if tail_like else reading.lenient_ratio
            rows.append((
                float(block.truth.snr[i]) if block.truth.response[i] else 0.0,
                float(block.truth.artefact[i]),
                ratio if reading.found == Found.CANDIDATE else 0.0,
                float(said.response_probability[i]),
                float(said.onset_from_last_ms[i]),
                float(known),
                float(tail_like),
                float(known and bool(reading.at_work)),
                float(said.onset_from_last_ms[i] + setup.last_pulse_ms < decide.EARLIEST_MS),
            ))  # fmt: skip
    return Evidence(*np.array(rows).T)


def fit(blocks: int, network: Network) -> None:
    """Logistic regression on the training split, the limit from the validation split.

    ``blocks`` of the first make three times as many to learn from, and twice as many of the second.
    What passes the limit is set on sweeps without artefact, so those with one, which are not to be
    learned by heart, count a tenth. The seed is another than that of the network's training.
    """
    learned = evidence("training", FIT_SEED, 3 * blocks, network)
    columns, present = learned.columns(), learned.snr > 0
    weight = np.where(learned.artefact == 1.0, ARTEFACT_WEIGHT, 1.0)
    weights = np.zeros(columns.shape[1])
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-(columns @ weights)))
        slope = columns.T @ (weight * (present - p))
        bend = (columns.T * (weight * p * (1.0 - p))) @ columns
        weights += np.linalg.solve(bend + 1e-6 * np.eye(len(bend)), slope)
    held = evidence("validation", SEED, 2 * blocks, network)
    late_ms = np.maximum(held.onset_ms - decide.LATEST_MS, 0.0)
    score = held.columns() @ weights - decide.LATE_PER_MS * late_ms
    score[~held.admitted()] = -np.inf
    score[(held.energy_ratio >= decide.SURE_RATIO) & (held.tail_like == 0)] = np.inf
    clean_absent = (held.snr == 0) & (held.artefact == 0)
    limit = float(np.quantile(score[clean_absent], 1.0 - FALSE_SHARE))
    names = ("BIAS", "NETWORK_WEIGHT", "ABOVE_WEIGHT", "BELOW_WEIGHT")
    for name, value in zip((*names, "LIMIT"), (*weights, limit), strict=True):
        print(f"{name} = {value:.2f}")
    said = score > limit
    found = [f"{100 * said[(held.snr >= a) & (held.snr < b)].mean():.1f}" for a, b in BANDS]
    beside = (held.snr == 0) & (held.artefact == 1)
    false, false_beside = 100 * said[clean_absent].mean(), 100 * said[beside].mean()
    print(
        f"validation: found {', '.join(found)} % by band; false {false:.2f} % in clean sweeps, "
        f"{false_beside:.2f} % beside artefacts (before bursts and overlaps are looked at)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.signal", description=__doc__)
    parser.add_argument("--blocks", type=int, default=100, help=f"of {BLOCK} simulated sweeps")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--n", type=int, default=1000, help="timed calls")
    parser.add_argument("--fit", action="store_true", help="weights for monitor.measure.decide")
    args = parser.parse_args()
    network = load_network()
    print(machine())
    print(f"network   {network.name} {network.version} {network.sha256[:12]}")
    if args.fit:
        fit(args.blocks, network)
        return
    print(f"{args.blocks * BLOCK} sweeps of split {args.split}, seed {SEED}")
    cases = [
        case
        for number in range(args.blocks)
        for case in cases_of(simulate_block(SEED, args.split, number, BLOCK), network)
    ]
    detection(cases)
    amplitudes(cases)
    restoration(cases)
    speed(args.n)


if __name__ == "__main__":
    main()
