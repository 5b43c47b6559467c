"""The network's view of a sweep: 100 ms at 5 kHz, placed to a fraction of a sample."""

from __future__ import annotations

import numpy as np
from numba import njit

from monitor.types import Float32Array, FloatArray

NETWORK_FS_HZ = 5000.0
NETWORK_SAMPLES = 500
#: Zero crossings of the sinc on each side of the kernel.
LOBES = 8


def network_window(sweeps_uv: FloatArray, fs_hz: float, start_sample: float) -> Float32Array:
    """Resample a window of (k, n) sweeps for the network.

    Windowed-sinc interpolation (Hann, ``LOBES`` lobes), its cut-off at the lower of the two
    Nyquist frequencies. Beyond the sweep's ends the last sample goes on.

    Args:
        sweeps_uv: (k, n) float64, cleaned.
        fs_hz: their sampling rate, 2 kHz or more.
        start_sample: where the window starts, in samples of the sweep; fractions count.

    Returns:
        (k, 500) float32 in uV.
    """
    step = fs_hz / NETWORK_FS_HZ
    window: Float32Array = _interpolate(np.ascontiguousarray(sweeps_uv), step, start_sample)
    return window


@njit(cache=True)
def _interpolate(sweeps, step, start):  # type: ignore[no-untyped-def]
    k, n = sweeps.shape
    out = np.empty((k, NETWORK_SAMPLES), np.float32)
    width = max(1.0, step)
    reach = int(np.ceil(LOBES * width))
    taps = 2 * reach + 1
    kernel = np.empty(taps)
    # Along the taps the angles of sinc and window advance by constant steps: two rotations take
    # the place of a sine and a cosine a tap.
    turn_cos, turn_sin = np.cos(np.pi / width), np.sin(np.pi / width)
    hann_cos, hann_sin = np.cos(np.pi / width / LOBES), np.sin(np.pi / width / LOBES)
    for j in range(NETWORK_SAMPLES):
        at = start + j * step
        middle = int(np.floor(at))
        x = (at - (middle - reach)) / width
        c, s = np.cos(np.pi * x), np.sin(np.pi * x)
        hc, hs = np.cos(np.pi * x / LOBES), np.sin(np.pi * x / LOBES)
        total = 0.0
        for m in range(taps):
            if abs(x) >= LOBES:
                kernel[m] = 0.0
            elif abs(x) < 1e-9:
                kernel[m] = 1.0
            else:
                kernel[m] = s / (np.pi * x) * (0.5 + 0.5 * hc)
            total += kernel[m]
            x -= 1.0 / width
            c, s = c * turn_cos + s * turn_sin, s * turn_cos - c * turn_sin
            hc, hs = hc * hann_cos + hs * hann_sin, hs * hann_cos - hc * hann_sin
        for row in range(k):
            value = 0.0
            for m in range(taps):
                i = min(max(middle - reach + m, 0), n - 1)
                value += kernel[m] * sweeps[row, i]
            out[row, j] = value / total
    return out
