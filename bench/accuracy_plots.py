"""Pictures for :mod:`bench.accuracy`: errors and detection by SNR, calibration."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench.accuracy_sets import LabelledSet
from bench.methods.base import FloatArray, MethodAnswers

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: One colour and line a method, the same in every picture (Tol's bright scheme, told apart in
#: print too: ours solid, published ones broken).
STYLES: dict[str, tuple[str, str, float]] = {
    "ours, deployed": ("#000000", "-", 2.6),
    "ours, TKEO onset": ("#4477aa", "-", 1.4),
    "ours, network": ("#ee6677", "-", 1.4),
    "CNN paper's": ("#aa3377", "--", 1.4),
    "TKEO + Hilbert": ("#228833", "--", 1.4),
    "DELMEP": ("#ccbb44", "--", 1.4),
    "Signal Hunter": ("#66ccee", ":", 1.4),
    "AHTE": ("#bbbbbb", ":", 1.4),
    "SHTE": ("#888888", ":", 1.4),
    "Bigoni": ("#ee8866", "-.", 1.4),
    "template": ("#332288", "-.", 1.4),
}
#: SNR bins, even on a logarithmic scale; under so many responses a bin is left out.
EDGES = np.geomspace(1.5, 192.0, 12)
LEAST = 25
DPI = 130
TICKS = (1.5, 3, 5, 10, 20, 50, 150)


def draw(data: LabelledSet, answers: dict[str, MethodAnswers], folder: Path) -> list[Path]:
    """Draw what the set allows; gives the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    if not np.isfinite(data.labels["snr"]).any():
        return []
    drawn = {
        "accuracy_onset.png": _onset,
        "accuracy_detection.png": _detection,
        "accuracy_amplitude.png": _amplitude,
        "accuracy_calibration.png": _calibration,
    }
    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        for name, plot in drawn.items():
            plot(data, answers, folder / name)
    return [folder / name for name in drawn]


def _bins(snr: FloatArray) -> tuple[FloatArray, list[np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    inside = [(snr >= low) & (snr < high) for low, high in pairwise(EDGES)]
    return np.sqrt(EDGES[:-1] * EDGES[1:]), inside


def _onset(data: LabelledSet, answers: dict[str, MethodAnswers], path: Path) -> None:
    """Median and mean onset error of the found, and the share within half a millisecond of all."""
    labels = data.labels
    middle, inside = _bins(labels["snr"])
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.4), layout="constrained")
    for name, said in answers.items():
        if not np.isfinite(said.onset_ms).any():
            continue
        size = np.abs(said.onset_ms - labels["onset_ms"])
        found = said.found()
        rows = np.full((3, middle.size), np.nan)
        for column, here in enumerate(inside):
            if (here & found).sum() >= LEAST:
                errors = size[here & found]
                rows[0, column], rows[1, column] = errors.mean(), np.median(errors)
            if here.sum() >= LEAST:
                rows[2, column] = 100 * np.mean(found[here] & (size[here] < 0.5))
        for axis, row in zip(axes, rows, strict=True):
            axis.plot(middle, row, **_line(name))
    titles = (
        "mean |onset error| of the responses found, ms",
        "median |onset error| of the responses found, ms",
        "onset within 0.5 ms, % of all responses",
    )
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, fontsize=9.5, loc="left")
        _snr_axis(axis)
    for axis in axes[:2]:
        axis.set(yscale="log", ylim=(0.02, 40))
        axis.set_yticks([0.1, 0.5, 1, 5, 10], ["0.1", "0.5", "1", "5", "10"])
        axis.minorticks_off()
    axes[2].set_ylim(0, 100)
    _legend(figure, axes[0])
    _save(figure, path)


