"""Epochs that are read again: the right one, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from monitor.engine.kept import NOT_YET, KeptEpoch, KeptEpochs, NotKeptError
from monitor.journal.epochs import EPOCHS_NAME, EpochsWriter
from monitor.types import Epoch, Stimulus
from monitor.wire import StoredEpoch
from tests.running import wait_until

FS_HZ = 5000.0


@pytest.fixture
def epochs(tmp_path: Path) -> Iterator[EpochsWriter]:
    with EpochsWriter(tmp_path) as writer:
        yield writer


def stored(epochs: EpochsWriter, trial: int) -> tuple[StoredEpoch, Stimulus]:
    stimulus = Stimulus(9.0, f"S{trial}", pulses_ms=(0.0, 2.0))
    samples_uv = np.full((2, 10), trial, np.float32)
    where = epochs.submit(Epoch(trial, stimulus, 9.0, 700, 4, 0.25, FS_HZ, samples_uv))
    assert where is not None
    wait_until(lambda: epochs.is_stored(where), "the epoch")
    return where, stimulus


def test_an_epoch_comes_back_with_all_that_measures_it(
    epochs: EpochsWriter, tmp_path: Path
) -> None:
    earlier = KeptEpoch(*stored(epochs, 3))
    kept = KeptEpochs(tmp_path, epochs, {3: earlier})
    kept.keep(4, *stored(epochs, 4))
    for trial in (3, 4):
        epoch = kept.read(trial)
        assert (epoch.trial, epoch.stimulus.pulses_ms) == (trial, (0.0, 2.0))
        assert (epoch.stimulus_index, epoch.stimulus_fraction, epoch.fs_hz) == (4, 0.25, FS_HZ)
        assert (epoch.samples_uv == trial).all()
        assert epoch.samples_uv.shape == (2, 10)


def test_what_can_t_be_had_says_why(epochs: EpochsWriter, tmp_path: Path, monkeypatch) -> None:
    kept = KeptEpochs(tmp_path, epochs, {3: KeptEpoch(*stored(epochs, 3))})
    with pytest.raises(NotKeptError, match="no waveform for trial 5") as unknown:
        kept.read(5)
    assert unknown.value.status == 404
    (tmp_path / EPOCHS_NAME).write_bytes(b"other")
    with pytest.raises(NotKeptError, match="not the one recorded") as damaged:
        kept.read(3)
    assert damaged.value.status == 409
    monkeypatch.setattr(EpochsWriter, "is_stored", lambda self, stored: False)
    with pytest.raises(NotKeptError, match="ask again") as early:
        kept.read(3)
    assert early.value.status == NOT_YET
