"""Fit a network to simulated sweeps: ``python -m models.train [--network compact|paper]``.

AdamW at a constant rate (its first steps are warmed up) that falls along a half cosine in the last
part of the epochs, a weighted sum of the losses of :mod:`models.objectives`. Every sweep is shown
upright or turned over at random, for polarity means nothing to a surface electrode. The compact
network is trained in two stages: a narrow one first, then, widened (:mod:`models.widen`), what is
deployed, on sweeps of the next seed; ``--start`` a narrow checkpoint and the first is left out.
After the last epoch its stated uncertainties are calibrated on the validation split and
what is unlike all training is told apart (:mod:`models.calibrate`).

One thread, one seed: the same command on the same machine gives the same weights, broken off and
taken up again (``--progress``) or not. Only simulating runs in several processes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.architecture import SCALE_UV, MepCnn
from models.calibrate import calibrate
from models.compact import NARROW, WIDE, CompactNet, Size
from models.dataset import WINDOW_OFFSET_MS, WindowSet, stored_windows, training_sha256
from models.objectives import Targets, losses, targets_of, weighted
from models.widen import widen

WARM_UP = 200
#: What the network takes for usual it takes from so many of the sweeps, spread over all set-ups.
USUAL_FROM = 24_000


class Stage(NamedTuple):
    """A part of the training: how many sweeps are shown how often, and the learning rate.

    The rate falls in the last ``falling_share`` of the epochs. ``size`` is the compact network's.
    """

    sweeps: int
    epochs: int
    learning_rate: float
    batch: int = 128
    falling_share: float = 0.4
    size: Size | None = None


#: Network -> its stages, unless told otherwise.
STAGES = {
    "compact": (
        Stage(600_000, 16, 2.5e-3, size=NARROW),
        Stage(600_000, 9, 2e-3, batch=256, falling_share=0.75, size=WIDE),
    ),
    "paper": (Stage(60_000, 5, 1e-3),),
}
#: Where checkpoints go unless told otherwise.
CHECKPOINTS = Path("out")


def build(name: str, size: Size = WIDE) -> CompactNet | MepCnn:
    """An untrained network. The paper's is its drawing to the letter: no positions read."""
    if name == "compact":
        return CompactNet(WINDOW_OFFSET_MS, size)
    return MepCnn(WINDOW_OFFSET_MS, attend=False)


def sweeps_of(windows_uv: np.ndarray) -> Tensor:
    """(k, 1, 500) in the networks' unit, from (k, 500) in uV."""
    return torch.from_numpy(windows_uv[:, None, :].astype(np.float32) / np.float32(SCALE_UV))


def rate_at(step: int, steps: int, falling_share: float) -> float:
    """The share of the learning rate at a step of all steps."""
    warm_up = min(WARM_UP, max(1, steps // 10))
    left = min(1.0, (1.0 - step / steps) / falling_share)
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1.0 - float(np.cos(np.pi * left)))


def fit(
    model: CompactNet | MepCnn,
    training: WindowSet,
    validation: WindowSet,
    stage: Stage,
    seed: int,
    progress: Path | None = None,
) -> list[tuple[float, float]]:
    """Train in place; print and return (training loss, validation loss) of every epoch.

    Args:
        progress: where every epoch leaves what it takes to go on, and where a file of that kind
            is gone on from, as if nothing had happened.
    """
    targets = targets_of(training)
    count = len(training.snr)
    batches = max(1, count // stage.batch)
    epochs = stage.epochs
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=stage.learning_rate, weight_decay=1e-4, fused=True
    )
    curve: list[tuple[float, float]] = []
    if progress is not None and progress.exists():
        kept = torch.load(progress, weights_only=True)
        model.load_state_dict(kept["state"])
        optimiser.load_state_dict(kept["optimiser"])
        torch.set_rng_state(kept["random"])
        curve = [(float(a), float(b)) for a, b in kept["curve"]]
    for epoch in range(len(curve), epochs):
        started_s = time.process_time()
        model.train()
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        order = torch.randperm(count, generator=generator)
        total = 0.0
        for number, batch in enumerate(order[: batches * stage.batch].chunk(batches)):
            step, steps = epoch * batches + number, epochs * batches
            rate = stage.learning_rate * rate_at(step, steps, stage.falling_share)
            for group in optimiser.param_groups:
                group["lr"] = rate
            turned = torch.randint(0, 2, (len(batch), 1, 1), generator=generator) * 2.0 - 1.0
            sweeps = sweeps_of(training.windows_uv[batch.numpy()]) * turned
            loss = weighted(losses(model, sweeps, targets.rows(batch)))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            total += loss.item()
        parts = held_out(model, validation)
        curve.append((total / batches, float(weighted(parts))))
        print(
            f"epoch {epoch + 1:3d}/{epochs}  loss {curve[-1][0]:.4f}  validation {curve[-1][1]:.4f}"
            f"  ({', '.join(f'{name} {float(value):.4f}' for name, value in parts.items())})"
            f"  {time.process_time() - started_s:.0f} CPU s",
            flush=True,
        )
        if progress is not None:
            keep = {
                "state": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "random": torch.get_rng_state(),
                "curve": curve,
            }
            torch.save(keep, progress.with_suffix(".part"))
            progress.with_suffix(".part").replace(progress)
    return curve


def held_out(model: CompactNet | MepCnn, validation: WindowSet) -> dict[str, Tensor]:
    """The losses on held-out sweeps; leaves the network in evaluation mode."""
    model.eval()
    targets: Targets = targets_of(validation)
    every = torch.arange(len(validation.snr))
    with torch.no_grad():
        parts = [
            losses(model, sweeps_of(validation.windows_uv[rows.numpy()]), targets.rows(rows))
            for rows in torch.split(every, 512)
        ]
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}


