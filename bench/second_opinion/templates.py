"""Responses from smooth templates of 5 to 40 ms.

What work on latencies tests itself with: damped sines with a gamma-shaped rise, pairs of Gaussians
of opposite sign (some with a third), and wavelets (a cosine under a Gaussian). They share nothing
with a sum of motor units but the size and the place.
"""

from __future__ import annotations

import numpy as np

from bench.second_opinion.setups import Setup
from monitor.types import FloatArray

NOISE_SD_UV = (3.0, 60.0)
RAMP_MS = 0.8
"""A raised cosine of this length lies over the beginning: nothing jumps at the onset."""


def damped_sine(rng: np.random.Generator, s_ms: FloatArray, length_ms: float) -> FloatArray:
    """0.8-2.5 cycles a length under the density of a gamma distribution."""
    rise = rng.uniform(1.0, 3.0)
    tau_ms = length_ms / (rise + 3.0)
    cycles = rng.uniform(0.8, 2.5)
    envelope = (s_ms / tau_ms) ** rise * np.exp(-s_ms / tau_ms)
    phase = 2 * np.pi * cycles * s_ms / length_ms + rng.uniform(-0.3, 0.3)
    return np.asarray(envelope * np.sin(phase))


def gaussians(rng: np.random.Generator, s_ms: FloatArray, length_ms: float) -> FloatArray:
    """Two of opposite sign, and in three of ten a third of the first one's."""
    first_ms, second_ms = rng.uniform(0.10, 0.16, 2) * length_ms
    gap_ms = rng.uniform(1.8, 3.0) * max(first_ms, second_ms)
    centre_ms = 3.5 * first_ms
    x = np.exp(-0.5 * ((s_ms - centre_ms) / first_ms) ** 2)
    x = x - rng.uniform(0.4, 1.2) * np.exp(-0.5 * ((s_ms - centre_ms - gap_ms) / second_ms) ** 2)
    if rng.random() < 0.3:
        third = (s_ms - centre_ms - 2 * gap_ms) / (1.2 * second_ms)
        x = x + rng.uniform(0.1, 0.5) * np.exp(-0.5 * third**2)
    return np.asarray(x)


def wavelet(rng: np.random.Generator, s_ms: FloatArray, length_ms: float) -> FloatArray:
    """A cosine of any phase under a Gaussian."""
    width_ms = length_ms / 6.0
    centre_ms = 3.0 * width_ms
    cycles = rng.uniform(0.6, 1.6)
    phase = 2 * np.pi * cycles * (s_ms - centre_ms) / (2.5 * width_ms) + rng.uniform(0, 2 * np.pi)
    return np.asarray(np.exp(-0.5 * ((s_ms - centre_ms) / width_ms) ** 2) * np.cos(phase))


KINDS = (damped_sine, gaussians, wavelet)


def response(rng: np.random.Generator, setup: Setup, onset_ms: float) -> FloatArray:
    """(samples,) response of any scale, 0 up to ``onset_ms``."""
    since_ms = setup.times_ms - onset_ms
    on = since_ms > 0
    s_ms = np.maximum(since_ms, 0.0)
    length_ms = float(np.exp(rng.uniform(np.log(5.0), np.log(40.0))))
    x = KINDS[int(rng.integers(len(KINDS)))](rng, s_ms, length_ms)
    ramp = np.clip(s_ms / RAMP_MS, 0.0, 1.0)
    x = x * on * (0.5 - 0.5 * np.cos(np.pi * ramp))
    return np.asarray(rng.choice([-1.0, 1.0]) * x)
