"""Bigoni's latency by derivatives: the longest rise before the peak of the rectified response.

Bigoni et al. 2022 (J Neural Eng, doi 10.1088/1741-2552/ac636c), as described in the DELMEP paper:
10-50 ms after the stimulus; peak and trough; absolute value; first difference up to the peak; the
longest run of rising samples; its first sample is the onset. A run of fewer than five samples
discards the sweep: the one published method that can decline to answer. "The peak" is read as that
of the absolute values; read as the earlier of peak and trough, or with the sweep turned over in
place of its absolute value, the errors on the simulator's validation split were larger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.methods.at_home import MS_PER_SAMPLE, home_window
from bench.methods.base import FloatArray, MethodAnswers

FROM_MS, UNTIL_MS = 10.0, 50.0
SAMPLES = round((UNTIL_MS - FROM_MS) / MS_PER_SAMPLE)
MIN_RISING = 5


def bigoni_index(sweep_uv: FloatArray) -> float:
    """Index of the onset in a window (m,) at 3 kHz; NaN where no run is long enough."""
    size = np.abs(sweep_uv - np.median(sweep_uv))
    rising = np.diff(size[: int(np.argmax(size)) + 1]) > 0
    best, best_length, length = np.nan, 0, 0
    for index, rises in enumerate(rising):
        length = length + 1 if rises else 0
        if length > best_length:
            best, best_length = float(index - length + 1), length
    return best if best_length >= MIN_RISING else np.nan


@dataclass(frozen=True, slots=True)
class Bigoni:
    """Onset, or nothing where the derivative never rises for long enough."""

    name: str = "Bigoni"

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """See :class:`bench.methods.base.Method`; gives onsets alone."""
        from_ms = pulses_ms[-1] + FROM_MS
        windows = home_window(sweeps_uv, fs_hz, stimulus_index, from_ms, SAMPLES)
        index = np.array([bigoni_index(window) for window in windows])
        return MethodAnswers.of(len(windows), onset_ms=from_ms + index * MS_PER_SAMPLE)
