"""Focal or global: does a loss concern some muscles, or all that share a cause?

Read from the estimates of the other muscles, never from single trials, and always with the evidence
in words. Global is said only where valid control muscles follow: without them a bilateral or
cervical injury can't be told from anaesthesia, and what looks global stays indeterminate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from monitor.track.estimator import Estimate, fade_depth
from monitor.types import Channel, Scope

OTHER_SIDE = "other_side"
"""As a control: every muscle of the side that is not affected."""

SUDDEN = 0.99
"""Probability from which on a step counts as sudden ..."""
INTACT = 0.9
"""... or, in each of the others, as not taken."""

CALM_SHIFT = math.log(0.92)
"""The others' common level may have fallen to 92 % over :data:`CALM_S` and still count as calm."""
CALM_S = 1800.0

GRADUAL_S = 600.0
GRADUAL_SUDDEN_MAX = 0.2
FOLLOWING_SHARE = 0.5
"""A control follows where it fell by half of what its depth and the affected muscle suggest."""


class Judgement(Struct, frozen=True, gc=False):
    """What the estimates say of one muscle's loss, beside the trial itself."""

    estimate: Estimate | None = None
    scope: Scope = Scope.INDETERMINATE
    scope_evidence: str = "no estimate"
    gradual: bool = False


class _Related(NamedTuple):
    """The other channels of one, by what they are to it."""

    others: tuple[int, ...]
    controls: tuple[int, ...]
    mirrored: tuple[int, ...]
    another: tuple[int, ...]
    depths: tuple[float, ...]


class Muscles:
    """Every muscle of a case after a trial, in channel order.

    Args:
        channels: of the case.
        controls: as the profile names them.
    """

    def __init__(self, channels: Sequence[Channel], controls: tuple[str, ...]) -> None:
        self._names = [channel.name for channel in channels]
        self._has_controls = bool(controls)
        self._related = [_related(channels, i, controls) for i in range(len(channels))]
        self._estimates: Sequence[Estimate | None] = [None] * len(channels)
        self._in_words: dict[int, str] = {}
        self._shift_calm: Sequence[float] = ()
        self._shift_gradual: Sequence[float] = ()

    def asks_others(self, estimates: Sequence[Estimate | None]) -> bool:
        """Whether the judgement of these takes the estimates of the other muscles."""
        return self._has_controls or any(e is not None and e.p_sudden >= SUDDEN for e in estimates)

    def take(
        self,
        estimates: Sequence[Estimate | None],
        shift_calm: Sequence[float],
        shift_gradual: Sequence[float],
    ) -> None:
        """What the latest trial leaves: estimates, and log changes of the gradual levels over
        :data:`CALM_S` (not read unless :meth:`asks_others`) and :data:`GRADUAL_S`.
        """
        self._estimates = estimates
        self._in_words.clear()
        self._shift_calm, self._shift_gradual = shift_calm, shift_gradual

    def judge(self, affected: int) -> Judgement:
        """The judgement of channel ``affected``."""
        estimate = self._estimates[affected]
        if estimate is None:
            return Judgement()
        scope, why = self._scope(affected, estimate)
        return Judgement(estimate, scope, why, self._is_gradual(affected, estimate))

    def _is_gradual(self, affected: int, estimate: Estimate) -> bool:
        """Half of the decline or more is older than ten minutes, and no step explains it."""
        total = math.log(max(estimate.level_percent, 0.01) / 100.0)
        return (
            estimate.p_sudden <= GRADUAL_SUDDEN_MAX
            and total < 0.0
            and self._shift_gradual[affected] >= 0.5 * total
        )

    def _scope(self, affected: int, estimate: Estimate) -> tuple[Scope, str]:
        related = self._related[affected]
        controls = self._known(related.controls)
        if controls and all(self._follows(i, estimate, related.depths[i]) for i in controls):
            return Scope.GLOBAL, f"controls follow: {self._list(controls)}"
        if estimate.p_sudden < SUDDEN:
            return Scope.INDETERMINATE, f"probability of a sudden step {estimate.p_sudden:.2f}"
        if controls and all(self._is_intact(i) for i in controls) and self._is_calm(controls):
            return Scope.FOCAL, f"controls intact: {self._list(controls)}"
        if not self._known(related.mirrored) or not self._known(related.another):
            return Scope.INDETERMINATE, "no other side or no other muscle to compare with"
        others = self._known(related.others)
        touched = [i for i in others if not self._is_intact(i)]
        if touched:
            return Scope.INDETERMINATE, f"changed too: {self._list(touched)}"
        if not self._is_calm(others):
            return Scope.INDETERMINATE, f"all decline: {self._list(others)}"
        return Scope.FOCAL, f"the others are intact: {self._list(others)}"

    def _known(self, of: Sequence[int]) -> list[int]:
        return [i for i in of if self._estimates[i] is not None]

    def _follows(self, control: int, estimate: Estimate, depth: float) -> bool:
        own = self._estimates[control]
        if own is None:
            return False
        expected = math.log(max(estimate.percent, 1.0) / 100.0) * depth
        return expected < 0.0 and math.log(max(own.percent, 1.0) / 100.0) <= (
            FOLLOWING_SHARE * expected
        )

    def _is_intact(self, i: int) -> bool:
        estimate = self._estimates[i]
        return estimate is not None and estimate.p_intact >= INTACT

    def _is_calm(self, of: Sequence[int]) -> bool:
        return math.fsum(self._shift_calm[i] for i in of) / len(of) >= CALM_SHIFT

    def _list(self, of: Sequence[int]) -> str:
        return ", ".join([words for i in of if (words := self._word(i))])

    def _word(self, i: int) -> str:
        """A muscle with its estimate, made once a trial; empty without one."""
        words = self._in_words.get(i)
        if words is None:
            estimate = self._estimates[i]
            words = "" if estimate is None else f"{self._names[i]} {estimate.percent:.0f} %"
            self._in_words[i] = words
        return words


def _related(channels: Sequence[Channel], affected: int, controls: tuple[str, ...]) -> _Related:
    """The affected muscle's own kind is no control: a bilateral loss would vouch for itself."""
    own = channels[affected]
    others = [i for i in range(len(channels)) if i != affected]

    def mirrors(i: int) -> bool:
        return {channels[i].side, own.side} == {"left", "right"}

    def is_control(i: int) -> bool:
        if channels[i].muscle in controls and own.muscle not in controls:
            return True
        return OTHER_SIDE in controls and mirrors(i)

    return _Related(
        tuple(others),
        tuple(i for i in others if is_control(i)),
        tuple(i for i in others if channels[i].muscle == own.muscle and mirrors(i)),
        tuple(i for i in others if channels[i].muscle != own.muscle),
        tuple(fade_depth(c.muscle) / fade_depth(own.muscle) for c in channels),
    )
