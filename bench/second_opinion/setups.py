"""Set-ups of the second opinion's sessions: sampling, place of the stimulus, train, latencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.types import FloatArray

RATES_HZ = (2000.0, 2500.0, 3000.0, 4000.0, 5000.0, 6000.0, 8000.0, 10_000.0)
MOST_PULSES = 7
LONE_PULSE = 0.3
"""Share of set-ups with one pulse, as of magnetic or cortical stimulation."""

#: Mean onset and its SD by muscle group, ms after transcranial stimulation: face, arm, hand, thigh,
#: shin, foot.
MUSCLES = ((11.0, 1.5), (14.5, 1.5), (22.5, 1.5), (25.0, 1.5), (32.0, 2.5), (42.0, 3.0))
LEAST_LATENCY_MS = 7.5
FROM_LAST_PULSE = 0.6
AFTER_TRAIN_MS = 4.0


@dataclass(frozen=True, slots=True)
class Setup:
    """One session: ``pre_ms`` before the first pulse and ``post_ms`` after it.

    ``pulse_artefact``: a short artefact stands at every pulse, over before a response could begin.
    """

    fs_hz: float
    pre_ms: float
    post_ms: float
    pulses_ms: tuple[float, ...]
    mains_hz: float
    pulse_artefact: bool

    @property
    def stimulus_index(self) -> int:
        """The sample of the first pulse."""
        return round(self.pre_ms * self.fs_hz / 1e3)

    @property
    def samples(self) -> int:
        """Of a sweep."""
        return self.stimulus_index + round(self.post_ms * self.fs_hz / 1e3)

    @property
    def times_ms(self) -> FloatArray:
        """(samples,) from the first pulse."""
        samples = np.arange(self.samples, dtype=np.float64)
        return (samples - self.stimulus_index) * 1e3 / self.fs_hz


def draw_setup(rng: np.random.Generator) -> Setup:
    """A set-up: a lone pulse or a train of 2-7 at 2-4 ms, sampled at 2-10 kHz."""
    fs_hz = float(rng.choice(RATES_HZ))
    count = 1 if rng.random() < LONE_PULSE else int(rng.integers(2, MOST_PULSES + 1))
    # On the grid of samples, as a stimulator that shares the amplifier's clock gives them.
    interval_ms = round(rng.uniform(2.0, 4.0) * fs_hz / 1e3) * 1e3 / fs_hz
    return Setup(
        fs_hz=fs_hz,
        pre_ms=float(rng.uniform(20.0, 100.0)),
        post_ms=float(rng.uniform(100.0, 200.0)),
        pulses_ms=tuple(round(k * interval_ms, 6) for k in range(count)),
        mains_hz=float(rng.choice([50.0, 60.0])),
        pulse_artefact=bool(rng.random() < 0.5),
    )


def draw_onset_ms(rng: np.random.Generator, setup: Setup) -> float:
    """When a response of some muscle begins, in ms from the first pulse.

    Its latency counts from the last pulse, or, in two of five, from the first: then it begins 4 ms
    after the train at the earliest, for nothing can be read inside one.
    """
    mean_ms, spread_ms = MUSCLES[rng.integers(len(MUSCLES))]
    latency_ms = max(LEAST_LATENCY_MS, rng.normal(mean_ms, spread_ms))
    last_ms = setup.pulses_ms[-1]
    if rng.random() < FROM_LAST_PULSE:
        return last_ms + latency_ms
    return max(latency_ms, last_ms + AFTER_TRAIN_MS)
