"""Sets of the second opinion: which sweeps are drawn, what is added to them, and their truth.

Truth is read off the noiseless sweep. Onset: its first sample beyond 5 % of its peak; duration: to
the last one. Other onsets that a reader or a paper may mean stand beside (1 and 10 %, 20 uV, 2 SD
of the noise, and where the response was made to begin), so that an error of definition can be told
from one of measurement. SNR: peak of the noiseless |response| over the SD of the stationary noise,
in four bands of equal shares, log-uniform inside each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.second_opinion.disturbances import (
    ARTEFACTS,
    CLIPPING,
    add_artefact,
    plain_noise,
    pulse_artefacts,
)
from bench.second_opinion.setups import MOST_PULSES, Setup, draw_onset_ms, draw_setup
from monitor.types import FloatArray

BANDS = ((1.5, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, 300.0))
ABSENT = 0.3
"""Share of sweeps without a response."""
SESSION_SWEEPS = 30
MOST_PEAK_UV = 5000.0
ONSET_SHARE = 0.05
PHASE_SHARE = 0.10
"""Of the peak, which a lobe must reach to count as a phase."""

#: (samples,) noiseless response of any scale that begins at a given time after the first pulse.
Response = Callable[[np.random.Generator, Setup, float], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One sweep: both signals (samples,), the artefact's name or "", and labels by their name."""

    sweep_uv: FloatArray
    noiseless_uv: FloatArray
    setup: Setup
    artefact: str
    labels: dict[str, float]


def first_beyond_ms(x_uv: FloatArray, limit_uv: float, t_ms: FloatArray) -> float:
    """Time of the first sample whose size is beyond a limit; NaN for none."""
    beyond = np.flatnonzero(np.abs(x_uv) > limit_uv)
    return float(t_ms[beyond[0]]) if beyond.size else np.nan


def phases_of(x_uv: FloatArray, share: float) -> int:
    """Lobes between zero crossings whose peak passes a share of the greatest."""
    edges = np.flatnonzero(np.diff(np.sign(x_uv)) != 0) + 1
    peaks_uv = np.array([np.abs(lobe).max() for lobe in np.split(x_uv, edges)])
    return int((peaks_uv > share * np.abs(x_uv).max()).sum())


def truth_of(
    noiseless_uv: FloatArray, t_ms: FloatArray, sd_uv: float, begin_ms: float
) -> dict[str, float]:
    """What is to be measured of a response, by label; ``begin_ms``: where it was made to begin."""
    size_uv = np.abs(noiseless_uv)
    peak_uv = float(size_uv.max())
    last = np.flatnonzero(size_uv > ONSET_SHARE * peak_uv)[-1]
    onset_ms = first_beyond_ms(noiseless_uv, ONSET_SHARE * peak_uv, t_ms)
    return {
        "amplitude_uv": float(np.ptp(noiseless_uv)),
        "onset_ms": onset_ms,
        "onset_1_ms": first_beyond_ms(noiseless_uv, 0.01 * peak_uv, t_ms),
        "onset_5_ms": onset_ms,
        "onset_10_ms": first_beyond_ms(noiseless_uv, 0.10 * peak_uv, t_ms),
        "onset_20uv_ms": first_beyond_ms(noiseless_uv, 20.0, t_ms),
        "onset_2sd_ms": first_beyond_ms(noiseless_uv, 2 * sd_uv, t_ms),
        "onset_begin_ms": begin_ms,
        "duration_ms": float(t_ms[last] - onset_ms),
        "morphology": float(min(phases_of(noiseless_uv, PHASE_SHARE), 3)),
    }


