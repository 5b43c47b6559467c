"""A larger compact network that answers as a smaller one does, to go on training from.

New filters begin at random and new readers of them at nothing; a new convolution of the body adds
nothing at first (its normalisation's weight is 0), so that the larger network's answers are the
smaller one's and training loses nothing (Chen et al., "Net2Net", ICLR 2016, whose new filters are
copies). What was learned at length by the smaller and cheaper network need not be learned again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.compact import VIEWS, CompactNet, Size


def widen(narrow: CompactNet, size: Size) -> CompactNet:
    """The same answers from a network of another size; what is new is drawn from torch's generator.

    Args:
        size: at least as large in everything; its first dilations are those of ``narrow``.

    Raises:
        ValueError: it is smaller, or the dilations differ.
    """
    old = narrow.size
    same_start = size.dilations[: len(old.dilations)] == old.dilations
    if size.stem < old.stem or size.body < old.body or not same_start:
        raise ValueError(f"{old} does not fit into {size}")
    wide = CompactNet(narrow.window_offset_ms, size)
    with torch.no_grad():
        _place(wide.stem, narrow.stem)
        _place(wide.down, narrow.down)
        for index, block in enumerate(wide.body):
            if index < len(narrow.body):
                _place(block, narrow.body[index])
            else:
                _norm(block).weight.zero_()
        wide.maps.weight.zero_()
        wide.maps.weight[:, : old.body] = narrow.maps.weight
        wide.maps.bias.copy_(narrow.maps.bias)  # type: ignore[union-attr]
        # The dense layer sees each view's features one after another, then what is no feature.
        columns = [torch.arange(old.body) + view * size.body for view in range(VIEWS)]
        columns.append(torch.arange(VIEWS * size.body, size.seen))
        wide.dense.weight.zero_()
        wide.dense.weight[:, torch.cat(columns)] = narrow.dense.weight
        wide.dense.bias.copy_(narrow.dense.bias)
        wide.heads.load_state_dict(narrow.heads.state_dict())
    return wide


def _place(wide: nn.Module, narrow: nn.Module) -> None:
    """Put a convolution and its normalisation into the first filters of a larger one.

    The first filters read nothing of the new inputs.
    """
    into, of = _weight(wide), _weight(narrow)
    filters, inputs = of.shape[:2]
    into[:filters] = 0.0
    into[:filters, :inputs] = of
    for ours, theirs in zip(
        (*_norm(wide).parameters(), *_norm(wide).buffers()),
        (*_norm(narrow).parameters(), *_norm(narrow).buffers()),
        strict=True,
    ):
        if ours.ndim:
            ours[:filters] = theirs


def _weight(block: nn.Module) -> Tensor:
    [convolution] = [part for part in block.modules() if isinstance(part, nn.Conv1d)]
    return convolution.weight


def _norm(block: nn.Module) -> nn.BatchNorm1d:
    [norm] = [part for part in block.modules() if isinstance(part, nn.BatchNorm1d)]
    return norm
