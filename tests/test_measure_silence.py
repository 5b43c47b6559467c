"""The silent period on contracted muscles of known pause."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from monitor.measure.plan import plan_sweeps
from monitor.measure.silence import silent_until
from monitor.measure.sweep import measure_sweeps
from monitor.measure.windows import OnsetWindow

FS_HZ, INDEX, N = 5000.0, 500, 3000
PLAN = plan_sweeps(FS_HZ, N, INDEX)
T_MS = (np.arange(N) - INDEX) / 5


def contracted(seed: int, back_ms: float, end_ms: float = 38.0) -> np.ndarray:
    """Background EMG of 20 uV that pauses from ``end_ms`` to ``back_ms``, in hiss of 1 uV."""
    rng = np.random.default_rng(seed)
    sections = signal.butter(2, (40, 400), "bandpass", fs=FS_HZ, output="sos")
    emg = signal.sosfilt(sections, rng.normal(size=N + 500))[500:]
    emg *= 20 / emg.std()
    return np.where((end_ms < T_MS) & (back_ms > T_MS), 0.0, emg) + rng.normal(0, 1, N)


def answered(seed: int, back_ms: float) -> np.ndarray:
    inside = (T_MS > 22) & (T_MS < 38)
    sweep = contracted(seed, back_ms)
    return np.where(inside, 0.0, sweep) + np.where(
        inside, 600 * np.sin(2 * np.pi * (T_MS - 22) / 16), 0.0
    )


@pytest.mark.parametrize("back_ms", [90.0, 150.0, 300.0])
def test_runs_from_the_onset_to_the_return_of_the_background(back_ms: float) -> None:
    sweeps = np.stack([answered(seed, back_ms) for seed in range(20)])
    found, _ = measure_sweeps(sweeps, PLAN, [OnsetWindow(13, 40)] * 20)
    periods = np.array([m.silent_period_ms for m in found if m.silent_period_ms is not None])
    assert periods.size >= 18
    assert abs(np.median(periods) - (back_ms - 22.0)) < 6.0
    assert np.percentile(np.abs(periods - (back_ms - 22.0)), 90) < 15.0


def test_none_without_a_background_without_a_pause_and_without_its_end() -> None:
    rng = np.random.default_rng(1)
    inside = (T_MS > 22) & (T_MS < 38)
    quiet = rng.normal(0, 2, (60, N)) + np.where(inside, 300 * np.sin((T_MS - 22) / 2.5), 0.0)
    steady = np.stack([answered(seed, 38.0) for seed in range(60)])
    endless = np.stack([answered(seed, 1e4) for seed in range(20)])
    for sweeps in (quiet, steady, endless):
        found, _ = measure_sweeps(sweeps, PLAN, [OnsetWindow(13, 40)] * len(sweeps))
        assert sum(m.silent_period_ms is not None for m in found) == 0


def slow_silent_until(band: np.ndarray, end: int) -> float:
    """The same by its definition, one window at a time."""
    start, stop = PLAN.noise
    before = np.mean(band[start:stop] ** 2)
    quiet = [np.sum(band[i : i + 40] ** 2) < 0.16 * before * 40 for i in range(band.size - 41)]
    i = end
    while i < len(quiet):
        if not quiet[i]:
            i += 1
            if i > end + 125:
                return np.nan
            continue
        begin = i
        while i < len(quiet):
            back = i + 39
            if not quiet[i]:
                if i - begin + 40 < 100:
                    break
                if back + 125 > band.size:
                    return np.nan
                if np.mean(band[back : back + 125] ** 2) >= 0.36 * before:
                    return float(back)
            i += 1
        if i > end + 125:
            return np.nan
    return np.nan


def test_equals_the_slow_search() -> None:
    for seed in range(40):
        band = contracted(seed, 60.0 + 8 * seed)
        got, expected = silent_until(band, 690, PLAN.frame), slow_silent_until(band, 690)
        np.testing.assert_equal(got, expected)
