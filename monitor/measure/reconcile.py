"""Two onsets of one response, TKEO's and the network's, become one.

Each is trusted by what it is good at: the TKEO stage lies within a fraction of a millisecond where
the response stands clear of the noise, and is late or astray where it doesn't; the network, which
has seen whole responses, degrades slowly. So the weight moves from one to the other with SNR; what
they disagree about is said, not hidden.
"""

from __future__ import annotations

#: Full trust in the network at or under the first SNR, in TKEO at or over the second (chosen on the
#: simulator's validation split, where the mean error is nearly flat around them; higher limits
#: would gain there and lose on real leg responses, which the simulator knows less well).
NETWORK_SNR = 4.0
TKEO_SNR = 12.0
#: They disagree beyond this; the onset is then marked uncertain (and only the onset).
DISAGREE_MS = 3.0


def reconcile_onset(
    tkeo_ms: float | None, network_ms: float | None, snr: float | None
) -> tuple[float | None, bool]:
    """One onset from two.

    Args:
        tkeo_ms, network_ms: from the first pulse; None where not found.
        snr: peak |response| over noise SD.

    Returns:
        (onset in ms or None, uncertain).
    """
    if tkeo_ms is None or network_ms is None:
        return (network_ms if tkeo_ms is None else tkeo_ms), tkeo_ms is None
    uncertain = abs(tkeo_ms - network_ms) > DISAGREE_MS
    if uncertain:
        # The mean of two places that far apart is neither: one of them is right.
        return (tkeo_ms if snr is None or snr >= TKEO_SNR else network_ms), True
    trust = 1.0 if snr is None else (snr - NETWORK_SNR) / (TKEO_SNR - NETWORK_SNR)
    trust = min(1.0, max(0.0, trust))
    return trust * tkeo_ms + (1.0 - trust) * network_ms, False
