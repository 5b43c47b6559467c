"""Focal, global, indeterminate, gradual: each from the estimates of all muscles."""

from __future__ import annotations

import math

import pytest

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
) -> Judgement:
    muscles = Muscles(CHANNELS, controls)
    muscles.take(estimates, [calm] * 4, [gradual] * 4)
    return muscles.judge(LH)


def test_one_muscle_alone_is_focal() -> None:
    found = judge(steady(), steady(), sudden(20), steady())
    assert found.scope is Scope.FOCAL
    assert found.scope_evidence == "the others are intact: LA 100 %, RA 100 %, RH 100 %"


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


def test_the_other_side_as_a_control() -> None:
    found = judge(steady(), steady(60), steady(45), steady(50), controls=(OTHER_SIDE,))
    assert found.scope is Scope.GLOBAL
    one_holds = judge(steady(), steady(100), steady(45), steady(50), controls=(OTHER_SIDE,))
    assert one_holds.scope is Scope.INDETERMINATE


@pytest.mark.parametrize(
    ("estimate", "shift", "gradual"),
    [
        (steady(45), 0.0, True),
        (steady(45), 0.4 * math.log(0.45), True),
        (steady(45), 0.6 * math.log(0.45), False),
        (sudden(20), 0.0, False),
        (steady(110), 0.0, False),
    ],
    ids=["long ago", "half before", "mostly now", "sudden", "no decline"],
)
def test_gradual_is_what_came_over_more_than_ten_minutes(
    estimate: Estimate, shift: float, gradual: bool
) -> None:
    assert judge(steady(), steady(), estimate, steady(), gradual=shift).gradual is gradual
