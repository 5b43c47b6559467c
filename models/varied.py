"""Responses of other makings, for a share of the sweeps to *train* on, of no other split.

A network that learned the responses of one simulator has learned its habits too: how steeply a
response begins, how many turns it takes, how late it can be. Other authors model the same thing
otherwise, and muscles care for none of them. So a share of the training has responses of these
families, with wide ranges:

* **Volleys.** Five to 150 motor units whose latencies are normally distributed, each a mixture of
  Hermite-Rodriguez functions (Lo Conte, Merletti & Sandri, IEEE Trans Biomed Eng 41:1147, 1994).
  The first units are few: the response rises out of nothing over milliseconds. One volley or two.
* **Deflections.** Two to four Gaussian waves of alternating sign, broad or sharp.
* **Ringing waves.** Damped oscillations of 15-250 Hz behind a rise of up to 12 ms.
* **Shaped noise.** Noise of a muscle's band under an envelope that rises and falls: polyphasic
  responses of no shape at all.

Onset, end, amplitude and phases are read by the very definitions of :mod:`models.responses`. One in
six begins already 3 to 8 ms after the last pulse: a train may still run when the muscle answers its
first pulses.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.responses import Amplifier, Grid, Responses, draw_usable, log_uniform

FloatArray = NDArray[np.float64]

#: Onsets from the last pulse, and durations; the early ones and their share.
ONSET_RANGE_MS = (3.2, 50.0)
EARLY_MS = (3.0, 8.5)
EARLY_SHARE = 1 / 6
DURATION_RANGE_MS = (4.0, 50.0)
UNITS = 150
#: A Hermite-Rodriguez function has fallen under 0.1 % of its peak here.
SUPPORT_SD = 5.0
#: A wave that does not begin under this share of its peak began before there was anything to see.
BEGINS_SHARE = 0.02
#: Share of each family.
SHARES = (0.4, 0.2, 0.25, 0.15)


def draw_varied(
    rng: np.random.Generator, count: int, grid: Grid, amplifier: Amplifier
) -> Responses:
    """Draw ``count`` responses of all families; arguments as of
    :func:`models.responses.draw_responses`.
    """
    return draw_usable(
        rng, count, grid, amplifier, _waves, ONSET_RANGE_MS, DURATION_RANGE_MS, BEGINS_SHARE
    )


def _waves(rng: np.random.Generator, count: int, grid: Grid) -> FloatArray:
    """Waves of all families before any amplifier, (count, grid.n_samples)."""
    family = rng.choice(len(SHARES), count, p=SHARES)
    early = rng.random(count) < EARLY_SHARE
    start_ms = np.where(early, rng.uniform(*EARLY_MS, count), rng.uniform(8.0, 50.0, count))
    total = np.zeros((count, grid.n_samples))
    for number, draw in enumerate((volleys, deflections, ringing_waves, shaped_noise)):
        rows = np.flatnonzero(family == number)
        total[rows] = draw(rng, start_ms[rows], grid)
    return total


def volleys(rng: np.random.Generator, start_ms: FloatArray, grid: Grid) -> FloatArray:
    """(k, n) sums of motor units, the earliest beginning near ``start_ms`` (k,)."""
    k = start_ms.size
    width_ms = log_uniform(rng, 0.35, 3.5, (k, 1))
    dispersion_ms = log_uniform(rng, 0.4, 6.0, (k, 1))
    units = log_uniform(rng, 5.0, UNITS + 0.99, (k, 1)).astype(np.int64)
    late = rng.standard_normal((k, UNITS))
    # Some are skewed: the slow units trail behind.
    skewed = rng.random((k, 1)) < 0.4
    late = np.where(skewed, rng.gamma(2.0, 0.8, (k, UNITS)) - 1.6, late)
    recruited = np.arange(UNITS) < units
    first = np.where(recruited, late, np.inf).min(axis=1, keepdims=True)
    at_ms = start_ms[:, None] + (late - first) * dispersion_ms + 2.0 * width_ms
    again = (rng.random((k, 1)) < 0.25) & (rng.random((k, UNITS)) < 0.4)
    at_ms += again * (rng.uniform(3.0, 14.0, (k, 1)) + rng.normal(0.0, 0.7, (k, UNITS)))
    size = np.exp(rng.uniform(0.0, 1.2, (k, 1)) * rng.standard_normal((k, UNITS))) * recruited
    orders = np.array([[1.0, 0.3, 0.1, 0.0], [0.2, 1.0, 0.4, 0.1], [0.1, 0.4, 1.0, 0.5]])
    mixture = rng.standard_normal((k, 1, 4)) * orders[rng.integers(0, 3, k)][:, None, :]
    own = rng.uniform(0.05, 0.4, (k, 1, 1)) * rng.standard_normal((k, UNITS, 4))
    weights = size[..., None] * (mixture + own * np.abs(mixture).max(axis=2, keepdims=True))
    sd_ms = width_ms * rng.uniform(0.75, 1.3, (k, UNITS))
    return _summed(at_ms, sd_ms, weights, grid)


def deflections(rng: np.random.Generator, start_ms: FloatArray, grid: Grid) -> FloatArray:
    """(k, n) two to four Gaussian waves of alternating sign, one after the other."""
    k, most = start_ms.size, 4
    sd_ms = log_uniform(rng, 0.6, 5.5, (k, 1)) * np.exp(rng.normal(0.0, 0.3, (k, most)))
    gaps_ms = rng.uniform(1.2, 3.2, (k, most)) * sd_ms
    at_ms = start_ms[:, None] + 2.2 * sd_ms[:, :1] + np.cumsum(gaps_ms, axis=1) - gaps_ms[:, :1]
    there = np.arange(most) < rng.integers(1, most + 1, (k, 1))
    alternating = np.where(np.arange(most) % 2, -1.0, 1.0)
    size = alternating * log_uniform(rng, 0.2, 1.0, (k, most)) * there
    weights = np.zeros((k, most, 4))
    weights[..., 0] = size
    return _summed(at_ms, sd_ms, weights, grid)


def ringing_waves(rng: np.random.Generator, start_ms: FloatArray, grid: Grid) -> FloatArray:
    """(k, n) damped oscillations of 15-250 Hz that rise as a power of time or as a bell."""
    k = start_ms.size
    f_hz = log_uniform(rng, 15.0, 250.0, (k, 1))
    from_start_ms = _times_ms(grid) - start_ms[:, None]
    since_ms = np.maximum(from_start_ms, 0.0)
    power = rng.uniform(0.5, 4.0, (k, 1))
    cycles = rng.uniform(0.3, 2.5, (k, 1))
    tau_ms = np.clip(1e3 * cycles / f_hz / (power + 1.0), 0.5, 8.0)
    z = since_ms / tau_ms
    rising = (z / power) ** power * np.exp(power - z)
    bell_ms = np.minimum(1.5 * tau_ms * np.sqrt(power + 1.0), 7.0)
    bell = np.exp(-0.5 * ((since_ms - 2.5 * bell_ms) / bell_ms) ** 2)
    envelope = np.where(rng.random((k, 1)) < 0.5, rising, bell) * (from_start_ms >= 0.0)
    angle = 2.0 * np.pi * f_hz * since_ms / 1e3
    # Some swing slower and slower, as slower units come last.
    angle /= 1.0 + rng.uniform(0.0, 0.6, (k, 1)) * since_ms * f_hz / 1e3 * (
        rng.random((k, 1)) < 0.4
    )
    return np.asarray(envelope * np.sin(angle + rng.uniform(0.0, 2.0 * np.pi, (k, 1))))


def shaped_noise(rng: np.random.Generator, start_ms: FloatArray, grid: Grid) -> FloatArray:
    """(k, n) noise of 15-450 Hz under an envelope that rises in 1-12 ms and falls in 3-25."""
    k = start_ms.size
    t_ms = _times_ms(grid)
    # Sums of cosines at random: noise with a band, at any sampling rate.
    low_hz = log_uniform(rng, 15.0, 80.0, (k, 1))
    f_hz = low_hz * np.exp(rng.uniform(0.0, 1.0, (k, 24)) * np.log(log_uniform(rng, 2, 6, (k, 1))))
    turn = 2.0 * np.pi * np.minimum(f_hz, 450.0) * 1e-3
    phase = rng.uniform(0.0, 2.0 * np.pi, (k, 24))
    noise = np.zeros((k, t_ms.size))
    _add_cosines(noise, turn, phase + turn * t_ms[0], 1e3 / grid.fs_hz)
    up_ms, down_ms = log_uniform(rng, 1.0, 12.0, (k, 1)), log_uniform(rng, 3.0, 25.0, (k, 1))
    hold_ms = rng.uniform(0.0, 8.0, (k, 1))
    since_ms = t_ms - start_ms[:, None]
    up = np.clip(since_ms / up_ms, 0.0, 1.0)
    down = np.clip((up_ms + hold_ms + down_ms - since_ms) / down_ms, 0.0, 1.0)
    envelope = (1.0 - np.cos(np.pi * up)) * (1.0 - np.cos(np.pi * down))
    return np.asarray(noise * envelope)


def _times_ms(grid: Grid) -> FloatArray:
    return grid.start_ms + np.arange(grid.n_samples) * 1e3 / grid.fs_hz


def _summed(at_ms: FloatArray, sd_ms: FloatArray, weights: FloatArray, grid: Grid) -> FloatArray:
    """(k, n) Hermite-Rodriguez functions of (k, u) units; ``weights`` (k, u, 4) by order."""
    per_ms = grid.fs_hz / 1e3
    total = np.zeros((at_ms.shape[0], grid.n_samples))
    _add_hermite(total, (at_ms - grid.start_ms) * per_ms, sd_ms * per_ms, weights)
    return total


@njit(cache=True)
def _add_hermite(out, at, sd, weights):  # type: ignore[no-untyped-def]
    """Add to rows of ``out``: Hermite polynomials of order 0 to 3 times their Gaussian, each with
    a peak near 1. Places and widths in samples; units without weight cost nothing.
    """
    k, n = out.shape
    for row in range(k):
        for unit in range(at.shape[1]):
            a, b = weights[row, unit, 0], 1.65 * weights[row, unit, 1]
            c, d = weights[row, unit, 2], 0.72 * weights[row, unit, 3]
            if a == 0.0 and b == 0.0 and c == 0.0 and d == 0.0:
                continue
            reach = SUPPORT_SD * sd[row, unit]
            first = max(0, int(at[row, unit] - reach) + 1)
            stop = min(n, int(at[row, unit] + reach) + 1)
            for i in range(first, stop):
                z = (i - at[row, unit]) / sd[row, unit]
                poly = a + z * b + (z * z - 1.0) * c + z * (z * z - 3.0) * d
                out[row, i] += poly * np.exp(-0.5 * z * z)


@njit(cache=True)
def _add_cosines(out, turn, start, dt):  # type: ignore[no-untyped-def]
    """Add ``cos(start + i dt turn)`` of (k, f) to rows of ``out`` (k, n)."""
    k, n = out.shape
    for row in range(k):
        for f in range(turn.shape[1]):
            c, s = np.cos(start[row, f]), np.sin(start[row, f])
            turn_c, turn_s = np.cos(turn[row, f] * dt), np.sin(turn[row, f] * dt)
            for i in range(n):
                out[row, i] += c
                c, s = c * turn_c - s * turn_s, s * turn_c + c * turn_s
