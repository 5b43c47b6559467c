"""Amplitudes of mildly disturbed sweeps, restored and not: ``python -m bench.restoration``.

A response in ordinary noise is measured three times: as it is (its *twin*), with one disturbance
added and nothing taken off but the blanked pulses and a level (*before*), and as deployed, which
takes off what it can (*after*): the modelled tail of the stimulus artefact, and mains. Mild: the
disturbance spans at least 3 noise SD in the part that is measured and at most as much as the
response itself. What is true is the noiseless response's peak to peak.

``worse``: share of the sweeps whose amplitude the removal moved away from the truth by more than
5 % of it. ``spoilt``: the same, of twins: removal where there is nothing to remove.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)
from numpy.typing import NDArray  # noqa: E402

from bench.measured import machine  # noqa: E402
from models import disturbances  # noqa: E402
from models.responses import Amplifier, Grid, draw_responses, log_uniform  # noqa: E402
from models.simulator import FINE_HZ, SEEN_MS, Setup, draw_setup  # noqa: E402
from monitor.load_network import load_network  # noqa: E402
from monitor.measure.network import Network  # noqa: E402
from monitor.measure.plan import SweepPlan, plan_sweeps  # noqa: E402
from monitor.measure.sweep import MeasureOptions, measure_sweeps  # noqa: E402
from monitor.measure.windows import any_window  # noqa: E402
from monitor.types import FloatArray, Status  # noqa: E402

SEED = 2026
#: Apart from the simulator's own splits, which are 1 to 3.
STREAM = 7
BLOCKS = 40
BLOCK = 24
SNR = (5.0, 60.0)
NOISE_UV = (0.7, 30.0)
LEAST_SPAN_SD = 3.0
MOVED = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What disturbances are drawn for: k sweeps of one set-up."""

    rng: np.random.Generator
    setup: Setup
    t_ms: FloatArray
    noise_uv: FloatArray
    seen: NDArray[np.bool_]


def stimulus(scene: Scene, count: int) -> FloatArray:
    noise_uv = np.resize(scene.noise_uv, count)
    return disturbances.stimulus_artefact(
        scene.rng, scene.t_ms, scene.setup.pulses_ms, noise_uv, scene.seen
    )[0]


def mains(scene: Scene, count: int) -> FloatArray:
    return disturbances.mains(scene.rng, count, scene.t_ms, scene.setup.mains_hz)


def drift(scene: Scene, count: int) -> FloatArray:
    return disturbances.drift(scene.rng, count, scene.t_ms)


def heart(scene: Scene, count: int) -> FloatArray:
    return disturbances.heart(scene.rng, count, scene.t_ms)


def electrode(scene: Scene, count: int) -> FloatArray:
    return disturbances.electrode_pop(scene.rng, count, scene.t_ms)


#: Disturbance -> its shape in any size, (count, n); 0 where the sweep has none.
KINDS: dict[str, Callable[[Scene, int], FloatArray]] = {
    "stimulus residue": stimulus,
    "mains": mains,
    "drift": drift,
    "heart": heart,
    "electrode": electrode,
}


@dataclass(frozen=True, slots=True, eq=False)
class Amplitudes:
    """Of k sweeps, (k,) in uV, NaN where no response was found; ``true_uv`` as simulated.

    ``twin_plain_uv``: the twin, with nothing taken off.
    """

    true_uv: FloatArray
    before_uv: FloatArray
    after_uv: FloatArray
    twin_uv: FloatArray
    twin_plain_uv: FloatArray

    def error(self, name: str) -> FloatArray:
        """Share of the truth by which an amplitude is off, (k,)."""
        return np.asarray(getattr(self, name) / self.true_uv - 1.0)


def mild(scene: Scene, kind: str, span_sd: FloatArray) -> FloatArray:
    """Disturbances (k, n) that span ``span_sd`` (k,) in the part that is measured."""
    rows = np.zeros((0, scene.t_ms.size))
    while len(rows) < len(span_sd):
        drawn = KINDS[kind](scene, 4 * len(span_sd))
        # A trace of one, far from the window, is not blown up to fill it.
        rows = np.concatenate([rows, drawn[np.ptp(drawn[:, scene.seen], axis=1) > 0.5]])
    rows = rows[: len(span_sd)]
    spans = np.ptp(rows[:, scene.seen], axis=1)
    return np.asarray(rows * (span_sd / spans)[:, None])


