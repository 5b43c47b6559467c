"""``docs/alarms.md`` says what the code does."""

from __future__ import annotations

from pathlib import Path

from monitor.config import PROFILES
from monitor.track.kinds import ALARM_TABLE

PAGE = (Path(__file__).parents[1] / "docs" / "alarms.md").read_text()


def test_the_table_is_the_codes() -> None:
    shown = [line for line in PAGE.splitlines() if line.startswith("| `") and "al | " in line]
    assert shown == [
        f"| `{kind.value}` | {entry.alarm_class.value} | {entry.priority.value} | {entry.meaning} |"
        for kind, entry in ALARM_TABLE.items()
    ]


def test_every_profile_is_explained() -> None:
    for path in PROFILES.glob("*.toml"):
        assert f"`{path.stem}`" in PAGE
