"""A simulated surgical case: eight muscles, TES trains, responses, and all that disturbs them.

Deterministic: the same seed gives the same samples, whatever the size of the blocks in which they
are asked for. Assumptions, all of them choices and none of them a model of a patient:

- an answer begins at its muscle's conduction latency after the *last* pulse of the train (adult
  values as for a single pulse), and is a sum of motor-unit potentials of two to four phases each,
  dispersed more in the leg than in the arm;
- amplitude varies from trial to trial lognormally, muscle by muscle, with the scenario's CV, which
  is below published figures (27-48 %) so that a demonstration has a calm baseline;
- artefact: one exponential transient a pulse, millivolts high, gone within 2-3 ms;
- mains 50 Hz with two harmonics, white background noise through a 10-1500 Hz amplifier, slow
  drift, and an electrocardiogram on the deltoids.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from scipy.signal import butter, sosfilt

from monitor.sources.base import Item
from monitor.sources.replay import (
    CHUNK_S,
    Pace,
    TimedItem,
    TimelineReader,
    checked_speed,
    with_ticks,
)
from monitor.sources.scenario import SCENARIOS, Scenario
from monitor.types import Chunk, Float32Array, FloatArray, Marker, MonitorError, StreamInfo

#: Five pulses, 4 ms apart: times from the first.
TRAIN_MS = (0.0, 4.0, 8.0, 12.0, 16.0)

MAINS_HZ = 50.0
ARTEFACT_DECAY_MS = 0.4
#: Onset is where a noiseless response first passes this share of its peak-to-peak amplitude.
ONSET_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class SimulatedMuscle:
    """One channel: ``conduction_ms`` from the last pulse; the rest describes its own response."""

    name: str
    conduction_ms: float
    amplitude_uv: float
    duration_ms: float
    artefact_uv: float
    noise_uv: float
    mains_uv: float
    ecg_uv: float = 0.0


#: Left and right differ a little, as they do.
MUSCLES = (
    SimulatedMuscle("L-DELT", 14.2, 620.0, 13.0, 3800.0, 4.0, 9.0, ecg_uv=45.0),
    SimulatedMuscle("R-DELT", 14.0, 540.0, 13.0, 4200.0, 4.5, 7.0, ecg_uv=20.0),
    SimulatedMuscle("L-APB", 22.3, 1450.0, 14.0, 2400.0, 2.5, 12.0),
    SimulatedMuscle("R-APB", 22.0, 1250.0, 14.0, 2600.0, 3.0, 15.0),
    SimulatedMuscle("L-TA", 31.5, 480.0, 20.0, 1300.0, 3.0, 8.0),
    SimulatedMuscle("R-TA", 31.2, 560.0, 20.0, 1200.0, 2.5, 10.0),
    SimulatedMuscle("L-AH", 41.8, 340.0, 22.0, 900.0, 2.0, 6.0),
    SimulatedMuscle("R-AH", 41.4, 390.0, 22.0, 950.0, 2.5, 11.0),
)


@dataclass(frozen=True, slots=True)
class TrialTruth:
    """What was really done and really answered, in the order of the channels.

    ``stimulus_s`` is the first pulse. ``onset_ms`` counts from it, NaN where nothing answered;
    ``amplitude_uv`` is the noiseless peak to peak.
    """

    trial: int
    stimulus_s: float
    marker: str
    onset_ms: tuple[float, ...]
    amplitude_uv: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive samples (n, channels) and the stimuli whose first pulse lies among them."""

    first_sample: int
    samples_uv: Float32Array
    stimuli: tuple[TrialTruth, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _MotorUnits:
    """The units of one muscle's response: (units,) each; delays count from the onset."""

    delay_ms: FloatArray
    width_ms: FloatArray
    weight: FloatArray
    cycles: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Event:
    """A waveform (n, channels) that starts at sample ``first``."""

    first: int
    samples_uv: FloatArray


class SimulatedCase:
    """Synthesises a case, block by block, for ever; memory does not grow."""

    marker = "TES C1C2 400V"

    def __init__(
        self,
        seed: int = 1,
        fs_hz: float = 5000.0,
        scenario: Scenario = SCENARIOS["demo"],
        muscles: Sequence[SimulatedMuscle] = MUSCLES,
    ) -> None:
        """Raises MonitorError where ``fs_hz`` can't carry a response (below 1 kHz)."""
        if not fs_hz >= 1000.0:
            raise MonitorError(f"fs {fs_hz:g} Hz: a simulated case needs at least 1000 Hz")
        self.fs_hz = fs_hz
        self.scenario = scenario
        self.muscles = tuple(muscles)
        self.channel_names = tuple(m.name for m in self.muscles)
        # One stream of random numbers a cause: none depends on how often another is drawn.
        anatomy, self._trial_rng, self._noise_rng, self._beat_rng = (
            np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)
        )
        self._units = [_motor_units(m, anatomy) for m in self.muscles]
        self._phases = anatomy.uniform(0, 2 * math.pi, (6, len(self.muscles)))
        top_hz = min(1500.0, 0.45 * fs_hz)
        self._sos = butter(2, [10.0, top_hz], btype="bandpass", fs=fs_hz, output="sos")
        self._noise_state = np.zeros((self._sos.shape[0], 2, len(self.muscles)))
        # The band-pass takes part of the white noise's power; what is left has the stated SD.
        self._noise_sd = np.array([m.noise_uv for m in self.muscles]) * math.sqrt(
            0.5 * fs_hz / (top_hz - 10.0)
        )
        self._sample = 0
        self._trial = 0
        self._next_stimulus_s = scenario.first_stimulus_s
        self._next_beat_s = 0.4
        self._events: deque[_Event] = deque()

    def next_block(self, n_samples: int) -> Block:
        """The next ``n_samples`` of the case."""
        first, stop = self._sample, self._sample + n_samples
        t_s = np.arange(first, stop) / self.fs_hz
        samples_uv = self._background(t_s)
        stop_s = stop / self.fs_hz
        while self._next_beat_s < stop_s:
            self._events.append(self._beat(self._next_beat_s))
            self._next_beat_s += 60.0 / 72.0 + 0.02 * self._beat_rng.standard_normal()
        stimuli = []
        while self._next_stimulus_s < stop_s:
            stimuli.append(self._stimulate(self._next_stimulus_s))
            jitter_s = self.scenario.interval_jitter_s * self._trial_rng.uniform(-1, 1)
            self._next_stimulus_s += self.scenario.interval_s + jitter_s
        # In order of their start, so that sums come out the same in any blocks.
        self._events = deque(sorted(self._events, key=lambda event: event.first))
        for event in self._events:
            begin, end = max(event.first, first), min(event.first + len(event.samples_uv), stop)
            if begin < end:
                samples_uv[begin - first : end - first] += event.samples_uv[
                    begin - event.first : end - event.first
                ]
        self._events = deque(e for e in self._events if e.first + len(e.samples_uv) > stop)
        self._sample = stop
        return Block(first, samples_uv.astype(np.float32), tuple(stimuli))

    def _background(self, t_s: FloatArray) -> FloatArray:
        """Noise, mains and drift, (n, channels)."""
        white = self._noise_rng.standard_normal((len(t_s), len(self.muscles))) * self._noise_sd
        samples_uv, self._noise_state = sosfilt(self._sos, white, axis=0, zi=self._noise_state)
        mains_uv = np.array([m.mains_uv for m in self.muscles])
        angle = 2 * math.pi * MAINS_HZ * t_s[:, None]
        for harmonic, share, phase in ((1, 1.0, 0), (3, 0.2, 1), (5, 0.08, 2)):
            samples_uv += share * mains_uv * np.sin(harmonic * angle + self._phases[phase])
        for drift_hz, drift_uv, phase in ((0.07, 6.0, 3), (0.23, 3.0, 4), (0.31, 2.0, 5)):
            angle = 2 * math.pi * drift_hz * t_s[:, None]
            samples_uv += drift_uv * np.sin(angle + self._phases[phase])
        return np.asarray(samples_uv, dtype=np.float64)

    def _beat(self, at_s: float) -> _Event:
        """One heartbeat: a QRS complex and a T wave."""
        first = math.ceil(at_s * self.fs_hz)
        n = round(0.5 * self.fs_hz)
        t_ms = ((first + np.arange(n)) / self.fs_hz - at_s) * 1e3
        shape = (
            np.exp(-0.5 * ((t_ms - 60) / 9) ** 2)
            - 0.3 * np.exp(-0.5 * ((t_ms - 85) / 11) ** 2)
            + 0.2 * np.exp(-0.5 * ((t_ms - 300) / 40) ** 2)
        )
        return _Event(first, shape[:, None] * np.array([m.ecg_uv for m in self.muscles]))

    def _stimulate(self, at_s: float) -> TrialTruth:
        """Add a train's artefact and the responses; remember nothing but the waveform."""
        self._trial += 1
        first = math.ceil(at_s * self.fs_hz)
        n = round(0.2 * self.fs_hz)
        t_ms = ((first + np.arange(n)) / self.fs_hz - at_s) * 1e3
        samples_uv = np.zeros((n, len(self.muscles)))
        onsets_ms, amplitudes_uv = [], []
        sigma = math.sqrt(math.log1p(self.scenario.amplitude_cv**2))
        # Drawn for every muscle in every trial: a loss changes no other muscle's numbers.
        factor = np.exp(sigma * self._trial_rng.standard_normal(len(self.muscles)))
        for i, muscle in enumerate(self.muscles):
            shape, shape_onset_ms = self._response(i, t_ms - TRAIN_MS[-1] - muscle.conduction_ms)
            share = self.scenario.share(muscle.name, self._trial)
            amplitude_uv = muscle.amplitude_uv * float(factor[i]) * share
            samples_uv[:, i] = amplitude_uv * shape + muscle.artefact_uv * _artefact(t_ms)
            amplitudes_uv.append(amplitude_uv)
            onset_ms = TRAIN_MS[-1] + muscle.conduction_ms + shape_onset_ms
            onsets_ms.append(onset_ms if amplitude_uv > 0 else math.nan)
        self._events.append(_Event(first, samples_uv))
        return TrialTruth(self._trial, at_s, self.marker, tuple(onsets_ms), tuple(amplitudes_uv))

    def _response(self, channel: int, t_ms: FloatArray) -> tuple[FloatArray, float]:
        """A response of peak to peak 1 at ``t_ms`` from its first unit, and where its onset lies.

        Units keep their places from trial to trial and vary a little in time and size.
        """
        units = self._units[channel]
        n_units = len(units.delay_ms)
        jittered = _MotorUnits(
            np.maximum(units.delay_ms + 0.15 * self._trial_rng.standard_normal(n_units), 0.0),
            units.width_ms,
            units.weight * (1 + 0.1 * self._trial_rng.standard_normal(n_units)),
            units.cycles,
        )
        # On a grid of its own: peak and onset must not depend on the sampling rate.
        grid_ms = np.arange(0.0, 40.0, 0.05)
        fine = _sum_of_units(jittered, grid_ms)
        peak_to_peak = float(np.ptp(fine))
        onset_ms = float(grid_ms[np.argmax(np.abs(fine) > ONSET_SHARE * peak_to_peak)])
        return _sum_of_units(jittered, t_ms) / peak_to_peak, onset_ms


