"""Everything in a sweep that is not the response: noise, mains, artefacts, heart, drift, cautery.

All of it comes in units of the noise's SD, so that one factor turns a sweep into microvolts. How
often and how large each is follows ranges that monitoring staff know from the operating room; no
published distribution covers them, so the ranges are wide on purpose and are not a claim about
any one theatre.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.responses import Amplifier, log_uniform, unit_potential

FloatArray = NDArray[np.float64]


def noise(
    rng: np.random.Generator, count: int, n: int, fs_hz: float, amplifier: Amplifier
) -> FloatArray:
    """Stationary noise of SD 1, (count, n): hiss, and background EMG in half of the sweeps.

    Background EMG is a Poisson train of motor-unit potentials, 30 to 2,000 a second, from single
    spikes to an interference pattern.
    """
    f_hz = np.fft.rfftfreq(n, 1.0 / fs_hz)
    band = np.abs(amplifier.lowpass(f_hz) * amplifier.highpass(np.maximum(f_hz, 1e-9)))
    hiss = np.fft.irfft(np.fft.rfft(rng.normal(size=(count, n))) * band, n)
    hiss /= hiss.std(axis=1, keepdims=True)

    rate_hz = log_uniform(rng, 30.0, 2000.0, (count, 1))
    fired = rng.poisson(rate_hz / fs_hz, (count, n)) * rng.exponential(size=(count, n))
    scale_ms = log_uniform(rng, 0.3, 1.0, (count, 1))
    z = np.arange(n) * 1e3 / fs_hz / scale_ms
    mixture = rng.normal(size=(count, 3)) * [0.3, 1.0, 0.6]
    spectrum = np.fft.rfft(fired) * np.fft.rfft(unit_potential(z, mixture))
    emg = np.fft.irfft(spectrum * band, n)
    emg /= np.maximum(emg.std(axis=1, keepdims=True), 1e-9)

    share = rng.uniform(0.3, 1.0, (count, 1)) * (rng.random((count, 1)) < 0.5)
    total = np.sqrt(1.0 - share**2) * hiss + share * emg
    return np.asarray(total / total.std(axis=1, keepdims=True))


def mains(rng: np.random.Generator, count: int, t_ms: FloatArray, mains_hz: float) -> FloatArray:
    """Hum of 0.3 to 60 noise SD in 70 % of the sweeps, odd harmonics stronger than even ones."""
    orders = np.arange(1, 8)
    size = log_uniform(rng, 0.3, 60.0, (count, 1)) * (rng.random((count, 1)) < 0.7)
    share = rng.uniform(0.0, 1.0, (count, orders.size)) / orders**1.5
    share[:, 1::2] *= 0.3
    share[:, 0] = 1.0
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, orders.size))
    # The grid keeps its frequency to about 50 mHz.
    f_hz = mains_hz + rng.uniform(-0.05, 0.05, (count, 1))
    angle = 2.0 * np.pi * f_hz * t_ms[None, :] / 1e3
    hum = np.zeros((count, t_ms.size))
    for column, order in enumerate(orders):
        hum += share[:, column, None] * np.cos(order * angle + phase[:, column, None])
    return size * hum


def drift(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """Offset and slow wander (0.2-3 Hz), and in a tenth a limb's movement after the stimulus."""
    size = log_uniform(rng, 0.1, 20.0, (count, 1))
    f_hz = log_uniform(rng, 0.2, 3.0, (count, 1))
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, 1))
    wander = size * np.sin(2.0 * np.pi * f_hz * t_ms / 1e3 + phase)
    wander += rng.normal(size=(count, 1)) * 30.0

    moved = log_uniform(rng, 2.0, 40.0, (count, 1)) * _signs(rng, count)
    moved *= rng.random((count, 1)) < 0.1
    since_ms = np.maximum(t_ms - rng.uniform(5.0, 60.0, (count, 1)), 0.0)
    rise_ms = rng.uniform(30.0, 150.0, (count, 1))
    return np.asarray(
        wander + moved * (since_ms / rise_ms) ** 2 * np.exp(2.0 - 2.0 * since_ms / rise_ms)
    )


