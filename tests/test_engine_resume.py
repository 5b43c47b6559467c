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
from monitor.engine.explaining import Explaining
from monitor.engine.feed import Ask, Unwatched
from monitor.engine.kept import KeptEpochs
from monitor.engine.resume import (
    NEW_CASE,
    Resumed,
    account_for_unstored,
    read_interrupted,
)
from monitor.inputs import Acknowledge, SetBaseline
from monitor.journal import database
from monitor.journal.database import SEQ_BLOCK, EventRow, JournalReader
from monitor.journal.epochs import EpochsWriter, read_epoch
from monitor.link import ReadExplanation, ReadWaveform, Reply
from monitor.track.alarms import CommandRefused
from monitor.types import (
    AlarmCondition,
    AlarmState,
    Baseline,
    BaselineState,
    Event,
    Marker,
    MonitorError,
    Priority,
    Tick,
)
from tests.running import CASE_ID, new_journal, wait_until
from tests.scripted_core import ScriptedPipeline, ScriptedSource, chunk, loss_and_recovery

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


def shown(trials: list[str], at_s: int = 10) -> list[Any]:
    """Markers and ticks of these trials, a second apart."""
    items: list[Any] = []
    for i, text in enumerate(trials, start=at_s):
        items += [chunk(float(i)), Marker(float(i), text), Tick(i + 0.5)]
    return items


def crashed_after(folder: Path, *items: Any) -> Resumed:
    """A case of ten trials of baseline and what follows, whose engine then died."""
    new_journal(folder)
    case = [*LOST[:30], *items]
    with pytest.raises(Crash):
        run_case(CrashingSource(case), ScriptedPipeline(), folder, Unwatched(), case_id=CASE_ID)
    return read(folder)


def taken_up(resumed: Resumed) -> ScriptedPipeline:
    """A core that goes on with what was left."""
    pipeline = ScriptedPipeline()
    list(pipeline.feed(resumed.command()))
    return pipeline


def fed(pipeline: ScriptedPipeline, items: list[Any]) -> list[Event]:
    return [event for item in items for event in pipeline.feed(item)]


def alarms_of(pipeline: ScriptedPipeline, items: list[Any]) -> list[AlarmCondition]:
    return [e for e in fed(pipeline, items) if isinstance(e, AlarmCondition)]


