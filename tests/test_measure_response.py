"""What is read off a filtered sweep, against a plain-numpy reading of the same one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.measure.noise import MAD_TO_SD, READ_SD, TRUE_SD
from monitor.measure.plan import plan_sweeps
from monitor.measure.response import Found, Reading, Views, read_sweeps

FS_HZ, INDEX, N = 5000.0, 500, 1250
PLAN = plan_sweeps(FS_HZ, N, INDEX)
T_MS = (np.arange(N) - INDEX) / 5


def read(
    sweep: np.ndarray, low_ms: float = 13.0, high_ms: float = 40.0, tkeo_k: float = 0.0
) -> Reading:
    """The filters left out: what the stages see is the sweep itself."""
    span = [[PLAN.sample_at_ms(low_ms), PLAN.sample_at_ms(high_ms) + 1]]
    views = Views(sweep[None], sweep[None], sweep[None])
    return read_sweeps(views, PLAN.frame, np.array(span, dtype=np.int64), tkeo_k)[0]


def answer(onset_ms: float, amplitude_uv: float, noise_uv: float, seed: int) -> np.ndarray:
    share = (T_MS - onset_ms) / 14.0
    wave = np.where((share > 0) & (share < 1), np.sin(2 * np.pi * share), 0.0)
    return np.random.default_rng(seed).normal(0, noise_uv, N) + amplitude_uv / 2 * wave


@settings(max_examples=40)
@given(
    onset_ms=st.floats(20, 36),
    amplitude_uv=st.floats(300, 5000),
    seed=st.integers(0, 1000),
)
def test_a_reading_follows_from_its_own_onset_and_end(
    onset_ms: float, amplitude_uv: float, seed: int
) -> None:
    sweep = answer(onset_ms, amplitude_uv, 2.0, seed)
    got = read(sweep)
    assert got.found == Found.CANDIDATE
    assert (got.onset_sample - INDEX) / 5 == pytest.approx(onset_ms, abs=1.0)
    assert (got.end_sample - INDEX) / 5 == pytest.approx(onset_ms + 14, abs=2.0)
    first, end = int(got.onset_sample), int(got.end_sample) + 1
    assert got.raw_uv == np.ptp(sweep[first:end])
    level = np.median(sweep[first - 25 : first + 1])
    assert got.peak_uv == pytest.approx(np.abs(sweep[first:end] - level).max(), abs=1e-9)
    area = np.abs(sweep[first:end] - level).sum()
    assert got.area_uv_samples == pytest.approx(area)
    start, stop = PLAN.noise
    at = np.arange(stop - start)
    flat = sweep[start:stop] - np.polyval(np.polyfit(at, sweep[start:stop], 1), at)
    sd = MAD_TO_SD * np.median(np.abs(flat - np.median(flat)))
    assert got.smooth_sd_uv == pytest.approx(sd)
    reads = got.raw_uv / got.smooth_sd_uv
    if reads < READ_SD[-1]:
        expected = got.smooth_sd_uv * np.interp(reads, READ_SD, TRUE_SD)
        assert got.amplitude_uv == pytest.approx(expected)


def test_each_way_to_find_nothing_has_its_name() -> None:
    assert read(answer(25, 0.0, 2.0, 0)).found == Found.NOTHING
    assert read(answer(45, 400.0, 2.0, 0)).found in (Found.OUTSIDE, Found.NOTHING)
    assert read(answer(25, 400.0, 2.0, 0), 1.0, 3.5).found == Found.MASKED


def test_the_ratio_tells_how_clear_a_sweep_is() -> None:
    absent = [read(answer(25, 0.0, 2.0, seed)).energy_ratio for seed in range(50)]
    present = [read(answer(25, 60.0, 2.0, seed)).energy_ratio for seed in range(50)]
    assert np.percentile(absent, 95) < 1.0 < np.percentile(present, 5)


def test_alone_or_together_the_same_bits() -> None:
    sweeps = np.stack([answer(20 + s, 40.0 * s, 2.0, s) for s in range(9)])
    spans = np.tile([[565, 701]], (9, 1)).astype(np.int64)
    together = read_sweeps(Views(sweeps, sweeps, sweeps), PLAN.frame, spans, 0.0)
    for row, sweep in enumerate(sweeps):
        one = Views(sweep[None], sweep[None], sweep[None])
        alone = read_sweeps(one, PLAN.frame, spans[:1], 0.0)[0]
        np.testing.assert_array_equal(alone[:-1], together[row][:-1])
        np.testing.assert_array_equal(alone.places, together[row].places)


def test_an_onset_by_threshold_has_no_likelihood() -> None:
    sweep = answer(25, 400.0, 2.0, 3)
    weighed, crossed = read(sweep), read(sweep, tkeo_k=8.0)
    for got in (weighed, crossed):
        assert (got.onset_sample - INDEX) / 5 == pytest.approx(25.0, abs=1.0)
    assert crossed.places.size == 0
    assert np.isnan(crossed.onset_sd_samples)
    at = (weighed.onset_sample - weighed.first_place) / 2.5
    assert abs(np.argmax(weighed.places) - at) < 4
    assert weighed.onset_sd_samples < 10.0
