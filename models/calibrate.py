"""Make stated uncertainties true: one factor each, from the validation split.

The compact network states a spread for the onset (its heat map's) and for the logarithm of the
amplitude. Each is multiplied by the factor that lets 68.3 % of the validation split's errors at an
SNR of 3 and more lie within one stated SD; ``models.evaluate`` shows the coverage by SNR band on
the test split.
"""

from __future__ import annotations

import numpy as np
import torch

from models.architecture import SCALE_UV
from models.compact import CompactNet
from models.dataset import WindowSet

ONE_SD = 0.683
LOWEST_SNR = 3.0


def calibrate(model: CompactNet, validation: WindowSet) -> tuple[float, float]:
    """Set the factors of onset and amplitude in place, and return them."""
    model.eval()
    model.onset_sd_scale.fill_(1.0)
    model.amplitude_sd_scale.fill_(1.0)
    rows = np.flatnonzero((validation.response > 0) & (validation.snr >= LOWEST_SNR))
    windows = validation.windows_uv[rows][:, None, :].astype(np.float32) / np.float32(SCALE_UV)
    onset, amplitude = [], []
    with torch.no_grad():
        for some, batch in zip(
            torch.split(torch.from_numpy(rows), 512),
            torch.split(torch.from_numpy(windows), 512),
            strict=True,
        ):
            answers = model(batch)
            off_ms = answers.onset_ms.numpy() - validation.onset_ms[some.numpy()]
            off_log = np.log(answers.amplitude_uv.numpy() / validation.amplitude_uv[some.numpy()])
            onset.append(np.abs(off_ms) / answers.onset_sd_ms.numpy())
            amplitude.append(np.abs(off_log) / answers.amplitude_log_sd.numpy())
    factors = [float(np.quantile(np.concatenate(part), ONE_SD)) for part in (onset, amplitude)]
    model.onset_sd_scale.fill_(factors[0])
    model.amplitude_sd_scale.fill_(factors[1])
    return factors[0], factors[1]
