"""The life of a physiological condition, step by step."""

from __future__ import annotations

import pytest

from monitor.config import TrackSection
from monitor.track.alarms import AlarmBook
from monitor.track.criteria import DropCriterion
from monitor.track.scope import Judgement
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Baseline,
    BaselineState,
    Channel,
    Measurement,
    Priority,
    Status,
)

CHANNEL = Channel("e1", "APB", "left")
BASELINE = Baseline(4, "C3/C4", "e1", "APB", BaselineState.FROZEN, 1000.0, 22.0, 11, 10, ())


class Life:
    """One channel's conditions, driven by percents of baseline; ``None``: no response."""

    def __init__(self) -> None:
        self.track = TrackSection(confirm="in_a_row")
        self.criterion = DropCriterion(self.track)
        self.book = AlarmBook(self.track)
        self.trial = 0
        self.now: AlarmCondition | None = None

    def __call__(self, percent: float | None) -> AlarmCondition | None:
        self.trial += 1
        measurement = (
            Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)
            if percent is None
            else Measurement(Status.RESPONSE, amplitude_uv=10.0 * percent)
        )
        comparison = self.criterion.compare(self.trial, measurement, BASELINE)
        assert comparison is not None
        at_s = 10.0 * self.trial
        changed = self.book.judge("C3/C4", CHANNEL, comparison, Judgement(), at_s)
        self.now = changed or self.now
        return changed

    def acknowledge(self) -> AlarmCondition:
        assert self.now is not None
        self.now = self.book.acknowledge(self.now.id, "Dr A", 10.0 * self.trial + 1)
        return self.now


A, R = "ack", None


@pytest.mark.parametrize(
    ("steps", "states"),
    [
        # raised, confirmed, cleared, seen
        ([50, 50, 60, 60, A], "unconfirmed active active latched resolved"),
        # the next trial is fine: it was one bad trial
        ([50, 51], "unconfirmed resolved"),
        ([R, 100], "unconfirmed resolved"),
        # two in a row must recover, 55 % is neither
        ([40, 40, 60, 55, 60, 60], "unconfirmed active active active active latched"),
        ([40, 40, 60, 40, 60, 60], "unconfirmed active active active active latched"),
        # acknowledged: stands until it is over, then resolves without a latch
        ([40, 40, A, 40, 60, 60], "unconfirmed active acknowledged acknowledged acknowledged"
         " resolved"),
        # acknowledged while unconfirmed: confirmation alarms again
        ([40, A, 40], "unconfirmed acknowledged active"),
        ([40, A, 70], "unconfirmed acknowledged resolved"),
        # worse than acknowledged: 20 points below the lowest shown, or gone
        ([45, 45, A, 26, 25], "unconfirmed active acknowledged acknowledged active"),
        ([45, 45, A, 35, 25], "unconfirmed active acknowledged acknowledged active"),
        ([45, 10, 45, A, 5], "unconfirmed active active acknowledged acknowledged"),
        ([10, 10, A, R], "unconfirmed active acknowledged active"),
        ([R, R, A, 10, R], "unconfirmed active acknowledged acknowledged acknowledged"),
        ([45, 45, A, 25, A, 6, 5], "unconfirmed active acknowledged active acknowledged"
         " acknowledged active"),
        # worse after an acknowledgement is to be acknowledged again, so it latches
        ([45, 45, A, 20, 70, 70], "unconfirmed active acknowledged active active latched"),
        # a latched one that returns is the same condition, active at once
        ([40, 40, 70, 70, 40], "unconfirmed active active latched active"),
    ],
)  # fmt: skip
def test_states(steps: list[float | str | None], states: str) -> None:
    life = Life()
    seen = []
    for step in steps:
        changed = life.acknowledge() if isinstance(step, str) else life(step)
        assert changed is not None
        seen.append(changed.state.value)
    assert seen == states.split()
    assert life.now is not None
    assert life.now.id == 1


def test_fine_trials_raise_nothing_and_leave_a_latched_condition_alone() -> None:
    life = Life()
    assert life(100) is None
    assert life(51) is None
    for percent in (40, 40, 70, 70):
        life(percent)
    assert life(100) is None
    assert life(55) is None


@pytest.mark.parametrize(
    ("percent", "priority"),
    [(50, Priority.LOW), (21, Priority.LOW), (20, Priority.MEDIUM), (None, Priority.MEDIUM)],
)
def test_priority_rises_with_confirmation(percent: float | None, priority: Priority) -> None:
    life = Life()
    first, second = life(percent), life(45)
    assert first is not None
    assert second is not None
    assert (first.priority, second.priority) == (priority, Priority.HIGH)


