"""What time does to a standing loss: not repeated it rises, high and not taken it is passed on."""

from __future__ import annotations

from msgspec.structs import replace

from monitor.track.loss import Loss
from monitor.types import AlarmState, Priority

RELEASE_S = 1.0
"""A repeat that was given in time may come in this much later, however the signal is cut."""

_ORDER = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)


def waited(loss: Loss, at_s: float, rise_s: tuple[float, ...] | None = None) -> Loss:
    """Time passed: an unconfirmed condition that nobody repeats rises, a high one is passed on.

    Args:
        loss: as it stood before.
        at_s: seconds of the case.
        rise_s: after how long without a comparable trial it rises, as often as there are
            values; None: the configured times (``unconfirmed_rise_s``).

    Returns:
        ``loss`` itself where nothing changed.
    """
    now = loss
    if loss.condition.state is AlarmState.UNCONFIRMED and loss.alone_since_s is not None:
        alone_s = at_s - loss.alone_since_s - RELEASE_S
        limits_s = loss.track.unconfirmed_rise_s if rise_s is None else rise_s
        rises = sum(alone_s >= limit_s for limit_s in limits_s)
        if rises > loss.rises:
            now = _risen(loss, rises, limits_s, at_s)
    return _passed_on(now, at_s)


def _risen(loss: Loss, rises: int, limits_s: tuple[float, ...], at_s: float) -> Loss:
    steps = rises - loss.rises
    at = min(_ORDER.index(loss.condition.priority) + steps, len(_ORDER) - 1)
    condition = replace(
        loss.condition,
        priority=_ORDER[at],
        evidence=loss.condition.evidence
        | {"not_repeated_for_s": limits_s[rises - 1], "rise": f"{rises} of {len(limits_s)}"},
    )
    return replace(loss, condition=condition, rises=rises).since_high(at_s)


def _passed_on(loss: Loss, at_s: float) -> Loss:
    if loss.high_since_s is None:
        return loss
    waited_s = at_s - loss.high_since_s
    level = sum(waited_s >= limit_s for limit_s in loss.track.escalate_s)
    if level <= loss.passed_on:
        return loss
    told = {"escalation": f"{level} of {len(loss.track.escalate_s)}"}
    condition = replace(loss.condition, evidence=loss.condition.evidence | told)
    return replace(loss, condition=condition, passed_on=level)
