"""What each network is trained for: targets from a simulated truth, and losses.

* The compact network: cross-entropy of its heat maps against a Gaussian of 0.25 ms around the true
  onset and end, so that it learns to spread where an onset drowns in noise; of the onset beside it
  the continuous ranked probability score (Gneiting & Raftery, JASA 2007), as proper a score, which
  counts how many milliseconds a misplaced share is away; a Laplace likelihood of
  the logarithm of the amplitude, whose scale is its uncertainty; binary cross-entropies.
* The paper's network, as the paper has it: mean squared errors and binary cross-entropies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.architecture import SCALE_UV, UNIT_MS, MepCnn
from models.compact import (
    BIN_MS,
    BINS,
    FIRST_EDGE_MS,
    FOLD,
    MORPHOLOGIES,
    STEPS,
    CompactNet,
)
from models.dataset import WindowSet

#: Standard deviation of the heat maps' targets.
TARGET_SD_MS = 0.25
#: Of a paper-network regression, a sweep of this SNR counts half, one of half this SNR a fifth.
HALF_WEIGHT_SNR = 4.0
#: Of the onset's distance, a sweep of this SNR counts half, one of half this SNR a fifth.
HALF_DISTANCE_SNR = 5.0
#: Names of the losses and their weights.
COMPACT_WEIGHTS = {
    "onset": 1.0,
    "onset_distance": 2.0,
    "end": 0.3,
    "amplitude": 1.0,
    "response": 3.0,
    "artefact": 1.0,
    "types": 3.0,
    "severity": 0.3,
    "morphology": 1.0,
}
PAPER_WEIGHTS = {
    "amplitude": 0.5,
    "onset": 4.0,
    "duration": 0.5,
    "artefact": 0.5,
    "response": 2.0,
}


class Targets(NamedTuple):
    """Truth of a batch, (batch,) each but ``artefact_types`` (batch, 7); 0 where unknown."""

    amplitude_uv: Tensor
    onset_ms: Tensor
    duration_ms: Tensor
    artefact: Tensor
    response: Tensor
    snr: Tensor
    artefact_types: Tensor
    severity: Tensor
    phases: Tensor

    def rows(self, index: Tensor) -> Targets:
        return Targets(*(column[index] for column in self))


def targets_of(data: WindowSet) -> Targets:
    """The truth as tensors; what is not known of a sweep without a response is 0."""
    return Targets(
        *(torch.from_numpy(np.nan_to_num(getattr(data, name))) for name in Targets._fields)
    )


def losses(model: CompactNet | MepCnn, sweeps: Tensor, targets: Targets) -> dict[str, Tensor]:
    """The losses by name, unweighted. ``sweeps`` (batch, 1, 500) in units of ``SCALE_UV``."""
    if isinstance(model, CompactNet):
        return _compact_losses(model, sweeps, targets)
    return _paper_losses(model, sweeps, targets)


def weighted(parts: dict[str, Tensor]) -> Tensor:
    """One loss from all."""
    weights = COMPACT_WEIGHTS if "end" in parts else PAPER_WEIGHTS
    return torch.stack([weights[name] * value for name, value in parts.items()]).sum()


def _compact_losses(model: CompactNet, sweeps: Tensor, targets: Targets) -> dict[str, Tensor]:
    raw = model.raw(sweeps)
    share = targets.response / targets.response.sum().clamp(min=1.0)
    from_edge_ms = targets.onset_ms - model.window_offset_ms - FIRST_EDGE_MS
    spread = raw.log_amplitude_spread.clamp(-6.0, 3.0)
    log_amplitude = torch.log(targets.amplitude_uv.clamp(min=0.1) / SCALE_UV)
    off = (raw.log_amplitude - log_amplitude).abs()
    clearly = share * targets.snr.square() / (targets.snr.square() + HALF_DISTANCE_SNR**2)
    kind = (targets.phases.long() - 1).clamp(0, MORPHOLOGIES - 1)
    return {
        "onset": (share * _map_loss(raw.onset_logits, from_edge_ms, model.bin_ms)).sum(),
        "onset_distance": (clearly * _distance_ms(raw.onset_logits, from_edge_ms)).sum(),
        "end": (
            share * _map_loss(raw.end_logits, from_edge_ms + targets.duration_ms, model.bin_ms)
        ).sum(),
        "amplitude": (share * (off * torch.exp(-spread) + spread)).sum(),
        "response": _entropy(raw.response_logit, targets.response),
        "artefact": _entropy(raw.artefact_logit, targets.artefact),
        "types": _entropy(raw.type_logits, targets.artefact_types),
        "severity": functional.smooth_l1_loss(
            raw.log_severity, torch.log1p(targets.severity.clamp(max=100.0)), beta=0.2
        ),
        "morphology": (
            share * functional.cross_entropy(raw.morphology_logits, kind, reduction="none")
        ).sum(),
    }


def _map_loss(logits: Tensor, at_ms: Tensor, bin_ms: Tensor) -> Tensor:
    """Cross-entropy of each map against a Gaussian about its truth, (batch,)."""
    target = torch.softmax(-0.5 * ((bin_ms - at_ms[:, None]) / TARGET_SD_MS).square(), dim=1)
    return -(target * torch.log_softmax(logits, dim=1)).sum(dim=1)


def _distance_ms(logits: Tensor, at_ms: Tensor) -> Tensor:
    """Continuous ranked probability score of each map, (batch,) in ms.

    For a map in one bin that is the distance from it to the truth.
    """
    in_time = torch.softmax(logits, dim=1).reshape(-1, FOLD, STEPS).transpose(1, 2).flatten(1)
    ends_ms = BIN_MS * torch.arange(1, BINS + 1)
    # Half passed at the truth itself: else the best map would lie half a bin too late.
    passed = ((ends_ms - at_ms[:, None]) / BIN_MS + 0.5).clamp(0.0, 1.0)
    return BIN_MS * (in_time.cumsum(dim=1) - passed).square().sum(dim=1)


def _paper_losses(model: MepCnn, sweeps: Tensor, targets: Targets) -> dict[str, Tensor]:
    raw, scale = model.raw(sweeps)
    known = targets.response * targets.snr.square()
    known = known / (targets.snr.square() + HALF_WEIGHT_SNR**2)
    share = known / known.sum().clamp(min=1.0)
    # Absent responses have no logarithm; their weight is 0.
    log_amplitude = torch.log(targets.amplitude_uv.clamp(min=0.1) / (scale[:, 0] * SCALE_UV))
    return {
        "amplitude": (share * (raw.log_amplitude - log_amplitude).square()).sum(),
        "onset": (share * (raw.onset - targets.onset_ms / UNIT_MS).square()).sum(),
        "duration": (share * (raw.duration - targets.duration_ms / UNIT_MS).square()).sum(),
        "artefact": _entropy(raw.artefact_logit, targets.artefact),
        "response": _entropy(raw.response_logit, targets.response),
    }


def _entropy(logits: Tensor, truth: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, truth)
