"""Muscle responses as sums of motor-unit potentials, and what is true of each of them.

What is assumed:

* **Shape of a potential.** The transmembrane potential of a muscle fibre is ``z**3 exp(-z)``
  (Rosenfalck, Acta Physiol Scand Suppl 321, 1969). Electrodes see it, its first or its second
  derivative, as their distance and spacing have it: a mono-, a bi- or a triphasic potential. A
  muscle has its own mixture of the three and its own time scale, 0.25-1.2 ms per unit of ``z``.
* **Recruitment.** Sizes of motor units are exponential over a 30-fold range and recruitment goes
  from small to large (Henneman's size principle as in Fuglevand, Winter & Patla, J Neurophysiol
  70:2470, 1993). What is drawn as one unit may stand for several that fire together.
* **Dispersion of latency.** Conduction in the corticospinal tract and the nerve spreads the units
  over 1.5-60 ms, most of them in the first third; large units conduct faster and come earlier. In
  a third of the responses some units fire a second time, 4-14 ms later (repeated volleys of a
  train): late, polyphasic parts.

**Onset** is the first time at which the noiseless response departs from zero by 5 % of its peak.
At a peak of 10 to 20 times the noise, an ordinary response, 5 % is where the trace leaves the noise
band (0.5-1 SD), the place that a reader marks; a smaller share would mark a foot that nobody sees,
a larger one lies on the flank and comes late by the rise time. **End** is the last such time,
**duration** end minus onset. Both are taken behind the amplifier's low-pass and before its
high-pass, whose slow undershoot is no part of the response. **Amplitude** is peak to peak as
recorded, behind both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Frequencies = NDArray[np.floating[Any]]
ComplexArray = NDArray[np.complexfloating[Any, Any]]

#: Onset and end are where the noiseless response crosses this share of its peak.
ONSET_SHARE = 0.05
ONSET_RANGE_MS = (8.0, 50.0)
DURATION_RANGE_MS = (5.0, 40.0)

UNITS = 24
SIZE_RANGE = 30.0
#: ``z**3 exp(-z)`` has fallen under 0.2 % of its peak here.
SUPPORT_Z = 16.0
TIME_SCALE_MS = (0.25, 3.5)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Evenly spaced times: sample ``i`` lies ``start_ms + 1000 i / fs_hz`` after the last pulse."""

    fs_hz: float
    start_ms: float
    n_samples: int


