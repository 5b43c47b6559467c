"""``epochs.bin``: every raw epoch as float32 microvolts, channel after channel, append-only.

Little-endian. The file has no structure of its own: offset, shape and SHA-256 of each epoch are in
its trial's journal entry, and a reader checks the hash.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from monitor.journal.storing import StoringThread, write_all
from monitor.types import Epoch, Float32Array, MonitorError
from monitor.wire import StoredEpoch

EPOCHS_NAME = "epochs.bin"

QUEUE_EPOCHS = 64
"""Epochs that wait for the disk. When they are full a live case sheds the newest (its trial says
``waveform: null``) and counts it."""

_ITEM_BYTES = 4

_Placed = tuple[int, bytes]
"""An epoch's offset in the file and its bytes."""


class EpochsWriter(StoringThread[_Placed]):
    """Appends epochs from its own thread. A context manager: leaving it writes what is queued."""

    def __init__(
        self, folder: Path, *, wait_for_room: bool = False, queue_epochs: int = QUEUE_EPOCHS
    ) -> None:
        """Open ``folder/epochs.bin`` for appending; what is there stays.

        Raises:
            MonitorError: it can't be opened.
        """
        super().__init__(folder / EPOCHS_NAME, room=queue_epochs, wait_for_room=wait_for_room)
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            end = os.fstat(self._file).st_size
        except OSError as error:
            raise MonitorError(f"{self.path}: can't be written: {error.strerror}") from None
        # A crash may have cut an epoch short: start on a whole sample after it.
        self._next_offset = -(-end // _ITEM_BYTES) * _ITEM_BYTES

    def submit(self, epoch: Epoch) -> StoredEpoch | None:
        """Queue an epoch and say where it will lie; None: no room, it was shed.

        Raises:
            MonitorError: it waited for room, and the disk takes nothing.
        """
        samples_uv = np.ascontiguousarray(epoch.samples_uv, dtype="<f4")
        data = samples_uv.tobytes()
        with self._changed:
            offset = self._next_offset
            if not self._queue((offset, data)):
                return None
            self._next_offset += len(data)
        channels, n = samples_uv.shape
        return StoredEpoch(
            offset=offset,
            shape=(channels, n),
            sha256=hashlib.sha256(data).hexdigest(),
            fs_hz=epoch.fs_hz,
            stimulus_index=epoch.stimulus_index,
            stimulus_fraction=epoch.stimulus_fraction,
        )

    def fault(self) -> str:
        """Why epochs are not being kept just now; empty when they are."""
        with self._changed:
            if self._shed:
                return f"{self._shed} epochs could not be kept"
            why = self._refused or self._late()
            return f"{self.path.name}: {why}" if why else ""

    def is_stored(self, stored: StoredEpoch) -> bool:
        """The epoch can be read back; it does not wait for the disk any more."""
        with self._changed:
            return not self._waiting or stored.offset < self._waiting[0][1][0]

    def _store(self, items: list[_Placed]) -> None:
        for offset, data in items:
            write_all(self._file, data, offset)
        os.fsync(self._file)

    def _close(self) -> None:
        os.close(self._file)


def read_epoch(folder: Path, stored: StoredEpoch) -> Float32Array:
    """One raw epoch, (channels, n) float32 microvolts, checked against its hash.

    Raises:
        MonitorError: the file can't be read, or does not hold this epoch.
    """
    path = folder / EPOCHS_NAME
    channels, n = stored.shape
    try:
        with path.open("rb") as file:
            file.seek(stored.offset)
            data = file.read(channels * n * _ITEM_BYTES)
    except OSError as error:
        raise MonitorError(f"{path}: can't be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != stored.sha256:
        raise MonitorError(f"{path}: the epoch at byte {stored.offset} is not the one recorded")
    return np.frombuffer(data, dtype="<f4").reshape(channels, n)
