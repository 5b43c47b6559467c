"""The data path as a whole, in memory: simulated cases and the real recording."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from monitor import wire
from monitor.config import CaseConfig, from_mapping
from monitor.inputs import Resume
from monitor.load_network import load_network
from monitor.pipeline import Pipeline
from monitor.sources.base import Source, open_recording
from monitor.sources.scenario import SCENARIOS
from monitor.sources.simulated import SimulatedCase, SimulatedSource
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Baseline,
    BaselineState,
    CaseStatus,
    Event,
    Marker,
    Notice,
    Priority,
    Status,
    Trial,
)

TRAIN = from_mapping(
    {
        "stimulus": {
            "pattern": r"TES (?P<setting>\S+) (?P<intensity>[\d.]+)V",
            "pulses_ms": [0, 4, 8, 12, 16],
        }
    },
    "test",
)


def run(source: Source, config: CaseConfig) -> list[Event]:
    events: list[Event] = []
    with source:
        pipeline = Pipeline(source.info, config, load_network())
        while not source.exhausted:
            for item in source.read(0.0):
                events.extend(pipeline.feed(item))
        events.extend(pipeline.finish())
    return events


def simulated(seconds: float, chunk_samples: int = 50, scenario: str = "demo") -> SimulatedSource:
    case = SimulatedCase(3, 5000.0, SCENARIOS[scenario])
    return SimulatedSource(case, duration_s=seconds, speed=None, chunk_samples=chunk_samples)


@pytest.fixture(scope="module")
def demo() -> list[Event]:
    return run(simulated(45.0), TRAIN)


def test_a_focal_loss_is_seen_confirmed_and_latched(demo: list[Event]) -> None:
    """Trials 15 to 24 of the script lose the left leg: the foot wholly, the shin nearly."""
    alarms = [e for e in demo if isinstance(e, AlarmCondition)]
    physiological = [a for a in alarms if a.alarm_class is AlarmClass.PHYSIOLOGICAL]
    assert {a.channel for a in physiological} == {"L-TA", "L-AH"}
    for channel, kind, trial in (
        ("L-TA", AlarmKind.AMPLITUDE_DROP, 17),
        ("L-AH", AlarmKind.RESPONSE_LOST, 16),
    ):
        life = [a for a in physiological if a.channel == channel]
        assert life[0].state is AlarmState.UNCONFIRMED
        assert life[0].priority is Priority.MEDIUM
        assert life[0].trial == 15
        confirmed = next(a for a in life if a.state is AlarmState.ACTIVE)
        assert (confirmed.trial, confirmed.priority) == (trial, Priority.HIGH)
        assert life[-1].state is AlarmState.LATCHED  # nobody has acknowledged it
        assert all(a.kind is kind for a in life)
        assert len({a.id for a in life}) == 1


@pytest.mark.parametrize("post_ms", [80.0, 110.0])
def test_a_loss_is_seen_in_epochs_that_end_before_the_networks_window(post_ms: float) -> None:
    """The window ends 119 ms after this train's first pulse."""
    stimulus = {"pattern": TRAIN.stimulus.pattern, "pulses_ms": [0, 4, 8, 12, 16]}
    config = from_mapping({"stimulus": stimulus, "epoch": {"post_ms": post_ms}}, "test")
    events = run(simulated(45.0), config)
    alarms = [e for e in events if isinstance(e, AlarmCondition)]
    confirmed = {a.channel: a.kind for a in alarms if a.state is AlarmState.ACTIVE and a.channel}
    assert confirmed["L-AH"] is AlarmKind.RESPONSE_LOST
    assert confirmed["L-TA"] in (AlarmKind.AMPLITUDE_DROP, AlarmKind.RESPONSE_LOST)
    assert set(confirmed) == {"L-AH", "L-TA"}
    rows = [row.measurement for e in events if isinstance(e, Trial) for row in e.channels]
    assert not any(m.status is Status.REJECTED for m in rows)
    asked = {m.response_probability is not None for m in rows}
    assert asked == {post_ms == 110.0}


def test_every_stimulus_has_a_row_on_every_channel(demo: list[Event]) -> None:
    trials = [e for e in demo if isinstance(e, Trial)]
    assert [t.trial for t in trials] == list(range(1, len(trials) + 1))
    assert len(trials) >= 26
    assert {len(t.channels) for t in trials} == {8}
    for trial in trials[:14]:
        assert all(c.measurement.status is Status.RESPONSE for c in trial.channels)


def test_trials_baselines_and_alarms_name_the_setting_alike(demo: list[Event]) -> None:
    """Whoever follows the feed joins them by it; the page draws the baseline behind the sweep."""
    bodies = [(wire.event_type(e), wire.event_body(e)) for e in demo]
    baselines = {(b["setting"], b["channel"]) for kind, b in bodies if kind == "baseline"}
    compared = {
        (b["setting"], row["channel"])
        for kind, b in bodies
        if kind == "trial"
        for row in b["channels"]
        if row["percent_of_baseline"] is not None
    }
    alarms = {
        (b["setting"], b["channel"])
        for kind, b in bodies
        if kind == "alarm" and b["class"] == "physiological"
    }
    assert len(compared) == 8
    assert compared <= baselines
    assert alarms
    assert alarms <= baselines


