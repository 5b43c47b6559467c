"""The pictures of the accuracy bench: what they show, and none where nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from bench import accuracy_plots, accuracy_saliency
from bench.accuracy_sets import Group, labelled, simulated_set
from bench.methods.base import MethodAnswers
from monitor.measure.network import NetworkOutput


def test_pictures_of_a_simulated_set(tmp_path: Path) -> None:
    data = simulated_set("validation", 2, 512)
    rng = np.random.default_rng(1)
    onset_ms = data.labels["onset_ms"] + rng.normal(0.0, 1.0, data.size)
    answers = MethodAnswers.of(
        data.size,
        response=data.labels["present"],
        score=np.clip(data.labels["present"] + rng.normal(0.0, 0.3, data.size), 0.0, 1.0),
        onset_ms=onset_ms,
        onset_sd_ms=np.exp(rng.normal(0.0, 0.3, data.size)),
        amplitude_uv=data.labels["amplitude_uv"],
        amplitude_lower_uv=0.9 * data.labels["amplitude_uv"],
        amplitude_upper_uv=1.1 * data.labels["amplitude_uv"],
    )
    files = accuracy_plots.draw(data, {"ours, deployed": answers}, tmp_path / "plots")
    assert len(files) == 4
    assert all(path.stat().st_size > 10_000 for path in files)


def test_no_picture_without_snr(tmp_path: Path) -> None:
    data = labelled("x", [Group(np.zeros((2, 900)), 5000.0, 300, (0.0,), np.arange(2))])
    assert accuracy_plots.draw(data, {"m": MethodAnswers.of(2)}, tmp_path) == []


def test_a_stated_sd_is_held_against_the_errors_it_was_stated_for() -> None:
    rng = np.random.default_rng(3)
    stated = np.exp(rng.uniform(-2.0, 2.0, 20_000))
    shown, real = accuracy_plots._by_stated(stated, stated * rng.normal(size=stated.size))
    np.testing.assert_allclose(real / shown, 1.0, atol=0.1)
    shown, real = accuracy_plots._by_stated(stated, 3 * stated * rng.normal(size=stated.size))
    np.testing.assert_allclose(real / shown, 3.0, atol=0.3)


def test_a_stated_probability_is_held_against_what_happened() -> None:
    rng = np.random.default_rng(4)
    stated = rng.random(20_000)
    shown, real = accuracy_plots._by_stated_share(
        stated, (rng.random(stated.size) < stated**2).astype(float)
    )
    np.testing.assert_allclose(real, shown**2, atol=0.04)


@dataclass
class Explained:
    saliency: np.ndarray


class Explaining:
    """Takes the sweep's size for its saliency."""

    window_offset_ms = 3.0

    def __init__(self, able: bool = True) -> None:
        self.able = able

    def __call__(self, windows_uv: np.ndarray) -> NetworkOutput:
        one = np.ones(len(windows_uv))
        return NetworkOutput(100 * one, 22 * one, 10 * one, 0 * one, one)

    def explain(self, windows_uv: np.ndarray) -> Explained | None:
        return Explained(np.abs(windows_uv)) if self.able else None


def test_saliency_is_drawn_where_the_network_explains(tmp_path: Path) -> None:
    sweeps = np.random.default_rng(5).normal(size=(80, 1500))
    sweeps[62, 650:700] += 50.0
    group = Group(sweeps, 5000.0, 500, (0.0,), np.arange(80))
    sets = [labelled("tms-brainvision", [group])]
    shown = accuracy_saliency.explained(Explaining(), sets)
    assert [one.title.partition(" ")[0] for one in shown] == ["hand", "forearm", "silent"]
    # 30 ms after the pulse, in a window that starts at 3 ms with 5 samples a ms.
    assert 130 <= int(np.argmax(shown[0].saliency)) <= 190
    path = tmp_path / "deeper" / "saliency.png"
    assert accuracy_saliency.draw(Explaining(), sets, path)
    assert path.stat().st_size > 10_000
    assert not accuracy_saliency.draw(Explaining(able=False), sets, tmp_path / "none.png")
    assert not accuracy_saliency.draw(Explaining(), [], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
