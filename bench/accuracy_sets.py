"""Labelled sweeps for :mod:`bench.accuracy`: simulated, recorded, or from a file."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

from bench.methods.base import SHAPES
from models.simulator import ARTEFACT_TYPES, BLOCK_SWEEPS, simulate_block
from monitor.measure.morphology import morphology_of

FloatArray = NDArray[np.float64]

#: What may be known of a sweep: each (n,) float64, NaN where it is not. ``onset_ms`` counts from
#: the first pulse; ``present``, ``artefact``: 1 or 0; ``morphology``: 1 mono-, 2 bi-, 3 polyphasic.
LABELS = (
    "onset_ms",
    "amplitude_uv",
    "present",
    "snr",
    "artefact",
    "duration_ms",
    "morphology",
    "subject",
)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Sweeps (k, samples) of one recording set-up and their rows in the set."""

    sweeps_uv: FloatArray
    fs_hz: float
    stimulus_index: int
    pulses_ms: tuple[float, ...]
    rows: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSet:
    """n sweeps in groups and what is known of them.

    ``artefact_types``: (n,) by the type's name, true where a sweep holds one; empty if unknown.
    """

    name: str
    groups: tuple[Group, ...]
    labels: dict[str, FloatArray]
    artefact_types: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.labels["present"])

    def of_group(self, values: Sequence[float] | FloatArray) -> FloatArray:
        """(n,) from one value a group: the sampling rate of each sweep, say."""
        spread = np.empty(self.size)
        for group, value in zip(self.groups, values, strict=True):
            spread[group.rows] = value
        return spread


def labelled(name: str, groups: Sequence[Group], **known: FloatArray) -> LabelledSet:
    """A set whose unknown labels are NaN.

    Raises:
        ValueError: a label that :data:`LABELS` does not have.
    """
    unknown = set(known) - set(LABELS)
    if unknown:
        raise ValueError(f"no such label: {', '.join(sorted(unknown))}")
    n = sum(len(group.rows) for group in groups)
    labels = {label: np.full(n, np.nan) for label in LABELS}
    return LabelledSet(name, tuple(groups), labels | known)


# --------------------------------------------------------------------------- simulated


def simulated_set(split: str, seed: int, count: int) -> LabelledSet:
    """``count`` sweeps of a split of the simulator.

    The first pulse lies a fraction of a sample after the stimulus sample, which no method is told:
    onsets here count from that sample.
    """
    groups = []
    names = ("onset_ms", "amplitude_uv", "present", "snr", "artefact", "duration_ms", "morphology")
    labels = {name: np.full(count, np.nan) for name in names}
    types = np.zeros((count, len(ARTEFACT_TYPES)), dtype=np.bool_)
    for number, first in enumerate(range(0, count, BLOCK_SWEEPS)):
        block = simulate_block(seed, split, number, min(BLOCK_SWEEPS, count - first))
        rows = np.arange(first, first + block.sweeps_uv.shape[0])
        setup, truth = block.setup, block.truth
        groups.append(
            Group(block.sweeps_uv, setup.fs_hz, setup.stimulus_index, setup.pulses_ms, rows)
        )
        late_ms = setup.last_pulse_ms + setup.stimulus_fraction * 1e3 / setup.fs_hz
        labels["onset_ms"][rows] = truth.onset_ms + late_ms
        labels["amplitude_uv"][rows] = truth.amplitude_uv
        labels["present"][rows] = truth.response
        labels["snr"][rows] = truth.snr
        labels["artefact"][rows] = truth.artefact
        labels["duration_ms"][rows] = truth.duration_ms
        labels["morphology"][rows] = shapes_of(truth.phases)
        types[rows] = truth.artefact_types
    known = dict(zip(ARTEFACT_TYPES, types.T, strict=True))
    made = labelled(f"simulated, split {split}, seed {seed}", groups, **labels)
    return replace(made, artefact_types=known)


def shapes_of(phases: NDArray[np.int64]) -> FloatArray:
    """1, 2 or 3 for mono-, bi-, polyphasic by the number of phases; NaN for none."""
    names = [morphology_of(int(count)) for count in phases]
    return np.array([np.nan if name is None else SHAPES[name.value] for name in names])


# --------------------------------------------------------------------------- recorded

