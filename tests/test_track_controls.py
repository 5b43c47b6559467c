"""What control muscles did of late: each from its own trials."""

from __future__ import annotations

import math

import pytest

from monitor.track.controls import LEAST_TRIALS, LOWEST_SHARE, RECENT_S, Controls, Recent
from monitor.types import Channel, Measurement, Status

CHANNELS = (Channel("LA", "APB", "left"), Channel("LH", "AH", "left"))
BASELINES = (100.0, 200.0)


def both(controls: Controls, at_s: float) -> list[Recent | None]:
    return [controls.recent(i, at_s, uv) for i, uv in enumerate(BASELINES)]


def observed(
    *amplitudes_uv: float | None, gap_s: float = 30.0, baseline_trials: int = 10
) -> tuple[Controls, float]:
    """The hand gives these, None being no response; the foot always 200 uV."""
    controls, at_s = Controls(CHANNELS, baseline_trials), 0.0
    for uv in amplitudes_uv:
        at_s += gap_s
        hand = (
            Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)
            if uv is None
            else Measurement(Status.RESPONSE, amplitude_uv=uv)
        )
        controls.observe(at_s, (hand, Measurement(Status.RESPONSE, amplitude_uv=200.0)))
    return controls, at_s


def hand(*amplitudes_uv: float | None) -> Recent:
    controls, at_s = observed(*amplitudes_uv)
    found = controls.recent(0, at_s, BASELINES[0])
    assert found is not None
    return found


def test_a_muscle_answers_for_itself() -> None:
    controls, at_s = observed(*[60.0] * 10)
    fallen, whole = both(controls, at_s)
    assert fallen is not None
    assert whole is not None
    assert fallen.log_share == pytest.approx(math.log(0.6))
    assert whole.log_share == pytest.approx(0.0)
    assert fallen.sd > whole.sd, "a hand varies more than a foot"
    assert controls.recent(0, at_s, None) is None, "no baseline"


def test_single_sweeps_far_off_count_for_nothing() -> None:
    assert hand(*[60.0] * 10, 3.0, 900.0).log_share == pytest.approx(math.log(0.6))


def test_more_trials_tell_more_and_a_muscle_that_varies_less() -> None:
    assert hand(*[60.0] * 20).sd < hand(*[60.0] * 8).sd
    assert hand(*[20.0, 180.0] * 8).sd > hand(*[60.0] * 16).sd


def test_no_response_is_little_and_an_uncertain_one_nothing() -> None:
    assert hand(*[None] * 8).log_share == pytest.approx(math.log(LOWEST_SHARE))
    controls, at_s = observed(*[60.0] * 8)
    doubt = Measurement(Status.RESPONSE, amplitude_uv=5.0, amplitude_uncertain=True)
    bad = Measurement(Status.REJECTED, ("nan",))
    before = both(controls, at_s)
    controls.observe(at_s, (doubt, bad))
    assert both(controls, at_s) == before


def test_the_latest_trials_are_told_apart() -> None:
    found = hand(*[100.0] * 12, *[50.0] * 3)
    assert found.latest_log == pytest.approx(math.log(0.5))
    assert found.log_share > math.log(0.8)


def test_too_few_or_too_old_trials_say_nothing() -> None:
    controls, at_s = observed(*[60.0] * (LEAST_TRIALS - 1))
    assert both(controls, at_s) == [None, None]
    controls, at_s = observed(*[60.0] * LEAST_TRIALS)
    assert None not in both(controls, at_s)
    assert both(controls, at_s + RECENT_S) == [None, None]


def test_a_baseline_of_fewer_trials_leaves_more_doubt() -> None:
    sds = []
    for baseline_trials in (10, 5):
        controls, at_s = observed(*[90.0] * 10, baseline_trials=baseline_trials)
        found = controls.recent(0, at_s, BASELINES[0])
        assert found is not None
        sds.append(found.sd)
    assert sds[1] == pytest.approx(sds[0] * math.sqrt((1 / 10 + 1 / 5) / (1 / 10 + 1 / 10)))
