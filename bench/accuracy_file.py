"""Labelled sweeps from an ``.npz`` file: what ``python -m bench.accuracy --sweeps`` reads.

Arrays: ``sweeps_uv`` (n, samples) in microvolts; ``fs_hz``, ``stimulus_index``: one number, or
one a sweep (n,); and any of ``onset_ms`` (from the first pulse), ``amplitude_uv`` (peak to peak),
``present`` and ``artefact`` (true or false; an artefact also by its name, "" for none), ``snr``,
``duration_ms``, ``morphology`` ("monophasic", "biphasic", "polyphasic", or the number of phases),
``subject`` (names or numbers), each (n,), NaN or "" where it is not known; ``pulses_ms``: the
train's pulses from the first, (p,) for all or (n, p) with NaN at the end of shorter trains;
``artefact_types`` (n, t), true where a sweep holds one, with their ``artefact_type_names`` (t,). A
shorter sweep ends in NaN. Further arrays are left alone. Without ``present``, a response is where
its onset, amplitude, duration or shape is known and not 0.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy_sets import LABELS, FloatArray, Group, LabelledSet, labelled
from bench.methods.base import SHAPES
from monitor.types import MonitorError

NEEDED = ("sweeps_uv", "fs_hz", "stimulus_index")
#: Labels that tell where a response is, should ``present`` not be there.
SHOWS = ("onset_ms", "amplitude_uv", "duration_ms", "morphology")
TYPES, TYPE_NAMES = "artefact_types", "artefact_type_names"
Arrays = dict[str, NDArray[Any]]


def read_sweeps(path: Path) -> LabelledSet:
    """Read a file of labelled sweeps.

    Raises:
        MonitorError: not such a file; names the array that is wrong.
    """
    arrays = _load(path)
    sweeps = _numbers(path, arrays, "sweeps_uv")
    if sweeps.ndim != 2 or 0 in sweeps.shape:
        raise _wrong(path, "sweeps_uv", f"must be (n, samples), not {sweeps.shape}")
    n = len(sweeps)
    fs_hz = _one_each(path, arrays, "fs_hz", n)
    if not (np.isfinite(fs_hz) & (fs_hz > 0)).all():
        raise _wrong(path, "fs_hz", "must be above 0 throughout")
    stimulus = _one_each(path, arrays, "stimulus_index", n)
    lengths = _lengths(path, sweeps)
    if not ((stimulus >= 0) & (stimulus < lengths) & (stimulus == np.floor(stimulus))).all():
        raise _wrong(path, "stimulus_index", "must be a sample of its sweep, counted from 0")
    pulses = _pulses(path, arrays, n)
    known = {name: _label(path, arrays, name, n) for name in LABELS if name in arrays}
    if "present" not in known and (shown := [known[name] for name in SHOWS if name in known]):
        # Of a sweep without one these are not known, or written as 0.
        measured, zero = np.array(shown) > 0.0, np.array(shown) == 0.0
        known["present"] = (measured.any(axis=0) & ~zero.any(axis=0)).astype(float)
    for name in ("present", "artefact"):
        values = known.get(name, np.zeros(0))
        if not np.isin(values[np.isfinite(values)], (0.0, 1.0)).all():
            raise _wrong(path, name, "must be true or false (1 or 0)")
    setups: dict[tuple[float, int, int, tuple[float, ...]], list[int]] = {}
    for row in range(n):
        key = (float(fs_hz[row]), int(stimulus[row]), int(lengths[row]), pulses[row])
        setups.setdefault(key, []).append(row)
    groups = [
        Group(sweeps[rows, :length], fs, index, train, np.array(rows, dtype=np.intp))
        for (fs, index, length, train), rows in setups.items()
    ]
    types = _artefact_types(path, arrays, n)
    return replace(labelled(path.name, groups, **known), artefact_types=types)


def _load(path: Path) -> Arrays:
    try:
        with path.open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise MonitorError(f"{path}: one array alone, not an .npz file of named arrays")
            with stored:
                return _needed(path, stored)
    except OSError as error:
        raise MonitorError(f"{path}: {error.strerror or error}") from None
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise MonitorError(f"{path}: not a readable .npz file: {error}") from None


def _needed(path: Path, stored: np.lib.npyio.NpzFile) -> Arrays:
    for name in NEEDED:
        if name not in stored.files:
            raise MonitorError(f"{path}: array {name} is missing")
    found: Arrays = {}
    for name in (*NEEDED, *LABELS, "pulses_ms", TYPES, TYPE_NAMES):
        if name not in stored.files:
            continue
        try:
            found[name] = stored[name]
        except (ValueError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise _wrong(path, name, f"can't be read: {error}") from None
    return found


def _wrong(path: Path, name: str, what: str) -> MonitorError:
    return MonitorError(f"{path}: array {name} {what}")


def _numbers(path: Path, arrays: Arrays, name: str) -> FloatArray:
    values = arrays[name]
    if values.dtype.kind not in "fiub":
        raise _wrong(path, name, f"must hold numbers, not {values.dtype}")
    return values.astype(np.float64)


def _one_each(path: Path, arrays: Arrays, name: str, n: int) -> FloatArray:
    values = _numbers(path, arrays, name)
    if values.size == 1:
        return np.full(n, float(values.reshape(())))
    if values.shape != (n,):
        raise _wrong(path, name, f"must be one number or ({n},), not {values.shape}")
    return values


def _lengths(path: Path, sweeps: FloatArray) -> NDArray[np.intp]:
    """Samples of each sweep, the NaN at its end left out."""
    there = np.isfinite(sweeps)
    lengths = sweeps.shape[1] - np.argmax(there[:, ::-1], axis=1)
    for row in np.flatnonzero(~there.any(axis=1)):
        raise _wrong(path, "sweeps_uv", f"holds no sample in row {row}")
    return np.asarray(lengths)


def _pulses(path: Path, arrays: Arrays, n: int) -> list[tuple[float, ...]]:
    if "pulses_ms" not in arrays:
        return [(0.0,)] * n
    values = np.atleast_1d(_numbers(path, arrays, "pulses_ms"))
    if values.ndim == 1:
        values = np.broadcast_to(values, (n, values.size))
    if values.ndim != 2 or len(values) != n:
        raise _wrong(
            path, "pulses_ms", f"must be (p,) or ({n}, p), not {arrays['pulses_ms'].shape}"
        )
    trains = [tuple(float(pulse) for pulse in row if np.isfinite(pulse)) for row in values]
    for train in set(trains):
        if not train or train[0] != 0.0 or any(b <= a for a, b in pairwise(train)):
            raise _wrong(path, "pulses_ms", f"must start at 0 and increase, not {train}")
    return trains


def _artefact_types(path: Path, arrays: Arrays, n: int) -> dict[str, NDArray[np.bool_]]:
    if TYPES not in arrays or TYPE_NAMES not in arrays:
        return {}
    names, there = arrays[TYPE_NAMES], _numbers(path, arrays, TYPES)
    if names.ndim != 1 or names.dtype.kind != "U":
        raise _wrong(path, TYPE_NAMES, "must be a list of names")
    if there.shape != (n, names.size):
        raise _wrong(path, TYPES, f"must be ({n}, {names.size}), not {there.shape}")
    return {str(name): there[:, column] > 0 for column, name in enumerate(names)}


def _label(path: Path, arrays: Arrays, name: str, n: int) -> FloatArray:
    values = arrays[name]
    if values.shape != (n,):
        raise _wrong(path, name, f"must be ({n},), not {values.shape}")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "ascii", "replace")
    if values.dtype.kind != "U":
        numbers = _numbers(path, arrays, name)
        # As a number a shape is its phases: three and more are polyphasic, none has no shape.
        return (
            np.where(numbers < 1, np.nan, np.minimum(numbers, 3))
            if name == "morphology"
            else numbers
        )
    if name == "artefact":
        return np.array([float(value not in ("", "none")) for value in values.tolist()])
    if name == "subject":
        return np.unique(values, return_inverse=True)[1].astype(np.float64)
    if name == "morphology":
        values = np.char.lower(values)
        unknown = set(values.tolist()) - {*SHAPES, "", "none"}
        if unknown:
            raise _wrong(
                path, name, f"holds {sorted(unknown)[0]!r}, not one of {', '.join(SHAPES)}"
            )
        return np.array([SHAPES.get(value, np.nan) for value in values.tolist()])
    raise _wrong(path, name, f"must hold numbers, not {values.dtype}")
