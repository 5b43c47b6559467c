"""Remarks that may explain a loss."""

from __future__ import annotations

import pytest

from monitor.track.context import Confounders


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("propofol bolus", True),
        ("MAP 55", True),
        ("TOF 2/4", True),
        ("Hypotension treated", True),
        ("screw L2", False),
        ("incision", False),
        ("mapping begins", False),
    ],
)
def test_what_counts(text: str, noted: bool) -> None:
    confounders = Confounders()
    confounders.take(60.0, text)
    assert confounders.at(180.0) == (f"{text} (2 min before)" if noted else "")


def test_the_latest_three_of_half_an_hour() -> None:
    confounders = Confounders()
    for minute in (0, 10, 20, 25, 30):
        confounders.take(60.0 * minute, f"bolus {minute}")
    assert confounders.at(1800.0) == (
        "bolus 30 (0 min before); bolus 25 (5 min before); bolus 20 (10 min before)"
    )
    assert confounders.at(60.0 * 59) == "bolus 30 (29 min before)"
    assert confounders.at(60.0 * 61) == ""
