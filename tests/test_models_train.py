"""Training: the loss counts what it should, the command runs and repeats itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")

from models.architecture import UNIT_MS, MepCnn  # noqa: E402
from models.dataset import simulate_windows  # noqa: E402
from models.train import fit, losses, main, tensors  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def test_targets_are_the_truth_in_the_networks_units() -> None:
    data = simulate_windows(1, "training", 64)
    sweeps, targets = tensors(data)
    assert sweeps.shape == (64, 1, 500)
    assert torch.isfinite(targets).all()
    present = data.response > 0
    np.testing.assert_allclose(targets[present, 1].numpy() * UNIT_MS, data.onset_ms[present])
    assert (targets[~present][:, [0, 1, 2, 5]] == 0).all()


def test_regressions_count_only_where_there_is_a_response() -> None:
    torch.manual_seed(0)
    model = MepCnn(3.0).eval()
    sweeps, targets = tensors(simulate_windows(1, "training", 64))
    with torch.no_grad():
        before = losses(model, sweeps, targets)
        absent = targets[:, 4] == 0
        targets[absent, 0:3] = 1e3
        torch.testing.assert_close(losses(model, sweeps, targets), before)
        targets[~absent, 1] += 1.0
        assert losses(model, sweeps, targets)[1] != before[1]
        nothing = losses(model, sweeps[absent], targets[absent])
    assert (nothing[:3] == 0).all()
    assert torch.isfinite(nothing).all()


def test_a_response_deep_in_noise_weighs_less() -> None:
    torch.manual_seed(0)
    model = MepCnn(3.0).eval()
    sweeps, targets = tensors(simulate_windows(1, "training", 64))
    two = targets[:, 4].nonzero()[:2, 0]
    sweeps, targets = sweeps[two], targets[two]
    targets[:, 5] = torch.tensor([1.5, 50.0])
    with torch.no_grad():
        onset = model.raw(sweeps)[0].onset
        wrong = []
        for row in range(2):
            targets[:, 1] = onset
            targets[row, 1] += 1.0
            wrong.append(losses(model, sweeps, targets)[1])
    assert wrong[1] > 5 * wrong[0]


def test_the_loss_falls() -> None:
    torch.manual_seed(4)
    data = simulate_windows(4, "training", 512)
    held = simulate_windows(4, "validation", 128)
    curve = fit(MepCnn(3.0), data, held, epochs=3, seed=4)
    assert curve[-1][0] < 0.8 * curve[0][0]


def test_the_command_repeats_itself_bit_by_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = []
    for name in ("one.pt", "two.pt"):
        main(["--tiny", "--seed", "9", "--out", str(tmp_path / "made" / name)])
        states.append(torch.load(tmp_path / "made" / name, weights_only=True))
    assert "epoch   1/1  loss" in capsys.readouterr().out
    assert states[0]["training_sha256"] == states[1]["training_sha256"]
    for name, value in states[0]["state"].items():
        assert torch.equal(value, states[1]["state"][name]), name
