"""Simulated sweeps with a known truth: a muscle's response, or none, in an operating room.

A *block* is what one recording set-up gives: sampling rate, amplifier, mains, pulse train and the
length of the epoch are common to its sweeps, everything else is drawn sweep by sweep. A block
follows from (seed, split, number) alone, so any block can be made anew, in any order.

What is true of a sweep comes from the noiseless response (:mod:`models.responses` defines onset,
duration, amplitude and phases). **SNR** is the peak of the noiseless |response| over the SD of the
stationary noise (hiss and background EMG); mains, drift and artefacts come on top and are not
counted. Sweeps to validate and test on lie in the bands :data:`SNR_BANDS` in equal shares; those
to train on in :data:`TRAINING_BANDS`, most where answers are hard and not hopeless. Three in ten
of the blocks to train on hold the disturbances of :mod:`models.hard` as well.

**Artefact.** Each of :data:`ARTEFACT_TYPES` is present where it spans more than 8 noise SD (mains:
5) within the 100 ms that the network sees; noise alone spans 6 to 7. They are: what is left of the
stimulus artefact beyond the blanking; mains *after* the cleaning took out what it could (of
what is far above the noise a little stays); cautery; an electrode's pop or a lost electrode; a
converter out of range; a QRS complex; and the EMG of a contracted muscle, wherever it is
contracted. **Severity** is the largest of those spans over the sum of the response's peak to peak
and 6 noise SD: about 1 where it is as large as what is to be measured.

Not simulated: a response that begins within the blanking, silent periods, dependence between
muscles or trials, any patient's actual anatomy. No real recording went into it.

``python -m models.simulator --out FILE.npz --n 2000 --split test`` writes sweeps of one shape with
their truth for ``bench.accuracy``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import disturbances, hard
from models.responses import Amplifier, Grid, draw_responses, log_uniform
from models.varied import draw_varied
from monitor.measure.clean import clean_sweeps
from monitor.measure.morphology import morphology_of
from monitor.measure.network import ARTEFACT_TYPES
from monitor.measure.plan import plan_sweeps

FloatArray = NDArray[np.float64]

#: Which part of the world of sweeps: the random streams of two splits never meet.
SPLITS = {"training": 1, "validation": 2, "test": 3}

FS_HZ = (2000.0, 2500.0, 3000.0, 4000.0, 5000.0, 6400.0, 10_000.0, 16_000.0, 20_000.0, 22_000.0)
PRE_MS = (0.0, 50.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0)
POST_MS = (100.0, 150.0, 150.0, 200.0)
PULSE_INTERVALS_MS = (2.0, 2.5, 3.0, 4.0)
MAX_PULSES = 9

#: To validate and test: a response's SNR lies in each of these equally often.
SNR_BANDS = ((1.5, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, 200.0))
#: To train: bands and their shares.
TRAINING_BANDS = ((1.2, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, 30.0), (30.0, 200.0))
TRAINING_SHARES = (0.2, 0.22, 0.28, 0.18, 0.12)
NOISE_RANGE_UV = (0.7, 30.0)
AMPLITUDE_RANGE_UV = (5.0, 10_000.0)
ABSENT_SHARE = 0.35
#: Of the blocks to train on; and how many of their sweeps hold no response.
HARD_SHARE = 0.4
HARD_ABSENT_SHARE = 0.5
#: Of the blocks to train on, so many have responses of other makings.
VARIED_SHARE = 0.45
#: And so many a high-pass as some surgical amplifiers are set to.
STEEP_SHARE = 0.15
STEEP_HIGHPASS_HZ = (30.0, 100.0)

#: What the network sees, from the last pulse; and where the blanking of its artefact ends.
SEEN_MS = (4.2, 103.0)
#: Responses are synthesised on a grid at least this fine.
FINE_HZ = 16_000.0
#: Sweeps a block, where a whole split is made.
BLOCK_SWEEPS = 64


@dataclass(frozen=True, slots=True)
class Setup:
    """What the sweeps of one block share.

    The first pulse lies ``stimulus_fraction`` of a sample after sample ``stimulus_index``;
    ``pulses_ms`` counts from it.
    """

    fs_hz: float
    n_samples: int
    stimulus_index: int
    stimulus_fraction: float
    pulses_ms: tuple[float, ...]
    mains_hz: float
    lowpass_hz: float
    highpass_hz: float

    @property
    def last_pulse_ms(self) -> float:
        """The last pulse, from the first."""
        return self.pulses_ms[-1]

    def t_ms(self) -> FloatArray:
        """(n,) time of each sample from the first pulse."""
        at = np.arange(self.n_samples) - self.stimulus_index - self.stimulus_fraction
        return np.asarray(at * 1e3 / self.fs_hz)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is true of k sweeps, each (k,). NaN where there is no response to speak of.

    ``onset_ms`` counts from the *last* pulse; ``amplitude_uv`` is peak to peak; ``phases`` is 0
    without a response. ``artefact_types`` (k, 7) in the order of :data:`ARTEFACT_TYPES`,
    ``artefact`` true where any of them is, ``severity`` 0 where none is.
    """

    response: NDArray[np.bool_]
    artefact: NDArray[np.bool_]
    artefact_types: NDArray[np.bool_]
    severity: FloatArray
    amplitude_uv: FloatArray
    onset_ms: FloatArray
    duration_ms: FloatArray
    phases: NDArray[np.int64]
    snr: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """k sweeps of one set-up: as recorded, noiseless and cleaned, all (k, n) in microvolts."""

    setup: Setup
    sweeps_uv: FloatArray
    response_uv: FloatArray
    cleaned_uv: FloatArray
    truth: Truth


