"""The deployed network's design: positions, scale, uncertainties and saliency."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")

from models.compact import (  # noqa: E402
    BIN_MS,
    BINS,
    FIRST_EDGE_MS,
    FOLD,
    STEPS,
    VIEWS,
    CompactNet,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return CompactNet(3.0).eval()


def noise(count: int, seed: int = 1):
    return torch.randn(count, 1, 500, generator=torch.Generator().manual_seed(seed))


def test_answers_have_the_contracts_shapes(model) -> None:
    with torch.no_grad():
        said = model(noise(5))
    assert said.amplitude_uv.shape == said.onset_ms.shape == said.severity.shape == (5,)
    assert said.artefact_types.shape == (5, 7)
    assert said.morphology.shape == (5, 3)
    assert said.embedding.shape == (5, 128)
    assert said.saliency.shape == (5, 500)
    assert all(torch.isfinite(column).all() for column in said)
    for share in (said.artefact, said.response, said.artefact_types, said.morphology):
        assert ((share >= 0) & (share <= 1)).all()


def test_ten_times_the_sweep_is_ten_times_the_amplitude_and_nothing_else(model) -> None:
    sweep = 5.0 * noise(4)
    with torch.no_grad():
        one, ten = model(sweep), model(10 * sweep)
    torch.testing.assert_close(ten.amplitude_uv, 10 * one.amplitude_uv, rtol=1e-3, atol=0)
    torch.testing.assert_close(ten.onset_ms, one.onset_ms, rtol=0, atol=1e-2)
    torch.testing.assert_close(ten.response, one.response, rtol=0, atol=1e-4)


def test_a_flat_line_has_an_answer(model) -> None:
    with torch.no_grad():
        said = model(torch.zeros(1, 1, 500))
    assert all(torch.isfinite(column).all() for column in said)
    assert said.amplitude_uv[0] < 1.0


def logits_at(*bins: int):
    """Pairs of heat maps, all of a map in one bin: that of its row and the next."""
    logits = torch.full((len(bins), FOLD, STEPS), -40.0)
    for row, each in enumerate(bins):
        logits[row, each % FOLD, each // FOLD] = 40.0
    logits = logits.flatten(1)
    return torch.stack([logits, logits.roll(-1, 0)], dim=1)


def test_a_place_is_the_median_of_its_heat_map(model) -> None:
    place = model.place(logits_at(0, 7, 8, 250, BINS - 1))
    at = torch.tensor([0, 7, 8, 250, BINS - 1])
    expected = BIN_MS * (torch.stack([at, at.roll(-1)], dim=1) + 0.5)
    torch.testing.assert_close(place.median_ms, expected, atol=1e-3, rtol=0)
    assert (place.spread_ms < 1e-3).all()
    assert place.step_begun[3, 0, 30] < 1e-6
    assert place.step_begun[3, 0, 31] == pytest.approx(1.0)


def test_median_and_spread_are_those_of_any_distribution(model) -> None:
    logits = 3.0 * torch.randn(3, 2, BINS, generator=torch.Generator().manual_seed(2))
    place = model.place(logits)
    share = torch.softmax(logits, 2).reshape(-1, FOLD, STEPS).transpose(1, 2).flatten(1).numpy()
    medians_ms, spreads_ms = place.median_ms.flatten(), place.spread_ms.flatten()
    for row in range(6):
        reached = np.concatenate([[0.0], np.cumsum(share[row].astype(np.float64))])
        median = BIN_MS * np.interp(0.5, reached, np.arange(BINS + 1))
        assert medians_ms[row].item() == pytest.approx(median, abs=0.02)
        away = np.abs(BIN_MS * (np.arange(BINS) + 0.5) - median)
        assert spreads_ms[row].item() == pytest.approx((share[row] * away).sum(), rel=1e-3)


def test_bins_and_samples_share_their_times(model) -> None:
    """Step i sees sample 8 i in its middle, so a bin's middle lies half a sample after a sample."""
    bin_ms = model.bin_ms.reshape(FOLD, STEPS) + FIRST_EDGE_MS
    assert bin_ms[4, 10].item() == pytest.approx(80 * BIN_MS + 0.5 * BIN_MS, abs=1e-4)
    impulse = torch.zeros(1, 4, 500)
    impulse[0, :, 80] = 100.0
    with torch.no_grad():
        body = torch.relu(model.down(torch.relu(model.stem(impulse))))
        rest = torch.relu(model.down(torch.relu(model.stem(torch.zeros(1, 4, 500)))))
    moved = (body - rest).abs().sum(dim=1)[0]
    # Sample 80 is in the middle of the steps that see it.
    assert (moved > 0).nonzero()[:, 0].float().mean().item() == 10.0


def test_saliency_is_the_gradient_of_the_response_times_the_features(model) -> None:
    body, _ = model.see(noise(3))
    features = body.features.detach().requires_grad_()
    pooled = [
        features.mean(dim=2),
        features.amax(dim=2),
        *(features @ body.views.detach().transpose(1, 2)).unbind(dim=2),
    ]
    weight = model.dense.weight[:, : VIEWS * features.shape[1]]
    active = (body.hidden > 0).float().detach()
    logit = model.heads((torch.cat(pooled, dim=1) @ weight.T) * active)[:, 2]
    (gradient,) = torch.autograd.grad(logit.sum(), features)
    cam = torch.relu((gradient * features).sum(dim=1)).detach()
    with torch.no_grad():
        saliency = model.saliency(body)
    torch.testing.assert_close(saliency[:, ::8], cam, atol=1e-5, rtol=1e-3)
    assert (saliency >= 0).all()
    assert saliency.max() > 0
