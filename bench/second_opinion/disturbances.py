"""What lies over the second opinion's responses: noise, pulses, and artefacts that a reader sees.

Each is a function of the generator and the set-up and gives (samples,) values; the artefacts stand
in units of the noise's SD, so that their share of hard cases does not hang on its size. They are
labelled as the recorded sweep shows them: hum that a monitor takes away is there all the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.second_opinion.setups import Setup
from monitor.types import FloatArray

#: Order of an artefact's harmonics and the most that each may have of the first.
HARMONICS = ((2, 0.1), (3, 0.4), (5, 0.2), (7, 0.1))
RESIDUE_AT_MS = 6.0
"""After the last pulse, where a stimulus residue still stands at 8-60 SD."""
SUNK_AT_MS = 4.0
"""After a pulse, where a short artefact has sunk to the noise's SD."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(10 ** rng.uniform(np.log10(low), np.log10(high)))


def coloured(
    rng: np.random.Generator, n: int, fs_hz: float, exponent: float, low_hz: float, high_hz: float
) -> FloatArray:
    """(n,) noise of power 1/f^exponent between two corners of 12 dB an octave, SD 1.

    Cut from a longer piece: one made by a Fourier transform would join its own ends.
    """
    whole = 2 * n + int(fs_hz)
    spectrum = np.fft.rfft(rng.standard_normal(whole))
    f_hz = np.fft.rfftfreq(whole, 1 / fs_hz)
    gain = np.where(f_hz > 0, np.maximum(f_hz, 0.1) ** (-exponent / 2), 0.0)
    gain /= np.sqrt(1 + (low_hz / np.maximum(f_hz, 0.1)) ** 4)
    gain /= np.sqrt(1 + (f_hz / high_hz) ** 4)
    x = np.fft.irfft(spectrum * gain, whole)
    x /= x.std()
    start = int(rng.integers(0, whole - n))
    return x[start : start + n]


def hum(rng: np.random.Generator, setup: Setup) -> FloatArray:
    """Mains within 0.1 Hz of its frequency and a few harmonics, SD 1."""
    t_s = setup.times_ms / 1e3
    f_hz = setup.mains_hz + rng.uniform(-0.1, 0.1)
    parts = [(1, 1.0)] + [(order, rng.uniform(0, most)) for order, most in HARMONICS]
    x = np.zeros(t_s.size)
    for order, size in parts:
        x += size * np.sin(2 * np.pi * order * f_hz * t_s + rng.uniform(0, 2 * np.pi))
    return np.asarray(x / (x.std() + 1e-12))


def plain_noise(rng: np.random.Generator, setup: Setup) -> FloatArray:
    """White and 1/f noise, in half of the sweeps with some hum; SD 1, all of it together."""
    n, fs_hz = setup.samples, setup.fs_hz
    pink = rng.uniform(0.0, 1.0)
    x = np.sqrt(1 - pink) * rng.standard_normal(n)
    x = x + np.sqrt(pink) * coloured(rng, n, fs_hz, 1.0, rng.uniform(1.0, 10.0), fs_hz)
    if rng.random() < 0.5:
        x = x + rng.uniform(0.1, 1.0) * hum(rng, setup)
    return np.asarray(x / x.std())


def pulse_artefacts(
    rng: np.random.Generator, setup: Setup, sd_uv: float, *, residue: bool
) -> FloatArray:
    """A decaying artefact at each pulse: two exponentials, the amplifier's limit over them.

    Without ``residue`` it has sunk to the noise's SD 4 ms after a pulse; with it, it decays slowly
    and stands at 8-60 SD still, 6 ms after the last one.
    """
    t_ms = setup.times_ms
    sign = rng.choice([-1.0, 1.0])
    if residue:
        tau_ms = rng.uniform(2.5, 12.0)
        size_uv = sd_uv * log_uniform(rng, 8, 60) * np.exp(RESIDUE_AT_MS / tau_ms)
    else:
        tau_ms = rng.uniform(0.15, 0.7)
        size_uv = min(10 ** rng.uniform(1.7, 4.0), sd_uv * np.exp(SUNK_AT_MS / tau_ms))
    second = rng.uniform(-0.6, 0.0)
    out = np.zeros(t_ms.size)
    for pulse_ms in setup.pulses_ms:
        since_ms = t_ms - pulse_ms
        on = since_ms >= -1e-6
        shape = np.where(on, np.exp(-np.maximum(since_ms, 0) / tau_ms), 0.0)
        shape += np.where(on, second * np.exp(-np.maximum(since_ms, 0) / (tau_ms / 3)), 0.0)
        out += sign * size_uv * rng.uniform(0.9, 1.1) * shape
    limit_uv = rng.uniform(5e3, 2e4)
    return np.clip(out, -limit_uv, limit_uv)


