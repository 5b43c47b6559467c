"""The engine: every event numbered, kept before it is shown, and stamped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.engine.case import CaseOutcome, run_case
from monitor.engine.feed import Ask, FeedCounts, Unwatched
from monitor.journal.database import EventRow, JournalReader
from monitor.journal.epochs import read_epoch
from monitor.journal.writer import JournalWriter
from monitor.link import (
    AcknowledgeAlarm,
    AddAnnotation,
    Beat,
    PauseAudioSignal,
    ReadWaveform,
    Reply,
    SetNewBaseline,
    unpack_waveform,
)
from monitor.types import ClockOffset, Marker, Tick
from monitor.wire import Envelope, StoredEpoch
from tests.running import CASE_ID, new_journal
from tests.scripted_core import (
    CHANNELS,
    N_SAMPLES,
    ScriptedPipeline,
    ScriptedSource,
    chunk,
    loss_and_recovery,
)


class SteppingClock:
    """Moves on by a millisecond each time somebody looks."""

    def __init__(self) -> None:
        self._now = 1000.0

    def lsl(self) -> float:
        self._now += 0.001
        return self._now

    def utc(self) -> datetime:
        return datetime(2026, 1, 5, 8, tzinfo=UTC)


@dataclass
class Watching:
    """A feed that notes what it is given and asks what the test wants, after so many events."""

    folder: Path
    asks: dict[int, list[Any]] = field(default_factory=dict)
    receivers: int = 1
    awaited: bool = True
    counts: FeedCounts = field(default_factory=FeedCounts)
    published: list[EventRow] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    durable: list[bool] = field(default_factory=list)
    waveforms: list[bytes] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def publish(self, *rows: EventRow) -> None:
        self.published += rows
        self.order += [row.type for row in rows]
        with JournalReader(self.folder) as journal:
            self.durable += [journal.last_seq >= row.seq for row in rows]

    def waveform(self, message: bytes) -> None:
        self.order.append("waveform")
        self.waveforms.append(message)

    def beat(self, beat: Beat) -> None:
        self.beats.append(beat)

    def take_requests(self) -> list[Ask]:
        due = [at for at in self.asks if len(self.published) >= at]
        return [
            Ask(number, ask, self.replies.append)
            for at in due
            for number, ask in enumerate(self.asks.pop(at))
        ]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(row.body) for row in self.published if row.type == kind]


def watch(
    folder: Path, items: list[Any], asks: dict[int, list[Any]] | None = None, **more: Any
) -> tuple[Watching, CaseOutcome]:
    feed = Watching(folder, asks or {})
    # A watched recording stays open; here it ends once everything has been asked.
    source = ScriptedSource(items)
    outcome = run_case(
        source,
        ScriptedPipeline(),
        folder,
        feed,
        case_id=CASE_ID,
        stop=lambda: source.exhausted and not feed.asks,
        clock=SteppingClock(),
        **more,
    )
    return feed, outcome


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    return new_journal(tmp_path)


def test_events_are_numbered_without_a_gap_and_journalled_as_they_are_shown(folder: Path) -> None:
    feed, outcome = watch(folder, loss_and_recovery())
    assert [row.seq for row in feed.published] == list(range(1, outcome.last_seq + 1))
    with JournalReader(folder) as journal:
        assert journal.events() == feed.published
    assert outcome.trials == 16
    assert feed.bodies("status")[-1]["state"] == "ended"


def test_nothing_is_shown_before_it_is_durable(folder: Path, monkeypatch) -> None:
    # However slow this machine's disk is just now: the order is what is tested.
    monkeypatch.setattr(JournalWriter.wait_durable, "__defaults__", (10.0,))
    feed, outcome = watch(folder, loss_and_recovery())
    assert all(feed.durable)
    assert outcome.record.shown_before_durable == 0


def test_a_slow_disk_does_not_delay_what_is_shown(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(JournalWriter, "wait_durable", lambda self, ticket: False)
    feed, outcome = watch(folder, loss_and_recovery())
    assert len(feed.published) == outcome.last_seq
    assert outcome.record.shown_before_durable > 16


def test_a_slow_disk_raises_a_recording_fault_that_resolves(folder: Path, monkeypatch) -> None:
    faults = iter(["not stored for 2 s"] * 3)
    monkeypatch.setattr(JournalWriter, "fault", lambda self: next(faults, ""))
    monkeypatch.setattr("monitor.engine.case.BEAT_INTERVAL_S", 0.0)
    feed, _ = watch(folder, loss_and_recovery())
    faults_shown = [a for a in feed.bodies("alarm") if a["kind"] == "recording_fault"]
    assert [a["state"] for a in faults_shown] == ["active", "resolved"]
    assert faults_shown[0]["evidence"]["message"] == "not stored for 2 s"
    assert faults_shown[0]["class"] == "technical"


def test_a_waveform_comes_before_its_trial_and_is_as_measured(folder: Path) -> None:
    feed, _ = watch(folder, loss_and_recovery())
    assert [kind for kind in feed.order if kind in ("waveform", "trial")] == [
        "waveform",
        "trial",
    ] * 16
    header, samples_uv = unpack_waveform(feed.waveforms[2])
    assert (header.case, header.trial, header.stimulus_index) == (CASE_ID, 3, 4)
    assert header.channels == tuple(c.name for c in CHANNELS)
    assert samples_uv.shape == (3, N_SAMPLES)
    assert np.all(samples_uv == 4.0), "measured: raw plus one"


def test_a_trial_says_where_its_raw_epoch_is(folder: Path) -> None:
    feed, _ = watch(folder, loss_and_recovery())
    for body in feed.bodies("trial"):
        stored = msgspec.convert(body["waveform"], StoredEpoch)
        assert np.all(read_epoch(folder, stored) == body["trial"])


def test_timing_of_a_live_trial_and_its_alarm(folder: Path) -> None:
    items = [ClockOffset("signal", 0.0, 100.0), *loss_and_recovery()]
    feed, _ = watch(folder, items, real_time=True)
    trial = feed.bodies("trial")[10]
    alarm = feed.bodies("alarm")[0]
    timing = trial["timing"]
    assert timing["stimulus"] == 110.0, "on this machine's clock"
    assert timing["epoch_complete"] < timing["measured"]
    assert timing["raised"] is None
    assert alarm["timing"]["epoch_complete"] == timing["epoch_complete"]
    assert alarm["timing"]["measured"] == timing["measured"]
    assert alarm["timing"]["raised"] > timing["measured"]


def test_a_recorded_stimulus_has_no_time_on_this_machine(folder: Path) -> None:
    feed, _ = watch(folder, loss_and_recovery())
    assert feed.bodies("trial")[0]["timing"]["stimulus"] is None


def test_inputs_are_kept_in_their_order(folder: Path) -> None:
    items = [
        chunk(0.0),
        ClockOffset("markers", 0.0, 0.5),
        Marker(0.1, "100 200 300"),
        Tick(0.2),
        Marker(0.3, "not a stimulus"),
    ]
    watch(folder, items, {3: [AddAnnotation("incision", "XY")]})
    with JournalReader(folder) as journal:
        inputs = journal.inputs()
    assert [row.kind for row in inputs] == ["start", "clock_offset", "marker", "command", "marker"]
    assert json.loads(inputs[0].body)["t_lsl"] == 0.0
    assert json.loads(inputs[2].body) == {"t_lsl": 0.1, "value": "100 200 300"}
    assert json.loads(inputs[3].body)["type"] == "annotation"
    assert [row.after_seq for row in inputs] == sorted(row.after_seq for row in inputs)


def envelopes(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    told = msgspec.json.decode(reply.body, type=list[Envelope])
    return [(e.type, json.loads(bytes(e.body))) for e in told]


def test_an_acknowledgement_gives_the_alarm_as_it_stands(folder: Path) -> None:
    feed, _ = watch(folder, loss_and_recovery(), {45: [AcknowledgeAlarm(1, "XY")]})
    ((kind, alarm),) = envelopes(feed.replies[0])
    assert (kind, alarm["state"], alarm["acknowledged_by"]) == ("alarm", "acknowledged", "XY")
    assert alarm in feed.bodies("alarm")


def test_operators_acts_become_events(folder: Path) -> None:
    asks = [
        AddAnnotation("incision", "XY"),
        PauseAudioSignal(60.0, "XY"),
        SetNewBaseline("L-TA", "XY", "new position", "default", 250.0, role="surgeon"),
    ]
    feed, _ = watch(folder, loss_and_recovery(), {40: asks})
    kinds = [{kind for kind, _ in envelopes(reply)} for reply in feed.replies]
    assert "annotation" in kinds[0]
    assert "status" in kinds[1]
    assert "baseline" in kinds[2]
    assert [reply.status for reply in feed.replies] == [200, 200, 200]


def test_a_refusal_is_an_answer_and_changes_nothing(folder: Path) -> None:
    asks = [
        AcknowledgeAlarm(99, "XY"),
        AddAnnotation("incision", ""),
        SetNewBaseline("no such channel", "XY", "because", role="surgeon"),
    ]
    refused, _ = watch(folder, loss_and_recovery(), {40: asks})
    assert [reply.status for reply in refused.replies] == [404, 422, 404]
    assert all(reply.detail for reply in refused.replies)
    with JournalReader(folder) as journal:
        assert "command" not in [row.kind for row in journal.inputs()]
        assert b"XY" not in b"".join(row.body for row in journal.walk())


def test_a_watched_recording_can_be_acknowledged_after_its_end(folder: Path) -> None:
    ended = 54
    feed, _ = watch(folder, loss_and_recovery(), {ended: [AcknowledgeAlarm(1, "XY")]})
    assert feed.bodies("status")[-1]["state"] == "ended"
    assert feed.published[-1].seq > ended, "the acknowledgement came after the end"
    ((_, alarm),) = envelopes(feed.replies[0])
    assert (alarm["state"], alarm["acknowledged_by"]) == ("resolved", "XY")


def test_beats_tell_how_old_signal_and_trial_are(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("monitor.engine.case.BEAT_INTERVAL_S", 0.0)
    feed, outcome = watch(folder, [Tick(0.0), chunk(1.0), Marker(1.0, "1 1 1"), Tick(2.0)])
    assert feed.beats[0].signal_age_s is None
    assert feed.beats[0].trial_age_s is None
    assert feed.beats[-1].seq == outcome.last_seq
    assert feed.beats[-1].case_s == pytest.approx(1.0018)
    assert 0 < feed.beats[-1].trial_age_s < 1


def test_operators_are_all_answered_before_waveforms_one_a_turn(folder: Path) -> None:
    asks = [ReadWaveform(99), ReadWaveform(98), AddAnnotation("incision", "XY")]
    feed, _ = watch(folder, [*loss_and_recovery(), Tick(30.0)], {20: asks})
    assert [(reply.id, reply.status) for reply in feed.replies] == [(2, 200), (0, 404), (1, 404)]


def missing(feed: Watching) -> list[dict[str, Any]]:
    return [a for a in feed.bodies("alarm") if a["kind"] == "stimulus_missing"]


def test_a_watched_recording_without_a_stimulus_says_so_at_its_end(folder: Path) -> None:
    feed, _ = watch(folder, [chunk(0.0), Marker(0.1, "not a stimulus"), Tick(0.2)])
    (alarm,) = missing(feed)
    assert "'not a stimulus' x 1" in alarm["evidence"]["message"]
    assert feed.bodies("status")[-1]["state"] == "ended"
    assert feed.order[-1] == "status", "before the case is closed"


def test_a_watched_recording_says_early_that_no_marker_matches(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("monitor.engine.case.BEAT_INTERVAL_S", 0.0)
    wrong = [Marker(0.1 * i, "not a stimulus") for i in range(5)]
    feed, _ = watch(folder, [chunk(0.0), *wrong, Marker(1.0, "1 1 1"), Tick(2.0)])
    assert [alarm["state"] for alarm in missing(feed)] == ["active", "resolved"]


def test_beats_tell_how_the_record_is_kept(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(JournalWriter, "wait_durable", lambda self, ticket: False)
    feed, outcome = watch(folder, loss_and_recovery())
    assert feed.beats[-1].record.shown_before_durable == outcome.record.shown_before_durable > 0


def test_beats_tell_how_full_the_queues_are(folder: Path, monkeypatch) -> None:
    class Counting(ScriptedSource):
        offsets_shed = 3

    monkeypatch.setattr("monitor.engine.case.BEAT_INTERVAL_S", 0.0)
    feed = Watching(folder, counts=FeedCounts(backlog_bytes=7, cut_off=1, requests_refused=2))
    pipeline = ScriptedPipeline()
    pipeline.acquisition.tally.crowded_out = 4
    pipeline.acquisition.stimuli.seen_markers["(others)"] = 5
    source = Counting([chunk(0.0)])
    run_case(
        source, pipeline, folder, feed, case_id=CASE_ID, stop=lambda: source.exhausted,
        clock=SteppingClock(),
    )  # fmt: skip
    told = feed.beats[-1].queues
    assert (told.link_backlog_bytes, told.gateways_cut_off, told.requests_refused) == (7, 1, 2)
    assert (told.clock_offsets_shed, told.stimuli_crowded_out, told.marker_texts_merged) == (
        3,
        4,
        5,
    )


def test_a_replay_that_nobody_watches_makes_the_same_events(folder: Path, tmp_path: Path) -> None:
    watched, _ = watch(folder, loss_and_recovery())
    (tmp_path / "other").mkdir()
    other = new_journal(tmp_path / "other")
    run_case(
        ScriptedSource(loss_and_recovery()), ScriptedPipeline(), other, Unwatched(), case_id=CASE_ID
    )
    with JournalReader(other) as journal:
        assert [row.type for row in journal.walk()] == [row.type for row in watched.published]
