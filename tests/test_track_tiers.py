"""The two tiers through the tracker: unconfirmed at once, confirmed by the estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from monitor.config import CaseConfig, CaseSection, TrackSection
from monitor.inputs import (
    Acknowledge,
    Annotate,
    Command,
    SetBaseline,
)
from monitor.track import kernel
from monitor.track.tracker import CommandRefused, Tracker
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    Channel,
    Epoch,
    Event,
    Measurement,
    Missed,
    Priority,
    Scope,
    Status,
    Stimulus,
    Trial,
)

CHANNELS = tuple(
    Channel(f"{side[0].upper()}-{muscle}", muscle, side)
    for muscle in ("APB", "AH")
    for side in ("left", "right")
)
L_APB, R_APB, L_AH, R_AH = range(4)
FULL_UV = 400.0
SILENT = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=9.0)
BAD = Measurement(Status.REJECTED, ("nan",))
LOW, MEDIUM, HIGH = Priority
LATENT_S = 30.0


def response(percent: float, **more: float) -> Measurement:
    return Measurement(Status.RESPONSE, amplitude_uv=FULL_UV * percent / 100, **more)  # type: ignore[arg-type]


class Case:
    """A trial every 30 s; responses vary by a fifth about what they are told to be."""

    def __init__(self, track: TrackSection | None = None, profile: str = "default") -> None:
        config = CaseConfig(
            case=CaseSection(profile=profile),  # type: ignore[arg-type]
            track=track or TrackSection(confirm="estimator"),
        )
        self.tracker = Tracker(CHANNELS, config, model="net 1.0 abc")
        self.rng = np.random.default_rng(3)
        self.n = 0
        self.at_s = 0.0

    def trial(
        self,
        told: dict[int, Measurement | float] | None = None,
        *,
        setting: str = "C3/C4",
        volts: float | None = None,
        after_s: float = LATENT_S,
    ) -> list[Event]:
        """One trial; percents vary, measurements are taken as they are, the rest is at 100 %."""
        self.n += 1
        self.at_s += after_s
        noise = np.exp(0.2 * self.rng.normal(size=len(CHANNELS)))
        every = [
            m if isinstance(m, Measurement) else response(float(m * noise[i]))
            for i in range(len(CHANNELS))
            for m in [(told or {}).get(i, 100.0)]
        ]
        stimulus = Stimulus(self.at_s, "S1", setting, volts)
        sweeps_uv = np.zeros((len(CHANNELS), 2), np.float32)
        epoch = Epoch(self.n, stimulus, self.at_s, 0, 1, 0.0, 5000.0, sweeps_uv)
        return list(self.tracker.trial(epoch, tuple(every), sweeps_uv))

    def baseline(self, trials: int = 12, volts: float | None = None) -> Case:
        for _ in range(trials):
            assert losses(self.trial(volts=volts)) == []
        return self

    def tick(self, after_s: float) -> list[Event]:
        self.at_s += after_s
        return list(self.tracker.tick(self.at_s))

    def command(self, command: Command) -> list[Event]:
        return list(self.tracker.command(command, self.at_s))


def losses(events: Sequence[Event]) -> list[AlarmCondition]:
    return [
        event
        for event in events
        if isinstance(event, AlarmCondition) and event.alarm_class is AlarmClass.PHYSIOLOGICAL
    ]


def technical(events: Sequence[Event]) -> list[tuple[AlarmKind, AlarmState]]:
    return [
        (event.kind, event.state)
        for event in events
        if isinstance(event, AlarmCondition) and event.alarm_class is AlarmClass.TECHNICAL
    ]


def test_warming_up_leaves_no_trace() -> None:
    warm, cold = Case(), Case()
    warm.tracker.warm_up()
    told = {L_AH: response(10)}
    for _ in range(12):
        assert repr(warm.trial()) == repr(cold.trial())
    assert repr(warm.trial(told)) == repr(cold.trial(told))
    assert kernel.observe.signatures == kernel.observe.signatures[:1], "one compilation serves all"


def test_the_first_trial_beyond_is_shown_at_once_and_low() -> None:
    [first] = losses(Case().baseline().trial({L_AH: response(50)}))
    assert (first.state, first.priority) == (AlarmState.UNCONFIRMED, LOW)
    assert first.evidence["n_of_k"] == "1 of 2"


@pytest.mark.parametrize("severe", [response(20), SILENT])
def test_it_is_medium_where_the_response_is_gone_or_nearly(severe: Measurement) -> None:
    [first] = losses(Case().baseline().trial({L_AH: severe}))
    assert (first.state, first.priority) == (AlarmState.UNCONFIRMED, MEDIUM)


def test_two_trials_in_a_row_without_a_response_confirm() -> None:
    case = Case().baseline()
    case.trial({L_AH: SILENT})
    [lost] = losses(case.trial({L_AH: SILENT}))
    assert (lost.kind, lost.state, lost.priority) == (
        AlarmKind.RESPONSE_LOST,
        AlarmState.ACTIVE,
        HIGH,
    )


def test_a_deep_loss_is_confirmed_by_the_second_trial_and_explained() -> None:
    case = Case().baseline(30)
    case.command(Annotate("propofol bolus", "Dr A"))
    case.trial({L_AH: response(8)})
    for _ in range(3):
        [found] = losses(case.trial({L_AH: response(8)}))
    assert (found.state, found.priority, found.scope) == (AlarmState.ACTIVE, HIGH, Scope.FOCAL)
    evidence = found.evidence
    assert str(evidence["confirmed_by"]).startswith("estimator: ")
    assert evidence["estimate_lower_percent"] <= 8 <= evidence["estimate_upper_percent"]  # type: ignore[operator]
    assert evidence["probability_below"] >= 0.9  # type: ignore[operator]
    assert (evidence["profile"], evidence["model"]) == ("default 1", "net 1.0 abc")
    assert evidence["noted"] == "propofol bolus (2 min before trial 34)"
    assert "the others are intact" in str(evidence["scope_evidence"])


def test_one_outlier_is_never_high_and_goes_without_a_trace() -> None:
    case = Case().baseline(40)
    [raised] = losses(case.trial({L_AH: response(4)}))
    assert raised.priority is MEDIUM
    events = [case.trial({L_AH: response(100)}) for _ in range(2)]
    [still], [over] = losses(events[0]), losses(events[1])
    assert (still.state, over.state) == (AlarmState.UNCONFIRMED, AlarmState.RESOLVED)
    assert over.evidence["reason"] == "not repeated"


def doubtful(percent: float, upper_percent: float) -> Measurement:
    return response(
        percent, amplitude_upper_uv=FULL_UV * upper_percent / 100, amplitude_uncertain=True
    )


def test_an_uncertain_amplitude_neither_confirms_nor_clears() -> None:
    case = Case().baseline(30)
    events = case.trial({L_AH: doubtful(8, 15)})
    [raised] = losses(events)
    assert (raised.state, raised.priority) == (AlarmState.UNCONFIRMED, MEDIUM)
    [row] = [r for e in events if isinstance(e, Trial) for r in e.channels if r.channel == "L-AH"]
    assert (row.comparable, row.percent_of_baseline) == (False, pytest.approx(8, rel=0.1))
    for one in (doubtful(8, 15), doubtful(100, 120), doubtful(0, 15)):
        for _ in range(3):
            assert losses(case.trial({L_AH: one})) == []
    [told] = losses(case.trial({L_AH: response(8)}))
    assert told.state is AlarmState.UNCONFIRMED, "the first that counts"
    assert told.evidence["n_of_k"] == "1 of 2"


def test_an_uncertain_amplitude_brings_a_latched_loss_back_unconfirmed() -> None:
    case = Case().baseline(30)
    for one in (SILENT, SILENT, response(100), response(100)):
        told = losses(case.trial({L_AH: one}))
    assert [c.state for c in told] == [AlarmState.LATCHED]
    assert losses(case.trial({L_AH: doubtful(30, 60)})) == []
    [back] = losses(case.trial({L_AH: doubtful(8, 15)}))
    # Nobody has acknowledged the high one that it was.
    assert (back.state, back.priority) == (AlarmState.UNCONFIRMED, HIGH)
    assert losses(case.trial({L_AH: doubtful(8, 15)})) == []
    for state in (AlarmState.UNCONFIRMED, AlarmState.ACTIVE):
        [told_now] = losses(case.trial({L_AH: response(8)}))
        assert told_now.state is state


def test_an_uncertain_amplitude_that_may_be_whole_raises_nothing() -> None:
    case = Case().baseline(30)
    assert losses(case.trial({L_AH: doubtful(30, 60)})) == []


def test_a_small_response_alarms_by_its_loss_alone() -> None:
    """Half of 400 uV lies below four times a noise of 60 uV."""
    case, noisy = Case(), {L_AH: response(100, noise_uv=60.0)}
    for _ in range(12):
        assert losses(case.trial(noisy)) == []
    for _ in range(4):
        assert losses(case.trial({L_AH: response(20, noise_uv=60.0)})) == []
    [gone] = losses(case.trial({L_AH: SILENT}))
    assert (gone.kind, gone.state) == (AlarmKind.RESPONSE_LOST, AlarmState.UNCONFIRMED)
    assert gone.evidence["baseline_floor_uv"] == pytest.approx(240.0)
    [lost] = losses(case.trial({L_AH: SILENT}))
    assert (lost.state, lost.priority) == (AlarmState.ACTIVE, HIGH)


def test_values_about_the_criterion_stay_unconfirmed_for_long() -> None:
    case = Case().baseline(30)
    for _ in range(4):
        [found] = losses(case.trial({L_AH: response(49)}))
        assert found.state is AlarmState.UNCONFIRMED


@pytest.mark.parametrize("who", [(L_AH, R_AH), (L_APB, R_APB, L_AH, R_AH)])
@pytest.mark.parametrize("profile", ["default", "supratentorial", "spinal-cord"])
def test_a_sudden_loss_on_both_sides_is_high_whatever_the_scope(
    who: tuple[int, ...], profile: str
) -> None:
    case = Case(
        TrackSection(confirm="estimator", controls=("APB", "other_side")), profile
    ).baseline(20)
    for _ in range(3):
        found = losses(case.trial(dict.fromkeys(who, SILENT)))
    assert {(c.state, c.priority) for c in found} == {(AlarmState.ACTIVE, HIGH)}
    assert len(found) == len(who)


def fade(
    case: Case, least: float, minutes: int, depth: float = 0.5, hands_gone_after: int | None = None
) -> list[AlarmCondition]:
    """Legs fall gradually to ``least`` per cent, hands by the ``depth`` of that in logs."""
    found = []
    for i in range(2 * minutes + 30):
        share = (least / 100) ** min(i / (2 * minutes), 1.0)
        hand, leg = response(100 * share**depth), 100 * share
        if hands_gone_after is not None and i >= hands_gone_after:
            hand = SILENT
        found += losses(case.trial({L_APB: hand, R_APB: hand, L_AH: leg, R_AH: leg}))
    return [c for c in found if c.state is AlarmState.ACTIVE]


def with_hands() -> Case:
    return Case(TrackSection(confirm="estimator", controls=("APB",))).baseline(20)


def test_a_gradual_decline_with_its_controls_is_medium_and_called_global() -> None:
    confirmed = [c for c in fade(with_hands(), 35, 150, depth=0.6) if c.channel.endswith("AH")]
    assert {c.channel for c in confirmed} == {"L-AH", "R-AH"}
    assert {c.priority for c in confirmed} == {MEDIUM}
    assert {c.scope for c in confirmed} == {Scope.GLOBAL}
    assert all(c.evidence["gradual"] for c in confirmed)


@pytest.mark.parametrize("minutes", [40, 150])
def test_legs_that_fall_while_hands_only_fade_are_high_and_not_global(minutes: int) -> None:
    """Hands to 82 % as in any long case: the estimates of all muscles are drawn along."""
    confirmed = fade(with_hands(), 25, minutes, depth=0.14)
    assert {c.channel for c in confirmed} == {"L-AH", "R-AH"}
    assert {c.priority for c in confirmed} == {HIGH}
    assert Scope.GLOBAL not in {c.scope for c in confirmed}


def test_controls_that_are_lost_themselves_follow_nothing() -> None:
    confirmed = fade(with_hands(), 25, 60, hands_gone_after=20)
    assert {c.priority for c in confirmed} == {HIGH}
    assert {c.scope for c in confirmed} == {Scope.INDETERMINATE}


@pytest.mark.parametrize("told", [SILENT, 10.0])
def test_a_loss_under_another_setting_keeps_a_decline_from_being_global(
    told: Measurement | float,
) -> None:
    case = with_hands()
    for _ in range(12):
        case.trial(setting="Cz")
    for _ in range(3):
        [lost] = losses(case.trial({R_APB: told}, setting="Cz"))
    assert lost.state is AlarmState.ACTIVE
    confirmed = [c for c in fade(case, 35, 150, depth=0.6) if c.channel.endswith("AH")]
    assert {(c.priority, c.scope) for c in confirmed} == {(HIGH, Scope.INDETERMINATE)}


def test_without_a_valid_control_it_is_high_and_never_global() -> None:
    confirmed = fade(Case().baseline(20), 25, 60)
    assert confirmed
    assert {c.priority for c in confirmed} == {HIGH}
    assert {c.scope for c in confirmed} <= {Scope.INDETERMINATE, Scope.FOCAL}


@pytest.mark.parametrize(
    ("volts", "confirmed"), [(450.0, True), (405.0, True), (395.0, False), (350.0, False)]
)
def test_a_response_absent_under_a_stronger_stimulus_confirms(
    volts: float, confirmed: bool
) -> None:
    case = Case().baseline(volts=400.0)
    [first] = losses(case.trial({L_AH: response(30)}, volts=400.0))
    assert first.setting == "C3/C4 @ 400"
    events = case.trial({L_AH: SILENT}, volts=volts)
    assert [(c.kind, c.state, c.priority) for c in losses(events)] == [
        (AlarmKind.RESPONSE_LOST, AlarmState.ACTIVE, HIGH)
    ] * confirmed


def test_a_changed_setting_is_not_comparable_and_clears_nothing() -> None:
    case = Case().baseline(volts=400.0)
    case.trial({L_AH: response(30)}, volts=400.0)
    for i in range(3):
        events = case.trial({L_AH: response(100)}, volts=450.0)
        expected = [
            (AlarmKind.NOT_COMPARABLE, AlarmState.ACTIVE),
            (AlarmKind.BASELINE_UNRELIABLE, AlarmState.ACTIVE),
        ]
        assert technical(events) == expected * (i == 0)
        assert losses(events) == []
        [trial] = [event for event in events if isinstance(event, Trial)]
        assert {row.percent_of_baseline for row in trial.channels} == {None}
        assert not any(row.comparable for row in trial.channels)
    back = case.trial({L_AH: response(30)}, volts=400.0)
    assert technical(back) == [(AlarmKind.NOT_COMPARABLE, AlarmState.RESOLVED)]
    assert losses(back)


def test_a_threshold_rise_is_raised_by_the_profile_that_has_it() -> None:
    case = Case(TrackSection(confirm="estimator", threshold_rise=100.0)).baseline(volts=300.0)
    found = [losses(case.trial({L_AH: SILENT}, volts=400.0)) for _ in range(2)]
    risen = [c for each in found for c in each if c.kind is AlarmKind.THRESHOLD_RISE]
    assert [(c.channel, c.priority) for c in risen] == [("L-AH", LOW), ("L-AH", MEDIUM)]
    assert risen[0].evidence["threshold_before"] == 300.0


def test_a_threshold_that_is_reached_under_a_stronger_setting_is_told() -> None:
    case = Case(TrackSection(confirm="estimator", threshold_rise=100.0)).baseline(volts=300.0)
    for _ in range(2):
        case.trial({L_AH: SILENT}, volts=300.0)
    found = losses(case.trial(volts=410.0))
    assert [(c.kind, c.priority) for c in found] == [(AlarmKind.THRESHOLD_RISE, MEDIUM)]
    over = losses(case.trial(volts=310.0))
    assert AlarmState.RESOLVED in [c.state for c in over if c.kind is AlarmKind.THRESHOLD_RISE]


def test_a_later_onset_is_advisory() -> None:
    case = Case()
    for _ in range(12):
        case.trial({L_AH: response(100, onset_ms=40.0)})
    case.command(Annotate("propofol bolus", "Dr A"))
    found = [c for _ in range(4) for c in losses(case.trial({L_AH: response(100, onset_ms=44.0)}))]
    assert [(c.kind, c.priority) for c in found] == [(AlarmKind.LATENCY_SHIFT, LOW)]
    evidence = found[0].evidence
    assert (evidence["threshold"], evidence["n_of_k"]) == (10.0, "4 of 5")
    assert (evidence["baseline_onset_ms"], evidence["model"]) == (40.0, "net 1.0 abc")
    assert str(evidence["noted"]).startswith("propofol bolus")


def test_a_baseline_by_value_ends_what_was_held_against_the_one_before() -> None:
    case = Case()
    for onset_ms in (*[40.0] * 12, *[44.0] * 4):
        found = losses(case.trial({L_AH: response(100, onset_ms=onset_ms)}))
    assert [c.kind for c in found] == [AlarmKind.LATENCY_SHIFT]
    events = case.command(SetBaseline("L-AH", "Dr A", "turned", "C3/C4", FULL_UV, role="surgeon"))
    [over] = losses(events)
    assert (over.kind, over.state) == (AlarmKind.LATENCY_SHIFT, AlarmState.RESOLVED)


def test_a_response_gone_every_other_time_is_lost() -> None:
    track = TrackSection(confirm="estimator", confirm_probability=0.9999)
    case = Case(track).baseline(20)
    found = [losses(case.trial({L_AH: m})) for m in (SILENT, response(55)) * 3]
    unconfirmed, active = [AlarmState.UNCONFIRMED], [AlarmState.ACTIVE]
    states = [[c.state for c in events] for events in found]
    assert states == [unconfirmed] * 4 + [active] * 2
    assert found[4][0].evidence["confirmed_by"] == "no response in 3 of 6 trials"


def test_twenty_in_a_row_are_confirmed_whatever_the_estimator_says() -> None:
    """Half of it for so long is no chance, and it may be all that shows of a slow decline."""
    case = Case().baseline(30)
    states = []
    for _ in range(20):
        [told] = losses(case.trial({L_AH: response(49.9)}))
        states.append(told.state)
        if told.state is AlarmState.ACTIVE:
            break
    assert (len(states), told.priority) == (20, HIGH)
    assert told.evidence["confirmed_by"] == "20 trials in a row"


def confirmed_case(track: TrackSection | None = None) -> tuple[Case, AlarmCondition]:
    case = Case(track).baseline(20)
    case.trial({L_AH: SILENT})
    [lost] = losses(case.trial({L_AH: SILENT}))
    return case, lost


def test_a_baseline_under_a_loss_needs_an_override_and_the_loss_stays() -> None:
    case, lost = confirmed_case()
    new = SetBaseline("L-AH", "Dr A", "accepted", "C3/C4", 40.0, role="neurophysiologist")
    with pytest.raises(CommandRefused, match="override"):
        case.command(new)
    override = SetBaseline(
        "L-AH", "Dr A", "accepted", "C3/C4", 40.0, role="neurophysiologist", override=True
    )
    baseline, note = case.command(override)
    assert isinstance(baseline, Baseline)
    assert isinstance(note, Annotation)
    assert note.text.endswith(f"accepted [neurophysiologist], over alarm {lost.id}")
    assert (baseline.role, baseline.overrode) == ("neurophysiologist", (lost.id,))
    assert baseline.before_uv == pytest.approx(FULL_UV, rel=0.1)
    case.trial({L_AH: response(10)})
    [over] = losses(case.trial({L_AH: response(10)}))
    assert (over.id, over.state) == (lost.id, AlarmState.LATCHED)


def test_a_group_gets_its_baseline_anew() -> None:
    case = Case().baseline()
    events = case.command(SetBaseline("", "Dr A", "turned", group=("L-AH", "R-AH"), role="surgeon"))
    assert [e.channel for e in events if isinstance(e, Baseline)] == ["L-AH", "R-AH"]
    with pytest.raises(CommandRefused, match="no channel 'X'"):
        case.command(SetBaseline("", "Dr A", "turned", group=("L-AH", "X"), role="surgeon"))


def test_rejects_of_every_muscle_are_one_condition_of_the_case() -> None:
    case = Case().baseline()
    every = dict.fromkeys(range(4), BAD)
    found = [technical(case.trial(every)) for _ in range(2)]
    assert AlarmKind.REJECTS_IN_A_ROW not in {kind for kinds in found for kind, _ in kinds}
    case.at_s += LATENT_S
    missed = Missed(99, Stimulus(case.at_s, "S1", "C3/C4"), case.at_s, Status.GAP, "gap")
    events = list(case.tracker.missed(missed))
    assert technical(events) == [(AlarmKind.REJECTS_IN_A_ROW, AlarmState.ACTIVE)]
    assert (AlarmKind.REJECTS_IN_A_ROW, AlarmState.RESOLVED) in technical(case.trial())


def returned(case: Case, *after: Measurement) -> AlarmCondition:
    """A total loss that was over and latched comes back with 45 %, and what follows."""
    for told in (SILENT, SILENT, response(100), response(100), response(45)):
        found = losses(case.trial({L_AH: told}))
    assert found[0].state is AlarmState.UNCONFIRMED
    for told in after:
        found = losses(case.trial({L_AH: told}))
    return found[-1]


def test_a_latched_loss_that_comes_back_is_explained_by_what_it_is_now() -> None:
    back = returned(Case().baseline())
    assert back.scope is Scope.INDETERMINATE
    assert back.evidence["scope_evidence"] == "not confirmed"
    assert back.evidence["lowest_percent"] == back.percent_of_baseline
    assert back.evidence["trials"] == "17"
    assert "confirmed_by" not in back.evidence


def test_it_is_worse_by_what_it_showed_when_it_was_acknowledged() -> None:
    case = Case().baseline()
    back = returned(case)
    case.command(Acknowledge(back.id, "Dr A"))
    [worse] = losses(case.trial({L_AH: response(10)}))
    assert worse.state in (AlarmState.ACTIVE, AlarmState.UNCONFIRMED)
    assert "points below the 44 % acknowledged" in str(worse.evidence["worse"])


def test_the_scope_and_what_is_said_of_it_are_of_one_trial() -> None:
    case = Case().baseline(30)
    for _ in range(3):
        [found] = losses(case.trial({L_AH: SILENT}))
    assert found.scope is Scope.FOCAL
    [better] = losses(case.trial({L_AH: response(100)}))
    assert (better.scope, better.evidence["scope_evidence"]) == (
        Scope.FOCAL,
        found.evidence["scope_evidence"],
    )


def test_a_remark_reaches_the_loss_that_stands_though_no_trial_follows() -> None:
    case = Case().baseline()
    [raised] = losses(case.trial({L_AH: response(45)}))
    assert "noted" not in raised.evidence
    assert losses(case.command(Annotate("incision", "Dr A"))) == []
    [told] = losses(case.command(Annotate("propofol bolus", "Dr A")))
    assert (told.state, told.evidence["noted"]) == (raised.state, "propofol bolus (after trial 13)")
    for _ in range(2):
        assert len(losses(case.command(Annotate("propofol bolus", "Dr A")))) == 1
    full = losses(case.command(Annotate("propofol bolus", "Dr A")))
    assert full == [], "it is told three times over already"
    case.trial()
    case.trial()
    assert losses(case.command(Annotate("MAP 80", "Dr A"))) == [], "nothing stands"


def test_a_loss_that_ends_by_another_baseline_says_so() -> None:
    case, lost = confirmed_case()
    case.command(Acknowledge(lost.id, "Dr A"))
    anew = SetBaseline("L-AH", "Dr A", "accepted", "C3/C4", 40.0, role="surgeon", override=True)
    baseline, _ = case.command(anew)
    assert isinstance(baseline, Baseline)
    case.trial({L_AH: response(10)})
    [over] = losses(case.trial({L_AH: response(10)}))
    assert over.state is AlarmState.RESOLVED
    assert over.evidence["baseline_id"] == lost.evidence["baseline_id"]
    told = over.evidence["latest_baseline_id"], over.evidence["latest_baseline_uv"]
    assert told == (baseline.id, 40.0)
