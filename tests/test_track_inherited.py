"""A case that is taken up again: losses, signs and baselines go on with what the record has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from monitor.config import CaseConfig, TrackSection
from monitor.inputs import (
    Acknowledge,
    Resume,
    ResumedAlarm,
    ResumedBaseline,
    SetBaseline,
)
from monitor.track.alarms import CommandRefused
from monitor.track.inherited import inherited_loss
from monitor.track.loss_waiting import waited
from monitor.track.tracker import Tracker
from monitor.types import (
    AlarmClass,
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

CHANNEL = Channel("L-AH", "AH", "left")
SETTING = "C3/C4"
WAS = ResumedBaseline(
    2, SETTING, "L-AH", BaselineState.FROZEN, 300.0, 40.0, 10, 10, phases=6.0, floor_uv=8.0
)


def condition(kind: AlarmKind = AlarmKind.AMPLITUDE_DROP, **changes: Any) -> AlarmCondition:
    was = AlarmCondition(
        4,
        kind,
        AlarmClass.PHYSIOLOGICAL,
        Priority.LOW,
        AlarmState.UNCONFIRMED,
        100.0,
        SETTING,
        "L-AH",
        "AH",
        trial=20,
        percent_of_baseline=40.0,
        evidence={
            "message": "as it was",
            "interrupted": "engine restarted",
            "trials": "19, 20",
            "trials_beyond": 2,
            "lowest_percent": 35.0,
        },
    )
    return structs.replace(was, **changes)


def response(uv: float, onset_ms: float = 40.0, phases: int = 6) -> Measurement:
    return Measurement(
        Status.RESPONSE, amplitude_uv=uv, onset_ms=onset_ms, phases=phases, snr=50.0, noise_uv=2.0
    )


SILENT = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, noise_uv=2.0)


class Case:
    def __init__(
        self,
        *standing: ResumedAlarm,
        was: ResumedBaseline = WAS,
        track: TrackSection | None = None,
    ) -> None:
        self.tracker = Tracker((CHANNEL,), CaseConfig(track=track or TrackSection()))
        self.resume = Resume(20, 6, 3, (was,), standing)
        self.begun = list(self.tracker.command(self.resume, 0.0))
        self.trials = 20

    def trial(self, *measured: Measurement, volts: float | None = None) -> list[AlarmCondition]:
        events: list[Event] = []
        for measurement in measured:
            self.trials += 1
            at_s = 30.0 * (self.trials - 20)
            samples = np.zeros((1, 1), np.float32)
            stimulus = Stimulus(at_s, "", SETTING, volts)
            epoch = Epoch(self.trials, stimulus, at_s, 0, 0, 0.0, 5000.0, samples)
            events += self.tracker.trial(epoch, (measurement,), samples)
        return [event for event in events if isinstance(event, AlarmCondition)]


def test_counts_come_out_of_the_evidence() -> None:
    loss = inherited_loss(ResumedAlarm(condition(), -50.0, None), TrackSection())
    assert (loss.trials, loss.beyond.trials, loss.lowest_percent) == (("19", "20"), 2, 35.0)
    assert (loss.alone_since_s, loss.confirmed, loss.rises) == (-50.0, False, 0)


def test_an_unconfirmed_loss_rises_by_the_time_since_its_last_trial() -> None:
    loss = inherited_loss(ResumedAlarm(condition(), alone_since_s=-50.0), TrackSection())
    assert waited(loss, 5.0) is loss
    assert waited(loss, 12.0).condition.priority is Priority.MEDIUM
    evidence = condition().evidence | {"not_repeated_for_s": 270.0, "rise": "1 of 2"}
    risen = ResumedAlarm(condition(evidence=evidence), alone_since_s=-100.0)
    loss = inherited_loss(risen, TrackSection())
    assert waited(loss, 12.0) is loss, "the first rise has been"


@pytest.mark.parametrize(
    ("state", "more", "confirmed"),
    [
        (AlarmState.ACTIVE, {}, True),
        (AlarmState.ACKNOWLEDGED, {}, False),
        (AlarmState.ACKNOWLEDGED, {"confirmed_by": "2 trials in a row"}, True),
        (AlarmState.LATCHED, {"reason": "recovered"}, True),
        (AlarmState.LATCHED, {"reason": "not repeated"}, False),
        (AlarmState.UNCONFIRMED, {"confirmed_by": "estimator"}, False),
    ],
)
def test_whether_it_was_confirmed_is_told_by_the_record(
    state: AlarmState, more: dict[str, Any], confirmed: bool
) -> None:
    was = condition(state=state, evidence=condition().evidence | more)
    loss = inherited_loss(ResumedAlarm(was), TrackSection())
    assert loss.confirmed is confirmed
    assert (loss.seen is not None) is (state is AlarmState.ACKNOWLEDGED)


def test_numbers_go_on_after_those_of_the_earlier_run() -> None:
    case = Case()
    (raised,) = case.trial(response(90.0))
    assert raised.id == 7
    assert raised.evidence["baseline_id"] == 2
    (new, _) = case.tracker.command(_anew(), 31.0)
    assert isinstance(new, Baseline)
    assert new.id == 4


def _anew() -> SetBaseline:
    return SetBaseline("L-AH", "XY", "new", SETTING, 200.0, override=True, role="surgeon")


def test_signs_are_held_to_the_onset_and_the_phases_of_before() -> None:
    case = Case()
    found = case.trial(*[response(300.0, onset_ms=60.0, phases=2)] * 5)
    assert {a.kind for a in found} == {AlarmKind.LATENCY_SHIFT, AlarmKind.MORPHOLOGY_CHANGE}


@pytest.mark.parametrize(
    ("onset_ms", "state"), [(40.0, AlarmState.RESOLVED), (60.0, AlarmState.ACTIVE)]
)
def test_an_inherited_sign_is_decided_by_the_next_trials(
    onset_ms: float, state: AlarmState
) -> None:
    sign = condition(AlarmKind.LATENCY_SHIFT, state=AlarmState.ACTIVE)
    case = Case(ResumedAlarm(sign))
    assert case.trial(*[response(300.0, onset_ms)] * 3) == []
    (told,) = case.trial(response(300.0, onset_ms))
    assert (told.id, told.state) == (4, state)
    assert ("interrupted" in told.evidence) is (state is AlarmState.RESOLVED)


def test_a_small_response_of_a_baseline_near_the_noise_still_raises_no_drop() -> None:
    small = replace(WAS, amplitude_uv=40.0, floor_uv=32.0)
    assert Case(was=small).trial(*[response(18.0)] * 3) == []
    assert Case(was=replace(small, floor_uv=8.0)).trial(*[response(18.0)] * 3)


V400 = replace(WAS, setting="C3/C4 @ 400")
RISE = condition(
    AlarmKind.THRESHOLD_RISE,
    state=AlarmState.ACTIVE,
    evidence={"message": "a response takes more than 520", "threshold_in_vain": 520.0},
)


def of_the_rise(changed: list[AlarmCondition]) -> list[AlarmCondition]:
    return [alarm for alarm in changed if alarm.kind is AlarmKind.THRESHOLD_RISE]


def rise_case(**track: Any) -> Case:
    return Case(ResumedAlarm(RISE), was=V400, track=TrackSection(**track))


def test_a_threshold_rise_stands_on_and_ends_with_a_response_to_less() -> None:
    case = rise_case(threshold_rise=100.0)
    (told,) = case.tracker.command(Acknowledge(4, "XY"), 5.0)
    assert isinstance(told, AlarmCondition)
    assert told.state is AlarmState.ACKNOWLEDGED, "acknowledging never clears"
    assert of_the_rise(case.trial(response(300.0), volts=510.0)) == []
    (over,) = of_the_rise(case.trial(response(300.0), volts=499.0))
    assert (over.id, over.state, over.acknowledged_by) == (4, AlarmState.RESOLVED, "XY")


def test_the_threshold_before_a_restart_is_that_of_its_baselines() -> None:
    case = Case(was=V400, track=TrackSection(threshold_rise=100.0))
    case.trial(*[response(300.0)] * 3, volts=520.0)
    assert of_the_rise(case.trial(SILENT, volts=500.0))


def test_a_threshold_rise_that_is_no_longer_followed_ends() -> None:
    ended = [e for e in rise_case().begun if isinstance(e, AlarmCondition)]
    assert [(e.id, e.state) for e in ended] == [
        (4, AlarmState.ACTIVE),
        (4, AlarmState.RESOLVED),
    ]


def test_a_case_that_has_begun_is_not_taken_up_again() -> None:
    case = Case()
    case.trial(response(300.0))
    with pytest.raises(CommandRefused, match="ahead of the first stimulus"):
        next(case.tracker.command(case.resume, 40.0))


def raised_elsewhere(**more: Any) -> AlarmCondition:
    """A loss that one stimulus of 450 V alone has raised, in vain."""
    evidence = {"trials": "20", "absent_elsewhere": "no response in trial 20 under C3/C4 @ 450"}
    return condition(AlarmKind.RESPONSE_LOST, setting="C3/C4 @ 400", evidence=evidence | more)


def test_a_loss_raised_by_a_stronger_stimulus_alone_is_over_with_two_responses_to_it() -> None:
    case = Case(ResumedAlarm(raised_elsewhere()), was=V400)
    changed = case.trial(response(300.0), response(300.0), volts=450.0)
    over = [alarm for alarm in changed if alarm.kind is AlarmKind.RESPONSE_LOST]
    assert [(a.id, a.state) for a in over][-1] == (4, AlarmState.RESOLVED)


@pytest.mark.parametrize(
    "more",
    [{"trials": "20, 21"}, {"recovering": "0 of 2"}, {"confirmed_by": "estimator"}],
)
def test_it_is_not_where_its_own_setting_had_a_say(more: dict[str, Any]) -> None:
    case = Case(ResumedAlarm(raised_elsewhere(**more)), was=V400)
    changed = case.trial(*[response(300.0)] * 3, volts=450.0)
    assert AlarmKind.RESPONSE_LOST not in {alarm.kind for alarm in changed}