def test_the_journal_says_where_the_case_was(tmp_path: Path) -> None:
    resumed = read(crashed(tmp_path))
    assert (resumed.trials, resumed.alarms, resumed.baseline_ids > 0) == (13, 1, True)
    assert resumed.offset_s == 60.0
    alarm = resumed.standing[1].condition
    assert (alarm.state, alarm.priority) == (AlarmState.ACTIVE, Priority.HIGH)
    assert "restarted" in str(alarm.evidence["interrupted"])
    assert [(b.channel, b.amplitude_uv) for b in resumed.baselines] == [
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
    assert sorted(set(baselines)) == [1, 2, 3], "they are the ones of before"
    evidence = [b["evidence"] for _, k, b in added if k == "alarm" and b["id"] == 1]
    assert evidence[1]["latest_trial"] == 14
    assert evidence[1]["trials"] == "11, 12, 13, 14"
    assert evidence[1]["baseline_id"] == 3


def test_the_restart_is_an_alarm_and_the_old_one_stands(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    added = run_on(folder, read(folder))
    alarms = [body for _, kind, body in added if kind == "alarm"]
    assert (alarms[0]["id"], alarms[0]["state"]) == (1, "active")
    assert "interrupted" in alarms[0]["evidence"]
    assert alarms[0]["raised_s"] == 10.0
    restarted = [body for body in alarms if body["kind"] == "engine_restarted"]
    assert restarted[0]["class"] == "technical"
    assert restarted[0]["state"] == "active"


def test_a_loss_goes_on_as_the_same_alarm_and_is_over_when_the_response_is_back(
    tmp_path: Path,
) -> None:
    folder = crashed(tmp_path)
    added = run_on(folder, read(folder))
    first = next(body for _, kind, body in added if kind == "trial")
    assert first["channels"][2]["baseline_uv"] == 300.0
    losses = [b for _, k, b in added if k == "alarm" and b["kind"] == "response_lost"]
    assert {body["id"] for body in losses} == {1}
    assert losses[-1]["state"] == "latched"
    assert all("interrupted" not in body["evidence"] for body in losses[1:])
    evidence = losses[-1]["evidence"]
    at_s = {b["trial"]: b["stimulus_s"] for _, k, b in added if k == "trial"}
    assert evidence["recovered_s"] == at_s[evidence["latest_trial"]]


@pytest.mark.parametrize(
    ("trials", "state", "priority"),
    [
        (["100 200 140"], "unconfirmed", "low"),
        (["100 200 0"], "unconfirmed", "medium"),
        (["100 200 0", "100 200 0"], "active", "high"),
        (["100 200 0", "100 200 0", "100 200 300", "100 200 300"], "latched", "high"),
    ],
)
def test_what_stood_stands_as_it_was(
    tmp_path: Path, trials: list[str], state: str, priority: str
) -> None:
    resumed = crashed_after(tmp_path, *shown(trials))
    assert [(a.condition.state, a.condition.priority) for a in resumed.standing.values()] == [
        (state, priority)
    ]
    told = ("interrupted" in a.condition.evidence for a in resumed.standing.values())
    assert list(told) == [state != "latched"]
    tracker = taken_up(resumed).tracker
    ended = [e for e in tracker.command(Acknowledge(1, "XY"), 1.0) if e.id == 1]
    assert ended[0].state is (
        AlarmState.RESOLVED if state == "latched" else AlarmState.ACKNOWLEDGED
    )


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
    tracker = taken_up(read(crashed(tmp_path))).tracker
    with pytest.raises(CommandRefused, match="name of the operator"):
        list(tracker.command(Acknowledge(1, " "), 5.0))
    assert [e.state for e in tracker.command(Acknowledge(1, "XY"), 5.0)] == ["acknowledged"]
    with pytest.raises(CommandRefused, match="alarm 1 is already acknowledged by XY"):
        list(tracker.command(Acknowledge(1, "XY"), 6.0))


def test_an_alarm_that_was_acknowledged_stays_so_until_it_is_worse(tmp_path: Path) -> None:
    acts = [*shown(["100 200 120"] * 6), Acknowledge(1, "XY", 17.0)]
    resumed = crashed_after(tmp_path, *acts)
    was = resumed.standing[1].condition
    assert (was.state, was.acknowledged_by) == (AlarmState.ACKNOWLEDGED, "XY")
    pipeline = taken_up(resumed)
    same = alarms_of(pipeline, shown(["100 200 120"] * 2))
    assert {(a.id, a.state, a.acknowledged_by) for a in same} == {(1, "acknowledged", "XY")}
    worse = alarms_of(pipeline, shown(["100 200 0"] * 2))
    assert (worse[-1].id, worse[-1].state, worse[-1].acknowledged_by) == (1, "active", "")
    told = [resumed.told(a) for a in (same[0], worse[-1])]
    assert [a.acknowledged_s for a in told] == [was.acknowledged_s, None]


def test_a_new_baseline_over_an_inherited_loss_needs_the_override(tmp_path: Path) -> None:
    tracker = taken_up(read(crashed(tmp_path))).tracker
    lower = SetBaseline("L-TA", "XY", "new normal", amplitude_uv=20.0, role="surgeon")
    with pytest.raises(CommandRefused, match="alarm 1 stands on L-TA: override is needed"):
        list(tracker.command(lower, 1.0))
    assert list(tracker.command(replace(lower, override=True), 1.0))


def test_an_inherited_high_alarm_goes_on_being_passed_on(tmp_path: Path) -> None:
    # High for 60 s when the engine died; passed on after 120, 300 and 600 s.
    pipeline = taken_up(crashed_after(tmp_path, *LOST[-9:]))
    tracker = pipeline.tracker
    assert list(tracker.tick(50.0)) == []
    (first,) = [e for e in tracker.tick(70.0) if isinstance(e, AlarmCondition)]
    assert (first.id, first.evidence["escalation"]) == (1, "1 of 3")
    last = [e.kind for e in tracker.tick(700.0) if isinstance(e, AlarmCondition)]
    assert last == ["response_lost", "escalation_exhausted"]


def test_an_escalation_that_was_exhausted_stands_until_somebody_takes_it(tmp_path: Path) -> None:
    resumed = crashed_after(tmp_path, *LOST[-9:], Tick(700.0))
    kinds = {a.condition.kind for a in resumed.standing.values()}
    assert kinds == {"response_lost", "escalation_exhausted"}
    tracker = taken_up(resumed).tracker
    assert list(tracker.tick(10.0)) == [], "it is not passed on a second time"
    taken = list(tracker.command(Acknowledge(1, "XY"), 20.0))
    assert [(e.kind, e.state) for e in taken] == [
        ("response_lost", "acknowledged"),
        ("escalation_exhausted", "resolved"),
    ]


def test_a_baseline_that_was_learning_goes_on_learning(tmp_path: Path) -> None:
    new_journal(tmp_path)
    items = shown(["100 200 300"] * 6 + ["100 200 330"], at_s=0)
    with pytest.raises(Crash):
        run_case(CrashingSource(items), ScriptedPipeline(), tmp_path, Unwatched(), case_id=CASE_ID)
    resumed = read(tmp_path)
    assert {b.state for b in resumed.baselines} == {BaselineState.USABLE}
    pipeline = taken_up(resumed)
    events = fed(pipeline, shown(["100 200 330"] * 3))
    last = [e for e in events if isinstance(e, Baseline) and e.channel == "L-TA"][-1]
    assert (last.state, last.id, last.responses) == (BaselineState.FROZEN, 3, 10)
    assert last.amplitude_uv == 300.0, "the median of six at 300 and four at 330"
    assert last.trials == tuple(range(1, 11))


def test_technical_alarms_of_before_end_and_say_why(tmp_path: Path) -> None:
    resumed = crashed_after(tmp_path, *shown(["- - -"] * 3))
    assert resumed.standing == {}
    assert {a.kind for a in resumed.ended} >= {"rejects_in_a_row"}
    assert {a.state for a in resumed.ended} == {AlarmState.RESOLVED}
    assert all("no longer followed" in str(a.evidence["interrupted"]) for a in resumed.ended)


def test_a_new_case_shifts_nothing() -> None:
    assert NEW_CASE.is_new
    assert NEW_CASE.notices() == []
    assert NEW_CASE.command().standing == ()
    now = datetime(2026, 1, 5, tzinfo=UTC)
    assert NEW_CASE.beginning_at(now).offset_s == 0.0


def test_a_baseline_that_can_t_be_restored_is_noted(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    resumed = read(folder)
    lost = replace(resumed.baselines[0], channel="no such channel")
    resumed = replace(resumed, baselines=(lost,))
    notes = [body for _, kind, body in run_on(folder, resumed) if kind == "annotation"]
    assert any("not restored" in note["text"] for note in notes)


def test_a_restored_baseline_is_drawn_as_it_was(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    with JournalReader(folder) as journal:
        before = [json.loads(r.body) for r in journal.walk() if r.type == "baseline"][-1]
    added = run_on(folder, read(folder))
    restored = [b for _, k, b in added if k == "baseline"]
    after = next(b for b in restored if b["channel"] == before["channel"])
    assert before["onset_ms"] is not None
    assert before["sweep_uv"]
    assert before["spread"] is not None
    assert after == before


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


def test_a_trial_of_the_earlier_run_can_be_explained(tmp_path: Path) -> None:
    folder = crashed(tmp_path)
    replies: list[Reply] = []
    wanted = ReadExplanation(7)
    with (
        EpochsWriter(folder) as epochs,
        Explaining(
            ScriptedPipeline(), KeptEpochs(folder, epochs, read(folder).epochs)
        ) as explaining,
    ):
        explaining.take(Ask(1, wanted, replies.append), wanted)
        wait_until(lambda: bool(replies), "the explanation")
    assert replies[0].status == 200
    assert json.loads(bytes(replies[0].body))["trial"] == 7


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

    def publish(self, *rows: EventRow) -> None:
        self.seqs += [row.seq for row in rows]


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


def folder_in(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def test_a_recording_of_the_second_run_starts_with_what_was_left(tmp_path: Path) -> None:
    resumed = read(crashed(folder_in(tmp_path, "first")))
    folder = new_journal(folder_in(tmp_path, "again"))
    source = ScriptedSource([resumed.command(), *loss_and_recovery()[30:]])
    run_case(source, ScriptedPipeline(), folder, Unwatched(), case_id=CASE_ID)
    with JournalReader(folder) as journal:
        rows = [(row.type, json.loads(row.body)) for row in journal.events()]
        assert next(i.kind for i in journal.inputs()) == "command"
    assert [b["id"] for kind, b in rows if kind == "baseline"] == [1, 2, 3]
    assert next(b for kind, b in rows if kind == "trial")["trial"] == 14
    lost = [b["state"] for kind, b in rows if kind == "alarm" and b["id"] == 1]
    assert (lost[0], lost[-1]) == ("active", "latched")
