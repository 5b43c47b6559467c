"""``epochs.bin``: every epoch where its trial says, and found out when it is not."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.journal import epochs, storing
from monitor.journal.epochs import EPOCHS_NAME, EpochsWriter, read_epoch
from monitor.types import Epoch, MonitorError, Stimulus
from tests.running import wait_until


def epoch(samples_uv: np.ndarray) -> Epoch:
    return Epoch(1, Stimulus(0.0, "S"), 0.0, 0, 4, 0.5, 5000.0, samples_uv)


def counting(channels: int, n: int, start: int = 0) -> np.ndarray:
    return (start + np.arange(channels * n, dtype=np.float32)).reshape(channels, n)


@given(shapes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30)), min_size=1, max_size=8))
def test_every_epoch_comes_back(shapes, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("case")
    written = [counting(channels, n, 100 * i) for i, (channels, n) in enumerate(shapes)]
    with EpochsWriter(folder) as writer:
        stored = [writer.submit(epoch(samples)) for samples in written]
    for where, samples in zip(stored, written, strict=True):
        np.testing.assert_array_equal(read_epoch(folder, where), samples)


def test_the_file_is_little_endian_channel_after_channel(tmp_path: Path) -> None:
    with EpochsWriter(tmp_path) as writer:
        stored = writer.submit(epoch(np.asfortranarray(counting(2, 3))))
    assert (stored.offset, stored.shape) == (0, (2, 3))
    assert np.fromfile(tmp_path / EPOCHS_NAME, "<f4").tolist() == [0, 1, 2, 3, 4, 5]


def test_what_is_there_stays_and_a_cut_epoch_does_not_shift_the_next(tmp_path: Path) -> None:
    (tmp_path / EPOCHS_NAME).write_bytes(b"abcdef")
    with EpochsWriter(tmp_path) as writer:
        stored = writer.submit(epoch(counting(1, 2)))
    assert stored.offset == 8
    assert (tmp_path / EPOCHS_NAME).read_bytes()[:6] == b"abcdef"
    np.testing.assert_array_equal(read_epoch(tmp_path, stored), counting(1, 2))


def test_an_epoch_that_is_not_the_recorded_one_is_refused(tmp_path: Path) -> None:
    with EpochsWriter(tmp_path) as writer:
        stored = writer.submit(epoch(counting(1, 4)))
    path = tmp_path / EPOCHS_NAME
    for damaged in (path.read_bytes()[:-1], b"\x01" + path.read_bytes()[1:]):
        path.write_bytes(damaged)
        with pytest.raises(MonitorError, match="not the one recorded"):
            read_epoch(tmp_path, stored)
    path.unlink()
    with pytest.raises(MonitorError, match="can't be read"):
        read_epoch(tmp_path, stored)


@pytest.fixture
def stuck_disk(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    free, write = threading.Event(), epochs.write_all

    def when_free(*arguments: object) -> None:
        assert free.wait(60)
        write(*arguments)

    monkeypatch.setattr(epochs, "write_all", when_free)
    return free


def test_a_full_queue_sheds_the_newest_and_says_so(tmp_path: Path, stuck_disk) -> None:
    with EpochsWriter(tmp_path, queue_epochs=2) as writer:
        kept = [writer.submit(epoch(counting(1, 4, i))) for i in range(3)]
        assert [stored is None for stored in kept] == [False, False, True]
        assert writer.shed == 1
        assert writer.fault() == "1 epochs could not be kept"
        assert kept[0] is not None
        assert not writer.is_stored(kept[0])
        stuck_disk.set()
        wait_until(lambda: writer.is_stored(kept[1]), "the disk")
        after = writer.submit(epoch(counting(1, 4, 9)))
    np.testing.assert_array_equal(read_epoch(tmp_path, after), counting(1, 4, 9))


def test_a_replay_waits_for_room_instead(tmp_path: Path) -> None:
    with EpochsWriter(tmp_path, wait_for_room=True, queue_epochs=1) as writer:
        kept = [writer.submit(epoch(counting(1, 4, i))) for i in range(20)]
    assert None not in kept
    assert writer.shed == 0


def test_a_disk_error_is_a_fault_until_it_is_over(tmp_path: Path, monkeypatch) -> None:
    tried = threading.Event()
    full = True

    def write(*arguments: object) -> None:
        if full:
            tried.set()
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(epochs, "write_all", write)
    monkeypatch.setattr(storing, "RETRY_S", 0.001)
    with EpochsWriter(tmp_path) as writer:
        stored = writer.submit(epoch(counting(1, 4)))
        assert tried.wait(60)
        wait_until(lambda: writer.fault() != "", "the fault")
        assert not writer.is_stored(stored)
        assert writer.fault() == "epochs.bin: No space left on device"
        full = False
        wait_until(lambda: writer.is_stored(stored), "the disk")
        assert writer.fault() == ""


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"missing.*can't be written"):
        EpochsWriter(tmp_path / "missing")