def read_checkpoint(path: Path) -> tuple[CompactNet | MepCnn, dict[str, Any]]:
    """The network of a checkpoint, of whatever size it is, and the rest of it."""
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    state = checkpoint["state"]
    narrow = checkpoint["network"] == "compact" and len(state["usual"]) == NARROW.seen
    model = build(checkpoint["network"], NARROW if narrow else WIDE)
    model.load_state_dict(state)
    return model, checkpoint


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--network", choices=tuple(STAGES), default="compact")
    parser.add_argument("--epochs", type=int, help="of every stage")
    parser.add_argument("--sweeps", type=int, help="simulated for training, in every stage")
    parser.add_argument("--seed", type=int, default=2026, help="a later stage takes the next")
    parser.add_argument("--out", type=Path, help="checkpoint; default out/<network>.pt")
    parser.add_argument("--start", type=Path, help="a checkpoint that the last stage begins with")
    parser.add_argument("--rate", type=float, help="learning rate at its highest")
    parser.add_argument("--progress", type=Path, help="file to go on from after a break")
    parser.add_argument("--workers", type=int, default=2, help="processes that simulate")
    parser.add_argument("--cache", type=Path, help="folder that keeps simulated sweeps")
    parser.add_argument("--tiny", action="store_true", help="seconds, to see that it works")
    options = parser.parse_args(arguments)
    told = {
        "epochs": 1 if options.tiny else options.epochs,
        "sweeps": 512 if options.tiny else options.sweeps,
        "learning_rate": options.rate,
    }
    stages = [
        stage._replace(**{name: value for name, value in told.items() if value is not None})
        for stage in STAGES[options.network]
    ]

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model: CompactNet | MepCnn | None = None
    shown, curve = [], []
    if options.start is not None:
        model, before = read_checkpoint(options.start)
        shown.append(f"begun with {before['sweeps']} of seed {before['seed']}")
    for number, stage in enumerate(stages):
        if options.start is not None and number < len(stages) - 1:
            continue
        seed, count = options.seed + number, stage.sweeps
        torch.manual_seed(seed)
        workers = 1 if options.tiny else options.workers
        training = stored_windows(seed, "training", count, options.cache, workers)
        validation = stored_windows(
            seed, "validation", min(12_000, max(256, count // 15)), options.cache
        )
        print(f"{count} sweeps to train on, {len(validation.snr)} to validate, seed {seed}")
        if model is None:
            model = build(options.network, stage.size or WIDE)
        elif isinstance(model, CompactNet) and stage.size not in (None, model.size):
            model = widen(model, stage.size)
        progress = options.progress
        if progress is not None and number < len(stages) - 1:
            progress = progress.with_suffix(f".{number + 1}{progress.suffix}")
        curve += fit(model, training, validation, stage, seed, progress)
        last = number == len(stages) - 1
        shown.append(f"{stage.epochs} epochs{'' if last else f' of {count} of seed {seed}'}")
    if isinstance(model, CompactNet):
        calibrate(model, validation, training.windows_uv[:: max(1, count // USUAL_FROM)])
    out = options.out or CHECKPOINTS / f"{options.network}.pt"
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "network": options.network,
            "state": model.state_dict(),
            "window_offset_ms": WINDOW_OFFSET_MS,
            "seed": seed,
            "sweeps": count,
            "epochs": f"{', then '.join(shown)}; no real recording",
            "curve": curve,
            "training_sha256": training_sha256(seed, count),
        },
        out,
    )
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
