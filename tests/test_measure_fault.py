from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measure.fault import CLIPPED, faults_of, longest_run
from monitor.measure.plan import plan_sweeps

PLAN = plan_sweeps(5000.0, 1250, 500)


def sweep(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, 1250)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=50))
def test_longest_run_equals_the_slow_one(values: list[int]) -> None:
    slow = max((len(list(run)) for value, run in groupby(values) if value == 1), default=0)
    assert longest_run(np.array(values, dtype=float), 1.0) == slow


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 600, 1249])
def test_a_missing_sample_anywhere_is_found(bad: float, at: int) -> None:
    sweeps = np.stack([sweep(0), sweep(1), sweep(2)])
    sweeps[1, at] = bad
    assert faults_of(sweeps, PLAN) == ["", "nan", ""]


def test_a_flat_line_and_a_rail_are_named_and_a_flat_topped_noise_is_not() -> None:
    railed = sweep()
    railed[700:830] = 900.0
    low = sweep()
    low[700:830] = -900.0
    quantised = np.round(sweep() / 4) * 4  # many equal samples, all within the noise
    lost = sweep()
    lost[480:] = lost[480]
    sweeps = np.stack([np.full(1250, 7.0), railed, low, quantised, lost])
    assert faults_of(sweeps, PLAN) == ["flat_line", "saturated", "saturated", "", "flat_line"]


def response(peak_uv: float) -> np.ndarray:
    wave = np.zeros(1250)
    wave[620:700] = peak_uv * np.sin(2 * np.pi * np.arange(80) / 80)
    return wave


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
def test_tops_that_were_cut_off_leave_a_sweep_to_be_measured(share: float) -> None:
    whole = sweep() + response(400.0)
    assert faults_of(whole[None], PLAN) == [""]
    assert faults_of(np.clip(whole, -np.inf, share * 400.0)[None], PLAN) == [CLIPPED]
    assert faults_of(np.clip(whole, -share * 400.0, np.inf)[None], PLAN) == [CLIPPED]


@pytest.mark.parametrize("cut_uv", [180.0, 220.0])
def test_cutting_is_seen_in_hum_that_hides_the_noise(cut_uv: float) -> None:
    hum = 100.0 * np.sin(2 * np.pi * 50 * np.arange(1250) / 5000)
    whole = sweep() + response(300.0) + hum
    assert faults_of(np.clip(whole, -cut_uv, cut_uv)[None], PLAN) == [CLIPPED]


@pytest.mark.parametrize("fs_hz", [5000.0, 22000.0])
@pytest.mark.parametrize("step_uv", [0.1, 1.0, 5.0])
def test_a_smooth_peak_in_steps_of_a_converter_was_not_cut(fs_hz: float, step_uv: float) -> None:
    plan = plan_sweeps(fs_hz, int(0.25 * fs_hz), int(0.1 * fs_hz))
    t_ms = np.arange(int(0.25 * fs_hz)) * 1e3 / fs_hz - 100
    inside = (t_ms > 20) & (t_ms < 45)
    rng = np.random.default_rng(3)
    noise = rng.normal(0, max(2.0, step_uv), (20, t_ms.size))
    peak_uv = np.linspace(200, 4000, 20)[:, None]
    sweeps = noise + peak_uv * inside * np.sin(2 * np.pi * (t_ms - 20) / 25)
    assert faults_of(np.round(sweeps / step_uv) * step_uv, plan).count("") >= 19


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 22000.0])
@pytest.mark.parametrize(("step_uv", "noise_uv"), [(0.1, 0.2), (1.0, 0.5), (2.5, 0.5), (5.0, 0.2)])
@pytest.mark.parametrize("lobes", [1, 2])
def test_only_a_corner_tells_a_cut_from_a_top_that_the_converter_rounded(
    fs_hz: float, step_uv: float, noise_uv: float, lobes: int
) -> None:
    """A quiet muscle, slow responses, a coarse converter: equal samples wherever one looks."""
    plan = plan_sweeps(fs_hz, int(0.25 * fs_hz), int(0.1 * fs_hz))
    t_ms = np.arange(int(0.25 * fs_hz)) * 1e3 / fs_hz - 100
    inside = (t_ms > 20) & (t_ms < 40)
    rng = np.random.default_rng(71000)
    peak_uv = np.geomspace(200, 4000, 20)[:, None]
    whole = peak_uv * inside * np.sin(lobes * np.pi * (t_ms - 20) / 20)
    whole += rng.normal(0, noise_uv, (20, t_ms.size))

    def converted(sweeps: np.ndarray) -> np.ndarray:
        return np.asarray(np.round(sweeps / step_uv) * step_uv)

    assert faults_of(converted(whole), plan) == [""] * 20
    cut = converted(np.clip(whole, -0.6 * peak_uv, 0.6 * peak_uv))
    assert faults_of(cut, plan).count(CLIPPED) >= 18


def test_a_rail_within_the_artefact_does_not_count() -> None:
    railed = sweep()
    railed[500:515] = 5000.0
    assert faults_of(railed[None], PLAN) == [""]


@pytest.mark.parametrize("amplitude_uv", [4000.0, 9000.0])
def test_clipping_over_the_whole_epoch_leaves_no_noise_to_know_it_by(amplitude_uv: float) -> None:
    hum = amplitude_uv * np.sin(2 * np.pi * 50 * np.arange(1250) / 5000)
    cautery = np.random.default_rng(1).normal(0, amplitude_uv, 1250)
    sweeps = np.clip(np.stack([hum, cautery]), -3200.0, 3200.0)
    assert faults_of(sweeps, PLAN) == ["saturated", "saturated"]


@pytest.mark.parametrize("step_uv", [2.0, 6.0, 20.0])
def test_a_converter_coarser_than_the_noise_is_no_clipping(step_uv: float) -> None:
    coarse = np.round(sweep() / step_uv) * step_uv
    assert faults_of(coarse[None], PLAN) == [""]
