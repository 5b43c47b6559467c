"""Responses as sums of motor-unit potentials.

20 to 200 units, sizes exponential in their rank (the range of twitch forces and the many small
units of Fuglevand, Winter and Patla, J Neurophysiol 70:2470, 1993), latencies normal. A response
holds potentials of one shape, or, in three of ten, of several: first and second derivative of a
Gaussian, a Hermite-Rodriguez function of third order (Lo Conte, Merletti and Sandri, IEEE Trans
Biomed Eng 41:1147, 1994), and the membrane's current, the second derivative of the intracellular
potential z^3 exp(-z) (Rosenfalck, Acta Physiol Scand Suppl 321, 1969). Some units have a satellite
potential 2 to 8 ms later, some fire twice.
"""

from __future__ import annotations

import numpy as np

from bench.second_opinion.setups import Setup
from monitor.types import FloatArray

NOISE_SD_UV = (1.5, 25.0)
SHAPES = 4
LEAD = 3.5
"""First sign of a potential before its centre, in widths; none has an eighth of its peak there."""


def unit(shape: int, s: FloatArray) -> FloatArray:
    """One potential of ``shape`` 0-3 at times ``s`` in widths from its centre; peak near 1."""
    if shape == 0:
        return np.asarray(-s * np.exp(0.5 - 0.5 * s**2))
    if shape == 1:
        return np.asarray((1 - s**2) * np.exp(-0.5 * s**2))
    if shape == 2:
        return np.asarray((2 * s**3 - 3 * s) * np.exp(-0.5 * s**2) / 1.5)
    # Rosenfalck's z runs from the potential's first sign.
    z = np.maximum(s + LEAD, 0.0) * 1.2
    return np.asarray((6 * z - 6 * z**2 + z**3) * np.exp(-z))


def response(rng: np.random.Generator, setup: Setup, onset_ms: float) -> FloatArray:
    """(samples,) response of any scale whose first unit begins at ``onset_ms``."""
    t_ms = setup.times_ms
    count = int(rng.integers(20, 201))
    spread_ms = rng.uniform(0.5, 3.5)
    width_ms = rng.uniform(0.5, 1.8)
    own_shape = int(rng.integers(SHAPES))
    mixed = rng.random() < 0.3
    centres_ms = rng.normal(0.0, spread_ms, count)
    sizes = np.exp(rng.uniform(0.0, np.log(rng.uniform(5.0, 40.0)), count))
    widths_ms = width_ms * rng.uniform(0.7, 1.4, count)
    satellite = rng.random(count) < rng.choice([0.0, 0.1, 0.35])
    twice = rng.random(count) < (rng.uniform(0.1, 0.6) if rng.random() < 0.3 else 0.0)
    interval_ms = rng.uniform(3.0, 9.0)
    starts_ms = centres_ms - LEAD * widths_ms
    centres_ms = centres_ms - starts_ms.min() + onset_ms
    x = np.zeros(t_ms.size)
    flip = rng.choice([-1.0, 1.0])
    for size, centre_ms, own_ms, late, again in zip(
        sizes, centres_ms, widths_ms, satellite, twice, strict=True
    ):
        shape = int(rng.integers(SHAPES)) if mixed else own_shape
        x += size * unit(shape, (t_ms - centre_ms) / own_ms)
        if late:
            late_ms = centre_ms + rng.uniform(2.0, 8.0)
            x += 0.5 * size * unit(1, (t_ms - late_ms) / (0.7 * own_ms))
        if again:
            again_ms = centre_ms + interval_ms + rng.normal(0.0, 1.0)
            x += rng.uniform(0.5, 1.0) * size * unit(shape, (t_ms - again_ms) / own_ms)
    return np.asarray(flip * x)
