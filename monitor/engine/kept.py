"""The epochs of a case that can be read again, those of its earlier runs included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.journal.epochs import EpochsWriter, read_epoch
from monitor.types import Epoch, MonitorError, Stimulus
from monitor.wire import StoredEpoch

NOT_YET = 503
"""The status of an epoch that is not on the disk yet: the next try may find it."""


@dataclass(frozen=True, slots=True)
class KeptEpoch:
    """What it takes to measure a trial's epoch again."""

    stored: StoredEpoch
    stimulus: Stimulus


class NotKeptError(Exception):
    """The epoch can't be had: ``status`` as in HTTP, and why in one line."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class KeptEpochs:
    """Knows where each trial's epoch is.

    The data path adds to it; any thread may read.
    """

    def __init__(
        self, folder: Path, epochs: EpochsWriter, earlier: Mapping[int, KeptEpoch]
    ) -> None:
        self._folder = folder
        self._epochs = epochs
        self._kept = dict(earlier)

    def keep(self, trial: int, stored: StoredEpoch, stimulus: Stimulus) -> None:
        """The epoch of ``trial`` (in the numbers of the whole case) goes there."""
        self._kept[trial] = KeptEpoch(stored, stimulus)

    def read(self, trial: int) -> Epoch:
        """The raw epoch of ``trial``; its place in time is not told.

        Raises:
            NotKeptError: 404 there is none, :data:`NOT_YET`, or 409 it is damaged.
        """
        kept = self._kept.get(trial)
        if kept is None:
            raise NotKeptError(404, f"no waveform for trial {trial}")
        if not self._epochs.is_stored(kept.stored):
            raise NotKeptError(NOT_YET, f"trial {trial} is not on the disk yet: ask again")
        try:
            samples_uv = read_epoch(self._folder, kept.stored)
        except MonitorError as damaged:
            raise NotKeptError(409, str(damaged)) from None
        return Epoch(
            trial=trial,
            stimulus=kept.stimulus,
            stimulus_s=0.0,
            first_sample=0,
            stimulus_index=kept.stored.stimulus_index,
            stimulus_fraction=kept.stored.stimulus_fraction,
            fs_hz=kept.stored.fs_hz,
            samples_uv=samples_uv,
        )
