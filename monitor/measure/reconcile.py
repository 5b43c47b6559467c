"""Two onsets of one response, TKEO's and the network's, become one.

TKEO's stage says how likely an onset is at every half millisecond, the network where it sees one
and how far off it may be. Together they are one distribution, and its median is the onset: near the
network's place where that is sharp, drawn to a place that TKEO sees far better where it is not.
The network's alone stands where its place is none that TKEO weighed (before its window, or after
the strongest energy). What the two disagree about is said, not hidden, and a sweep unlike all that
the network was trained on is TKEO's.

A network that states no uncertainty, or an onset by threshold, without a likelihood: by SNR alone.
"""

from __future__ import annotations

from math import hypot
from typing import NamedTuple

from monitor.measure.onset import STEP_MS, joint_median
from monitor.types import FloatArray


class Trust(NamedTuple):
    """How much each opinion counts.

    ``tkeo_weight``: of TKEO's log likelihood beside the network's. ``network_sd_share``: what the
    network's stated SD is taken for, at least ``least_sd_ms``.
    """

    tkeo_weight: float
    network_sd_share: float
    least_sd_ms: float


#: ``python -m bench.accuracy_reconcile`` measures others on the simulator's validation split: the
#: error is flat about these.
TRUST = Trust(tkeo_weight=0.5, network_sd_share=0.8, least_sd_ms=0.3)
#: They disagree beyond this; the onset is then marked uncertain (and only the onset).
DISAGREE_MS = 3.0
#: So is one whose stated SD is above this.
UNCERTAIN_SD_MS = 3.0
#: An onset by TKEO is uncertain where a network that has never seen the like is so far off.
NOVEL_APART_MS = 1.5
#: Without likelihoods: full trust in the network at or under the first SNR, in TKEO at or over the
#: second.
NETWORK_SNR = 4.0
TKEO_SNR = 12.0


def reconcile_onset(
    tkeo_ms: float | None,
    network_ms: float | None,
    snr: float | None,
    network_sd_ms: float | None = None,
    novel: bool = False,
    places: tuple[FloatArray, float] | None = None,
    trust: Trust = TRUST,
) -> tuple[float | None, bool]:
    """One onset from two.

    Args:
        tkeo_ms, network_ms: from the first pulse; None where not found.
        snr: peak |response| over noise SD.
        network_sd_ms: the network's stated SD; None where it states none.
        novel: the network was trained on nothing like this sweep.
        places: (m,) TKEO's log likelihood every ``onset.STEP_MS``, and the first place's time from
            the first pulse in ms; None or empty: there is none.
        trust: how much each counts.

    Returns:
        (onset in ms or None, uncertain).
    """
    if tkeo_ms is None or network_ms is None:
        return (network_ms if tkeo_ms is None else tkeo_ms), tkeo_ms is None
    apart_ms = abs(tkeo_ms - network_ms)
    if novel:
        return tkeo_ms, apart_ms > NOVEL_APART_MS
    if network_sd_ms is None or places is None or not places[0].size:
        return _by_snr(tkeo_ms, network_ms, snr)
    score, first_ms = places
    uncertain = apart_ms > DISAGREE_MS or network_sd_ms > UNCERTAIN_SD_MS
    at = (network_ms - first_ms) / STEP_MS
    if not 0.0 <= at <= score.size - 1.0:
        return network_ms, uncertain
    sd = hypot(trust.network_sd_share * network_sd_ms, trust.least_sd_ms) / STEP_MS
    return first_ms + STEP_MS * float(joint_median(score, trust.tkeo_weight, at, sd)), uncertain


def _by_snr(tkeo_ms: float, network_ms: float, snr: float | None) -> tuple[float, bool]:
    if abs(tkeo_ms - network_ms) > DISAGREE_MS:
        # The mean of two places that far apart is neither: one of them is right.
        return (tkeo_ms if snr is None or snr >= TKEO_SNR else network_ms), True
    trust = 1.0 if snr is None else (snr - NETWORK_SNR) / (TKEO_SNR - NETWORK_SNR)
    trust = min(1.0, max(0.0, trust))
    return trust * tkeo_ms + (1.0 - trust) * network_ms, False
