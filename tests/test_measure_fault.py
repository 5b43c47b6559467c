from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measure.fault import faults_of, longest_run
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
    railed[700:720] = 900.0
    low = sweep()
    low[700:720] = -900.0
    quantised = np.round(sweep() / 20) * 20  # many equal samples, all within the noise
    sweeps = np.stack([np.full(1250, 7.0), railed, low, quantised])
    assert faults_of(sweeps, PLAN) == ["flat_line", "saturated", "saturated", ""]


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
