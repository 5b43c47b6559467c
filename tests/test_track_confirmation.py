"""What confirms a loss: trials that count, the estimate, and the rules that need none."""

from __future__ import annotations

import pytest
from msgspec import structs

from monitor.config import TrackSection
from monitor.track.confirmation import (
    BACKSTOP_TRIALS,
    ESTIMATOR_TRIALS,
    Beyond,
    confirmed_by,
    few_trials_probability,
    needed_trials,
)
from monitor.track.estimator import Estimate

TRACK = TrackSection(confirm="estimator", confirm_probability=0.9)
LITERAL = TrackSection(confirm="in_a_row", confirm_in_a_row=3)


def estimate(p_below: float, absent_share: float = 0.005) -> Estimate:
    return Estimate(40.0, 20.0, 60.0, p_below, p_below, 0.0, 90.0, absent_share)


def after(*trials: str) -> Beyond:
    """``x`` beyond the criterion, ``0`` without a response, ``?`` uncertain, ``.`` not beyond."""
    beyond = Beyond()
    for trial in trials:
        if trial == ".":
            beyond = beyond.and_another()
        else:
            beyond = beyond.and_one(lost=trial == "0", counts=trial != "?")
    return beyond


@pytest.mark.parametrize(
    ("trials", "p_below", "by"),
    [
        ("x", 0.999, ""),
        ("xx", 0.949, ""),
        ("xx", 0.95, "estimator: 0.950 >= 0.95"),
        ("x.x", 0.95, "estimator: 0.950 >= 0.95"),
        ("x?", 0.999, ""),
        ("xxx", 0.899, ""),
        ("xxx", 0.9, "estimator: 0.900 >= 0.9"),
        ("xx.", 0.96, "estimator: 0.960 >= 0.95"),
    ],
)
def test_the_second_trial_takes_more_to_confirm_than_those_after_it(
    trials: str, p_below: float, by: str
) -> None:
    assert few_trials_probability(TRACK) == 0.95
    assert confirmed_by(after(*trials), estimate(p_below), TRACK) == by


@pytest.mark.parametrize(
    ("trials", "by"),
    [
        ("0", ""),
        ("00", "no response in 2 trials in a row"),
        ("0x0", ""),
        ("0.0", ""),
        ("0x0.0", "no response in 3 of 6 trials"),
        ("0xx0xx0", ""),
        ("x" * (BACKSTOP_TRIALS - 1), ""),
        ("x" * BACKSTOP_TRIALS, f"{BACKSTOP_TRIALS} trials in a row"),
        ("x" * 9 + "?" + "x" * (BACKSTOP_TRIALS - 10), ""),
        ("x" * 9 + "." + "x" * (BACKSTOP_TRIALS - 9), ""),
    ],
)
def test_what_confirms_whatever_the_estimator_says(trials: str, by: str) -> None:
    assert confirmed_by(after(*trials), estimate(0.0), TRACK) == by


@pytest.mark.parametrize(
    ("absent_share", "trials", "by"),
    [
        (0.022, "00", "no response in 2 trials in a row"),
        (0.023, "00", ""),
        (0.079, "000", "no response in 3 trials in a row"),
        (0.080, "000", ""),
        (0.25, "00000", ""),
        (0.25, "000000", "no response in 6 trials in a row"),
        (0.029, "0x0.0", "no response in 3 of 6 trials"),
        (0.031, "0x0.0", ""),
        (0.07, "00x00", "no response in 4 of 6 trials"),
    ],
)
def test_a_muscle_that_leaves_responses_out_takes_more_absences(
    absent_share: float, trials: str, by: str
) -> None:
    assert confirmed_by(after(*trials), estimate(0.0, absent_share), TRACK) == by


@pytest.mark.parametrize(("trials", "confirms"), [("xx", False), ("xxx", True), ("xx.x", False)])
def test_the_literal_rule_counts_trials_in_a_row(trials: str, confirms: bool) -> None:
    for told in (estimate(0.999), None):
        assert bool(confirmed_by(after(*trials), told, LITERAL)) is confirms


def test_without_an_estimate_the_literal_rule_stands_in() -> None:
    track = structs.replace(LITERAL, confirm="estimator")
    assert confirmed_by(after("x", "x", "x"), None, track) == "3 trials in a row"


def test_how_many_it_takes_at_least() -> None:
    assert (needed_trials(TRACK), needed_trials(LITERAL)) == (ESTIMATOR_TRIALS, 3)