@dataclass(frozen=True, slots=True, eq=False)
class Amplifier:
    """Second-order low-pass and first-order high-pass, both causal, as in a recording amplifier."""

    lowpass_hz: float
    highpass_hz: float

    def lowpass(self, f_hz: Frequencies) -> ComplexArray:
        """Transfer function of the low-pass (Butterworth) at ``f_hz``."""
        s = 1j * f_hz / self.lowpass_hz
        return np.asarray(1.0 / (1.0 + np.sqrt(2.0) * s + s * s))

    def highpass(self, f_hz: Frequencies) -> ComplexArray:
        """Transfer function of the high-pass (RC) at ``f_hz``."""
        s = 1j * f_hz / self.highpass_hz
        return np.asarray(s / (1.0 + s))


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Noiseless responses with a peak of 1, and what is true of them.

    ``waves`` (k, n) on the grid, as recorded; ``peak_to_peak`` (k,), peak 1 being the unit;
    ``onset_ms`` (k,) from the last pulse; ``duration_ms`` (k,).
    """

    waves: FloatArray
    peak_to_peak: FloatArray
    onset_ms: FloatArray
    duration_ms: FloatArray


def draw_responses(
    rng: np.random.Generator, count: int, grid: Grid, amplifier: Amplifier
) -> Responses:
    """Draw ``count`` responses with onset and duration inside the stated ranges.

    Args:
        rng: source of randomness.
        count: how many.
        grid: where to sample; at least 20 kHz, so that an onset is known to 0.05 ms and better.
        amplifier: what they are recorded with.
    """
    kept: list[Responses] = []
    missing = count
    while missing > 0:
        drawn = _recorded(_unit_sums(rng, missing + missing // 3 + 4, grid), grid, amplifier)
        usable = (
            (drawn.onset_ms >= ONSET_RANGE_MS[0])
            & (drawn.onset_ms <= ONSET_RANGE_MS[1])
            & (drawn.duration_ms >= DURATION_RANGE_MS[0])
            & (drawn.duration_ms <= DURATION_RANGE_MS[1])
        )
        take = np.flatnonzero(usable)[:missing]
        kept.append(
            Responses(
                drawn.waves[take],
                drawn.peak_to_peak[take],
                drawn.onset_ms[take],
                drawn.duration_ms[take],
            )
        )
        missing -= take.size
    return Responses(
        np.concatenate([r.waves for r in kept]),
        np.concatenate([r.peak_to_peak for r in kept]),
        np.concatenate([r.onset_ms for r in kept]),
        np.concatenate([r.duration_ms for r in kept]),
    )


def log_uniform(
    rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]
) -> FloatArray:
    """Numbers whose logarithm is uniform between those of ``low`` and ``high``."""
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), shape)))


def unit_potential(z: FloatArray, mixture: FloatArray) -> FloatArray:
    """Potential of a motor unit at ``z`` (time over time scale), zero before it starts.

    Args:
        z: (..., n).
        mixture: (..., 3) weights of Rosenfalck's ``z**3 exp(-z)`` and of its first and second
            derivative, which come with peaks of 1, 1 and 1.7.
    """
    z = np.maximum(z, 0.0)
    m = mixture[..., None, :]
    poly = z * (
        m[..., 2] * 1.7 * (6.0 - 6.0 * z + z * z)
        + z * (m[..., 1] * 1.3 * (3.0 - z) + m[..., 0] * 0.74 * z)
    )
    return np.asarray(poly * np.exp(-z))


def onset_and_end_ms(waves: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """First and last time at which each noiseless wave reaches 5 % of its peak, interpolated.

    Args:
        waves: (k, n), none of them zero throughout.
        grid: their times.

    Returns:
        (k,) and (k,), in ms from the last pulse.
    """
    size = np.abs(waves)
    level = ONSET_SHARE * size.max(axis=1, keepdims=True)
    above = size >= level
    n = waves.shape[1]
    first = np.argmax(above, axis=1)
    last = n - 1 - np.argmax(above[:, ::-1], axis=1)
    onset = _crossing(size, level[:, 0], first, np.maximum(first - 1, 0))
    end = _crossing(size, level[:, 0], last, np.minimum(last + 1, n - 1))
    per_ms = grid.fs_hz / 1e3
    return grid.start_ms + onset / per_ms, grid.start_ms + end / per_ms


def _crossing(
    size: FloatArray, level: FloatArray, inside: NDArray[np.intp], outside: NDArray[np.intp]
) -> FloatArray:
    """Where the straight line between two neighbouring samples meets the level, in samples."""
    rows = np.arange(size.shape[0])
    high, low = size[rows, inside], size[rows, outside]
    span = np.where(high > low, high - low, 1.0)
    share = np.where(high > low, (high - level) / span, 0.0)
    return np.asarray(inside + (outside - inside) * share)


def _unit_sums(rng: np.random.Generator, count: int, grid: Grid) -> FloatArray:
    """Sums of motor-unit potentials before any amplifier, (count, grid.n_samples)."""
    per_ms = grid.fs_hz / 1e3
    onset_ms = rng.uniform(ONSET_RANGE_MS[0] - 0.5, ONSET_RANGE_MS[1] + 0.5, (count, 1))
    spread_ms = log_uniform(rng, 1.5, 60.0, (count, 1))
    scale_ms = log_uniform(rng, *TIME_SCALE_MS, (count, 1))

    recruited = np.ceil(UNITS * rng.uniform(0.1, 1.0, (count, 1)))
    rank = np.arange(UNITS)[None, :] / (UNITS - 1)
    size = np.exp(np.log(SIZE_RANGE) * rank) * rng.uniform(0.6, 1.4, (count, UNITS))
    size *= np.arange(UNITS)[None, :] < recruited

    late = rng.beta(1.1, 2.2, (count, UNITS)) * (1.0 - 0.5 * rank * UNITS / recruited)
    start_ms = onset_ms + spread_ms * np.maximum(late, 0.0)
    again = (rng.random((count, 1)) < 1 / 3) & (rng.random((count, UNITS)) < 0.3)
    start_ms += again * rng.uniform(4.0, 14.0, (count, 1))

    mixture = rng.normal(size=(count, 1, 3)) * rng.choice(
        [[0.3, 1.0, 0.3], [1.0, 0.5, 0.1], [0.2, 0.7, 1.0]], size=(count, 1)
    )
    mixture = mixture + 0.15 * rng.normal(size=(count, UNITS, 3))
    scale_ms = scale_ms * rng.uniform(0.85, 1.15, (count, UNITS))

    reach = int(np.ceil(SUPPORT_Z * scale_ms.max() * per_ms)) + 1
    first = np.floor((start_ms - grid.start_ms) * per_ms).astype(np.intp) + 1
    index = first[..., None] + np.arange(reach)
    t_ms = grid.start_ms + index / per_ms - start_ms[..., None]
    potential = size[..., None] * unit_potential(t_ms / scale_ms[..., None], mixture)
    inside = (index >= 0) & (index < grid.n_samples)
    flat = (np.arange(count)[:, None, None] * grid.n_samples + index)[inside]
    total = np.bincount(flat, weights=potential[inside], minlength=count * grid.n_samples)
    return np.asarray(total.reshape(count, grid.n_samples))


def _recorded(sums: FloatArray, grid: Grid, amplifier: Amplifier) -> Responses:
    """Pass through the amplifier, bring the peak to 1 and read off what is true."""
    n = grid.n_samples
    # Twice the length: the high-pass's undershoot must not come round to the start.
    padded = 1 << (2 * n - 1).bit_length()
    f_hz = np.fft.rfftfreq(padded, 1.0 / grid.fs_hz)
    spectrum = np.fft.rfft(sums, padded) * amplifier.lowpass(f_hz)
    smooth = np.fft.irfft(spectrum, padded)[:, :n]
    waves = np.fft.irfft(spectrum * amplifier.highpass(f_hz), padded)[:, :n]
    onset_ms, end_ms = onset_and_end_ms(smooth, grid)
    waves = waves / np.abs(waves).max(axis=1, keepdims=True)
    return Responses(waves, np.ptp(waves, axis=1), onset_ms, end_ms - onset_ms)
