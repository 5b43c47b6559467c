"""Signal Hunter, AHTE and SHTE: latency by a threshold and a magic number.

As described in the comparison of the DELMEP paper ("MEP latency" by deep learning), section "Data
analysis and method validation", with its settings: V_thr 10 %, magic number 5 samples at 3 kHz.
None of them can say that there is no response: each gives an onset to every sweep.

The descriptions leave the window open; 6 to 80 ms after the last pulse is taken, where any muscle
may answer (a window of 10-50 ms would cut the leg's responses off).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.methods.at_home import MS_PER_SAMPLE, home_window
from bench.methods.base import FloatArray, MethodAnswers

FROM_MS, UNTIL_MS = 6.0, 80.0
SAMPLES = round((UNTIL_MS - FROM_MS) / MS_PER_SAMPLE)
MAGIC_SAMPLES = 5
THRESHOLD_SHARE = 0.10
#: Signal Hunter's moving average; its length is not in the description: DELMEP's own is taken.
SMOOTHED_SAMPLES = 3


def signal_hunter_index(sweep_uv: FloatArray) -> float:
    """Index of the onset in a window (m,) at 3 kHz.

    Moving average, difference, its SD; the sample at which |difference| exceeds the SD by most;
    the magic number before it.
    """
    smooth = np.convolve(sweep_uv, np.full(SMOOTHED_SAMPLES, 1 / SMOOTHED_SAMPLES), "same")
    steps = np.diff(smooth)
    return float(np.argmax(np.abs(steps) - steps.std())) - MAGIC_SAMPLES


def ahte_index(sweep_uv: FloatArray) -> float:
    """Index of the onset in a window (m,) at 3 kHz: absolute hard threshold estimation.

    |sweep| crosses its level by 10 % of its largest value for the first time; the magic number
    before it. The level is the sweep's mean, which is where the marked lines lie about.
    """
    return _first_crossing(np.abs(sweep_uv - sweep_uv.mean()))


def shte_index(sweep_uv: FloatArray) -> float:
    """Index of the onset in a window (m,) at 3 kHz: squared hard threshold estimation.

    As :func:`ahte_index` with squares in place of absolute values.
    """
    return _first_crossing(np.square(sweep_uv - sweep_uv.mean()))


def _first_crossing(size: FloatArray) -> float:
    above = size >= THRESHOLD_SHARE * size.max()
    return float(np.argmax(above)) - MAGIC_SAMPLES


INDEX = {"Signal Hunter": signal_hunter_index, "AHTE": ahte_index, "SHTE": shte_index}


@dataclass(frozen=True, slots=True)
class ThresholdLatency:
    """One of the three by its name."""

    name: str

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
        index = np.array([INDEX[self.name](window) for window in windows])
        return MethodAnswers.of(len(windows), onset_ms=from_ms + index * MS_PER_SAMPLE)
