"""Whole simulated sweeps: reproducible, disjoint splits, a truth that the sweep bears out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.simulator import (
    ABSENT_SHARE,
    AMPLITUDE_RANGE_UV,
    SNR_RANGE,
    SPLITS,
    Block,
    draw_setup,
    simulate_block,
)


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return [simulate_block(5, "validation", number, 48) for number in range(24)]


def joined(blocks: list[Block], name: str) -> np.ndarray:
    return np.concatenate([getattr(block.truth, name) for block in blocks])


def test_a_block_follows_from_seed_split_and_number() -> None:
    one, again = (simulate_block(3, "test", 7, 8) for _ in range(2))
    assert one.setup == again.setup
    assert np.array_equal(one.sweeps_uv, again.sweeps_uv)
    for field in dataclasses.fields(one.truth):
        assert np.array_equal(
            getattr(one.truth, field.name), getattr(again.truth, field.name), equal_nan=True
        )


def test_splits_seeds_and_numbers_share_no_sweep() -> None:
    assert len(set(SPLITS.values())) == len(SPLITS) == 3
    seen = set()
    for seed in (1, 2):
        for split in SPLITS:
            for number in range(3):
                block = simulate_block(seed, split, number, 4)
                seen |= {sweep.tobytes() for sweep in block.sweeps_uv}
    assert len(seen) == 2 * 3 * 3 * 4


def test_about_a_third_has_no_response_and_then_nothing_is_claimed(blocks: list[Block]) -> None:
    present = joined(blocks, "response")
    assert np.mean(~present) == pytest.approx(ABSENT_SHARE, abs=0.05)
    for name in ("amplitude_uv", "onset_ms", "duration_ms", "snr"):
        values = joined(blocks, name)
        assert np.isnan(values[~present]).all()
        assert np.isfinite(values[present]).all()
    for block in blocks:
        assert (block.response_uv[~block.truth.response] == 0).all()


def test_amplitudes_and_snr_lie_within_their_ranges(blocks: list[Block]) -> None:
    present = joined(blocks, "response")
    amplitude, snr = joined(blocks, "amplitude_uv")[present], joined(blocks, "snr")[present]
    assert amplitude.min() >= AMPLITUDE_RANGE_UV[0] * (1 - 1e-9)
    assert amplitude.max() <= AMPLITUDE_RANGE_UV[1] * (1 + 1e-9)
    assert snr.min() >= SNR_RANGE[0]
    assert snr.max() <= SNR_RANGE[1]
    assert np.mean(snr < 5) > 0.2


def test_the_truth_is_that_of_the_noiseless_response(blocks: list[Block]) -> None:
    for block in blocks:
        t_ms = block.setup.t_ms() - block.setup.last_pulse_ms
        for row in np.flatnonzero(block.truth.response):
            wave = block.response_uv[row]
            # Sampled, the peaks can be a little lower than they were.
            span = np.ptp(wave)
            assert 0.65 < span / block.truth.amplitude_uv[row] < 1 + 1e-9
            # The high-pass, which comes after the truth, takes some of a peak and shifts the rest.
            before = (t_ms > 0) & (t_ms < block.truth.onset_ms[row] - 0.01)
            away = np.abs(wave - wave[np.flatnonzero(before)[0]])
            assert away[before].max() < 0.09 * away.max()


def test_snr_is_peak_over_the_sd_of_the_noise() -> None:
    """Where a sweep holds nothing but noise and response, the difference is the noise."""
    ratios = []
    for number in range(40):
        block = simulate_block(9, "validation", number, 48)
        noise = block.sweeps_uv - block.response_uv
        sd = noise.std(axis=1)
        peak = np.abs(block.response_uv).max(axis=1)
        present = block.truth.response
        ratios.append((peak / sd / block.truth.snr)[present])
    # Everything that comes on top of the noise lowers the ratio; only clipping raises it.
    every = np.concatenate(ratios)
    assert 0.85 < np.percentile(every, 99.5) < 1.05


def test_setups_cover_the_stated_rates_and_trains() -> None:
    rng = np.random.default_rng(0)
    setups = [draw_setup(rng) for _ in range(400)]
    assert {s.fs_hz for s in setups} >= {2000.0, 5000.0, 22_000.0}
    assert {len(s.pulses_ms) for s in setups} == set(range(1, 10))
    assert {s.mains_hz for s in setups} == {50.0, 60.0}
    for s in setups:
        after_ms = s.t_ms()[-1] - s.last_pulse_ms
        assert after_ms > 94.0
        assert s.lowpass_hz <= 0.4 * s.fs_hz


def test_artefact_means_something_that_could_move_a_measurement(blocks: list[Block]) -> None:
    share = joined(blocks, "artefact").mean()
    assert 0.1 < share < 0.4