def test_a_trial_comes_before_what_follows_from_it(demo: list[Event]) -> None:
    seen = 0
    for event in demo:
        if isinstance(event, Trial):
            seen = event.trial
        elif isinstance(event, AlarmCondition) and event.trial is not None:
            assert event.trial <= seen
    assert isinstance(demo[0], CaseStatus)
    assert isinstance(demo[-1], CaseStatus)
    assert demo[-1].state == "ended"


@pytest.mark.parametrize("chunk_samples", [1, 7, 999])
def test_any_chunking_gives_the_same_events_bit_for_bit(chunk_samples: int) -> None:
    seconds = 4.0 if chunk_samples == 1 else 20.0
    told = [wire.event_body(e) for e in run(simulated(seconds, 50), TRAIN)]
    other = [wire.event_body(e) for e in run(simulated(seconds, chunk_samples), TRAIN)]
    assert other == told


def test_a_stimulus_at_the_very_end_is_incomplete() -> None:
    with simulated(3.0) as source:
        pipeline = Pipeline(source.info, TRAIN, None)
        while not source.exhausted:
            for item in source.read(0.0):
                list(pipeline.feed(item))
        list(pipeline.feed(Marker(2.95, "TES C1C2 400V")))
        last = [e for e in pipeline.finish() if isinstance(e, Trial)]
    assert [c.measurement.status for c in last[-1].channels] == [Status.INCOMPLETE] * 8
    assert all(c.measurement.reasons for c in last[-1].channels)


def test_what_a_source_finds_wrong_becomes_an_alarm_at_the_time_of_the_case() -> None:
    with simulated(3.0) as source:
        pipeline = Pipeline(source.info, TRAIN, None)
        while not source.exhausted:
            for item in source.read(0.0):
                list(pipeline.feed(item))
    kind, at_s = AlarmKind.STIMULUS_MISSING, pipeline.acquisition.now_s
    assert at_s > 2.9
    (raised,) = pipeline.feed(Notice(kind, True, 0.0, message="the marker stream is gone"))
    assert isinstance(raised, AlarmCondition)
    assert (raised.kind, raised.state, raised.raised_s) == (kind, AlarmState.ACTIVE, at_s)
    assert raised.evidence == {"message": "the marker stream is gone"}
    (resolved,) = pipeline.feed(Notice(kind, False, 0.0, message="it is back"))
    assert isinstance(resolved, AlarmCondition)
    assert (resolved.id, resolved.state, resolved.resolved_s) == (
        raised.id,
        AlarmState.RESOLVED,
        at_s,
    )


def test_the_real_recording(shared_data: Path) -> None:
    """20 TMS pulses, 4 muscles, 120 uV of hum: the right side answers, the left does not."""
    config = from_mapping({"stimulus": {"pattern": "S255"}}, "test")
    events = run(open_recording(shared_data / "tms-brainvision" / "tms-hand.vhdr"), config)
    trials = [e for e in events if isinstance(e, Trial)]
    assert len(trials) == 20
    status: dict[str, Counter[Status]] = defaultdict(Counter)
    onset_ms: dict[str, list[float]] = defaultdict(list)
    raw_uv: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        for row in trial.channels:
            m = row.measurement
            status[row.channel][m.status] += 1
            assert m.amplitude_raw_uv is not None
            raw_uv[row.channel].append(m.amplitude_raw_uv)
            if m.onset_ms is not None:
                onset_ms[row.channel].append(m.onset_ms)
    assert status["RFDI"][Status.RESPONSE] == 20
    assert status["RECR"][Status.RESPONSE] >= 18
    assert status["LECR"][Status.NO_RESPONSE] >= 18
    assert status["LFDI"][Status.NO_RESPONSE] >= 18
    assert 26 <= np.median(onset_ms["RFDI"]) <= 30
    assert 18 <= np.median(onset_ms["RECR"]) <= 23
    assert 250 < min(raw_uv["RFDI"]) < max(raw_uv["RFDI"]) < 3000
    assert 45 < min(raw_uv["RECR"]) < max(raw_uv["RECR"]) < 510
    assert max(raw_uv["LECR"]) < 80  # the hum alone is 120
    silent = {"LECR", "LFDI"}
    alarms = [e for e in events if isinstance(e, AlarmCondition) and e.channel in silent]
    assert {a.alarm_class for a in alarms} == {AlarmClass.TECHNICAL}
    assert {a.kind for a in alarms} == {AlarmKind.BASELINE_UNRELIABLE}
    assert "no response in 10 trials" in str(alarms[0].evidence["message"])
    states = {e.channel: e.state for e in events if isinstance(e, Baseline)}
    assert states["LECR"] is BaselineState.UNRELIABLE
    assert states["RFDI"] is BaselineState.FROZEN


def test_trials_of_a_case_that_is_taken_up_again_are_numbered_on() -> None:
    """The first trials that a display hears of after a restart."""
    source = simulated(6.0)
    with source:
        pipeline = Pipeline(source.info, TRAIN, None)
        events = list(pipeline.feed(Resume(41, 0, 0, (), ())))
        while not source.exhausted:
            for item in source.read(0.0):
                events.extend(pipeline.feed(item))
        events.extend(pipeline.finish())
    trials = [event for event in events if isinstance(event, Trial)]
    assert [trial.trial for trial in trials] == list(range(42, 42 + len(trials)))
    assert trials
    assert all(t.epoch is None or t.epoch.trial == t.trial for t in trials)
    assert any(t.epoch is not None for t in trials)
