"""No alarm is lost where the stimulus changes, operators override and the engine is restarted.

A restart goes through what the journal would have: every event as JSON, read back by
:func:`monitor.engine.resume.read_interrupted`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import structs

from monitor import wire
from monitor.config import CaseConfig, TrackSection
from monitor.engine.resume import NEW_CASE, Resumed, read_interrupted
from monitor.inputs import Acknowledge, Command, SetBaseline
from monitor.journal.database import EventRow, InputRow, JournalReader
from monitor.track.tracker import CommandRefused, Tracker
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmState,
    Baseline,
    BaselineState,
    Epoch,
    Event,
    Measurement,
    Missed,
    Priority,
    Status,
    Stimulus,
    Trial,
)
from tests.test_track_machine import (
    CHANNELS,
    FULL_UV,
    LISTED,
    NEXT_STATES,
    URGENCY,
    full,
    measurements,
    silent,
)

BEGAN = datetime(2026, 1, 5, 8, tzinfo=UTC)
CONFIG = CaseConfig(
    track=TrackSection(
        baseline_usable=2, baseline_frozen=3, threshold_rise=100.0, escalate_s=(90.0,)
    )
)
STIMULI = (("C3/C4", 400.0), ("C3/C4", 450.0), ("C3/C4", 350.0), ("C3/C4", 520.0), ("Cz", None))
A, K, L, R = AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED, AlarmState.LATCHED, AlarmState.RESOLVED
USABLE = (BaselineState.USABLE, BaselineState.FROZEN)

stimuli = st.sampled_from(STIMULI[:1] * 3 + STIMULI)
whole_or_gone = st.tuples(*[full | silent] * len(CHANNELS))


class Journal:
    """What :class:`JournalReader` gives of a case, out of memory."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []

    @property
    def last_seq(self) -> int:
        return len(self.rows)

    def take(self, event: Event, at_s: float) -> None:
        t = wire.utc_text(BEGAN + timedelta(seconds=at_s))
        body = wire.encode(wire.event_body(event))
        self.rows.append(EventRow(len(self.rows) + 1, t, wire.event_type(event), body))

    def walk(self) -> Iterator[EventRow]:
        return iter(self.rows)

    def inputs(self) -> list[InputRow]:
        return [InputRow(0, wire.utc_text(BEGAN), "start", b"{}")]


