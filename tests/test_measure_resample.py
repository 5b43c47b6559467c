from __future__ import annotations

import numpy as np
import pytest

from monitor.measure.resample import NETWORK_SAMPLES, lies_within, network_window, phases_of


def wave(t_s: np.ndarray) -> np.ndarray:
    return (
        np.sin(2 * np.pi * 120 * t_s)
        + 0.5 * np.cos(2 * np.pi * 310 * t_s)
        + 0.2 * np.sin(2 * np.pi * 700 * t_s)
    )


@pytest.mark.parametrize(
    "fs_hz", [2000.0, 2048.0, 3000.0, 4096.0, 5000.0, 9600.0, 10000.0, 22000.0]
)
@pytest.mark.parametrize("fraction", [0.0, 0.37, 0.99])
def test_is_the_same_signal_at_5_khz(fs_hz: float, fraction: float) -> None:
    t_s = np.arange(int(0.25 * fs_hz)) / fs_hz
    start = 0.05 * fs_hz + fraction
    sweeps = np.stack([wave(t_s), -2 * wave(t_s), wave(t_s)])
    negative, found = network_window(sweeps, fs_hz, start)[1:]
    wanted = wave(start / fs_hz + np.arange(NETWORK_SAMPLES) / 5000)
    tolerance = 0.05 if fs_hz < 3000 else 0.01  # 700 Hz lies near the corner at 2 kHz
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=tolerance)
    np.testing.assert_array_equal(negative, -2 * found)


def test_on_the_grid_nothing_changes() -> None:
    sweep = np.random.default_rng(0).normal(size=(2, 1000))
    np.testing.assert_allclose(network_window(sweep, 5000.0, 200.0), sweep[:, 200:700], atol=1e-6)


def test_what_5_khz_cannot_hold_is_gone() -> None:
    t_s = np.arange(5500) / 22000
    alias = network_window(np.sin(2 * np.pi * 4600 * t_s)[None], 22000.0, 1100.0)
    assert np.abs(alias).max() < 0.02


def test_before_the_begin_the_first_sample_counts() -> None:
    sweep = np.full((2, 700), -3.0)
    np.testing.assert_allclose(network_window(sweep, 10000.0, -40.5), -3.0, atol=1e-6)


def test_rates_that_share_kernels() -> None:
    assert [phases_of(fs_hz) for fs_hz in (5000.0, 20000.0, 22000.0, 9600.0)] == [1, 1, 5, 25]
    assert phases_of(2048.0) == NETWORK_SAMPLES


@pytest.mark.parametrize("fs_hz", [5000.0, 22000.0])
def test_beyond_the_end_the_sweep_goes_on_mirrored(fs_hz: float) -> None:
    x = wave(np.arange(int(0.1 * fs_hz)) / fs_hz)[None]
    both = np.concatenate([x, x[:, ::-1]], axis=1)
    start = 0.02 * fs_hz
    np.testing.assert_array_equal(
        network_window(x, fs_hz, start), network_window(both, fs_hz, start)
    )
    # Further than the sweep is long there is no mirror left, and no memory to read.
    far = network_window(np.full((1, 100), 4.0), 5000.0, 0.0)
    np.testing.assert_allclose(far, 4.0, atol=1e-6)


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 22000.0])
def test_a_window_may_lack_its_last_15_ms(fs_hz: float) -> None:
    # 99.8 ms from the first sample to the last, which lies at most 15 beyond the sweep's.
    for n_ms, within in ((100.0, True), (85.5, True), (84.0, False), (40.0, False)):
        assert lies_within(round(n_ms * fs_hz / 1e3), fs_hz, 0.0) is within
        assert lies_within(round((30 + n_ms) * fs_hz / 1e3), fs_hz, 0.03 * fs_hz) is within
