"""How often latency and shape raise an advisory sign in a stable case: ``python -m
bench.alarm_advisory``.

Real sweeps: the simulated case of ``monitor.sources.simulated`` with nothing lost, amplitudes that
vary as published, motor units that jitter from trial to trial, and a noise of each case's own, so
that the signal-to-noise ratios run from 3 to several hundred. Measured and followed by the
product. The number of phases is held against that of the same trial without noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)

from bench.alarm_cases import DESIGN, EVALUATION  # noqa: E402
from bench.measured import machine  # noqa: E402
from monitor.acquire.channels import muscle_and_side  # noqa: E402
from monitor.config import CaseConfig  # noqa: E402
from monitor.measure.epoch import EpochMeasurer  # noqa: E402
from monitor.sources.scenario import Scenario  # noqa: E402
from monitor.sources.simulated import MUSCLES, TRAIN_MS, SimulatedCase  # noqa: E402
from monitor.track.tracker import Tracker  # noqa: E402
from monitor.types import (  # noqa: E402
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Channel,
    Epoch,
    Measurement,
    Status,
    Stimulus,
)

TRIALS = 80
FS_HZ = 5000.0
PRE_S, POST_S = 0.1, 0.15
APART_S, EVERY_S = 0.6, 180.0
"""Stimuli are ``APART_S`` apart in the signal, to save time, and ``EVERY_S`` for the tracker."""
SNR_EDGES = (3.0, 6.0, 10.0, 15.0, 20.0, 30.0, 60.0, 1e9)
KINDS = (AlarmKind.LATENCY_SHIFT, AlarmKind.MORPHOLOGY_CHANGE)
CHANNELS = tuple(Channel(m.name, *muscle_and_side(m.name)) for m in MUSCLES)


def epochs(seed: int, noise: float) -> Iterator[Epoch]:
    """The trials of a stable case whose noise is ``noise`` times the usual."""
    scenario = Scenario("stable", interval_s=APART_S, interval_jitter_s=0.0, amplitude_cv=0.37)
    muscles = [replace(m, noise_uv=m.noise_uv * noise) for m in MUSCLES]
    case = SimulatedCase(seed, FS_HZ, scenario, muscles)
    block = case.next_block(int((scenario.first_stimulus_s + APART_S * TRIALS + 1.0) * FS_HZ))
    for truth in block.stimuli[:TRIALS]:
        exact = truth.stimulus_s * FS_HZ
        at = int(exact)
        first, stop = at - int(PRE_S * FS_HZ), at + int(POST_S * FS_HZ)
        stimulus = Stimulus(truth.stimulus_s, truth.marker, pulses_ms=TRAIN_MS)
        samples_uv = np.ascontiguousarray(block.samples_uv[first:stop].T)
        yield Epoch(
            truth.trial, stimulus, EVERY_S * truth.trial, first, at - first, exact - at, FS_HZ,
            samples_uv,
        )  # fmt: skip


def measured(
    config: CaseConfig, seed: int, noise: float
) -> Iterator[tuple[Epoch, tuple[Measurement, ...], np.ndarray]]:
    """The epochs of a case with what the product measures on them."""
    measurer = EpochMeasurer(FS_HZ, CHANNELS, config, None)
    for epoch in epochs(seed, noise):
        yield (epoch, *measurer.measure(epoch))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.alarm_advisory", description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="cases")
    parser.add_argument("--design", action="store_true", help="the seeds that tuning uses")
    given = parser.parse_args(arguments)
    print(machine())
    seed = DESIGN if given.design else EVALUATION
    config = CaseConfig()
    right: list[tuple[float, bool, bool]] = []
    cases = dict.fromkeys(KINDS, 0)
    for i in range(given.n):
        noise = float(np.exp(np.random.default_rng([seed, i]).uniform(np.log(0.5), np.log(12.0))))
        tracker = Tracker(CHANNELS, config)
        raised: set[AlarmKind] = set()
        for (epoch, found, sweeps_uv), (_, clean, _) in zip(
            measured(config, seed + i, noise), measured(config, seed + i, 1e-3), strict=True
        ):
            for one, truth in zip(found, clean, strict=True):
                if one.status is Status.RESPONSE and one.snr is not None:
                    same = one.phases == truth.phases, one.morphology is truth.morphology
                    right.append((one.snr, *same))
            for event in tracker.trial(epoch, found, sweeps_uv):
                if isinstance(event, AlarmCondition) and event.state is not AlarmState.RESOLVED:
                    raised.add(event.kind)
        for kind in KINDS:
            cases[kind] += kind in raised
    print(f"\nseeds {seed}: {given.n} stable cases of {len(CHANNELS)} muscles and {TRIALS} trials")
    for kind in KINDS:
        print(f"  {kind:<20} in {cases[kind]:>4} cases, {100 * cases[kind] / given.n:.1f} %")
    print("\nphases and name of the shape as without noise, by SNR")
    for low, high in pairwise(SNR_EDGES):
        own = [same for snr, *same in right if low <= snr < high]
        if own:
            phases, name = 100 * np.mean(own, axis=0)
            print(f"  {low:>4g} to {high:<6g} {phases:>6.1f} % {name:>6.1f} %   n {len(own)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
