"""Everything in a sweep that is not the response: noise, mains, artefacts, heart, drift, cautery.

All of it comes in units of the noise's SD, so that one factor turns a sweep into microvolts. How
often and how large each is follows ranges that monitoring staff know from the operating room; no
published distribution covers them, so the ranges are wide on purpose and are not a claim about
any one theatre.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.responses import Amplifier, filtered, log_uniform

FloatArray = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: An artefact spans at least so many noise SD: 100 ms of noise alone span 6 to 7, so less can't be
#: told from noise and is no artefact; hum shows earlier, for it repeats itself. What is left of a
#: stimulus artefact lies below the first figure or above the second.
NEGLIGIBLE_SD, PRESENT_SD = 1.5, 8.0
HUM_PRESENT_SD = 5.0
CONTRACTED_SHARE = 0.12
RELAXED_SHARE = 0.35


def noise(
    rng: np.random.Generator, count: int, n: int, fs_hz: float, amplifier: Amplifier
) -> tuple[FloatArray, FloatArray, Flags]:
    """Stationary noise of SD 1: hiss, low-frequency noise and background EMG.

    In half of the sweeps the noise grows towards low frequencies (below a corner of 20-400 Hz, up
    to 30-fold): in recordings of hand, leg and face its density at 90 Hz was ten times that at 700
    Hz and more. Background EMG is a Poisson train of motor-unit potentials: next to nothing or up
    to two thirds of the hiss in relaxed muscles (30 to 2,000 a second), 2 to 15 times the hiss in
    contracted ones (30 to 600; more of them blend into what can't be told from hiss).

    Returns:
        (count, n) the noise; (count, n) the part of it that is background EMG; (count,) true where
        the muscle is contracted.
    """
    low = rng.random(count)
    gain = np.where(low < 0.5, log_uniform(rng, 1.0, 30.0, (count,)), 0.0)
    pole = np.exp(-2.0 * np.pi * log_uniform(rng, 20.0, 400.0, (count,)) / fs_hz)
    hiss = rng.standard_normal((count, n))
    _redden(hiss, gain, pole)

    rate_hz = log_uniform(rng, 30.0, 2000.0, (count,))
    slower_hz = log_uniform(rng, 30.0, 600.0, (count,))
    scale_ms = log_uniform(rng, 0.3, 1.5, (count,))
    mixture = rng.normal(size=(count, 3)) * [0.3, 1.0, 0.6]
    kind = rng.random(count)
    contracted = kind < CONTRACTED_SHARE
    active = kind < CONTRACTED_SHARE + RELAXED_SHARE
    share = np.where(
        contracted,
        log_uniform(rng, 2.0, 15.0, (count,)),
        np.where(active, rng.uniform(0.05, 0.67, count), 0.0),
    )
    rate_hz = np.where(contracted, slower_hz, rate_hz)
    emg = np.zeros((count, n))
    rows = np.flatnonzero(active)
    fired = _trains(rng, rate_hz[rows] / fs_hz, n)
    emg[rows] = potentials(fired, np.exp(-1e3 / fs_hz / scale_ms[rows]), mixture[rows])

    low_pass, high_pass = amplifier.lowpass(fs_hz), amplifier.highpass(fs_hz)
    hiss = filtered(filtered(hiss, low_pass), high_pass)
    emg = filtered(filtered(emg, low_pass), high_pass)
    hiss /= hiss.std(axis=1, keepdims=True)
    emg *= (share / np.maximum(emg.std(axis=1), 1e-9))[:, None]
    total = hiss + emg
    sd = total.std(axis=1, keepdims=True)
    return total / sd, emg / sd, contracted


@njit(cache=True)
def _redden(rows, gain, pole):  # type: ignore[no-untyped-def]
    """Add ``gain`` times its own one-pole low-pass (unit gain at 0 Hz) to each row, in place."""
    for row in range(rows.shape[0]):
        if gain[row] == 0.0:
            continue
        a = pole[row]
        held = 0.0
        for i in range(rows.shape[1]):
            held = a * held + (1.0 - a) * rows[row, i]
            rows[row, i] += gain[row] * held


def _trains(rng: np.random.Generator, per_sample: FloatArray, n: int) -> FloatArray:
    """Poisson trains of impulses of exponential size, (k, n), ``per_sample`` (k,) on average."""
    fired = np.zeros((per_sample.size, n))
    for row, rate in enumerate(per_sample):
        events = rng.poisson(rate * n)
        np.add.at(fired[row], rng.integers(0, n, events), rng.standard_exponential(events))
    return fired


@njit(cache=True)
def potentials(fired, pole, mixture):  # type: ignore[no-untyped-def]
    """Each impulse as ``z**3 exp(-z)`` and its differences: four equal poles and a mixture."""
    k, n = fired.shape
    out = np.empty((k, n))
    for row in range(k):
        a = pole[row]
        slope = 1.0 / (1.0 - a)
        y1 = y2 = y3 = y4 = 0.0
        before, before2 = 0.0, 0.0
        for i in range(n):
            y1 = a * y1 + (1.0 - a) * fired[row, i]
            y2 = a * y2 + (1.0 - a) * y1
            y3 = a * y3 + (1.0 - a) * y2
            y4 = a * y4 + (1.0 - a) * y3
            first = (y4 - before) * slope
            second = (y4 - 2.0 * before + before2) * slope * slope
            out[row, i] = mixture[row, 0] * y4 + mixture[row, 1] * first + mixture[row, 2] * second
            before2, before = before, y4
    return out


def mains(rng: np.random.Generator, count: int, t_ms: FloatArray, mains_hz: float) -> FloatArray:
    """Hum of 0.3 to 60 noise SD in 70 % of the sweeps, odd harmonics stronger than even ones."""
    orders = np.arange(1, 8)
    size = log_uniform(rng, 0.3, 60.0, (count,)) * (rng.random(count) < 0.7)
    share = rng.uniform(0.0, 1.0, (count, orders.size)) / orders**1.5
    share[:, 1::2] *= 0.3
    share[:, 0] = 1.0
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, orders.size))
    # The grid keeps its frequency to about 50 mHz.
    f_hz = mains_hz + rng.uniform(-0.05, 0.05, count)
    step = 2.0 * np.pi * f_hz * (t_ms[1] - t_ms[0]) / 1e3
    start = 2.0 * np.pi * f_hz * t_ms[0] / 1e3
    hum: FloatArray = _harmonics(size[:, None] * share, phase, start, step, t_ms.size)
    return hum


@njit(cache=True)
def _harmonics(share, phase, start, step, n):  # type: ignore[no-untyped-def]
    """Sums of cosines: order ``h + 1`` of row's angle ``start + i step``; (k, n)."""
    k, orders = share.shape
    out = np.zeros((k, n))
    for row in range(k):
        if share[row, 0] == 0.0:
            continue
        for h in range(orders):
            angle = (h + 1) * start[row] + phase[row, h]
            c, s = share[row, h] * np.cos(angle), share[row, h] * np.sin(angle)
            turn_c, turn_s = np.cos((h + 1) * step[row]), np.sin((h + 1) * step[row])
            for i in range(n):
                out[row, i] += c
                c, s = c * turn_c - s * turn_s, s * turn_c + c * turn_s
    return out


def drift(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """Offset and slow wander (0.2-3 Hz), and in a tenth a limb's movement after the stimulus."""
    size = log_uniform(rng, 0.1, 20.0, (count, 1))
    f_hz = log_uniform(rng, 0.2, 3.0, (count, 1))
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, 1))
    wander = size * np.sin(2.0 * np.pi * f_hz * t_ms / 1e3 + phase)
    wander += rng.normal(size=(count, 1)) * 30.0

    moved = np.flatnonzero(rng.random(count) < 0.1)
    extent = log_uniform(rng, 2.0, 40.0, (moved.size, 1)) * signs(rng, moved.size)
    since_ms = np.maximum(t_ms - rng.uniform(5.0, 60.0, (moved.size, 1)), 0.0)
    rise_ms = rng.uniform(30.0, 150.0, (moved.size, 1))
    wander[moved] += extent * (since_ms / rise_ms) ** 2 * np.exp(2.0 - 2.0 * since_ms / rise_ms)
    return np.asarray(wander)


