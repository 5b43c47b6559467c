"""The table of a closed case."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.summary import print_summary

SUMMARY = {
    "case": {"name": "Case 7", "kind": "replay"},
    "stimuli": {"total": 21, "gap": 1, "measured": 20},
    "warnings": ["tms-hand.eeg: cut short: [the last sample] is left out"],
    "channels": [
        {"channel": "RFDI", "muscle": "FDI", "trials": 21, "statuses": {"response": 20, "gap": 1},
         "amplitude_median_uv": 793.4, "onset_median_ms": 28.46,
         "alarms_physiological": 2, "alarms_technical": 0},
        {"channel": "LFDI", "muscle": "FDI", "trials": 21, "statuses": {"no_response": 20},
         "amplitude_median_uv": None, "onset_median_ms": None,
         "alarms_physiological": 0, "alarms_technical": 1},
    ],
}  # fmt: skip


def test_a_channel_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(SUMMARY, Path("out"))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Case 7 (replay)"
    assert "RFDI FDI 21 20 0 793 28.5 2 0" in lines
    assert "LFDI FDI 21 0 20 - - 0 1" in lines
    assert "stimuli: 21 total, 1 gap, 20 measured" in lines
    assert "note: tms-hand.eeg: cut short: [the last sample] is left out" in lines
    assert lines[-1] == "files: out"


def test_brackets_in_names_are_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    channel = {**SUMMARY["channels"][0], "channel": "L APB [uV]", "muscle": "[/b]"}
    print_summary({**SUMMARY, "case": {"name": "[/b] 7", "kind": "x"}, "channels": [channel]}, None)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "[/b] 7 (x)"
    assert "L APB [uV] [/b] 21 20 0 793 28.5 2 0" in lines


def test_what_is_not_kept_has_no_place(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(SUMMARY, None)
    assert "files:" not in capsys.readouterr().out
