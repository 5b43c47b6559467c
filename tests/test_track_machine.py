"""Whatever comes, in whatever order: no alarm is lost, and the same inputs give the same events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monitor.config import CaseConfig, TrackSection
from monitor.inputs import (
    Acknowledge,
    Annotate,
    Command,
    PauseAudio,
    SetBaseline,
)
from monitor.track.kinds import ALARM_TABLE
from monitor.track.tracker import CommandRefused, Tracker
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    CaseStatus,
    Channel,
    Epoch,
    Event,
    Measurement,
    Missed,
    Notice,
    Priority,
    Status,
    Stimulus,
    Trial,
)

CHANNELS = (Channel("e1", "APB", "left"), Channel("e2", "APB", "right"), Channel("e3", "TA"))
SETTINGS = ("C3/C4", "C4/C3")
FULL_UV = 400.0
# Short learning, so that random cases spend their time with baselines rather than before them.
CONFIG = CaseConfig(track=TrackSection(baseline_usable=2, baseline_frozen=3))
LITERAL = CaseConfig(track=TrackSection(baseline_usable=2, baseline_frozen=3, confirm="in_a_row"))

LISTED = {AlarmState.UNCONFIRMED, AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED}
U, A, K, L, R = AlarmState
NEXT_STATES = {
    AlarmClass.PHYSIOLOGICAL: {
        None: {U},
        U: {U, A, K, L, R},
        A: {A, K, L, R},
        K: {K, A, U, R},
        L: {L, U, A, R},
    },
    AlarmClass.TECHNICAL: {None: {A}, A: {A, K, R}, K: {K, R}},
}

URGENCY = [Priority.LOW, Priority.MEDIUM, Priority.HIGH]

percents = st.sampled_from([0, 5, 15, 20, 25, 30, 45, 49, 50, 51, 55, 59, 60, 61, 80, 100, 130])
responses = percents.map(
    lambda percent: Measurement(
        Status.RESPONSE, amplitude_uv=FULL_UV * percent / 100, onset_ms=22.0
    )
)
full = st.just(Measurement(Status.RESPONSE, amplitude_uv=FULL_UV, onset_ms=22.0))
silent = st.sampled_from([1.0, 300.0]).map(
    lambda upper_uv: Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=upper_uv)
)
rejected = st.just(Measurement(Status.REJECTED, ("saturated",)))
doubtful = st.sampled_from([10.0, 200.0, 500.0]).map(
    lambda upper_uv: Measurement(
        Status.RESPONSE,
        amplitude_uv=upper_uv / 2,
        amplitude_upper_uv=upper_uv,
        amplitude_uncertain=True,
    )
)
measurements = st.tuples(*[full | responses | silent | rejected | doubtful] * len(CHANNELS))
commands = st.one_of(
    st.builds(Acknowledge, st.integers(0, 12), st.sampled_from(["Dr A", ""])),
    st.builds(
        SetBaseline,
        st.sampled_from(["", "e1", "e2", "e9"]),
        st.just("Dr A"),
        st.sampled_from(["repositioned", ""]),
        st.sampled_from(["", *SETTINGS, "Cz"]),
        st.sampled_from([None, FULL_UV / 4, FULL_UV, 0.0]),
        role=st.sampled_from(["surgeon", "surgeon", ""]),
        override=st.booleans(),
    ),
    st.builds(Annotate, st.just("incision"), st.just("Dr A")),
    st.builds(PauseAudio, st.sampled_from([0.0, 5.0, -1.0]), st.just("Dr A")),
)
technical = st.sampled_from(
    [AlarmKind.SIGNAL_STALLED, AlarmKind.SIGNAL_GAP, AlarmKind.LEAD_OFF, AlarmKind.MODEL_FAULT]
)


class Cases(RuleBasedStateMachine):
    """One case under random input, against a fold of its events and a memory of its rows."""

    config = CONFIG

    def __init__(self) -> None:
        super().__init__()
        self.tracker = Tracker(CHANNELS, self.config)
        self.calls: list[tuple[str, tuple[object, ...]]] = []
        self.record: list[Event] = []
        self.alarms: dict[int, AlarmCondition] = {}
        self.baseline_ids: dict[int, tuple[str, str]] = {}
        self.beyond: dict[tuple[str, str], bool] = {}
        self.n = 0

    # ---------------------------------------------------------------- input

    @initialize()
    def two_good_trials_per_setting(self) -> None:
        good = (Measurement(Status.RESPONSE, amplitude_uv=FULL_UV, onset_ms=22.0),) * len(CHANNELS)
        for setting in SETTINGS:
            for _ in range(2):
                self.trial(good, setting, False)

    @rule(
        measured=measurements,
        setting=st.sampled_from(SETTINGS),
        out_of_order=st.sampled_from([False] * 7 + [True]),
    )
    def trial(self, measured: tuple[Measurement, ...], setting: str, out_of_order: bool) -> None:
        self.n += 1
        sweeps_uv = np.full((len(CHANNELS), 4), float(self.n), np.float32)
        stimulus = Stimulus(float(self.n), "S1", setting)
        epoch = Epoch(self.n, stimulus, float(self.n), 0, 1, 0.0, 5000.0, sweeps_uv, out_of_order)
        events = self.call("trial", epoch, measured, sweeps_uv)
        kinds = [type(event) for event in events if not isinstance(event, CaseStatus)]
        assert kinds[0] is Trial
        assert kinds[1:] == sorted(kinds[1:], key=[Baseline, AlarmCondition, Annotation].index)
        trial = next(event for event in events if isinstance(event, Trial))
        comparable = set()
        for row in trial.channels:
            if row.comparable:
                comparable.add(row.channel)
                assert row.percent_of_baseline is not None
                self.beyond[setting, row.channel] = row.percent_of_baseline <= 50
        for alarm in self.physiological(events):
            assert alarm.setting == setting
            first = alarm.state is U and alarm.trial == alarm.evidence["latest_trial"] == self.n
            assert alarm.channel in comparable or first, "doubt may raise, and does nothing else"

    @rule(
        status=st.sampled_from([Status.LATE, Status.GAP, Status.INCOMPLETE]),
        setting=st.sampled_from(SETTINGS),
    )
    def missed(self, status: Status, setting: str) -> None:
        self.n += 1
        stimulus = Stimulus(float(self.n), "S1", setting)
        events = self.call("missed", Missed(self.n, stimulus, float(self.n), status, "why"))
        assert not self.physiological(events)

    @rule(kind=technical, active=st.booleans(), channel=st.sampled_from(["", "e1", "e2"]))
    def notice(self, kind: AlarmKind, active: bool, channel: str) -> None:
        events = self.call("notices", [Notice(kind, active, float(self.n), channel, "message")])
        assert not self.physiological(events)

    @rule(seconds=st.sampled_from([0.0, 3.0, 10.0, 70.0, 200.0, 700.0]))
    def tick(self, seconds: float) -> None:
        """Time makes things more urgent, never less, and ends nothing."""
        before = dict(self.alarms)
        for alarm in self.physiological(self.call("tick", self.n + seconds)):
            assert alarm.state is before[alarm.id].state
            assert URGENCY.index(alarm.priority) >= URGENCY.index(before[alarm.id].priority)

    @rule(command=commands)
    def command(self, command: Command) -> None:
        self.carry_out(command)

    @rule(data=st.data())
    def acknowledge_what_stands(self, data: st.DataObject) -> None:
        """Blind guesses of an id seldom hit; this one hits as an operator would."""
        standing = [i for i, alarm in self.alarms.items() if alarm.state is not R]
        if standing:
            self.carry_out(Acknowledge(data.draw(st.sampled_from(standing)), "Dr B"))

    # ---------------------------------------------------------------- what must hold

    def carry_out(self, command: Command) -> None:
        before = dict(self.alarms)
        try:
            events = self.call("command", command, float(self.n))
        except CommandRefused:
            assert self.alarms == before
            return
        if isinstance(command, Acknowledge):
            was, now = before[command.alarm_id], self.alarms[command.alarm_id]
            assert now.acknowledged_by == command.by
            assert now.state is (R if was.state is L else K)
        else:
            assert not self.physiological(events)

    def call(self, method: str, *arguments: object) -> list[Event]:
        self.calls.append((method, arguments))
        events: list[Event] = list(getattr(self.tracker, method)(*arguments))
        self.record += events
        for event in events:
            if isinstance(event, AlarmCondition):
                self.take_alarm(event)
            elif isinstance(event, Baseline):
                self.take_baseline(event)
        return events

    def take_alarm(self, now: AlarmCondition) -> None:
        before = self.alarms.get(now.id)
        assert now.alarm_class is ALARM_TABLE[now.kind].alarm_class
        assert now.state in NEXT_STATES[now.alarm_class][before.state if before else None]
        if before is None:
            assert now.id == len(self.alarms) + 1
        else:
            assert now != before
            assert (now.setting, now.channel, now.raised_s) == (
                before.setting,
                before.channel,
                before.raised_s,
            )
        if now.state is R and now.alarm_class is AlarmClass.PHYSIOLOGICAL:
            assert now.acknowledged_by or now.priority is not Priority.HIGH
        assert (now.resolved_s is not None) is (now.state is R)
        if now.state is K:
            assert now.acknowledged_by
        self.alarms[now.id] = now

    def take_baseline(self, now: Baseline) -> None:
        """An id belongs to one muscle and setting, and a new one is greater than all before."""
        if now.id not in self.baseline_ids:
            assert now.id == len(self.baseline_ids) + 1
        assert self.baseline_ids.setdefault(now.id, (now.setting, now.channel)) == (
            now.setting,
            now.channel,
        )

    @staticmethod
    def physiological(events: list[Event]) -> list[AlarmCondition]:
        return [
            event
            for event in events
            if isinstance(event, AlarmCondition) and event.alarm_class is AlarmClass.PHYSIOLOGICAL
        ]

    def standing(self, setting: str, channel: str) -> Iterator[AlarmCondition]:
        for alarm in self.alarms.values():
            if (
                alarm.alarm_class is AlarmClass.PHYSIOLOGICAL
                and (alarm.setting, alarm.channel) == (setting, channel)
                and alarm.state is not R
            ):
                yield alarm

    @invariant()
    def no_loss_is_lost(self) -> None:
        for (setting, channel), beyond in self.beyond.items():
            standing = list(self.standing(setting, channel))
            assert len(standing) <= 1
            if beyond:
                assert [alarm.state in LISTED for alarm in standing] == [True]

    def teardown(self) -> None:
        again = Tracker(CHANNELS, self.config)
        record: list[Event] = []
        for method, arguments in self.calls:
            try:
                record += getattr(again, method)(*arguments)
            except CommandRefused:
                continue
        assert [repr(event) for event in record] == [repr(event) for event in self.record]


class LiteralCases(Cases):
    """The same with the literal rule."""

    config = LITERAL


Cases.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestCases = Cases.TestCase
LiteralCases.TestCase.settings = Cases.TestCase.settings
TestLiteralCases = LiteralCases.TestCase