def stimulus_artefact(
    rng: np.random.Generator,
    t_ms: FloatArray,
    pulses_ms: tuple[float, ...],
    noise_uv: FloatArray,
    seen: Flags,
) -> tuple[FloatArray, FloatArray]:
    """One artefact a pulse: a spike of under a millisecond and what follows it.

    All pulses of a train look alike on a channel. The spike is 20 uV to 10 mV with a time constant
    of 0.08-0.6 ms; a tenth of the channels has next to none. Behind it comes a tail (electrode
    polarisation, the amplifier's recovery) of 0.2-8 % with a time constant of 1-6 ms, in a third a
    second one of up to half of that with 6-25 ms, and in half a damped swing of 30-250 Hz with a
    time constant of 2-12 ms: the ringing of filters that the spike struck. In 190 artefacts
    recorded in surgery a median of 0.4 % and at most a few per cent of the spike were left after
    4 ms, most of them as one or two swings of 8-15 ms.

    What is left in the part that is ``seen`` spans less than :data:`NEGLIGIBLE_SD` or more than
    :data:`PRESENT_SD`: in between it can't be told from noise and its label would be arbitrary.

    Args:
        t_ms: (n,) from the first pulse; pulses_ms: the train.
        noise_uv: (count,) what one SD of noise is.
        seen: (n,) true in the window that is measured.

    Returns:
        (count, n) in noise SD, and the span of what is seen, (count,).
    """
    count = noise_uv.size
    spike = log_uniform(rng, 20.0, 10_000.0, (count,)) / noise_uv * signs(rng, count)[:, 0]
    spike *= np.where(rng.random(count) < 0.1, 1e-3, 1.0)
    size = np.empty((count, 4))
    size[:, 0] = spike
    size[:, 1] = spike * log_uniform(rng, 0.002, 0.08, (count,)) * signs(rng, count)[:, 0]
    size[:, 2] = size[:, 1] * rng.uniform(-0.5, 0.5, count) * (rng.random(count) < 1 / 3)
    size[:, 3] = spike * log_uniform(rng, 0.002, 0.05, (count,)) * (rng.random(count) < 0.5)
    tau_ms = np.empty((count, 4))
    for column, (low, high) in enumerate(((0.08, 0.6), (1.0, 6.0), (6.0, 25.0), (2.0, 12.0))):
        tau_ms[:, column] = log_uniform(rng, low, high, (count,))
    swing_hz = log_uniform(rng, 30.0, 250.0, (count,))
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    spikes, tails = _struck(t_ms, np.array(pulses_ms), size, tau_ms, swing_hz, angle)
    span = np.ptp((spikes + tails)[:, seen], axis=1)
    between = (span > NEGLIGIBLE_SD) & (span < PRESENT_SD)
    largest_uv = np.abs(spikes + tails).max(axis=1) * noise_uv
    raised = (rng.random(count) < 0.5) & (largest_uv * 1.2 * PRESENT_SD < 10_000.0 * span)
    goal = np.where(raised, 1.2 * PRESENT_SD, 0.9 * NEGLIGIBLE_SD)
    total = spikes + tails
    total[between] *= (goal[between] / span[between])[:, None]
    return total, np.where(between, goal, span)


