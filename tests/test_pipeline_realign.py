"""Markers that jump in the middle of a case: realigned, and the same however the signal came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from monitor import wire
from monitor.config import CaseConfig, from_mapping
from monitor.pipeline import Pipeline
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Chunk,
    Event,
    Marker,
    Status,
    StreamInfo,
    Tick,
    Trial,
)

FS_HZ = 2000.0
STREAM = StreamInfo("emg", "id", FS_HZ, ("L-APB", "R-APB", "TTL"), "live")
N, FIRST_S, EVERY_S = 14, 0.5, 0.4
#: From this stimulus on markers come so much too early.
JUMPS_AT, JUMP_S = 5, 0.012


def case(realign_after: int, **stimulus: object) -> CaseConfig:
    return from_mapping(
        {
            "stimulus": {"realign_after": realign_after, **stimulus},
            "measure": {"network": False},
            "channels": {} if stimulus else {"TTL": {"ignore": True}},
        },
        "test",
    )


def signal() -> tuple[np.ndarray, list[float]]:
    """Samples (n, 3), and when the stimuli were; the third column says when the markers are."""
    n = round((FIRST_S + EVERY_S * N + 0.3) * FS_HZ)
    t_s = np.arange(n) / FS_HZ
    x = np.random.default_rng(1).normal(0.0, 3.0, (n, 3))
    x[:, 2] = 0.0
    times = [FIRST_S + EVERY_S * k + 0.00021 for k in range(N)]
    for k, at_s in enumerate(times):
        after_ms = (t_s - at_s) * 1e3
        pulse = np.where(after_ms >= 0, np.exp(-np.maximum(after_ms, 0.0) / 0.5), 0.0)
        since = after_ms - 22.0
        wave = np.where((since > 0) & (since < 20), np.sin(2 * np.pi * since / 10), 0.0)
        x[:, :2] += (3000.0 * pulse + 400.0 * wave)[:, None]
        marked_s = at_s - (JUMP_S if k >= JUMPS_AT else 0.0)
        x[(t_s >= marked_s) & (t_s < marked_s + 0.005), 2] = 5.0
    return x.astype(np.float32), times


def run(config: CaseConfig, edges: Sequence[int], *, markers_first: bool = False) -> list[Event]:
    samples, times = signal()
    markers = [
        Marker(at_s - (JUMP_S if k >= JUMPS_AT else 0.0), f"S{k}") for k, at_s in enumerate(times)
    ]
    pipeline = Pipeline(STREAM, config, None)
    events: list[Event] = []
    for begin, end in zip([0, *edges], [*edges, len(samples)], strict=True):
        while markers and (markers_first or markers[0].t_lsl < end / FS_HZ):
            events += pipeline.feed(markers.pop(0))
        stamps = np.arange(begin, end) / FS_HZ
        events += pipeline.feed(Chunk(begin, samples[begin:end], stamps))
        events += pipeline.feed(Tick(end / FS_HZ))
    return [*events, *pipeline.finish()]


def trials(events: list[Event]) -> list[Trial]:
    return [event for event in events if isinstance(event, Trial)]


@pytest.mark.parametrize("trigger", [False, True], ids=["markers", "trigger"])
def test_trials_are_measured_again_and_their_latency_is_what_it_was(trigger: bool) -> None:
    given = {"trigger_channel": "TTL"} if trigger else {}
    events = run(case(3, **given), range(40, 12000, 40))
    rows = [trial.channels[0].measurement for trial in trials(events)]
    assert len(rows) == N
    rejected = [k for k, row in enumerate(rows) if row.status is Status.REJECTED]
    assert rejected == [JUMPS_AT, JUMPS_AT + 1, JUMPS_AT + 2]
    assert all("stimulus_misaligned" in rows[k].reasons for k in rejected)
    onsets_ms = [row.onset_ms for row in rows if row.onset_ms is not None]
    before, after = onsets_ms[:JUMPS_AT], onsets_ms[-(N - JUMPS_AT - 3) :]
    assert np.median(after) == pytest.approx(float(np.median(before)), abs=1e3 / FS_HZ)
    times = [trial.stimulus_s for trial in trials(events)]
    assert times[JUMPS_AT + 3] == pytest.approx(FIRST_S + EVERY_S * (JUMPS_AT + 3), abs=0.002)


def test_it_is_said_in_the_journal_and_by_an_alarm_that_stands() -> None:
    events = run(case(3), range(40, 12000, 40))
    (note,) = [e for e in events if isinstance(e, Annotation) and "moved by" in e.text]
    assert "+12.0 ms" in note.text or "+11.5 ms" in note.text or "+12.5 ms" in note.text
    alarms = [
        e for e in events
        if isinstance(e, AlarmCondition) and e.kind is AlarmKind.STIMULUS_MISALIGNED
    ]  # fmt: skip
    assert [a.state for a in alarms] == [
        AlarmState.ACTIVE,
        AlarmState.RESOLVED,
        AlarmState.ACTIVE,
    ]
    assert alarms[-1].id != alarms[0].id
    assert alarms[-1].evidence["message"] == note.text


def test_by_default_such_trials_stay_rejected() -> None:
    events = run(case(0), range(40, 12000, 40))
    statuses = [trial.channels[0].measurement.status for trial in trials(events)]
    assert statuses[JUMPS_AT:] == [Status.REJECTED] * (N - JUMPS_AT)


def told(events: list[Event]) -> list[bytes]:
    """Trials, alarms and annotations; the life of technical conditions is the clock's too."""
    return [wire.encode(wire.event_body(e)) for e in events if isinstance(e, Trial | Annotation)]


@pytest.mark.parametrize("markers_first", [False, True])
def test_however_the_signal_came_it_is_the_same(markers_first: bool) -> None:
    config = case(3)
    expected = told(run(config, range(40, 12000, 40)))
    rng = np.random.default_rng(7)
    for edges in ([], range(7, 12000, 7), sorted(rng.choice(12000, 60, replace=False).tolist())):
        assert told(run(config, edges, markers_first=markers_first)) == expected
