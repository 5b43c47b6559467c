"""Muscle responses as sums of motor-unit potentials, and what is true of each of them.

What is assumed:

* **Shape of a potential.** The transmembrane potential of a muscle fibre is ``z**3 exp(-z)``
  (Rosenfalck, Acta Physiol Scand Suppl 321, 1969). Electrodes see it, its first or its second
  derivative, as their distance and spacing have it: a mono-, a bi- or a triphasic potential. A
  muscle has its own mixture of the three and its own time scale, 0.35-3.5 ms per unit of ``z``.
* **Recruitment.** Sizes of motor units are exponential over a 30-fold range and recruitment goes
  from small to large (Henneman's size principle as in Fuglevand, Winter & Patla, J Neurophysiol
  70:2470, 1993). What is drawn as one unit may stand for several that fire together.
* **Dispersion of latency.** Conduction in the corticospinal tract and the nerve spreads the units
  over 1.5-30 ms, more the longer the way, most of them in the first third; large units conduct
  faster and come earlier. In a third of the responses some units fire a second time, 4-14 ms
  later (repeated volleys of a train): late, polyphasic parts. In a third the response ends in a
  slow tail, as surface recordings of hand muscles show it.

**Onset** is the first time at which the noiseless response departs from zero by 5 % of its peak.
At a peak of 10 to 20 times the noise, an ordinary response, 5 % is where the trace leaves the noise
band (0.5-1 SD), the place that a reader marks; a smaller share would mark a foot that nobody sees,
a larger one lies on the flank and comes late by the rise time. On 192 recorded responses of two
muscles 5 % of the peak lies 0.6-0.8 ms after the reference onsets of their source, which stand at
2-3 % (their SNR is above 100); 10 % would lie 1.2 ms after them. **End** is the last such time of
the response before the amplifier's high-pass, whose slow undershoot is no part of it; **duration**
is end minus onset. **Amplitude** is peak to peak as recorded. **Phases** are counted on the
recorded wave by the monitor's own rule (:mod:`monitor.measure.morphology`), without noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.measure.morphology import PHASE_SHARE, count_phases

FloatArray = NDArray[np.float64]

#: Onset and end are where the noiseless response crosses this share of its peak.
ONSET_SHARE = 0.05
ONSET_RANGE_MS = (8.0, 50.0)
DURATION_RANGE_MS = (5.0, 40.0)

UNITS = 24
SIZE_RANGE = 30.0
#: ``z**3 exp(-z)`` has fallen under 0.3 % of its peak here.
SUPPORT_Z = 15.0
TIME_SCALE_MS = (0.35, 3.5)
SPREAD_MS = (1.5, 30.0)


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

    def lowpass(self, fs_hz: float) -> FloatArray:
        """Butterworth low-pass at ``fs_hz``: (5,) b0 b1 b2 a1 a2 (bilinear, corner kept)."""
        w = np.tan(np.pi * min(self.lowpass_hz, 0.45 * fs_hz) / fs_hz)
        norm = 1.0 / (1.0 + np.sqrt(2.0) * w + w * w)
        gain = w * w * norm
        return np.array(
            [gain, 2 * gain, gain, 2 * (w * w - 1) * norm, (1 - np.sqrt(2.0) * w + w * w) * norm]
        )

    def highpass(self, fs_hz: float) -> FloatArray:
        """RC high-pass at ``fs_hz``, laid out like :meth:`lowpass`."""
        w = np.tan(np.pi * self.highpass_hz / fs_hz)
        gain = 1.0 / (1.0 + w)
        return np.array([gain, -gain, 0.0, (w - 1.0) * gain, 0.0])


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Noiseless responses with a peak of 1, and what is true of them.

    ``waves`` (k, n) on the grid, as recorded; ``peak_to_peak`` (k,), peak 1 being the unit;
    ``onset_ms`` (k,) from the last pulse; ``duration_ms`` (k,); ``phases`` (k,) int.
    """

    waves: FloatArray
    peak_to_peak: FloatArray
    onset_ms: FloatArray
    duration_ms: FloatArray
    phases: NDArray[np.int64]