def _detection(data: LabelledSet, answers: dict[str, MethodAnswers], path: Path) -> None:
    """Found by SNR at each method's own limit, and the curve of found against false."""
    labels = data.labels
    middle, inside = _bins(labels["snr"])
    absent = labels["present"] == 0
    strong = (labels["present"] == 1) & (labels["snr"] >= 3)
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.6), layout="constrained")
    for name, said in answers.items():
        if not np.isfinite(said.response).any() or name == "ours, TKEO onset":
            continue
        yes = said.response == 1
        share = [100 * yes[here].mean() if here.sum() >= LEAST else np.nan for here in inside]
        line = _line(name)
        false = 100 * yes[absent].mean()
        line["label"] = f"{name} ({false:.1f} % false)"
        axes[0].plot(middle, share, **line)
        if np.isfinite(said.score[absent | strong]).all():
            limits = np.unique(np.quantile(said.score, np.linspace(0, 1, 600)))
            curve = np.array(
                [[np.mean(said.score[w] > limit) for w in (absent, strong)] for limit in limits]
            )
            axes[1].plot(*(100 * np.maximum(curve.T, 1e-6)), **(_line(name) | {"marker": ""}))
        axes[1].plot(
            max(false, 0.1), 100 * yes[strong].mean(), "o", ms=7, color=STYLES[name][0], mec="w"
        )
    axes[0].set_title("responses found at the method's own limit, %", fontsize=9.5, loc="left")
    _snr_axis(axes[0])
    axes[0].set_ylim(0, 101)
    axes[0].legend(fontsize=8, frameon=False, loc="lower right")
    axes[1].set_title(
        "found (SNR 3 and more) against false responses, %; dots: own limit",
        fontsize=9.5,
        loc="left",
    )
    axes[1].set(xscale="log", xlim=(0.1, 100), ylim=(0, 101), xlabel="false responses, %")
    axes[1].set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes[1].axvline(1.0, color="0.7", lw=0.8, ls=":")
    axes[1].grid(alpha=0.25)
    _save(figure, path)


def _amplitude(data: LabelledSet, answers: dict[str, MethodAnswers], path: Path) -> None:
    """Median relative error (bias) and its quartiles by SNR, for methods that give amplitudes."""
    labels = data.labels
    middle, inside = _bins(labels["snr"])
    shown = {n: a for n, a in answers.items() if np.isfinite(a.amplitude_uv).any()}
    figure, axes = plt.subplots(
        1, len(shown), figsize=(3.4 * len(shown) + 0.6, 3.9), sharey=True, layout="constrained"
    )
    for axis, (name, said) in zip(np.atleast_1d(axes), shown.items(), strict=True):
        off = 100 * (said.amplitude_uv / labels["amplitude_uv"] - 1)
        found = (said.response == 1) & np.isfinite(off)
        rows = np.full((5, middle.size), np.nan)
        for column, here in enumerate(inside):
            if (here & found).sum() >= LEAST:
                rows[:, column] = np.quantile(off[here & found], [0.05, 0.25, 0.5, 0.75, 0.95])
        colour = STYLES.get(name, ("#000000", "-", 1.4))[0]
        axis.fill_between(middle, rows[0], rows[4], color=colour, alpha=0.12, lw=0)
        axis.fill_between(middle, rows[1], rows[3], color=colour, alpha=0.28, lw=0)
        axis.plot(middle, rows[2], color=colour, lw=1.8)
        axis.axhline(0, color="0.4", lw=0.7)
        axis.axhspan(-5, 5, color="0.5", alpha=0.12, lw=0)
        axis.set_title(name, fontsize=9.5, loc="left")
        axis.set_ylim(-60, 120)
        _snr_axis(axis)
    np.atleast_1d(axes)[0].set_ylabel("amplitude error, %: median, 50 and 90 % of responses")
    _save(figure, path)


