"""The TKEO + Hilbert pipeline of Demigha and Lyapuntsova 2026.

Doi 10.26102/2310-6018/2026.54.3.021. Three stages and a check, as its abstract gives them: onset
where the Teager-Kaiser energy of the preprocessed sweep passes an adaptive threshold k * sigma of
its baseline; end where the Hilbert envelope returns to its baseline; shape by counting significant
zero crossings; a trial whose features do not exceed the noise floor is rejected. It is open what
preprocessing, k and run were; taken are a 20-1000 Hz zero-phase band-pass, a run of 1 ms, an
envelope under mean + 3 SD for 2 ms, 3 SD as the noise floor (the paper names an SNR of 3 as where
it fails). k trades misses against false responses and onset errors; of (3, 5, 8, 12, 16, 24), on
the simulator's validation split (:mod:`bench.methods.calibrate`), 5 is within two points of the
most right decisions with half the false responses of 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import butter, hilbert, sosfiltfilt

from bench.methods.base import (
    BIPHASIC,
    MONOPHASIC,
    POLYPHASIC,
    FloatArray,
    MethodAnswers,
    noise_range,
)
from monitor.measure.morphology import PHASE_SHARE

BAND_HZ = (20.0, 1000.0)
ORDER = 2
FROM_MS, UNTIL_MS = 6.0, 80.0
K = 5.0
RUN_MS = 1.0
END_SD = 3.0
END_QUIET_MS = 2.0
FLOOR_SD = 3.0


@lru_cache(maxsize=32)
def _sections(fs_hz: float) -> FloatArray:
    band = (BAND_HZ[0], min(BAND_HZ[1], 0.45 * fs_hz))
    return np.asarray(butter(ORDER, band, "bandpass", fs=fs_hz, output="sos"))


def energy(band_uv: FloatArray) -> FloatArray:
    """Teager-Kaiser energy (n,): x[n]^2 - x[n-1] x[n+1] (Kaiser 1990); 0 at the two ends."""
    psi = np.zeros_like(band_uv)
    psi[1:-1] = band_uv[1:-1] ** 2 - band_uv[:-2] * band_uv[2:]
    return psi


def first_run(above: np.ndarray[tuple[int], np.dtype[np.bool_]], run: int) -> int:
    """First index of ``run`` true values in a row; -1 where there are none."""
    if run > above.size:
        return -1
    inside = np.convolve(above, np.ones(run, dtype=int), "valid") == run
    return int(np.argmax(inside)) if inside.any() else -1


def shape_of(part_uv: FloatArray, floor_uv: float) -> float:
    """1, 2 or 3 for mono-, bi-, polyphasic by significant zero crossings; NaN for none.

    A crossing counts where the lobes on both sides of it pass 12 % of the largest (the share by
    which the truth is labelled) and the noise floor.
    """
    limit = max(PHASE_SHARE * float(np.abs(part_uv).max()), floor_uv)
    signs = np.sign(part_uv[np.abs(part_uv) > limit])
    if signs.size == 0:
        return np.nan
    phases = 1 + int(np.count_nonzero(np.diff(signs)))
    return {1: MONOPHASIC, 2: BIPHASIC}.get(phases, POLYPHASIC)


@dataclass(frozen=True, slots=True)
class TkeoHilbert:
    """Onset, duration, raw peak to peak, shape, response or not."""

    k: float = K
    name: str = "TKEO + Hilbert"

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """See :class:`bench.methods.base.Method`."""
        n, samples = sweeps_uv.shape
        rest = slice(*noise_range(fs_hz, samples, stimulus_index, pulses_ms))
        per_ms = fs_hz / 1e3
        start = round(stimulus_index + (pulses_ms[-1] + FROM_MS) * per_ms)
        stop = min(samples, round(stimulus_index + (pulses_ms[-1] + UNTIL_MS) * per_ms))
        pad = min(samples - 1, int(0.05 * fs_hz))
        band = sosfiltfilt(_sections(fs_hz), sweeps_uv, axis=1, padlen=pad)
        hull = np.abs(hilbert(band, axis=1))
        out = np.full((5, n), np.nan)
        for row in range(n):
            out[:, row] = self._one(band[row], hull[row], rest, start, stop, per_ms)
        response, onset, end, amplitude_uv, shape = out
        return MethodAnswers.of(
            n,
            response=response,
            onset_ms=(onset - stimulus_index) / per_ms,
            duration_ms=(end - onset) / per_ms,
            amplitude_uv=amplitude_uv,
            morphology=shape,
        )

    def _one(
        self,
        band: FloatArray,
        hull: FloatArray,
        rest: slice,
        start: int,
        stop: int,
        per_ms: float,
    ) -> tuple[float, float, float, float, float]:
        """Response, onset and end in samples, peak to peak, shape of one sweep."""
        none = (0.0, np.nan, np.nan, 0.0, np.nan)
        psi = energy(band)
        above = psi[start:stop] > psi[rest].mean() + self.k * psi[rest].std()
        # Noise opens gaps of a sample in a run; those are closed.
        run = max(2, round(RUN_MS * per_ms))
        closed = above.copy()
        closed[1:-1] |= above[:-2] & above[2:]
        found = first_run(closed, run)
        if found < 0:
            return none
        onset = start + found
        floor_uv = FLOOR_SD * float(band[rest].std())
        peak = onset + int(np.argmax(hull[onset:stop]))
        quiet = hull[peak:] < hull[rest].mean() + END_SD * hull[rest].std()
        ended = first_run(quiet, max(2, round(END_QUIET_MS * per_ms)))
        end = peak + ended if ended >= 0 else hull.size - 1
        part = band[onset : end + 1]
        if float(np.abs(part).max()) < floor_uv:
            return none
        return 1.0, float(onset), float(end), float(np.ptp(part)), shape_of(part, floor_uv)
