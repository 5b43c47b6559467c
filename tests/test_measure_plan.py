from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measure.plan import plan_sweeps


@given(
    fs_hz=st.sampled_from([2000.0, 3000.0, 5000.0, 22000.0]),
    pre_ms=st.integers(0, 200),
    post_ms=st.integers(60, 300),
    pulses=st.integers(1, 9),
    interval_ms=st.floats(1.5, 5.0),
)
def test_ranges_lie_inside_the_sweep_and_in_order(
    fs_hz: float, pre_ms: int, post_ms: int, pulses: int, interval_ms: float
) -> None:
    index = int(pre_ms * fs_hz / 1e3)
    n = index + int(post_ms * fs_hz / 1e3)
    train = tuple(interval_ms * p for p in range(pulses))
    plan = plan_sweeps(fs_hz, n, index, train)
    flat = [edge for blank in plan.blanks for edge in blank]
    assert flat == sorted(flat)
    assert flat[0] >= 0
    assert flat[-1] <= n
    for pulse_ms in train:  # each pulse is covered, wherever within a sample it lies
        at = index + pulse_ms * fs_hz / 1e3
        assert any(start <= at and at + 1 < stop for start, stop in plan.blanks)
    start, stop = plan.noise
    assert 0 <= start < stop <= n
    assert plan.mains.before <= index < plan.mains.after
    if plan.noise_source == "pre":
        assert stop <= index
    clean = plan.mains.before + n - plan.mains.after
    for basis in (plan.mains.drift, *plan.mains.basis):
        assert basis.shape[1] == clean
        np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-6)
    for basis in plan.mains.basis:
        np.testing.assert_allclose(basis @ plan.mains.drift.T, 0.0, atol=1e-6)


def test_without_a_rest_before_the_stimulus_noise_comes_from_the_end() -> None:
    plan = plan_sweeps(22000.0, 2200, 0)
    assert plan.noise_source == "tail"
    assert plan.noise[0] >= int(0.08 * 22000)
    assert plan.mains.hz.size == 0  # 20 ms of mains would be a guess


@pytest.mark.parametrize("pre_ms", [50, 100])
def test_both_mains_frequencies_are_on_offer(pre_ms: int) -> None:
    n = int((pre_ms + 150) * 5)
    assert plan_sweeps(5000.0, n, pre_ms * 5).mains.hz.tolist() == [50.0, 60.0]
