"""Make stated uncertainties true, and know the usual: from the validation split.

The compact network states a spread for the onset (its heat map's) and for the logarithm of the
amplitude. Each is multiplied by the factor that lets 68.3 % of the validation split's errors at an
SNR of 3 and more lie within one stated SD; ``models.evaluate`` shows the coverage by SNR band on
the test split. Mean and covariance of what the
dense layer is given give each sweep a distance from the usual (Mahalanobis, as in Lee et al.,
NeurIPS 2018, in features of their own scale each), whose 99.5th percentile becomes 1. Its input
and not its output, for the layer has no use for what no training sweep shows, and drops it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.architecture import SCALE_UV
from models.compact import Answers, CompactNet
from models.dataset import WindowSet

ONE_SD = 0.683
LOWEST_SNR = 3.0
USUAL_SHARE = 0.995
#: Added to the covariance of features of unit variance: some never fire, and eight bits are coarse.
RIDGE = 1e-2


def calibrate(model: CompactNet, validation: WindowSet) -> tuple[float, float]:
    """Set the buffers of uncertainties and novelty in place; return the factors."""
    model.eval()
    model.onset_sd_scale.fill_(1.0)
    model.amplitude_sd_scale.fill_(1.0)
    windows = validation.windows_uv[:, None, :].astype(np.float32) / np.float32(SCALE_UV)
    with torch.no_grad():
        batches = torch.split(torch.from_numpy(windows), 512)
        parts = [model(batch) for batch in batches]
        seen = torch.cat([model.see(batch)[0].seen for batch in batches])
    said = Answers(*(torch.cat(column).numpy() for column in zip(*parts, strict=True)))
    rows = (validation.response > 0) & (validation.snr >= LOWEST_SNR)
    off_ms = np.abs(said.onset_ms - validation.onset_ms)[rows]
    off_log = np.abs(np.log(said.amplitude_uv[rows] / validation.amplitude_uv[rows]))
    onset = float(np.quantile(off_ms / said.onset_sd_ms[rows], ONE_SD))
    amplitude = float(np.quantile(off_log / said.amplitude_log_sd[rows], ONE_SD))
    model.onset_sd_scale.fill_(onset)
    model.amplitude_sd_scale.fill_(amplitude)
    _know_the_usual(model, seen.numpy().astype(np.float64))
    return onset, amplitude


def _know_the_usual(model: CompactNet, seen: NDArray[np.float64]) -> None:
    usual, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    scaled = (seen - usual) / spread
    covariance = np.cov(scaled, rowvar=False) + RIDGE * np.eye(scaled.shape[1])
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)) / spread[:, None]
    distance = np.linalg.norm((seen - usual) @ whitening, axis=1)
    whitening /= np.quantile(distance, USUAL_SHARE)
    model.usual.copy_(torch.from_numpy(usual))
    model.whitening.copy_(torch.from_numpy(whitening))
