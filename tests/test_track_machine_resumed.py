"""A case whose engine was restarted ends up where it would have without.

One and the same case is run twice, once with a restart through what the journal would have, and
both are then given trials enough for whatever began anew to be decided again. What a restart may
not know, and what is therefore kept out of the cases here or not compared:

- trials in a row, be it towards a confirmation or towards an end: it takes two of the new run (so
  the cases end with many alike);
- the estimate, which begins at the baseline, and so by which rule a loss was confirmed;
- how often the case was stimulated: the plain times hold for the first three intervals (so here
  they always do);
- what a baseline that nobody has set had learned before it was usable.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import CaseConfig, TrackSection
from monitor.engine.resume import NEW_CASE, Resumed, read_interrupted
from monitor.inputs import Acknowledge, Annotate, SetBaseline
from monitor.journal.database import JournalReader
from monitor.track.tracker import Tracker
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Baseline,
    BaselineState,
    Channel,
    Epoch,
    Event,
    Measurement,
    Priority,
    Status,
    Stimulus,
)
from tests.test_track_machine_restarts import BEGAN, Journal

CHANNELS = (Channel("e1", "AH", "left"), Channel("e2", "TA", "right"))
CONFIG = CaseConfig(
    track=TrackSection(baseline_usable=2, baseline_frozen=3, unconfirmed_rise_intervals=(0.0, 0.0))
)
FULL_UV = 400.0
END_TRIALS = 22  # more than the backstop takes

Step = tuple[float, ...] | str | float
"""Percents a muscle, which are a trial (0: no response, a third number: its intensity); ``ack``,
which takes what stands; or so many seconds."""

Told = dict[tuple[str, str], tuple[AlarmKind, AlarmState, Priority, bool, float]]


class Case:
    """One case in the seconds of the whole of it."""

    def __init__(self) -> None:
        self.tracker, self.journal = Tracker(CHANNELS, CONFIG), Journal()
        self.resumed: Resumed = NEW_CASE
        self.alarms: dict[int, AlarmCondition] = {}
        self.at_s, self.n = 0.0, 0
        for _ in range(3):
            self.step((100.0, 100.0))

    def step(self, step: Step) -> list[Event]:
        if isinstance(step, tuple):
            return self.trial(step)
        if isinstance(step, float):
            self.at_s += step
            return self.take(list(self.tracker.tick(self.own_s)))
        taken: list[Event] = []
        for id_ in list(self.alarms):
            if self.alarms[id_].state not in (AlarmState.ACKNOWLEDGED, AlarmState.RESOLVED):
                acknowledge = Acknowledge(id_, "Dr A")
                taken += self.take(list(self.tracker.command(acknowledge, self.own_s)))
        return taken

    def trial(self, step: tuple[float, ...]) -> list[Event]:
        self.at_s += 20.0
        self.n += 1
        volts = step[2] if len(step) > 2 else 400.0
        measurements = tuple(
            Measurement(Status.RESPONSE, amplitude_uv=FULL_UV * p / 100, onset_ms=22.0)
            if p
            else Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=9.0)
            for p in step[:2]
        )
        sweeps_uv = np.zeros((2, 4), np.float32)
        stimulus = Stimulus(self.at_s, "S", "C3/C4", volts)
        epoch = Epoch(self.n, stimulus, self.own_s, 0, 1, 0.0, 5000.0, sweeps_uv)
        return self.take(list(self.tracker.trial(epoch, measurements, sweeps_uv)))

    def restart(self) -> None:
        now = BEGAN + timedelta(seconds=self.at_s)
        self.resumed = read_interrupted(cast(JournalReader, self.journal), now)
        self.tracker = Tracker(CHANNELS, CONFIG)
        for event in self.resumed.ended:
            self.alarms[event.id] = event
            self.journal.take(event, self.at_s)
        self.take(list(self.tracker.command(self.resumed.command(), 0.0)))

    @property
    def own_s(self) -> float:
        return self.at_s - self.resumed.offset_s

    def take(self, events: list[Event]) -> list[Event]:
        told = [self.resumed.told(event) for event in events]
        for event in told:
            self.journal.take(event, self.at_s)
            if isinstance(event, AlarmCondition):
                self.alarms[event.id] = event
        return told

    def losses(self) -> Told:
        """The last of each muscle and setting: what it is, and what explains it."""
        return {
            (a.setting, a.channel): (
                a.kind,
                a.state,
                a.priority,
                "confirmed_by" in a.evidence,
                float(cast(float, a.evidence["lowest_percent"])),
            )
            for a in self.alarms.values()
            if a.kind in (AlarmKind.AMPLITUDE_DROP, AlarmKind.RESPONSE_LOST)
        }


def compare(before: list[Step], end: tuple[float, ...] | None, restarts: int = 1) -> Told:
    """``end``: what every trial then gives; None: there is none, and time passes all the same."""
    through, with_restart = Case(), Case()
    for step in before:
        through.step(step)
        with_restart.step(step)
    for _ in range(restarts):
        with_restart.restart()
    for case in (through, with_restart):
        for trial in [end] * END_TRIALS if end else []:
            case.step(trial)
        case.step(700.0)
    assert with_restart.losses() == through.losses()
    return with_restart.losses()


@pytest.mark.parametrize("back_at", [45.0, 5.0])
def test_a_loss_that_had_come_back_and_was_taken_alarms_again_when_it_is_total(
    back_at: float,
) -> None:
    over: list[Step] = [(0.0, 100.0)] * 2 + [(100.0, 100.0)] * 2
    told = compare([*over, (back_at, 100.0), "ack"], (0.0, 100.0))
    [(kind, state, priority, confirmed, lowest)] = told.values()
    assert (kind, state, priority) == (
        AlarmKind.RESPONSE_LOST,
        AlarmState.ACTIVE,
        Priority.HIGH,
    )
    assert (confirmed, lowest) == (True, 0.0)


@pytest.mark.parametrize("restarts", [1, 2])
def test_what_was_acknowledged_is_what_a_slow_fall_is_held_to(restarts: int) -> None:
    """Ten points before the restart and fifteen after are worse than what somebody took."""
    before: list[Step] = [(48.0, 100.0)] * 20 + ["ack"] + [(36.0, 100.0)] * 2
    told = compare(before, (24.0, 100.0), restarts)
    [(_, state, _, _, _)] = told.values()
    assert state is AlarmState.ACTIVE


@pytest.mark.parametrize(
    "before",
    [
        [(0.0, 100.0, 450.0)],
        [(0.0, 100.0, 450.0), "ack"],
        [(45.0, 100.0), (0.0, 100.0, 450.0)],
        [(0.0, 100.0)] * 2 + [(100.0, 100.0)] * 2 + [(0.0, 100.0, 450.0)],
        [(0.0, 100.0), (55.0, 100.0)],
        [(0.0, 0.0, 450.0), (0.0, 10.0, 450.0)],
    ],
)
@pytest.mark.parametrize(
    "end", [(0.0, 100.0), (100.0, 100.0), (0.0, 0.0, 450.0), (100.0, 100.0, 450.0), None]
)
def test_a_changed_stimulus_and_a_restart(
    before: list[Step], end: tuple[float, ...] | None
) -> None:
    compare(before, end)


percents = st.sampled_from([0.0, 10.0, 30.0, 45.0, 55.0, 100.0])
steps = st.one_of(
    st.tuples(percents, percents),
    st.tuples(st.sampled_from([0.0, 100.0]), st.just(100.0)),
    st.tuples(percents, percents, st.just(450.0)),
    st.just("ack"),
    st.sampled_from([30.0, 100.0, 300.0]),
)


@given(
    before=st.lists(steps, max_size=12),
    end=st.none() | st.tuples(*[st.sampled_from([0.0, 10.0, 30.0, 100.0])] * 2),
)
@settings(max_examples=80, deadline=None)
def test_whatever_came_before(before: list[Step], end: tuple[float, ...] | None) -> None:
    compare(before, end)


def test_remarks_explain_a_loss_after_a_restart_too() -> None:
    case = Case()
    case.take(list(case.tracker.command(Annotate("propofol bolus", "Dr A"), case.own_s)))
    case.step(60.0)
    case.restart()
    case.step((30.0, 100.0))
    [alarm] = [a for a in case.alarms.values() if a.kind is AlarmKind.AMPLITUDE_DROP]
    assert alarm.evidence["noted"] == "propofol bolus (1 min before trial 4)"


def test_who_had_a_baseline_learned_anew_and_why_outlives_a_restart() -> None:
    case = Case()
    anew = SetBaseline("e1", "Dr A", "moved", "C3/C4 @ 400", role="surgeon")
    case.take(list(case.tracker.command(anew, case.own_s)))
    case.step((50.0, 100.0))
    case.restart()
    told = [e for e in case.step((50.0, 100.0)) if isinstance(e, Baseline) and e.channel == "e1"]
    [now] = told
    assert (now.state, now.amplitude_uv) == (BaselineState.USABLE, FULL_UV / 2)
    assert (now.id, now.set_by, now.reason, now.role) == (3, "Dr A", "moved", "surgeon")
    assert (now.before_uv, now.trials) == (FULL_UV, (4, 5))


def test_an_override_outlives_a_restart() -> None:
    case = Case()
    for _ in range(2):
        case.step((0.0, 100.0))
    anew = SetBaseline("e1", "Dr A", "what is left", "C3/C4 @ 450", role="surgeon", override=True)
    case.step((20.0, 100.0, 450.0))
    case.take(list(case.tracker.command(anew, case.own_s)))
    case.restart()
    found: list[Event] = []
    for _ in range(2):
        found += case.step((20.0, 100.0, 450.0))
    of = [
        e
        for e in found
        if isinstance(e, Baseline) and (e.channel, e.setting) == ("e1", anew.setting)
    ]
    assert (of[-1].state, of[-1].overrode) == (BaselineState.USABLE, (1,))
