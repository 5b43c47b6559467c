"""Two onsets of one response, TKEO's and the network's, become one.

Where both lie close together they are averaged by their uncertainties: the network states its own
with every answer; TKEO's follows from the SNR. Where they lie apart, the mean would be a place that
neither means, and on the simulator's validation split the network is right there more often at any
SNR (the TKEO stage takes an artefact or a late, larger part for the response), so it decides. What
they disagree about is said, not hidden, and a sweep unlike all that the network was trained on is
TKEO's.

A network that states no uncertainty is trusted by SNR alone.
"""

from __future__ import annotations

from math import hypot

#: Averaged up to this distance; beyond it the network's stands. On 2,613 validation sweeps that the
#: detector found, the mean error is flat from 0 to 3 ms (0.79 ms at an SNR of 5 and more).
AVERAGED_MS = 1.5
#: They disagree beyond this; the onset is then marked uncertain (and only the onset).
DISAGREE_MS = 3.0
#: So is one whose stated SD is above this.
UNCERTAIN_SD_MS = 3.0
#: TKEO's SD: the first in any case, the second over SNR on top.
TKEO_SD_MS, TKEO_SD_PER_SNR_MS = 0.3, 20.0
#: Without a stated SD: full trust in the network at or under the first SNR, in TKEO at or over the
#: second.
NETWORK_SNR = 4.0
TKEO_SNR = 12.0


def reconcile_onset(
    tkeo_ms: float | None,
    network_ms: float | None,
    snr: float | None,
    network_sd_ms: float | None = None,
    novel: bool = False,
) -> tuple[float | None, bool]:
    """One onset from two.

    Args:
        tkeo_ms, network_ms: from the first pulse; None where not found.
        snr: peak |response| over noise SD.
        network_sd_ms: the network's stated SD; None where it states none.
        novel: the network was trained on nothing like this sweep.

    Returns:
        (onset in ms or None, uncertain).
    """
    if tkeo_ms is None or network_ms is None:
        return (network_ms if tkeo_ms is None else tkeo_ms), tkeo_ms is None
    apart_ms = abs(tkeo_ms - network_ms)
    if novel:
        return tkeo_ms, apart_ms > AVERAGED_MS
    if network_sd_ms is None:
        return _by_snr(tkeo_ms, network_ms, snr)
    uncertain = apart_ms > DISAGREE_MS or network_sd_ms > UNCERTAIN_SD_MS
    if apart_ms > AVERAGED_MS:
        return network_ms, uncertain
    tkeo_sd_ms = hypot(TKEO_SD_MS, TKEO_SD_PER_SNR_MS / max(snr, 1.0)) if snr else TKEO_SD_MS
    trust = network_sd_ms**2 / (network_sd_ms**2 + tkeo_sd_ms**2)
    return trust * tkeo_ms + (1.0 - trust) * network_ms, uncertain


def _by_snr(tkeo_ms: float, network_ms: float, snr: float | None) -> tuple[float, bool]:
    if abs(tkeo_ms - network_ms) > DISAGREE_MS:
        # The mean of two places that far apart is neither: one of them is right.
        return (tkeo_ms if snr is None or snr >= TKEO_SNR else network_ms), True
    trust = 1.0 if snr is None else (snr - NETWORK_SNR) / (TKEO_SNR - NETWORK_SNR)
    trust = min(1.0, max(0.0, trust))
    return trust * tkeo_ms + (1.0 - trust) * network_ms, False
