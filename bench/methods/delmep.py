"""DELMEP: latency by a small fully connected network on the normalised sweep.

"MEP latency" by deep learning (DELMEP): 3 kHz, 10-50 ms after the stimulus (120 samples); moving
average of 3; the mean of the first 15 samples subtracted; minimum and maximum brought to 0 and 1;
120-30-30-1 with rectified linear units. It gives every sweep an onset, has no "no response" and,
amplitude being normalised away, no amplitude. Its weights here come from our simulator
(:mod:`bench.methods.delmep_train`): the authors' were learnt on their own recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.methods.at_home import home_window
from bench.methods.base import FloatArray, MethodAnswers

FROM_MS = 10.0
SAMPLES = 120
SMOOTHED_SAMPLES = 3
CENTRED_SAMPLES = 15
LAYERS = (SAMPLES, 30, 30, 1)

WEIGHTS = Path(__file__).with_name("delmep.npz")

#: (weights, bias) a layer.
Layers = list[tuple[FloatArray, FloatArray]]


def preprocess(windows_uv: FloatArray) -> FloatArray:
    """Smooth, centre and normalise (n, 120) windows; a flat one becomes zeros."""
    kernel = np.full(SMOOTHED_SAMPLES, 1 / SMOOTHED_SAMPLES)
    # The ends repeat: a moving average over zeros would bend them towards 0.
    padded = np.pad(windows_uv, ((0, 0), (1, 1)), mode="edge")
    smooth = np.stack([np.convolve(row, kernel, "valid") for row in padded])
    smooth -= smooth[:, :CENTRED_SAMPLES].mean(axis=1, keepdims=True)
    low = smooth.min(axis=1, keepdims=True)
    span = smooth.max(axis=1, keepdims=True) - low
    return np.asarray(np.where(span > 0, (smooth - low) / np.where(span > 0, span, 1.0), 0.0))


def delmep_windows(
    sweeps_uv: FloatArray, fs_hz: float, stimulus_index: int, pulses_ms: tuple[float, ...]
) -> FloatArray:
    """(n, 120): what the network sees of sweeps, 10-50 ms after the last pulse."""
    from_ms = pulses_ms[-1] + FROM_MS
    return preprocess(home_window(sweeps_uv, fs_hz, stimulus_index, from_ms, SAMPLES))


def forward(layers: Layers, inputs: FloatArray) -> FloatArray:
    """(n,) latencies in ms from the stimulus for (n, 120) preprocessed windows."""
    values = inputs
    for number, (weights, bias) in enumerate(layers):
        values = values @ weights + bias
        if number < len(layers) - 1:
            values = np.maximum(values, 0.0)
    return np.asarray(values[:, 0])


def load_layers(path: Path = WEIGHTS) -> Layers:
    """Read the weights that :mod:`bench.methods.delmep_train` wrote."""
    with np.load(path) as stored:
        return [
            (stored[f"weights_{i}"].astype(np.float64), stored[f"bias_{i}"].astype(np.float64))
            for i in range(len(LAYERS) - 1)
        ]


@dataclass(frozen=True, slots=True)
class Delmep:
    """Onsets of the retrained network."""

    layers: Layers
    name: str = "DELMEP"

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """See :class:`bench.methods.base.Method`; gives onsets alone."""
        windows = delmep_windows(sweeps_uv, fs_hz, stimulus_index, pulses_ms)
        onset_ms = pulses_ms[-1] + forward(self.layers, windows)
        return MethodAnswers.of(len(windows), onset_ms=onset_ms)
