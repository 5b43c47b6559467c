from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.measure import onset
from monitor.measure.onset_curves import CURVES

FS_HZ, INDEX, N = 5000.0, 500, 1250
T_MS = (np.arange(N) - INDEX) / 5


def sweep(onset_ms: float, peak_uv: float, seed: int, width_ms: float = 14.0) -> np.ndarray:
    share = (T_MS - onset_ms) / width_ms
    wave = np.where((share > 0) & (share < 1), np.sin(2 * np.pi * share), 0.0)
    return np.random.default_rng(seed).normal(0, 2.0, N) + peak_uv * wave


def place_ms(x: np.ndarray, start_ms: float, best_ms: float) -> tuple[float, float, np.ndarray]:
    places = np.empty(400)
    start, best = (INDEX + int(5 * ms) for ms in (start_ms, best_ms))
    at, sd, count = onset.onset_place(x, x, start, best, 0, 495, FS_HZ, places)
    return (at - INDEX) / 5, sd / 5, places[:count]


def slow_scores(levels: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """The log likelihood by numpy's own interpolation, place by place."""

    def on(kind: int, value: float, knots: tuple[float, float]) -> float:
        at = knots[0] + knots[1] * np.arange(onset.KNOTS)
        return float(np.interp(value, at, curves[kind]))

    psi, energy = levels
    m = len(psi)
    low, high = onset.RESIDUE
    residue = np.clip((energy[: onset.RESIDUE_STEPS].max() - low) / (high - low), 0, 1)
    parts = [
        on(0, psi[k], onset.OVER_NOISE)
        + on(1, psi[k] - psi.max(), onset.UNDER_PEAK)
        + on(2, energy[k], onset.OVER_NOISE)
        + on(3, energy[k] - energy.max(), onset.UNDER_PEAK)
        + residue
        * np.exp(-k * onset.STEP_MS / onset.NEAR_MS)
        * (on(7, energy[k], onset.OVER_NOISE) + on(8, energy[k] - energy.max(), onset.UNDER_PEAK))
        for k in range(m)
    ]
    beside = onset.BESIDE_STEPS
    before = [energy[max(0, k - beside)] for k in range(m)]
    after = [energy[min(m - 1, k + beside)] for k in range(m)]
    return np.array(
        [
            sum(parts[k:])
            + on(4, after[k] - before[k], onset.JUMP)
            + on(5, before[k], onset.OVER_NOISE)
            + on(6, before[k] - energy.max(), onset.UNDER_PEAK)
            for k in range(m)
        ]
    )


@settings(max_examples=30, deadline=None)
@given(m=st.integers(1, 60), seed=st.integers(0, 1000), loud=st.floats(-3, 12))
def test_scores_equal_the_slow_sum(m: int, seed: int, loud: float) -> None:
    levels = np.random.default_rng(seed).normal(loud / 2, 3.0, (2, m))
    curves = onset.curves_for(levels[0].max(), levels[1].max(), CURVES)
    np.testing.assert_allclose(
        onset.scores(levels, curves), slow_scores(levels, curves), rtol=1e-9, atol=1e-9
    )


@given(peak=st.floats(-5, 15))
def test_curves_are_blended_between_levels_of_the_strongest_part(peak: float) -> None:
    shares = onset.blend(peak)
    assert shares.sum() == pytest.approx(1.0)
    clipped = np.clip(peak, onset.PEAK_LEVELS[0], onset.PEAK_LEVELS[-1])
    assert shares @ np.array(onset.PEAK_LEVELS) == pytest.approx(clipped)


@given(
    st.lists(st.floats(-30, 30), min_size=1, max_size=80),
    st.floats(-20, 100),
    st.floats(0.5, 20),
)
@settings(deadline=None)
def test_median_and_sd_are_those_of_the_distribution(
    values: list[float], other: float, other_sd: float
) -> None:
    score = np.array(values)
    weight = np.exp(score - score.max())
    weight /= weight.sum()
    at = np.arange(len(values))
    median, sd = onset.median_and_sd(score)
    mean = weight @ at
    assert sd == pytest.approx(np.sqrt(weight @ (at - mean) ** 2), abs=1e-5)
    # A place stands for half a step to each side: as much weight lies before the median as after.
    before = np.interp(median + 0.5, np.arange(len(values) + 1), [0.0, *np.cumsum(weight)])
    assert before == pytest.approx(0.5, abs=1e-6) or (median == 0.0 and weight[0] > 0.5)
    laplace = 0.4 * score - np.abs(at - other) / other_sd
    joint = onset.joint_median(score, 0.4, other, other_sd)
    assert joint == pytest.approx(onset.median_and_sd(laplace)[0])


@pytest.mark.parametrize("onset_ms", [14.0, 25.3, 41.0])
@pytest.mark.parametrize("peak_uv", [20.0, 200.0])
def test_a_response_in_noise_is_placed_within_a_millisecond_and_a_half(
    onset_ms: float, peak_uv: float
) -> None:
    errors = [
        place_ms(sweep(onset_ms, peak_uv, seed), 5.0, onset_ms + 8.0)[0] - onset_ms
        for seed in range(25)
    ]
    assert np.median(np.abs(errors)) < 1.0
    assert np.mean(np.abs(errors)) < 1.5


@pytest.mark.parametrize("gap_ms", [5.0, 8.0, 12.0])
@pytest.mark.parametrize("parts_uv", [(60.0, 90.0), (60.0, 60.0), (90.0, 60.0)])
def test_a_clear_first_part_that_lies_apart_is_not_lost(
    gap_ms: float, parts_uv: tuple[float, float]
) -> None:
    """Silence parts it from the rest, of more than any break of a run rule."""
    second_ms = 29.0 + gap_ms
    for seed in range(10):
        x = sweep(24.0, parts_uv[0], seed, 5.0) + sweep(second_ms, parts_uv[1], 100 + seed, 5.0)
        assert place_ms(x, 5.0, second_ms + 5.0)[0] == pytest.approx(24.0, abs=1.0)


def test_its_sd_grows_where_noise_hides_the_onset() -> None:
    def sds(peak_uv: float) -> list[float]:
        return [place_ms(sweep(25.0, peak_uv, seed), 5.0, 33.0)[1] for seed in range(25)]

    assert np.median(sds(200.0)) < 0.8 < np.median(sds(8.0))


def test_places_begin_at_the_start_and_end_with_the_strongest_stretch() -> None:
    _, _, places = place_ms(sweep(25.0, 50.0, 1), 10.0, 35.0)
    assert len(places) == 50
    assert 25 <= np.argmax(places) <= 35


@pytest.mark.parametrize("fill", [0.0, 3.0])
def test_a_sweep_without_noise_is_no_error(fill: float) -> None:
    x = np.full(N, fill)
    x[650:700] += 100.0
    at, sd, _ = place_ms(x, 5.0, 36.0)
    assert np.isfinite([at, sd]).all()
