"""Fit the network to simulated sweeps: ``python -m models.train``.

Adam at 1e-3, falling along a half cosine; mean squared error for amplitude, latency and duration,
binary cross-entropy for artefact and response, weighted into one loss. The regressions count only
where there is a response, and each sweep by how well it can be known at its SNR: an unweighted mean
square would be ruled by the few sweeps whose onset drowns in noise. Every sweep is shown upright or
turned over at random, for polarity means nothing to a surface electrode.

One thread, one seed: the same command on the same machine gives the same weights.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.architecture import SCALE_UV, UNIT_MS, MepCnn
from models.dataset import WINDOW_OFFSET_MS, WindowSet, simulate_windows, training_sha256

LEARNING_RATE = 1e-3
BATCH = 64
#: Weights of the tasks in the loss.
AMPLITUDE_WEIGHT = 0.5
ONSET_WEIGHT = 4.0
DURATION_WEIGHT = 0.5
ARTEFACT_WEIGHT = 0.5
RESPONSE_WEIGHT = 2.0
#: A sweep of this SNR counts half in the regressions, one of half this SNR a fifth.
HALF_WEIGHT_SNR = 4.0
#: Where a checkpoint goes unless told otherwise.
CHECKPOINT = Path("out/mep_cnn.pt")


def tensors(data: WindowSet) -> tuple[Tensor, Tensor]:
    """Input (k, 1, 500) and targets (k, 6): amplitude uV, onset, duration, artefact, response, SNR.

    Onset and duration are in ``UNIT_MS``; what is not known of a sweep without a response is 0.
    """
    sweeps = torch.from_numpy(data.windows_uv[:, None, :] / np.float32(SCALE_UV))
    columns = [
        data.amplitude_uv,
        data.onset_ms / UNIT_MS,
        data.duration_ms / UNIT_MS,
        data.artefact,
        data.response,
        data.snr,
    ]
    return sweeps, torch.from_numpy(np.nan_to_num(np.stack(columns, axis=1)))


def losses(model: MepCnn, sweeps: Tensor, targets: Tensor) -> Tensor:
    """The losses, (5,): amplitude, onset, duration (weighted MSE), artefact, response (BCE)."""
    raw, scale = model.raw(sweeps)
    amplitude_uv, onset, duration, artefact, response, snr = targets.unbind(dim=1)
    known = response * snr.square() / (snr.square() + HALF_WEIGHT_SNR**2)
    share = known / known.sum().clamp(min=1.0)
    # Absent responses have no logarithm; their weight is 0.
    log_amplitude = torch.log(amplitude_uv.clamp(min=1.0) / (scale[:, 0] * SCALE_UV))
    return torch.stack(
        [
            (share * (raw.log_amplitude - log_amplitude).square()).sum(),
            (share * (raw.onset - onset).square()).sum(),
            (share * (raw.duration - duration).square()).sum(),
            functional.binary_cross_entropy_with_logits(raw.artefact_logit, artefact),
            functional.binary_cross_entropy_with_logits(raw.response_logit, response),
        ]
    )


def fit(
    model: MepCnn, training: WindowSet, validation: WindowSet, epochs: int, seed: int
) -> list[tuple[float, float]]:
    """Train in place; print and return (training loss, validation loss) of every epoch."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.tensor(
        [AMPLITUDE_WEIGHT, ONSET_WEIGHT, DURATION_WEIGHT, ARTEFACT_WEIGHT, RESPONSE_WEIGHT]
    )
    sweeps, targets = tensors(training)
    held_sweeps, held_targets = tensors(validation)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    batches = max(1, len(sweeps) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    curve = []
    for epoch in range(epochs):
        started_s = time.process_time()
        model.train()
        order = torch.randperm(len(sweeps), generator=generator)
        total = 0.0
        for batch in order[: batches * BATCH].chunk(batches):
            turned = torch.randint(0, 2, (len(batch), 1, 1), generator=generator) * 2.0 - 1.0
            loss = (weights * losses(model, sweeps[batch] * turned, targets[batch])).sum()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            parts = torch.stack(
                [
                    losses(model, s, t)
                    for s, t in zip(
                        torch.split(held_sweeps, 512), torch.split(held_targets, 512), strict=True
                    )
                ]
            ).mean(dim=0)
            onset_ms = UNIT_MS * _median_onset_error(model, held_sweeps, held_targets)
        curve.append((total / batches, float((weights * parts).sum())))
        print(
            f"epoch {epoch + 1:3d}/{epochs}  loss {curve[-1][0]:.4f}  validation {curve[-1][1]:.4f}"
            f"  (amplitude {parts[0]:.4f}, onset {parts[1]:.4f}, duration {parts[2]:.4f},"
            f" artefact {parts[3]:.4f}, response {parts[4]:.4f})"
            f"  median onset error {onset_ms:.2f} ms  {time.process_time() - started_s:.0f} CPU s",
            flush=True,
        )
    return curve


def _median_onset_error(model: MepCnn, sweeps: Tensor, targets: Tensor) -> float:
    present = targets[:, 4] > 0
    onset = torch.cat([model.raw(part)[0].onset for part in torch.split(sweeps[present], 512)])
    return float((onset - targets[present, 1]).abs().median())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--sweeps", type=int, default=60_000, help="simulated for training")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=CHECKPOINT)
    parser.add_argument("--tiny", action="store_true", help="a minute's run, to see that it works")
    parser.add_argument(
        "--no-positions", action="store_true", help="the paper's drawing, for comparison"
    )
    options = parser.parse_args(arguments)
    epochs, count = (1, 512) if options.tiny else (options.epochs, options.sweeps)

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    training = simulate_windows(options.seed, "training", count)
    validation = simulate_windows(options.seed, "validation", max(256, count // 15))
    print(f"{count} sweeps to train on, {len(validation.snr)} to validate, seed {options.seed}")
    model = MepCnn(WINDOW_OFFSET_MS, attend=not options.no_positions)
    fit(model, training, validation, epochs, options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "state": model.state_dict(),
            "attend": model.attend,
            "window_offset_ms": WINDOW_OFFSET_MS,
            "seed": options.seed,
            "sweeps": count,
            "epochs": epochs,
            "training_sha256": training_sha256(options.seed, count),
        },
        options.out,
    )
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
