"""A larger network begins with the smaller one's answers, and what is new in it can learn."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")

from models.compact import NARROW, WIDE, CompactNet, Size  # noqa: E402
from models.widen import widen  # noqa: E402


@pytest.fixture(scope="module")
def narrow():
    """A network whose normalisations are not neutral, nor its answers alike."""
    torch.manual_seed(3)
    model = CompactNet(3.0, NARROW)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_()
    return model.eval()


def test_the_larger_network_answers_as_the_smaller_does(narrow) -> None:
    wide = widen(narrow, WIDE).eval()
    assert wide.size == WIDE
    sweep = torch.randn(6, 1, 500, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for name, one, other in zip(
            narrow.raw(sweep)._fields, narrow.raw(sweep), wide.raw(sweep), strict=True
        ):
            torch.testing.assert_close(one, other, msg=name)


def test_what_is_new_is_learned_from_the_first_steps_on(narrow) -> None:
    torch.manual_seed(4)
    wide = widen(narrow, WIDE).train()
    optimiser = torch.optim.SGD(wide.parameters(), lr=1e-3)
    sweep = torch.randn(16, 1, 500, generator=torch.Generator().manual_seed(2))
    for _ in range(2):
        raw = wide.raw(sweep)
        optimiser.zero_grad()
        (raw.onset_logits.square().mean() + raw.response_logit.square().mean()).backward()
        optimiser.step()
    new_filters = wide.body[0][0].weight.grad[NARROW.body :]
    new_block = wide.body[-1][0].weight.grad
    new_stem = wide.stem[0].weight.grad[NARROW.stem :]
    for gradient in (new_filters, new_block, new_stem):
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    "size",
    [Size(8, 64, (1, 3, 9, 18)), Size(16, 32, (1, 3, 9, 18)), Size(24, 64, (1, 3, 9))],
)
def test_a_size_that_the_smaller_does_not_fit_into_is_refused(narrow, size: Size) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        widen(narrow, size)
