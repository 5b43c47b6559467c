"""Disturbances beyond the usual ones, for a share of the sweeps to *train* on, of no other split.

A network that knows responses and the usual disturbances calls whatever is like neither a response
as often as not. So some training sweeps hold what shares a response's shape without being one; a
family each, from how such things arise, with ranges that are wide on purpose:

* **Struck filters.** High-pass, low-pass and notch filters of first to eighth order ring when a
  stimulus pulse strikes them, in swings that may look like a response and last as long as the
  window, at the notch's frequency for instance.
* **Polarisation.** An electrode discharges along several exponentials, of either sign.
* **Coloured noise.** Steep at low frequencies, or in a narrow band: it swings like a response.
* **Tonic firing.** A few motor units fire on at 5-45 a second, each with a shape of its own that
  comes again and again (a contracted muscle at slight force; time scales up to 4 ms).
* **Bursts.** EMG that begins and ends at any time; not where it would be just what a response is.
* **Movement.** A step of 8-60 ms that stays or decays, beginning anywhere.
* **Cautery and pops** of other makings: cautery in a band of its own that flares up for a while, at
  any time; a contact that comes and goes, each time with a decay of 2-100 ms.
* **Contraction as band noise.** Gaussian noise of 20-250 Hz that stands three times above the
  hiss, before and after: coloured noise, named what such a muscle is, contracted.

All of it in units of the noise's SD, as in :mod:`models.disturbances`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import signal

from models.disturbances import PRESENT_SD, potentials, signs
from models.responses import Amplifier, filtered, log_uniform

FloatArray = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Of the sweeps of a hard block, so many get each family.
COLOURED_SHARE = 0.3
TONIC_SHARE = 0.2
BURST_SHARE = 0.15
RINGING_SHARE = 0.25
POLARISED_SHARE = 0.12
MOVED_SHARE = 0.15
CONTRACTED_SHARE = 0.12
CAUTERY_SHARE = 0.1
POPS_SHARE = 0.1
#: No amplifier lets a spike of more than this through.
HIGHEST_UV = 20_000.0
#: Sets of filters a block.
CASCADES = 4
#: A burst that ends sooner after the last pulse has begun before it; one that begins within this
#: lasts at least as long: else it would be what a response is.
RESPONSE_MS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Hardships:
    """What is added to ``count`` sweeps of n samples, and what becomes of their noise.

    ``noise`` (k, n): stationary, of SD 1, in place of the usual one in the rows ``noisy`` (k,)
    index; ``contracted`` (k,) those of them that are background EMG. ``residue``, ``burst``,
    ``movement``, ``cautery`` and ``pop`` (count, n) come on top of all.
    """

    noisy: NDArray[np.intp]
    noise: FloatArray
    contracted: Flags
    residue: FloatArray
    burst: FloatArray
    movement: FloatArray
    cautery: FloatArray
    pop: FloatArray


def draw_hardships(
    rng: np.random.Generator,
    t_ms: FloatArray,
    pulses_ms: tuple[float, ...],
    amplifier: Amplifier,
    noise_uv: FloatArray,
    seen: Flags,
) -> Hardships:
    """Draw what one hard block holds.

    Args:
        t_ms: (n,) from the first pulse; pulses_ms: the train.
        amplifier: what the block is recorded with.
        noise_uv: (count,) what one SD of noise is.
        seen: (n,) true in the window that is measured.
    """
    count, n = noise_uv.size, t_ms.size
    fs_hz = 1e3 / (t_ms[1] - t_ms[0])
    kind = rng.random(count)
    coloured = np.flatnonzero(kind < COLOURED_SHARE)
    tonic = np.flatnonzero((kind >= COLOURED_SHARE) & (kind < COLOURED_SHARE + TONIC_SHARE))
    banded = np.flatnonzero(
        (kind >= COLOURED_SHARE + TONIC_SHARE)
        & (kind < COLOURED_SHARE + TONIC_SHARE + CONTRACTED_SHARE)
    )
    noise = np.concatenate(
        [
            coloured_noise(rng, coloured.size, n, fs_hz, amplifier),
            tonic_firing(rng, tonic.size, n, fs_hz, amplifier),
            contraction(rng, banded.size, n, fs_hz, amplifier),
        ]
    )
    residue = np.zeros((count, n))
    for share, draw in ((RINGING_SHARE, struck_filters), (POLARISED_SHARE, polarisation)):
        rows = np.flatnonzero(rng.random(count) < share)
        residue[rows] += _as_large_as(
            rng, draw(rng, rows.size, t_ms, pulses_ms), noise_uv[rows], seen
        )
    burst, movement = np.zeros((count, n)), np.zeros((count, n))
    rows = np.flatnonzero(rng.random(count) < BURST_SHARE)
    burst[rows] = bursts(rng, rows.size, t_ms, pulses_ms[-1], amplifier)
    rows = np.flatnonzero(rng.random(count) < MOVED_SHARE)
    movement[rows] = movements(rng, rows.size, t_ms)
    cautery, pop = np.zeros((count, n)), np.zeros((count, n))
    rows = np.flatnonzero(rng.random(count) < CAUTERY_SHARE)
    cautery[rows] = flaring_cautery(rng, rows.size, t_ms)
    rows = np.flatnonzero(rng.random(count) < POPS_SHARE)
    pop[rows] = loose_contact(rng, rows.size, t_ms)
    return Hardships(
        noisy=np.concatenate([coloured, tonic, banded]),
        noise=noise,
        contracted=np.arange(len(noise)) >= coloured.size,
        residue=residue,
        burst=burst,
        movement=movement,
        cautery=cautery,
        pop=pop,
    )


def coloured_noise(
    rng: np.random.Generator, count: int, n: int, fs_hz: float, amplifier: Amplifier
) -> FloatArray:
    """(count, n) hiss of SD 1 with up to two resonances of 4-250 Hz, 0.5 to 12 wide.

    A resonance below its width is a low-pass: noise that falls with the square of the frequency.
    """
    hiss = rng.standard_normal((count, n))
    total = hiss.copy()
    for often in (1.0, 0.5):
        f_hz = log_uniform(rng, 4.0, 250.0, (count,))
        quality = log_uniform(rng, 0.5, 12.0, (count,))
        share = log_uniform(rng, 0.5, 15.0, (count, 1)) * (rng.random((count, 1)) < often)
        swing = _resonated(rng.standard_normal((count, n)), f_hz / fs_hz, quality)
        total += share * swing / swing.std(axis=1, keepdims=True)
    return _recorded(total, fs_hz, amplifier)


def contraction(
    rng: np.random.Generator, count: int, n: int, fs_hz: float, amplifier: Amplifier
) -> FloatArray:
    """(count, n) of SD 1: hiss, and 3-15 times as much Gaussian noise between two corners.

    The lower one is 15-60 Hz, the higher 90-450 Hz: the band of surface EMG; in half of them its
    strength wanders.
    """
    emg = np.zeros((count, n))
    for rows in np.array_split(np.arange(count), CASCADES):
        if rows.size:
            low_hz = float(rng.uniform(15.0, 60.0))
            high_hz = min(float(log_uniform(rng, 90.0, 450.0, ())), 0.45 * fs_hz)
            order = int(rng.integers(1, 4))
            band = signal.butter(order, (low_hz, high_hz), "band", fs=fs_hz, output="sos")
            emg[rows] = signal.sosfilt(band, rng.standard_normal((rows.size, n)), axis=1)
    t_s = np.arange(n) / fs_hz
    angle = 2.0 * np.pi * rng.uniform(2.0, 15.0, (count, 1)) * t_s + rng.uniform(0, 6.3, (count, 1))
    depth = rng.uniform(0.0, 0.7, (count, 1)) * (rng.random((count, 1)) < 0.5)
    emg *= 1.0 + depth * np.sin(angle)
    emg /= np.maximum(emg.std(axis=1, keepdims=True), 1e-9)
    share = log_uniform(rng, 3.0, 15.0, (count, 1))
    return _recorded(rng.standard_normal((count, n)) + share * emg, fs_hz, amplifier)


def flaring_cautery(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """(count, n) noise of 4-300 SD in a band of its own, for 10 ms or longer at any time."""
    fs_hz = 1e3 / (t_ms[1] - t_ms[0])
    noise = rng.standard_normal((count, t_ms.size))
    for rows in np.array_split(np.arange(count), CASCADES):
        if rows.size and rng.random() < 0.7:
            corner_hz = min(float(log_uniform(rng, 60.0, 3000.0, ())), 0.4 * fs_hz)
            kind = "high" if rng.random() < 0.4 else "low"
            section = signal.butter(
                int(rng.integers(1, 3)), corner_hz, kind, fs=fs_hz, output="sos"
            )
            noise[rows] = signal.sosfilt(section, noise[rows], axis=1)
    noise /= np.maximum(noise.std(axis=1, keepdims=True), 1e-9)
    start_ms = rng.uniform(t_ms[0] - 50.0, t_ms[-1], (count, 1))
    lasts_ms = log_uniform(rng, 10.0, 500.0, (count, 1))
    edge_ms = log_uniform(rng, 0.2, 15.0, (count, 1))
    since_ms = t_ms - start_ms
    gate = np.clip(since_ms / edge_ms, 0.0, 1.0) * np.clip(
        (lasts_ms - since_ms) / edge_ms, 0.0, 1.0
    )
    angle = 2.0 * np.pi * rng.uniform(5.0, 120.0, (count, 1)) * t_ms / 1e3
    flutter = 1.0 + rng.uniform(0.0, 1.0, (count, 1)) * np.sin(angle)
    return np.asarray(log_uniform(rng, 4.0, 300.0, (count, 1)) * gate * flutter * noise)


def loose_contact(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """(count, n) one to three jumps of 6-200 SD at any time, each decaying within 2-100 ms."""
    total = np.zeros((count, t_ms.size))
    for often in (1.0, 0.3, 0.2):
        size = log_uniform(rng, 6.0, 200.0, (count, 1)) * signs(rng, count)
        size *= rng.random((count, 1)) < often
        since_ms = t_ms[None, :] - rng.uniform(t_ms[0], t_ms[-1], (count, 1))
        rise_ms = log_uniform(rng, 0.05, 2.0, (count, 1))
        past_ms = np.maximum(since_ms, 0.0)
        decay = np.exp(-past_ms / log_uniform(rng, 2.0, 100.0, (count, 1)))
        total += size * decay * (1.0 - np.exp(-past_ms / rise_ms)) * (since_ms >= 0.0)
    return total


def tonic_firing(
    rng: np.random.Generator, count: int, n: int, fs_hz: float, amplifier: Amplifier
) -> FloatArray:
    """(count, n) of SD 1: hiss, and one to five motor units that fire on, 1.5-15 times as large."""
    emg = np.zeros((count, n))
    for unit in range(5):
        rows = np.flatnonzero(rng.random(count) < (1.0, 0.7, 0.5, 0.35, 0.25)[unit])
        fired = np.zeros((rows.size, n))
        for row in range(rows.size):
            interval_ms = 1e3 / rng.uniform(5.0, 45.0)
            jitter = rng.uniform(0.05, 0.35)
            events = int(n / fs_hz * 1e3 / interval_ms) + 3
            gaps_ms = interval_ms * np.maximum(1.0 + jitter * rng.standard_normal(events), 0.2)
            at = (np.cumsum(gaps_ms) - rng.uniform(0.0, 2.0) * interval_ms) * fs_hz / 1e3
            at = at[(at >= 0) & (at < n)].astype(np.intp)
            fired[row, at] = rng.uniform(0.85, 1.15, at.size)
        scale_ms = log_uniform(rng, 0.4, 4.0, (rows.size,))
        mixture = rng.normal(size=(rows.size, 3)) * [0.4, 1.0, 0.8]
        waves = potentials(fired, np.exp(-1e3 / fs_hz / scale_ms), mixture)
        height = np.maximum(np.abs(waves).max(axis=1, keepdims=True), 1e-9)
        emg[rows] += waves / height * log_uniform(rng, 0.2, 1.0, (rows.size, 1))
    emg /= np.maximum(emg.std(axis=1, keepdims=True), 1e-9)
    share = log_uniform(rng, 1.5, 15.0, (count, 1))
    return _recorded(rng.standard_normal((count, n)) + share * emg, fs_hz, amplifier)


def struck_filters(
    rng: np.random.Generator, count: int, t_ms: FloatArray, pulses_ms: tuple[float, ...]
) -> FloatArray:
    """(count, n): every pulse, of 0.1-5 ms (the longer ones: a saturated amplifier), filtered."""
    fs_hz = 1e3 / (t_ms[1] - t_ms[0])
    struck = np.zeros((count, t_ms.size))
    width_ms = log_uniform(rng, 0.1, 5.0, (count, 1))
    second = rng.uniform(-1.0, 0.3, (count, 1)) * (rng.random((count, 1)) < 0.5)
    for pulse_ms in pulses_ms:
        since_ms = t_ms[None, :] - pulse_ms
        within = np.clip(since_ms * fs_hz / 1e3 + 1.0, 0.0, 1.0)
        struck += within * (since_ms < width_ms)
        struck += second * (since_ms >= width_ms) * (since_ms < 2.0 * width_ms)
    for rows in np.array_split(np.arange(count), CASCADES):
        if rows.size:
            struck[rows] = signal.sosfilt(_cascade(rng, fs_hz), struck[rows], axis=1)
    return struck


def _cascade(rng: np.random.Generator, fs_hz: float) -> FloatArray:
    """Second-order sections of an amplifier and whatever was switched on behind it."""
    kinds = ("butter", "bessel")
    low_hz = min(float(log_uniform(rng, 100.0, 3000.0, ())), 0.4 * fs_hz)
    high_hz = min(float(log_uniform(rng, 1.0, 100.0, ())), 0.5 * low_hz)
    sections = [
        signal.iirfilter(
            int(rng.integers(1, 5)),
            high_hz,
            btype="high",
            ftype=kinds[int(rng.integers(2))],
            fs=fs_hz,
            output="sos",
        ),
        signal.iirfilter(
            int(rng.integers(2, 9)),
            low_hz,
            btype="low",
            ftype=kinds[int(rng.integers(2))],
            fs=fs_hz,
            output="sos",
        ),
    ]
    if rng.random() < 0.6:
        mains_hz = float(rng.choice([50.0, 60.0]))
        for order in range(1, int(rng.integers(2, 5))):
            quality = float(log_uniform(rng, 2.0, 40.0, ()))
            sections.append(signal.tf2sos(*signal.iirnotch(order * mains_hz, quality, fs=fs_hz)))
    if rng.random() < 0.3:
        f_hz = float(log_uniform(rng, 20.0, 250.0, ()))
        quality = float(log_uniform(rng, 1.0, 15.0, ()))
        sections.append(signal.tf2sos(*signal.iirpeak(f_hz, quality, fs=fs_hz)))
    return np.concatenate(sections)


def polarisation(
    rng: np.random.Generator, count: int, t_ms: FloatArray, pulses_ms: tuple[float, ...]
) -> FloatArray:
    """(count, n): after the last pulse two to four exponentials of 1-80 ms, of either sign."""
    since_ms = np.maximum(t_ms - pulses_ms[-1], 0.0)
    total = np.zeros((count, t_ms.size))
    for often in (1.0, 1.0, 0.6, 0.3):
        size = rng.normal(size=(count, 1)) * (rng.random((count, 1)) < often)
        total += size * np.exp(-since_ms / log_uniform(rng, 1.0, 80.0, (count, 1)))
    return np.asarray(total * (t_ms >= pulses_ms[-1]))


def bursts(
    rng: np.random.Generator,
    count: int,
    t_ms: FloatArray,
    last_ms: float,
    amplifier: Amplifier,
) -> FloatArray:
    """(count, n) EMG of SD 2-30 between two times; at least :data:`RESPONSE_MS` of it where it
    begins between the last pulse and as long after it.
    """
    fs_hz = 1e3 / (t_ms[1] - t_ms[0])
    rate_hz = log_uniform(rng, 30.0, 800.0, (count,))
    fired = np.zeros((count, t_ms.size))
    for row in range(count):
        events = rng.poisson(rate_hz[row] * t_ms.size / fs_hz)
        at = rng.integers(0, t_ms.size, events)
        np.add.at(fired[row], at, rng.standard_exponential(events))
    scale_ms = log_uniform(rng, 0.3, 3.0, (count,))
    mixture = rng.normal(size=(count, 3)) * [0.3, 1.0, 0.6]
    emg = potentials(fired, np.exp(-1e3 / fs_hz / scale_ms), mixture)
    emg = filtered(filtered(emg, amplifier.lowpass(fs_hz)), amplifier.highpass(fs_hz))
    emg /= np.maximum(emg.std(axis=1, keepdims=True), 1e-9)
    start_ms = rng.uniform(-60.0, 95.0, (count, 1))
    lasts_ms = log_uniform(rng, 20.0, 200.0, (count, 1))
    within = (start_ms >= 0.0) & (start_ms < RESPONSE_MS)
    lasts_ms = np.where(within, np.maximum(lasts_ms, RESPONSE_MS), lasts_ms)
    ramp_ms = rng.uniform(1.0, 10.0, (count, 1))
    since_ms = t_ms - last_ms - start_ms
    gate = np.clip(since_ms / ramp_ms, 0.0, 1.0) * np.clip(
        (lasts_ms - since_ms) / ramp_ms, 0.0, 1.0
    )
    return np.asarray(log_uniform(rng, 2.0, 30.0, (count, 1)) * gate * emg)


def movements(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """(count, n): a smooth step of 3-80 SD within 8-60 ms, beginning anywhere, that may decay."""
    since_ms = t_ms - rng.uniform(-20.0, 110.0, (count, 1))
    rise_ms = log_uniform(rng, 8.0, 60.0, (count, 1))
    share = np.clip(since_ms / rise_ms, 0.0, 1.0)
    step = share * share * (3.0 - 2.0 * share)
    fall_ms = np.where(
        rng.random((count, 1)) < 0.5, log_uniform(rng, 20.0, 200.0, (count, 1)), np.inf
    )
    step *= np.exp(-np.maximum(since_ms - rise_ms, 0.0) / fall_ms)
    return np.asarray(step * log_uniform(rng, 3.0, 80.0, (count, 1)) * signs(rng, count))


def _as_large_as(
    rng: np.random.Generator, waves: FloatArray, noise_uv: FloatArray, seen: Flags
) -> FloatArray:
    """The waves, each spanning 1 to 25 times :data:`PRESENT_SD` where it is seen; a wave that no
    amplifier could carry becomes nothing.
    """
    span = np.ptp(waves[:, seen], axis=1)
    factor = log_uniform(rng, PRESENT_SD, 25.0 * PRESENT_SD, span.shape) * np.sign(
        rng.uniform(-1.0, 1.0, span.shape)
    )
    factor /= np.maximum(span, 1e-12)
    carried = np.abs(factor) * np.abs(waves).max(axis=1, initial=0.0) * noise_uv <= HIGHEST_UV
    return waves * (factor * carried)[:, None]


def _recorded(rows: FloatArray, fs_hz: float, amplifier: Amplifier) -> FloatArray:
    """Behind the amplifier, brought to SD 1."""
    rows = filtered(filtered(rows, amplifier.lowpass(fs_hz)), amplifier.highpass(fs_hz))
    return np.asarray(rows / np.maximum(rows.std(axis=1, keepdims=True), 1e-9))


@njit(cache=True)
def _resonated(rows, per_sample, quality):  # type: ignore[no-untyped-def]
    """Each row behind a two-pole low-pass with a resonance at its corner; from rest."""
    k, n = rows.shape
    out = np.empty((k, n))
    for row in range(k):
        w = 2.0 * np.pi * per_sample[row]
        alpha = np.sin(w) / (2.0 * quality[row])
        a0 = 1.0 + alpha
        a1, a2 = -2.0 * np.cos(w) / a0, (1.0 - alpha) / a0
        gain = (1.0 - np.cos(w)) / 2.0 / a0
        y1 = y2 = 0.0
        x1 = x2 = 0.0
        for i in range(n):
            x = rows[row, i]
            y = gain * (x + 2.0 * x1 + x2) - a1 * y1 - a2 * y2
            x2, x1 = x1, x
            y2, y1 = y1, y
            out[row, i] = y
    return out
