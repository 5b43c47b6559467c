"""Fit the deployed network to labelled sweeps of one's own: ``mep-monitor fine-tune --data DIR``.

``DIR`` holds ``.npz`` files as ``bench.accuracy --sweeps`` reads them: ``sweeps_uv (n, samples)``,
``fs_hz``, ``stimulus_index``, ``onset_ms`` (from the first pulse) and any of ``amplitude_uv``,
``present``, ``subject``, ``pulses_ms``; what is NaN is not learned from. All layers move a little,
normalisations stay as they are, and as many simulated sweeps are rehearsed with every batch, so
that what the new sweeps don't show is not forgotten. Where the files name three subjects or more,
each is held out once first (leave one subject out) and the card says what was gained on sweeps not
seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.compact import CompactNet
from models.dataset import WINDOW_OFFSET_MS, WindowSet, simulate_windows
from models.export import load_checkpoint, write_file
from models.objectives import COMPACT_WEIGHTS, Targets, losses, targets_of, weighted
from models.train import sweeps_of
from monitor.measure.clean import clean
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import network_window
from monitor.types import MonitorError

FloatArray = NDArray[np.float64]

CHECKPOINT = Path(__file__).with_name("weights") / "mep_cnn.pt"
LEARNING_RATE = 5e-4
BATCH = 64
REHEARSED = 6400
MIN_SUBJECTS = 3
#: What one's own sweeps teach; the rest is rehearsed alone.
LEARNED = ("onset", "amplitude", "response")


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Windows (k, 500) float32 uV with their labels, (k,) each; onset from the last pulse.

    NaN where a label is not known; ``subject`` is 0 where nobody says.
    """

    windows_uv: NDArray[np.float32]
    onset_ms: FloatArray
    amplitude_uv: FloatArray
    present: FloatArray
    subject: NDArray[Any]

    def rows(self, index: NDArray[Any]) -> Labelled:
        return Labelled(
            self.windows_uv[index],
            self.onset_ms[index],
            self.amplitude_uv[index],
            self.present[index],
            self.subject[index],
        )


@dataclass(frozen=True, slots=True)
class Errors:
    """On n labelled sweeps: onset MAE, median |amplitude error| in %, share of wrong present %."""

    n: int
    onset_mae_ms: float
    amplitude_percent: float
    wrong_percent: float

    def line(self, name: str) -> str:
        return (
            f"| {name} | {self.n} | {self.onset_mae_ms:.2f} | {self.amplitude_percent:.1f} "
            f"| {self.wrong_percent:.1f} |"
        )


TABLE_HEAD = (
    "| network | sweeps | onset MAE ms | amplitude median error % | present or not wrong % |\n"
    "|---|---|---|---|---|"
)


def read_folder(folder: Path) -> Labelled:
    """Every ``.npz`` of a folder, its windows cut as the monitor cuts them.

    Raises:
        MonitorError: no file, or one that lacks an array or holds another shape.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise MonitorError(f"{folder}: no .npz file of labelled sweeps")
    parts = [_read(path) for path in paths]
    return Labelled(
        np.concatenate([part.windows_uv for part in parts]),
        np.concatenate([part.onset_ms for part in parts]),
        np.concatenate([part.amplitude_uv for part in parts]),
        np.concatenate([part.present for part in parts]),
        np.concatenate([part.subject for part in parts]),
    )


def _read(path: Path) -> Labelled:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise MonitorError(f"{path}: can't be read: {error}") from None
    missing = {"sweeps_uv", "fs_hz", "stimulus_index", "onset_ms"} - arrays.keys()
    if missing:
        raise MonitorError(f"{path}: {', '.join(sorted(missing))} missing")
    sweeps = np.asarray(arrays["sweeps_uv"], np.float64)
    onset_ms = np.asarray(arrays["onset_ms"], np.float64)
    if sweeps.ndim != 2 or onset_ms.shape != sweeps.shape[:1]:
        raise MonitorError(f"{path}: sweeps_uv {sweeps.shape} with onset_ms {onset_ms.shape}")
    fs_hz, index = float(arrays["fs_hz"]), int(arrays["stimulus_index"])
    pulses_ms = tuple(float(p) for p in arrays.get("pulses_ms", (0.0,)))
    plan = plan_sweeps(fs_hz, sweeps.shape[1], index, pulses_ms)
    start = index + (plan.last_pulse_ms + WINDOW_OFFSET_MS) * fs_hz / 1e3
    unknown = np.full(len(sweeps), np.nan)
    present = arrays.get("present", np.where(np.isfinite(onset_ms), 1.0, np.nan))
    return Labelled(
        network_window(clean(sweeps, plan).sweeps_uv, fs_hz, start),
        onset_ms - plan.last_pulse_ms,
        np.asarray(arrays.get("amplitude_uv", unknown), np.float64),
        np.asarray(present, np.float64),
        np.asarray([f"{path.stem}/{s}" for s in arrays.get("subject", np.zeros(len(sweeps), int))]),
    )


def adapt(model: CompactNet, own: Labelled, rehearsal: WindowSet, steps: int, seed: int) -> None:
    """Move all layers a little towards one's own sweeps, in place; deterministic."""
    generator = torch.Generator().manual_seed(seed)
    sweeps, targets = sweeps_of(own.windows_uv), _targets(own)
    old_sweeps, old_targets = sweeps_of(rehearsal.windows_uv), targets_of(rehearsal)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    # Normalisations and dropout as in use: a few sweeps of one site are no estimate of a mean.
    model.eval()
    for _ in range(steps):
        mine = torch.randint(0, len(sweeps), (BATCH,), generator=generator)
        theirs = torch.randint(0, len(old_sweeps), (BATCH,), generator=generator)
        turned = torch.randint(0, 2, (BATCH, 1, 1), generator=generator) * 2.0 - 1.0
        loss = weighted(losses(model, old_sweeps[theirs] * turned, old_targets.rows(theirs)))
        loss = loss + _own_loss(model, sweeps[mine] * turned, targets.rows(mine))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()