class Cases(RuleBasedStateMachine):
    """One case in several runs, in the seconds of the whole case."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal()
        self.resumed: Resumed = NEW_CASE
        self.tracker = Tracker(CHANNELS, CONFIG)
        self.alarms: dict[int, AlarmCondition] = {}
        self.usable: set[tuple[str, str]] = set()
        self.overridden: dict[str, set[int]] = {}
        self.beyond: dict[tuple[str, str], bool] = {}
        self.at_s = 0.0
        self.n = 0

    # ---------------------------------------------------------------- input

    @initialize()
    def baselines(self) -> None:
        for _ in range(3):
            self.trial((Measurement(Status.RESPONSE, amplitude_uv=FULL_UV, onset_ms=22.0),) * 3,
                       STIMULI[0], 20.0)  # fmt: skip

    @rule(
        measured=measurements | whole_or_gone,
        given=stimuli,
        after_s=st.sampled_from([5.0, 20.0, 200.0]),
    )
    def trial(
        self,
        measured: tuple[Measurement, ...],
        given: tuple[str, float | None],
        after_s: float,
    ) -> None:
        self.at_s += after_s
        self.n += 1
        standing, was = self.listed(), dict(self.alarms)
        sweeps_uv = np.zeros((len(CHANNELS), 4), np.float32)
        epoch = Epoch(self.n, self.stimulus(given), self.own_s, 0, 1, 0.0, 5000.0, sweeps_uv)
        events = self.take(self.tracker.trial(epoch, measured, sweeps_uv))
        trial = next(event for event in events if isinstance(event, Trial))
        assert trial.trial == self.n
        key = trial.stimulus.counted_as
        for row in trial.channels:
            if row.comparable:
                assert row.percent_of_baseline is not None
                self.beyond[key, row.channel] = row.percent_of_baseline <= 50
        for alarm in self.losses(events):
            before = was.get(alarm.id)
            if before is not None and before.setting != key and before.state in (A, K):
                ended = alarm.state in (L, R)
                confirmed = "confirmed_by" in before.evidence or before.state is A
                assert not (ended and confirmed), "another setting ends no confirmed loss"
        self.no_baseline_of_a_loss(events, standing)

    def no_baseline_of_a_loss(self, events: list[Event], standing: list[AlarmCondition]) -> None:
        for event in events:
            if not isinstance(event, Baseline) or event.state not in USABLE:
                continue
            place = event.setting, event.channel
            if place not in self.usable:
                self.usable.add(place)
                ignored = self.overridden.get(event.channel, set())
                of = [
                    a
                    for a in standing
                    if a.channel == event.channel
                    and a.setting != event.setting
                    and a.id not in ignored
                    and self.alarms[a.id].state not in (L, R)  # over with this very trial
                ]
                assert not of, "what a muscle gives under a loss is no baseline"

    @rule(given=stimuli)
    def missed(self, given: tuple[str, float | None]) -> None:
        self.at_s += 10.0
        self.n += 1
        missed = Missed(self.n, self.stimulus(given), self.own_s, Status.GAP, "why")
        assert not self.losses(self.take(self.tracker.missed(missed)))

    @rule(after_s=st.sampled_from([1.0, 30.0, 100.0, 700.0]))
    def tick(self, after_s: float) -> None:
        self.at_s += after_s
        before = dict(self.alarms)
        for alarm in self.losses(self.take(self.tracker.tick(self.own_s))):
            assert alarm.state is before[alarm.id].state
            assert URGENCY.index(alarm.priority) >= URGENCY.index(before[alarm.id].priority)

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        standing = [a.id for a in self.alarms.values() if a.state not in (K, R)]
        if standing:
            alarm_id = data.draw(st.sampled_from(standing))
            was = self.alarms[alarm_id]
            self.command(Acknowledge(alarm_id, "Dr B"))
            now = self.alarms[alarm_id]
            assert (now.state, now.acknowledged_by) == (R if was.state is L else K, "Dr B")

    @rule(
        channel=st.sampled_from(["", "e1", "e2"]),
        setting=st.sampled_from(["", "C3/C4 @ 400", "C3/C4 @ 450", "Cz"]),
        amplitude_uv=st.sampled_from([None, None, FULL_UV, FULL_UV / 3]),
        override=st.booleans(),
    )
    def set_baseline(
        self, channel: str, setting: str, amplitude_uv: float | None, override: bool
    ) -> None:
        command = SetBaseline(
            channel, "Dr A", "moved", setting, amplitude_uv, role="surgeon", override=override
        )
        before, standing = dict(self.alarms), self.listed()
        try:
            events = self.command(command)
        except CommandRefused:
            assert self.alarms == before
            return
        assert self.listed() == standing, "a loss stays, whatever is made of its baseline"
        for baseline in [event for event in events if isinstance(event, Baseline)]:
            self.overridden[baseline.channel] = {
                a.id for a in self.alarms.values() if a.channel == baseline.channel
            }
            self.usable.discard((baseline.setting, baseline.channel))
            if baseline.state in USABLE:
                self.usable.add((baseline.setting, baseline.channel))

    @rule(after_s=st.sampled_from([3.0, 40.0, 400.0]))
    def restart(self, after_s: float) -> None:
        """The engine is killed; another takes the case up from its journal."""
        self.at_s += after_s
        stood = [a for a in self.alarms.values() if self.is_taken_over(a)]
        now = BEGAN + timedelta(seconds=self.at_s)
        self.resumed = read_interrupted(cast(JournalReader, self.journal), now)
        assert (self.resumed.trials, self.resumed.alarms) == (self.n, len(self.alarms))
        self.tracker = Tracker(CHANNELS, CONFIG)
        for event in self.resumed.ended:
            self.alarms[event.id] = event
            self.journal.take(event, self.at_s)
        events = self.take(self.tracker.command(self.resumed.command(), 0.0), restart=True)
        told = [event for event in events if isinstance(event, AlarmCondition)]
        assert [a.id for a in told] == [a.id for a in stood], "each is told again, once"
        for was, now_ in zip(stood, told, strict=True):
            assert without_interruption(now_) == without_interruption(was)
        self.usable = {
            (e.setting, e.channel) for e in events if isinstance(e, Baseline) and e.state in USABLE
        }

    # ---------------------------------------------------------------- what must hold

    @invariant()
    def no_loss_is_lost(self) -> None:
        places = [(a.setting, a.channel) for a in self.standing_losses()]
        assert len(set(places)) == len(places), "one loss a muscle and setting"
        listed = {(a.setting, a.channel) for a in self.listed()}
        assert {place for place, beyond in self.beyond.items() if beyond} <= listed

    # ---------------------------------------------------------------- the record

    @property
    def own_s(self) -> float:
        """Seconds of this run."""
        return self.at_s - self.resumed.offset_s

    def stimulus(self, given: tuple[str, float | None]) -> Stimulus:
        montage, intensity = given
        return Stimulus(self.at_s, "S", montage, intensity)

    def command(self, command: Command) -> list[Event]:
        return self.take(self.tracker.command(command, self.own_s))

    def take(self, events: Iterator[Event], *, restart: bool = False) -> list[Event]:
        told = [self.resumed.told(event) for event in list(events)]
        for event in told:
            self.journal.take(event, self.at_s)
            if isinstance(event, AlarmCondition):
                self.take_alarm(event, restart=restart)
        return told

    def take_alarm(self, now: AlarmCondition, *, restart: bool) -> None:
        before = self.alarms.get(now.id)
        if before is None:
            assert now.id == len(self.alarms) + 1
        else:
            assert (now.setting, now.channel, now.raised_s) == (
                before.setting,
                before.channel,
                before.raised_s,
            )
        is_loss = now in self.losses([now])
        if is_loss and not restart:
            allowed = NEXT_STATES[now.alarm_class][before.state if before else None]
            assert now.state in allowed
        if is_loss and now.state is R:
            assert now.acknowledged_by or now.priority is not Priority.HIGH
        self.alarms[now.id] = now

    @staticmethod
    def losses(events: list[Event] | list[AlarmCondition]) -> list[AlarmCondition]:
        return [
            event
            for event in events
            if isinstance(event, AlarmCondition)
            and event.kind.value in ("amplitude_drop", "response_lost")
        ]

    def standing_losses(self) -> list[AlarmCondition]:
        return [a for a in self.losses(list(self.alarms.values())) if a.state is not R]

    def listed(self) -> list[AlarmCondition]:
        return [a for a in self.standing_losses() if a.state in LISTED]

    @staticmethod
    def is_taken_over(alarm: AlarmCondition) -> bool:
        physiological = alarm.alarm_class is AlarmClass.PHYSIOLOGICAL
        return alarm.state is not R and (
            physiological or alarm.kind.value == "escalation_exhausted"
        )


def without_interruption(alarm: AlarmCondition) -> AlarmCondition:
    """Without the words that nothing is known since."""
    evidence = {k: v for k, v in alarm.evidence.items() if k != "interrupted"}
    return structs.replace(alarm, evidence=evidence)


Cases.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestCases = Cases.TestCase