def stimulus_artefact(
    rng: np.random.Generator, count: int, t_ms: FloatArray, pulses_ms: tuple[float, ...]
) -> FloatArray:
    """One artefact a pulse: a spike of under a millisecond and a tail that decays over some.

    ``t_ms`` counts from the first pulse. All pulses of a train look alike on a channel; a tenth of
    the channels has next to none. The tail (electrode polarisation, the amplifier's recovery) is
    0.2-8 % of the spike with a time constant of 1-6 ms: in 190 artefacts recorded in surgery a
    median of 0.4 % and at most a few per cent of the spike were left after 4 ms.
    """
    spike = log_uniform(rng, 5.0, 3000.0, (count, 1)) * _signs(rng, count)
    spike *= np.where(rng.random((count, 1)) < 0.1, 1e-3, 1.0)
    tail = spike * log_uniform(rng, 0.002, 0.08, (count, 1)) * _signs(rng, count)
    decay_ms = log_uniform(rng, 0.08, 0.6, (count, 1))
    tail_ms = log_uniform(rng, 1.0, 6.0, (count, 1))
    total = np.zeros((count, t_ms.size))
    for pulse_ms in pulses_ms:
        after = t_ms >= pulse_ms
        since_ms = (t_ms - pulse_ms)[after]
        total[:, after] += spike * np.exp(-since_ms / decay_ms) + tail * np.exp(-since_ms / tail_ms)
    return total


def heart(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """A QRS complex of 2-15 noise SD at 50-110 a minute in an eighth of the channels."""
    size = log_uniform(rng, 2.0, 15.0, (count, 1)) * _signs(rng, count)
    size *= rng.random((count, 1)) < 0.125
    period_ms = rng.uniform(545.0, 1200.0, (count, 1))
    phase_ms = rng.uniform(0.0, 1.0, (count, 1)) * period_ms
    since_ms = np.mod(t_ms[None, :] - phase_ms, period_ms) - 60.0
    total = np.zeros((count, t_ms.size))
    for at_ms, width_ms, share in ((-14.0, 5.0, -0.15), (0.0, 6.0, 1.0), (15.0, 6.0, -0.3)):
        total += share * np.exp(-0.5 * ((since_ms - at_ms) / width_ms) ** 2)
    return size * total


def electrode_pop(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """A step of 5-100 noise SD that decays within 1-30 ms, somewhere in 4 % of the sweeps."""
    size = log_uniform(rng, 5.0, 100.0, (count, 1)) * _signs(rng, count)
    size *= rng.random((count, 1)) < 0.04
    since_ms = t_ms[None, :] - rng.uniform(t_ms[0], t_ms[-1], (count, 1))
    decay = np.exp(-np.maximum(since_ms, 0.0) / log_uniform(rng, 1.0, 30.0, (count, 1)))
    return np.asarray(size * decay * (since_ms >= 0.0))


def electrocautery(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """Cautery in 3 % of the sweeps: broad-band, 10-300 noise SD, on or off at any time."""
    size = log_uniform(rng, 10.0, 300.0, (count, 1)) * (rng.random((count, 1)) < 0.03)
    edge_ms = rng.uniform(t_ms[0], t_ms[-1], (count, 1))
    starts = rng.random((count, 1)) < 0.5
    burning = np.where(starts, t_ms >= edge_ms, t_ms < edge_ms)
    flutter = 1.0 + 0.5 * np.sin(2.0 * np.pi * rng.uniform(20.0, 120.0, (count, 1)) * t_ms / 1e3)
    return np.asarray(size * burning * flutter * rng.normal(size=(count, t_ms.size)))


def clip(rng: np.random.Generator, sweeps: FloatArray) -> NDArray[np.bool_]:
    """Let the converter run out of range in 4 % of the sweeps, in place; (k, n) true where it did.

    The range ends at 0.3-0.95 of the largest departure from the sweep's median.
    """
    middle = np.median(sweeps, axis=1, keepdims=True)
    highest = np.abs(sweeps - middle).max(axis=1, keepdims=True)
    share = rng.uniform(0.3, 0.95, highest.shape)
    level = np.where(rng.random(highest.shape) < 0.04, share * highest, np.inf)
    clipped = np.abs(sweeps - middle) > level
    np.clip(sweeps, middle - level, middle + level, out=sweeps)
    return np.asarray(clipped)


def _signs(rng: np.random.Generator, count: int) -> FloatArray:
    return np.asarray(rng.choice([-1.0, 1.0], (count, 1)))