MEPFEATX = {"ID01": "FDI", "ID02": "TA", "ID04": "TA, paired", "ID05": "TA, paired"}
MEPFEATX_FS_HZ, MEPFEATX_STIMULUS = 3000.0, 150
DBS_FS_HZ = 22_000.0
DIMEP_FS_HZ, DIMEP_STIMULUS = 1000.0, 1000
#: Channel -> whether it answers, in the order of the file, with its microvolts a step.
TMS_CHANNELS = (("LECR", 0.5, 0.0), ("LFDI", 0.5, 0.0), ("RECR", 0.1, 1.0), ("RFDI", 0.1, 1.0))
TMS_FS_HZ, TMS_PRE_MS, TMS_POST_MS = 5000.0, 100.0, 200.0


def mepfeatx(folder: Path) -> LabelledSet:
    """Hand and leg responses at 3 kHz with the features that the source's own package gives."""
    groups: list[Group] = []
    columns: dict[str, list[float]] = {
        name: [] for name in ("onset_ms", "amplitude_uv", "present", "duration_ms")
    }
    subjects: list[float] = []
    for number, name in enumerate(MEPFEATX):
        sweeps = np.asarray(scipy.io.loadmat(folder / f"{name}.mat")["meps"], np.float64).T
        with (folder / f"{name}_features.csv").open(newline="") as file:
            reference = list(csv.DictReader(file))
        rows = np.arange(len(subjects), len(subjects) + len(sweeps))
        groups.append(Group(sweeps, MEPFEATX_FS_HZ, MEPFEATX_STIMULUS, (0.0,), rows))
        for row in reference:
            amplitude = float(row["Amplitude"])
            here = amplitude > 0
            columns["present"].append(float(here))
            columns["amplitude_uv"].append(amplitude if here else np.nan)
            columns["onset_ms"].append(float(row["Latency"]) if here else np.nan)
            columns["duration_ms"].append(float(row["Duration"]) if here else np.nan)
            subjects.append(float(number))
    known = {key: np.array(values) for key, values in columns.items()}
    return labelled("mepfeatx", groups, subject=np.array(subjects), **known)


def dbs_artefact(folder: Path) -> LabelledSet:
    """190 stimulus artefacts recorded in surgery, no response in any."""
    records = scipy.io.loadmat(folder / "EMG_artifacts_templib.mat", squeeze_me=True)["EMG_save"]
    sweeps = np.stack([np.asarray(r["data"], np.float64).ravel() for r in records])
    n = len(sweeps)
    group = Group(sweeps, DBS_FS_HZ, 0, (0.0,), np.arange(n))
    return labelled("dbs-artefact", [group], present=np.zeros(n))


def tms_brainvision(folder: Path) -> LabelledSet:
    """20 pulses on four muscles at 5 kHz, under hum: the right side answers, the left does not."""
    steps = np.fromfile(folder / "tms-hand.eeg", "<i2").reshape(-1, len(TMS_CHANNELS))
    text = (folder / "tms-hand.vmrk").read_text(encoding="utf-8", errors="replace")
    # Positions count from 1.
    pulses = [int(p) - 1 for p in re.findall(r"^Mk\d+=Stimulus,S255,(\d+)", text, re.MULTILINE)]
    pre, post = (round(ms * TMS_FS_HZ / 1e3) for ms in (TMS_PRE_MS, TMS_POST_MS))
    sweeps, present = [], []
    for channel, (_, microvolts, answers) in enumerate(TMS_CHANNELS):
        signal = steps[:, channel] * microvolts
        sweeps += [signal[p - pre : p + post] for p in pulses]
        present += [answers] * len(pulses)
    group = Group(np.stack(sweeps), TMS_FS_HZ, pre, (0.0,), np.arange(len(sweeps)))
    return labelled("tms-brainvision", [group], present=np.array(present))


def dimep(folder: Path) -> LabelledSet:
    """Five ipsilateral responses under contraction, at 1 kHz: too slow to be measured."""
    sweeps = np.asarray(np.load(folder / "examples.npy"), np.float64)
    group = Group(sweeps, DIMEP_FS_HZ, DIMEP_STIMULUS, (0.0,), np.arange(len(sweeps)))
    return labelled("dimep", [group], present=np.ones(len(sweeps)))


REAL = {
    "mepfeatx": mepfeatx,
    "dbs-artefact": dbs_artefact,
    "tms-brainvision": tms_brainvision,
    "dimep": dimep,
}


def real_sets(shared: Path) -> list[LabelledSet]:
    """The recorded sets that lie under ``shared``."""
    return [read(shared / name) for name, read in REAL.items() if (shared / name).is_dir()]
