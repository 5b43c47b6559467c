"""Simulated sweeps as the network sees them: through the monitor's own cleaning and resampling."""

from __future__ import annotations

import ast
import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.simulator import BLOCK_SWEEPS, Block, simulate_block
from monitor.measure.clean import clean
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import network_window

Float32Array = NDArray[np.float32]

#: The network's window starts this long after the last pulse. Its first millisecond is blanked on
#: purpose: the straight line there tells where the artefact was.
WINDOW_OFFSET_MS = 3.0


#: What the training data follow from.
SOURCES = ("responses.py", "disturbances.py", "varied.py", "hard.py", "simulator.py")


@dataclass(frozen=True, slots=True, eq=False)
class WindowSet:
    """Windows (k, 500) in uV and their truth, (k,) each (see ``simulator.Truth``).

    The windows are float32, or float16 where they were stored. ``artefact_types`` is (k, 7), in the
    order of ``monitor.measure.network.ARTEFACT_TYPES``.
    """

    windows_uv: Float32Array | NDArray[np.float16]
    response: Float32Array
    artefact: Float32Array
    artefact_types: Float32Array
    severity: Float32Array
    amplitude_uv: Float32Array
    onset_ms: Float32Array
    duration_ms: Float32Array
    phases: Float32Array
    snr: Float32Array


def block_windows(block: Block) -> Float32Array:
    """(k, 500) float32: what the live path hands the network for these sweeps."""
    setup = block.setup
    at_ms = setup.last_pulse_ms + WINDOW_OFFSET_MS
    start = setup.stimulus_index + setup.stimulus_fraction + at_ms * setup.fs_hz / 1e3
    plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
    return network_window(clean(block.sweeps_uv, plan).sweeps_uv, setup.fs_hz, start)


def simulate_windows(seed: int, split: str, count: int, workers: int = 1) -> WindowSet:
    """Simulate ``count`` sweeps of a split, block by block, and cut their windows.

    A block follows from its number alone: any number of worker processes gives the same set.
    """
    return _windows(seed, split, count, workers, np.float32)


def _windows(seed: int, split: str, count: int, workers: int, kind: type[np.floating]) -> WindowSet:
    blocks = -(-count // BLOCK_SWEEPS)
    if workers == 1:
        return _some_windows(seed, split, count, kind, range(blocks))
    shares = [range(first, min(first + 64, blocks)) for first in range(0, blocks, 64)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(partial(_some_windows, seed, split, count, kind), shares))
    return _joined(parts)


def _some_windows(
    seed: int, split: str, count: int, kind: type[np.floating], blocks: range
) -> WindowSet:
    """The windows of some of the blocks that hold ``count`` sweeps."""
    parts = []
    for number in blocks:
        block = simulate_block(
            seed, split, number, min(BLOCK_SWEEPS, count - number * BLOCK_SWEEPS)
        )
        truth = {
            field.name: np.asarray(getattr(block.truth, field.name), np.float32)
            for field in fields(WindowSet)
            if field.name != "windows_uv"
        }
        parts.append(WindowSet(block_windows(block).astype(kind, copy=False), **truth))
    return _joined(parts)


def _joined(parts: list[WindowSet]) -> WindowSet:
    names = [field.name for field in fields(WindowSet)]
    return WindowSet(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def stored_windows(
    seed: int, split: str, count: int, folder: Path | None, workers: int = 1
) -> WindowSet:
    """:func:`simulate_windows`, its windows rounded to float16 and kept in ``folder`` if given.

    Half precision keeps 11 bits: far finer than the noise of any sweep. Only a file of the same
    seed, split, count and simulator is taken.
    """
    names = [field.name for field in fields(WindowSet)]
    path = None
    if folder is not None:
        path = folder / f"{split}-{seed}-{count}-{training_sha256(seed, count)[:12]}.npz"
        if path.exists():
            with np.load(path) as stored:
                return WindowSet(**{name: stored[name] for name in names})
    data = _windows(seed, split, count, workers, np.float16)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(data, name) for name in names})
    return data


def training_sha256(seed: int, count: int) -> str:
    """What the training data follow from, hashed: the simulator's code, the seed, the count.

    Of the code, what it does: comments, docstrings and layout don't count.
    """
    digest = hashlib.sha256()
    for source in SOURCES:
        tree = ast.parse(Path(__file__).with_name(source).read_text(encoding="utf-8"))
        digest.update(ast.unparse(_WithoutDocstrings().visit(tree)).encode())
    digest.update(f"seed={seed} sweeps={count}".encode())
    return digest.hexdigest()


class _WithoutDocstrings(ast.NodeTransformer):
    """Drops every statement that is a constant alone."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node
