"""Time and a loss: nobody repeats it and it rises, nobody takes it and it is passed on."""

from __future__ import annotations

import pytest

from monitor.config import TrackSection
from monitor.inputs import Acknowledge
from monitor.types import AlarmCondition, AlarmKind, AlarmState, Measurement, Priority
from tests.test_track_tiers import (
    BAD,
    HIGH,
    L_AH,
    LOW,
    MEDIUM,
    SILENT,
    Case,
    confirmed_case,
    losses,
    response,
    technical,
)  # fmt: skip


def test_nobody_repeats_it_rises_after_one_and_after_three_minutes() -> None:
    case = Case().baseline()
    case.trial({L_AH: response(45)})
    assert losses(case.tick(60.9)) == []
    [medium] = losses(case.tick(0.1))
    assert (medium.state, medium.priority) == (AlarmState.UNCONFIRMED, MEDIUM)
    assert losses(case.tick(119.9)) == []
    [high] = losses(case.tick(0.1))
    assert (high.state, high.priority) == (AlarmState.UNCONFIRMED, HIGH)
    assert high.evidence["not_repeated_for_s"] == 180.0


def slow_case(told: Measurement) -> tuple[Case, AlarmCondition]:
    """A case that is stimulated every three minutes, after the first trial of a loss."""
    case = Case()
    for _ in range(12):
        case.trial(after_s=180.0)
    [first] = losses(case.trial({L_AH: told}, after_s=180.0))
    return case, first


def test_where_a_trial_comes_every_three_minutes_the_next_one_is_awaited() -> None:
    case, _ = slow_case(response(45))
    assert losses(case.tick(179.0)) == []
    still = losses(case.trial({L_AH: response(75)}, after_s=1.0))
    assert {a.priority for a in still} == {LOW}


@pytest.mark.parametrize(
    ("told", "at_once", "risen"),
    [(response(45), LOW, [(271, MEDIUM), (541, HIGH)]), (SILENT, MEDIUM, [(271, HIGH)])],
)
def test_a_loss_that_is_never_repeated_becomes_high_there_too(
    told: Measurement, at_once: Priority, risen: list[tuple[int, Priority]]
) -> None:
    case, first = slow_case(told)
    assert first.priority is at_once
    found = []
    for s in range(1, 700):
        for alarm in losses(case.tick(1.0)):
            if alarm.priority is not first.priority:
                found.append((s, alarm.priority))
                assert alarm.evidence["rise"] == f"{len(found)} of 2"
            first = alarm
    assert found == risen


def test_one_repeat_that_can_not_be_judged_is_waited_for_and_not_a_second() -> None:
    case, _ = slow_case(SILENT)
    case.trial({L_AH: BAD}, after_s=180.0)
    assert losses(case.tick(179.0)) == []
    case.trial({L_AH: BAD}, after_s=1.0)
    assert losses(case.tick(90.0)) == []
    [high] = losses(case.tick(1.0))
    assert (high.state, high.priority) == (AlarmState.UNCONFIRMED, HIGH)


@pytest.mark.parametrize("bad", [BAD, None])
def test_a_bad_trial_or_another_setting_does_not_stop_that(bad: Measurement | None) -> None:
    case = Case().baseline()
    case.trial({L_AH: response(45)})
    if bad is None:
        case.trial(setting="Cz", after_s=20.0)
    else:
        case.trial({L_AH: bad}, after_s=20.0)
    [medium] = losses(case.tick(41.0))
    assert medium.priority is MEDIUM


def test_a_trial_that_has_recovered_stops_it() -> None:
    case = Case().baseline()
    case.trial({L_AH: response(45)})
    case.trial({L_AH: response(75)})
    assert losses(case.tick(500.0)) == []


def test_one_that_rose_high_is_latched_when_it_is_over() -> None:
    case = Case().baseline()
    case.trial({L_AH: response(45)})
    case.tick(200.0)
    case.trial({L_AH: response(100)})
    [latched] = losses(case.trial({L_AH: response(100)}))
    assert (latched.state, latched.priority) == (AlarmState.LATCHED, HIGH)
    case.trial({L_AH: response(100)})
    [again] = losses(case.trial({L_AH: response(40)}))
    assert (again.id, again.state, again.priority) == (latched.id, AlarmState.UNCONFIRMED, HIGH)


