"""Sweeps as the published latency methods know them: 3 kHz, 10-500 Hz, a window after the pulse.

DELMEP and the methods that it is compared with were made for, and tested on, transcranial magnetic
stimulation recorded at 3 kHz behind a 10-500 Hz band-pass. Their counts of samples ("magic number
5", "five rising samples") mean that rate, so every sweep is brought there before they see it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from bench.methods.base import FloatArray

HOME_FS_HZ = 3000.0
BAND_HZ = (10.0, 500.0)
ORDER = 2
#: A step of the magic number, and of everything else that is counted in samples.
MS_PER_SAMPLE = 1e3 / HOME_FS_HZ


@lru_cache(maxsize=32)
def _sections(fs_hz: float) -> FloatArray:
    high_hz = min(BAND_HZ[1], 0.45 * fs_hz)
    return np.asarray(butter(ORDER, (BAND_HZ[0], high_hz), "bandpass", fs=fs_hz, output="sos"))


def home_window(
    sweeps_uv: FloatArray,
    fs_hz: float,
    stimulus_index: int,
    from_ms: float,
    n_samples: int,
) -> FloatArray:
    """Cut (n, n_samples) at 3 kHz, band-passed without shift.

    Args:
        sweeps_uv: (n, samples).
        fs_hz, stimulus_index: of the sweeps.
        from_ms: where the window starts, from the stimulus sample.
        n_samples: at 3 kHz. Beyond the sweep's end its last value goes on.
    """
    pad = min(sweeps_uv.shape[1] - 1, int(0.1 * fs_hz))
    band = sosfiltfilt(_sections(fs_hz), sweeps_uv, axis=1, padlen=pad)
    at_ms = from_ms + np.arange(n_samples) * MS_PER_SAMPLE
    at = np.clip(stimulus_index + at_ms * fs_hz / 1e3, 0, sweeps_uv.shape[1] - 1)
    return np.asarray(CubicSpline(np.arange(sweeps_uv.shape[1]), band, axis=1)(at))
