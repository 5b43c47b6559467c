"""Every stimulus is accounted for, end to end, and a fault of the input is never a loss."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import wire
from monitor.config import CaseConfig, from_mapping
from monitor.pipeline import Pipeline
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    Annotation,
    Chunk,
    Event,
    Marker,
    Status,
    StreamInfo,
    Tick,
    Trial,
)
from tests.test_acquire_acquisition import Signal, case, cases
from tests.test_measure_alignment import PRE_MS, epoch

FS_HZ = 5000.0
MEASURED = {Status.RESPONSE, Status.NO_RESPONSE, Status.REJECTED}


def play(
    whole: Signal, markers: list[tuple[int, Marker]], cuts: list[int]
) -> tuple[list[Event], Pipeline]:
    stream = StreamInfo("emg", "id", 2000.0, ("LAPB", "unused", "RTA"), "live")
    pipeline = Pipeline(stream, case(), None)
    jumps = (np.flatnonzero(np.diff(whole.stream_counter) != 1) + 1).tolist()
    edges = sorted({0, len(whole.t_lsl), *jumps, *cuts})
    todo = sorted(markers, key=lambda placed: placed[0])
    out: list[Event] = []
    for first, end in itertools.pairwise(edges):
        while todo and todo[0][0] < end:
            out += pipeline.feed(todo.pop(0)[1])
        out += pipeline.feed(whole.chunk(first, end))
        tally = pipeline.acquisition.tally
        ended = tally.delivered + tally.gap + tally.late + tally.incomplete
        assert tally.seen == ended + pipeline.acquisition.pending
    for _, marker in todo:
        out += pipeline.feed(marker)
    return [*out, *pipeline.finish()], pipeline


@settings(max_examples=40, deadline=None)
@given(cases(), st.booleans())
def test_stimuli_seen_are_delivered_gap_late_or_incomplete(
    drawn: tuple[Signal, list[tuple[int, int, Marker]], list[list[int]]], doubled: bool
) -> None:
    whole, stimuli, (cuts, other_cuts) = drawn
    markers = [(at + lag, marker) for at, lag, marker in stimuli]
    markers += [(at + 5, Marker(m.t_lsl, "S the same")) for at, m in markers if doubled]
    events, pipeline = play(whole, markers, cuts)
    trials = [e for e in events if isinstance(e, Trial)]
    tally = pipeline.acquisition.tally
    assert pipeline.acquisition.pending == 0
    assert tally.seen == len(trials) == pipeline.acquisition.stimuli.matched
    assert tally.seen == tally.delivered + tally.gap + tally.late + tally.incomplete
    outcomes: Counter[str] = Counter()
    for trial in trials:
        statuses = {row.measurement.status for row in trial.channels}
        assert len(trial.channels) == 2
        if trial.epoch is not None:
            assert statuses <= MEASURED
            outcomes["delivered"] += 1
        else:
            (status,) = statuses
            assert status not in MEASURED
            assert all(row.measurement.reasons for row in trial.channels)
            outcomes[status.value] += 1
    assert outcomes["delivered"] == tally.delivered
    assert (outcomes["gap"], outcomes["late"]) == (tally.gap, tally.late)
    assert outcomes["incomplete"] == tally.incomplete
    if not doubled and all(lag == 0 for _, lag, _ in stimuli):
        again, _ = play(whole, markers, other_cuts)
        of = [wire.event_body(e) for e in events if isinstance(e, Trial)]
        assert [wire.event_body(e) for e in again if isinstance(e, Trial)] == of


def followed(kinds: list[str], config: CaseConfig | None = None) -> list[Event]:
    """A case of one trial a second: ``ok``, ``lost``, ``undelivered``, ``moved`` or ``bare``."""
    settings_ = from_mapping({"measure": {"network": False}}, "test")
    stream = StreamInfo("emg", "id", FS_HZ, ("L-APB", "R-APB", "L-ADM"), "live")
    pipeline = Pipeline(stream, config or settings_, None)
    shapes: dict[str, dict[str, float | None]] = {
        "ok": {},
        "lost": {"response_uv": 0.0},
        "undelivered": {"response_uv": 0.0, "artefact_ms": None},
        "moved": {"artefact_ms": -14.0},
        "bare": {"artefact_ms": None},
    }
    rng = np.random.default_rng(7)
    second = int(FS_HZ)
    out: list[Event] = []
    for k, kind in enumerate(kinds):
        samples = rng.normal(0, 4.0, (second, 3)).astype(np.float32)
        sweep = epoch(k + 1, **shapes[kind]).samples_uv  # type: ignore[arg-type]
        samples[2000 : 2000 + sweep.shape[1]] = sweep.T
        t_lsl = (k * second + np.arange(second)) / FS_HZ
        out += pipeline.feed(Chunk(k * second, samples, t_lsl))
        out += pipeline.feed(Marker(float(t_lsl[2000 + int(PRE_MS * FS_HZ / 1e3)]), "S"))
        out += pipeline.feed(Tick(float(t_lsl[-1])))
    return [*out, *pipeline.finish()]


def alarms(events: list[Event]) -> list[AlarmCondition]:
    return [e for e in events if isinstance(e, AlarmCondition)]


def test_an_undelivered_stimulus_is_a_technical_alarm_and_no_loss() -> None:
    events = followed(["ok"] * 12 + ["undelivered"] * 3 + ["ok"] * 2)
    assert not [a for a in alarms(events) if a.alarm_class is AlarmClass.PHYSIOLOGICAL]
    told = [a for a in alarms(events) if a.kind is AlarmKind.STIMULUS_NOT_DELIVERED]
    assert [a.state.value for a in told] == ["active", "resolved"]
    rows = [t.channels[0].measurement for t in events if isinstance(t, Trial)]
    assert [m.status for m in rows[12:15]] == [Status.REJECTED] * 3
    assert all("stimulus_not_delivered" in m.reasons for m in rows[12:15])


def test_a_marker_that_moved_is_a_technical_alarm_and_no_loss() -> None:
    events = followed(["ok"] * 12 + ["moved"] * 3 + ["ok"])
    assert not [a for a in alarms(events) if a.alarm_class is AlarmClass.PHYSIOLOGICAL]
    told = [a for a in alarms(events) if a.kind is AlarmKind.STIMULUS_MISALIGNED]
    assert [a.state.value for a in told] == ["active", "resolved"]
    assert "14 ms before the marker" in str(told[0].evidence["message"])


def test_a_loss_under_a_delivered_stimulus_is_a_loss() -> None:
    events = followed(["ok"] * 12 + ["lost"] * 2)
    kinds = {a.kind for a in alarms(events) if a.alarm_class is AlarmClass.PHYSIOLOGICAL}
    assert kinds == {AlarmKind.RESPONSE_LOST}


def test_without_any_artefact_the_case_says_that_alignment_is_unverified() -> None:
    events = followed(["bare"] * 12 + ["undelivered"] * 2)
    (remark,) = [e for e in events if isinstance(e, Annotation)]
    assert "alignment unverified" in remark.text
    # Nothing vouches for the stimulus, and nothing speaks against it: the loss stands.
    assert AlarmKind.RESPONSE_LOST in {a.kind for a in alarms(events)}
    (brief,) = [e for e in followed(["bare"] * 2) if isinstance(e, Annotation)]
    assert brief.by == "monitor"