def simulate_block(seed: int, split: str, number: int, count: int) -> Block:
    """Make one block.

    Args:
        seed: of the whole data set.
        split: a name in :data:`SPLITS`.
        number: of the block within its split.
        count: sweeps in it.
    """
    rng = block_rng(seed, split, number)
    setup = draw_setup(rng)
    if split != "training":
        return simulate(rng, setup, count)
    hard_block, varied = bool(rng.random() < HARD_SHARE), bool(rng.random() < VARIED_SHARE)
    if rng.random() < STEEP_SHARE:
        setup = replace(setup, highpass_hz=float(log_uniform(rng, *STEEP_HIGHPASS_HZ, ())))
    return simulate(rng, setup, count, training=True, hard_block=hard_block, varied=varied)


def block_rng(seed: int, split: str, number: int) -> np.random.Generator:
    """The random stream of one block."""
    return np.random.default_rng([seed, SPLITS[split], number])


def draw_setup(rng: np.random.Generator) -> Setup:
    """Draw a recording set-up: single pulse (TMS) in three of ten, else a train of 2 to 9."""
    fs_hz = float(rng.choice(FS_HZ))
    pulses = 1 if rng.random() < 0.3 else int(rng.integers(2, MAX_PULSES + 1))
    interval_ms = float(rng.choice(PULSE_INTERVALS_MS))
    pulses_ms = tuple(interval_ms * i for i in range(pulses))
    stimulus_index = round(float(rng.choice(PRE_MS)) * fs_hz / 1e3)
    after_ms = max(float(rng.choice(POST_MS)), pulses_ms[-1] + 95.0)
    return Setup(
        fs_hz=fs_hz,
        n_samples=stimulus_index + round(after_ms * fs_hz / 1e3),
        stimulus_index=stimulus_index,
        stimulus_fraction=float(rng.random()),
        pulses_ms=pulses_ms,
        mains_hz=float(rng.choice([50.0, 60.0])),
        lowpass_hz=min(float(log_uniform(rng, 300.0, 3000.0, ())), 0.4 * fs_hz),
        highpass_hz=float(log_uniform(rng, 0.5, 30.0, ())),
    )


def draw_snr(rng: np.random.Generator, count: int, training: bool) -> FloatArray:
    """(count,) log-uniform within bands: those to train on, or those of equal shares."""
    if training:
        edges = np.log(np.array(TRAINING_BANDS))
        edges = edges[rng.choice(len(edges), count, p=TRAINING_SHARES)]
    else:
        edges = np.log(np.array(SNR_BANDS))[rng.integers(0, len(SNR_BANDS), count)]
    return np.asarray(np.exp(rng.uniform(edges[:, 0], edges[:, 1])))


