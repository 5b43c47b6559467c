"""Calibration: stated spreads cover what they say, and the usual is known."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")

from models.calibrate import LOWEST_SNR, ONE_SD, USUAL_SHARE, calibrate  # noqa: E402
from models.compact import CompactNet  # noqa: E402
from models.dataset import simulate_windows  # noqa: E402
from models.train import sweeps_of  # noqa: E402
from monitor.load_network import load_network  # noqa: E402
from monitor.measure.network import NOVEL  # noqa: E402


def test_stated_spreads_cover_two_thirds_and_the_usual_is_within_one() -> None:
    torch.manual_seed(5)
    model, data = CompactNet(3.0), simulate_windows(5, "validation", 640)
    factors = calibrate(model, data)
    assert all(factor > 0 for factor in factors)
    with torch.no_grad():
        said = model(sweeps_of(data.windows_uv))
    rows = (data.response > 0) & (data.snr >= LOWEST_SNR)
    off_ms = np.abs(said.onset_ms.numpy() - data.onset_ms)[rows]
    off_log = np.abs(np.log(said.amplitude_uv.numpy()[rows] / data.amplitude_uv[rows]))
    assert np.mean(off_ms <= said.onset_sd_ms.numpy()[rows]) == pytest.approx(ONE_SD, abs=0.01)
    assert np.mean(off_log <= said.amplitude_log_sd.numpy()[rows]) == pytest.approx(
        ONE_SD, abs=0.01
    )
    assert np.mean(said.novelty.numpy() <= 1.0) == pytest.approx(USUAL_SHARE, abs=0.004)
    with torch.no_grad():
        strange = model(1e4 * torch.eye(500)[:4, None])
    assert strange.novelty.min() > 0.5


def test_kinds_that_training_shows_are_no_longer_strange() -> None:
    torch.manual_seed(5)
    model, data = CompactNet(3.0), simulate_windows(5, "validation", 320)
    ringing = np.sin(np.arange(500) / 10.0 + 6.0 * np.random.default_rng(5).random((80, 1)))
    waves_uv = (300.0 * ringing).astype(np.float32)

    def novelty(windows_uv: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(sweeps_of(windows_uv)).novelty.numpy()

    calibrate(model, data)
    before = novelty(waves_uv)
    calibrate(model, data, np.concatenate([data.windows_uv, waves_uv]))
    assert np.median(novelty(waves_uv)) < 0.8 * np.median(before)
    assert np.mean(novelty(data.windows_uv) <= 1.0) == pytest.approx(USUAL_SHARE, abs=0.004)


def test_the_deployed_network_tells_the_strange_from_the_usual() -> None:
    network = load_network()
    rng = np.random.default_rng(6)
    at_ms, turns = np.arange(500) / 5.0, rng.random((100, 1))
    noise = rng.standard_normal((100, 500))
    strange = {
        "square waves": np.sign(
            np.sin(2 * np.pi * (at_ms / rng.uniform(6.0, 40.0, (100, 1)) + turns))
        ),
        "tones": np.sin(2 * np.pi * (at_ms * rng.uniform(0.15, 1.0, (100, 1)) + turns)),
    }
    for (name, waves), share in zip(strange.items(), (0.3, 0.8), strict=True):
        novelty = network((30.0 * waves + noise).astype(np.float32)).novelty
        assert novelty is not None
        assert np.mean(novelty > NOVEL) > share, name
    usual = network(simulate_windows(6, "validation", 640).windows_uv).novelty
    assert usual is not None
    assert np.mean(usual > NOVEL) < 0.01
