from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io as sio

from monitor.measure.clean import clean_sweeps
from monitor.measure.plan import plan_sweeps

DATA = Path(__file__).parents[2] / "shared" / "data"
FS_HZ = 5000.0
T_MS = (np.arange(1250) - 500) / 5


def hum(mains_hz: float, peak_uv: float, phase: float) -> np.ndarray:
    t_s = T_MS / 1e3
    return peak_uv * (
        np.sin(2 * np.pi * mains_hz * t_s + phase)
        + 0.3 * np.sin(2 * np.pi * 3 * mains_hz * t_s + 2 * phase)
    )


def response(peak_uv: float = 100.0) -> np.ndarray:
    inside = (T_MS > 25) & (T_MS < 40)
    return np.where(inside, peak_uv * np.sin(2 * np.pi * (T_MS - 25) / 15), 0.0)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
@pytest.mark.parametrize("told", [True, False])
def test_mains_goes_and_the_response_stays(mains_hz: float, told: bool) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 2, (8, T_MS.size))
    phases = np.linspace(0, 6, 8)
    sweeps = noise + response() + np.stack([hum(mains_hz, 60.0, p) for p in phases])
    plan = plan_sweeps(FS_HZ, T_MS.size, 500)
    out = clean_sweeps(sweeps, plan, mains_hz if told else None)
    resting = out[:, :480]
    assert np.std(resting, axis=1).max() < 2.3
    peak_to_peak = np.ptp(out[:, 600:720], axis=1)
    np.testing.assert_allclose(peak_to_peak, 200, rtol=0.06)


def test_without_mains_next_to_nothing_is_taken() -> None:
    rng = np.random.default_rng(2)
    sweeps = rng.normal(0, 3, (200, T_MS.size))
    plan = plan_sweeps(FS_HZ, T_MS.size, 500)
    touched = np.abs(clean_sweeps(sweeps, plan, None) - clean_sweeps(sweeps, plan, 0.0)).max(axis=1)
    assert np.mean(touched > 1e-9) <= 0.01


@pytest.mark.parametrize("side", [-50.0, 110.0])
@pytest.mark.parametrize("mains_hz", [50.0, None])
def test_a_twitch_on_one_side_is_not_taken_for_mains(side: float, mains_hz: float | None) -> None:
    """Seven harmonics fit a twitch well enough to lower the sum, and would repeat it elsewhere."""
    twitch = 300.0 * np.exp(-0.5 * ((T_MS - side) / 3.0) ** 2)
    sweep = np.random.default_rng(3).normal(0, 2, T_MS.size) + response() + twitch
    plan = plan_sweeps(FS_HZ, T_MS.size, 500)
    untouched = clean_sweeps(sweep[None], plan, 0.0)
    np.testing.assert_allclose(clean_sweeps(sweep[None], plan, mains_hz), untouched, atol=1e-9)


@pytest.mark.skipif(not DATA.exists(), reason="the recordings in ../shared/data are not here")
def test_no_hum_is_brought_to_recorded_sweeps_with_activity_before_the_stimulus() -> None:
    sweeps = sio.loadmat(DATA / "mepfeatx" / "ID02.mat")["meps"].T[[1, 39]].astype(np.float64)
    plan = plan_sweeps(3000.0, sweeps.shape[1], 150)
    after = slice(plan.mains.after, None)
    least = np.std(clean_sweeps(sweeps, plan, 0.0)[:, after], axis=1)
    assert (np.std(clean_sweeps(sweeps, plan, None)[:, after], axis=1) <= 1.001 * least).all()


def test_mains_zero_leaves_it_alone() -> None:
    sweep = hum(50.0, 60.0, 0.4)[None]
    plan = plan_sweeps(FS_HZ, T_MS.size, 500)
    out = clean_sweeps(sweep, plan, 0.0)
    assert np.ptp(out[0, 600:]) == pytest.approx(np.ptp(sweep[0, 600:]), rel=1e-9)


