"""Make stated uncertainties true, and know the usual.

The compact network states a spread for the onset (its heat map's) and for the logarithm of the
amplitude. Each is multiplied by the factor that lets 68.3 % of the validation split's errors at an
SNR of 3 and more lie within one stated SD; ``models.evaluate`` shows the coverage by SNR band on
the test split. Mean and covariance of what the
dense layer is given of sweeps to train on, which are of more kinds than the others, give each sweep
a distance from the usual (Mahalanobis, as in Lee et al., NeurIPS 2018, in features of their own
scale each); the 99.5th percentile of the validation split's becomes 1. Its input and not its
output, for the layer has no use for what no training sweep shows, and drops it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.architecture import SCALE_UV
from models.compact import Answers, CompactNet
from models.dataset import WindowSet

ONE_SD = 0.683
LOWEST_SNR = 3.0
USUAL_SHARE = 0.995
#: Added to the covariance of features of unit variance: some never fire, and eight bits are coarse.
RIDGE = 1e-2


def calibrate(
    model: CompactNet, validation: WindowSet, shown_uv: NDArray[np.floating] | None = None
) -> tuple[float, float]:
    """Set the buffers of uncertainties and novelty in place; return the factors.

    Args:
        shown_uv: (k, 500) windows of the kinds that the network was trained on; None: the
            validation split's.
    """
    model.eval()
    model.onset_sd_scale.fill_(1.0)
    model.amplitude_sd_scale.fill_(1.0)
    with torch.no_grad():
        parts = [model(batch) for batch in _batches(validation.windows_uv)]
    said = Answers(*(torch.cat(column).numpy() for column in zip(*parts, strict=True)))
    rows = (validation.response > 0) & (validation.snr >= LOWEST_SNR)
    off_ms = np.abs(said.onset_ms - validation.onset_ms)[rows]
    off_log = np.abs(np.log(said.amplitude_uv[rows] / validation.amplitude_uv[rows]))
    onset = float(np.quantile(off_ms / said.onset_sd_ms[rows], ONE_SD))
    amplitude = float(np.quantile(off_log / said.amplitude_log_sd[rows], ONE_SD))
    model.onset_sd_scale.fill_(onset)
    model.amplitude_sd_scale.fill_(amplitude)
    held = _seen(model, validation.windows_uv)
    _know_the_usual(model, held if shown_uv is None else _seen(model, shown_uv), held)
    return onset, amplitude


def _batches(windows_uv: NDArray[np.floating]) -> Sequence[Tensor]:
    windows = windows_uv[:, None, :].astype(np.float32) / np.float32(SCALE_UV)
    return torch.split(torch.from_numpy(windows), 512)


def _seen(model: CompactNet, windows_uv: NDArray[np.floating]) -> NDArray[np.float64]:
    """What the dense layer is given of (k, 500) windows, (k, size.seen)."""
    with torch.no_grad():
        parts = [model.see(batch)[0].seen.numpy() for batch in _batches(windows_uv)]
    return np.concatenate(parts).astype(np.float64)


def _know_the_usual(
    model: CompactNet, seen: NDArray[np.float64], held: NDArray[np.float64]
) -> None:
    """Mean and whitening of ``seen``, scaled to the distances of ``held``."""
    usual, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    scaled = (seen - usual) / spread
    covariance = np.cov(scaled, rowvar=False) + RIDGE * np.eye(scaled.shape[1])
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)) / spread[:, None]
    distance = np.linalg.norm((held - usual) @ whitening, axis=1)
    whitening /= np.quantile(distance, USUAL_SHARE)
    model.usual.copy_(torch.from_numpy(usual))
    model.whitening.copy_(torch.from_numpy(whitening))
