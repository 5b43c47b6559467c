"""Focal or global: does a loss concern some muscles, or all that share a cause?

Read from the estimates of the other muscles, never from single trials, and always with the evidence
in words. Global is said only where valid control muscles follow: without them a bilateral or
cervical injury can't be told from anaesthesia, and what looks global stays indeterminate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the estimates say of one muscle's loss, beside the trial itself."""

    estimate: Estimate | None = None
    scope: Scope = Scope.INDETERMINATE
    scope_evidence: str = "no estimate"
    gradual: bool = False


@dataclass(frozen=True, slots=True)
class Muscles:
    """Every muscle after a trial, in channel order.

    ``shift_calm`` and ``shift_gradual`` are the log changes of the gradual levels over
    :data:`CALM_S` and :data:`GRADUAL_S`.
    """

    channels: Sequence[Channel]
    estimates: Sequence[Estimate | None]
    shift_calm: Sequence[float]
    shift_gradual: Sequence[float]

    def judge(self, affected: int, controls: tuple[str, ...]) -> Judgement:
        """The judgement of channel ``affected``; ``controls`` as the profile names them."""
        estimate = self.estimates[affected]
        if estimate is None:
            return Judgement()
        scope, why = self._scope(affected, estimate, controls)
        return Judgement(estimate, scope, why, self._is_gradual(affected, estimate))

    def _is_gradual(self, affected: int, estimate: Estimate) -> bool:
        """Half of the decline or more is older than ten minutes, and no step explains it."""
        total = math.log(max(estimate.level_percent, 0.01) / 100.0)
        return (
            estimate.p_sudden <= GRADUAL_SUDDEN_MAX
            and total < 0.0
            and self.shift_gradual[affected] >= 0.5 * total
        )

    def _scope(
        self, affected: int, estimate: Estimate, names: tuple[str, ...]
    ) -> tuple[Scope, str]:
        others = [i for i, e in enumerate(self.estimates) if e is not None and i != affected]
        controls = [i for i in others if self._is_control(i, affected, names)]
        if controls and all(self._follows(i, affected, estimate) for i in controls):
            return Scope.GLOBAL, f"controls follow: {self._list(controls)}"
        if estimate.p_sudden < SUDDEN:
            return Scope.INDETERMINATE, f"probability of a sudden step {estimate.p_sudden:.2f}"
        if controls and all(self._is_intact(i) for i in controls) and self._is_calm(controls):
            return Scope.FOCAL, f"controls intact: {self._list(controls)}"
        mirrored = [i for i in others if self._mirrors(i, affected)]
        another = [i for i in others if self._muscle(i) != self._muscle(affected)]
        if not mirrored or not another:
            return Scope.INDETERMINATE, "no other side or no other muscle to compare with"
        touched = [i for i in others if not self._is_intact(i)]
        if touched:
            return Scope.INDETERMINATE, f"changed too: {self._list(touched)}"
        if not self._is_calm(others):
            return Scope.INDETERMINATE, f"all decline: {self._list(others)}"
        return Scope.FOCAL, f"the others are intact: {self._list(others)}"

    def _follows(self, control: int, affected: int, estimate: Estimate) -> bool:
        own = self.estimates[control]
        if own is None:
            return False
        depth = fade_depth(self._muscle(control)) / fade_depth(self._muscle(affected))
        expected = math.log(max(estimate.percent, 1.0) / 100.0) * depth
        return expected < 0.0 and math.log(max(own.percent, 1.0) / 100.0) <= (
            FOLLOWING_SHARE * expected
        )

    def _is_control(self, other: int, affected: int, names: tuple[str, ...]) -> bool:
        """The affected muscle's own kind is no control: a bilateral loss would vouch for itself."""
        if self._muscle(other) in names and self._muscle(affected) not in names:
            return True
        sides = {self.channels[other].side, self.channels[affected].side}
        return OTHER_SIDE in names and sides == {"left", "right"}

    def _is_intact(self, i: int) -> bool:
        estimate = self.estimates[i]
        return estimate is not None and estimate.p_intact >= INTACT

    def _is_calm(self, of: Sequence[int]) -> bool:
        return math.fsum(self.shift_calm[i] for i in of) / len(of) >= CALM_SHIFT

    def _mirrors(self, other: int, affected: int) -> bool:
        sides = {self.channels[other].side, self.channels[affected].side}
        return self._muscle(other) == self._muscle(affected) and sides == {"left", "right"}

    def _muscle(self, i: int) -> str:
        return self.channels[i].muscle

    def _list(self, of: Sequence[int]) -> str:
        shown = ((self.channels[i].name, self.estimates[i]) for i in of)
        return ", ".join(f"{name} {e.percent:.0f} %" for name, e in shown if e is not None)
