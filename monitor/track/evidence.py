"""What explains a loss, in plain values: the trials, the baseline, the estimate, the scope.

``docs/contract.md`` lists the names; they are part of the contract.
"""

from __future__ import annotations

from monitor.track.criteria import Comparison
from monitor.track.scope import Judgement

Evidence = dict[str, str | int | float | bool | None]

NOT_CONFIRMED = "not confirmed"
"""One trial says nothing of the scope: until then it is indeterminate."""

PRESENT_ELSEWHERE = "present_elsewhere"
"""A response under another setting, which answers a request for a repeat made by such a trial."""

INTERRUPTED = "interrupted"
"""The engine was restarted and no trial has said anything of the condition since."""


def tell_beyond(
    evidence: Evidence,
    comparison: Comparison,
    trials: tuple[str, ...],
    trials_beyond: int,
    needed: int,
    lowest_percent: float,
) -> None:
    """Add the values of a trial beyond the criterion, and of the baseline it was held to.

    Args:
        evidence: to add to.
        comparison: the trial.
        trials: the latest ones beyond the criterion, this one among them.
        trials_beyond: how many there were in all that count.
        needed: how many it takes at least to confirm.
        lowest_percent: of the loss so far.
    """
    baseline = comparison.baseline
    tell_counted(evidence, trials, trials_beyond, needed, lowest_percent)
    evidence["baseline_id"] = baseline.id
    evidence["baseline_uv"] = baseline.amplitude_uv
    evidence["baseline_responses"] = baseline.responses
    evidence["baseline_accepted"] = baseline.accepted
    evidence["baseline_set_by"] = baseline.set_by
    evidence["baseline_spread"] = baseline.spread
    evidence["baseline_floor_uv"] = baseline.floor_uv
    evidence["below_detection_floor"] = comparison.below_detection_floor
    evidence["upper_uv"] = comparison.upper_uv


def tell_counted(
    evidence: Evidence,
    trials: tuple[str, ...],
    trials_beyond: int,
    needed: int,
    lowest_percent: float,
) -> None:
    """Add which trials count towards the loss, under its own setting or another."""
    evidence["n_of_k"] = f"{min(trials_beyond, needed)} of {needed}"
    evidence["trials"] = ", ".join(trials)
    evidence["lowest_percent"] = lowest_percent
    evidence["trials_beyond"] = trials_beyond


def tell_latest(evidence: Evidence, comparison: Comparison) -> None:
    """Add the latest comparable trial, with its baseline where that is not the one told already.

    An operator may set the baseline anew under a loss: what ends it is then held to another.
    """
    evidence["latest_trial"] = comparison.trial
    evidence["latest_percent"] = comparison.percent
    baseline = comparison.baseline
    if baseline.id == evidence.get("baseline_id", baseline.id):
        evidence.pop("latest_baseline_id", None)
        evidence.pop("latest_baseline_uv", None)
    else:
        evidence["latest_baseline_id"] = baseline.id
        evidence["latest_baseline_uv"] = baseline.amplitude_uv


def tell_judgement(
    evidence: Evidence, comparison: Comparison, judgement: Judgement, *, of_scope: bool
) -> None:
    """Add the latest comparable trial, and what the estimates say after it.

    ``of_scope``: this trial decides the scope of the loss; else what is said of it stays as it was,
    or, where nothing was yet, says that it is open.
    """
    estimate = judgement.estimate
    tell_latest(evidence, comparison)
    if of_scope:
        evidence["scope_evidence"] = judgement.scope_evidence
    else:
        evidence.setdefault("scope_evidence", NOT_CONFIRMED)
    evidence["gradual"] = judgement.gradual
    if estimate is not None:
        evidence["estimate_percent"] = estimate.percent
        evidence["estimate_lower_percent"] = estimate.lower_percent
        evidence["estimate_upper_percent"] = estimate.upper_percent
        evidence["probability_below"] = estimate.p_below
        evidence["probability_sudden"] = estimate.p_sudden