def test_after_it_is_resolved_a_new_one_is_raised_under_a_new_id() -> None:
    life = Life()
    for percent in (40, 40):
        life(percent)
    life.acknowledge()
    for percent in (70, 70):
        life(percent)
    fresh = life(40)
    assert fresh is not None
    assert (fresh.id, fresh.state, fresh.acknowledged_by) == (2, AlarmState.UNCONFIRMED, "")


def test_times_and_values_are_those_of_the_trials_that_made_them() -> None:
    life = Life()
    raised, confirmed = life(40), life(30)
    assert raised is not None
    assert confirmed is not None
    assert (raised.trial, raised.raised_s, raised.percent_of_baseline) == (1, 10.0, 40.0)
    assert (confirmed.trial, confirmed.raised_s) == (2, 10.0)
    assert (confirmed.percent_of_baseline, confirmed.amplitude_uv) == (30.0, 300.0)
    assert confirmed.baseline_uv == 1000.0
    life(70)
    latched = life(80)
    assert latched is not None
    assert (latched.trial, latched.percent_of_baseline, latched.resolved_s) == (2, 30.0, None)
    assert latched.evidence["latest_percent"] == 80.0
    assert latched.evidence["recovered_s"] == 40.0
    over = life.acknowledge()
    assert (over.resolved_s, over.acknowledged_s, over.acknowledged_by) == (41.0, 41.0, "Dr A")


def test_the_evidence_explains_the_condition() -> None:
    life = Life()
    raised, confirmed = life(40), life(30)
    assert raised is not None
    assert confirmed is not None
    assert raised.evidence == {
        "threshold_percent": 50.0,
        "recovery_percent": 60.0,
        "n_of_k": "1 of 2",
        "trials": "1",
        "latest_trial": 1,
        "latest_percent": 40.0,
        "lowest_percent": 40.0,
        "trials_beyond": 1,
        "baseline_id": 4,
        "baseline_uv": 1000.0,
        "baseline_responses": 10,
        "baseline_accepted": 11,
        "baseline_set_by": "",
        "baseline_spread": None,
        "baseline_floor_uv": None,
        "below_detection_floor": False,
        "upper_uv": None,
        "gradual": False,
        "scope_evidence": "not confirmed",
    }
    assert (confirmed.evidence["n_of_k"], confirmed.evidence["trials"]) == ("2 of 2", "1, 2")
    assert raised.evidence["n_of_k"] == "1 of 2", "earlier values must not change"
    assert "50 %" in raised.rule
    recovering = life(60)
    assert recovering is not None
    assert recovering.evidence["recovering"] == "1 of 2"
    again = life(40)
    assert again is not None
    assert "recovering" not in again.evidence


def test_not_repeated_and_recovered_are_told_apart() -> None:
    life = Life()
    life(40)
    single = life(90)
    assert single is not None
    assert single.evidence["reason"] == "not repeated"
    assert (single.priority, single.resolved_s) == (Priority.LOW, 20.0)
    for percent in (40, 40, 70, 70):
        life(percent)
    assert life.now is not None
    assert life.now.evidence["reason"] == "recovered"
    returned = life(40)
    assert returned is not None
    assert returned.evidence["returned_trial"] == life.trial
    assert "reason" not in returned.evidence


def test_a_drop_becomes_a_lost_response_and_stays_one() -> None:
    life = Life()
    life(40)
    lost = life(None)
    assert lost is not None
    assert (lost.id, lost.kind) == (1, AlarmKind.RESPONSE_LOST)
    assert lost.rule.startswith("no response")
    flicker = life(10)
    assert flicker is not None
    assert (flicker.kind, flicker.percent_of_baseline) == (AlarmKind.RESPONSE_LOST, 10.0)


def test_why_it_alarms_again() -> None:
    life = Life()
    life(45)
    life(45)
    life.acknowledge()
    deeper = life(20)
    assert deeper is not None
    assert deeper.evidence["worse"] == "25 points below the 45 % acknowledged"
    assert (deeper.acknowledged_by, deeper.acknowledged_s) == ("", None)
    assert "worse" not in life.acknowledge().evidence
    gone = life(None)
    assert gone is not None
    assert gone.evidence["worse"] == "response gone since acknowledged"
