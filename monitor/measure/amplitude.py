"""One amplitude from two, with bounds that hold what is true.

The amplitude read off the sweep is exact where the response stands clear of the noise; the
network's degrades slowly where it does not. Both have a stated uncertainty on a logarithmic scale,
and the weight of each is the inverse of its variance: at an SNR of 4 the network counts for most,
at 20 for next to nothing. A network that states no uncertainty is not used. Where the two differ
by more than both uncertainties allow, one of them is wrong: the amplitude is what was read, and is
marked. Under a burst (cautery, an electrode's pop) the burst is what was read: the network's, which
was trained to look past it, stands alone.
"""

from __future__ import annotations

from math import exp, hypot, log
from typing import NamedTuple

#: Bounds in noise SD and as a share of the amplitude, below and above, for some 95 % of undisturbed
#: simulated responses (``python -m bench.signal``). What is read off lies below the truth more
#: often than above it: late parts within the noise are not seen.
LOWER_SD, LOWER_SHARE = 3.0, 0.02
UPPER_SD, UPPER_SHARE = 5.5, 0.06
#: One SD of what is read off, in noise SD and as a share of it.
READ_SD, READ_SHARE = 2.2, 0.03
#: The two amplitudes disagree beyond so many SD of their difference.
DISAGREE_SD = 4.0
#: How fast the bounds close where both agree: the most, of 0, 0.2, 0.35, 0.5 and 0.7, that leaves
#: 95 % of the undisturbed responses of every SNR band from 3 on within them (validation split:
#: 97.4, 98.2 and 97.1 %; 0.35 leaves 91.3, 94.5 and 94.8).
NARROWING = 0.2
#: Bounds of the network's own amplitude in its SD, for 95 %.
RANGE_SD = 1.96


class Amplitude(NamedTuple):
    """Peak to peak in uV with its 95 % bounds; ``agreed`` is false where two opinions differ."""

    uv: float
    lower_uv: float
    upper_uv: float
    agreed: bool


def combine(
    read_uv: float,
    noise_sd_uv: float,
    network_uv: float | None,
    network_log_sd: float | None,
    *,
    burst: bool = False,
) -> Amplitude:
    """Amplitude of a response.

    Args:
        read_uv: read off the sweep and corrected for the noise floor; more than 0.
        noise_sd_uv: noise SD where it was read.
        network_uv: the network's, None where there is none or it is not to be used.
        network_log_sd: one SD of the network's, of the natural logarithm; None: not stated.
        burst: a burst lies over the sweep.
    """
    lower_uv = max(0.0, read_uv - LOWER_SD * noise_sd_uv - LOWER_SHARE * read_uv)
    upper_uv = read_uv + UPPER_SD * noise_sd_uv + UPPER_SHARE * read_uv
    if network_uv is None or network_log_sd is None or network_uv <= 0.0:
        return Amplitude(read_uv, lower_uv, upper_uv, True)
    if burst:
        apart = exp(RANGE_SD * network_log_sd)
        return Amplitude(network_uv, network_uv / apart, network_uv * apart, True)
    log_sd = hypot(READ_SD * noise_sd_uv / read_uv, READ_SHARE)
    difference = log(network_uv / read_uv)
    if abs(difference) > DISAGREE_SD * hypot(log_sd, network_log_sd):
        # The bounds hold both: nothing here tells which one is right.
        return Amplitude(read_uv, min(lower_uv, network_uv), max(upper_uv, network_uv), False)
    weight = log_sd**2 / (log_sd**2 + network_log_sd**2)
    moved = exp(weight * difference)
    # What is known twice is known better, if less so than by independent errors (0.5): both see the
    # same noise. The exponent keeps 95 % of undisturbed responses within the bounds.
    narrowed = (1.0 - weight) ** NARROWING
    below, above = narrowed * (read_uv - lower_uv), narrowed * (upper_uv - read_uv)
    uv = read_uv * moved
    return Amplitude(uv, max(0.0, uv - moved * below), uv + moved * above, True)
