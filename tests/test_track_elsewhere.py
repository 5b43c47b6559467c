"""A response that is gone, or down, when the stimulus has changed: what then raises and learns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest

from monitor.inputs import Acknowledge, SetBaseline
from monitor.track.tracker import CommandRefused
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Baseline,
    BaselineState,
    Event,
    Measurement,
    Priority,
    Status,
    Trial,
)
from tests.test_track_tiers import BAD, L_AH, R_AH, SILENT, Case, losses, response, technical

LOST = AlarmKind.RESPONSE_LOST
U, A, K, L, R = AlarmState
EVERY = dict.fromkeys(range(4), SILENT)


def states(events: Sequence[Event]) -> list[tuple[AlarmKind, AlarmState, Priority]]:
    return [(c.kind, c.state, c.priority) for c in losses(events)]


def baselines(events: Sequence[Event], channel: str = "L-AH") -> list[BaselineState]:
    return [e.state for e in events if isinstance(e, Baseline) and e.channel == channel]


@pytest.mark.parametrize("volts", [450.0, 405.0])
def test_gone_at_once_under_a_stronger_stimulus(volts: float) -> None:
    case = Case().baseline(volts=400.0)
    assert states(case.trial(EVERY, volts=volts)) == [(LOST, U, Priority.MEDIUM)] * 4
    found = losses(case.trial(EVERY, volts=volts))
    assert [(c.kind, c.state, c.priority) for c in found] == [(LOST, A, Priority.HIGH)] * 4
    assert {c.setting for c in found} == {"C3/C4 @ 400"}, "that of the baseline"
    assert found[0].evidence["confirmed_by"] == f"no response in trial 14 under C3/C4 @ {volts:g}"
    for _ in range(10):
        assert losses(case.trial(EVERY, volts=volts)) == []


def test_gone_under_a_weaker_or_another_stimulus_says_nothing() -> None:
    case = Case().baseline(volts=400.0)
    for _ in range(3):
        assert losses(case.trial(EVERY, volts=350.0)) == []
        assert losses(case.trial(EVERY, volts=450.0, setting="C4/C3")) == []
        assert losses(case.trial({L_AH: BAD}, volts=450.0)) == []


def test_read_backs_that_jitter_are_one_setting() -> None:
    case = Case()
    for i in range(12):
        events = case.trial(volts=400.0 + 0.3 * (i % 5))
    for i in range(2):
        events = case.trial({L_AH: SILENT}, volts=399.5 + i)
        [trial] = [event for event in events if isinstance(event, Trial)]
        assert (trial.stimulus.counted_as, trial.channels[L_AH].comparable) == (
            "C3/C4 @ 400",
            True,
        )
    assert states(events) == [(LOST, A, Priority.HIGH)]


def test_another_montage_that_it_has_answered() -> None:
    case = Case().baseline(volts=400.0)
    for _ in range(2):
        assert losses(case.trial(volts=400.0, setting="C1/C2")) == []
    assert states(case.trial({L_AH: SILENT}, volts=400.0, setting="C1/C2")) == [
        (LOST, U, Priority.MEDIUM)
    ]
    assert states(case.trial({L_AH: SILENT}, volts=400.0, setting="C1/C2")) == [
        (LOST, A, Priority.HIGH)
    ]


def test_another_montage_confirms_what_stands_and_raises_no_second() -> None:
    case = Case().baseline(volts=400.0)
    for _ in range(2):
        case.trial(volts=400.0, setting="C1/C2")
    [first] = losses(case.trial({L_AH: response(30)}, volts=400.0))
    [second] = losses(case.trial({L_AH: SILENT}, volts=400.0, setting="C1/C2"))
    assert (second.id, second.kind, second.state) == (first.id, LOST, A)


def test_one_absence_that_answers_again_goes_away() -> None:
    case = Case().baseline(volts=400.0)
    case.trial({L_AH: SILENT}, volts=450.0)
    assert losses(case.trial(volts=460.0)) == [], "a stronger one refutes nothing"
    [answered] = losses(case.trial(volts=450.0))
    told = f"response in trial {case.n} under C3/C4 @ 450"
    assert (answered.state, answered.evidence["present_elsewhere"]) == (U, told)
    [over] = losses(case.trial(volts=450.0))
    assert (over.state, over.evidence["reason"]) == (R, "not repeated")
    assert losses(case.tick(900.0)) == []


def test_it_rises_where_nobody_repeats_it_and_is_cleared_by_its_own_setting() -> None:
    case = Case().baseline(volts=400.0)
    case.trial({L_AH: SILENT}, volts=450.0)
    assert states(case.tick(62.0)) == [(LOST, U, Priority.HIGH)]
    case.trial({L_AH: SILENT}, volts=450.0)
    for _ in range(4):
        assert losses(case.trial(volts=450.0)) == [], "a changed setting clears nothing"
    case.trial(volts=400.0)
    assert states(case.trial(volts=400.0)) == [(LOST, L, Priority.HIGH)]


def test_a_latched_loss_that_is_gone_under_a_stronger_stimulus_comes_back() -> None:
    case = Case().baseline(volts=400.0)
    for m in (SILENT, SILENT, response(100), response(100)):
        events = case.trial({L_AH: m}, volts=400.0)
    [latched] = losses(events)
    assert latched.state is L
    assert states(case.trial({L_AH: SILENT}, volts=450.0)) == [(LOST, U, Priority.HIGH)]
    [active] = losses(case.trial({L_AH: SILENT}, volts=450.0))
    assert (active.id, active.state) == (latched.id, A)


@pytest.mark.parametrize(("volts", "setting"), [(450.0, "C3/C4"), (400.0, "C1/C2")])
def test_what_a_muscle_gives_under_a_loss_is_no_baseline(volts: float, setting: str) -> None:
    case = Case().baseline(20, volts=400.0)
    for _ in range(4):
        case.trial({L_AH: 15.0}, volts=400.0)
    told: list[AlarmCondition] = []
    learned: list[BaselineState] = []
    for _ in range(12):
        events = case.trial({L_AH: 20.0}, volts=volts, setting=setting)
        told += [e for e in events if isinstance(e, AlarmCondition) and e.channel == "L-AH"]
        learned += baselines(events)
        assert baselines(events, "R-AH") or learned == []
    assert learned == []
    [withheld] = told
    assert withheld.kind is AlarmKind.BASELINE_UNRELIABLE
    assert withheld.evidence["message"] == "baseline withheld: alarm 1 stands under C3/C4 @ 400"
    case.trial(volts=400.0)
    assert (AlarmKind.BASELINE_UNRELIABLE, R) in technical(case.trial(volts=400.0))
    over = case.trial(volts=volts, setting=setting)
    assert baselines(over) == [BaselineState.LEARNING]


def test_unreliable_once_withheld_is_unreliable_again() -> None:
    case = Case().baseline(20, volts=400.0)
    silent = {L_AH: SILENT}
    for _ in range(10):
        events = case.trial(silent, volts=300.0)
    assert (AlarmKind.BASELINE_UNRELIABLE, A) in technical(events)
    for _ in range(2):
        case.trial(silent, volts=400.0)
    withheld = case.trial(silent, volts=300.0)
    assert (AlarmKind.BASELINE_UNRELIABLE, A) in technical(withheld)
    case.trial(volts=400.0)
    over = case.trial(volts=400.0)
    assert (AlarmKind.BASELINE_UNRELIABLE, A) in technical(over)
    [still] = [c for c in over if isinstance(c, AlarmCondition) and c.kind is not LOST]
    assert still.evidence["message"] == "no response in 10 trials: no baseline"
    assert technical(case.trial(silent, volts=300.0)) == []


def test_an_operator_may_have_it_learned_all_the_same() -> None:
    case = Case().baseline(20, volts=400.0)
    for _ in range(3):
        case.trial({L_AH: SILENT}, volts=400.0)
    case.trial({L_AH: 40.0}, volts=450.0)
    anew = SetBaseline("L-AH", "Dr A", "this is what is left", "C3/C4 @ 450", role="surgeon")
    with pytest.raises(CommandRefused, match="override"):
        case.command(anew)
    override = SetBaseline(
        "L-AH", "Dr A", "this is what is left", "C3/C4 @ 450", override=True, role="surgeon"
    )
    assert (AlarmKind.BASELINE_UNRELIABLE, R) in technical(case.command(override))
    learned = [s for _ in range(5) for s in baselines(case.trial({L_AH: 40.0}, volts=450.0))]
    assert learned[-1] is BaselineState.USABLE
    case.trial({R_AH: SILENT}, volts=400.0)
    assert baselines(case.trial(volts=450.0), "R-AH") == [], "another loss, another decision"


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_stimuli_one_loss_a_muscle_and_setting_stands(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = Case()
    standing: dict[int, AlarmCondition] = {}
    over: set[int] = set()
    given = [SILENT, BAD, response(30), response(55), *[response(100)] * 4]
    for _ in range(100):
        told = {i: given[rng.integers(len(given))] for i in range(4)}
        setting, volts = ("A", "A", "B")[rng.integers(3)], float(rng.choice([400, 401, 450, 350]))
        after_s = float(rng.choice([5, 30, 200]))
        events = [*case.tick(0.9 * after_s), *case.trial(told, setting=setting, volts=volts)]
        if rng.random() < 0.2:
            by_hand = SetBaseline(
                "L-AH", "Dr A", "why", override=bool(rng.integers(2)), role="surgeon"
            )
            seen = Acknowledge(int(rng.integers(1, 12)), "Dr A")
            with suppress(CommandRefused):
                events += case.command(by_hand if rng.random() < 0.5 else seen)
        for event in events:
            if isinstance(event, AlarmCondition):
                assert event.id not in over
                standing[event.id] = event
                if event.state is R:
                    over.add(event.id)
                    del standing[event.id]
        lost = [
            (c.setting, c.channel)
            for c in standing.values()
            if c.kind in (LOST, AlarmKind.AMPLITUDE_DROP)
        ]
        assert len(lost) == len(set(lost))
        exhausted = {
            (c.setting, c.channel)
            for c in standing.values()
            if c.kind is AlarmKind.ESCALATION_EXHAUSTED
        }
        assert exhausted <= set(lost)
    assert over


@pytest.mark.parametrize("volts", [400.0, 450.0])
def test_noise_over_a_stronger_stimulus_is_no_loss_either(volts: float) -> None:
    quiet = response(100, noise_uv=4.0)
    covered = Measurement(
        Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=4000.0, noise_uv=900.0
    )
    case = Case()
    for _ in range(12):
        case.trial(dict.fromkeys(range(4), quiet), volts=400.0)
    events = [event for _ in range(3) for event in case.trial({L_AH: covered}, volts=volts)]
    assert losses(events) == []
    assert (AlarmKind.NOT_MEASURABLE, A) in technical(events)


def test_what_is_absent_elsewhere_counts_and_is_told_like_any_trial() -> None:
    case = Case().baseline(volts=400.0)
    case.trial({L_AH: SILENT}, volts=450.0)
    [lost] = losses(case.trial({L_AH: SILENT}, volts=500.0))
    told = lost.evidence
    assert (lost.state, lost.trial) == (A, 14)
    assert (told["n_of_k"], told["trials"], told["trials_beyond"]) == ("2 of 2", "13, 14", 2)
    assert (told["latest_trial"], told["lowest_percent"]) == (14, 0.0)
    case = Case().baseline(volts=400.0)
    case.trial({L_AH: response(30)}, volts=400.0)
    [lost] = losses(case.trial({L_AH: SILENT}, volts=450.0))
    assert (lost.evidence["n_of_k"], lost.evidence["trials"]) == ("2 of 2", "13, 14")
    assert (lost.trial, lost.percent_of_baseline, lost.amplitude_uv) == (14, 0.0, 0.0)


def test_a_latched_loss_that_one_absence_elsewhere_brings_back_is_over_with_responses_there() -> (
    None
):
    case = Case().baseline(volts=400.0)
    for told in (SILENT, SILENT, response(100), response(100)):
        case.trial({L_AH: told}, volts=400.0)
    [back] = losses(case.trial({L_AH: SILENT}, volts=450.0))
    assert (back.state, back.evidence["returned_trial"]) == (U, 17)
    assert "confirmed_by" not in back.evidence
    case.trial(volts=450.0)
    [over] = losses(case.trial(volts=450.0))
    assert over.state is L


@pytest.mark.parametrize("ends", ["recovers", "recovers latched", "acknowledged"])
def test_a_baseline_is_withheld_no_longer_than_the_loss_though_nobody_goes_back(ends: str) -> None:
    case = Case().baseline(volts=400.0)
    for _ in range(1 if ends == "recovers" else 2):
        [lost] = losses(case.trial({L_AH: SILENT}, volts=400.0))
    assert technical(case.trial(volts=450.0))[-1] == (AlarmKind.BASELINE_UNRELIABLE, A)
    if ends == "acknowledged":
        case.command(Acknowledge(lost.id, "Dr A"))
    case.trial(volts=400.0)
    events = case.trial(volts=400.0)
    assert [c.state for c in losses(events)] == [L if ends == "recovers latched" else R]
    assert (AlarmKind.BASELINE_UNRELIABLE, R) in technical(events)


def test_a_stray_intensity_does_not_steal_the_trials_of_the_baseline() -> None:
    """400 V has a baseline; 404.2 V is another setting, 402.5 V lies within both."""
    case = Case().baseline(volts=400.0)
    case.trial(volts=404.2)
    found = []
    for _ in range(8):
        found += losses(case.trial({L_AH: response(25)}, volts=402.5))
    last = found[-1]
    assert (last.kind, last.state, last.setting) == (AlarmKind.AMPLITUDE_DROP, A, "C3/C4 @ 400")
    assert last.baseline_uv == pytest.approx(400.0, rel=0.2)