def draw_sweep(
    rng: np.random.Generator,
    setup: Setup,
    response: Response,
    artefact_share: float,
    sd_uv: tuple[float, float],
) -> Sweep:
    """One sweep of a session; arguments as in :func:`make_set`."""
    t_ms = setup.times_ms
    present = rng.random() >= ABSENT
    noise_uv = float(np.exp(rng.uniform(*np.log(sd_uv))))
    low, high = BANDS[rng.integers(len(BANDS))]
    snr = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    begin_ms = draw_onset_ms(rng, setup)
    noiseless_uv = np.zeros(t_ms.size)
    if present:
        shape = response(rng, setup, begin_ms)
        # A peak beyond 5 mV would be larger than any response: quieter noise instead.
        peak_uv = min(snr * noise_uv, MOST_PEAK_UV)
        noise_uv = peak_uv / snr
        noiseless_uv = shape * (peak_uv / np.abs(shape).max())
    sweep_uv = noiseless_uv + noise_uv * plain_noise(rng, setup)
    if setup.pulse_artefact:
        sweep_uv = sweep_uv + pulse_artefacts(rng, setup, noise_uv, residue=False)
    artefact = ""
    if rng.random() < artefact_share:
        # Clipped noise alone is nothing that a reader would see.
        kinds = tuple(kind for kind in ARTEFACTS if present or kind != CLIPPING)
        artefact = str(rng.choice(kinds))
        peak_uv = float(np.abs(noiseless_uv).max())
        sweep_uv = add_artefact(rng, artefact, sweep_uv, setup, noise_uv, peak_uv)
    labels = {"present": float(present), "noise_sd_uv": noise_uv}
    if present:
        labels |= {"snr": snr} | truth_of(noiseless_uv, t_ms, noise_uv, begin_ms)
    return Sweep(sweep_uv, noiseless_uv, setup, artefact, labels)


def make_set(
    rng: np.random.Generator,
    count: int,
    response: Response,
    artefact_share: float,
    sd_uv: tuple[float, float],
) -> dict[str, NDArray[Any]]:
    """A set in sessions of 30 sweeps, as the arrays that :mod:`bench.accuracy_file` names.

    Beside those: ``noiseless_uv`` (count, samples), ``noise_sd_uv`` and the other onsets (count,).

    Args:
        rng: what everything is drawn from.
        count: sweeps, 1 or more.
        response: the family.
        artefact_share: of sweeps that hold an artefact.
        sd_uv: bounds of the noise's SD, log-uniform between them.
    """
    sweeps: list[Sweep] = []
    while len(sweeps) < count:
        setup = draw_setup(rng)
        sweeps += [
            draw_sweep(rng, setup, response, artefact_share, sd_uv)
            for _ in range(min(SESSION_SWEEPS, count - len(sweeps)))
        ]
    names = dict.fromkeys(name for sweep in sweeps for name in sweep.labels)
    arrays: dict[str, NDArray[Any]] = {
        name: np.array([sweep.labels.get(name, np.nan) for sweep in sweeps]) for name in names
    }
    width = max(sweep.setup.samples for sweep in sweeps)
    pulses_ms = [np.array(sweep.setup.pulses_ms) for sweep in sweeps]
    return arrays | {
        "fs_hz": np.array([sweep.setup.fs_hz for sweep in sweeps]),
        "stimulus_index": np.array([sweep.setup.stimulus_index for sweep in sweeps]),
        "pulses_ms": padded(pulses_ms, MOST_PULSES),
        "sweeps_uv": padded([sweep.sweep_uv for sweep in sweeps], width).astype(np.float32),
        "noiseless_uv": padded([sweep.noiseless_uv for sweep in sweeps], width).astype(np.float32),
        "artefact": np.array([sweep.artefact for sweep in sweeps]),
        "artefact_types": np.array([[s.artefact == kind for kind in ARTEFACTS] for s in sweeps]),
        "artefact_type_names": np.array(ARTEFACTS),
    }


def padded(rows: list[FloatArray], width: int) -> FloatArray:
    """(rows, width), NaN at the end of shorter rows."""
    table = np.full((len(rows), width), np.nan)
    for row, values in zip(table, rows, strict=True):
        row[: values.size] = values
    return table
