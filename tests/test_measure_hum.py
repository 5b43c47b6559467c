from __future__ import annotations

import numpy as np
import pytest

from monitor.measure.clean import clean_sweeps
from monitor.measure.hum import subtract_hum
from monitor.measure.plan import plan_sweeps

LAST_MS = 100.0


def times_ms(fs_hz: float, post_ms: float = LAST_MS) -> np.ndarray:
    return np.arange(int(post_ms * fs_hz / 1e3)) * 1e3 / fs_hz


def hum(t_ms: np.ndarray, mains_hz: float, peak_uv: float, phase: float = 0.4) -> np.ndarray:
    angle = 2 * np.pi * mains_hz * t_ms / 1e3
    return peak_uv * (np.sin(angle + phase) + 0.2 * np.sin(3 * angle + 2 * phase))


def response(t_ms: np.ndarray, peak_uv: float, onset_ms: float = 25.0) -> np.ndarray:
    inside = (t_ms > onset_ms) & (t_ms < onset_ms + 15)
    return np.where(inside, peak_uv * np.sin(2 * np.pi * (t_ms - onset_ms) / 15), 0.0)


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 22000.0])
@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
@pytest.mark.parametrize("told", [True, False])
def test_hum_goes_and_the_response_stays_where_nothing_comes_before_the_stimulus(
    fs_hz: float, mains_hz: float, told: bool
) -> None:
    t_ms = times_ms(fs_hz)
    rng = np.random.default_rng(3)
    plan = plan_sweeps(fs_hz, t_ms.size, 0)
    assert not plan.mains.hz.size
    after = plan.search_start
    for phase in np.linspace(0, 6, 5):
        noise = rng.normal(0, 2, t_ms.size)
        wanted = noise + response(t_ms, 100.0)
        sweep = wanted + hum(t_ms, mains_hz, 60.0, phase)
        out = clean_sweeps(sweep[None], plan, mains_hz if told else None)[0]
        difference = (out - wanted)[after:]
        assert np.std(difference - difference.mean()) < 2.0
        assert np.ptp(out[after:]) == pytest.approx(np.ptp(wanted[after:]), rel=0.06)


def test_without_hum_nothing_is_taken_be_there_a_response_or_not() -> None:
    t_ms = times_ms(5000.0)
    rng = np.random.default_rng(4)
    plan = plan_sweeps(5000.0, t_ms.size, 0)
    touched = 0
    for number in range(150):
        sweep = rng.normal(0, 2, t_ms.size) + response(t_ms, 30.0 * (number % 3), 15 + number % 30)
        before = sweep.copy()
        subtract_hum(sweep, plan.hum, -1.0)
        touched += int(not np.array_equal(sweep, before))
    assert touched <= 1


def test_two_cycles_of_a_swing_are_not_hum() -> None:
    """What is there for less than half of the sweep goes on in no majority of the samples."""
    t_ms = times_ms(5000.0)
    rng = np.random.default_rng(5)
    plan = plan_sweeps(5000.0, t_ms.size, 0)
    swing = np.where((t_ms > 12) & (t_ms < 52), 80 * np.sin(2 * np.pi * 50 * t_ms / 1e3), 0.0)
    sweep = rng.normal(0, 2, t_ms.size) + swing
    before = sweep.copy()
    subtract_hum(sweep, plan.hum, -1.0)
    assert np.ptp(sweep) > 0.9 * np.ptp(before)


def test_mains_zero_and_a_short_sweep_are_left_alone() -> None:
    t_ms = times_ms(5000.0)
    sweep = hum(t_ms, 50.0, 60.0)
    plan = plan_sweeps(5000.0, t_ms.size, 0)
    out = clean_sweeps(sweep[None], plan, 0.0)
    assert np.ptp(out[0, 100:]) == pytest.approx(np.ptp(sweep[100:]), rel=1e-9)
    assert plan_sweeps(5000.0, 300, 0).hum.hz.size == 0


def test_a_part_before_the_stimulus_leaves_the_hum_to_the_fit_on_both_sides() -> None:
    plan = plan_sweeps(5000.0, 1250, 500)
    assert plan.mains.hz.tolist() == [50.0, 60.0]
    assert plan.hum.hz.size == 0