def test_a_repeat_that_is_worse_is_high_at_its_own_first_rise() -> None:
    case = Case().baseline()
    case.trial({L_AH: response(45)})
    [medium] = losses(case.tick(75.0))
    assert medium.evidence["rise"] == "1 of 2"
    [again] = losses(case.trial({L_AH: response(15)}))
    assert (again.state, again.priority) == (AlarmState.UNCONFIRMED, MEDIUM)
    assert "rise" not in again.evidence
    assert losses(case.tick(60.9)) == []
    [high] = losses(case.tick(0.2))
    assert high.priority is HIGH


def test_a_trial_between_the_criteria_puts_the_rise_off_and_does_not_end_it() -> None:
    case = Case().baseline()
    case.trial({L_AH: SILENT})
    [still] = losses(case.trial({L_AH: response(55)}))
    assert (still.state, still.priority) == (AlarmState.UNCONFIRMED, MEDIUM)
    assert losses(case.tick(60.9)) == []
    [high] = losses(case.tick(0.2))
    assert (high.state, high.priority) == (AlarmState.UNCONFIRMED, HIGH)


def test_it_is_passed_on_again_where_it_comes_back() -> None:
    case, lost = confirmed_case()
    for _ in range(11):
        events = case.tick(60.0)
    for _ in range(2):
        events = case.trial({L_AH: response(100)})
    [latched] = losses(events)
    assert (latched.id, latched.state) == (lost.id, AlarmState.LATCHED)
    assert technical(events) == [], "nobody has taken it"
    case.trial({L_AH: SILENT})
    [back] = losses(case.trial({L_AH: SILENT}))
    assert (back.state, "escalation" in back.evidence) == (AlarmState.ACTIVE, False)
    told = [c.evidence["escalation"] for _ in range(11) for c in losses(case.tick(60.0))]
    assert told == ["1 of 3", "2 of 3", "3 of 3"]


def test_exhausted_a_second_time_alarms_a_second_time() -> None:
    case, _ = confirmed_case()
    first = [e for _ in range(11) for e in case.tick(60.0)]
    [exhausted] = [
        e
        for e in first
        if isinstance(e, AlarmCondition) and e.kind is AlarmKind.ESCALATION_EXHAUSTED
    ]
    case.command(Acknowledge(exhausted.id, "Dr A"))
    for told in (100.0, 100.0, SILENT, SILENT):
        case.trial({L_AH: response(told) if isinstance(told, float) else told})
    again = [kind for _ in range(11) for kind in technical(case.tick(60.0))]
    assert again == [
        (AlarmKind.ESCALATION_EXHAUSTED, AlarmState.RESOLVED),
        (AlarmKind.ESCALATION_EXHAUSTED, AlarmState.ACTIVE),
    ]


def test_a_high_alarm_that_nobody_takes_is_passed_on_to_the_end() -> None:
    case, lost = confirmed_case()
    told = []
    for _ in range(11):
        events = case.tick(60.0)
        told += [c.evidence["escalation"] for c in losses(events)]
        exhausted = technical(events)
        if exhausted:
            break
    assert told == ["1 of 3", "2 of 3", "3 of 3"]
    assert exhausted == [(AlarmKind.ESCALATION_EXHAUSTED, AlarmState.ACTIVE)]
    acknowledged = case.command(Acknowledge(lost.id, "Dr A"))
    assert technical(acknowledged) == [(AlarmKind.ESCALATION_EXHAUSTED, AlarmState.RESOLVED)]
    assert losses(case.tick(900.0)) == []


def test_an_acknowledged_alarm_is_not_passed_on_and_a_chain_may_be_empty() -> None:
    case, lost = confirmed_case()
    case.command(Acknowledge(lost.id, "Dr A"))
    assert case.tick(900.0) == []
    nobody, _ = confirmed_case(TrackSection(confirm="estimator", escalate_s=()))
    assert nobody.tick(900.0) == []