def test_the_mains_that_goes_is_a_plain_least_squares_fit() -> None:
    """Against numpy's own solution over the same clean part, with drift and offset beside it."""
    rng = np.random.default_rng(9)
    sweep = 3e4 + 0.05 * T_MS + rng.normal(0, 3, T_MS.size) + hum(60.0, 90.0, 0.7)
    out = clean_sweeps(sweep[None], plan_sweeps(FS_HZ, T_MS.size, 500), 60.0)[0]
    position = np.linspace(-1, 1, T_MS.size)
    orders = 2 * np.pi * 60 * np.outer(np.arange(1, 8), T_MS / 1e3)
    waves = np.concatenate([np.cos(orders), np.sin(orders)])
    design = np.concatenate([[np.ones(T_MS.size), position, position**2], waves])
    clean = (T_MS < -1) | (T_MS >= 80)
    fit = np.linalg.lstsq(design[:, clean].T, sweep[clean], rcond=None)[0]
    plain = sweep - fit[3:] @ waves
    outside = (T_MS < -2) | (T_MS > 6)
    difference = (out - plain)[outside]
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)


def test_blanking_removes_each_pulse_of_a_train() -> None:
    pulses_ms = (0.0, 4.0, 8.0)
    sweep = np.full((1, T_MS.size), 3.0)
    for pulse_ms in pulses_ms:
        decay = np.where(pulse_ms <= T_MS, 5000 * np.exp(-(T_MS - pulse_ms) / 0.4), 0.0)
        sweep += np.where(pulse_ms + 3.5 > T_MS, decay, 0.0)
    out = clean_sweeps(sweep, plan_sweeps(FS_HZ, T_MS.size, 500, pulses_ms), 0.0)
    np.testing.assert_allclose(out, 0.0, atol=0.5)


def test_a_long_train_in_strong_hum_leaves_no_mirror_image() -> None:
    """The line that replaces 20 ms of artefact must be drawn after the hum is gone."""
    pulses_ms = (0.0, 4.0, 8.0, 12.0, 16.0)
    rng = np.random.default_rng(4)
    sweep = hum(50.0, 500.0, 1.0) + rng.normal(0, 2, T_MS.size)
    for pulse_ms in pulses_ms:
        sweep += np.where(np.abs(T_MS - pulse_ms - 0.5) < 0.5, 4000.0, 0.0)
    out = clean_sweeps(sweep[None], plan_sweeps(FS_HZ, T_MS.size, 500, pulses_ms), None)[0]
    assert np.abs(out).max() < 12


def test_input_is_left_as_it_was() -> None:
    sweeps = hum(60.0, 60.0, 0.1)[None] + 1000 * (np.abs(T_MS) < 1)
    before = sweeps.copy()
    clean_sweeps(sweeps, plan_sweeps(FS_HZ, T_MS.size, 500), None)
    np.testing.assert_array_equal(sweeps, before)


@pytest.mark.skipif(not DATA.exists(), reason="the recordings in ../shared/data are not here")
def test_real_hum_fitted_outside_artefact_and_response() -> None:
    """With a fit over everything 14.8 uV of noise was seen before the stimulus; outside, 1.7."""
    folder = DATA / "tms-brainvision"
    raw = np.fromfile(folder / "tms-hand.eeg", "<i2").reshape(-1, 4) * [0.5, 0.5, 0.1, 0.1]
    marks = [
        int(line.split(",")[2]) - 1
        for line in (folder / "tms-hand.vmrk").read_text().splitlines()
        if "S255" in line
    ]
    rfdi = np.stack([raw[m - 500 : m + 750, 3] for m in marks])
    plan = plan_sweeps(FS_HZ, 1250, 500)
    ours = np.median(np.std(clean_sweeps(rfdi, plan, 60.0)[:, 250:490], axis=1))
    everything = np.stack([f(2 * np.pi * 60 * h * T_MS / 1e3)
                           for h in range(1, 8) for f in (np.cos, np.sin)])  # fmt: skip
    design = np.concatenate([np.ones((1, 1250)), everything])
    fitted = rfdi - np.linalg.lstsq(design.T, rfdi.T, rcond=None)[0].T @ design
    whole = np.median(np.std(fitted[:, 250:490], axis=1))
    assert ours < 3.0
    assert whole > 3 * ours
