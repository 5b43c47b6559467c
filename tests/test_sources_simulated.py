import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sources.scenario import SCENARIOS, Scenario
from monitor.sources.simulated import (
    MUSCLES,
    ONSET_SHARE,
    TRAIN_MS,
    SimulatedCase,
    SimulatedSource,
    TrialTruth,
)
from monitor.types import Chunk, Marker, MonitorError, Tick

QUIET = tuple(replace(m, noise_uv=0.0, mains_uv=0.0, ecg_uv=0.0, artefact_uv=0.0) for m in MUSCLES)
FAST = Scenario("fast", interval_s=0.3, interval_jitter_s=0.03, first_stimulus_s=0.1)


def synthesise(case: SimulatedCase, seconds: float) -> tuple[np.ndarray, list[TrialTruth]]:
    blocks = [case.next_block(500) for _ in range(round(seconds * case.fs_hz / 500))]
    truths = [truth for block in blocks for truth in block.stimuli]
    return np.concatenate([block.samples_uv for block in blocks]), truths


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=12), seed=st.integers(0, 5))
def test_the_same_case_in_any_blocks(sizes: list[int], seed: int) -> None:
    case = SimulatedCase(seed, 2000.0, FAST)
    blocks = [case.next_block(n) for n in sizes]
    whole = SimulatedCase(seed, 2000.0, FAST).next_block(sum(sizes))
    np.testing.assert_array_equal(np.concatenate([b.samples_uv for b in blocks]), whole.samples_uv)
    assert [b.first_sample for b in blocks] == [sum(sizes[:i]) for i in range(len(sizes))]
    truths = [truth for block in blocks for truth in block.stimuli]
    # A lost response has no onset, and NaN equals nothing: compare as written.
    assert repr(truths) == repr(list(whole.stimuli))


def test_another_seed_is_another_case() -> None:
    first = SimulatedCase(1).next_block(1000).samples_uv
    assert not np.array_equal(first, SimulatedCase(2).next_block(1000).samples_uv)


@pytest.mark.parametrize("fs_hz", [5000.0, 20000.0])
def test_the_truth_is_in_the_samples(fs_hz: float) -> None:
    samples, truths = synthesise(SimulatedCase(3, fs_hz, FAST, QUIET), 2.0)
    checked = 0
    for truth in truths:
        first = math.ceil(truth.stimulus_s * fs_hz)
        sweep = samples[first : first + round(0.15 * fs_hz)]
        if len(sweep) < round(0.15 * fs_hz):
            continue
        t_ms = ((first + np.arange(len(sweep))) / fs_hz - truth.stimulus_s) * 1e3
        # Drift is slow: its mean before the answer is its value.
        sweep = sweep - sweep[t_ms < 25].mean(axis=0)
        for channel in range(len(MUSCLES)):
            amplitude = truth.amplitude_uv[channel]
            assert np.ptp(sweep[:, channel]) == pytest.approx(amplitude, rel=0.02, abs=3.0)
            before = np.abs(sweep[t_ms < truth.onset_ms[channel] - 0.5, channel])
            assert before.max() < ONSET_SHARE * amplitude + 3.0
            after = np.abs(sweep[t_ms < truth.onset_ms[channel] + 4.0, channel])
            assert after.max() > 3 * ONSET_SHARE * amplitude
            checked += 1
    assert checked >= 40


def test_latencies_are_conduction_after_the_last_pulse() -> None:
    _, truths = synthesise(SimulatedCase(1, scenario=FAST), 3.0)
    for i, muscle in enumerate(MUSCLES):
        onsets = [truth.onset_ms[i] - TRAIN_MS[-1] for truth in truths]
        assert np.median(onsets) == pytest.approx(muscle.conduction_ms, abs=2.0)
        assert np.std(onsets) < 0.6


def test_amplitudes_vary_as_the_scenario_says() -> None:
    _, truths = synthesise(SimulatedCase(1, 1000.0, FAST, QUIET), 60.0)
    amplitudes = np.array([truth.amplitude_uv for truth in truths])
    assert len(amplitudes) > 180
    cv = amplitudes.std(axis=0) / amplitudes.mean(axis=0)
    assert np.all((cv > 0.12) & (cv < 0.18))


