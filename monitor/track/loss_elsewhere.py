"""What stimuli of another setting do to a loss: there is no percent, but absent is absent.

Which of them are as strong as the setting of its baseline, and so have a say at all, is decided
before (:mod:`monitor.track.stimulation`).
"""

from __future__ import annotations

from msgspec.structs import replace

from monitor.track.confirmation import needed_trials
from monitor.track.evidence import PRESENT_ELSEWHERE, tell_counted
from monitor.track.loss import OF_A_WAIT, OF_RECOVERY, RECOVER_TRIALS, SHOWN_TRIALS, Loss
from monitor.types import AlarmKind, Priority


def absent(loss: Loss, setting: str, trial: int, rule: str, at_s: float) -> Loss:
    """No response to a stimulus of another setting that is as strong: the second says lost.

    The first was beyond the criterion, or absent, under whichever setting.
    """
    kind, latched = AlarmKind.RESPONSE_LOST, loss.is_latched
    if loss.confirmed and loss.condition.kind is kind and not latched:
        return loss
    now = loss.anew()
    newly = now.beyond.trials > 0 and not now.confirmed
    dropped = (*OF_RECOVERY, *OF_A_WAIT)
    evidence = {k: v for k, v in now.condition.evidence.items() if k not in dropped}
    told = f"no response in trial {trial} under {setting}"
    evidence["absent_elsewhere"] = told
    if latched:
        evidence["returned_trial"] = trial
    if newly:
        evidence["confirmed_by"] = told
    now = replace(
        now,
        condition=replace(
            now.condition,
            kind=kind,
            rule=rule,
            trial=trial,
            percent_of_baseline=0.0,
            amplitude_uv=0.0,
        ),
        absent_under=setting if latched else now.absent_under,
        lowest_percent=0.0,
        trials=(*now.trials, str(trial))[-SHOWN_TRIALS:],
        confirmed=now.confirmed or newly,
        beyond=replace(now.beyond, trials=now.beyond.trials + 1),
        recovered_in_a_row=0,
        alone_since_s=at_s,
        rises=0,
    )
    tell_counted(evidence, now.trials, now.beyond.trials, needed_trials(loss.track), 0.0)
    evidence["latest_trial"], evidence["latest_percent"] = trial, 0.0
    least = Priority.HIGH if now.confirmed else Priority.MEDIUM
    return now.goes_on(evidence, newly, least, at_s, None, now.condition.scope)


def present(loss: Loss, setting: str, trial: int, at_s: float) -> Loss:
    """A response to a stimulus no stronger than the one that alone raised it, in vain.

    The first answers the request for a repeat, two in a row show that it was that one trial.
    They say nothing of a loss that is confirmed.
    """
    if loss.confirmed or loss.is_latched:
        return loss
    in_a_row = loss.recovered_in_a_row + 1
    evidence = loss.condition.evidence.copy()
    evidence[PRESENT_ELSEWHERE] = f"response in trial {trial} under {setting}"
    now = replace(
        loss,
        condition=replace(loss.condition, evidence=evidence),
        recovered_in_a_row=in_a_row,
        alone_since_s=None,
    )
    if in_a_row < RECOVER_TRIALS:
        return now
    return now.over(evidence | {"latest_trial": trial}, at_s, "")
