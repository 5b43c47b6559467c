"""What a method of the comparison takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.measure.clean import clean_sweeps
from monitor.measure.plan import plan_sweeps

FloatArray = NDArray[np.float64]

#: How a shape is written as a number, in answers and labels.
MONOPHASIC, BIPHASIC, POLYPHASIC = 1.0, 2.0, 3.0
SHAPES = {"monophasic": MONOPHASIC, "biphasic": BIPHASIC, "polyphasic": POLYPHASIC}


@dataclass(frozen=True, slots=True, eq=False)
class MethodAnswers:
    """What a method says of n sweeps, each field (n,) float64, NaN where it gives no answer.

    Attributes:
        response: 1 a response, 0 none; NaN: rejected, or the method does not decide.
        score: grows with how sure the method is of a response; its own scale.
        onset_ms: from the *first* pulse.
        onset_sd_ms: what the method takes for the standard error of its onset.
        amplitude_raw_uv: peak to peak as read, noise and all.
        amplitude_uv: peak to peak; its 95 % range: ``amplitude_lower_uv``, ``amplitude_upper_uv``.
        duration_ms: onset to end.
        morphology: 1 mono-, 2 bi-, 3 polyphasic.
        artefact: 1 where the method sees an artefact, 0 where it sees none.
        onset_uncertain, amplitude_uncertain: 1 where the method doubts its own value, else 0.
    """

    response: FloatArray
    score: FloatArray
    onset_ms: FloatArray
    onset_sd_ms: FloatArray
    amplitude_raw_uv: FloatArray
    amplitude_uv: FloatArray
    amplitude_lower_uv: FloatArray
    amplitude_upper_uv: FloatArray
    duration_ms: FloatArray
    morphology: FloatArray
    artefact: FloatArray
    onset_uncertain: FloatArray
    amplitude_uncertain: FloatArray

    @classmethod
    def of(cls, n: int, **given: FloatArray) -> MethodAnswers:
        """Answers to n sweeps, the fields that are not given filled with NaN.

        Raises:
            ValueError: a given field is not (n,).
        """
        for name, values in given.items():
            if np.shape(values) != (n,):
                raise ValueError(f"{name} is {np.shape(values)}, not ({n},)")
        names = [field.name for field in fields(cls)]
        return cls(**{name: given.get(name, np.full(n, np.nan)) for name in names})

    def found(self) -> NDArray[np.bool_]:
        """Where the method timed a response: it gives an onset and does not deny a response."""
        return np.asarray(np.isfinite(self.onset_ms) & (self.response != 0.0))


class Method(Protocol):
    """One way to measure sweeps of one recording set-up."""

    @property
    def name(self) -> str:
        """As the tables show it."""

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """Measure (n, samples) sweeps in microvolts; they are left as they are.

        Args:
            sweeps_uv: as recorded.
            fs_hz: sampling rate.
            stimulus_index: sample of the first pulse.
            pulses_ms: the train's pulses from the first.
        """


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A published method that starts from the sweep after *our* removal of artefact and mains.

    The published methods have no remedy of their own for the artefacts of a train or for hum of
    many times the noise. Given ours they are compared by what they describe.
    """

    inner: Method

    @property
    def name(self) -> str:
        return self.inner.name

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """Blank each pulse, take drift and mains out, then ask the method."""
        plan = plan_sweeps(fs_hz, sweeps_uv.shape[1], stimulus_index, pulses_ms)
        cleaned = clean_sweeps(bridged(sweeps_uv), plan)
        return self.inner.measure(cleaned, fs_hz, stimulus_index, pulses_ms)


def bridged(sweeps_uv: FloatArray) -> FloatArray:
    """(n, samples) with missing samples (NaN) on the straight line between their neighbours.

    A sweep without any sample becomes zeros.
    """
    whole = np.array(sweeps_uv, np.float64)
    for number in np.flatnonzero(~np.isfinite(whole).all(axis=1)):
        row = whole[number]
        there = np.flatnonzero(np.isfinite(row))
        row[:] = np.interp(np.arange(row.size), there, row[there]) if there.size else 0.0
    return whole


def noise_range(
    fs_hz: float, n_samples: int, stimulus_index: int, pulses_ms: tuple[float, ...]
) -> tuple[int, int]:
    """[start, stop) of a sweep's noise: before the stimulus, or its end where nothing precedes."""
    return plan_sweeps(fs_hz, n_samples, stimulus_index, pulses_ms).noise
