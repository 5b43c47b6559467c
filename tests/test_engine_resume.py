"""A case goes on after its engine died: no number twice, no alarm lost, baselines as they were."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.engine.case import run_case
from monitor.engine.feed import Ask, Unwatched
from monitor.engine.resume import (
    NEW_CASE,
    RestoredBaseline,
    Resumed,
    account_for_unstored,
    read_interrupted,
)
from monitor.journal import database
from monitor.journal.database import SEQ_BLOCK, EventRow, JournalReader
from monitor.journal.epochs import read_epoch
from monitor.link import ReadWaveform, Reply
from monitor.track.alarms import CommandRefused
from monitor.types import Acknowledge, AlarmState, Annotate, MonitorError, SetBaseline
from tests.running import CASE_ID, new_journal
from tests.scripted_core import ScriptedPipeline, ScriptedSource, loss_and_recovery

LOST = loss_and_recovery()[: 3 * 13]


class Crash(BaseException):
    """Not an error that anything would handle: the engine is gone."""


class CrashingSource(ScriptedSource):
    def read(self, timeout_s: float) -> list[Any]:
        items = super().read(timeout_s)
        if not items:
            raise Crash
        return items

    exhausted = property(lambda self: False)


def crashed(folder: Path) -> Path:
    """A case with a leg lost for three trials, whose engine then died."""
    new_journal(folder)
    with pytest.raises(Crash):
        run_case(CrashingSource(LOST), ScriptedPipeline(), folder, Unwatched(), case_id=CASE_ID)
    return folder


def read(folder: Path, after_s: float = 60.0) -> Resumed:
    with JournalReader(folder) as journal:
        began = next(i for i in journal.inputs() if i.kind == "start")
        now = datetime.fromisoformat(began.t) + timedelta(seconds=after_s)
        return read_interrupted(journal, now)


def run_on(folder: Path, resumed: Resumed) -> list[tuple[int, str, dict[str, Any]]]:
    """The second run: what it added to the journal."""
    items = loss_and_recovery()[3 * 10 :]
    run_case(
        ScriptedSource(items),
        ScriptedPipeline(),
        folder,
        Unwatched(),
        case_id=CASE_ID,
        resumed=resumed,
    )
    with JournalReader(folder) as journal:
        rows = journal.events(since=resumed.last_seq)
    return [(row.seq, row.type, json.loads(row.body)) for row in rows]


def test_the_journal_says_where_the_case_was(tmp_path: Path) -> None:
    resumed = read(crashed(tmp_path))
    assert (resumed.trials, resumed.alarms, resumed.baseline_ids > 0) == (13, 1, True)
    assert resumed.offset_s == 60.0
    assert resumed.standing[1].state is AlarmState.LATCHED
    assert "restarted" in str(resumed.standing[1].evidence["interrupted"])
    restored = resumed.baselines_to_restore()
    assert [(b.channel, b.amplitude_uv) for b in restored] == [
        ("L-APB", 100.0),
        ("R-APB", 200.0),
        ("L-TA", 300.0),
    ]
    assert not resumed.is_new


def test_numbers_go_on_and_none_is_used_twice(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    resumed = read(folder)
    added = run_on(folder, resumed)
    assert [seq for seq, _, _ in added] == list(
        range(resumed.last_seq + 1, resumed.last_seq + 1 + len(added))
    )
    trials = [body for _, kind, body in added if kind == "trial"]
    assert [body["trial"] for body in trials] == [14, 15, 16, 17, 18, 19]
    alarms = {body["id"] for _, kind, body in added if kind == "alarm" and body["id"] > 1}
    assert min(alarms) == 2
    baselines = [body["id"] for _, kind, body in added if kind == "baseline"]
    assert min(baselines) > resumed.baseline_ids


def test_the_restart_is_an_alarm_and_the_old_one_stands_until_acknowledged(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    added = run_on(folder, read(folder))
    alarms = [body for _, kind, body in added if kind == "alarm"]
    assert (alarms[0]["id"], alarms[0]["state"]) == (1, "latched")
    restarted = [body for body in alarms if body["kind"] == "engine_restarted"]
    assert restarted[0]["class"] == "technical"
    assert restarted[0]["state"] == "active"


def test_a_loss_that_goes_on_is_found_again_against_the_restored_baseline(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    added = run_on(folder, read(folder))
    first = next(body for _, kind, body in added if kind == "trial")
    assert first["channels"][2]["baseline_uv"] == 300.0
    found = [
        b for _, k, b in added if k == "alarm" and b["kind"] == "response_lost" and b["id"] > 1
    ]
    assert [body["state"] for body in found[:2]] == ["unconfirmed", "active"]


def test_the_case_s_seconds_go_on(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    resumed = read(folder)
    began = resumed.began
    assert began is not None
    later = resumed.beginning_at(began + timedelta(seconds=75))
    assert later.offset_s == 75.0
    status = next(b for _, k, b in run_on(folder, resumed) if k == "status")
    assert status["at_s"] >= 0.0


def test_an_inherited_alarm_is_acknowledged_once_by_somebody(tmp_path: Path) -> None:
    resumed = read(crashed(tmp_path))
    assert resumed.holds(1)
    assert not resumed.holds(2)
    with pytest.raises(CommandRefused, match="name a person"):
        resumed.acknowledge(1, " ", 5.0)
    after, alarm = resumed.acknowledge(1, "XY", 5.0)
    assert (alarm.state, alarm.acknowledged_by) == (AlarmState.RESOLVED, "XY")
    assert alarm.resolved_s == 65.0
    with pytest.raises(CommandRefused, match="not standing"):
        after.acknowledge(1, "XY", 6.0)


def test_commands_reach_the_core_in_its_own_numbers(tmp_path: Path) -> None:
    resumed = read(crashed(tmp_path))
    assert resumed.unshift(Acknowledge(3, "XY")) == Acknowledge(2, "XY")
    assert resumed.unshift(Annotate("x", "XY")) == Annotate("x", "XY")


def test_a_new_case_shifts_nothing() -> None:
    assert NEW_CASE.is_new
    assert NEW_CASE.notices() == []
    assert NEW_CASE.interrupted() == []
    now = datetime(2026, 1, 5, tzinfo=UTC)
    assert NEW_CASE.beginning_at(now).offset_s == 0.0


def test_a_baseline_that_can_t_be_restored_is_noted(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    lost = SetBaseline("no such channel", "monitor", "restored", amplitude_uv=1.0)
    resumed = replace(read(folder), baselines=(RestoredBaseline(lost),))
    notes = [body for _, kind, body in run_on(folder, resumed) if kind == "annotation"]
    assert any("not restored" in note["text"] for note in notes)


def test_a_restored_baseline_is_drawn_as_it_was(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    with JournalReader(folder) as journal:
        before = [json.loads(r.body) for r in journal.walk() if r.type == "baseline"][-1]
    added = run_on(folder, read(folder))
    restored = [b for _, k, b in added if k == "baseline" and b["set_by"] == "monitor"]
    after = next(b for b in restored if b["channel"] == before["channel"])
    assert before["onset_ms"] is not None
    assert before["sweep_uv"]
    assert (after["onset_ms"], after["sweep_uv"]) == (before["onset_ms"], before["sweep_uv"])
    assert after["id"] > before["id"]


def test_a_waveform_of_the_earlier_run_can_be_read_again(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    replies: list[Reply] = []
    feed = Unwatched()
    asked = [Ask(1, ReadWaveform(7, raw=True), replies.append)]
    feed.take_requests = lambda: [asked.pop()] if asked else []
    run_case(
        ScriptedSource(loss_and_recovery()),
        ScriptedPipeline(),
        folder,
        feed,
        case_id=CASE_ID,
        resumed=read(folder),
    )
    assert [reply.status for reply in replies] == [200]
    assert json.loads(bytes(replies[0].body))["samples_uv"][0][0] == 7.0


def test_waveforms_of_the_earlier_run_are_known(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    kept = read(folder).epochs
    assert sorted(kept) == list(range(1, 14))
    assert (read_epoch(folder, kept[7].stored) == 7).all()
    assert kept[7].stimulus.marker == "100 200 300"


# ------------------------------------------------------------- events shown before they were stored


class Showing(Unwatched):
    """Somebody watches, and notes what is shown."""

    awaited = True

    def __init__(self) -> None:
        self.seqs: list[int] = []

    def publish(self, row: EventRow) -> None:
        self.seqs.append(row.seq)


def crashed_on_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was shown by an engine whose disk took nothing any more, and that then died."""

    def full(connection: sqlite3.Connection, rows: list[EventRow]) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    feed = Showing()
    with monkeypatch.context() as patched:
        patched.setattr(database, "append", full)
        with pytest.raises(Crash):
            run_case(CrashingSource(LOST), ScriptedPipeline(), folder, feed, case_id=CASE_ID)
    return feed.seqs


