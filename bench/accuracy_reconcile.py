"""What two onsets of one response could become: ``python -m bench.accuracy_reconcile``.

On the simulator's validation split, over the responses that the monitor finds: the mean error of
TKEO's onset, of the network's, of what :mod:`monitor.measure.reconcile` makes of them, and of an
ideal choice between the two by somebody who knows the truth, which no rule that chooses can pass.
Then the same under other settings of the rule, for whoever changes either opinion.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)

from bench.measured import machine  # noqa: E402
from models.simulator import BLOCK_SWEEPS, simulate_block  # noqa: E402
from monitor.load_network import load_network  # noqa: E402
from monitor.measure.clean import clean  # noqa: E402
from monitor.measure.fault import faults_of  # noqa: E402
from monitor.measure.filters import band_and_smooth  # noqa: E402
from monitor.measure.network import NOVEL, Network  # noqa: E402
from monitor.measure.plan import plan_sweeps  # noqa: E402
from monitor.measure.reconcile import TRUST, Trust, reconcile_onset  # noqa: E402
from monitor.measure.resample import network_window  # noqa: E402
from monitor.measure.response import Views, read_sweeps  # noqa: E402
from monitor.measure.sweep import measure_sweeps, window_spans  # noqa: E402
from monitor.measure.windows import any_window  # noqa: E402
from monitor.types import FloatArray, Status  # noqa: E402

SEED = 2026
BLOCKS = 100
BANDS = ((1.5, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, np.inf), (5.0, np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One response that was found, and both opinions on its onset, from the first pulse."""

    snr: float
    true_ms: float
    tkeo_ms: float
    network_ms: float
    seen_snr: float | None
    network_sd_ms: float
    novel: bool
    places: tuple[FloatArray, float]

    def reconciled_ms(self, trust: Trust) -> float:
        onset_ms, _ = reconcile_onset(
            self.tkeo_ms,
            self.network_ms,
            self.seen_snr,
            self.network_sd_ms,
            self.novel,
            self.places,
            trust,
        )
        assert onset_ms is not None
        return onset_ms


def cases_of(number: int, network: Network) -> list[Case]:
    """Responses of one block that the monitor finds, without those under a burst."""
    block = simulate_block(SEED, "validation", number, BLOCK_SWEEPS)
    setup, truth = block.setup, block.truth
    plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
    faults = faults_of(block.sweeps_uv, plan)
    rows = [row for row in range(BLOCK_SWEEPS) if truth.response[row] and not faults[row]]
    if not rows:
        return []
    windows = (any_window(setup.last_pulse_ms),) * len(rows)
    fraction = setup.stimulus_fraction
    measured, _ = measure_sweeps(block.sweeps_uv[rows], plan, windows, fraction, network)
    cleaned = clean(block.sweeps_uv[rows], plan).sweeps_uv
    band, smooth = band_and_smooth(cleaned, plan)
    readings = read_sweeps(Views(cleaned, smooth, band), plan.frame, window_spans(plan, windows), 0)
    per_ms = setup.fs_hz / 1e3
    start = setup.stimulus_index + fraction
    begin = start + (setup.last_pulse_ms + network.window_offset_ms) * per_ms
    said = network(network_window(cleaned, setup.fs_hz, begin))
    if said.onset_sd_ms is None:
        raise SystemExit("the network states no uncertainty of its onset: nothing to weigh")
    cases = []
    for k, (row, m, reading) in enumerate(zip(rows, measured, readings, strict=True)):
        if m.status is not Status.RESPONSE or m.onset_tkeo_ms is None or m.onset_ms is None:
            continue
        cases.append(
            Case(
                snr=float(truth.snr[row]),
                true_ms=float(truth.onset_ms[row]) + setup.last_pulse_ms,
                tkeo_ms=m.onset_tkeo_ms,
                network_ms=float(said.onset_from_last_ms[k]) + setup.last_pulse_ms,
                seen_snr=m.snr,
                network_sd_ms=float(said.onset_sd_ms[k]),
                novel=said.novelty is not None and bool(said.novelty[k] > NOVEL),
                places=(reading.places, (reading.first_place - start) / per_ms),
            )
        )
    return cases


def line(name: str, errors_ms: FloatArray, snr: FloatArray) -> str:
    """Mean errors by SNR band, and shares under 0.5 and 1 ms from SNR 5 on."""
    means = "".join(
        f"{np.abs(errors_ms[(snr >= low) & (snr < high)]).mean():>9.3f}" for low, high in BANDS
    )
    strong = np.abs(errors_ms[snr >= BANDS[-1][0]])
    near = "".join(f"{100 * np.mean(strong < limit):>9.1f}" for limit in (0.5, 1.0))
    return f"{name:<44}{means}{near}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy_reconcile", description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help=f"of {BLOCK_SWEEPS} sweeps")
    options = parser.parse_args(arguments)
    network = load_network()
    cases = [case for number in range(options.blocks) for case in cases_of(number, network)]
    snr = np.array([case.snr for case in cases])
    true_ms = np.array([case.true_ms for case in cases])
    tkeo_ms = np.array([case.tkeo_ms for case in cases]) - true_ms
    network_ms = np.array([case.network_ms for case in cases]) - true_ms
    print(machine())
    names = [f"{low:g}-{high:g}" if np.isfinite(high) else f">= {low:g}" for low, high in BANDS]
    titles = f"{len(cases)} responses; mean error, ms, by SNR"
    print(f"\n{titles:<44}" + "".join(f"{n:>9}" for n in [*names, "<0.5 %", "<1 %"]))
    print(line("TKEO", tkeo_ms, snr))
    print(line("network", network_ms, snr))
    nearer = np.where(np.abs(tkeo_ms) < np.abs(network_ms), tkeo_ms, network_ms)
    print(line("ideal choice of the two", nearer, snr))

    def reconciled(trust: Trust) -> FloatArray:
        return np.array([case.reconciled_ms(trust) for case in cases]) - true_ms

    print(line("reconciled", reconciled(TRUST), snr))
    for weight, share in product((0.15, 0.3, 0.5, 0.8), (0.35, 0.5, 0.8)):
        trust = TRUST._replace(tkeo_weight=weight, network_sd_share=share)
        print(line(f"  weight {weight:g}, share of the SD {share:g}", reconciled(trust), snr))


if __name__ == "__main__":
    main()