def _own_loss(model: CompactNet, sweeps: Tensor, targets: Targets) -> Tensor:
    """Each label teaches the sweeps that have it: NaN rows are left out, label by label."""
    total = torch.zeros(())
    known = {
        "onset": torch.isfinite(targets.onset_ms),
        "amplitude": torch.isfinite(targets.amplitude_uv),
        "response": torch.isfinite(targets.response),
    }
    clean = Targets(*(torch.nan_to_num(column) for column in targets))
    for name in LEARNED:
        rows = known[name] if name == "response" else known[name] & (targets.response > 0)
        if rows.any():
            index = rows.nonzero()[:, 0]
            part = losses(model, sweeps[index], clean.rows(index))[name]
            total = total + COMPACT_WEIGHTS[name] * part
    return total


def _targets(own: Labelled) -> Targets:
    unknown = torch.zeros(len(own.onset_ms))
    named = {
        "onset_ms": own.onset_ms,
        "amplitude_uv": own.amplitude_uv,
        "response": own.present,
    }
    columns = {name: torch.from_numpy(values).float() for name, values in named.items()}
    types = torch.zeros(len(own.onset_ms), 7)
    return Targets(
        **{name: unknown for name in Targets._fields if name not in columns}
        | columns
        | {"artefact_types": types}
    )


def errors(model: CompactNet, own: Labelled) -> Errors:
    """What the network gets wrong on labelled sweeps."""
    with torch.no_grad():
        said = model.eval()(sweeps_of(own.windows_uv))
    timed = (own.present > 0) & np.isfinite(own.onset_ms)
    sized = (own.present > 0) & np.isfinite(own.amplitude_uv)
    judged = np.isfinite(own.present)
    off_ms = np.abs(said.onset_ms.numpy() - own.onset_ms)[timed]
    off = np.abs(said.amplitude_uv.numpy()[sized] / own.amplitude_uv[sized] - 1.0)
    wrong = (said.response.numpy() >= 0.5) != (own.present > 0)
    return Errors(
        len(own.onset_ms),
        float(off_ms.mean()) if off_ms.size else float("nan"),
        100.0 * float(np.median(off)) if off.size else float("nan"),
        100.0 * float(wrong[judged].mean()) if judged.any() else float("nan"),
    )


def leave_one_out(
    own: Labelled, rehearsal: WindowSet, steps: int, seed: int, checkpoint: Path = CHECKPOINT
) -> list[tuple[str, Errors, Errors]]:
    """(subject, before, after) for each: fitted to the others, judged on that one alone."""
    held = []
    for subject in sorted(set(own.subject)):
        inside = own.subject == subject
        model = _load(checkpoint)
        before = errors(model, own.rows(inside))
        adapt(model, own.rows(~inside), rehearsal, steps, seed)
        held.append((str(subject), before, errors(model, own.rows(inside))))
    return held


def _load(checkpoint: Path) -> CompactNet:
    model, _ = load_checkpoint(checkpoint)
    if not isinstance(model, CompactNet):
        raise MonitorError(f"{checkpoint}: holds another network than the deployed one")
    return model


def fine_tune(
    data: Path, out: Path, steps: int = 300, seed: int = 2026, checkpoint: Path = CHECKPOINT
) -> str:
    """Fit, export to ``out`` (an ``.onnx``) with its card beside it; return its SHA-256.

    Raises:
        MonitorError: sweeps that can't be read, or no checkpoint.
    """
    if not checkpoint.is_file():
        raise MonitorError(f"{checkpoint}: not there; fine-tuning starts from it")
    torch.set_num_threads(1)
    own = read_folder(data)
    rehearsal = simulate_windows(seed, "training", REHEARSED)
    subjects = sorted(set(own.subject))
    held = (
        leave_one_out(own, rehearsal, steps, seed, checkpoint)
        if len(subjects) >= MIN_SUBJECTS
        else []
    )
    model, stored = load_checkpoint(checkpoint)
    if not isinstance(model, CompactNet):
        raise MonitorError(f"{checkpoint}: holds another network than the deployed one")
    before = errors(model, own)
    adapt(model, own, rehearsal, steps, seed)
    after = errors(model, own)
    told = f"; then {len(own.onset_ms)} labelled sweeps of {len(subjects)} subjects, {steps} steps"
    sha256 = write_file(model, stored | {"epochs": f"{stored['epochs']}{told}"}, out)
    rows = [TABLE_HEAD, before.line("before"), after.line("after, on what it was fitted to")]
    for subject, was, now in held:
        rows += [was.line(f"{subject}, before"), now.line(f"{subject}, after, held out")]
    out.with_suffix(".md").write_text(
        f"# {out.stem}\n\nThe deployed network, fine-tuned. **Not a medical device.**\n\n"
        f"File `{out.name}`, SHA-256 `{sha256}`; from `{checkpoint.name}`; seed {seed}{told}.\n"
        "To use it, name its hash in the case file. Uncertainties were not calibrated anew.\n\n"
        + "\n".join(rows)
        + "\n",
        encoding="utf-8",
    )
    return sha256
