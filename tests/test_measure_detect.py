"""The calibration itself: noise alone of every colour, rate and sample length, end to end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from monitor.measure.detect import (
    PAPER_GATE_SNR,
    find_burst,
    is_at_work,
    running_rms,
    strongest_bursts,
    threshold_sd,
)
from monitor.measure.noise import robust_sd
from monitor.measure.plan import plan_sweeps
from monitor.measure.sweep import measure_sweeps
from monitor.measure.windows import OnsetWindow
from monitor.types import Status


def noise(kind: str, n: int, fs_hz: float, k: int) -> np.ndarray:
    rng = np.random.default_rng(20)
    x = rng.normal(size=(k, n + 400))
    if kind != "white":
        order, band = (2, (20, 300)) if kind == "emg" else (1, (10, 150))
        shaped = signal.sosfilt(
            signal.butter(order, band, "bandpass", fs=fs_hz, output="sos"), x, axis=1
        )
        x = shaped / shaped.std() + 0.2 * x
    return x[:, 400:]


@pytest.mark.parametrize("kind", ["white", "emg", "slow"])
@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0])
@pytest.mark.parametrize("window", [OnsetWindow(13, 40), OnsetWindow(6, 70)])
def test_noise_alone_is_a_response_in_under_one_percent(
    kind: str, fs_hz: float, window: OnsetWindow
) -> None:
    k, index = 1500, int(0.1 * fs_hz)
    n = index + int(0.15 * fs_hz)
    found, _ = measure_sweeps(noise(kind, n, fs_hz, k), plan_sweeps(fs_hz, n, index), [window] * k)
    share = np.mean([m.status is Status.RESPONSE for m in found])
    # 1 % and the 2.3 SD that 1500 draws leave open.
    assert share <= 0.016


def test_the_papers_gate_lets_pure_noise_pass() -> None:
    """Why the gate stays a comparator: peak / SD of pure noise passes 3 nearly half of the time."""
    x = noise("white", 1250, 5000.0, 2000)
    peak = np.abs(x[:, 530:800]).max(axis=1)
    share = np.mean(peak / x[:, :495].std(axis=1) > PAPER_GATE_SNR)
    assert share > 0.3


@pytest.mark.parametrize("peak_snr", [6.0, 10.0])
def test_a_clear_response_is_found(peak_snr: float) -> None:
    fs_hz, k, n, index = 5000.0, 400, 1250, 500
    t_ms = (np.arange(n) - index) / 5
    response = np.where((t_ms > 22) & (t_ms < 37), np.sin(2 * np.pi * (t_ms - 22) / 15), 0.0)
    sweeps = noise("white", n, fs_hz, k) + peak_snr * response
    found, _ = measure_sweeps(sweeps, plan_sweeps(fs_hz, n, index), [OnsetWindow(13, 40)] * k)
    assert np.mean([m.status is Status.RESPONSE for m in found]) > 0.98


@given(st.integers(2, 12), st.integers(0, 1000))
def test_running_rms_equals_a_plain_one(width: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=60)
    plain = [np.sqrt(np.mean(x[i : i + width] ** 2)) for i in range(60 - width + 1)]
    np.testing.assert_allclose(running_rms(x, width), plain, rtol=1e-9)


def test_a_short_sample_of_noise_asks_for_more() -> None:
    assert threshold_sd(15.0, 40.0) > threshold_sd(50.0, 40.0) > threshold_sd(100.0, 40.0)
    assert threshold_sd(100.0, 80.0) > threshold_sd(100.0, 20.0)


FRAME = plan_sweeps(5000.0, 1000, 500).frame


def band_of(envelope_uv: np.ndarray) -> np.ndarray:
    """A 200 Hz tone under this envelope at 5 kHz."""
    return envelope_uv * np.sqrt(2) * np.sin(2 * np.pi * 200 * np.arange(envelope_uv.size) / 5000)


def test_a_decaying_tail_is_passed_over_and_a_hidden_onset_is_said() -> None:
    envelope = np.full(1000, 1.0)
    envelope[500:560] = np.linspace(20, 1, 60)  # the artefact's tail
    envelope[700:740] = 9.0  # the response
    best, _, _, _, masked, _, _ = find_burst(band_of(envelope), 500, 950, 1.0, FRAME)
    assert (680 <= best < 740, masked) == (True, False)
    envelope[500:560] = np.concatenate([np.linspace(12, 20, 40), np.linspace(20, 1, 20)])
    _, _, _, _, masked, _, _ = find_burst(band_of(envelope), 500, 950, 1.0, FRAME)
    assert masked


def test_what_falls_from_the_start_is_passed_over_but_told_of() -> None:
    """A response right behind the blanking looks the same as a tail: no silence follows from it."""
    envelope = np.full(1000, 1.0)
    envelope[500:530] = 30.0
    best, energy, limit, _, masked, passed, alone = find_burst(
        band_of(envelope), 500, 950, 1.0, FRAME
    )
    assert 500 <= best <= 502
    assert (masked, alone) == (False, True)
    assert passed > 5 * limit > 5 * energy
    envelope[700:740] = 20.0
    best, energy, limit, _, _, passed, alone = find_burst(band_of(envelope), 500, 950, 1.0, FRAME)
    assert (680 <= best < 740, alone) == (True, False)
    assert min(passed, energy) > 5 * limit
    envelope[500:530] = 1.0
    *_, passed, alone = find_burst(band_of(envelope), 500, 950, 1.0, FRAME)
    assert (passed, alone) == (0.0, False)


def test_a_response_soon_after_the_artefact_is_not_hidden() -> None:
    """The 6 ms from the artefact's end already hold part of it; its first millisecond does not."""
    envelope = np.full(1000, 1.0)
    envelope[512:570] = 20.0
    best, _, _, _, masked, _, _ = find_burst(band_of(envelope), 500, 950, 1.0, FRAME)
    assert (best > 500, masked) == (True, False)


def test_a_burst_of_the_noise_that_came_once_is_passed_over_in_the_lenient_threshold() -> None:
    envelope = np.full(1000, 1.0)
    envelope[100:140] = 10.0
    _, _, strict, lenient, *_ = find_burst(band_of(envelope), 520, 950, 1.0, FRAME)
    assert strict > 3 * lenient
    envelope[300:340] = 9.0
    _, _, strict, lenient, *_ = find_burst(band_of(envelope), 520, 950, 1.0, FRAME)
    assert strict == lenient


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 22000.0])
def test_single_potentials_in_the_noise_are_a_muscle_at_work(fs_hz: float) -> None:
    rng = np.random.default_rng(3)
    n = int(0.1 * fs_hz)
    t_ms = np.arange(n) * 1e3 / fs_hz
    band = signal.butter(2, (30.0, 600.0), "bandpass", fs=fs_hz, output="sos")
    hiss = signal.sosfiltfilt(band, rng.normal(size=n))
    hiss /= robust_sd(hiss, np.empty(n))
    assert not is_at_work(hiss, 1.0, fs_hz)
    for at_ms in (18.0, 71.0):
        z = (t_ms - at_ms) / 2.0
        hiss += 12.0 * z * np.exp(0.5 - 0.5 * z * z)
    assert is_at_work(hiss, robust_sd(hiss, np.empty(n)), fs_hz)


def test_too_short_a_noise_shows_no_work() -> None:
    assert not is_at_work(np.ones(8), 1.0, 5000.0)


def test_a_short_noise_has_one_burst_and_no_second_to_hold_it_against() -> None:
    assert strongest_bursts(np.array([1.0, 3.0, 2.0]), 5) == (3.0, 3.0)
