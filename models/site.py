"""A simulated other hospital, to see what fine-tuning gains: ``python -m models.site``.

Its amplifier cuts at 120 and 400 Hz at a rate of 2.5 kHz (the network was trained on high-passes of
0.5 to 30 Hz), its theatre hums at 60 Hz, and every subject has latencies of their own. Each subject
is held out once: the network is fitted to the others' sweeps and judged on that one's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.dataset import simulate_windows
from models.fine_tune import CHECKPOINT, REHEARSED, TABLE_HEAD, leave_one_out, read_folder
from models.simulator import Setup, Truth, simulate

FS_HZ = 2500.0
HIGHPASS_HZ, LOWPASS_HZ = 120.0, 400.0
#: Half width of a subject's range of latencies.
SPREAD_MS = 6.0


def subject_sweeps(seed: int, subject: int, count: int) -> dict[str, NDArray[np.generic]]:
    """``count`` sweeps of one subject with their truth, as ``mep-monitor fine-tune`` reads them."""
    rng = np.random.default_rng([seed, 99, subject])
    centre_ms = rng.uniform(16.0, 42.0)
    setup = Setup(
        fs_hz=FS_HZ,
        n_samples=round(0.25 * FS_HZ),
        stimulus_index=round(0.1 * FS_HZ),
        stimulus_fraction=0.0,
        pulses_ms=(0.0,),
        mains_hz=60.0,
        lowpass_hz=LOWPASS_HZ,
        highpass_hz=HIGHPASS_HZ,
    )
    sweeps: list[NDArray[np.float64]] = []
    truths: dict[str, list[NDArray[np.float64]]] = {field.name: [] for field in fields(Truth)}
    found = 0
    while found < count:
        block = simulate(rng, setup, 64)
        truth = block.truth
        near = np.abs(truth.onset_ms - centre_ms) < SPREAD_MS
        # As many absent ones as chance gives beside the responses of that subject.
        take = np.flatnonzero(near | (~truth.response & (rng.random(64) < 0.25)))[: count - found]
        found += take.size
        sweeps.append(block.sweeps_uv[take])
        for name, parts in truths.items():
            parts.append(getattr(truth, name)[take])
    return {
        "sweeps_uv": np.concatenate(sweeps),
        "fs_hz": np.float64(FS_HZ),
        "stimulus_index": np.int64(setup.stimulus_index),
        "onset_ms": np.concatenate(truths["onset_ms"]),
        "amplitude_uv": np.concatenate(truths["amplitude_uv"]),
        "present": np.concatenate(truths["response"]).astype(np.float64),
        "subject": np.full(count, subject),
    }


def write_site(folder: Path, seed: int, subjects: int, count: int) -> None:
    """One ``.npz`` a subject."""
    folder.mkdir(parents=True, exist_ok=True)
    for subject in range(subjects):
        arrays = subject_sweeps(seed, subject, count)
        np.savez_compressed(folder / f"subject{subject}.npz", **arrays)  # type: ignore[arg-type]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.site", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/site"))
    parser.add_argument("--subjects", type=int, default=4)
    parser.add_argument("--sweeps", type=int, default=150, help="a subject")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    write_site(options.folder, options.seed, options.subjects, options.sweeps)
    own = read_folder(options.folder)
    rehearsal = simulate_windows(options.seed, "training", REHEARSED)
    print(TABLE_HEAD)
    for subject, before, after in leave_one_out(
        own, rehearsal, options.steps, options.seed, options.checkpoint
    ):
        print(before.line(f"{subject}, before"))
        print(after.line(f"{subject}, after, held out"))


if __name__ == "__main__":
    main()
