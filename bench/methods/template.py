"""A template (matched-filter) detector: response or not by the best match to a bank of shapes.

Correlation with known shapes is the detector of choice for a response under the noise floor (Li et
al. 2022, doi 10.1088/1741-2552/ac7dfc). The bank holds bi- and triphasic muscle potentials (first
and second derivative of Rosenfalck's z^3 exp(-z)) of six widths. Each filter's output after the
pulse is held against its own spread in the noise; the largest ratio is the score. The limit was
set where 1 % of the validation split's sweeps without response or artefact pass it
(:mod:`bench.methods.calibrate`). It decides, and measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import fftconvolve

from bench.methods.at_home import HOME_FS_HZ, home_window
from bench.methods.base import FloatArray, MethodAnswers, noise_range

FROM_MS, UNTIL_MS = 6.0, 90.0
SCALES_MS = (0.4, 0.7, 1.1, 1.7, 2.5, 3.5)
#: ``z**3 exp(-z)`` and its derivatives are over by then.
LENGTH_Z = 12.0
#: As :mod:`bench.methods.calibrate` prints it.
LIMIT = 9.9
FALSE_SHARE = 0.01


@lru_cache(maxsize=1)
def bank() -> tuple[FloatArray, ...]:
    """Shapes at 3 kHz, each with a mean of 0 and an energy of 1."""
    shapes = []
    for scale_ms in SCALES_MS:
        z = np.arange(0.0, LENGTH_Z * scale_ms, 1e3 / HOME_FS_HZ) / scale_ms
        for wave in (z**2 * (3 - z) * np.exp(-z), z * (6 - 6 * z + z * z) * np.exp(-z)):
            centred = wave - wave.mean()
            shapes.append(centred / np.linalg.norm(centred))
    return tuple(shapes)


def scores(home_uv: FloatArray, rest: slice, searched: slice) -> FloatArray:
    """(n,) best match after the pulse over the filters' own noise.

    Args:
        home_uv: (n, m) at 3 kHz.
        rest: where noise alone lies.
        searched: where a response may lie.
    """
    best = np.zeros(len(home_uv))
    for shape in bank():
        out = fftconvolve(home_uv, shape[None, ::-1], mode="same", axes=1)
        spread = np.sqrt(np.mean(np.square(out[:, rest]), axis=1))
        best = np.maximum(best, np.abs(out[:, searched]).max(axis=1) / np.maximum(spread, 1e-9))
    return best


def false_limit(scores_without_response: Sequence[float] | FloatArray) -> float:
    """The score that 1 % of sweeps without a response pass."""
    return float(np.quantile(scores_without_response, 1.0 - FALSE_SHARE))


@dataclass(frozen=True, slots=True)
class Template:
    """Response or not."""

    limit: float = LIMIT
    name: str = "template"

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """See :class:`bench.methods.base.Method`; gives response and score alone."""
        n, samples = sweeps_uv.shape
        share = HOME_FS_HZ / fs_hz
        m = int(samples * share)
        # The whole sweep: its first sample lies so long before the stimulus.
        home = home_window(sweeps_uv, fs_hz, stimulus_index, -stimulus_index * 1e3 / fs_hz, m)
        low, high = noise_range(fs_hz, samples, stimulus_index, pulses_ms)
        zero = stimulus_index * share + pulses_ms[-1] * HOME_FS_HZ / 1e3
        start, stop = (round(zero + ms * HOME_FS_HZ / 1e3) for ms in (FROM_MS, UNTIL_MS))
        found = scores(home, slice(int(low * share), int(high * share)), slice(start, min(m, stop)))
        return MethodAnswers.of(n, response=(found > self.limit).astype(float), score=found)
