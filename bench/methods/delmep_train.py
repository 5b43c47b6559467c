"""Retrain DELMEP on the simulator: ``python -m bench.methods.delmep_train``.

As in the paper: Adam (its usual rates), batches of 32, stopped when the validation error has not
fallen for 200 epochs, the best weights kept. Open there and chosen here: the loss (mean absolute
error, by which it is judged; its gradient is a sign) and He's initial weights. It learns from the
training split's responses of SNR 1.5 and more, through the same artefact and mains removal that
every method gets, latencies 8-50 ms as they come (those under 10 ms begin before its window).
Plain numpy, from one seed: the same weights every time on one machine.

The weights beside this file were learned before the training split held the disturbances of
``models.hard`` (revision 36d5c86). Learned with them, DELMEP does no better: 4.64 ms instead of
4.65 on the validation split's responses, 2.58 instead of 2.43 at SNR 5 and more. So the better ones
stay.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.accuracy_sets import simulated_set
from bench.methods.base import FloatArray
from bench.methods.delmep import LAYERS, SAMPLES, WEIGHTS, Layers, delmep_windows, forward
from monitor.measure.clean import clean_sweeps
from monitor.measure.plan import plan_sweeps

BATCH = 32
PATIENCE = 200
RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7
MIN_SNR = 1.5
TARGET_MIDDLE_MS = 25.0


def examples(split: str, seed: int, count: int) -> tuple[FloatArray, FloatArray]:
    """(n, 120) windows and (n,) latencies from the last pulse, in ms."""
    windows, latency_ms = [np.empty((0, SAMPLES))], [np.empty(0)]
    labelled = simulated_set(split, seed, count)
    for group in labelled.groups:
        keep = labelled.labels["snr"][group.rows] >= MIN_SNR
        if not keep.any():
            continue
        plan = plan_sweeps(
            group.fs_hz, group.sweeps_uv.shape[1], group.stimulus_index, group.pulses_ms
        )
        cleaned = clean_sweeps(group.sweeps_uv[keep], plan)
        windows.append(delmep_windows(cleaned, group.fs_hz, group.stimulus_index, group.pulses_ms))
        onset_ms = labelled.labels["onset_ms"][group.rows][keep]
        latency_ms.append(onset_ms - group.pulses_ms[-1])
    return np.concatenate(windows), np.concatenate(latency_ms)


def gradients(layers: Layers, inputs: FloatArray, wanted_ms: FloatArray) -> list[FloatArray]:
    """Of the mean absolute error, for weights and bias of each layer in turn."""
    passed = [inputs]
    for number, (weights, bias) in enumerate(layers):
        values = passed[-1] @ weights + bias
        passed.append(values if number == len(layers) - 1 else np.maximum(values, 0.0))
    back = np.sign(passed[-1] - wanted_ms[:, None]) / len(wanted_ms)
    found: list[FloatArray] = []
    for number in range(len(layers) - 1, -1, -1):
        found[:0] = [passed[number].T @ back, back.sum(axis=0)]
        if number:
            back = (back @ layers[number][0].T) * (passed[number] > 0)
    return found


def train(
    training: tuple[FloatArray, FloatArray],
    validation: tuple[FloatArray, FloatArray],
    seed: int,
    max_epochs: int,
) -> tuple[Layers, float, int]:
    """Layers with the least validation error, that error in ms, and their epoch."""
    rng = np.random.default_rng(seed)
    layers = [
        (rng.normal(size=(fan_in, fan_out)) * np.sqrt(2.0 / fan_in), np.zeros(fan_out))
        for fan_in, fan_out in pairwise(LAYERS)
    ]
    layers[-1][1][:] = TARGET_MIDDLE_MS
    values = [value for layer in layers for value in layer]
    first = [np.zeros_like(value) for value in values]
    second = [np.zeros_like(value) for value in values]
    best, best_ms, best_epoch, step = [v.copy() for v in values], np.inf, 0, 0
    inputs, wanted = training
    for epoch in range(1, max_epochs + 1):
        order = rng.permutation(len(inputs))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            step += 1
            rows = order[at : at + BATCH]
            rate = RATE * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
            for i, slope in enumerate(gradients(layers, inputs[rows], wanted[rows])):
                first[i] += (1 - BETA_1) * (slope - first[i])
                second[i] += (1 - BETA_2) * (slope * slope - second[i])
                # In place: the layers hold the same arrays.
                values[i] -= rate * first[i] / (np.sqrt(second[i]) + EPSILON)
        error_ms = float(np.abs(forward(layers, validation[0]) - validation[1]).mean())
        if error_ms < best_ms:
            best, best_ms, best_epoch = [v.copy() for v in values], error_ms, epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    return list(zip(best[::2], best[1::2], strict=True)), best_ms, best_epoch


def save(layers: Layers, path: Path, made: str) -> None:
    """Write weights as float32, with a line on how they were made."""
    arrays = {}
    for number, (weights, bias) in enumerate(layers):
        arrays[f"weights_{number}"] = weights.astype(np.float32)
        arrays[f"bias_{number}"] = bias.astype(np.float32)
    np.savez_compressed(path, allow_pickle=False, made=np.array(made), **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.methods.delmep_train")
    parser.add_argument("--sweeps", type=int, default=60_000, help="simulated, responses or not")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--epochs", type=int, default=1000, help="at most")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    training = examples("training", options.seed, options.sweeps)
    validation = examples("validation", options.seed, options.sweeps // 8)
    print(f"{len(training[1])} responses to learn from, {len(validation[1])} to stop by")
    layers, error_ms, epoch = train(training, validation, options.seed, options.epochs)
    made = (
        f"models.simulator, seed {options.seed}, {options.sweeps} sweeps; epoch {epoch}, "
        f"validation error {error_ms:.3f} ms"
    )
    save(layers, options.out, made)
    print(made)


if __name__ == "__main__":
    main()
