"""Focal or global: does a loss concern some muscles, or all that share a cause?

Read from the estimates of the other muscles, never from single trials, and always with the evidence
in words. Global is said only of a gradual decline that valid control muscles follow: without them a
bilateral or cervical injury can't be told from anaesthesia, and what looks global stays
indeterminate. So does all of it while any response is lost or any muscle took a sudden step.

What controls did is read from their own trials (:mod:`monitor.track.controls`), since the
estimates share what muscles have in common, and legs that fall would drag the hands along: they
have to fall as far as the affected muscle suggests, and farther than the anaesthetic fade alone
takes such a muscle, which is there in every long case, injury or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from monitor.track.controls import Recent
from monitor.track.estimator import Estimate, fade_depth
from monitor.types import AlarmCondition, AlarmKind, AlarmState, Channel, Scope

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
OLD_SHARE = 0.8
"""So much of a gradual decline, in logs, is older than :data:`GRADUAL_S`. All of it is meant; the
estimate of a level moves by a tenth of such a decline within ten minutes without any change."""
UNREST_MAX = 1.5
"""Where the other muscles' latest trials lie so much farther off than their noise explains (mean
square), something has taken hold of them too, partial block say: one that fell is not alone."""
STEPPED = 0.5
"""Probability of a step from which on a muscle keeps what the others do from being global."""

FADE_LOG = 1.2 * math.log(0.63)
"""The deepest anaesthetic fade of a leg that is expected of a case: the published 63 % of the sixth
hour, by a fifth deeper in logs. Other muscles by their depth."""
FOLLOWING_SD = 1.0
"""A control lies no more SD above what the affected muscle suggests for it ..."""
FADED_SD = 1.3
"""... and this many below what the fade alone would leave of it."""
INTACT_LOG = math.log(0.8)
"""An intact control's own latest trials lie above this on average."""


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
        self._muscles = [channel.muscle for channel in channels]
        self.has_controls = bool(controls)
        self._related = [_related(channels, i, controls) for i in range(len(channels))]
        self._estimates: Sequence[Estimate | None] = [None] * len(channels)
        self._in_words: dict[int, str] = {}
        self._shift_calm: Sequence[float] = ()
        self._shift_gradual: Sequence[float] = ()
        self._recent: Callable[[int], Recent | None] = _nothing_recent
        self._known_recent: dict[int, Recent | None] = {}
        self._lost: frozenset[int] = frozenset()
        self._with_estimate: set[int] = set()
        self._touched: list[int] = []
        self._unrest: list[tuple[int, float]] = []

    def asks_others(self, estimates: Sequence[Estimate | None]) -> bool:
        """Whether the judgement of these takes the estimates of the other muscles."""
        return self.has_controls or any(e is not None and e.p_sudden >= SUDDEN for e in estimates)

    def take(
        self,
        estimates: Sequence[Estimate | None],
        shift_calm: Sequence[float],
        shift_gradual: Sequence[float],
        recent: Callable[[int], Recent | None] | None = None,
        lost: frozenset[int] = frozenset(),
    ) -> None:
        """What the latest trial leaves, in channel order.

        Args:
            estimates: of every muscle; None without a baseline.
            shift_calm: log changes of the gradual levels over :data:`CALM_S`; not read
                unless :meth:`asks_others`.
            shift_gradual: the same over :data:`GRADUAL_S`.
            recent: a channel's own latest trials; a control without any is not known. Asked only
                for what a judgement takes.
            lost: the channels whose response is gone in this trial or by a standing alarm, or that
                have an alarm of a sudden loss, under this setting or another.
        """
        self._estimates = estimates
        self._in_words.clear()
        self._shift_calm, self._shift_gradual = shift_calm, shift_gradual
        self._recent, self._lost = recent or _nothing_recent, lost
        self._known_recent = {}
        self._with_estimate = {i for i, e in enumerate(estimates) if e is not None}
        self._unrest = [
            (i, e.unrest) for i, e in enumerate(estimates) if e is not None and e.p_sudden < STEPPED
        ]
        # The muscles that have taken a step, or may have.
        self._touched = [
            i for i, e in enumerate(estimates) if e is not None and e.p_intact < INTACT
        ]

    def judge(self, affected: int) -> Judgement:
        """The judgement of channel ``affected``."""
        estimate = self._estimates[affected]
        if estimate is None:
            return Judgement()
        scope, why = self._scope(affected, estimate)
        return Judgement(estimate, scope, why, self._is_gradual(affected, estimate))

    def _is_gradual(self, affected: int, estimate: Estimate) -> bool:
        """The decline is older than ten minutes, and no step explains it."""
        if estimate.p_sudden > GRADUAL_SUDDEN_MAX:
            return False
        total = math.log(max(estimate.level_percent, 0.01) / 100.0)
        return total < 0.0 and self._shift_gradual[affected] >= (1.0 - OLD_SHARE) * total

    def _scope(self, affected: int, estimate: Estimate) -> tuple[Scope, str]:
        related = self._related[affected]
        controls = self._known(related.controls)
        if controls and estimate.p_sudden <= GRADUAL_SUDDEN_MAX:
            return self._scope_of_decline(estimate, controls, related.depths)
        if estimate.p_sudden < SUDDEN:
            return Scope.INDETERMINATE, f"probability of a sudden step {estimate.p_sudden:.2f}"
        unrest = self._unrest_but(affected)
        if unrest > UNREST_MAX:
            return Scope.INDETERMINATE, f"all vary more than before: {unrest:.1f} times"
        touched = [i for i in self._touched if i != affected]
        if controls and all(self._is_intact(i, itself=True) for i in controls):
            between = [i for i in touched if not self._is_stepped(i)]
            if between:
                return Scope.INDETERMINATE, f"not told yet: {self._list(between)}"
            # Of a single muscle the others say it, below, all of them and not the controls alone.
            if touched and self._is_calm(controls):
                return Scope.FOCAL, f"controls intact: {self._list(controls)}"
        known = self._with_estimate
        if known.isdisjoint(related.mirrored) or known.isdisjoint(related.another):
            return Scope.INDETERMINATE, "no other side or no other muscle to compare with"
        if touched:
            return Scope.INDETERMINATE, f"changed too: {self._list(touched)}"
        others = self._known(related.others)
        if not self._is_calm(others):
            return Scope.INDETERMINATE, f"all decline: {self._list(others)}"
        return Scope.FOCAL, f"the others are intact: {self._list(others)}"

    def _known(self, of: Sequence[int]) -> list[int]:
        return [i for i in of if self._estimates[i] is not None]

    def _scope_of_decline(
        self, estimate: Estimate, controls: list[int], depths: Sequence[float]
    ) -> tuple[Scope, str]:
        """Of a muscle that declined gradually, where there are controls."""
        if self._lost:
            lost = ", ".join([self._names[i] for i in sorted(self._lost)])
            return Scope.INDETERMINATE, f"lost or suddenly down: {lost}"
        stepped = [
            i for i, e in enumerate(self._estimates) if e is not None and e.p_sudden >= STEPPED
        ]
        stepped += [i for i in controls if i not in stepped and self._may_have_stepped(i)]
        if stepped:
            return Scope.INDETERMINATE, f"a sudden step: {self._list(sorted(stepped))}"
        kinds: dict[str, list[int]] = {}
        for i in controls:
            kinds.setdefault(self._muscles[i], []).append(i)
        for own in kinds.values():
            why = self._holds_back(own, estimate, depths[own[0]])
            if why:
                return Scope.INDETERMINATE, f"{why}: {self._list(controls)}"
        return Scope.GLOBAL, f"controls follow: {self._list(controls)}"

    def _holds_back(self, of: list[int], estimate: Estimate, depth: float) -> str:
        """Why control muscles of one kind do not show that the decline is global; empty: they do.

        Args:
            of: the controls, of one muscle.
            estimate: of the affected muscle.
            depth: of the controls against that of the affected muscle.
        """
        recent = [r for i in of if (r := self._recent_of(i)) is not None]
        if len(recent) < len(of):
            return "controls not known"
        log_share = math.fsum(r.log_share for r in recent) / len(recent)
        sd = math.sqrt(math.fsum(r.sd * r.sd for r in recent)) / len(recent)
        expected = math.log(max(estimate.percent, 1.0) / 100.0) * depth
        if log_share > expected + FOLLOWING_SD * sd:
            return f"controls do not follow to {100.0 * math.exp(expected):.0f} %"
        if log_share > FADE_LOG * fade_depth(self._muscles[of[0]]) - FADED_SD * sd:
            return "no more than fade explains of the controls"
        return ""

    def _may_have_stepped(self, i: int) -> bool:
        estimate = self._estimates[i]
        return estimate is not None and estimate.p_sudden > GRADUAL_SUDDEN_MAX

    def _is_stepped(self, i: int) -> bool:
        estimate = self._estimates[i]
        return estimate is not None and estimate.p_sudden >= SUDDEN

    def _is_intact(self, i: int, *, itself: bool = False) -> bool:
        """No step was taken; ``itself``: nor do its own latest trials say that it fell."""
        estimate = self._estimates[i]
        if estimate is None or estimate.p_intact < INTACT:
            return False
        if not itself:
            return True
        recent = self._recent_of(i)
        return i not in self._lost and recent is not None and recent.latest_log >= INTACT_LOG

    def _recent_of(self, i: int) -> Recent | None:
        if i not in self._known_recent:
            self._known_recent[i] = self._recent(i)
        return self._known_recent[i]

    def _is_calm(self, of: Sequence[int]) -> bool:
        return math.fsum(self._shift_calm[i] for i in of) / len(of) >= CALM_SHIFT

    def _unrest_but(self, affected: int) -> float:
        """How far the others' latest trials, of those without a step, lie off what was expected."""
        calm = [unrest for i, unrest in self._unrest if i != affected]
        return math.fsum(calm) / len(calm) if calm else 1.0

    def _list(self, of: Sequence[int]) -> str:
        in_words = self._in_words
        return ", ".join([in_words.get(i) or self._word(i) for i in of])

    def _word(self, i: int) -> str:
        """A muscle that has an estimate with that, made once a trial."""
        estimate = self._estimates[i]
        assert estimate is not None, "only muscles with an estimate are named"
        words = self._in_words[i] = f"{self._names[i]} {estimate.percent:.0f} %"
        return words


def _nothing_recent(_: int) -> None:
    return None


def is_lost_or_sudden(condition: AlarmCondition) -> bool:
    """A standing loss, latched ones being over, that keeps any other from being called global."""
    if condition.state is AlarmState.LATCHED:
        return False
    if condition.kind is AlarmKind.RESPONSE_LOST:
        return True
    p_sudden = condition.evidence.get("probability_sudden")
    return isinstance(p_sudden, float) and p_sudden >= STEPPED


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