def draw_responses(
    rng: np.random.Generator, count: int, grid: Grid, amplifier: Amplifier
) -> Responses:
    """Draw ``count`` responses with onset and duration inside the stated ranges.

    Args:
        rng: source of randomness.
        count: how many.
        grid: where to sample; at least 16 kHz, so that an onset is known to 0.05 ms and better.
        amplifier: what they are recorded with.
    """
    return draw_usable(rng, count, grid, amplifier, _unit_sums, ONSET_RANGE_MS, DURATION_RANGE_MS)


def draw_usable(
    rng: np.random.Generator,
    count: int,
    grid: Grid,
    amplifier: Amplifier,
    draw: Callable[[np.random.Generator, int, Grid], FloatArray],
    onset_range_ms: tuple[float, float],
    duration_range_ms: tuple[float, float],
    begins_share: float = 1.0,
) -> Responses:
    """Waves of ``draw`` as recorded, drawn until ``count`` lie inside both ranges.

    Args:
        draw: gives (k, grid.n_samples) before any amplifier.
        onset_range_ms, duration_range_ms: what is kept, from the last pulse.
        begins_share: a wave that stands higher than this share of its peak where the grid begins is
            not kept.
    """
    kept: list[Responses] = []
    missing = count
    while missing > 0 or not kept:
        drawn = _recorded(draw(rng, missing + missing // 3 + 2, grid), grid, amplifier)
        usable = (
            (drawn.onset_ms >= onset_range_ms[0])
            & (drawn.onset_ms <= onset_range_ms[1])
            & (drawn.duration_ms >= duration_range_ms[0])
            & (drawn.duration_ms <= duration_range_ms[1])
            & (np.abs(drawn.waves[:, 0]) <= begins_share)
        )
        take = np.flatnonzero(usable)[:missing]
        kept.append(Responses(*(getattr(drawn, field.name)[take] for field in fields(Responses))))
        missing -= take.size
    if len(kept) == 1:
        return kept[0]
    return Responses(
        *(np.concatenate([getattr(r, field.name) for r in kept]) for field in fields(Responses))
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


@njit(cache=True)
def add_potentials(out, at, per_scale, weights):  # type: ignore[no-untyped-def]
    """Add unit potentials to rows of ``out`` (k, n), in place; the sums of :func:`unit_potential`.

    Args:
        out: (k, n).
        at: (k, u) where each starts, in samples, fractions count.
        per_scale: (k, u) samples per unit of ``z``.
        weights: (k, u, 3) mixture times size.
    """
    k, n = out.shape
    for row in range(k):
        for unit in range(at.shape[1]):
            dz = 1.0 / per_scale[row, unit]
            first = max(0, int(np.ceil(at[row, unit])))
            stop = min(n, int(at[row, unit] + SUPPORT_Z * per_scale[row, unit]) + 1)
            z = (first - at[row, unit]) * dz
            decay = np.exp(-z)
            step = np.exp(-dz)
            zero = 0.74 * weights[row, unit, 0]
            one = 1.3 * weights[row, unit, 1]
            two = 1.7 * weights[row, unit, 2]
            for i in range(first, stop):
                inner = two * (6.0 - 6.0 * z + z * z) + z * (one * (3.0 - z) + zero * z)
                out[row, i] += z * inner * decay
                z += dz
                decay *= step


@njit(cache=True)
def filtered(rows, section):  # type: ignore[no-untyped-def]
    """Rows (k, n) behind a second-order section (b0 b1 b2 a1 a2), from rest; a new array."""
    k, n = rows.shape
    out = np.empty((k, n))
    b0, b1, b2, a1, a2 = section[0], section[1], section[2], section[3], section[4]
    for row in range(k):
        s1 = 0.0
        s2 = 0.0
        for i in range(n):
            x = rows[row, i]
            y = b0 * x + s1
            s1 = b1 * x - a1 * y + s2
            s2 = b2 * x - a2 * y
            out[row, i] = y
    return out


@njit(cache=True)
def _read(smooth, waves, share, phase_share):  # type: ignore[no-untyped-def]
    """Bring each wave's peak to 1; (k, 4): onset and end in samples, peak to peak, phases."""
    k, n = smooth.shape
    table = np.empty((k, 4))
    for row in range(k):
        largest = 0.0
        peak = 0.0
        for i in range(n):
            largest = max(largest, abs(smooth[row, i]))
            peak = max(peak, abs(waves[row, i]))
        level = share * peak
        first = 0
        while abs(waves[row, first]) < level:
            first += 1
        onset = float(first)
        if first > 0:
            outside, inside = abs(waves[row, first - 1]), abs(waves[row, first])
            if inside > outside:
                onset -= (inside - level) / (inside - outside)
        level = share * largest
        last = n - 1
        while abs(smooth[row, last]) < level:
            last -= 1
        end = float(last)
        if last < n - 1:
            outside, inside = abs(smooth[row, last + 1]), abs(smooth[row, last])
            if inside > outside:
                end += (inside - level) / (inside - outside)
        low, high = 0.0, 0.0
        if peak > 0.0:
            for i in range(n):
                waves[row, i] /= peak
                low, high = min(low, waves[row, i]), max(high, waves[row, i])
        table[row, 0] = onset
        table[row, 1] = end
        table[row, 2] = high - low
        table[row, 3] = count_phases(waves[row], 0.0, first, last + 1, phase_share)
    return table


def _unit_sums(rng: np.random.Generator, count: int, grid: Grid) -> FloatArray:
    """Sums of motor-unit potentials before any amplifier, (count, grid.n_samples)."""
    per_ms = grid.fs_hz / 1e3
    onset_ms = rng.uniform(ONSET_RANGE_MS[0] - 0.5, ONSET_RANGE_MS[1] + 0.5, (count, 1))
    # The longer the way, the wider the spread and the slower the potentials.
    way = (onset_ms - ONSET_RANGE_MS[0]) / (ONSET_RANGE_MS[1] - ONSET_RANGE_MS[0])
    low, high = np.log(SPREAD_MS[0]), np.log(SPREAD_MS[1])
    spread_ms = np.exp(low + (high - low) * rng.beta(1.2, 1.8 - 0.8 * np.clip(way, 0.0, 1.0)))
    scale_ms = log_uniform(rng, *TIME_SCALE_MS, (count, 1))

    recruited = np.ceil(UNITS * rng.uniform(0.15, 1.0, (count, 1)))
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
    # A slow tail: the smallest unit becomes a slow wave of its own, of a twentieth to a quarter
    # of the whole.
    slow = np.flatnonzero(rng.random(count) < 1 / 3)
    scale_ms[slow, 0] *= rng.uniform(2.0, 4.0, slow.size)
    size[slow, 0] = rng.uniform(0.02, 0.1, slow.size) * size[slow].sum(axis=1)
    start_ms[slow, 0] = onset_ms[slow, 0] + rng.uniform(1.0, 6.0, slow.size)
    mixture[slow, 0] = np.stack([rng.normal(size=slow.size), *np.zeros((2, slow.size))], axis=1)

    sums = np.zeros((count, grid.n_samples))
    add_potentials(
        sums, (start_ms - grid.start_ms) * per_ms, scale_ms * per_ms, size[..., None] * mixture
    )
    return sums


def _recorded(sums: FloatArray, grid: Grid, amplifier: Amplifier) -> Responses:
    """Pass through the amplifier, bring the peak to 1 and read off what is true."""
    smooth = filtered(sums, amplifier.lowpass(grid.fs_hz))
    waves = filtered(smooth, amplifier.highpass(grid.fs_hz))
    table = _read(smooth, waves, ONSET_SHARE, PHASE_SHARE)
    per_ms = grid.fs_hz / 1e3
    return Responses(
        waves,
        table[:, 2].copy(),
        grid.start_ms + table[:, 0] / per_ms,
        (table[:, 1] - table[:, 0]) / per_ms,
        table[:, 3].astype(np.int64),
    )
