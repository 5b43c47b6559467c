"""A picture of what the network looks at on recorded sweeps, where its file can explain itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import matplotlib as mpl
import numpy as np

from bench.accuracy_sets import Group, LabelledSet
from bench.methods.base import FloatArray, bridged
from monitor.measure.clean import clean_sweeps
from monitor.measure.network import NetworkOutput
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import NETWORK_FS_HZ, NETWORK_SAMPLES, network_window
from monitor.types import Float32Array

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

#: Set, row and title of the sweeps shown: hand, leg, silent with background EMG, artefact alone.
SHOWN = (
    ("mepfeatx", 3, "hand (FDI), mepfeatx"),
    ("mepfeatx", 160, "leg (tibialis anterior), mepfeatx"),
    ("tms-brainvision", 62, "hand (RFDI), under hum"),
    ("tms-brainvision", 45, "forearm (RECR), under hum"),
    ("tms-brainvision", 4, "silent forearm (LECR), background EMG"),
    ("dbs-artefact", 20, "stimulus artefact in surgery, no response"),
)
DPI = 130


class Explanation(Protocol):
    """``saliency`` (k, 500), at least 0."""

    @property
    def saliency(self) -> Float32Array: ...


class Explaining(Protocol):
    """A network that can say what of a window speaks for a response."""

    @property
    def window_offset_ms(self) -> float: ...

    def __call__(self, windows_uv: Float32Array) -> NetworkOutput: ...

    def explain(self, windows_uv: Float32Array) -> Explanation | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """One window (500,) in uV, its saliency, and the network's answer to it."""

    title: str
    window_uv: FloatArray
    saliency: FloatArray
    onset_ms: float
    probability: float


def window_of(group: Group, row: int, offset_ms: float) -> Float32Array:
    """(1, 500): what the live path hands the network of one sweep."""
    samples = group.sweeps_uv.shape[1]
    plan = plan_sweeps(group.fs_hz, samples, group.stimulus_index, group.pulses_ms)
    start = group.stimulus_index + (group.pulses_ms[-1] + offset_ms) * group.fs_hz / 1e3
    cleaned = clean_sweeps(bridged(group.sweeps_uv[row : row + 1]), plan)
    return network_window(cleaned, group.fs_hz, start)


def explained(network: Explaining, sets: Sequence[LabelledSet]) -> list[Explained]:
    """The sweeps of :data:`SHOWN` that are at hand; none where the network can't explain."""
    if not hasattr(network, "explain"):
        return []
    named = {data.name: data for data in sets}
    found = []
    for name, row, title in SHOWN:
        if name not in named:
            continue
        group = next(g for g in named[name].groups if row in g.rows)
        inside = int(np.flatnonzero(group.rows == row)[0])
        window = window_of(group, inside, network.window_offset_ms)
        explanation = network.explain(window)
        if explanation is None:
            return []
        said = network(window)
        found.append(
            Explained(
                title,
                window[0].astype(np.float64),
                np.asarray(explanation.saliency, np.float64).reshape(-1),
                float(said.onset_from_last_ms[0]),
                float(said.response_probability[0]),
            )
        )
    return found


def draw(network: Explaining, sets: Sequence[LabelledSet], path: Path) -> bool:
    """Draw them into ``path``; False, and no file, where there is nothing to draw."""
    shown = explained(network, sets)
    if not shown:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (len(shown) + 1) // 2
    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(
            rows, 2, figsize=(11, 2.5 * rows), sharex=True, squeeze=False, layout="constrained"
        )
        for axis in axes.flat[len(shown) :]:
            axis.set_visible(False)
        for axis, one in zip(axes.flat, shown, strict=False):
            _one(axis, one, network.window_offset_ms)
        for axis in axes[-1]:
            axis.set_xlabel("ms after the pulse")
        figure.savefig(path, dpi=DPI)
        plt.close(figure)
    return True


def _one(axis: Axes, one: Explained, offset_ms: float) -> None:
    t_ms = offset_ms + np.arange(NETWORK_SAMPLES) * 1e3 / NETWORK_FS_HZ
    largest = max(float(one.saliency.max()), 1e-9)
    low, high = one.window_uv.min(), one.window_uv.max()
    room = 0.08 * max(high - low, 1e-9)
    axis.imshow(
        one.saliency[None] / largest,
        extent=(t_ms[0], t_ms[-1], low - room, high + room),
        aspect="auto",
        cmap="Oranges",
        vmin=0.0,
        vmax=1.3,
        interpolation="nearest",
    )
    axis.plot(t_ms, one.window_uv, color="#222222", lw=1.0)
    if one.probability >= 0.5:
        axis.axvline(one.onset_ms, color="#4477aa", lw=1.2, ls="--")
    axis.set_title(
        f"{one.title}; response: {100 * one.probability:.0f} %", fontsize=9.5, loc="left"
    )
    axis.set(xlim=(t_ms[0], t_ms[-1]), ylim=(low - room, high + room), ylabel="µV")
