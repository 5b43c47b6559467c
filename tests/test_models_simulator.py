"""Whole simulated sweeps: reproducible, disjoint splits, a truth that the sweep bears out."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.simulator import (
    ABSENT_SHARE,
    AMPLITUDE_RANGE_UV,
    ARTEFACT_TYPES,
    SNR_BANDS,
    SPLITS,
    TRAINING_BANDS,
    TRAINING_SHARES,
    Block,
    draw_setup,
    labelled_sweeps,
    main,
    simulate,
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
    for low, high in SNR_BANDS:
        assert np.mean((snr >= low) & (snr < high)) == pytest.approx(0.25, abs=0.06)


def test_sweeps_to_train_on_lie_in_their_bands() -> None:
    drawn = [simulate_block(5, "training", number, 32).truth.snr for number in range(16)]
    snr = np.concatenate(drawn)
    snr = snr[np.isfinite(snr)]
    for (low, high), share in zip(TRAINING_BANDS, TRAINING_SHARES, strict=True):
        assert np.mean((snr >= low) & (snr <= high)) == pytest.approx(share, abs=0.08)
    assert snr.max() <= TRAINING_BANDS[-1][1]


#: Of sixteen sweeps of block 3: mean |sample| in uV, sum of onsets in ms.
STANDING = {"validation": (133.575082, 344.148088), "test": (110.396123, 360.668947)}


@pytest.mark.parametrize("split", list(STANDING))
def test_what_is_validated_and_tested_on_stands(split: str) -> None:
    """Figures stay comparable: what the training split is given reaches no other one."""
    block = simulate_block(2026, split, 3, 16)
    stated = (np.abs(block.sweeps_uv).mean(), np.nansum(block.truth.onset_ms))
    assert stated == pytest.approx(STANDING[split], rel=1e-6)


def test_hard_blocks_hold_fewer_responses_and_more_artefacts() -> None:
    setup = replace(draw_setup(np.random.default_rng(1)), fs_hz=5000.0)
    usual, harder = (
        simulate(np.random.default_rng(2), setup, 400, training=True, hard_block=is_hard).truth
        for is_hard in (False, True)
    )
    assert np.mean(harder.response) < np.mean(usual.response) - 0.05
    assert np.mean(harder.artefact) > np.mean(usual.artefact) + 0.1
    for truth in (usual, harder):
        assert np.isfinite(truth.snr[truth.response]).all()


def test_the_truth_is_that_of_the_noiseless_response(blocks: list[Block]) -> None:
    for block in blocks:
        t_ms = block.setup.t_ms() - block.setup.last_pulse_ms
        for row in np.flatnonzero(block.truth.response):
            wave = block.response_uv[row]
            # Sampled, the peaks can be a little lower than they were.
            span = np.ptp(wave)
            assert 0.65 < span / block.truth.amplitude_uv[row] < 1 + 1e-9
            before = (t_ms > 0) & (t_ms < block.truth.onset_ms[row] - 0.01)
            assert np.abs(wave[before]).max() < 0.051 * span


def test_snr_is_peak_over_the_sd_of_the_noise() -> None:
    """Where a sweep holds nothing but noise and response, the difference is the noise."""
    ratios = []
    for number in range(40):
        block = simulate_block(9, "validation", number, 48)
        noise = block.sweeps_uv - block.response_uv
        present = block.truth.response
        sd = noise.std(axis=1)[present]
        peak = np.abs(block.response_uv).max(axis=1)[present]
        ratios.append(peak / sd / block.truth.snr[present])
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


def test_artefacts_have_types_and_a_severity(blocks: list[Block]) -> None:
    types, severity = joined(blocks, "artefact_types"), joined(blocks, "severity")
    assert types.shape[1] == len(ARTEFACT_TYPES)
    assert np.array_equal(types.any(axis=1), joined(blocks, "artefact"))
    assert np.array_equal(severity > 0, types.any(axis=1))
    assert 0.3 < types.any(axis=1).mean() < 0.6
    assert (types.mean(axis=0) > 0.004).all()


def test_the_cleaning_leaves_hardly_any_mains_with_or_without_a_part_before() -> None:
    column = ARTEFACT_TYPES.index("mains")
    left: dict[bool, list[float]] = {True: [], False: []}
    for number in range(60):
        block = simulate_block(8, "validation", number, 16)
        left[block.setup.stimulus_index > 0].append(block.truth.artefact_types[:, column].mean())
    assert np.mean(left[True]) < 0.08
    assert np.mean(left[False]) < 0.08


def test_a_lost_electrode_holds_no_response() -> None:
    seen = 0
    for number in range(40):
        block = simulate_block(10, "training", number, 32)
        last = block.setup.t_ms() > block.setup.last_pulse_ms + 5.0
        flat = np.ptp(block.sweeps_uv[:, last], axis=1) == 0
        seen += flat.sum()
        assert not block.truth.response[flat].any()
        assert block.truth.artefact_types[flat, ARTEFACT_TYPES.index("electrode")].all()
    assert seen > 0


def test_labelled_sweeps_have_one_shape_and_count_from_the_first_pulse() -> None:
    arrays = labelled_sweeps(3, "test", 80, fs_hz=10_000.0, pulses_ms=(0.0, 3.0, 6.0))
    n = arrays["sweeps_uv"].shape[1]
    assert arrays["sweeps_uv"].shape == (80, n)
    assert (arrays["fs_hz"], arrays["stimulus_index"]) == (10_000.0, 1000)
    present = arrays["present"]
    for name in ("onset_ms", "amplitude_uv", "snr", "duration_ms", "artefact", "morphology"):
        assert arrays[name].shape == (80,)
    assert np.isfinite(arrays["onset_ms"][present]).all()
    assert np.isnan(arrays["onset_ms"][~present]).all()
    assert (arrays["onset_ms"][present] >= 14.0).all()
    assert set(arrays["morphology"][~present]) == {""}
    assert "" not in set(arrays["morphology"][present])
    again = labelled_sweeps(3, "test", 80, fs_hz=10_000.0, pulses_ms=(0.0, 3.0, 6.0))
    assert np.array_equal(arrays["sweeps_uv"], again["sweeps_uv"])


def test_the_command_writes_what_the_accuracy_benchmark_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sweeps.npz"
    main(["--out", str(out), "--n", "20", "--fs-hz", "3000", "--pulses", "2"])
    assert "20 sweeps" in capsys.readouterr().out
    with np.load(out) as stored:
        assert stored["sweeps_uv"].shape[0] == 20
        assert stored["pulses_ms"].tolist() == [0.0, 4.0]
        assert float(stored["fs_hz"]) == 3000.0
