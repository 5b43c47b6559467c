"""Training: the loss falls, the command runs and repeats itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")

from models.compact import NARROW, WIDE  # noqa: E402
from models.dataset import simulate_windows  # noqa: E402
from models.train import Stage, build, fit, main, rate_at, read_checkpoint  # noqa: E402

STAGE = Stage(512, 3, 2e-3)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("network", ["compact", "paper"])
def test_the_loss_falls(network: str) -> None:
    torch.manual_seed(4)
    data = simulate_windows(4, "training", 512)
    held = simulate_windows(4, "validation", 128)
    curve = fit(build(network), data, held, STAGE, seed=4)
    assert curve[-1][0] < 0.9 * curve[0][0]
    assert np.isfinite(curve).all()


def test_the_command_repeats_itself_bit_by_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = []
    for name in ("one.pt", "two.pt"):
        where = ["--out", str(tmp_path / "made" / name), "--cache", str(tmp_path / "cache")]
        main(["--tiny", "--seed", "9", *where])
        states.append(torch.load(tmp_path / "made" / name, weights_only=True))
    # Two stages each: the narrow network, and what is deployed.
    assert capsys.readouterr().out.count("epoch   1/1  loss") == 4
    assert states[0]["seed"] == 10
    assert states[0]["epochs"] == "1 epochs of 512 of seed 9, then 1 epochs; no real recording"
    assert states[0]["training_sha256"] == states[1]["training_sha256"]
    for name, value in states[0]["state"].items():
        assert torch.equal(value, states[1]["state"][name]), name


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_the_last_stage_begins_from_a_checkpoint_of_either_size(tmp_path: Path, size) -> None:
    torch.manual_seed(4)
    model = build("compact", size)
    start, out = tmp_path / "start.pt", tmp_path / "out.pt"
    kept = {"network": "compact", "state": model.state_dict(), "sweeps": 512, "seed": 3}
    torch.save(kept, start)
    assert read_checkpoint(start)[0].size == size
    main(["--tiny", "--seed", "9", "--start", str(start), "--out", str(out)])
    made = torch.load(out, weights_only=True)
    assert made["epochs"] == "begun with 512 of seed 3, then 1 epochs; no real recording"
    assert made["seed"] == 10
    assert len(made["state"]["usual"]) == WIDE.seen


def test_the_rate_warms_up_stands_and_falls_to_nothing() -> None:
    rates = np.array([rate_at(step, 5000, 0.4) for step in range(5000)])
    assert rates[0] < 0.01
    assert (rates[200:3000] == 1.0).all()
    assert (np.diff(rates[3000:]) < 0).all()
    assert rates[-1] < 1e-4


def test_a_training_broken_off_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rate follows from the number of all epochs, which the broken one is not told here.
    monkeypatch.setattr("models.train.rate_at", lambda step, steps, falling_share: 1.0)
    data = simulate_windows(4, "training", 512)
    held = simulate_windows(4, "validation", 64)
    made = []
    for parts in ([2], [1, 2]):
        torch.manual_seed(4)
        for number, epochs in enumerate(parts):
            model = build("compact")
            progress = tmp_path / f"{len(parts)}.pt"
            assert progress.exists() == (number > 0)
            fit(model, data, held, STAGE._replace(epochs=epochs), seed=4, progress=progress)
        made.append(model.state_dict())
    for name, value in made[0].items():
        assert torch.equal(value, made[1][name]), name
