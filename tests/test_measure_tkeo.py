from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from monitor.measure.tkeo import first_run, foot_of, onset_before, smoothed_energy, tkeo

signals = hnp.arrays(
    np.float64, st.integers(3, 120), elements=st.floats(-1e3, 1e3, allow_subnormal=False)
)


def slow_tkeo(x: np.ndarray) -> np.ndarray:
    out = [x[i] ** 2 - x[i - 1] * x[i + 1] for i in range(1, len(x) - 1)]
    return np.array([out[0], *out, out[-1]])


def slow_first_run(above: list[bool], start: int, stop: int, run: int) -> int:
    for i in range(start, min(stop, len(above)) - run + 1):
        if all(above[i : i + run]):
            return i
    return -1


@given(signals)
def test_operator_equals_its_definition(x: np.ndarray) -> None:
    np.testing.assert_allclose(tkeo(x), slow_tkeo(x), rtol=1e-12, atol=1e-9)


@settings(deadline=None)
@given(signals, st.sampled_from([1, 3, 5, 9]))
def test_smoothing_equals_a_plain_mean(x: np.ndarray, width: int) -> None:
    energy = np.abs(slow_tkeo(x))
    half = width // 2
    plain = [energy[max(0, i - half) : i + half + 1].mean() for i in range(x.size)]
    np.testing.assert_allclose(smoothed_energy(x, width), plain, rtol=1e-9, atol=1e-6)


@given(
    st.lists(st.booleans(), min_size=1, max_size=80),
    st.integers(0, 20),
    st.integers(0, 90),
    st.integers(1, 8),
)
def test_first_run_equals_the_slow_search(
    above: list[bool], start: int, stop: int, run: int
) -> None:
    energy = np.array(above, dtype=float)
    assert first_run(energy, 0.5, start, stop, run) == slow_first_run(above, start, stop, run)


def test_a_lone_spike_is_no_onset() -> None:
    """The run counter starts anew at each break: a spike at 10 must not win over a burst at 200."""
    energy = np.zeros(400)
    energy[10] = 100.0
    energy[200:240] = 10.0
    assert first_run(energy, 1.0, 0, 400, 5) == 200
    assert onset_before(energy, 1.0, 0, 220, 5, 25) == 200


def test_activity_that_died_down_is_not_the_onset() -> None:
    energy = np.zeros(600)
    energy[100:130] = 10.0  # background, 40 ms earlier
    energy[300:310] = 10.0  # first phase
    energy[325:360] = 50.0  # the rest, after a short break
    assert onset_before(energy, 1.0, 0, 340, 5, 25) == 300


@given(scale=st.floats(0.01, 1e4), onset=st.integers(150, 300))
@settings(deadline=None, max_examples=30)
def test_foot_is_where_the_deflection_begins_at_any_scale(scale: float, onset: int) -> None:
    t = np.arange(600.0)
    sweep = scale * np.where(t > onset, np.sin((t - onset) / 15), 0.0) * (t < onset + 94)
    found = foot_of(sweep, onset + 12, 50, onset + 94, 0.0, 5000.0)
    # 5 % of the peak of a sine with this period is reached 0.75 samples after its start.
    assert abs(found - (onset + 0.75)) < 0.6
