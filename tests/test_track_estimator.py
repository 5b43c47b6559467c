"""The estimate of the true amplitude: what it follows, what moves it, what does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.config import TrackSection
from monitor.track.confirmation import few_trials_probability
from monitor.track.estimator import (
    OFFSETS,
    USUAL_MUSCLES,
    AmplitudeEstimator,
    Estimate,
    fade_depth,
    usual_variance,
)
from monitor.track.kernel import COLUMNS, normal_cdf, student_peak
from monitor.types import Channel, Measurement, Status

CHANNELS = (
    Channel("e1", "APB", "left"),
    Channel("e2", "AH", "left"),
    Channel("e3", "AH", "right"),
    Channel("e4", "TA", "left"),
)
FULL_UV = 400.0
SD = 0.3
REJECTED = Measurement(Status.REJECTED)
ABSENT = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)


def response(uv: float) -> Measurement:
    return Measurement(Status.RESPONSE, amplitude_uv=uv)


class Muscles:
    """Four muscles, a trial every three minutes, lognormal about what each is told to be."""

    def __init__(self, seed: int = 4) -> None:
        self.rng = np.random.default_rng(seed)
        self.estimator = AmplitudeEstimator(CHANNELS, [50.0] * len(CHANNELS))
        self.baselines: list[float | None] = [None] * len(CHANNELS)
        self.n = 0

    def trial(self, *percent: float | Measurement, sd: float = SD) -> list[Estimate | None]:
        """One trial; muscles that are not told are at 100 %."""
        told = (*percent, *[100.0] * (len(CHANNELS) - len(percent)))
        noise = np.exp(sd * self.rng.normal(size=len(CHANNELS)))
        measurements = [
            p if isinstance(p, Measurement) else response(float(FULL_UV * p / 100 * noise[i]))
            for i, p in enumerate(told)
        ]
        self.n += 1
        self.estimator.observe(180.0 * self.n, measurements, self.baselines)
        return self.estimator.judge()

    def with_baseline(self, trials: int = 10) -> Muscles:
        for _ in range(trials):
            self.trial()
        for i in range(len(CHANNELS)):
            self.estimator.baseline_learned(i)
            self.baselines[i] = FULL_UV
        return self


def first(estimates: list[Estimate | None]) -> Estimate:
    assert estimates[0] is not None
    return estimates[0]


def test_without_a_baseline_there_is_no_estimate() -> None:
    assert Muscles().trial() == [None] * len(CHANNELS)


def test_a_steady_muscle_stays_at_its_baseline() -> None:
    muscles = Muscles().with_baseline()
    for _ in range(60):
        estimate = first(muscles.trial())
        assert estimate.p_below < 0.5
    assert estimate.percent == pytest.approx(100.0, abs=25.0)
    assert estimate.lower_percent < estimate.percent < estimate.upper_percent


@pytest.mark.parametrize("percent", [10.0, 30.0, 40.0])
def test_a_loss_is_found_with_its_size(percent: float) -> None:
    muscles = Muscles(7).with_baseline(25)
    for _ in range(12):
        estimates = muscles.trial(percent)
    estimate = first(estimates)
    assert estimate.p_below > 0.9
    assert estimate.p_sudden > 0.9
    assert estimate.lower_percent <= percent <= estimate.upper_percent
    others = [e for e in estimates[1:] if e is not None]
    assert all(e.p_intact > 0.9 for e in others), "what one muscle does is not the others' doing"


@pytest.mark.parametrize("percent", [0.5, 5.0, 20.0])
def test_a_single_outlier_convinces_nobody(percent: float) -> None:
    muscles = Muscles().with_baseline(40)
    assert first(muscles.trial(percent)).p_below < few_trials_probability(TrackSection())
    assert first(muscles.trial()).p_below < 0.1


def test_no_response_counts_as_far_as_it_could_have_been_seen() -> None:
    plain, noisy = Muscles().with_baseline(), Muscles().with_baseline()
    hidden = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=5 * FULL_UV)
    for _ in range(2):
        lost, unseen = first(plain.trial(ABSENT)), first(noisy.trial(hidden))
    assert lost.p_below > 0.9
    assert lost.percent < 20.0
    assert unseen.p_below < 0.2


def test_a_shared_fade_is_followed_and_is_not_sudden() -> None:
    muscles = Muscles().with_baseline()
    for i in range(60):
        depth = math.log(0.63) * min(i / 50, 1.0)
        share = [100.0 * math.exp(depth * fade_depth(c.muscle)) for c in CHANNELS]
        estimates = muscles.trial(*share)
    for estimate, percent in zip(estimates, share, strict=True):
        assert estimate is not None
        assert estimate.percent == pytest.approx(percent, rel=0.25)
        assert estimate.p_sudden < 0.3
    shift = muscles.estimator.level_shift(0.0)
    assert shift == pytest.approx(muscles.estimator.level_shift(-1e9))


def test_hands_fade_half_as_deep_as_legs() -> None:
    assert fade_depth("APB") * 2 == fade_depth("ah") == fade_depth("TA")
    assert fade_depth("APB") < fade_depth("unknown") < fade_depth("TA")


@pytest.mark.parametrize("name", ["{}2", "{} 2", "{}_1", "{}_dist", "prox {}"])
def test_a_second_electrode_is_of_the_same_muscle(name: str) -> None:
    for muscle in ("hand", "TA", "AH"):
        assert fade_depth(name.format(muscle)) == fade_depth(muscle)
        assert usual_variance(name.format(muscle)) == usual_variance(muscle)


def test_the_published_variability_is_where_a_muscle_begins() -> None:
    """One low trial after a short baseline says less of a hand, which varies most."""
    hand, foot, shin = (usual_variance(name) for name in ("apb", "AH", "TA"))
    assert math.sqrt(math.expm1(hand)) == pytest.approx(0.48)
    assert hand > foot > shin
    assert usual_variance("unknown") == foot
    doubts = []
    for muscle in ("APB", "AH", "TA"):
        estimator = AmplitudeEstimator([Channel("e1", muscle)], [50.0])
        for n in range(12):
            uv = FULL_UV * (0.3 if n >= 10 else 1.0)
            estimator.observe(180.0 * n, [response(uv)], [FULL_UV])
            if n == 9:
                estimator.baseline_learned(0)
        doubts.append(1.0 - first(estimator.judge()).p_below)
    assert doubts[0] > doubts[1] > doubts[2]


def test_more_muscles_do_not_make_an_injury_likelier() -> None:
    """The same trials of one muscle count for less where it is one of many, not where of few."""

    def suspicion(m: int) -> float:
        channels = [Channel(f"e{i}", "AH") for i in range(m)]
        estimator = AmplitudeEstimator(channels, [50.0] * m)
        steady = [response(FULL_UV)] * (m - 1)
        for n in range(12):
            low = response(FULL_UV * (0.3 if n == 11 else 1.0))
            estimator.observe(180.0 * n, [low, *steady], [FULL_UV] * m)
            if n == 9:
                for i in range(m):
                    estimator.baseline_learned(i)
        return first(estimator.judge()).p_sudden

    few, usual, many = suspicion(2), suspicion(USUAL_MUSCLES), suspicion(4 * USUAL_MUSCLES)
    assert many / (1.0 - many) == pytest.approx(0.5 * usual / (1.0 - usual), rel=0.2)
    assert few == pytest.approx(usual, rel=0.2)


def test_rejected_trials_say_nothing() -> None:
    one, other = Muscles().with_baseline(), Muscles().with_baseline()
    before = first(one.trial())
    other.trial()
    after = first(other.estimator.judge())
    assert after == before
    other.trial(*[REJECTED] * len(CHANNELS))
    now = first(other.estimator.judge())
    assert (now.percent, now.p_sudden) == (before.percent, before.p_sudden)
    assert now.upper_percent >= before.upper_percent, "time alone adds doubt"


def test_a_measurements_own_doubt_counts() -> None:
    sure, unsure = Muscles().with_baseline(), Muscles().with_baseline()
    low_uv = 0.3 * FULL_UV
    doubtful = Measurement(
        Status.RESPONSE,
        amplitude_uv=low_uv,
        amplitude_lower_uv=0.1,
        amplitude_upper_uv=4 * low_uv,
    )
    for _ in range(3):
        certain, vague = first(sure.trial(response(low_uv))), first(unsure.trial(doubtful))
    assert certain.p_below > vague.p_below


def test_a_baseline_set_by_hand_is_what_counts_from_then_on() -> None:
    muscles = Muscles().with_baseline(20)
    for _ in range(10):
        muscles.trial(30.0)
    muscles.estimator.baseline_given(0, 0.3 * FULL_UV)
    accepted = first(muscles.estimator.judge())
    assert accepted.p_below < 0.1
    assert accepted.percent == pytest.approx(100.0, rel=0.4)
    for _ in range(6):
        lost = first(muscles.trial(3.0))
    assert lost.p_below > 0.9
    muscles.estimator.baseline_dropped(0)
    assert muscles.estimator.judge()[0] is None
    assert not muscles.estimator.has_baseline(0)


def test_a_baseline_given_before_any_trial_is_where_the_muscle_is_expected() -> None:
    """A case that is taken up again after a crash: no trial of the new run has been seen."""
    muscles = Muscles()
    for i in range(len(CHANNELS)):
        muscles.estimator.baseline_given(i, FULL_UV)
        muscles.baselines[i] = FULL_UV
    at_once = first(muscles.estimator.judge())
    assert at_once.percent == pytest.approx(100.0)
    assert at_once.p_below < 0.05
    assert first(muscles.trial(45.0)).p_below < 0.5, "one low trial is one low trial"
    for _ in range(6):
        estimate = first(muscles.trial())
    assert estimate.p_below < 0.1
    other = Muscles(5)
    other.estimator.baseline_given(0, FULL_UV)
    other.baselines[0] = FULL_UV
    for _ in range(3):
        lost = first(other.trial(5.0))
    assert lost.p_below > 0.9


ODD = [math.nan, math.inf, -math.inf, -5.0, 0.0, 1e-300, 1e-30, 1e30, 1e300]


@pytest.mark.parametrize("uv", ODD)
@pytest.mark.parametrize("bound_uv", [None, *ODD])
def test_no_number_poisons_what_follows(uv: float, bound_uv: float | None) -> None:
    muscles = Muscles().with_baseline(20)
    for odd in (
        Measurement(
            Status.RESPONSE,
            amplitude_uv=uv,
            amplitude_lower_uv=bound_uv,
            amplitude_upper_uv=bound_uv,
        ),
        Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=bound_uv),
    ):
        muscles.trial(odd)
    for _ in range(40):
        estimate = first(muscles.trial())
    assert estimate.p_below < 0.5
    assert estimate.percent == pytest.approx(100.0, abs=45.0)
    for _ in range(4):
        estimate = first(muscles.trial(8.0))
    assert estimate.p_below > 0.9


@pytest.mark.parametrize("m", [1, 16])
def test_one_muscle_and_sixteen(m: int) -> None:
    channels = [Channel(f"e{i}", ("APB", "AH", "TA")[i % 3]) for i in range(m)]
    estimator, rng = AmplitudeEstimator(channels, [50.0] * m), np.random.default_rng(1)
    baselines: list[float | None] = [FULL_UV] * m
    for n in range(30):
        left = np.where((np.arange(m) == 0) & (n >= 25), 0.1, 1.0)
        uv = FULL_UV * left * np.exp(SD * rng.normal(size=m))
        estimator.observe(180.0 * n, [response(float(x)) for x in uv], baselines)
        if n == 10:
            for i in range(m):
                estimator.baseline_learned(i)
    found = estimator.judge()
    assert first(found).p_below > 0.9
    assert all(e is not None and e.p_below < 0.5 for e in found[1:])


def test_the_interval_is_worked_out_for_those_that_are_asked() -> None:
    estimator = Muscles().with_baseline().estimator
    whole, part, others = estimator.judge(), estimator.judge([2]), estimator.judge_others([2])
    assert part[2] == whole[2]
    assert [i for i, one in enumerate(part) if one is not None] == [2]
    assert others[2] is None
    for one, other in zip(whole[:2], others[:2], strict=True):
        assert one is not None
        assert other is not None
        assert (one.percent, one.p_below, one.p_intact) == (
            other.percent,
            other.p_below,
            other.p_intact,
        )
    assert math.isnan(first(others).lower_percent)


def test_an_uncertain_amplitude_says_nothing() -> None:
    one, other = Muscles().with_baseline(), Muscles().with_baseline()
    in_doubt = Measurement(Status.RESPONSE, amplitude_uv=0.1 * FULL_UV, amplitude_uncertain=True)
    assert first(one.trial(in_doubt)) == first(other.trial(REJECTED))


def test_the_same_trials_give_the_same_bits() -> None:
    runs = []
    for _ in range(2):
        muscles = Muscles(7).with_baseline()
        runs.append([muscles.trial(*(60.0, 20.0)) for _ in range(20)])
    assert runs[0] == runs[1]


def test_the_state_stays_a_state() -> None:
    """Probabilities sum to one and covariances stay positive, whatever comes."""
    muscles = Muscles(11).with_baseline()
    for _ in range(300):
        told = [
            float(10 ** muscles.rng.uniform(-1, 3.5)) if muscles.rng.random() < 0.7 else ABSENT
            for _ in CHANNELS
        ]
        for estimate in muscles.trial(*told):
            assert estimate is not None
            assert all(math.isfinite(value) for value in estimate)
            assert 0.0 <= estimate.p_below <= 1.0
            assert estimate.lower_percent <= estimate.upper_percent


def test_columns_are_the_estimates_fields() -> None:
    assert len(Estimate._fields) == COLUMNS
    assert OFFSETS[0] == 0.0


def test_normal_distribution() -> None:
    assert normal_cdf(0.0) == 0.5
    assert normal_cdf(1.959964) == pytest.approx(0.975, abs=1e-6)


def test_students_distribution() -> None:
    assert student_peak(1.0) == pytest.approx(1.0 / math.pi)
    assert student_peak(1e6) == pytest.approx(1.0 / math.sqrt(2.0 * math.pi), rel=1e-5)


def test_a_muscle_that_now_and_then_shows_nothing_has_its_share_of_it() -> None:
    muscles = Muscles().with_baseline()
    always = first(muscles.trial()).absent_share
    assert always < 0.01
    for _ in range(5):
        for given in (ABSENT, 100.0, 100.0, 100.0):
            muscles.trial(given)
    assert 0.12 <= first(muscles.trial()).absent_share <= 0.25


def test_what_flickers_is_no_habit_until_it_answers_twice_in_a_row() -> None:
    muscles = Muscles().with_baseline()
    for given in (ABSENT, 100.0, ABSENT, 100.0, ABSENT):
        found = first(muscles.trial(given))
    assert found.absent_share < 0.01
    muscles.trial()
    assert first(muscles.trial()).absent_share > 0.05


def test_a_long_loss_that_came_back_counts_no_more_than_a_short_one() -> None:
    once, long = Muscles().with_baseline(), Muscles().with_baseline()
    for muscles, absences in ((once, 2), (long, 12)):
        for _ in range(absences):
            muscles.trial(ABSENT)
        muscles.trial()
    assert first(once.trial()).absent_share == first(long.trial()).absent_share


def test_absence_says_less_of_a_muscle_that_noise_may_hide() -> None:
    def absent(baseline_uv: float) -> Estimate:
        muscles = Muscles()
        for _ in range(12):
            muscles.trial(100.0 * baseline_uv / FULL_UV)
        muscles.estimator.baseline_learned(0)
        muscles.baselines[0] = baseline_uv
        return first(muscles.trial(ABSENT))

    assert absent(30.0).p_below < absent(400.0).p_below


def test_unrest_shows_what_takes_hold_of_every_muscle() -> None:
    def mean(sd: float) -> float:
        muscles = Muscles().with_baseline(20)
        for _ in range(8):
            found = muscles.trial(sd=sd)
        return sum(e.unrest for e in found if e is not None) / len(CHANNELS)

    assert mean(SD) < 1.3
    assert mean(2.2 * SD) > 1.5


def test_a_muscle_at_odds_with_what_is_published_is_taken_at_its_word() -> None:
    """A tibialis anterior that varies by 68 %, not 27, has two trials of 30 % now and then."""
    p_below = []
    for seed in range(8):
        muscles = Muscles(seed)
        for _ in range(12):
            muscles.trial(sd=0.62)
        muscles.estimator.baseline_learned(3)
        muscles.baselines[3] = FULL_UV
        for _ in range(8):
            muscles.trial(sd=0.62)
        for _ in range(2):
            found = muscles.trial(100.0, 100.0, 100.0, response(0.3 * FULL_UV))[3]
        assert found is not None
        p_below.append(found.p_below)
    assert max(p_below) < 0.95
    assert np.mean(p_below) < 0.35
