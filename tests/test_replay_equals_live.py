"""A case that was run with commands, at its own ticks, and its replays: the same case."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.config import SignalSection, from_mapping
from monitor.engine.case import run_case
from monitor.engine.feed import Ask, FeedCounts
from monitor.engine.opening import run_plan
from monitor.engine.plan import CasePlan, LiveStreams, Recorded
from monitor.journal.database import EventRow, JournalReader
from monitor.journal.export import export_case
from monitor.journal.recorder import XdfRecorder
from monitor.link import (
    AcknowledgeAlarm,
    AddAnnotation,
    Beat,
    Operator,
    PauseAudioSignal,
    Reply,
    SetNewBaseline,
)
from monitor.pipeline import Pipeline
from monitor.sources.base import Item, open_recording
from monitor.sources.scenario import Loss, Scenario
from monitor.sources.simulated import SimulatedCase, SimulatedSource
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    Chunk,
    ClockOffset,
    Marker,
    Notice,
    StreamInfo,
    Tick,
)
from tests.running import CASE_ID, new_journal

ROOT = Path(__file__).parents[1]
#: A loss soon after the baseline: what follows depends on ticks and commands.
SCENARIO = Scenario(
    "short", (Loss({"L-TA": 0.1, "L-AH": 0.0}, 4, 3),), first_stimulus_s=0.5, interval_s=0.9
)
CONFIG: dict[str, object] = {
    "stimulus": {
        "pattern": r"TES (?P<setting>\S+) (?P<intensity>[\d.]+)V",
        "pulses_ms": [0, 4, 8, 12, 16],
    },
    "measure": {"network": False},
    "track": {
        "baseline_usable": 2,
        "baseline_frozen": 3,
        # Within the interval of the stimuli, so that it is a tick that passes an alarm on.
        "escalate_s": [0.11, 0.57],
    },
}


class Irregular(SimulatedSource):
    """Looks at its clock when it happens to, as a live source does."""

    def read(self, timeout_s: float) -> list[Item]:
        items: list[Item] = []
        for item in super().read(timeout_s):
            if not isinstance(item, Tick):
                items.append(item)
            elif (jitter := np.random.default_rng(round(item.t_lsl * 1e6)).random()) < 0.7:
                items.append(Tick(item.t_lsl + 0.02 * jitter))
        return items


@dataclass
class Attended:
    """A feed whose operators look each time a physiological alarm is new or changes, and act."""

    receivers: int = 1
    awaited: bool = False
    counts: FeedCounts = field(default_factory=FeedCounts)
    rows: list[EventRow] = field(default_factory=list)
    asks: list[Operator] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    acts: list[Callable[[dict[str, Any]], Operator | None]] = field(default_factory=list)

    def publish(self, *rows: EventRow) -> None:
        self.rows += rows
        for row in rows:
            body = json.loads(row.body)
            if row.type == "alarm" and body["class"] == "physiological" and self.acts:
                act = self.acts[0](body)
                if act is not None:
                    self.asks.append(act)
                    self.acts.pop(0)

    def waveform(self, message: bytes) -> None:
        pass

    def beat(self, beat: Beat) -> None:
        pass

    def take_requests(self) -> list[Ask]:
        asks = [Ask(k, ask, self.replies.append) for k, ask in enumerate(self.asks)]
        self.asks.clear()
        return asks


def raised_by_a_tick(alarm: dict[str, Any]) -> bool:
    return "escalation" in alarm["evidence"]


def test_commands_and_ticks_are_done_again_at_max_and_at_1x(tmp_path: Path) -> None:
    config = from_mapping(CONFIG, "test")
    raw, folder = tmp_path / "raw.xdf", tmp_path / "live"
    folder.mkdir()
    new_journal(folder)
    feed = Attended(
        acts=[
            lambda a: AddAnnotation("propofol bolus", "XY"),
            lambda a: AcknowledgeAlarm(a["id"], "XY") if raised_by_a_tick(a) else None,
            lambda a: PauseAudioSignal(30.0, "XY"),
            lambda a: AcknowledgeAlarm(9999, "nobody's"),
            lambda a: SetNewBaseline(
                a["channel"], "XY", "moved", amplitude_uv=123.4, override=True, role="surgeon"
            ),
        ]
    )
    case = SimulatedCase(3, 2000.0, SCENARIO)
    with Irregular(case, duration_s=9.0, speed=None, chunk_samples=31) as source:
        pipeline = Pipeline(source.info, config, None)
        with XdfRecorder(raw, source.info) as recorder:
            run_case(
                source,
                pipeline,
                folder,
                feed,
                case_id=CASE_ID,
                recorder=recorder,
                # It takes number 1 here, and stands in no replay.
                notices=[Notice(AlarmKind.MODEL_FAULT, True, 0.0, message="made up")],
            )
    live = export_case(folder)
    assert [reply.status for reply in feed.replies] == [200, 200, 200, 404, 200]
    alarms = [json.loads(r.body) for r in feed.rows if r.type == "alarm"]
    assert {"acknowledged_by": "XY"}.items() <= next(
        a for a in alarms if a["state"] == "acknowledged"
    ).items()
    assert any("noted" in a["evidence"] for a in alarms), "the annotation explains an alarm"
    assert any(raised_by_a_tick(a) for a in alarms)
    assert live["stimuli"]["measured"] >= 8

    for speed, chunk_samples in ((None, None), (None, 7), (1.0, None)):
        out = tmp_path / f"{speed}-{chunk_samples}"
        replay = Recorded(str(raw), speed, chunk_samples)
        again, _ = run_plan(CasePlan(replay, config, str(out)))
        assert again["case"]["kind"] == "replay"
        assert again["fingerprint"] == live["fingerprint"]
        assert again["stimuli"] == live["stimuli"]


def test_a_command_that_can_not_be_carried_out_again_is_said(tmp_path: Path) -> None:
    config = from_mapping(CONFIG, "test")
    raw, folder = tmp_path / "raw.xdf", tmp_path / "live"
    folder.mkdir()
    new_journal(folder)
    feed = Attended(acts=[lambda a: AcknowledgeAlarm(a["id"], "XY")])
    with SimulatedSource(SimulatedCase(3, 2000.0, SCENARIO), duration_s=6.0, speed=None) as source:
        pipeline = Pipeline(source.info, config, None)
        with XdfRecorder(raw, source.info) as recorder:
            run_case(source, pipeline, folder, feed, case_id=CASE_ID, recorder=recorder)
    assert [reply.status for reply in feed.replies] == [200]
    # Under another criterion there is no such alarm.
    other = from_mapping({**CONFIG, "track": {"alarm_percent": 1.0, "baseline_usable": 30,
                                              "baseline_frozen": 40}}, "test")  # fmt: skip
    out = tmp_path / "replay"
    run_plan(CasePlan(Recorded(str(raw)), other, str(out)))
    with JournalReader(out) as journal:
        notes = [json.loads(r.body)["text"] for r in journal.walk() if r.type == "annotation"]
    assert any(
        text.startswith("a recorded command was not carried out again: no ") for text in notes
    )


@pytest.mark.parametrize("pushed", [100, 600])
def test_technical_alarms_are_the_same_in_any_chunks(tmp_path: Path, pushed: int) -> None:
    """A device that pushes 50 or 300 ms at once stops for 3 s; a replay comes in 20 ms, or else."""
    config = from_mapping(CONFIG, "test")
    case, raw, t0_lsl = SimulatedCase(3, 2000.0, SCENARIO), tmp_path / "raw.xdf", 100.0
    info = StreamInfo("emg", "id", 2000.0, case.channel_names, "live")
    items: list[Item] = [ClockOffset("signal", t0_lsl, 0.0), ClockOffset("markers", t0_lsl, 0.0)]
    tick_lsl, stopped_s = t0_lsl, 0.0
    for first in range(0, 18000, pushed):
        block = case.next_block(pushed)
        stopped_s = 3.0 if first >= 9000 else 0.0
        t_lsl = t0_lsl + stopped_s + np.arange(first, first + pushed) / 2000.0
        while tick_lsl + 0.05 <= t_lsl[-1]:
            tick_lsl += 0.05
            items.append(Tick(tick_lsl))
        items.append(Chunk(first, block.samples_uv, t_lsl))
        items += [Marker(t0_lsl + stopped_s + s.stimulus_s, s.marker) for s in block.stimuli]
    live = Pipeline(info, config, None)
    with XdfRecorder(raw, info) as recorder:
        for item in items:
            recorder.submit(item)
    expected = technical(live, items)
    assert {kind for kind, *_ in expected} >= {AlarmKind.SIGNAL_STALLED, AlarmKind.SIGNAL_GAP}
    for chunk_samples in (None, 7, 600):
        with open_recording(raw, chunk_samples=chunk_samples) as source:
            replayed: list[Item] = []
            while not source.exhausted:
                replayed += source.read(0.0)
            again = technical(Pipeline(source.info, config, None), replayed)
        assert again == expected, chunk_samples


def technical(pipeline: Pipeline, items: list[Item]) -> list[tuple[object, ...]]:
    """Every change of a technical alarm, with its times."""
    events = [event for item in items for event in pipeline.feed(item)] + [*pipeline.finish()]
    return [
        (event.kind, event.state, event.raised_s, event.resolved_s)
        for event in events
        if isinstance(event, AlarmCondition) and event.alarm_class == "technical"
    ]


@pytest.mark.lsl
def test_through_lsl_it_is_the_same_case_within_the_tolerances(tmp_path: Path) -> None:
    """The same trials, statuses and alarms; onset within a sample, amplitude within 0.1 %."""
    track = {"baseline_usable": 2, "baseline_frozen": 3}
    config, fs_hz = from_mapping({**CONFIG, "track": track}, "test"), 5000.0
    raw, direct, over_lsl = tmp_path / "raw.xdf", tmp_path / "direct", tmp_path / "lsl"
    case = SimulatedCase(5, fs_hz, SCENARIO)
    with SimulatedSource(case, duration_s=8.0, speed=None) as source:
        source_id = f"replay:{source.info.source_id}"
        with XdfRecorder(raw, source.info) as recorder:
            while not source.exhausted:
                for item in source.read(0.0):
                    recorder.submit(item)
    run_plan(CasePlan(Recorded(str(raw)), config, str(direct)))
    expected = trials_of(direct)
    assert len(expected) >= 8

    live = msgspec.structs.replace(
        config,
        signal=SignalSection(
            predicate=f"source_id='{source_id}'",
            markers_predicate=f"source_id='{source_id}-markers'",
            wait_s=60.0,
        ),
    )
    command = [sys.executable, "-m", "monitor.sources.republish", str(raw), "--wait", "60"]
    deadline = time.monotonic() + 90.0

    def all_there() -> bool:
        assert time.monotonic() < deadline, "the trials did not all come"
        return len(trials_of(over_lsl)) == len(expected)

    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready: raw.xdf\n"
            run_plan(CasePlan(LiveStreams(), live, str(over_lsl)), stop=all_there)
        finally:
            child.kill()
    for one, other in zip(expected, trials_of(over_lsl), strict=True):
        assert one["marker"] == other["marker"]
        assert abs(one["stimulus_s"] - other["stimulus_s"]) < 0.01
        for a, b in zip(one["channels"], other["channels"], strict=True):
            for key in ("channel", "status", "reasons", "comparable", "alarm"):
                assert a[key] == b[key], (one["trial"], a["channel"], key)
            if a["onset_ms"] is not None:
                assert b["onset_ms"] == pytest.approx(a["onset_ms"], abs=1e3 / fs_hz)
            if a["amplitude_uv"] is not None:
                assert b["amplitude_uv"] == pytest.approx(a["amplitude_uv"], rel=1e-3)
    assert losses_of(over_lsl) == losses_of(direct)
    assert len(losses_of(direct)) > 2


def bodies_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    with JournalReader(folder) as journal:
        return [json.loads(row.body) for row in journal.walk() if row.type == kind]


def trials_of(folder: Path) -> list[dict[str, Any]]:
    return bodies_of(folder, "trial")


def losses_of(folder: Path) -> list[tuple[str, ...]]:
    keys = ("kind", "setting", "channel", "state", "priority")
    return [
        tuple(body[key] for key in keys)
        for body in bodies_of(folder, "alarm")
        if body["kind"] in ("amplitude_drop", "response_lost")
    ]
