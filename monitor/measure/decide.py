"""Response or none: the detector's energy, and the network's opinion where there is one.

Without a network the detector decides alone, at a threshold that noise passes in under 1 %. With
one, both speak: the logarithm of the energy over that threshold, and the network's log odds, added
with weights that ``python -m bench.signal`` fits on the simulator's validation split for as many
false responses as the detector has by itself. Neither opinion carries everything: under a share of
the threshold the network is not asked, and energy far above it is not talked away.
"""

from __future__ import annotations

from math import log

#: Weights of the log energy ratio and of the network's log odds; their sum must pass the threshold.
ENERGY_WEIGHT = 2.0
NETWORK_WEIGHT = 0.5
EVIDENCE = 0.15
#: Energy so many times its threshold is a response whatever the network says.
SURE_RATIO = 2.0
#: Log odds beyond those of this probability and its complement say no more.
SUREST_PROBABILITY = 0.999


def is_response(
    energy_ratio: float, response_probability: float | None, *, undisturbed: bool = True
) -> bool:
    """Whether a candidate counts as a response.

    Args:
        energy_ratio: its energy over the detector's threshold (``response.Reading``).
        response_probability: the network's; None without a network.
        undisturbed: noise was known from before the stimulus and no artefact's tail lay in the
            sweep. Otherwise the network may only object: artefacts recorded in surgery look like
            responses to it.
    """
    if energy_ratio <= 1.0 and not undisturbed:
        return False
    if response_probability is None or energy_ratio >= SURE_RATIO:
        return energy_ratio > 1.0
    return evidence(energy_ratio, response_probability) > EVIDENCE


def evidence(energy_ratio: float, response_probability: float) -> float:
    """Weighted sum of both opinions."""
    p = min(max(response_probability, 1.0 - SUREST_PROBABILITY), SUREST_PROBABILITY)
    return ENERGY_WEIGHT * log(energy_ratio) + NETWORK_WEIGHT * log(p / (1.0 - p))