def stimulus_residue(rng: np.random.Generator, setup: Setup, sd_uv: float) -> FloatArray:
    """A stimulus artefact that reaches into the response."""
    return pulse_artefacts(rng, setup, sd_uv, residue=True)


def loud_hum(rng: np.random.Generator, setup: Setup, sd_uv: float) -> FloatArray:
    """Mains of 5-40 SD."""
    return sd_uv * log_uniform(rng, 5, 40) * hum(rng, setup)


def contraction(rng: np.random.Generator, setup: Setup, sd_uv: float) -> FloatArray:
    """A muscle at work: noise of 30-150 Hz, 3-12 SD, that swells and ebbs at 2-20 Hz."""
    emg = coloured(rng, setup.samples, setup.fs_hz, 0.0, 30.0, 150.0)
    slow = coloured(rng, setup.samples, setup.fs_hz, 2.0, 2.0, 20.0)
    return np.asarray(sd_uv * rng.uniform(3.0, 12.0) * emg * np.exp(0.4 * slow))


def cautery(rng: np.random.Generator, setup: Setup, sd_uv: float) -> FloatArray:
    """Broad noise of 10-200 SD that beats at twice the mains, for 30-400 ms."""
    t_ms = setup.times_ms
    beat = 1 + np.sin(2 * np.pi * 2 * setup.mains_hz * t_ms / 1e3)
    burst = rng.standard_normal(setup.samples) * beat
    start_ms = rng.uniform(-setup.pre_ms, setup.post_ms * 0.6)
    on = (t_ms >= start_ms) & (t_ms < start_ms + rng.uniform(30.0, 400.0))
    return np.asarray(sd_uv * 10 ** rng.uniform(1.0, 2.3) * burst * on)


def electrode_pop(rng: np.random.Generator, setup: Setup, sd_uv: float) -> FloatArray:
    """A step of 10-160 SD within 1 ms that takes 3-100 ms to go back."""
    t_ms = setup.times_ms
    start_ms = rng.uniform(-setup.pre_ms * 0.8, 80.0)
    tau_ms = 10 ** rng.uniform(0.5, 2.0)
    since_ms = np.maximum(t_ms - start_ms, 0)
    rise = 1 - np.exp(-since_ms / rng.uniform(0.1, 1.0))
    size_uv = sd_uv * 10 ** rng.uniform(1.0, 2.2) * rng.choice([-1.0, 1.0])
    return np.where(t_ms >= start_ms, size_uv * rise * np.exp(-since_ms / tau_ms), 0.0)


def heart_beat(rng: np.random.Generator, setup: Setup, sd_uv: float) -> FloatArray:
    """An R wave of 8-40 SD with its Q and S, all Gaussians."""
    t_ms = setup.times_ms
    centre_ms = rng.uniform(-20.0, 80.0)
    size_uv = sd_uv * rng.uniform(8.0, 40.0) * rng.choice([-1.0, 1.0])
    beat = np.exp(-0.5 * ((t_ms - centre_ms) / rng.uniform(8, 12)) ** 2)
    beat -= 0.3 * np.exp(-0.5 * ((t_ms - centre_ms - 22) / 9) ** 2)
    beat -= 0.2 * np.exp(-0.5 * ((t_ms - centre_ms + 22) / 8) ** 2)
    return np.asarray(size_uv * beat)


CLIPPING = "clipping"
#: What is added to a sweep, by its label.
ADDED: dict[str, Callable[[np.random.Generator, Setup, float], FloatArray]] = {
    "stimulus": stimulus_residue,
    "mains": loud_hum,
    "background emg": contraction,
    "electrocautery": cautery,
    "electrode": electrode_pop,
    "heart": heart_beat,
}
ARTEFACTS = (
    "stimulus", "mains", "background emg", "electrocautery", "electrode", CLIPPING, "heart",
)  # fmt: skip


def add_artefact(
    rng: np.random.Generator,
    kind: str,
    sweep_uv: FloatArray,
    setup: Setup,
    sd_uv: float,
    peak_uv: float,
) -> FloatArray:
    """(samples,) sweep with one artefact of :data:`ARTEFACTS`.

    Args:
        rng: what it is drawn from.
        kind: its label.
        sweep_uv: (samples,) response, noise and pulses.
        setup: of its session.
        sd_uv: of the noise.
        peak_uv: of the noiseless |response|; clipping cuts at 35-75 % of it, or of 3 SD.

    Raises:
        KeyError: no such kind.
    """
    if kind == CLIPPING:
        level_uv = rng.uniform(0.35, 0.75) * max(peak_uv, 3 * sd_uv)
        return np.clip(sweep_uv, -level_uv, level_uv)
    return sweep_uv + ADDED[kind](rng, setup, sd_uv)