def _calibration(data: LabelledSet, answers: dict[str, MethodAnswers], path: Path) -> None:
    """What a stated uncertainty is worth: amplitude bounds, onset SD, probability of a response."""
    labels = data.labels
    middle, inside = _bins(labels["snr"])
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.2), layout="constrained")
    for name, said in answers.items():
        line = _line(name)
        found = said.found()
        bounded = found & np.isfinite(said.amplitude_lower_uv) & np.isfinite(labels["amplitude_uv"])
        if bounded.any():
            within = (said.amplitude_lower_uv <= labels["amplitude_uv"]) & (
                labels["amplitude_uv"] <= said.amplitude_upper_uv
            )
            share = [100 * within[here & bounded].mean() if (here & bounded).sum() >= LEAST
                     else np.nan for here in inside]  # fmt: skip
            axes[0].plot(middle, share, **line)
        doubted = found & np.isfinite(said.onset_sd_ms) & np.isfinite(labels["onset_ms"])
        if doubted.sum() >= 10 * LEAST:
            stated, real = _by_stated(
                said.onset_sd_ms[doubted], (said.onset_ms - labels["onset_ms"])[doubted]
            )
            axes[1].plot(stated, real, **line)
        scored = np.isfinite(said.score) & (said.score >= 0) & (said.score <= 1)
        if scored.all():
            known = labels["present"] >= 0
            chance, real = _by_stated_share(said.score[known], labels["present"][known])
            axes[2].plot(100 * chance, 100 * real, **line)
    axes[0].axhline(95, color="0.5", lw=0.8, ls="--")
    axes[0].set_title("truth within the 95 % range of amplitude, %", fontsize=9.5, loc="left")
    axes[0].set_ylim(0, 101)
    _snr_axis(axes[0])
    axes[1].set_title("onset: stated SD against the real one, ms", fontsize=9.5, loc="left")
    axes[1].set(xscale="log", yscale="log", xlabel="stated SD, ms", xlim=(0.05, 20),
                ylim=(0.05, 20))  # fmt: skip
    axes[1].plot([0.05, 20], [0.05, 20], color="0.5", lw=0.8, ls="--")
    if len(axes[1].lines) == 1:
        axes[1].text(1.0, 1.6, "no method states one", ha="center", rotation=38, color="0.4")
    axes[2].set_title("response: stated probability against share, %", fontsize=9.5, loc="left")
    axes[2].set(xlabel="stated probability, %", xlim=(0, 100), ylim=(0, 100))
    axes[2].plot([0, 100], [0, 100], color="0.5", lw=0.8, ls="--")
    for axis in axes:
        axis.grid(alpha=0.25)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8, frameon=False, loc="best")
    _save(figure, path)


def _by_stated(stated: FloatArray, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Tenths by stated SD: its root mean square, and a robust SD of the errors."""
    parts = np.array_split(np.argsort(stated), 10)
    return (
        np.array([np.sqrt(np.mean(np.square(stated[part]))) for part in parts]),
        np.array([np.quantile(np.abs(errors[part]), 0.6827) for part in parts]),
    )


def _by_stated_share(stated: FloatArray, happened: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Tenths of the range of a probability: its mean, and how often the thing was so."""
    part = np.minimum((stated * 10).astype(int), 9)
    kept = [number for number in range(10) if (part == number).sum() >= LEAST]
    return (
        np.array([stated[part == number].mean() for number in kept]),
        np.array([happened[part == number].mean() for number in kept]),
    )


def _line(name: str) -> dict[str, object]:
    colour, style, width = STYLES.get(name, ("#000000", "-", 1.4))
    return {"color": colour, "ls": style, "lw": width, "marker": "o", "ms": 3, "label": name}


def _snr_axis(axis: Axes) -> None:
    axis.set(xscale="log", xlabel="SNR: peak over noise SD", xlim=(EDGES[0], EDGES[-1]))
    axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axis.minorticks_off()
    axis.grid(alpha=0.25)


def _legend(figure: Figure, axis: Axes) -> None:
    handles, names = axis.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=6, fontsize=8.5, frameon=False,
        handlelength=3,
    )  # fmt: skip


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
