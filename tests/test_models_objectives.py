"""Losses: they count what they should, and fall where an answer gets better."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")

from models.architecture import UNIT_MS, MepCnn  # noqa: E402
from models.compact import BIN_MS, BINS, FIRST_EDGE_MS, FOLD, STEPS, CompactNet  # noqa: E402
from models.dataset import simulate_windows  # noqa: E402
from models.objectives import _distance_ms, _map_loss, losses, targets_of, weighted  # noqa: E402
from models.train import sweeps_of  # noqa: E402


@pytest.fixture(scope="module")
def data():
    return simulate_windows(1, "training", 64)


def test_targets_are_the_truth(data) -> None:
    targets = targets_of(data)
    present = data.response > 0
    np.testing.assert_allclose(targets.onset_ms[present].numpy(), data.onset_ms[present])
    assert all(torch.isfinite(column).all() for column in targets)
    assert (targets.onset_ms[~present] == 0).all()
    assert targets.artefact_types.shape == (64, 7)


@pytest.mark.parametrize("network", [CompactNet, MepCnn])
def test_regressions_count_only_where_there_is_a_response(data, network) -> None:
    torch.manual_seed(0)
    model = network(3.0).eval()
    sweeps, targets = sweeps_of(data.windows_uv), targets_of(data)
    absent = targets.response == 0
    with torch.no_grad():
        before = losses(model, sweeps, targets)
        wrong = targets._replace(
            **{
                name: torch.where(absent, 40.0, getattr(targets, name))
                for name in ("amplitude_uv", "onset_ms", "duration_ms", "phases")
            }
        )
        for name, value in losses(model, sweeps, wrong).items():
            torch.testing.assert_close(value, before[name])
        moved = losses(model, sweeps, targets._replace(onset_ms=targets.onset_ms + 5.0))
        assert moved["onset"] != before["onset"]
        index = absent.nonzero()[:, 0]
        nothing = losses(model, sweeps[index], targets.rows(index))
    assert nothing["onset"] == nothing["amplitude"] == 0
    assert torch.isfinite(weighted(nothing))


def test_a_map_is_best_where_the_truth_is() -> None:
    model = CompactNet(3.0)
    at_ms = torch.full((3,), 30.1)
    off_ms = torch.tensor([0.0, 0.5, 2.0])
    logits = -0.5 * ((model.bin_ms - at_ms[:, None] - off_ms[:, None]) / 0.25).square()
    loss = _map_loss(logits, at_ms, model.bin_ms)
    assert loss[0] < loss[1] < loss[2]
    assert model.bin_ms.min() == pytest.approx(0.1)
    assert FIRST_EDGE_MS < 0


def test_a_map_in_one_bin_is_off_by_as_much_as_it_is_away() -> None:
    logits = torch.full((1, FOLD, STEPS), -40.0)
    logits[0, 3, 20] = 40.0
    middle_ms = BIN_MS * (20 * FOLD + 3.5)
    for off_ms in (-7.0, -1.0, 1.0, 7.0, 30.0):
        at_ms = torch.tensor([middle_ms + off_ms])
        distance_ms = _distance_ms(logits.flatten(1), at_ms).item()
        assert distance_ms == pytest.approx(abs(off_ms), abs=1e-3)
    assert _distance_ms(logits.flatten(1), torch.tensor([middle_ms])).item() < 1e-3


def test_the_distance_is_least_for_the_distribution_that_the_truth_is_drawn_from() -> None:
    rng = np.random.default_rng(3)
    truth_ms = torch.from_numpy(rng.normal(40.0, 3.0, 4000)).float()
    bin_ms = CompactNet(3.0).bin_ms
    mean = [
        _distance_ms(
            (-0.5 * ((bin_ms - 40.0 - off) / sd).square()).expand(4000, BINS), truth_ms
        ).mean()
        for off, sd in ((0.0, 3.0), (0.0, 1.5), (0.0, 6.0), (2.0, 3.0))
    ]
    assert min(mean[1:]) > mean[0]


def test_a_response_deep_in_noise_weighs_less_in_the_papers_regressions(data) -> None:
    torch.manual_seed(0)
    model = MepCnn(3.0).eval()
    rows = targets_of(data).response.nonzero()[:2, 0]
    sweeps = sweeps_of(data.windows_uv)[rows]
    targets = targets_of(data).rows(rows)._replace(snr=torch.tensor([1.5, 50.0]))
    with torch.no_grad():
        onset_ms = UNIT_MS * model.raw(sweeps)[0].onset
        wrong = [
            losses(model, sweeps, targets._replace(onset_ms=onset_ms + UNIT_MS * one))["onset"]
            for one in torch.eye(2)
        ]
    assert wrong[1] > 5 * wrong[0]
