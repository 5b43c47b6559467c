"""Response or none: one weighing of what the network says and of what the energy shows.

Without a network the detector decides alone, at a threshold that noise passes in under 1 %. With
one, its log odds and the logarithm of the energy over that threshold are added, with weights that
``python -m bench.signal --fit`` fits on the simulator's training split (logistic regression) and a
limit that 0.75 % of the validation split's clean sweeps without a response pass (1 % is allowed).
Terms that were tried and gained nothing beside these two stand in ``bench/RESULTS_signal.md``.

The network sees the 100 ms after the stimulus and nothing else. So there is a *floor* of energy
under which its word is not enough, and it is higher where nothing before the stimulus shows the
noise either: slow waves in artefacts recorded from patients look like responses to the network. Nor
is it enough in a muscle at work, single potentials of which look like small responses to it:
between the pulses of a recorded session two such muscles answered in 10 and 14 % of the sweeps, in
4 and 3 % with the floor. On the simulator alone the floors would only cost (this one 0.7 % of the
responses of SNR 3 and more).
"""

from __future__ import annotations

from math import exp, log

#: Log odds of a response = BIAS + NETWORK_WEIGHT x the network's log odds + ABOVE_WEIGHT or
#: BELOW_WEIGHT x the log energy ratio, by its sign.
BIAS = 0.42
NETWORK_WEIGHT = 0.99
ABOVE_WEIGHT = 0.02
BELOW_WEIGHT = 1.22
#: It is a response where they exceed this.
LIMIT = 2.30
#: Log odds beyond those of this probability and its complement, and a log ratio beyond this, say no
#: more.
SUREST_PROBABILITY = 0.999
LARGEST_LOG_RATIO = 1.5
#: No muscle of an adult answers later than this after the last pulse (``windows.MUSCLE_GROUPS``
#: before they are widened); a later onset costs so much a millisecond.
LATEST_MS = 50.0
LATE_PER_MS = 0.2
#: Least energy ratio of a response: usually, where nothing before the stimulus shows the noise, and
#: in a muscle at work.
FLOOR = 0.5
UNKNOWN_FLOOR = 0.85
WORK_FLOOR = 1.0
#: No muscle answers sooner after the first pulse (``windows.UNKNOWN_WINDOW``): where the network
#: sees an onset before, it sees what the pulse left, and the energy must do without it.
EARLIEST_MS = 6.0
EARLY_FLOOR = 1.0
#: Energy so many times its threshold is a response whatever the network says.
SURE_RATIO = 6.0
#: A stimulus artefact's tail of so many noise SD is an artefact as likely as not (noise alone spans
#: 6 to 7), and what doubling or halving it does to the log odds.
TAIL_SHOWS_SD = 7.0
TAIL_PER_DOUBLING = 3.0
#: The network's log odds of an artefact are taken down by this: chosen on the validation split,
#: like the two above, so that one half is where most sweeps are told rightly.
ARTEFACT_BIAS = 0.5


def is_response(
    energy_ratio: float,
    response_probability: float | None,
    onset_from_last_ms: float = 0.0,
    *,
    noise_known: bool = True,
    tail_like: bool = False,
    at_work: bool = False,
    early: bool = False,
) -> bool:
    """Whether a candidate counts as a response.

    Args:
        energy_ratio: its energy over the detector's threshold; with a network
            ``response.Reading.lenient_ratio``, without one ``energy_ratio``.
        response_probability: the network's; None without a network.
        onset_from_last_ms: the network's onset, from the last pulse.
        noise_known: from before the stimulus.
        tail_like: it starts at the end of the blanking and falls, as an artefact's tail does:
            however large, the network alone can tell it from one.
        at_work: the noise is a muscle's own activity.
        early: the network's onset lies within :data:`EARLIEST_MS` of the first pulse.
    """
    if tail_like and response_probability is None:
        return False
    if response_probability is None or (energy_ratio >= SURE_RATIO and not tail_like):
        return energy_ratio > 1.0
    floor = WORK_FLOOR if at_work else FLOOR if noise_known else UNKNOWN_FLOOR
    if energy_ratio < (max(floor, EARLY_FLOOR) if early else floor):
        return False
    return log_odds(energy_ratio, response_probability, onset_from_last_ms) > LIMIT


def log_odds(
    energy_ratio: float, response_probability: float, onset_from_last_ms: float = 0.0
) -> float:
    """Log odds of a response from both opinions."""
    above = min(log(max(energy_ratio, 1e-9)), LARGEST_LOG_RATIO)
    late_ms = max(0.0, onset_from_last_ms - LATEST_MS)
    return (
        BIAS
        + NETWORK_WEIGHT * _log_odds(response_probability)
        + (ABOVE_WEIGHT if above > 0.0 else BELOW_WEIGHT) * above
        - LATE_PER_MS * late_ms
    )


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1.0 - SUREST_PROBABILITY), SUREST_PROBABILITY)
    return log(p / (1.0 - p))


def artefact_probability(of_network: float | None, tail_sd: float | None) -> float | None:
    """Probability that a sweep holds an artefact, from two that see different ones.

    None where there is neither.

    The network gets the sweep without the stimulus artefact's tail, so the tail speaks for itself:
    there is an artefact unless neither sees one.

    Args:
        of_network: None without a network.
        tail_sd: size of the tail that was found, in noise SD; None where there was none.
    """
    if of_network is None and tail_sd is None:
        return None
    none = 1.0
    if of_network is not None:
        none /= 1.0 + exp(_log_odds(of_network) - ARTEFACT_BIAS)
    if tail_sd is not None:
        doublings = log(max(tail_sd, 1e-9) / TAIL_SHOWS_SD, 2)
        none /= 1.0 + exp(TAIL_PER_DOUBLING * doublings)
    return 1.0 - none
