"""The network: three convolutional blocks, a residual connection, five answers at once.

The design is that of Demigha and Lyapuntsova (Modeling, Optimization and Information Technology
14(3), 2026): convolutions of 32, 64 and 128 filters with kernels of 25, 15 and 9, each with batch
normalisation, ReLU and max-pooling by 2; block 1 added to the output of block 3; global average
pooling; a dense layer of 256 with dropout 0.3; heads for amplitude, latency, duration, artefact
and response. What the paper leaves open, or what its drawing can't do, is settled here:

* **Scale.** Every sweep is brought to its own scale inside the network (:meth:`MepCnn.features`),
  so that 10 uV and 10 mV are answered alike: a sweep times ten gives ten times the amplitude and
  the same everything else. Amplitude is regressed as the logarithm of peak to
  peak over that scale.
* **Position.** Global average pooling tells what there is but not where, and a latency is a where.
  Beside it, ``POSITIONS`` attention maps over block 3 (a softmax over time each) read out an
  expected position, refined within the 1.6 ms of a step by an offset that is read at the same
  place; the dense layer sees those times beside the pooled features. The model card has the
  latency error with and without.
* **Extremes.** Averaging loses peaks as well: the dense layer also sees the logarithm of the
  sweep's highest, lowest and peak-to-peak values over its scale, and the amplitude head corrects
  the last of them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from monitor.measure.resample import NETWORK_FS_HZ, NETWORK_SAMPLES

#: The file's input is microvolts over this.
SCALE_UV = 100.0
DENSE = 256
DROPOUT = 0.3
POSITIONS = 8
#: A sweep's own level is its mean over this many samples (20 ms) around each sample.
LEVEL_SAMPLES = 101
#: Steps of the sweep's time that remain after three poolings by 2.
STEPS = NETWORK_SAMPLES // 8
STEP_MS = 8e3 / NETWORK_FS_HZ
#: Unit of the latencies inside the network, so that every answer is of order 1.
UNIT_MS = 10.0
#: Keeps a flat line from being divided by nothing; in units of ``SCALE_UV``.
FLOOR = 1e-5


class Raw(NamedTuple):
    """Answers as they are trained, each (batch,): see :meth:`MepCnn.raw`."""

    log_amplitude: Tensor
    onset: Tensor
    duration: Tensor
    artefact_logit: Tensor
    response_logit: Tensor


class Answers(NamedTuple):
    """Answers as they are exported, each (batch,)."""

    amplitude_uv: Tensor
    onset_ms: Tensor
    duration_ms: Tensor
    artefact: Tensor
    response: Tensor


class MepCnn(nn.Module):
    """Input (batch, 1, 500) float32 in units of ``SCALE_UV``; latencies from the last pulse.

    Args:
        window_offset_ms: where the window starts, from the last pulse.
        attend: read positions; without, the paper's drawing to the letter (for comparison).
    """

    def __init__(self, window_offset_ms: float, attend: bool = True) -> None:
        super().__init__()
        self.window_offset_ms = window_offset_ms
        self.attend = attend
        self.level = nn.AvgPool1d(
            LEVEL_SAMPLES, stride=1, padding=LEVEL_SAMPLES // 2, count_include_pad=False
        )
        self.block1 = _block(3, 32, 25)
        self.block2 = _block(32, 64, 15)
        self.block3 = _block(64, 128, 9)
        # Pooled like the path it goes round, so that no sample is skipped.
        self.residual = nn.Sequential(
            nn.AvgPool1d(4), nn.Conv1d(32, 128, 1, bias=False), nn.BatchNorm1d(128)
        )
        self.positions = nn.Conv1d(128, 2 * POSITIONS, 1)
        self.dense = nn.Sequential(
            nn.Linear(128 + 4 + (POSITIONS + 128 if attend else 0), DENSE),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
        )
        self.heads = nn.Linear(DENSE, 5)
        step_ms = window_offset_ms + STEP_MS * (torch.arange(STEPS) + 0.5)
        self.register_buffer("step_time", step_ms / UNIT_MS)

    def features(self, sweep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bring sweeps to their own scale.

        The scale is ``mean(sqrt|x|)**2`` of the sweep less its local mean: near the noise where a
        response is short, and hardly moved by a spike.

        Returns:
            (batch, 3, 500): the sweep less its local mean, logarithmically compressed (noise and
            peaks both show); the same over its largest value (5 % of a peak is 0.05); the whole
            sweep less its mean, compressed. (batch, 4): logarithms of its extremes. (batch, 1):
            the scale, in units of the input.
        """
        local = sweep - self.level(sweep)
        whole = sweep - sweep.mean(dim=2, keepdim=True)
        scale = local.abs().sqrt().mean(dim=2, keepdim=True).square() + FLOOR
        highest = local.amax(dim=2, keepdim=True).clamp(min=0.0)
        lowest = (-local.amin(dim=2, keepdim=True)).clamp(min=0.0)
        largest = torch.maximum(highest, lowest) + FLOOR
        extent = whole.amax(dim=2, keepdim=True) - whole.amin(dim=2, keepdim=True)
        channels = torch.cat(
            [_compressed(local / scale), local / largest, _compressed(whole / scale)], dim=1
        )
        extremes = torch.cat([highest, lowest, extent, highest + lowest], dim=2).squeeze(1)
        flat_scale = scale.squeeze(2)
        return channels, torch.log(extremes / flat_scale + 1.0), flat_scale

    def raw(self, sweep: Tensor) -> tuple[Raw, Tensor]:
        """Answers as trained, and the scale (batch, 1).

        Amplitude as ``log(peak to peak / scale)``, latencies in ``UNIT_MS``, classes as logits.
        """
        channels, extremes, scale = self.features(sweep)
        first = torch.relu(self.block1(channels))
        body = torch.relu(self.block3(torch.relu(self.block2(first))) + self.residual(first))
        pooled = [body.mean(dim=2), extremes]
        if self.attend:
            weight, offset = self.positions(body).split(POSITIONS, dim=1)
            share = torch.softmax(weight, dim=2)
            times = (share * (self.step_time + offset)).sum(dim=2)
            # What the last map looks at, undiluted by the rest of the sweep.
            pooled += [times, (share[:, -1:] * body).sum(dim=2)]
        out = self.heads(self.dense(torch.cat(pooled, dim=1)))
        onset, duration = out[:, 1], out[:, 2]
        if self.attend:
            # The first two positions are onset and end; the dense layer corrects them.
            onset = onset + pooled[2][:, 0]
            duration = duration + pooled[2][:, 1] - pooled[2][:, 0]
        amplitude = out[:, 0] + extremes[:, 3]
        return Raw(amplitude, onset, duration, out[:, 3], out[:, 4]), scale

    def forward(self, sweep: Tensor) -> Answers:
        """Answers in microvolts, milliseconds and probabilities."""
        raw, scale = self.raw(sweep)
        return Answers(
            amplitude_uv=torch.exp(raw.log_amplitude) * scale[:, 0] * SCALE_UV,
            onset_ms=raw.onset * UNIT_MS,
            duration_ms=raw.duration * UNIT_MS,
            artefact=torch.sigmoid(raw.artefact_logit),
            response=torch.sigmoid(raw.response_logit),
        )


def _block(inputs: int, filters: int, kernel: int) -> nn.Sequential:
    """Convolution, normalisation, pooling. ReLU follows: it commutes with taking a maximum."""
    return nn.Sequential(
        nn.Conv1d(inputs, filters, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(filters),
        nn.MaxPool1d(2),
    )


def _compressed(x: Tensor) -> Tensor:
    return torch.sign(x) * torch.log(x.abs() + 1.0)
