"""The deployed network: small enough that sixteen muscles cost a fraction of a millisecond.

A strided stem brings 500 samples to 125 and then 63 steps of 1.6 ms; five residual convolutions,
dilated 1, 3, 9, 18 and 2, see 50 ms to each side. From there:

* **Onset and end** are distributions over 504 bins of 0.2 ms, eight bins a step, so that no pooling
  ever loses a position (a *heat map*, as in landmark detection). The onset is the distribution's
  median, which makes the mean absolute error least; its spread is the onset's uncertainty.
* **Amplitude** starts from the span of the sweep between onset and end and is corrected in
  logarithms by the dense layer, which also says how far it may be off.
* The dense layer (the 128-d embedding) sees the mean, the largest, the onset's features and the
  mean of those between onset and end, and answers response, artefact with its types and severity,
  and the class of shape.

Every sweep is brought to its own scale, so that 5 uV and 10 mV are answered alike: a sweep times
ten gives ten times the amplitude and the same everything else.

Saliency is Grad-CAM (Selvaraju et al., ICCV 2017) of the response's logit in closed form, with the
gradient taken at each step rather than averaged (HiResCAM, Draelos & Carin 2020): averaged over
steps, a feature that matters at the onset would light up wherever it occurs. The gradient through
mean, largest, onset's and inner features is matrix products, so it is part of the graph.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.architecture import FLOOR, SCALE_UV
from monitor.measure.network import ARTEFACT_TYPES
from monitor.measure.resample import NETWORK_FS_HZ, NETWORK_SAMPLES

CHANNELS, EMBEDDING = 4, 128
#: What the dense layer sees of the features: their mean, largest, at the onset, inside.
VIEWS = 4
#: Steps of the body, samples in a step, and bins in all.
STEPS, FOLD = 63, 8
BINS = STEPS * FOLD
BIN_MS = 1e3 / NETWORK_FS_HZ
#: Step ``i`` is centred on sample ``8 i``: the first bin begins so far before the window. Bins are
#: laid out (fold, step), as a convolution gives them; bin ``(k, i)`` is the ``8 i + k``-th in time.
FIRST_EDGE_MS = -4.0 * BIN_MS
#: A sweep's own level is its mean over five of these around each.
LEVEL_SAMPLES = 20
MORPHOLOGIES = 3
#: What the dense layer answers, in order.
HEADS = {
    "log_amplitude": 1,
    "log_amplitude_spread": 1,
    "response": 1,
    "artefact": 1,
    "artefact_types": len(ARTEFACT_TYPES),
    "severity": 1,
    "morphology": MORPHOLOGIES,
}
EXTREMES = 4
#: Where the compression of a channel turns from linear to flat, in units of the scale.
KNEE, KNEE_WHOLE = 2.0, 10.0


class Size(NamedTuple):
    """Filters of the stem, features of the body, and the dilation of each of its convolutions."""

    stem: int
    body: int
    dilations: tuple[int, ...]

    @property
    def seen(self) -> int:
        """All that the dense layer sees: views of the features, extremes, the onset's place and
        spread.
        """
        return VIEWS * self.body + EXTREMES + 2


#: What training begins with (:mod:`models.widen`), and what is deployed.
NARROW = Size(16, 48, (1, 3, 9, 18))
WIDE = Size(24, 64, (1, 3, 9, 18, 2))


class Raw(NamedTuple):
    """Answers as they are trained, (batch, ...)."""

    onset_logits: Tensor
    end_logits: Tensor
    log_amplitude: Tensor
    log_amplitude_spread: Tensor
    response_logit: Tensor
    artefact_logit: Tensor
    type_logits: Tensor
    log_severity: Tensor
    morphology_logits: Tensor


class Answers(NamedTuple):
    """Answers as they are exported, (batch,) unless said otherwise.

    ``artefact_types`` (batch, 7) and ``morphology`` (batch, 3) are probabilities; ``novelty``
    is the Mahalanobis distance of what the dense layer sees from the validation split, 1 at the
    99.5th percentile; ``embedding`` is (batch, 128), ``saliency`` (batch, 500).
    """

    amplitude_uv: Tensor
    onset_ms: Tensor
    duration_ms: Tensor
    artefact: Tensor
    response: Tensor
    onset_sd_ms: Tensor
    amplitude_log_sd: Tensor
    artefact_types: Tensor
    severity: Tensor
    morphology: Tensor
    novelty: Tensor
    embedding: Tensor
    saliency: Tensor


class Place(NamedTuple):
    """Two heat maps' reading, onset's and end's: (batch, 2) medians and mean distances from them.

    Both in ms from the first edge. ``step_share`` and ``step_begun`` (batch, 2, 63): the share in
    each step, and up to its end.
    """

    median_ms: Tensor
    spread_ms: Tensor
    step_share: Tensor
    step_begun: Tensor


class Body(NamedTuple):
    """What the heads read. ``views`` (batch, 2, 63): weights of the steps at the onset, inside.

    ``seen`` (batch, 262): what the dense layer is given.
    """

    features: Tensor
    place: Place
    views: Tensor
    seen: Tensor
    hidden: Tensor
    start: Tensor
    scale: Tensor


class CompactNet(nn.Module):
    """Input (batch, 1, 500) float32 in units of ``SCALE_UV``; latencies from the last pulse.

    Args:
        window_offset_ms: where the window starts, from the last pulse.
        size: the deployed one unless told otherwise.
    """

    def __init__(self, window_offset_ms: float, size: Size = WIDE) -> None:
        super().__init__()
        self.window_offset_ms = window_offset_ms
        self.size = size
        self.stem = _convolution(CHANNELS, size.stem, 9, stride=4)
        self.down = _convolution(size.stem, size.body, 5, stride=2)
        self.body = nn.ModuleList(
            _convolution(size.body, size.body, 3, dilation=d) for d in size.dilations
        )
        self.maps = nn.Conv1d(size.body, 2 * FOLD, 1)
        self.dense = nn.Linear(size.seen, EMBEDDING)
        self.dropout = nn.Dropout(0.1)
        self.heads = nn.Linear(EMBEDDING, sum(HEADS.values()))
        self.register_buffer("smoothing", torch.from_numpy(_smoothing()), persistent=False)
        self.pool = nn.MaxPool1d(FOLD, FOLD, FOLD // 2)
        bin_ms = (np.arange(STEPS)[None] * FOLD + np.arange(FOLD)[:, None] + 0.5) * BIN_MS
        for name, values in (
            ("bin_ms", bin_ms.reshape(1, -1)),
            ("until", np.triu(np.ones((STEPS, STEPS)))),
            ("earlier_fold", np.tril(np.ones((FOLD, FOLD)), -1)),
            ("both_ways", np.array([[[1.0], [-1.0]]])),
        ):
            tensor = torch.from_numpy(values.astype(np.float32))
            self.register_buffer(name, tensor, persistent=False)
        self.register_buffer("stretch", torch.from_numpy(_stretch()), persistent=False)
        #: Set on the validation split: stated over trained spread, see ``models.calibrate``.
        self.register_buffer("onset_sd_scale", torch.ones(()))
        self.register_buffer("amplitude_sd_scale", torch.ones(()))
        self.register_buffer("usual", torch.zeros(size.seen))
        self.register_buffer("whitening", torch.eye(size.seen))

    def channels(self, sweep: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bring sweeps to their own scale.

        The scale is ``mean(sqrt|x|)**2`` of the sweep less its local mean: near the noise where a
        response is short, and hardly moved by a spike.

        Returns:
            (batch, 4, 500): the sweep less its local mean, compressed; the same over its largest
            value; the whole sweep less its mean, compressed; and, the same everywhere, how far the
            largest value stands out (so that each place knows what noise it is in). Then the sweep
            less its mean, (batch, 1, 500), the largest value less its local mean and the scale,
            (batch, 1, 1) each.
        """
        binned = sweep.reshape(-1, 1, NETWORK_SAMPLES // LEVEL_SAMPLES, LEVEL_SAMPLES).mean(dim=3)
        local = sweep - binned @ self.smoothing
        whole = sweep - binned.mean(dim=2, keepdim=True)
        size = local.abs()
        scale = size.sqrt().mean(dim=2, keepdim=True).square() + FLOOR
        largest = size.amax(dim=2, keepdim=True) + FLOOR
        above = whole.abs() + KNEE_WHOLE * scale
        stands_out = (0.3 * torch.log(largest / scale) - 0.7).expand(-1, 1, NETWORK_SAMPLES)
        stacked = torch.cat(
            [local / (size + KNEE * scale), local / largest, whole / above, stands_out], dim=1
        )
        return stacked, whole, largest, scale

    def features(self, stacked: Tensor) -> Tensor:
        """(batch, 64, 63) of the channels (batch, 4, 500)."""
        x = torch.relu(self.down(torch.relu(self.stem(stacked))))
        for block in self.body:
            x = torch.relu(x + block(x))
        return x

    def in_half_precision(self, stacked: Tensor) -> Tensor:
        """:meth:`features`, convolved in bfloat16; float32 again."""
        with torch.autocast("cpu", torch.bfloat16):
            return self.features(stacked).float()

    def see(self, sweep: Tensor) -> tuple[Body, Tensor]:
        """Everything up to the embedding, and the logits of onset and end, (batch, 2, 504)."""
        stacked, whole, largest, scale = self.channels(sweep)
        # Half as long to train, and rounding much like the deployed file's eight bits.
        x = self.in_half_precision(stacked) if self.training else self.features(stacked)
        logits = self.maps(x).reshape(-1, 2, BINS)
        place = self.place(logits)
        # The span between onset and end, about the level at the onset, in steps.
        at = place.step_share[:, :1].detach()
        begun, ended = place.step_begun.detach().split(1, dim=1)
        inside = begun * (1.0 - ended)
        views = torch.cat([at, inside / (inside.sum(dim=2, keepdim=True) + FLOOR)], dim=1)
        # How far up, and how far down, each step reaches.
        reach = self.pool(torch.cat([whole, -whole], dim=1))
        up, down = reach.split(1, dim=1)
        level = (at * (up - down)).sum(dim=2, keepdim=True) * 0.5
        span = ((reach - level * self.both_ways) * inside).amax(dim=2).sum(dim=1, keepdim=True)
        extent = reach.amax(dim=2).sum(dim=1, keepdim=True)
        extremes = torch.cat([largest[:, 0], extent, level[:, 0].abs(), span], dim=1)
        extremes = torch.log(extremes / scale[:, 0] + 1.0)
        times = torch.cat(
            [0.01 * place.median_ms[:, :1], torch.log(place.spread_ms[:, :1] + 0.05)], dim=1
        )
        looked_at = (views @ x.transpose(1, 2)).flatten(1)
        seen = torch.cat([x.mean(dim=2), x.amax(dim=2), looked_at, extremes, times.detach()], dim=1)
        hidden = torch.relu(self.dense(seen))
        return Body(x, place, views, seen, hidden, extremes[:, -1], scale[:, 0, 0]), logits

    def place(self, logits: Tensor) -> Place:
        """Read the heat maps, (batch, 2, 504)."""
        share = torch.softmax(logits, dim=2)
        folded = share.reshape(-1, 2, FOLD, STEPS)
        step_share = folded.sum(dim=2)
        begun = step_share @ self.until
        # Share of earlier bins: of earlier steps, and of earlier bins in the step.
        cumulated = (begun - step_share)[:, :, None] + self.earlier_fold @ folded
        reached = ((0.5 - cumulated) / (folded + 1e-9)).clamp(0.0, 1.0)
        median_ms = BIN_MS * reached.sum(dim=(2, 3))
        spread_ms = (share * (self.bin_ms - median_ms[:, :, None]).abs()).sum(dim=2)
        return Place(median_ms, spread_ms, step_share, begun)

    def answer_heads(self, body: Body) -> dict[str, Tensor]:
        """The dense layer's answers by name, (batch, n) each."""
        out = self.heads(self.dropout(body.hidden))
        return dict(zip(HEADS, out.split(list(HEADS.values()), dim=1), strict=True))

    def raw(self, sweep: Tensor) -> Raw:
        """Answers as trained; the logarithm of the amplitude in units of the input."""
        body, logits = self.see(sweep)
        out = self.answer_heads(body)
        return Raw(
            logits[:, 0],
            logits[:, 1],
            out["log_amplitude"][:, 0] + body.start + torch.log(body.scale),
            out["log_amplitude_spread"][:, 0],
            out["response"][:, 0],
            out["artefact"][:, 0],
            out["artefact_types"],
            out["severity"][:, 0],
            out["morphology"],
        )

    def forward(self, sweep: Tensor) -> Answers:
        """Answers in microvolts, milliseconds and probabilities."""
        body, _ = self.see(sweep)
        onset_ms, end_ms = body.place.median_ms[:, 0], body.place.median_ms[:, 1]
        out = self.answer_heads(body)
        log_amplitude = out["log_amplitude"][:, 0] + body.start
        return Answers(
            amplitude_uv=torch.exp(log_amplitude) * body.scale * SCALE_UV,
            onset_ms=self.window_offset_ms + FIRST_EDGE_MS + onset_ms,
            duration_ms=(end_ms - onset_ms).clamp(min=0.0),
            artefact=torch.sigmoid(out["artefact"][:, 0]),
            response=torch.sigmoid(out["response"][:, 0]),
            onset_sd_ms=body.place.spread_ms[:, 0] * self.onset_sd_scale,
            # Of a Laplace distribution with this scale.
            amplitude_log_sd=np.sqrt(2.0)
            * torch.exp(out["log_amplitude_spread"][:, 0])
            * self.amplitude_sd_scale,
            artefact_types=torch.sigmoid(out["artefact_types"]),
            severity=(torch.exp(out["severity"][:, 0]) - 1.0).clamp(min=0.0),
            morphology=torch.softmax(out["morphology"], dim=1),
            novelty=((body.seen - self.usual) @ self.whitening).square().sum(dim=1).sqrt(),
            embedding=body.hidden,
            saliency=self.saliency(body),
        )

    def saliency(self, body: Body) -> Tensor:
        """(batch, 500): what of the sweep speaks for a response, 0 where nothing does."""
        row = list(HEADS).index("response")
        weight = self.heads.weight[sum(list(HEADS.values())[:row])]
        active = (body.hidden > 0.0).to(body.hidden.dtype) * weight
        seen = active @ self.dense.weight[:, : VIEWS * self.size.body]
        mean, largest, at, inside = seen[:, :, None].split(self.size.body, dim=1)
        x = body.features
        # The largest value's gradient lies where it is; a feature that never fires adds nothing.
        is_largest = (x >= x.amax(dim=2, keepdim=True)).to(x.dtype)
        gradient = (
            mean / STEPS
            + largest * is_largest
            + at * body.views[:, :1]
            + inside * body.views[:, 1:]
        )
        cam = torch.relu((gradient * x).sum(dim=1))
        return cam @ self.stretch


def _convolution(
    inputs: int, filters: int, kernel: int, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(
            inputs,
            filters,
            kernel,
            stride=stride,
            dilation=dilation,
            padding=dilation * (kernel // 2),
            bias=False,
        ),
        nn.BatchNorm1d(filters),
    )


def _smoothing() -> np.ndarray:
    """(25, 500) float32: means of 20 samples -> their running mean over five, interpolated."""
    bins = NETWORK_SAMPLES // LEVEL_SAMPLES
    near = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins))) <= 2
    box = near / near.sum(axis=1, keepdims=True)
    centres = (np.arange(bins) + 0.5) * LEVEL_SAMPLES - 0.5
    return (box.T @ _interpolation(centres, NETWORK_SAMPLES)).astype(np.float32)


def _stretch() -> np.ndarray:
    """(63, 500) float32: from steps to samples, linearly."""
    return _interpolation(np.arange(STEPS) * float(FOLD), NETWORK_SAMPLES).astype(np.float32)


def _interpolation(at: np.ndarray, samples: int) -> np.ndarray:
    """(len(at), samples): weights of values at ``at`` in each sample, constant beyond the ends."""
    unit = np.eye(len(at))
    return np.stack([np.interp(np.arange(samples), at, row) for row in unit])
