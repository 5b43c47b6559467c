"""``docs/alarms.md`` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.config import PROFILES, TrackSection
from monitor.track.kinds import ALARM_TABLE
from monitor.track.repeats import INTERVALS, Repeats
from monitor.types import AlarmClass

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "alarms.md").read_text()


def test_the_table_is_the_codes() -> None:
    shown = [line for line in PAGE.splitlines() if line.startswith("| `") and "al | " in line]
    assert shown == [
        f"| `{kind.value}` | {entry.alarm_class.value} | {entry.priority.value} | {entry.meaning} |"
        for kind, entry in ALARM_TABLE.items()
    ]


def test_every_profile_is_explained() -> None:
    for path in PROFILES.glob("*.toml"):
        assert f"`{path.stem}`" in PAGE


def test_every_technical_kind_says_what_raises_it_and_when_it_is_over() -> None:
    section = PAGE.partition("## Technical conditions")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", section, re.MULTILINE)
    kinds = [k for k, e in ALARM_TABLE.items() if e.alarm_class is AlarmClass.TECHNICAL]
    assert told == [kind.value for kind in kinds]


def test_every_cause_is_named() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "monitor").rglob("*.py"))
    causes = set(re.findall(r"""cause="(\w+)\"""", sources))
    causes |= set(re.findall(r"STIMULUS_MISSING, .*\"(\w+)\"\)", sources))
    assert causes == {"cadence", "reach", "pattern", "stream"}
    for cause in causes:
        assert f"cause `{cause}`" in PAGE


@pytest.mark.parametrize("line", re.findall(r"^\| (\d+) (s|min) \| (\d+) and (\d+) s", PAGE, re.M))
def test_the_times_of_rising_are_the_codes(line: tuple[str, str, str, str]) -> None:
    every_s = float(line[0]) * (60.0 if line[1] == "min" else 1.0)
    repeats = Repeats(TrackSection())
    for i in range(INTERVALS + 1):
        repeats.stimulus("C3/C4", i * every_s)
    assert repeats.rise_s("C3/C4", INTERVALS * every_s) == (float(line[2]), float(line[3]))
