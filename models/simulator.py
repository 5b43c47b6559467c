"""Simulated sweeps with a known truth: a muscle's response, or none, in an operating room.

A *block* is what one recording set-up gives: sampling rate, amplifier, mains, pulse train and the
length of the epoch are common to its sweeps, everything else is drawn sweep by sweep. A block
follows from (seed, split, number) alone, so any block can be made anew, in any order.

What is true of a sweep comes from the noiseless response (:mod:`models.responses` defines onset,
duration and amplitude). **SNR** is the peak of the noiseless |response| over the SD of the
stationary noise (hiss and background EMG); mains, drift and artefacts come on top and are not
counted. **Artefact** is true where something that is neither response, noise, mains nor drift
(the tail of the stimulus artefact beyond the blanking, a QRS complex, an electrode pop, cautery)
spans more than 4 noise SD and more than a tenth of the response's peak within the 100 ms that the
network sees, or the converter clips there: where it could move a measurement.

Not simulated: a response that begins within the blanking, silent periods, dependence between
muscles or trials, electrodes that lose contact, any patient's actual anatomy. No real recording
went into it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import disturbances
from models.responses import Amplifier, Grid, draw_responses, log_uniform

FloatArray = NDArray[np.float64]

#: Which part of the world of sweeps: the random streams of two splits never meet.
SPLITS = {"training": 1, "validation": 2, "test": 3}

FS_HZ = (2000.0, 2500.0, 3000.0, 4000.0, 5000.0, 6400.0, 10_000.0, 16_000.0, 20_000.0, 22_000.0)
PRE_MS = (0.0, 50.0, 100.0, 100.0, 100.0, 100.0, 100.0)
POST_MS = (100.0, 150.0, 150.0, 200.0)
PULSE_INTERVALS_MS = (2.0, 2.5, 3.0, 4.0)
MAX_PULSES = 9

SNR_RANGE = (1.2, 120.0)
NOISE_RANGE_UV = (0.7, 30.0)
AMPLITUDE_RANGE_UV = (10.0, 10_000.0)
ABSENT_SHARE = 0.35

#: What the network sees, from the last pulse; and where the blanking of its artefact ends.
SEEN_MS = (4.2, 103.0)
ARTEFACT_SD = 4.0
ARTEFACT_SHARE = 0.1
#: Responses are synthesised on a grid at least this fine.
FINE_HZ = 20_000.0


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

    ``onset_ms`` counts from the *last* pulse; ``amplitude_uv`` is peak to peak.
    """

    response: NDArray[np.bool_]
    artefact: NDArray[np.bool_]
    amplitude_uv: FloatArray
    onset_ms: FloatArray
    duration_ms: FloatArray
    snr: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """k sweeps of one set-up: as recorded and noiseless, both (k, n) in microvolts."""

    setup: Setup
    sweeps_uv: FloatArray
    response_uv: FloatArray
    truth: Truth


def simulate_block(seed: int, split: str, number: int, count: int) -> Block:
    """Make one block.

    Args:
        seed: of the whole data set.
        split: a name in :data:`SPLITS`.
        number: of the block within its split.
        count: sweeps in it.
    """
    rng = np.random.default_rng([seed, SPLITS[split], number])
    return simulate(rng, draw_setup(rng), count)


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


def simulate(rng: np.random.Generator, setup: Setup, count: int) -> Block:
    """Draw ``count`` sweeps of a set-up."""
    t_ms = setup.t_ms()
    amplifier = Amplifier(setup.lowpass_hz, setup.highpass_hz)
    present = rng.random(count) >= ABSENT_SHARE
    snr = np.where(present, log_uniform(rng, *SNR_RANGE, (count,)), 0.0)
    noise_uv = log_uniform(rng, *NOISE_RANGE_UV, (count,))

    # In units of the noise's SD until the very end.
    response = np.zeros((count, setup.n_samples))
    onset_ms, duration_ms, span = (np.full(count, np.nan) for _ in range(3))
    # The response's own grid: the sweep's samples after the last pulse, each divided further.
    first = int(np.searchsorted(t_ms, setup.last_pulse_ms))
    fold = int(np.ceil(FINE_HZ / setup.fs_hz))
    grid = Grid(
        setup.fs_hz * fold, t_ms[first] - setup.last_pulse_ms, (setup.n_samples - first) * fold
    )
    drawn = draw_responses(rng, int(present.sum()), grid, amplifier)
    response[present, first:] = snr[present, None] * drawn.waves[:, ::fold]
    onset_ms[present], duration_ms[present] = drawn.onset_ms, drawn.duration_ms
    span[present] = snr[present] * drawn.peak_to_peak
    # An amplitude beyond the range brings its noise along: the SNR stays as drawn.
    lowest, highest = AMPLITUDE_RANGE_UV
    noise_uv[present] = np.clip(noise_uv[present], lowest / span[present], highest / span[present])

    artefact = disturbances.stimulus_artefact(rng, count, t_ms, setup.pulses_ms)
    artefact += disturbances.heart(rng, count, t_ms)
    artefact += disturbances.electrode_pop(rng, count, t_ms)
    artefact += disturbances.electrocautery(rng, count, t_ms)
    sweeps = response + artefact
    sweeps += disturbances.noise(rng, count, setup.n_samples, setup.fs_hz, amplifier)
    sweeps += disturbances.mains(rng, count, t_ms, setup.mains_hz)
    sweeps += disturbances.drift(rng, count, t_ms)
    clipped = disturbances.clip(rng, sweeps)

    seen = (t_ms >= setup.last_pulse_ms + SEEN_MS[0]) & (t_ms < setup.last_pulse_ms + SEEN_MS[1])
    disturbed = np.ptp(artefact[:, seen], axis=1) > np.maximum(ARTEFACT_SD, ARTEFACT_SHARE * snr)
    return Block(
        setup=setup,
        sweeps_uv=sweeps * noise_uv[:, None],
        response_uv=response * noise_uv[:, None],
        truth=Truth(
            response=present,
            artefact=disturbed | clipped[:, seen].any(axis=1),
            amplitude_uv=span * noise_uv,
            onset_ms=onset_ms,
            duration_ms=duration_ms,
            snr=np.where(present, snr, np.nan),
        ),
    )
