"""What a stronger stimulus gives that a weaker one exceeded by far is no baseline."""

from __future__ import annotations

from monitor.inputs import SetBaseline
from monitor.types import AlarmCondition, AlarmKind, AlarmState, Baseline, BaselineState, Event
from tests.test_track_tiers import L_AH, Case, losses, technical

UNRELIABLE = AlarmKind.BASELINE_UNRELIABLE
STRONGER = "C3/C4 @ 450"


def learned(events: list[Event]) -> list[BaselineState]:
    return [e.state for e in events if isinstance(e, Baseline) and e.channel == "L-AH"]


def test_a_tenth_under_a_stronger_stimulus_is_shown_and_never_learned() -> None:
    case = Case().baseline(volts=400.0)
    told: list[AlarmCondition] = []
    for _ in range(15):
        events = case.trial({L_AH: 10.0}, volts=450.0)
        assert learned(events) == []
        assert losses(events) == [], "two settings are not comparable to the percent"
        told += [e for e in events if isinstance(e, AlarmCondition) and e.channel == "L-AH"]
    [withheld] = told
    assert (withheld.kind, withheld.setting, withheld.trial) == (UNRELIABLE, STRONGER, 14)
    why = "baseline withheld: <= 50 % of what C3/C4 @ 400, no stronger, gave (baseline 3)"
    assert withheld.evidence["message"] == why


def test_it_is_learned_once_it_answers_again() -> None:
    case = Case().baseline(volts=400.0)
    for _ in range(3):
        case.trial({L_AH: 20.0}, volts=450.0)
    assert learned(case.trial({L_AH: 120.0}, volts=450.0)) == []
    back = case.trial({L_AH: 120.0}, volts=450.0)
    assert (UNRELIABLE, AlarmState.RESOLVED) in technical(back)
    assert learned(back) == [BaselineState.LEARNING]


def test_one_outlier_is_left_out_and_not_shown() -> None:
    case = Case().baseline(volts=400.0)
    events = case.trial({L_AH: 20.0}, volts=450.0)
    assert learned(events) == []
    assert (UNRELIABLE, AlarmState.ACTIVE) not in technical(events)
    case.trial({L_AH: 120.0}, volts=450.0)
    back = case.trial({L_AH: 120.0}, volts=450.0)
    assert learned(back) == [BaselineState.LEARNING]


def test_a_weaker_stimulus_or_another_montage_may_give_less() -> None:
    for told in ({"volts": 350.0}, {"volts": 450.0, "setting": "C1/C2"}):
        case = Case().baseline(volts=400.0)
        states = [s for _ in range(6) for s in learned(case.trial({L_AH: 20.0}, **told))]  # type: ignore[arg-type]
        assert BaselineState.USABLE in states


def test_an_operator_has_the_last_word() -> None:
    case = Case().baseline(volts=400.0)
    for _ in range(3):
        case.trial({L_AH: 20.0}, volts=450.0)
    command = SetBaseline("L-AH", "Dr A", "as it is now", STRONGER, role="surgeon")
    assert (UNRELIABLE, AlarmState.RESOLVED) in technical(case.command(command))
    states = [s for _ in range(6) for s in learned(case.trial({L_AH: 20.0}, volts=450.0))]
    assert BaselineState.USABLE in states