def _motor_units(muscle: SimulatedMuscle, rng: np.random.Generator) -> _MotorUnits:
    """Thirty units: most begin early, later ones are smaller; a fifth point the other way."""
    n_units = 30
    width_ms = rng.uniform(0.3, 0.5, n_units) * muscle.duration_ms
    spread_ms = muscle.duration_ms - width_ms.max()
    delay_ms = np.sort(rng.beta(1.1, 1.8, n_units)) * spread_ms
    delay_ms[0] = 0.0
    weight = rng.lognormal(0.0, 0.4, n_units) * np.exp(-delay_ms / muscle.duration_ms)
    weight *= np.where(rng.random(n_units) < 0.2, -1.0, 1.0)
    weight[0] = abs(weight[0])
    cycles = rng.choice([1.0, 1.5, 2.0], n_units)
    return _MotorUnits(delay_ms, width_ms, weight, cycles)


def _sum_of_units(units: _MotorUnits, t_ms: FloatArray) -> FloatArray:
    """The units' potentials added up at ``t_ms`` from the first unit's start, (n,)."""
    u = (t_ms[:, None] - units.delay_ms) / units.width_ms
    inside = (u > 0) & (u < 1)
    u = np.where(inside, u, 0.0)
    # One to two periods of a sine under a window, first phase leading: two to four phases.
    potential = np.sin(2 * math.pi * units.cycles * u) * np.sin(math.pi * u) * (1.2 - u)
    return np.asarray((potential * inside) @ units.weight, dtype=np.float64)


