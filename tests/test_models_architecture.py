"""The network's shape, and what holds for it before any training."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")

from torch import nn  # noqa: E402

from models.architecture import UNIT_MS, MepCnn  # noqa: E402

OFFSET_MS = 3.0


@pytest.fixture
def model() -> MepCnn:
    torch.manual_seed(1)
    return MepCnn(OFFSET_MS).eval()


def sweeps(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 1, 500, generator=torch.Generator().manual_seed(2))


def test_it_is_the_papers_network(model: MepCnn) -> None:
    blocks = [
        part
        for block in (model.block1, model.block2, model.block3)
        for part in block
        if isinstance(part, nn.Conv1d)
    ]
    assert [(c.out_channels, c.kernel_size[0]) for c in blocks] == [(32, 25), (64, 15), (128, 9)]
    pools = [part for part in model.modules() if isinstance(part, nn.MaxPool1d)]
    assert [pool.kernel_size for pool in pools] == [2, 2, 2]
    assert len([part for part in model.modules() if isinstance(part, nn.BatchNorm1d)]) == 4
    assert model.dense[0].out_features == 256
    assert [part.p for part in model.modules() if isinstance(part, nn.Dropout)] == [0.3]
    assert model.heads.out_features == 5


@pytest.mark.parametrize("count", [1, 16])
def test_five_answers_a_sweep(model: MepCnn, count: int) -> None:
    answers = model(sweeps(count))
    assert answers._fields == ("amplitude_uv", "onset_ms", "duration_ms", "artefact", "response")
    for answer in answers:
        assert answer.shape == (count,)
    assert (answers.amplitude_uv > 0).all()
    for probability in (answers.artefact, answers.response):
        assert ((probability >= 0) & (probability <= 1)).all()


def test_scale_goes_through_to_the_amplitude_alone(model: MepCnn) -> None:
    one, ten = model(sweeps()), model(10 * sweeps())
    torch.testing.assert_close(ten.amplitude_uv, 10 * one.amplitude_uv, rtol=1e-3, atol=0)
    for a, b in zip(one[1:], ten[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_every_feature_is_finite_on_flat_sloping_and_spiking_sweeps(model: MepCnn) -> None:
    odd = torch.zeros(4, 1, 500)
    odd[1] = 5.0
    odd[2] = torch.linspace(-100, 100, 500)
    odd[3, 0, 250] = 1e4
    odd.requires_grad_()
    channels, extremes, scale = model.features(odd)
    total = channels.sum() + extremes.sum() + scale.sum()
    for part in (channels, extremes, scale):
        assert torch.isfinite(part).all()
    assert (scale > 0).all()
    assert torch.isfinite(torch.stack([a.sum() for a in model(odd.detach())])).all()
    assert torch.isfinite(total)


def test_positions_read_a_place_where_pooling_alone_cannot() -> None:
    """Slide one burst by 40 ms: what is pooled hardly knows, what is attended can."""
    torch.manual_seed(3)
    model = MepCnn(OFFSET_MS).eval()
    burst = torch.zeros(2, 1, 500)
    wave = torch.sin(torch.arange(40) / 3.0)
    burst[0, 0, 100:140] = wave
    burst[1, 0, 300:340] = wave
    seen = []
    hook = model.dense.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    # Look where the body is most active: a weight that training would find.
    with torch.no_grad():
        model.positions.weight.zero_()
        model.positions.weight[: model.positions.out_channels // 2] = 5.0
        model.positions.bias.zero_()
        model(burst)
    hook.remove()
    pooled, times = seen[0][:, :128], seen[0][:, 132:140] * UNIT_MS
    moved_ms = (times[1] - times[0]).abs().min()
    assert moved_ms == pytest.approx(40.0, abs=4.0)
    assert (pooled[1] - pooled[0]).abs().max() < 0.05 * pooled.abs().max()


def test_without_positions_it_is_the_drawing_to_the_letter() -> None:
    model = MepCnn(OFFSET_MS, attend=False).eval()
    assert model.dense[0].in_features == 128 + 4
    assert model(sweeps()).onset_ms.shape == (3,)