def block(seed: int, number: int, kind: str, network: Network | None) -> Amplitudes:
    """One set-up's sweeps with a disturbance of one kind."""
    rng = np.random.default_rng([seed, STREAM, number])
    setup = draw_setup(rng)
    t_ms = setup.t_ms()
    amplifier = Amplifier(setup.lowpass_hz, setup.highpass_hz)
    first = int(np.searchsorted(t_ms, setup.last_pulse_ms))
    fold = int(np.ceil(FINE_HZ / setup.fs_hz))
    late_ms = t_ms[first] - setup.last_pulse_ms
    grid = Grid(setup.fs_hz * fold, late_ms, (setup.n_samples - first) * fold)
    drawn = draw_responses(rng, BLOCK, grid, amplifier)
    snr = log_uniform(rng, *SNR, (BLOCK,))
    noise_uv = log_uniform(rng, *NOISE_UV, (BLOCK,))
    noise, _, contracted = disturbances.noise(rng, BLOCK, setup.n_samples, setup.fs_hz, amplifier)
    calm = np.flatnonzero(~contracted)
    sweeps = noise
    sweeps[:, first:] += snr[:, None] * drawn.waves[:, ::fold]
    span = snr * drawn.peak_to_peak
    goal = np.exp(rng.uniform(np.log(LEAST_SPAN_SD), np.log(span)))
    seen = (t_ms >= setup.last_pulse_ms + SEEN_MS[0]) & (t_ms < setup.last_pulse_ms + SEEN_MS[1])
    scene = Scene(rng, setup, t_ms, noise_uv, seen)
    disturbed = sweeps + mild(scene, kind, goal)
    plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
    # With no sample to look for evidence in, no tail is ever modelled.
    plain = replace(plan, tail=plan.tail._replace(evidence=0))

    def measured(rows: FloatArray, with_plan: SweepPlan, mains_hz: float | None) -> FloatArray:
        uv = (rows * noise_uv[:, None])[calm]
        windows = (any_window(setup.last_pulse_ms),) * len(uv)
        options = MeasureOptions(mains_hz=mains_hz)
        found = measure_sweeps(uv, with_plan, windows, setup.stimulus_fraction, network, options)[0]
        return np.array(
            [
                m.amplitude_uv if m.status is Status.RESPONSE and m.amplitude_uv else np.nan
                for m in found
            ]
        )

    return Amplitudes(
        true_uv=(span * noise_uv)[calm],
        before_uv=measured(disturbed, plain, 0.0),
        after_uv=measured(disturbed, plan, None),
        twin_uv=measured(sweeps, plan, None),
        twin_plain_uv=measured(sweeps, plain, 0.0),
    )


def gather(seed: int, blocks: int, kind: str, network: Network | None) -> Amplitudes:
    parts = [block(seed, number, kind, network) for number in range(blocks)]
    return Amplitudes(
        *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Amplitudes))
    )


def farther(amplitudes: Amplitudes, name: str, than: str) -> float:
    """Share of sweeps measured both ways where one is farther from the truth by ``MOVED``."""
    apart = np.abs(amplitudes.error(name)) - np.abs(amplitudes.error(than))
    return float(np.mean(apart[np.isfinite(apart)] > MOVED))


def lines(amplitudes: dict[str, Amplitudes]) -> Iterator[str]:
    """The table; errors are over the sweeps in which all three ways find a response."""
    ways = ("before", "after", "twin")
    heads = ("found %", "median error %", "90 % within, %")
    title = f"{'':<18}{'':>6}" + "".join(f"{head:>24}" for head in heads)
    names = "".join(f"{way:>8}" for way in ways) * len(heads)
    titles = f"{'disturbance':<18}{'n':>6}{names}{'worse %':>9}{'spoilt %':>10}"
    yield from (title, titles, "-" * len(titles))
    for kind, of in amplitudes.items():
        errors = [np.abs(of.error(f"{way}_uv")) for way in ways]
        both = np.isfinite(errors).all(axis=0)
        cells = [float(np.isfinite(error).mean()) for error in errors]
        for share in (0.5, 0.9):
            cells += [float(np.quantile(error[both], share)) for error in errors]
        numbers = "".join(f"{100 * cell:>8.1f}" for cell in cells)
        worse = 100 * farther(of, "after_uv", "before_uv")
        spoilt = 100 * farther(of, "twin_uv", "twin_plain_uv")
        yield f"{kind:<18}{of.true_uv.size:>6}{numbers}{worse:>9.1f}{spoilt:>10.1f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.restoration", description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help=f"set-ups of {BLOCK} sweeps")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--alone", action="store_true", help="without the network")
    options = parser.parse_args(arguments)
    network = None if options.alone else load_network()
    print(machine())
    print()
    found = {kind: gather(options.seed, options.blocks, kind, network) for kind in KINDS}
    for line in lines(found):
        print(line)


if __name__ == "__main__":
    main()
