"""How much of a sweep is noise, and what that does to a peak-to-peak amplitude."""

from __future__ import annotations

import numpy as np
from numba import njit

#: Median absolute deviation -> standard deviation, for a normal distribution.
MAD_TO_SD = 1.4826

#: After so many turns of closing it in, a median may be one of several equal values; after the
#: second number of them there is none: some value is no number.
TIED_AFTER, TURNS = 8, 400

#: What a peak-to-peak amplitude reads, in noise SD (the first row), where the truth is the second:
#: the excess falls from that of noise alone (4.4 SD) as the response's own peaks begin to decide
#: where the extremes lie. Medians over simulated responses of 10-30 ms and 2-4 phases in noise of
#: 20-500 and 20-1500 Hz, raised a little for what the noise hides of a response's late parts.
READ_SD = np.array([4.4, 5.8, 7.0, 8.3, 10.1, 11.95, 16.7, 21.5, 41.1, 100.6])
TRUE_SD = np.array([0.0, 3.0, 4.5, 6.1, 8.25, 10.3, 15.6, 20.6, 40.5, 100.3])

_GREATEST, _LEAST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@njit(cache=True)
def extremes(values):  # type: ignore[no-untyped-def]
    """Smallest and largest of ``values`` (n,), none of them NaN.

    Compared as whole numbers: of those the processor takes several at once, of floating-point ones,
    which might be NaN, it does not.
    """
    bits = values.view(np.int64)
    low, high = _GREATEST, _LEAST
    for i in range(bits.size):
        order = _in_order(bits[i])
        low, high = min(low, order), max(high, order)
    return _number(low), _number(high)


@njit(cache=True)
def _in_order(bits):  # type: ignore[no-untyped-def]
    """A whole number that grows with the number whose bits (int64) these are; its own inverse."""
    return bits ^ ((bits >> 63) & _GREATEST)


@njit(cache=True)
def _number(order):  # type: ignore[no-untyped-def]
    """The number that stands at this place in the order."""
    one = np.empty(1, np.int64)
    one[0] = _in_order(order)
    return one.view(np.float64)[0]


@njit(cache=True)
def extent(values):  # type: ignore[no-untyped-def]
    """Plain peak to peak of ``values`` (n,), none of them NaN."""
    low, high = extremes(values)
    return high - low


@njit(cache=True)
def median(values):  # type: ignore[no-untyped-def]
    """Median of ``values`` (n,), none of them NaN.

    Its place is closed in, each time counting how many lie below. Sorting or selecting branches on
    every sample, which noise makes unpredictable; counting doesn't, and takes a fifth of the time.
    """
    n = values.size
    low, high = extremes(values)
    if low == high:
        return low
    # Below every value, so that the smallest can be the answer too.
    low -= 1e-3 * (high - low)
    half = n // 2
    below_low, below_high, below = 0, n, -1
    share, middle, turn = 0.5, low, 0
    while below != half and turn < TURNS:
        turn += 1
        middle = low + share * (high - low)
        below = _count(values, middle)
        if below > half:
            high, below_high = middle, below
        elif below < half:
            low, below_low = middle, below
        # By the counts at both ends; now and then by half, lest one end stay where it is.
        share = (half - below_low) / (below_high - below_low)
        share = 0.5 if turn % 4 == 0 else min(max(share, 0.02), 0.98)
        if turn % TIED_AFTER == 0 and below != half:
            # Equal values in the middle can't be counted apart: is it the next one?
            middle = _beside(values, low)[1]
            below = _count(values, middle)
            if below > half:
                return middle
            low, below_low = middle, below
    under, over = _beside(values, middle)
    return over if n % 2 == 1 else 0.5 * (under + over)


@njit(cache=True)
def _count(values, edge):  # type: ignore[no-untyped-def]
    """How many of ``values`` (n,) are ``edge`` or less."""
    below = 0
    for i in range(values.size):
        below += 1 if values[i] <= edge else 0
    return below


@njit(cache=True)
def _beside(values, edge):  # type: ignore[no-untyped-def]
    """The largest of ``values`` (n,) that is ``edge`` or less, and the smallest that is more."""
    bits = values.view(np.int64)
    under, over = _LEAST, _GREATEST
    for i in range(bits.size):
        order, low = _in_order(bits[i]), values[i] <= edge
        under = max(under, order if low else _LEAST)
        over = min(over, _GREATEST if low else order)
    return _number(under), _number(over)


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