def test_the_demo_loses_the_left_leg_alone() -> None:
    scenario = replace(SCENARIOS["demo"].at_interval(0.3), first_stimulus_s=0.1)
    _, truths = synthesise(SimulatedCase(1, 1000.0, scenario, QUIET), 8.0)
    names = [m.name for m in MUSCLES]
    amplitudes = np.array([truth.amplitude_uv for truth in truths])
    share = np.median(amplitudes[14:24], axis=0) / np.median(amplitudes[:14], axis=0)
    assert share[names.index("L-AH")] == 0.0
    assert share[names.index("L-TA")] == pytest.approx(0.15, abs=0.04)
    others = [i for i, name in enumerate(names) if name not in ("L-AH", "L-TA")]
    assert np.all(np.abs(share[others] - 1.0) < 0.25)
    assert math.isnan(truths[14].onset_ms[names.index("L-AH")])


def test_background_is_what_it_is_said_to_be() -> None:
    no_stimuli = Scenario("rest", first_stimulus_s=1e9)
    samples, truths = synthesise(SimulatedCase(1, 5000.0, no_stimuli), 10.0)
    assert truths == []
    spectrum = np.abs(np.fft.rfft(samples, axis=0)) / len(samples) * 2
    for i, muscle in enumerate(MUSCLES):
        assert spectrum[500, i] == pytest.approx(muscle.mains_uv, rel=0.05)
        high = samples[:, i] - samples[:, i].mean()
        power = np.abs(np.fft.rfft(high)) ** 2 / len(high) ** 2 * 2
        band_uv = math.sqrt(power[4000:14000].sum())
        # 400 to 1400 Hz of the 10-1500 Hz band, so most of the noise and nothing else.
        assert 0.6 * muscle.noise_uv < band_uv < 1.0 * muscle.noise_uv


def test_the_artefact_is_large_and_short() -> None:
    case = SimulatedCase(1, 5000.0, FAST)
    bare = SimulatedCase(1, 5000.0, FAST, [replace(m, artefact_uv=0.0) for m in MUSCLES])
    samples, truths = synthesise(case, 0.5)
    artefact = samples - synthesise(bare, 0.5)[0]
    t_ms = (np.arange(len(artefact)) / 5000.0 - truths[0].stimulus_s) * 1e3
    during = (t_ms >= 0) & (t_ms < TRAIN_MS[-1] + 4.0)
    assert np.abs(artefact[during]).max() > 1000.0
    rest = (t_ms >= TRAIN_MS[-1] + 4.0) & (t_ms < 200.0)
    assert np.abs(artefact[rest]).max() < 1.0
    assert np.abs(artefact[t_ms < 0]).max() < 1e-3


def test_memory_does_not_grow() -> None:
    case = SimulatedCase(1, 1000.0, FAST)
    for _ in range(300):
        case.next_block(100)
        assert len(case._events) < 6


def test_too_low_a_rate_is_refused() -> None:
    with pytest.raises(MonitorError, match="fs 500 Hz"):
        SimulatedCase(1, 500.0)


def test_as_a_source() -> None:
    items = []
    source = SimulatedSource(
        SimulatedCase(1, 2000.0, FAST), duration_s=1.0, speed=None, chunk_samples=30
    )
    with source:
        assert source.info.kind == "simulated"
        assert source.info.channel_names == tuple(m.name for m in MUSCLES)
        while not source.exhausted:
            items += source.read(1.0)
    chunks = [i for i in items if isinstance(i, Chunk)]
    expected = SimulatedCase(1, 2000.0, FAST).next_block(2000)
    np.testing.assert_array_equal(
        np.concatenate([c.samples_uv for c in chunks]), expected.samples_uv
    )
    np.testing.assert_array_equal(
        np.concatenate([c.t_lsl for c in chunks]), np.arange(2000) / 2000.0
    )
    markers = [i for i in items if isinstance(i, Marker)]
    assert [m.t_lsl for m in markers] == [t.stimulus_s for t in expected.stimuli]
    assert {m.value for m in markers} == {"TES C1C2 400V"}
    assert sum(isinstance(i, Tick) for i in items) == 19
