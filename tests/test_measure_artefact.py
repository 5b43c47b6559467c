"""The artefact's tail: found, subtracted, and no response taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io as sio
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import analyse
from monitor.measure.artefact import (
    NO_TAIL,
    SUBTRACTED,
    _three_terms,
    blank,
    subtract_tail,
)
from monitor.measure.plan import SweepPlan, plan_sweeps
from monitor.measure.sweep import measure_sweeps
from monitor.measure.windows import OnsetWindow
from monitor.types import Status

INDEX, NOISE_UV = 500, 2.0
TRAIN = (0.0, 3.0, 6.0, 9.0, 12.0)


def times_ms(fs_hz: float) -> np.ndarray:
    return (np.arange(int(0.25 * fs_hz)) - int(0.1 * fs_hz)) * 1e3 / fs_hz


def plan_for(fs_hz: float, pulses_ms: tuple[float, ...] = (0.0,)) -> SweepPlan:
    return plan_sweeps(fs_hz, times_ms(fs_hz).size, int(0.1 * fs_hz), pulses_ms)


def tail(fs_hz: float, at_4_ms_uv: float, tau_ms: float, after_ms: float = 0.0) -> np.ndarray:
    """A spike and a decay, so large 4 ms after the pulse."""
    since = times_ms(fs_hz) - after_ms
    decay = at_4_ms_uv * np.exp((4.0 - since) / tau_ms) + 3000 * np.exp(-since / 0.25)
    return np.where(since >= 0, decay, 0.0)


def response(fs_hz: float, onset_ms: float, amplitude_uv: float) -> np.ndarray:
    share = (times_ms(fs_hz) - onset_ms) / 12.0
    wave = np.sin(2 * np.pi * share) * np.sin(np.pi * share)
    out = np.where((share > 0) & (share < 1), wave, 0.0)
    return amplitude_uv / np.ptp(out) * out


def hiss(fs_hz: float, seed: int, k: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, NOISE_UV, (k, times_ms(fs_hz).size))


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 22000.0])
@pytest.mark.parametrize("tau_ms", [1.0, 2.2, 5.5])
def test_a_decay_goes_down_to_the_noise(fs_hz: float, tau_ms: float) -> None:
    plan = plan_for(fs_hz)
    sweeps = hiss(fs_hz, 1) + tail(fs_hz, 100.0, tau_ms)
    after = slice(plan.search_start, plan.search_start + int(0.015 * fs_hz))
    for sweep in sweeps:
        found, _ = subtract_tail(sweep, 0.0, NOISE_UV, plan.tail)
        assert found == SUBTRACTED
    assert np.sqrt(np.mean(sweeps[:, after] ** 2)) < 1.35 * NOISE_UV


def test_a_ringing_after_a_single_pulse_goes_and_is_left_after_a_train() -> None:
    t_ms = times_ms(5000.0)
    ring = 60 * np.exp(-t_ms / 6) * np.cos(2 * np.pi * 0.06 * t_ms - 1.2)
    sweep = hiss(5000.0, 2, 1)[0] + np.where(t_ms >= 0, ring, 0.0)
    single, train = sweep.copy(), sweep.copy()
    assert subtract_tail(single, 0.0, NOISE_UV, plan_for(5000.0).tail)[0] == SUBTRACTED
    assert np.std(single[525:600]) < 1.5 * NOISE_UV
    # The same curve 12 ms later: after a train it could be a response that the train hides.
    shifted = plan_for(5000.0, TRAIN).tail
    moved = np.roll(train, 60)
    subtract_tail(moved, 0.0, NOISE_UV, shifted)
    assert np.ptp(moved[590:660]) > 0.5 * np.ptp(np.roll(train, 60)[590:660])


def test_without_a_tail_not_a_bit_is_changed() -> None:
    touched = 0
    for sweep in hiss(5000.0, 3, 200) + response(5000.0, 9.0, 300.0):
        before = sweep.copy()
        if subtract_tail(sweep, 0.0, NOISE_UV, plan_for(5000.0).tail)[0] == NO_TAIL:
            np.testing.assert_array_equal(sweep, before)
        else:
            touched += 1
    assert touched <= 2


@pytest.mark.parametrize("fs_hz", [5000.0, 22000.0])
@pytest.mark.parametrize("pulses_ms", [(0.0,), TRAIN])
@pytest.mark.parametrize("onset_ms", [8.5, 10.0, 12.0])
def test_a_short_latency_response_keeps_its_amplitude(
    fs_hz: float, pulses_ms: tuple[float, ...], onset_ms: float
) -> None:
    last_ms = pulses_ms[-1]
    rng = np.random.default_rng(4)
    sweeps = hiss(fs_hz, 5) + response(fs_hz, last_ms + onset_ms, 250.0)
    for sweep in sweeps:
        sign = rng.choice([-1, 1])
        sweep += sign * tail(fs_hz, 100.0, float(np.exp(rng.uniform(0, 1.8))), last_ms)
    window = OnsetWindow(6.0 + last_ms / 2, 30.0 + last_ms)
    found, _ = measure_sweeps(sweeps, plan_for(fs_hz, pulses_ms), [window] * len(sweeps))
    sizes = np.array([m.amplitude_uv for m in found if m.status is Status.RESPONSE])
    assert sizes.size >= 19
    assert abs(np.median(sizes) / 250 - 1) < 0.02
    assert np.percentile(np.abs(sizes / 250 - 1), 90) < 0.05


def test_an_amplitude_beside_a_large_tail_is_uncertain_and_one_far_below_it_none_at_all() -> None:
    def measured(amplitude_uv: float, tail_uv: float):  # type: ignore[no-untyped-def]
        sweeps = hiss(5000.0, 6) + response(5000.0, 9.0, amplitude_uv) + tail(5000.0, tail_uv, 3.0)
        return measure_sweeps(sweeps, plan_for(5000.0), [OnsetWindow(6, 30)] * len(sweeps))[0]

    assert all(m.amplitude_uncertain for m in measured(150.0, 100.0))
    assert not any(m.amplitude_uncertain for m in measured(400.0, 60.0))
    drowned = {(m.status, m.reasons) for m in measured(50.0, 150.0)}
    assert (Status.REJECTED, ("artefact_overlap",)) in drowned
    assert not any(status is Status.RESPONSE for status, _ in drowned)


def test_artefacts_recorded_in_surgery_are_no_response(shared_data: Path) -> None:
    """190 facial sweeps at 22 kHz that start with the stimulus; not one holds a response."""
    path = shared_data / "dbs-artefact" / "EMG_artifacts_templib.mat"
    records = sio.loadmat(path, squeeze_me=True)["EMG_save"]
    sweeps = np.stack([np.asarray(r["data"], float).ravel() for r in records])
    found = analyse(sweeps, 22000.0, 0)
    assert len(found) == 190
    assert sum(m.status is Status.RESPONSE for m in found) == 0
    # Nor are they set aside to get there.
    assert sum(m.status is Status.NO_RESPONSE for m in found) >= 185


@settings(max_examples=40)
@given(st.integers(4, 60), st.integers(0, 2**32 - 1))
def test_three_terms_equal_a_plain_solution(points: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(3, points))
    basis[1] = 1.0
    y, use = rng.normal(size=points), rng.random(points) < 0.8
    use[:4] = True
    held = basis[:, use]
    normal = held @ held.T
    normal[1, 1] += points  # the level is held near 0 by one more set of points there
    expected = np.linalg.solve(normal, held @ y[use])
    scale = 1e-6 * np.linalg.cond(normal) + 1e-6
    np.testing.assert_allclose(_three_terms(basis, y, use), expected, atol=scale)


@given(st.integers(0, 30), st.integers(2, 30), st.integers(1, 5))
def test_blanking_draws_a_straight_line(start: int, length: int, reach: int) -> None:
    rng = np.random.default_rng(start)
    sweep = rng.normal(size=80)
    plain = sweep.copy()
    stop = start + length
    right = plain[stop : stop + reach].mean()
    left = plain[max(0, start - reach) : start].mean() if start else right
    plain[start:stop] = np.linspace(left, right, length)
    blank(sweep, np.array([[start, stop]]), reach)
    np.testing.assert_allclose(sweep, plain, atol=1e-12)