def _artefact(t_ms: FloatArray) -> FloatArray:
    """Artefact of a whole train, (n,): decays after each pulse, size about 1."""
    total = np.zeros_like(t_ms)
    for pulse_ms in TRAIN_MS:
        since_ms = np.maximum(t_ms - pulse_ms, 0.0)
        total += np.where(t_ms >= pulse_ms, np.exp(-since_ms / ARTEFACT_DECAY_MS), 0.0)
        # The pulse itself, of the opposite sign, 0.2 ms long.
        total -= np.where((t_ms >= pulse_ms) & (since_ms < 0.2), 1.6, 0.0)
    return total


class SimulatedSource:
    """A simulated case as a :class:`~monitor.sources.base.Source` within this process.

    Times start at 0 with the first sample; there is one clock.
    """

    def __init__(
        self,
        case: SimulatedCase,
        *,
        duration_s: float | None = None,
        speed: float | None = 1.0,
        chunk_samples: int | None = None,
        pace: Pace | None = None,
    ) -> None:
        """``duration_s`` None: it goes on until left. ``speed`` None: as fast as it is read.

        Raises:
            MonitorError: ``speed`` or ``chunk_samples`` isn't positive.
        """
        self._case = case
        if chunk_samples is None:
            chunk_samples = max(1, round(CHUNK_S * case.fs_hz))
        if chunk_samples < 1:
            raise MonitorError(f"chunk_samples {chunk_samples}: must be at least 1")
        self._chunk_samples = chunk_samples
        self._n_samples = None if duration_s is None else round(duration_s * case.fs_hz)
        speed = checked_speed(speed)
        self._pace = pace if pace is not None or speed is None else Pace(speed)
        self._reader: TimelineReader | None = None
        self.info = StreamInfo(
            name="simulated case",
            source_id=f"simulated-{case.scenario.name}",
            fs_hz=case.fs_hz,
            channel_names=case.channel_names,
            kind="simulated",
        )
        self.warnings: tuple[str, ...] = ()

    @property
    def exhausted(self) -> bool:
        return self._reader is not None and self._reader.exhausted

    def __enter__(self) -> Self:
        self._reader = TimelineReader(with_ticks(self._timeline(), 0.0), self._pace)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader = None

    def read(self, timeout_s: float) -> list[Item]:
        if self._reader is None:
            raise RuntimeError("enter the source before reading from it")
        return self._reader.read(timeout_s)

    def _timeline(self) -> Iterator[TimedItem]:
        done = 0
        while self._n_samples is None or done < self._n_samples:
            n = self._chunk_samples
            if self._n_samples is not None:
                n = min(n, self._n_samples - done)
            block = self._case.next_block(n)
            t_lsl = np.arange(done, done + n) / self._case.fs_hz
            due_s = float(t_lsl[-1])
            yield due_s, Chunk(block.first_sample, block.samples_uv, t_lsl)
            for truth in block.stimuli:
                yield due_s, Marker(truth.stimulus_s, truth.marker)
            done += n
