"""Pictures for the model's card: fifty simulated sweeps beside recorded ones, and saliency.

``python -m models.picture --real FOLDER``: ``FOLDER`` holds ``mepfeatx`` and ``dbs-artefact`` (see
the model card for where they come from). They are only looked at: nothing is trained on them.
With ``--saliency OUT`` what the deployed network sees in recorded sweeps is drawn as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.io import loadmat

from models.simulator import ARTEFACT_TYPES, simulate_block
from monitor.load_network import load_network
from monitor.measure.clean import clean
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import network_window

FloatArray = NDArray[np.float64]

ROWS, COLUMNS = 10, 5
SHOWN_MS = (-20.0, 100.0)


def simulated(seed: int) -> Iterator[tuple[FloatArray, FloatArray, str, float]]:
    """Times from the last pulse, sweep, title, onset: one sweep each of fifty set-ups."""
    for number in range(ROWS * COLUMNS):
        block = simulate_block(seed, "validation", number, 1)
        truth = block.truth
        kinds = [
            n for n, is_so in zip(ARTEFACT_TYPES, truth.artefact_types[0], strict=True) if is_so
        ]
        title = f"SNR {truth.snr[0]:.1f}" if truth.response[0] else "no response"
        yield (
            block.setup.t_ms() - block.setup.last_pulse_ms,
            block.sweeps_uv[0],
            ", ".join([title, *kinds]),
            float(truth.onset_ms[0]),
        )


def recorded(folder: Path) -> Iterator[tuple[FloatArray, FloatArray, str, float]]:
    """As :func:`simulated`, of recordings: hand, leg, and stimulus artefact from surgery."""
    for name, muscle in (("ID01", "hand"), ("ID02", "leg"), ("ID04", "leg")):
        sweeps = loadmat(folder / "mepfeatx" / f"{name}.mat")["meps"].T.astype(np.float64)
        for row in np.linspace(0, len(sweeps) - 1, 2 if name != "ID01" else 3).astype(int):
            times = -50.0 + np.arange(sweeps.shape[1]) / 3.0
            yield times, sweeps[row], f"recorded: {muscle}", np.nan
    stored = loadmat(folder / "dbs-artefact" / "EMG_artifacts_templib.mat", squeeze_me=True)
    for row in (0, 38, 113):
        sweep = np.asarray(stored["EMG_save"][row]["data"], np.float64).ravel()
        yield np.arange(sweep.size) / 22.0, sweep, "recorded: stimulus artefact", np.nan


def draw_saliency(folder: Path, out: Path) -> None:
    """Recorded sweeps as the network gets them, coloured by what speaks for a response."""
    network = load_network()
    sweeps = [one for one in recorded(folder) if one[0][-1] > 80.0]
    figure, axes = plt.subplots(2, -(-len(sweeps) // 2), figsize=(10, 3.2))
    for each, (times, sweep, title, _) in zip(axes.flat, sweeps, strict=False):
        fs_hz = 1e3 / (times[1] - times[0])
        at = int(np.argmin(np.abs(times)))
        plan = plan_sweeps(fs_hz, sweep.size, at)
        start = at + network.window_offset_ms * fs_hz / 1e3
        window = network_window(clean(sweep[None], plan).sweeps_uv, fs_hz, start)
        said, told = network(window), network.explain(window)
        if told is None:
            raise ValueError("the deployed network explains nothing")
        shown_ms = network.window_offset_ms + np.arange(window.shape[1]) / 5.0
        heat = told.saliency[0] / max(float(told.saliency.max()), 1e-9)
        each.scatter(shown_ms, window[0], c=heat, cmap="viridis", s=1.5)
        onset_ms, sd_ms = said.onset_from_last_ms[0], said.onset_sd_ms
        if said.response_probability[0] >= 0.5:
            width = 0.0 if sd_ms is None else float(sd_ms[0])
            each.axvspan(onset_ms - width, onset_ms + width, color="C3", alpha=0.4)
        probability = f"p = {said.response_probability[0]:.2f}"
        each.set_title(f"{title.removeprefix('recorded: ')}, {probability}", fontsize=6, pad=2)
        each.tick_params(labelsize=4, length=1, pad=1)
    for each in axes.flat[len(sweeps) :]:
        each.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(out, dpi=90)
    print(f"{out}: {out.stat().st_size} bytes")


def _draw(axes: Axes, times: FloatArray, sweep: FloatArray, title: str, onset_ms: float) -> None:
    shown = (times >= SHOWN_MS[0]) & (times < SHOWN_MS[1])
    axes.plot(times[shown], sweep[shown], lw=0.5, color="k" if "recorded" not in title else "C0")
    # The spike of the stimulus would flatten everything else.
    after = sweep[(times > 4.5) & (times < SHOWN_MS[1])]
    low, high = float(after.min()), float(after.max())
    edge = 0.15 * max(high - low, 1e-3)
    axes.set_ylim(low - edge, high + edge)
    if np.isfinite(onset_ms):
        axes.axvline(onset_ms, color="C3", lw=0.6)
    axes.set_title(title, fontsize=5, pad=1)
    axes.tick_params(labelsize=4, length=1, pad=1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.picture", description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of recordings; without: simulated only")
    parser.add_argument("--out", type=Path, default=Path("models/weights/simulated_sweeps.png"))
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--saliency", type=Path, help="a second picture; needs --real")
    options = parser.parse_args(arguments)
    if options.saliency is not None and options.real is not None:
        draw_saliency(options.real, options.saliency)
    sweeps = list(simulated(options.seed))
    if options.real is not None:
        sweeps += list(recorded(options.real))
    rows = -(-len(sweeps) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(10, 0.95 * rows))
    for each in axes.flat[len(sweeps) :]:
        each.axis("off")
    for each, one in zip(axes.flat, sweeps, strict=False):
        _draw(each, *one)
    figure.tight_layout(pad=0.3)
    figure.savefig(options.out, dpi=75)
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
