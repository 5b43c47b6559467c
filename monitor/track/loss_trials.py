"""What comparable trials do to a loss: raise it, confirm it, worsen it, end it."""

from __future__ import annotations

from msgspec.structs import replace

from monitor.config import TrackSection
from monitor.track.confirmation import confirmed_by, needed_trials
from monitor.track.criteria import Comparison
from monitor.track.evidence import (
    PRESENT_ELSEWHERE,
    Evidence,
    tell_beyond,
    tell_judgement,
    tell_latest,
)
from monitor.track.loss import OF_A_WAIT, OF_RECOVERY, RECOVER_TRIALS, SHOWN_TRIALS, Loss
from monitor.track.scope import Judgement
from monitor.types import AlarmCondition, AlarmKind, AlarmState, Priority

_TAKEN_BACK = (*OF_RECOVERY, *OF_A_WAIT)
_LOST = AlarmKind.RESPONSE_LOST
_LOW, _MEDIUM, _ = Priority


def raised(
    condition: AlarmCondition,
    comparison: Comparison,
    judgement: Judgement,
    track: TrackSection,
    *,
    noted: str = "",
    absent_under: str = "",
) -> Loss:
    """The first trial beyond the criterion; ``condition`` names it and is completed here."""
    first = Loss(
        condition=replace(condition, state=AlarmState.UNCONFIRMED, priority=Priority.LOW),
        track=track,
        lowest_percent=comparison.percent,
    )
    now = _beyond(first, comparison, judgement, condition.rule, condition.raised_s, noted)
    return replace(now, absent_under=absent_under)


def after(
    loss: Loss,
    comparison: Comparison,
    judgement: Judgement,
    rule: str,
    at_s: float,
    noted: str = "",
) -> Loss:
    """The loss after the next comparable trial.

    Args:
        loss: as it stood before.
        comparison: the trial against the baseline.
        judgement: what the estimates say after it.
        rule: the criterion in words, for the kind that the condition then has; read of a trial
            beyond it alone.
        at_s: the trial's stimulus, seconds of the case.
        noted: what the record notes that may explain it.

    Returns:
        ``loss`` itself where nothing changed.
    """
    if not comparison.beyond:
        return _better(loss, comparison, judgement, at_s, noted)
    return _beyond(loss.anew(), comparison, judgement, rule, at_s, noted)


def _beyond(
    loss: Loss,
    comparison: Comparison,
    judgement: Judgement,
    rule: str,
    at_s: float,
    noted: str,
) -> Loss:
    lost, percent = comparison.kind is _LOST, comparison.percent
    evidence = loss.condition.evidence.copy()
    for name in _TAKEN_BACK:
        evidence.pop(name, None)
    if loss.is_latched:
        evidence["returned_trial"] = comparison.trial
    now = replace(
        loss,
        condition=replace(
            loss.condition,
            kind=loss.kind_after(comparison),
            rule=rule,
            trial=comparison.trial,
            percent_of_baseline=percent,
            baseline_uv=comparison.baseline.amplitude_uv,
            amplitude_uv=comparison.amplitude_uv,
        ),
        absent_under="",
        lowest_percent=min(loss.lowest_percent, percent),
        trials=(*loss.trials, str(comparison.trial))[-SHOWN_TRIALS:],
        beyond=loss.beyond.and_one(lost=lost, counts=not comparison.uncertain),
        recovered_in_a_row=0,
        alone_since_s=at_s,
        rises=0,
    )
    counted, needed = now.beyond.trials, needed_trials(loss.track)
    tell_beyond(evidence, comparison, now.trials, counted, needed, now.lowest_percent)
    least = _MEDIUM if comparison.severe else _LOW
    return _judged(now, evidence, comparison, judgement, least, at_s, noted)


def _better(
    loss: Loss, comparison: Comparison, judgement: Judgement, at_s: float, noted: str
) -> Loss:
    if loss.is_latched:
        return loss
    in_a_row = loss.recovered_in_a_row + 1 if comparison.recovered else 0
    now = replace(
        loss,
        absent_under="",
        recovered_in_a_row=in_a_row,
        beyond=loss.beyond.and_another(),
        # A response that has recovered answers the request for a repeat; less than that only
        # puts it off.
        alone_since_s=None if comparison.recovered else at_s,
    )
    evidence = loss.condition.evidence.copy()
    evidence.pop(PRESENT_ELSEWHERE, None)
    literal = loss.track.confirm == "in_a_row"
    if in_a_row >= RECOVER_TRIALS or (literal and not loss.confirmed):
        tell_latest(evidence, comparison)
        return now.over(evidence, at_s, noted)
    evidence["recovering"] = f"{in_a_row} of {RECOVER_TRIALS}"
    return _judged(now, evidence, comparison, judgement, None, at_s, noted)


def _judged(
    loss: Loss,
    evidence: Evidence,
    comparison: Comparison,
    judgement: Judgement,
    least: Priority | None,
    at_s: float,
    noted: str,
) -> Loss:
    """With the estimate in the evidence, confirmed where this trial does so."""
    by = "" if loss.confirmed else confirmed_by(loss.beyond, judgement.estimate, loss.track)
    if by:
        evidence["confirmed_by"] = by
        loss = replace(loss, confirmed=True)
    # One trial says nothing of the scope: an unconfirmed loss is neither focal nor global.
    told = bool(by) or (loss.confirmed and comparison.beyond)
    scope = judgement.scope if told else loss.condition.scope
    tell_judgement(evidence, comparison, judgement, of_scope=told)
    if noted:
        evidence["noted"] = noted
    return loss.goes_on(evidence, bool(by), least, at_s, judgement, scope)