@njit(cache=True)
def _struck(t_ms, pulses_ms, size, tau_ms, swing_hz, angle):  # type: ignore[no-untyped-def]
    """Spikes, and tails with swings, (k, n) each: every pulse starts its exponentials anew."""
    k, n = size.shape[0], t_ms.size
    spikes, tails = np.zeros((k, n)), np.zeros((k, n))
    dt = t_ms[1] - t_ms[0]
    for row in range(k):
        keep = np.exp(-dt / tau_ms[row])
        turn = 2.0 * np.pi * swing_hz[row] * dt / 1e3
        turn_c, turn_s = keep[3] * np.cos(turn), keep[3] * np.sin(turn)
        spike, tail, slow, real, imaginary = 0.0, 0.0, 0.0, 0.0, 0.0
        pulse = 0
        for i in range(n):
            spike *= keep[0]
            tail *= keep[1]
            slow *= keep[2]
            real, imaginary = (
                real * turn_c - imaginary * turn_s,
                imaginary * turn_c + real * turn_s,
            )
            while pulse < pulses_ms.size and t_ms[i] >= pulses_ms[pulse]:
                since = t_ms[i] - pulses_ms[pulse]
                spike += size[row, 0] * np.exp(-since / tau_ms[row, 0])
                tail += size[row, 1] * np.exp(-since / tau_ms[row, 1])
                slow += size[row, 2] * np.exp(-since / tau_ms[row, 2])
                real += size[row, 3] * np.cos(angle[row])
                imaginary += size[row, 3] * np.sin(angle[row])
                pulse += 1
            spikes[row, i] = spike
            tails[row, i] = tail + slow + real
    return spikes, tails


