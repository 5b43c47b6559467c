"""Damage of one kind is one line, whose first place is named and whose others are counted."""

from __future__ import annotations

from monitor.sources.xdf_damage import DamageLog


def test_a_whole_file_has_none() -> None:
    log = DamageLog()
    assert log.first is None
    assert list(log.lines(100)) == []


def test_kinds_are_told_apart_and_the_like_is_counted() -> None:
    log = DamageLog()
    log.note("a bad length", 40, 90)
    log.note("a bad length", 200, 260)
    log.note("a bad length", 300, None)
    log.note("a second header", 70, 80)
    assert log.first == (40, "a bad length")
    assert list(log.lines(500)) == [
        "byte 40: a bad length; left out; reading went on at byte 90 (1 more like it)",
        "byte 300: a bad length; left out; the rest, to the end of the file at byte 500, is lost",
        "byte 70: a second header; left out; reading went on at byte 80",
    ]
