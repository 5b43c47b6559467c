"""What confirms a loss: the estimate where it is sure, and rules that need none.

Three trials beyond the criterion and the estimator's probability of an amplitude below it
(:mod:`monitor.track.estimator`), or two and half the doubt that this leaves; or, whatever the
estimator says, two comparable trials in a row or three of six without any response, or 20 in a row
beyond. A muscle that answers and does not in turns (a small one near the noise, say) needs as many
absences as are no chance of its own. With ``confirm = "in_a_row"`` so many in a row beyond the
criterion.
"""

from __future__ import annotations

import math

from msgspec import Struct

from monitor.config import TrackSection
from monitor.track.estimator import Estimate

ESTIMATOR_TRIALS = 2
FEW_TRIALS_DOUBT = 0.5
"""By these the estimator may be in doubt by this share of what it may be with more: that two low
trials are two outliers hangs on what outliers are taken to be."""
LOST_TRIALS = 2
LOST_OF = (3, 6)
"""Of so many trials a response gone so often is lost, whatever comes between: a muscle with a
baseline answers in four of five."""
ABSENT_BY_CHANCE = 5e-4
"""A muscle that is there may show as many absences as it has this often, and no more often."""
BACKSTOP_TRIALS = 20
"""So many comparable trials in a row beyond the criterion confirm whatever the estimator says."""

_LATELY = (1 << LOST_OF[1]) - 1


class Beyond(Struct, frozen=True, gc=False):
    """The trials of a loss so far that lie beyond the criterion, as far as they count.

    Attributes:
        trials: how many in all.
        in_a_row: comparable trials since the last that did not.
        lost_in_a_row: without any response.
        lost_lately: which of the last six showed none, the latest in the lowest bit.
    """

    trials: int = 0
    in_a_row: int = 0
    lost_in_a_row: int = 0
    lost_lately: int = 0

    def and_one(self, *, lost: bool, counts: bool) -> Beyond:
        """One more beyond the criterion; one that is uncertain counts towards nothing."""
        one = int(counts)
        return Beyond(
            self.trials + one,
            self.in_a_row + one,
            self.lost_in_a_row + one if lost else 0,
            _lately(self.lost_lately, lost=lost and counts),
        )

    def and_another(self) -> Beyond:
        """A comparable trial that is not beyond the criterion."""
        return Beyond(self.trials, 0, 0, _lately(self.lost_lately, lost=False))


def few_trials_probability(track: TrackSection) -> float:
    """What it takes to confirm by the second trial: more than by those that follow."""
    return round(1.0 - FEW_TRIALS_DOUBT * (1.0 - track.confirm_probability), 6)


def confirmed_by(beyond: Beyond, estimate: Estimate | None, track: TrackSection) -> str:
    """What confirms the loss, in words; empty where nothing does yet."""
    if track.confirm == "in_a_row" or estimate is None:
        enough = beyond.in_a_row >= track.confirm_in_a_row
        return f"{beyond.in_a_row} trials in a row" if enough else ""
    in_a_row, lately = beyond.lost_in_a_row, beyond.lost_lately.bit_count()
    if in_a_row >= LOST_TRIALS and estimate.absent_share**in_a_row <= ABSENT_BY_CHANCE:
        return f"no response in {in_a_row} trials in a row"
    if lately >= LOST_OF[0] and _by_chance(lately, estimate.absent_share) <= ABSENT_BY_CHANCE:
        return f"no response in {lately} of {LOST_OF[1]} trials"
    if beyond.in_a_row >= BACKSTOP_TRIALS:
        return f"{BACKSTOP_TRIALS} trials in a row"
    few = beyond.trials <= ESTIMATOR_TRIALS
    asked = few_trials_probability(track) if few else track.confirm_probability
    if beyond.trials >= ESTIMATOR_TRIALS and estimate.p_below >= asked:
        return f"estimator: {estimate.p_below:.3f} >= {asked:g}"
    return ""


def needed_trials(track: TrackSection) -> int:
    """Trials beyond the criterion without which nothing confirms, as shown beside their number."""
    return track.confirm_in_a_row if track.confirm == "in_a_row" else ESTIMATOR_TRIALS


def _by_chance(absences: int, share: float) -> float:
    """How often so many or more of the latest trials show no response by chance alone."""
    of = LOST_OF[1]
    ways = (math.comb(of, n) * share**n * (1.0 - share) ** (of - n) for n in range(absences, of))
    return math.fsum(ways) + share**of


def _lately(before: int, *, lost: bool) -> int:
    return (before << 1 | lost) & _LATELY
