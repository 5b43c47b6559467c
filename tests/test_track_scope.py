"""Focal, global, indeterminate, gradual: each from the estimates of all muscles."""

from __future__ import annotations

import math

import pytest

from monitor.track.controls import Recent
from monitor.track.estimator import Estimate
from monitor.track.scope import OTHER_SIDE, Judgement, Muscles
from monitor.types import Channel, Scope

CHANNELS = (
    Channel("LA", "APB", "left"),
    Channel("RA", "APB", "right"),
    Channel("LH", "AH", "left"),
    Channel("RH", "AH", "right"),
)
HANDS = ("APB",)
CALM = [0.0] * 4
LH = 2


def sudden(percent: float) -> Estimate:
    return Estimate(percent, percent / 2, percent * 1.5, 1.0, 1.0, 0.0, 95.0)


def steady(percent: float = 100.0) -> Estimate:
    return Estimate(percent, percent * 0.8, percent * 1.2, 0.0, 0.0, 1.0, percent)


def judge(
    *estimates: Estimate | None,
    controls: tuple[str, ...] = (),
    calm: float = 0.0,
    gradual: float = 0.0,
    own: dict[int, float] | None = None,
    lost: frozenset[int] = frozenset(),
) -> Judgement:
    """``own``: per cent that channels' own trials show where that is not what is estimated."""
    recent = []
    for i, estimate in enumerate(estimates):
        percent = (own or {}).get(i, 100.0 if estimate is None else estimate.percent)
        log = math.log(percent / 100.0)
        recent.append(None if estimate is None else Recent(log, 0.1, log))
    muscles = Muscles(CHANNELS, controls)
    muscles.take(estimates, [calm] * 4, [gradual] * 4, recent.__getitem__, lost)
    return muscles.judge(LH)


def test_one_muscle_alone_is_focal() -> None:
    found = judge(steady(), steady(), sudden(20), steady())
    assert found.scope is Scope.FOCAL
    assert found.scope_evidence == "the others are intact: LA 100 %, RA 100 %, RH 100 %"


def test_one_muscle_is_not_alone_where_all_vary_more_than_before() -> None:
    restless = [steady()._replace(unrest=u) for u in (1.2, 1.9, 1.7)]
    found = judge(restless[0], restless[1], sudden(20), restless[2])
    assert found.scope is Scope.INDETERMINATE
    assert found.scope_evidence == "all vary more than before: 1.6 times"
    calm = [e._replace(unrest=1.4) for e in restless]
    assert judge(calm[0], calm[1], sudden(20), calm[2]).scope is Scope.FOCAL


def test_the_unrest_of_muscles_that_fell_too_is_their_step() -> None:
    hands = [steady()._replace(unrest=1.0)] * 2
    legs = [sudden(20)._replace(unrest=4.0)] * 2
    assert judge(*hands, *legs, controls=HANDS).scope is Scope.FOCAL


@pytest.mark.parametrize(
    "found",
    [
        judge(steady(), steady(), sudden(20), sudden(30)),
        judge(sudden(30), steady(), sudden(20), steady()),
        judge(steady(), steady(), sudden(20), None),
        judge(None, None, sudden(20), steady()),
        judge(steady(), steady(), steady(45), steady()),
        judge(steady(), steady(), sudden(20), steady(), calm=math.log(0.8)),
        judge(None, None, None, None),
    ],
    ids=["mirror", "a hand too", "no mirror", "mirror only", "not sudden", "all decline", "none"],
)
def test_what_is_not_plain_is_indeterminate_and_says_why(found: Judgement) -> None:
    assert found.scope is Scope.INDETERMINATE
    assert found.scope_evidence


def test_both_legs_with_intact_control_hands_are_focal() -> None:
    found = judge(steady(), steady(), sudden(20), sudden(20), controls=HANDS)
    assert found.scope is Scope.FOCAL
    assert found.scope_evidence.startswith("controls intact")