def simulate(
    rng: np.random.Generator,
    setup: Setup,
    count: int,
    *,
    training: bool = False,
    hard_block: bool = False,
    varied: bool = False,
) -> Block:
    """Draw ``count`` sweeps of a set-up.

    Args:
        rng: source of randomness.
        setup: what they share.
        count: how many.
        training: their SNR is drawn as for training, else in bands of equal shares.
        hard_block: with the disturbances of :mod:`models.hard`, and fewer responses.
        varied: with the responses of :mod:`models.varied`.
    """
    t_ms = setup.t_ms()
    amplifier = Amplifier(setup.lowpass_hz, setup.highpass_hz)
    last_ms = setup.last_pulse_ms
    seen = (t_ms >= last_ms + SEEN_MS[0]) & (t_ms < last_ms + SEEN_MS[1])
    present = rng.random(count) >= (HARD_ABSENT_SHARE if hard_block else ABSENT_SHARE)
    snr = np.where(present, draw_snr(rng, count, training), 0.0)
    noise_uv = log_uniform(rng, *NOISE_RANGE_UV, (count,))

    # In units of the noise's SD until the very end.
    response = np.zeros((count, setup.n_samples))
    onset_ms, duration_ms = np.full(count, np.nan), np.full(count, np.nan)
    span, phases = np.zeros(count), np.zeros(count, np.int64)
    # The response's own grid: the sweep's samples after the last pulse, each divided further.
    first = int(np.searchsorted(t_ms, last_ms))
    fold = int(np.ceil(FINE_HZ / setup.fs_hz))
    grid = Grid(setup.fs_hz * fold, t_ms[first] - last_ms, (setup.n_samples - first) * fold)
    draw = draw_varied if varied else draw_responses
    drawn = draw(rng, int(present.sum()), grid, amplifier)
    response[present, first:] = snr[present, None] * drawn.waves[:, ::fold]
    onset_ms[present], duration_ms[present] = drawn.onset_ms, drawn.duration_ms
    span[present], phases[present] = snr[present] * drawn.peak_to_peak, drawn.phases
    # An amplitude beyond the range brings its noise along: the SNR stays as drawn.
    lowest, highest = AMPLITUDE_RANGE_UV
    noise_uv[present] = np.clip(noise_uv[present], lowest / span[present], highest / span[present])

    noise, emg, contracted = disturbances.noise(rng, count, setup.n_samples, setup.fs_hz, amplifier)
    stimulus, left = disturbances.stimulus_artefact(rng, t_ms, setup.pulses_ms, noise_uv, seen)
    hum = disturbances.mains(rng, count, t_ms, setup.mains_hz)
    cautery = disturbances.electrocautery(rng, count, t_ms)
    pop = disturbances.electrode_pop(rng, count, t_ms)
    heart = disturbances.heart(rng, count, t_ms)
    burst = np.zeros_like(noise)
    wander = disturbances.drift(rng, count, t_ms)
    if hard_block:
        more = hard.draw_hardships(rng, t_ms, setup.pulses_ms, amplifier, noise_uv, seen)
        noise[more.noisy], emg[more.noisy] = more.noise, more.noise
        contracted[more.noisy] = more.contracted
        stimulus += more.residue
        left = np.where(more.residue.any(axis=1), np.ptp(stimulus[:, seen], axis=1), left)
        burst, wander = more.burst, wander + more.movement
        cautery += more.cautery
        pop += more.pop
    sweeps = response + noise + stimulus + hum + cautery + pop + heart
    sweeps += wander + burst
    lost = disturbances.lost_electrode(rng, sweeps, seen)
    clipped = disturbances.clip(rng, sweeps, seen)
    plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
    cleaned = clean_sweeps(sweeps, plan)

    extent = np.stack(
        [
            left,
            # Beyond the blanking the cleaning takes nothing but hum and a level.
            np.ptp((cleaned - sweeps + hum)[:, seen], axis=1),
            np.where(contracted, np.ptp(emg[:, seen], axis=1), _shown(burst, seen)),
            np.ptp(cautery[:, seen], axis=1),
            np.ptp(pop[:, seen], axis=1),
            clipped,
            np.ptp(heart[:, seen], axis=1),
        ],
        axis=1,
    )
    # A lost electrode shows nothing, be it response or disturbance.
    extent[lost] = 0.0
    extent[lost, ARTEFACT_TYPES.index("electrode")] = 1e3
    response[lost], present[lost] = 0.0, False
    onset_ms[lost], duration_ms[lost] = np.nan, np.nan
    span[lost], phases[lost] = 0.0, 0
    limits = dict.fromkeys(ARTEFACT_TYPES, disturbances.PRESENT_SD)
    limits["mains"] = disturbances.HUM_PRESENT_SD
    limits["background_emg"] = limits["clipping"] = 0.0
    types = extent > np.array([limits[name] for name in ARTEFACT_TYPES])
    return Block(
        setup=setup,
        sweeps_uv=sweeps * noise_uv[:, None],
        response_uv=response * noise_uv[:, None],
        cleaned_uv=cleaned * noise_uv[:, None],
        truth=Truth(
            response=present,
            artefact=types.any(axis=1),
            artefact_types=types,
            severity=(extent * types).max(axis=1) / (span + 6.0),
            amplitude_uv=np.where(present, span * noise_uv, np.nan),
            onset_ms=onset_ms,
            duration_ms=duration_ms,
            phases=phases,
            snr=np.where(present, snr, np.nan),
        ),
    )


