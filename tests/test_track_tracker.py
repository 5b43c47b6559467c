"""Trials, notices, time and commands through the tracker: order of events, rows, conditions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from monitor.config import CaseConfig, StimulusSection, TrackSection
from monitor.inputs import (
    Acknowledge,
    Annotate,
    Command,
    PauseAudio,
    SetBaseline,
)
from monitor.track.tracker import CommandRefused, Tracker
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    BaselineState,
    CaseStatus,
    Channel,
    Epoch,
    Event,
    Measurement,
    Missed,
    Notice,
    Scope,
    Status,
    Stimulus,
    Trial,
)

CHANNELS = (
    Channel("e1", "APB", "left"),
    Channel("e2", "APB", "right"),
    Channel("e3", "TA", "left"),
    Channel("e4", "TA", "right"),
)
N_SAMPLES = 8
FULL_UV = 400.0
LITERAL = TrackSection(confirm="in_a_row")
SILENT = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=9.0)
BAD = Measurement(Status.REJECTED, ("nan",))


def response(percent: float) -> Measurement:
    return Measurement(Status.RESPONSE, amplitude_uv=FULL_UV * percent / 100, onset_ms=22.0)


class Case:
    """A case in which every trial comes 10 s after the one before."""

    def __init__(self, track: TrackSection | None = None, config: CaseConfig | None = None) -> None:
        self.tracker = Tracker(CHANNELS, config or CaseConfig(track=track or TrackSection()))
        self.n = 0

    @property
    def now_s(self) -> float:
        return 10.0 * self.n

    def trial(
        self,
        *measurements: Measurement,
        setting: str = "C3/C4",
        out_of_order: bool = False,
        pulses_ms: tuple[float, ...] = (0.0,),
    ) -> list[Event]:
        """One trial; measurements that are not given are full responses."""
        self.n += 1
        every = (*measurements, *[response(100)] * (len(CHANNELS) - len(measurements)))
        sweeps_uv = np.full((len(CHANNELS), N_SAMPLES), float(self.n), np.float32)
        epoch = Epoch(
            self.n,
            Stimulus(self.now_s, "S1", setting, pulses_ms=pulses_ms),
            self.now_s,
            0,
            2,
            0.0,
            5000.0,
            sweeps_uv,
            out_of_order,
        )
        return list(self.tracker.trial(epoch, every, sweeps_uv))

    def with_baseline(self) -> Case:
        for _ in range(10):
            self.trial()
        return self

    def command(self, command: Command) -> list[Event]:
        return list(self.tracker.command(command, self.now_s + 1))


def row(events: Sequence[Event], channel: int = 0) -> tuple[float | None, float | None, bool, str]:
    [trial] = [event for event in events if isinstance(event, Trial)]
    of = trial.channels[channel]
    return of.baseline_uv, of.percent_of_baseline, of.comparable, of.alarm


def alarms(events: Sequence[Event]) -> list[AlarmCondition]:
    return [event for event in events if isinstance(event, AlarmCondition)]


def test_the_first_events_of_a_case() -> None:
    events = Case().trial()
    assert events[:2] == [CaseStatus(0.0, "waiting"), CaseStatus(10.0, "running")]
    assert isinstance(events[2], Trial)
    assert [type(event) for event in events[3:]] == [Baseline] * 4
    assert list(Case().tracker.notices([])) == [CaseStatus(0.0, "waiting")]


def test_trial_then_baselines_then_alarms() -> None:
    case = Case()
    for _ in range(5):
        case.trial()
    events = case.trial(response(30), SILENT)
    order = [type(event) for event in events]
    assert order == [Trial] + [Baseline] * 3 + [AlarmCondition] * 2


def test_rows_hold_the_baseline_from_before_the_trial() -> None:
    case = Case()
    for _ in range(5):
        events = case.trial(response(200))
        assert row(events) == (None, None, False, "")
    assert row(case.trial(response(100))) == (2 * FULL_UV, 50.0, True, "amplitude_drop:unconfirmed")


def test_a_loss_from_first_suspicion_to_the_end() -> None:
    case = Case(LITERAL).with_baseline()
    [raised] = alarms(case.trial(response(50)))
    assert (raised.kind, raised.state, raised.channel) == (
        AlarmKind.AMPLITUDE_DROP,
        AlarmState.UNCONFIRMED,
        "e1",
    )
    [active] = alarms(case.trial(response(40)))
    assert active.state is AlarmState.ACTIVE
    [seen] = case.command(Acknowledge(active.id, "Dr A"))
    assert isinstance(seen, AlarmCondition)
    assert seen.acknowledged_s == case.now_s + 1
    case.trial(response(60))
    events = case.trial(response(60))
    [over] = alarms(events)
    assert over.state is AlarmState.RESOLVED
    assert row(events) == (FULL_UV, 60.0, True, "")


def test_a_latched_condition_is_in_the_row() -> None:
    case = Case().with_baseline()
    for percent in (10, 10, 70, 70):
        events = case.trial(response(percent))
    assert row(events)[3] == "amplitude_drop:latched"


@pytest.mark.parametrize("silent", [True, False])
def test_bad_trials_neither_confirm_nor_clear(silent: bool) -> None:
    low = SILENT if silent else response(10)
    case = Case().with_baseline()
    case.trial(low)
    for bad in (case.trial(BAD), case.trial(low, out_of_order=True)):
        assert alarms(bad) == []
        assert row(bad) == (FULL_UV, None, False, "")
    [active] = alarms(case.trial(low))
    assert active.state is AlarmState.ACTIVE
    case.trial(response(90))
    case.trial(response(90), out_of_order=True)
    case.trial(BAD)
    [latched] = alarms(case.trial(response(90)))
    assert latched.state is AlarmState.LATCHED


@pytest.mark.parametrize("status", [Status.LATE, Status.GAP, Status.INCOMPLETE])
def test_a_missed_stimulus_has_its_rows_and_does_nothing(status: Status) -> None:
    case = Case().with_baseline()
    case.trial(response(10))
    missed = Missed(11, Stimulus(1.0, "S1", "C3/C4"), 115.0, status, "why")
    [trial] = list(case.tracker.missed(missed))
    assert isinstance(trial, Trial)
    assert (trial.trial, trial.epoch, trial.sweeps_uv) == (11, None, None)
    assert {r.measurement for r in trial.channels} == {Measurement(status, ("why",))}
    assert row([trial]) == (FULL_UV, None, False, "")
    [active] = alarms(case.trial(response(10)))
    assert active.state is AlarmState.ACTIVE


def test_an_out_of_order_trial_says_so_and_is_not_learned_from() -> None:
    case = Case()
    events = case.trial(BAD, out_of_order=True)
    trial = events[-1]
    assert isinstance(trial, Trial)
    assert trial.channels[0].measurement.reasons == ("nan", "out_of_order")
    assert {r.measurement.reasons for r in trial.channels[1:]} == {("out_of_order",)}
    for _ in range(4):
        case.trial()
    assert row(case.trial())[0] is None


def test_settings_have_baselines_and_conditions_of_their_own() -> None:
    case = Case().with_baseline()
    assert row(case.trial(SILENT, setting="C4/C3")) == (None, None, False, "")
    [raised] = alarms(case.trial(SILENT))
    assert raised.setting == "C3/C4"
    other = alarms(case.trial(SILENT, setting="C4/C3"))
    assert [alarm.kind for alarm in other] == [AlarmKind.BASELINE_UNRELIABLE]


def test_a_value_is_of_some_muscles_and_of_one_setting() -> None:
    case = Case().with_baseline()
    with pytest.raises(CommandRefused, match="not of all"):
        case.command(SetBaseline("", "Dr A", "why", "C3/C4", 300.0, role="surgeon"))
    with pytest.raises(CommandRefused, match="no stimulus yet of setting 'C3-C4'"):
        case.command(SetBaseline("e1", "Dr A", "why", "C3-C4", 300.0, role="surgeon"))
    assert case.command(SetBaseline("e1", "Dr A", "why", "", 300.0, role="surgeon"))
    case.trial(setting="C4/C3")
    with pytest.raises(CommandRefused, match="one setting; there are C3/C4, C4/C3"):
        case.command(SetBaseline("e1", "Dr A", "why", "", 300.0, role="surgeon"))


def test_pulses_are_of_the_setting_where_the_markers_tell_them() -> None:
    told = Case(config=CaseConfig(stimulus=StimulusSection(train_gap_ms=20.0)))
    for case, settings in ((told, ["C3/C4 x 5 / 4 ms", "C3/C4 x 1"]), (Case(), ["C3/C4"] * 2)):
        for _ in range(5):
            trained = case.trial(pulses_ms=(0.0, 4.0, 8.0, 12.0, 16.0))
        single = case.trial(response(30))
        keys = [
            event.stimulus.counted_as for event in (*trained, *single) if isinstance(event, Trial)
        ]
        assert keys == settings
        assert row(single)[2] is (case is not told), "comparable only where it is one setting"


def test_a_muscle_that_never_answered_has_no_baseline_and_says_so() -> None:
    case = Case()
    found = [alarm for _ in range(20) for alarm in alarms(case.trial(SILENT))]
    [unreliable] = found
    assert (unreliable.kind, unreliable.state) == (
        AlarmKind.BASELINE_UNRELIABLE,
        AlarmState.ACTIVE,
    )
    assert (unreliable.channel, unreliable.setting, unreliable.trial) == ("e1", "C3/C4", 10)
    assert unreliable.evidence["message"] == "no response in 10 trials: no baseline"


def test_a_baseline_that_becomes_usable_after_all() -> None:
    case = Case()
    for _ in range(7):
        case.trial(SILENT)
    found = [alarm for _ in range(8) for alarm in alarms(case.trial())]
    assert [alarm.state for alarm in found] == [AlarmState.ACTIVE, AlarmState.RESOLVED]
    assert found[0].evidence["message"] == "a response in only 3 of 10 trials: no baseline"
    [raised] = alarms(case.trial(SILENT))
    assert raised.kind is AlarmKind.RESPONSE_LOST


def test_focal_is_said_once_confirmed_and_not_of_both_sides() -> None:
    case = Case().with_baseline()
    [first] = alarms(case.trial(response(10)))
    assert first.scope is Scope.INDETERMINATE
    for _ in range(3):
        [focal] = alarms(case.trial(response(10)))
    assert (focal.state, focal.scope) == (AlarmState.ACTIVE, Scope.FOCAL)
    both = Case().with_baseline()
    for _ in range(4):
        found = alarms(both.trial(response(10), response(10)))
    assert {(alarm.state, alarm.scope) for alarm in found} == {
        (AlarmState.ACTIVE, Scope.INDETERMINATE)
    }


def test_two_rejects_in_a_row_are_not_measurable() -> None:
    case = Case()
    assert alarms(case.trial(BAD)) == []
    case.trial()
    case.trial(BAD)
    [raised] = alarms(case.trial(BAD, setting="C4/C3"))
    assert (raised.kind, raised.channel, raised.setting) == (
        AlarmKind.NOT_MEASURABLE,
        "e1",
        "",
    )
    assert raised.evidence["message"] == "2 trials in a row were rejected: nan"
    assert alarms(case.trial(Measurement(Status.REJECTED, ("nan",)))) == [], "raised once"
    assert alarms(case.trial(out_of_order=True)) == []
    [gone] = alarms(case.trial(SILENT))
    assert (gone.id, gone.state) == (raised.id, AlarmState.RESOLVED)


def test_notices_become_conditions_and_a_stall_the_state_of_the_case() -> None:
    case = Case()
    case.trial()
    stalled = Notice(AlarmKind.SIGNAL_STALLED, True, 12.0, message="no samples for 0.3 s")
    status, condition = case.tracker.notices([stalled])
    assert status == CaseStatus(12.0, "stalled", "no samples for 0.3 s")
    assert isinstance(condition, AlarmCondition)
    assert (condition.state, condition.raised_s, condition.channel) == (
        AlarmState.ACTIVE,
        12.0,
        "",
    )
    assert list(case.tracker.notices([stalled])) == []
    status, gone = case.tracker.notices([Notice(AlarmKind.SIGNAL_STALLED, False, 14.0)])
    assert status == CaseStatus(14.0, "running")
    assert isinstance(gone, AlarmCondition)
    assert (gone.id, gone.state, gone.resolved_s) == (condition.id, AlarmState.RESOLVED, 14.0)


def test_a_notice_of_a_channel_names_its_muscle() -> None:
    case = Case()
    events = case.tracker.notices([Notice(AlarmKind.LEAD_OFF, True, 1.0, "e3", "open")])
    [condition] = alarms(list(events))
    assert (condition.channel, condition.muscle) == ("e3", "TA")
    [gone] = case.tracker.notices([Notice(AlarmKind.LEAD_OFF, False, 2.0, "e3")])
    assert isinstance(gone, AlarmCondition)
    assert gone.id == condition.id


def test_no_notice_raises_a_physiological_condition() -> None:
    with pytest.raises(ValueError, match="response_lost"):
        list(Case().tracker.notices([Notice(AlarmKind.RESPONSE_LOST, True, 1.0)]))


def test_the_case_ends() -> None:
    case = Case()
    case.trial()
    assert list(case.tracker.finish(33.0)) == [CaseStatus(33.0, "ended")]


# --------------------------------------------------------------------- commands


def test_an_operator_sets_one_baseline() -> None:
    case = Case().with_baseline()
    now, note = case.command(
        SetBaseline("e2", "Dr A", "after wash-out", amplitude_uv=800.0, role="surgeon")
    )
    assert isinstance(now, Baseline)
    assert (now.channel, now.state, now.amplitude_uv) == ("e2", BaselineState.FROZEN, 800.0)
    assert note == Annotation(
        case.now_s + 1,
        "baseline of e2 (C3/C4) was 400 uV (baseline 2), is 800 uV (baseline 5): after wash-out"
        " [surgeon]",
        "Dr A",
    )
    events = case.trial()
    assert row(events, 1)[:2] == (800.0, 50.0)
    assert row(events, 0)[:2] == (400.0, 100.0)


def test_an_operator_has_every_baseline_learned_again() -> None:
    case = Case().with_baseline()
    case.trial(setting="C4/C3")
    events = case.command(SetBaseline("", "Dr A", "repositioned", setting="C3/C4", role="surgeon"))
    assert [type(event) for event in events] == [Baseline, Annotation] * 4
    assert row(case.trial()) == (None, None, False, "")
    assert len(case.command(SetBaseline("e1", "Dr A", "again", role="surgeon"))) == 2 * 2


def test_a_baseline_set_by_hand_ends_its_being_unreliable() -> None:
    case = Case()
    for _ in range(10):
        case.trial(SILENT)
    _, _, gone = case.command(
        SetBaseline("e1", "Dr A", "from last week", amplitude_uv=100.0, role="surgeon")
    )
    assert isinstance(gone, AlarmCondition)
    assert (gone.kind, gone.state) == (AlarmKind.BASELINE_UNRELIABLE, AlarmState.RESOLVED)


def test_learning_again_hides_no_standing_loss() -> None:
    case = Case().with_baseline()
    case.trial(response(10))
    [active] = alarms(case.trial(response(10)))
    with pytest.raises(CommandRefused, match="alarm 1 stands on e1: override is needed"):
        case.command(SetBaseline("e1", "Dr A", "accepted", role="surgeon"))
    case.command(SetBaseline("e1", "Dr A", "accepted", override=True, role="surgeon"))
    for _ in range(5):
        assert alarms(case.trial(response(10))) == []
    case.trial(response(10))
    [latched] = alarms(case.trial(response(10)))
    assert (latched.id, latched.state) == (active.id, AlarmState.LATCHED)


def test_remarks_and_audio_pauses_are_recorded() -> None:
    case = Case()
    case.trial()
    assert case.command(Annotate("incision", "Dr A")) == [Annotation(11.0, "incision", "Dr A")]
    assert case.command(PauseAudio(120.0, "Dr A")) == [
        CaseStatus(11.0, "running", "", 131.0),
        Annotation(11.0, "audio paused for 120 s", "Dr A"),
    ]
    assert list(case.tracker.tick(130.0)) == []
    assert list(case.tracker.tick(131.0)) == [CaseStatus(131.0, "running")]
    assert case.command(PauseAudio(0.0, "Dr A")) == [Annotation(11.0, "audio pause ended", "Dr A")]


@pytest.mark.parametrize(
    ("command", "match", "cause"),
    [
        (Acknowledge(1, " "), "by", "invalid"),
        (Acknowledge(99, "Dr A"), "no alarm 99", "unknown"),
        (SetBaseline("e1", "", "why", role="surgeon"), "by", "invalid"),
        (SetBaseline("e1", "Dr A", " ", role="surgeon"), "reason", "invalid"),
        (SetBaseline("e1", "Dr A", "why"), "role", "invalid"),
        (SetBaseline("e1", "Dr A", "why", role=" "), "role", "invalid"),
        (SetBaseline("e9", "Dr A", "why", role="surgeon"), "no channel 'e9'", "unknown"),
        (SetBaseline("e1", "Dr A", "why", setting="Cz", role="surgeon"), "setting 'Cz'", "unknown"),
        (
            SetBaseline("e1", "Dr A", "why", amplitude_uv=0.0, role="surgeon"),
            "amplitude_uv",
            "invalid",
        ),
        (
            SetBaseline("e1", "Dr A", "why", amplitude_uv=-1.0, role="surgeon"),
            "amplitude_uv",
            "invalid",
        ),
        (
            SetBaseline("e1", "Dr A", "why", amplitude_uv=float("nan"), role="surgeon"),
            "amplitude_uv",
            "invalid",
        ),
        (
            SetBaseline("e1", "Dr A", "why", amplitude_uv=float("inf"), role="surgeon"),
            "amplitude_uv",
            "invalid",
        ),
        (Annotate("", "Dr A"), "text", "invalid"),
        (PauseAudio(-1.0, "Dr A"), "seconds", "invalid"),
        (PauseAudio(601.0, "Dr A"), "seconds", "invalid"),
        (PauseAudio(float("nan"), "Dr A"), "seconds", "invalid"),
    ],
)
def test_a_refused_command_changes_nothing(command: Command, match: str, cause: str) -> None:
    refused, untouched = Case().with_baseline(), Case().with_baseline()
    with pytest.raises(CommandRefused, match=match) as error:
        refused.command(command)
    assert error.value.cause == cause
    assert "\n" not in str(error.value)
    assert repr(refused.trial(SILENT)) == repr(untouched.trial(SILENT))


@pytest.mark.parametrize("amplitude_uv", [None, 400.0])
def test_before_the_first_stimulus_a_setting_must_be_named(amplitude_uv: float | None) -> None:
    with pytest.raises(CommandRefused, match="no stimulus yet") as error:
        Case().command(SetBaseline("e1", "Dr A", "why", amplitude_uv=amplitude_uv, role="surgeon"))
    assert error.value.cause == "not_now"


def test_a_value_given_ahead_of_the_first_stimulus_holds_from_it_on() -> None:
    case = Case()
    restored = SetBaseline("e1", "monitor", "taken up again", "C3/C4", FULL_UV, role="surgeon")
    waiting, baseline, note = case.command(restored)
    assert isinstance(waiting, CaseStatus)
    assert isinstance(baseline, Baseline)
    assert note == Annotation(
        1.0,
        "baseline of e1 (C3/C4) was not begun, is 400 uV (baseline 1): taken up again [surgeon]",
        "monitor",
    )
    assert row(case.trial(response(40))) == (FULL_UV, 40.0, True, "amplitude_drop:unconfirmed")


def test_a_resolved_condition_is_not_acknowledged() -> None:
    case = Case().with_baseline()
    [raised] = alarms(case.trial(response(30)))
    case.trial()
    case.trial()
    with pytest.raises(CommandRefused, match="already resolved"):
        case.command(Acknowledge(raised.id, "Dr A"))


@pytest.mark.parametrize(("confirm", "left"), [("in_a_row", 40.0), ("estimator", 20.0)])
def test_a_loss_while_the_baseline_still_learns_is_not_learned(
    confirm: Literal["in_a_row", "estimator"], left: float
) -> None:
    """Five full responses, then under half for good: the alarm must not clear itself."""
    case = Case(TrackSection(confirm=confirm))
    for _ in range(5):
        case.trial()
    for _ in range(20):
        events = case.trial(response(left))
    baseline_uv, percent, _, alarm = row(events)
    assert baseline_uv == pytest.approx(FULL_UV, rel=0.01)
    assert percent == pytest.approx(left, abs=1)
    assert alarm == "amplitude_drop:active"


AFTER_WARM_UP = """
import numpy as np
from numba.core.registry import CPUDispatcher
from monitor.config import CaseConfig
from monitor.track import kernel, median
from monitor.track.tracker import Tracker
from monitor.types import Channel, Epoch, Measurement, Status, Stimulus

kernels = [v for m in (kernel, median) for v in vars(m).values() if isinstance(v, CPUDispatcher)]
channels = tuple(Channel(f"L-{m}", m, "left") for m in ("APB", "TA", "AH"))
tracker = Tracker(channels, CaseConfig())
tracker.warm_up()
ready = [len(k.signatures) for k in kernels]
assert any(ready), "no kernel at all"
sweeps_uv = np.ones((3, 1250), np.float32)
for trial in range(1, 20):
    epoch = Epoch(trial, Stimulus(9.0 * trial, "S"), 9.0 * trial, 0, 500, 0.3, 5000.0, sweeps_uv)
    given = Measurement(Status.RESPONSE, amplitude_uv=300.0 if trial < 13 else 20.0)
    list(tracker.trial(epoch, (given,) * 3, sweeps_uv))
late = [k.py_func.__name__ for k, n in zip(kernels, ready) if len(k.signatures) != n]
assert not late, late
"""


def test_after_the_warm_up_no_trial_compiles_anything() -> None:
    subprocess.run([sys.executable, "-c", AFTER_WARM_UP], check=True, timeout=300)