@pytest.mark.parametrize(
    ("controls", "scope"),
    [(HANDS, Scope.GLOBAL), ((), Scope.INDETERMINATE), (("AH",), Scope.INDETERMINATE)],
    ids=["hands follow", "no control in the profile", "its own kind is no control"],
)
def test_global_needs_controls_that_follow(controls: tuple[str, ...], scope: Scope) -> None:
    found = judge(steady(70), steady(68), steady(45), steady(45), controls=controls)
    assert found.scope is scope


def test_controls_that_hold_are_not_global() -> None:
    found = judge(steady(97), steady(96), steady(45), steady(45), controls=HANDS)
    assert found.scope is Scope.INDETERMINATE


LEGS_DOWN = (steady(65), steady(65), steady(45), steady(45))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (judge(sudden(1), sudden(1), *LEGS_DOWN[2:], controls=HANDS), "a sudden step: LA 1 %"),
        (
            judge(steady(65)._replace(p_sudden=0.3), *LEGS_DOWN[1:], controls=HANDS),
            "a sudden step: LA 65 %",
        ),
        (judge(*LEGS_DOWN[:3], sudden(20), controls=HANDS), "a sudden step: RH 20 %"),
        (judge(*LEGS_DOWN, controls=HANDS, lost=frozenset({3})), "lost or suddenly down: RH"),
        (judge(*LEGS_DOWN, controls=HANDS, own={0: 80, 1: 78}), "controls do not follow to 67 %"),
        (judge(*LEGS_DOWN, controls=HANDS, own={0: 71, 1: 71}), "no more than fade explains"),
        (judge(None, *LEGS_DOWN[1:], controls=("ADM",)), "probability of a sudden step 0.00"),
    ],
    ids=["controls lost", "a control's step", "another's step", "lost", "hands hold", "fade alone",
         "no such control"],
)  # fmt: skip
def test_what_is_not_shown_by_valid_controls_is_not_global(found: Judgement, why: str) -> None:
    assert found.scope is Scope.INDETERMINATE
    assert found.scope_evidence.startswith(why)


def test_controls_without_trials_of_their_own_show_nothing() -> None:
    muscles = Muscles(CHANNELS, HANDS)
    muscles.take(LEGS_DOWN, CALM, CALM)
    assert muscles.judge(LH).scope is Scope.INDETERMINATE
    muscles.take((steady(), steady(), sudden(20), sudden(20)), CALM, CALM)
    assert muscles.judge(LH).scope is Scope.INDETERMINATE


@pytest.mark.parametrize(
    ("other_leg", "hands", "scope"),
    [
        (sudden(20)._replace(p_sudden=0.9, p_intact=0.1), 100, Scope.INDETERMINATE),
        (sudden(20), 75, Scope.INDETERMINATE),
        (sudden(20), 85, Scope.FOCAL),
    ],
    ids=["the other leg is not told yet", "hands lower of late", "hands hold"],
)
def test_focal_by_intact_controls_alone_takes_all_to_be_plain(
    other_leg: Estimate, hands: float, scope: Scope
) -> None:
    own = {0: hands, 1: hands}
    found = judge(steady(), steady(), sudden(20), other_leg, controls=HANDS, own=own)
    assert found.scope is scope


def test_the_other_side_as_a_control() -> None:
    found = judge(steady(), steady(60), steady(45), steady(46), controls=(OTHER_SIDE,))
    assert found.scope is Scope.GLOBAL
    one_holds = judge(steady(), steady(100), steady(45), steady(50), controls=(OTHER_SIDE,))
    assert one_holds.scope is Scope.INDETERMINATE


@pytest.mark.parametrize(
    ("estimate", "shift", "gradual"),
    [
        (steady(45), 0.0, True),
        (steady(45), 0.19 * math.log(0.45), True),
        (steady(45), 0.21 * math.log(0.45), False),
        (sudden(20), 0.0, False),
        (steady(110), 0.0, False),
    ],
    ids=["long ago", "nearly all before", "some now", "sudden", "no decline"],
)
def test_gradual_is_what_came_over_more_than_ten_minutes(
    estimate: Estimate, shift: float, gradual: bool
) -> None:
    assert judge(steady(), steady(), estimate, steady(), gradual=shift).gradual is gradual
