"""Remarks that may explain a loss."""

from __future__ import annotations

import pytest

from monitor.track.context import Confounders, noted_after
from monitor.track.evidence import Evidence


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("propofol bolus", True),
        ("MAP 55", True),
        ("TOF 2/4", True),
        ("Hypotension treated", True),
        ("2 boluses given", True),
        ("BP 60/30", True),
        ("NIBP", True),
        ("MAP55", True),
        ("TOF4/4", True),
        ("phenylephrine", True),
        ("noradrenaline up", True),
        ("cisatracurium", True),
        ("dexmedetomidine", True),
        ("hypothermia", True),
        ("blood loss 1 l", True),
        ("screw L2", False),
        ("template placed", False),
        ("rod contoured", False),
        ("incision", False),
        ("mapping begins", False),
    ],
)
def test_what_counts(text: str, noted: bool) -> None:
    confounders = Confounders()
    assert confounders.take(60.0, text) is noted
    assert confounders.at(180.0, 7) == (f"{text} (2 min before trial 7)" if noted else "")


def test_the_latest_three_of_half_an_hour() -> None:
    confounders = Confounders()
    for minute in (0, 10, 20, 25, 30):
        confounders.take(60.0 * minute, f"bolus {minute}")
    assert confounders.at(1800.0, 9) == (
        "bolus 30 (0 min before trial 9); bolus 25 (5 min before trial 9); "
        "bolus 20 (10 min before trial 9)"
    )
    assert confounders.at(60.0 * 59, 9) == "bolus 30 (29 min before trial 9)"
    assert confounders.at(60.0 * 61, 9) == ""


def test_a_remark_after_the_latest_trial_comes_first_and_pushes_the_fourth_out() -> None:
    evidence: Evidence = {"latest_trial": 9}
    for text in ("MAP 50", "bolus", "MAP 60", "MAP 70"):
        evidence = noted_after(evidence, text)
    assert evidence["noted"] == (
        "MAP 70 (after trial 9); MAP 60 (after trial 9); bolus (after trial 9)"
    )