def test_a_number_that_was_shown_and_never_stored_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = crashed_on_a_full_disk(new_journal(tmp_path), monkeypatch)
    with JournalReader(tmp_path) as journal:
        assert journal.last_seq == 0 < shown[-1] <= SEQ_BLOCK
        now = datetime.now(UTC)
        resumed = account_for_unstored(tmp_path, read_interrupted(journal, now), now)
    added = run_on(tmp_path, resumed)
    assert min(seq for seq, _, _ in added) > max(shown)
    with JournalReader(tmp_path) as journal:
        rows = journal.events()
        assert journal.last_kept(shown[-1]) == 0
        assert journal.last_kept(rows[-1].seq) == rows[-1].seq
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "no gap to be seen"
    fillers = [json.loads(row.body) for row in rows[: shown[-1]]]
    assert {body["message"] for body in fillers} == {
        "the engine stopped before an event of this number was stored"
    }


def test_a_restart_that_can_t_be_written_is_named(tmp_path: Path, monkeypatch) -> None:
    folder = crashed(tmp_path)

    def full(connection: sqlite3.Connection, rows: list[EventRow]) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("monitor.engine.resume.append", full)
    with pytest.raises(MonitorError, match=r"journal\.sqlite: can't be written: .*full"):
        account_for_unstored(folder, read(folder), datetime.now(UTC))


def test_a_high_alarm_that_was_acknowledged_waits_to_be_acknowledged_anew(tmp_path: Path) -> None:
    new_journal(tmp_path)
    acts = [*LOST, Acknowledge(1, "XY", 13.0)]
    with pytest.raises(Crash):
        run_case(CrashingSource(acts), ScriptedPipeline(), tmp_path, Unwatched(), case_id=CASE_ID)
    alarm = read(tmp_path).standing[1]
    assert alarm.state is AlarmState.LATCHED
    assert (alarm.acknowledged_by, alarm.acknowledged_s) == ("", None)
