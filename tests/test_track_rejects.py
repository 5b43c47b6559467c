"""Rejected trials: each cause is a technical condition, never a loss and never silence."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.config import CaseConfig
from monitor.inputs import PauseAudio
from monitor.track.tracker import Tracker
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    CaseStatus,
    Channel,
    Epoch,
    Measurement,
    Missed,
    Priority,
    Status,
    Stimulus,
    Trial,
)

CHANNELS = tuple(Channel(f"e{i}", "TA") for i in range(1, 5))
GOOD = Measurement(Status.RESPONSE, amplitude_uv=400.0)


def rejected(*reasons: str) -> Measurement:
    return Measurement(Status.REJECTED, reasons)


class Case:
    def __init__(self) -> None:
        self.tracker = Tracker(CHANNELS, CaseConfig())
        self.n = 0
        for _ in range(10):
            assert self.trial() == []

    def trial(self, *measurements: Measurement) -> list[tuple[AlarmKind, str, AlarmState]]:
        """What a trial changed; channels that are not given answer well."""
        self.n += 1
        every = (*measurements, *[GOOD] * (len(CHANNELS) - len(measurements)))
        sweeps_uv = np.zeros((len(CHANNELS), 2), np.float32)
        at_s = 10.0 * self.n
        epoch = Epoch(self.n, Stimulus(at_s, "S1"), at_s, 0, 1, 0.0, 5000.0, sweeps_uv)
        events = list(self.tracker.trial(epoch, every, sweeps_uv))
        [trial] = [event for event in events if isinstance(event, Trial)]
        for row in trial.channels:
            if row.measurement.status is Status.REJECTED:
                assert row.percent_of_baseline is None, "what is not measured is never 0 %"
        found = [event for event in events if isinstance(event, AlarmCondition)]
        assert all(c.alarm_class is AlarmClass.TECHNICAL for c in found)
        return [(c.kind, c.channel, c.state) for c in found]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("flat_line", AlarmKind.LEAD_OFF), ("saturated", AlarmKind.SATURATED)],
)
def test_a_channels_fault_stands_while_it_is_there(reason: str, kind: AlarmKind) -> None:
    case = Case()
    assert case.trial(rejected(reason)) == [(kind, "e1", AlarmState.ACTIVE)]
    assert case.trial(rejected(reason)) == [
        (AlarmKind.NOT_MEASURABLE, "e1", AlarmState.ACTIVE)
    ]  # fmt: skip
    assert case.trial() == [
        (kind, "e1", AlarmState.RESOLVED),
        (AlarmKind.NOT_MEASURABLE, "e1", AlarmState.RESOLVED),
    ]


def test_saturation_of_half_the_channels_at_once_is_electrocautery() -> None:
    case = Case()
    assert case.trial(*[rejected("saturated")] * 2) == [
        (AlarmKind.ELECTROCAUTERY, "", AlarmState.ACTIVE)
    ]
    assert case.trial() == [(AlarmKind.ELECTROCAUTERY, "", AlarmState.RESOLVED)]


def test_responses_cut_off_at_their_tops_are_saturated_channels_and_no_electrocautery() -> None:
    cut = Measurement(
        Status.RESPONSE, ("saturated",), amplitude_uv=3000.0, amplitude_uncertain=True
    )
    case = Case()
    assert case.trial(cut, cut, cut) == [
        (AlarmKind.SATURATED, channel, AlarmState.ACTIVE) for channel in ("e1", "e2", "e3")
    ]
    assert (AlarmKind.SATURATED, "e1", AlarmState.RESOLVED) in case.trial()


def test_any_other_reason_shows_when_it_comes_again() -> None:
    case = Case()
    assert case.trial(rejected("nan")) == []
    assert case.trial(rejected("nan")) == [(AlarmKind.NOT_MEASURABLE, "e1", AlarmState.ACTIVE)]


def test_three_stimuli_without_any_judgement() -> None:
    case = Case()
    every = [rejected("nan")] * len(CHANNELS)
    assert case.trial(*every) == []
    case.trial(*every)
    assert case.trial(*every) == [(AlarmKind.REJECTS_IN_A_ROW, "", AlarmState.ACTIVE)]
    assert (AlarmKind.REJECTS_IN_A_ROW, "", AlarmState.RESOLVED) in case.trial()


def test_two_uncertain_or_rejected_trials_in_a_row_are_not_measurable() -> None:
    doubtful = Measurement(
        Status.RESPONSE, ("out_of_distribution",), amplitude_uv=300.0, amplitude_uncertain=True
    )
    active = [(AlarmKind.NOT_MEASURABLE, "e1", AlarmState.ACTIVE)]
    for first, second in ((doubtful, doubtful), (rejected("nan"), doubtful)):
        case = Case()
        assert case.trial(first) == []
        assert case.trial(second) == active
        assert case.trial() == [(AlarmKind.NOT_MEASURABLE, "e1", AlarmState.RESOLVED)]
    case = Case()
    assert [case.trial(doubtful), case.trial(), case.trial(doubtful)] == [[], [], []]


def test_stimuli_that_gave_no_epoch_break_a_pause_of_the_audio_in_the_end() -> None:
    tracker = Case().tracker
    list(tracker.command(PauseAudio(120.0, "Dr A"), 100.0))
    found = [
        event
        for n in range(11, 14)
        for event in tracker.missed(
            Missed(n, Stimulus(10.0 * n, "S1"), 10.0 * n, Status.GAP, "samples lost")
        )
        if not isinstance(event, Trial)
    ]
    assert isinstance(found[0], AlarmCondition)
    assert (found[0].kind, found[0].priority) == (AlarmKind.REJECTS_IN_A_ROW, Priority.MEDIUM)
    [status] = [event for event in found if isinstance(event, CaseStatus)]
    assert status.audio_paused_until_s is None


def test_a_clipped_response_that_is_kept_in_doubt_is_saturated_too() -> None:
    clipped = Measurement(
        Status.RESPONSE, ("saturated",), amplitude_uv=400.0, amplitude_uncertain=True
    )
    case = Case()
    assert case.trial(clipped) == [(AlarmKind.SATURATED, "e1", AlarmState.ACTIVE)]
    assert case.trial() == [(AlarmKind.SATURATED, "e1", AlarmState.RESOLVED)]


@pytest.mark.parametrize(
    "reasons",
    [
        ("saturated", "noise_hides_response"),
        ("electrocautery", "electrocautery"),
        ("noise_hides_response",) * 2,
    ],
)
def test_whatever_covers_half_of_the_muscles_at_once_is_cautery(reasons: tuple[str, str]) -> None:
    kinds = [kind for kind, *_ in Case().trial(*[rejected(why) for why in reasons])]
    assert AlarmKind.ELECTROCAUTERY in kinds
    alone = [kind for kind, *_ in Case().trial(rejected(reasons[0]), rejected("electrode"))]
    assert AlarmKind.ELECTROCAUTERY not in alone


def test_clipping_that_is_named_electrocautery_is_cautery_whatever_became_of_it() -> None:
    why = ("electrocautery", "saturated")
    kept = Measurement(Status.RESPONSE, why, amplitude_uv=5000.0, amplitude_uncertain=True)
    for named in (kept, rejected(*why)):
        assert Case().trial(named, named) == [(AlarmKind.ELECTROCAUTERY, "", AlarmState.ACTIVE)]


def test_markers_out_of_order_are_no_rejects_in_a_row() -> None:
    """Of a marker that came late nothing is told, measured or not."""
    case = Case()
    for n in range(20, 26):
        late = Missed(n, Stimulus(5.0, "S1"), 5.0, Status.REJECTED, "out_of_order")
        assert [type(event) for event in case.tracker.missed(late)] == [Trial]
    assert case.trial() == []
