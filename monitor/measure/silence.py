"""The silent period: background activity that stops with the response and comes back.

A muscle that is held contracted falls silent after a cortical stimulus for 50-300 ms. By the usual
convention (Groppa et al. 2012) the silent period runs from the response's onset to the return of
the background. It can be told only against a background, and only where the return lies within
the epoch: then the running RMS stays well below its level before the stimulus for a time that no
pause of steady activity lasts, and rises again for good.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: The RMS runs over so much.
RUNNING_MS = 8.0
#: Silent: under this share of the RMS before the stimulus ...
SILENT_SHARE = 0.4
#: ... for at least so long; hiss alone never does that.
SHORTEST_MS = 20.0
#: ... and so many times longer than any pause before the stimulus: few motor units pause by chance.
OVER_PAUSE = 1.5
#: Back: over this share ...
RETURN_SHARE = 0.6
#: ... in the mean of so much from there on.
RETURN_MS = 25.0
#: The silence begins within so much of the response's end.
BEGINS_WITHIN_MS = 25.0


@njit(cache=True)
def silent_until(band_uv, end, frame):  # type: ignore[no-untyped-def]
    """Sample at which background activity is back after a silence that follows a response.

    Args:
        band_uv: (n,) the sweep in the detection band.
        end: last sample of the response.
        frame: where noise was estimated; it must lie before the stimulus.

    Returns:
        Sample index, or NaN: no silence, or its end is not in the sweep.
    """
    n = band_uv.size
    per_ms = frame.fs_hz / 1e3
    width = max(2, int(RUNNING_MS * per_ms))
    back_width = int(RETURN_MS * per_ms)
    shortest = int(SHORTEST_MS * per_ms)
    if frame.noise_start >= end or end + shortest + back_width >= n:
        return np.nan
    before = 0.0
    for i in range(frame.noise_start, frame.noise_stop):
        before += band_uv[i] * band_uv[i]
    before /= max(frame.noise_stop - frame.noise_start, 1)
    silent, back = SILENT_SHARE**2 * before, RETURN_SHARE**2 * before
    pause = _longest_pause(band_uv[frame.noise_start : frame.noise_stop], width, silent)
    shortest = max(shortest, int(OVER_PAUSE * pause))
    total = 0.0
    for i in range(end, end + width):
        total += band_uv[i] * band_uv[i]
    # Looking for the begin of a silence first.
    begin = -1
    latest = end + int(BEGINS_WITHIN_MS * per_ms)
    for i in range(end, n - width - 1):
        if begin < 0:
            if total < silent * width:
                begin = i
            elif i > latest:
                return np.nan
        elif total >= silent * width:
            if i - begin + width < shortest:
                if i > latest:
                    return np.nan
                begin = -1
            else:
                stop = i + width - 1
                if stop + back_width > n:
                    return np.nan
                rest = band_uv[stop : stop + back_width]
                if np.mean(rest * rest) >= back:
                    return float(stop)
        entering, leaving = band_uv[i + width], band_uv[i]
        total += entering * entering - leaving * leaving
    return np.nan


@njit(cache=True)
def _longest_pause(band_uv, width, silent):  # type: ignore[no-untyped-def]
    """Samples of the longest stretch of ``band_uv`` (n,) whose mean square stays under ``silent``.

    The mean runs over ``width`` samples, which the stretch includes.
    """
    n = band_uv.size
    longest, run, total = 0, 0, 0.0
    for i in range(n):
        total += band_uv[i] * band_uv[i]
        if i < width - 1:
            continue
        run = run + 1 if total < silent * width else 0
        if run > 0:
            longest = max(longest, run + width - 1)
        total -= band_uv[i - width + 1] * band_uv[i - width + 1]
    return longest