def heart(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """A QRS complex of 6-25 noise SD at 50-110 a minute in an eighth of the channels."""
    total = np.zeros((count, t_ms.size))
    rows = np.flatnonzero(rng.random(count) < 0.125)
    size = log_uniform(rng, 6.0, 25.0, (rows.size, 1)) * signs(rng, rows.size)
    period_ms = rng.uniform(545.0, 1200.0, (rows.size, 1))
    phase_ms = rng.uniform(0.0, 1.0, (rows.size, 1)) * period_ms
    since_ms = np.mod(t_ms[None, :] - phase_ms, period_ms) - 60.0
    for at_ms, width_ms, share in ((-14.0, 5.0, -0.15), (0.0, 6.0, 1.0), (15.0, 6.0, -0.3)):
        total[rows] += size * share * np.exp(-0.5 * ((since_ms - at_ms) / width_ms) ** 2)
    return total


def electrode_pop(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """A step of 8-200 noise SD that decays within 1-30 ms, somewhere in 6 % of the sweeps."""
    total = np.zeros((count, t_ms.size))
    rows = np.flatnonzero(rng.random(count) < 0.06)
    size = log_uniform(rng, 8.0, 200.0, (rows.size, 1)) * signs(rng, rows.size)
    since_ms = t_ms[None, :] - rng.uniform(t_ms[0], t_ms[-1], (rows.size, 1))
    decay = np.exp(-np.maximum(since_ms, 0.0) / log_uniform(rng, 1.0, 30.0, (rows.size, 1)))
    total[rows] = size * decay * (since_ms >= 0.0)
    return total


def electrocautery(rng: np.random.Generator, count: int, t_ms: FloatArray) -> FloatArray:
    """Cautery in 4 % of the sweeps: broad-band, 5-300 noise SD, on or off at any time."""
    total = np.zeros((count, t_ms.size))
    rows = np.flatnonzero(rng.random(count) < 0.04)
    size = log_uniform(rng, 5.0, 300.0, (rows.size, 1))
    edge_ms = rng.uniform(t_ms[0], t_ms[-1], (rows.size, 1))
    starts = rng.random((rows.size, 1)) < 0.5
    burning = np.where(starts, t_ms >= edge_ms, t_ms < edge_ms)
    f_hz = rng.uniform(20.0, 120.0, (rows.size, 1))
    flutter = 1.0 + 0.5 * np.sin(2.0 * np.pi * f_hz * t_ms / 1e3)
    total[rows] = size * burning * flutter * rng.normal(size=(rows.size, t_ms.size))
    return total


def lost_electrode(rng: np.random.Generator, sweeps: FloatArray, seen: Flags) -> Flags:
    """Flat line from some time before the window on, in place, in 1 % of the sweeps; (k,) where."""
    lost = rng.random(sweeps.shape[0]) < 0.01
    latest = int(np.argmax(seen)) + 1
    for row in np.flatnonzero(lost):
        start = int(rng.integers(0, latest)) if rng.random() < 0.5 else 0
        sweeps[row, start:] = sweeps[row, start]
    return np.asarray(lost)


def clip(rng: np.random.Generator, sweeps: FloatArray, seen: Flags) -> FloatArray:
    """Let the converter run out of range, in place; (k,) what it cost in the window, noise SD.

    In 6 % of the sweeps it does so within the window, at 0.3-0.85 of the largest departure from
    the sweep's median there, where that is more than ten noise SD; in a fifth only the stimulus
    artefact saturates, at 1.05-3 times that departure.
    """
    middle = np.median(sweeps, axis=1, keepdims=True)
    highest = np.abs(sweeps[:, seen] - middle).max(axis=1)
    kind = rng.random(highest.size)
    share = np.where(
        kind < 0.06,
        rng.uniform(0.3, 0.85, highest.size),
        rng.uniform(1.05, 3.0, highest.size),
    )
    in_window = (kind < 0.06) & (highest > 10.0)
    level = np.where(in_window | ((kind >= 0.06) & (kind < 0.26)), share * highest, np.inf)
    np.clip(sweeps, middle - level[:, None], middle + level[:, None], out=sweeps)
    return np.where(in_window, (1.0 - share) * highest, 0.0)


def signs(rng: np.random.Generator, count: int) -> FloatArray:
    """(count, 1), each 1 or -1."""
    return np.asarray(rng.choice([-1.0, 1.0], (count, 1)))