def _shown(waves: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """(k,) how much the waves span where they are seen; 0 where it could be noise."""
    span = np.ptp(waves[:, seen], axis=1)
    return np.where(span > disturbances.PRESENT_SD, span, 0.0)


def labelled_sweeps(
    seed: int,
    split: str,
    count: int,
    fs_hz: float = 5000.0,
    pulses_ms: tuple[float, ...] = (0.0,),
    pre_ms: float = 100.0,
    post_ms: float = 150.0,
) -> dict[str, NDArray[np.generic]]:
    """Sweeps of one shape with their truth, as ``bench.accuracy --sweeps`` reads them.

    Amplifier and mains are drawn anew every :data:`BLOCK_SWEEPS` sweeps. ``onset_ms`` counts from
    the *first* pulse, as everywhere in the monitor's results; ``onset_from_last_ms`` from the last.
    """
    shape = {
        "fs_hz": fs_hz,
        "n_samples": round((pre_ms + pulses_ms[-1] + post_ms) * fs_hz / 1e3),
        "stimulus_index": round(pre_ms * fs_hz / 1e3),
        "stimulus_fraction": 0.0,
        "pulses_ms": pulses_ms,
    }
    blocks = []
    for number, first in enumerate(range(0, count, BLOCK_SWEEPS)):
        rng = block_rng(seed, split, number)
        drawn = draw_setup(rng)
        setup = replace(drawn, lowpass_hz=min(drawn.lowpass_hz, 0.4 * fs_hz), **shape)
        blocks.append(simulate(rng, setup, min(BLOCK_SWEEPS, count - first)))
    truth = {
        name: np.concatenate([getattr(block.truth, name) for block in blocks])
        for name in Truth.__dataclass_fields__
    }
    names = [morphology_of(int(phases)) for phases in truth["phases"]]
    return {
        "sweeps_uv": np.concatenate([block.sweeps_uv for block in blocks]).astype(np.float32),
        "fs_hz": np.float64(fs_hz),
        "stimulus_index": np.int64(shape["stimulus_index"]),
        "pulses_ms": np.array(pulses_ms),
        "present": truth["response"],
        "onset_ms": truth["onset_ms"] + pulses_ms[-1],
        "onset_from_last_ms": truth["onset_ms"],
        "morphology": np.array(["" if name is None else str(name.value) for name in names]),
        "artefact_type_names": np.array(ARTEFACT_TYPES),
        **{
            name: truth[name]
            for name in (
                "amplitude_uv",
                "duration_ms",
                "phases",
                "snr",
                "artefact",
                "artefact_types",
                "severity",
            )
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.simulator", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="an .npz file")
    parser.add_argument("--n", type=int, default=2000, help="sweeps")
    parser.add_argument("--split", choices=tuple(SPLITS), default="test")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--fs-hz", type=float, default=5000.0)
    parser.add_argument("--pulses", type=int, default=1, help="in the train")
    parser.add_argument("--interval-ms", type=float, default=4.0, help="between pulses")
    options = parser.parse_args(arguments)
    pulses_ms = tuple(options.interval_ms * i for i in range(options.pulses))
    arrays = labelled_sweeps(options.seed, options.split, options.n, options.fs_hz, pulses_ms)
    np.savez_compressed(options.out, **arrays)
    shape = arrays["sweeps_uv"].shape
    print(f"{options.out}: {shape[0]} sweeps of {shape[1]} samples, split {options.split}")


if __name__ == "__main__":
    main()
