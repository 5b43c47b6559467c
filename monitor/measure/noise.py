"""How much of a sweep is noise, and what that does to a peak-to-peak amplitude."""

from __future__ import annotations

import numpy as np
from numba import njit

#: Median absolute deviation -> standard deviation, for a normal distribution.
MAD_TO_SD = 1.4826

#: Of the range of values, until a median is closed in; ties need them all.
HALVINGS = 40

#: What a peak-to-peak amplitude reads, in noise SD (the first row), where the truth is the second:
#: the excess falls from that of noise alone (4.4 SD) as the response's own peaks begin to decide
#: where the extremes lie. Medians over simulated responses of 10-30 ms and 2-4 phases in noise of
#: 20-500 and 20-1500 Hz, raised a little for what the noise hides of a response's late parts.
READ_SD = np.array([4.4, 5.8, 7.0, 8.3, 10.1, 11.95, 16.7, 21.5, 41.1, 100.6])
TRUE_SD = np.array([0.0, 3.0, 4.5, 6.1, 8.25, 10.3, 15.6, 20.6, 40.5, 100.3])


@njit(cache=True, fastmath={"nnan", "nsz"})
def extremes(values):  # type: ignore[no-untyped-def]
    """Smallest and largest of ``values`` (n,), none of them NaN.

    numpy's own look out for NaN at every sample, which keeps them from taking several at once.
    """
    low, high = values[0], values[0]
    for i in range(values.size):
        low = min(low, values[i])
        high = max(high, values[i])
    return low, high


@njit(cache=True)
def extent(values):  # type: ignore[no-untyped-def]
    """Plain peak to peak of ``values`` (n,), none of them NaN."""
    low, high = extremes(values)
    return high - low


@njit(cache=True)
def median(values):  # type: ignore[no-untyped-def]
    """Median of ``values`` (n,).

    Its place is closed in by halving, each time counting how many lie below. Sorting or selecting
    branches on every sample, which noise makes unpredictable; counting doesn't, and takes a fifth
    of the time.
    """
    n = values.size
    low, high = extremes(values)
    if low == high:
        return low
    top = high
    # Below every value, so that the smallest can be the answer too.
    low -= 1e-3 * (high - low)
    half = n // 2
    middle = low
    below = -1
    for _ in range(HALVINGS):
        middle = low + 0.5 * (high - low)
        below = 0
        for i in range(n):
            below += 1 if values[i] <= middle else 0
        if below == half:
            break
        if below > half:
            high = middle
        else:
            low = middle
    # Equal values in the middle can't be counted apart: they are what is left above ``low``.
    over = top
    edge = middle if below == half else low
    for i in range(n):
        value = values[i]
        over = min(over, value if value > edge else top)
    if below != half or n % 2 == 1:
        return over
    under = -np.inf
    for i in range(n):
        under = max(under, values[i] if values[i] <= edge else -np.inf)
    return 0.5 * (under + over)


@njit(cache=True)
def robust_sd(values, scratch):  # type: ignore[no-untyped-def]
    """SD of ``values`` (n,) from their median absolute deviation: a few spikes don't count."""
    middle = median(values)
    for i in range(values.size):
        scratch[i] = abs(values[i] - middle)
    return MAD_TO_SD * median(scratch[: values.size])


@njit(cache=True)
def resting_sd(values, scratch):  # type: ignore[no-untyped-def]
    """Robust SD of ``values`` (n,) about their own straight line: a slow drift is no noise."""
    n = values.size
    middle = (n - 1) / 2.0
    slope = 0.0
    for i in range(n):
        slope += (i - middle) * values[i]
    slope /= max(n * (n * n - 1) / 12.0, 1.0)
    flat = np.empty(n)
    for i in range(n):
        flat[i] = values[i] - slope * (i - middle)
    return robust_sd(flat, scratch)


@njit(cache=True)
def corrected_amplitude(raw_uv, noise_sd_uv):  # type: ignore[no-untyped-def]
    """Amplitude of the response under the noise, from what was read off.

    The largest and the smallest sample are each picked among several near the peak, so noise adds
    to both, and a lost response never reads 0 (Li, Peterchev, Rothwell and Goetz 2022 and Ma et
    al. 2025 describe the floor). ``READ_SD`` and ``TRUE_SD`` undo it in the median;
    ``tests/test_measure_noise.py`` measures what is left.
    """
    if noise_sd_uv <= 0.0:
        return raw_uv
    reads = raw_uv / noise_sd_uv
    if reads >= READ_SD[-1]:
        return raw_uv - noise_sd_uv * (READ_SD[-1] - TRUE_SD[-1])
    return noise_sd_uv * np.interp(reads, READ_SD, TRUE_SD)
