"""The thread behind the writers: what it can't store it says, and it never hangs on closing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from monitor.journal import storing
from monitor.journal.storing import StoringThread
from monitor.types import MonitorError
from tests.running import wait_until


class Numbers(StoringThread[int]):
    """Keeps whole numbers while ``refusing`` is empty and ``free`` is set."""

    def __init__(self, folder: Path, *, room: int = 9, wait_for_room: bool = False) -> None:
        super().__init__(folder / "numbers", room=room, wait_for_room=wait_for_room)
        self.kept: list[int] = []
        self.refusing: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.closed = False

    def put(self, number: int) -> bool:
        with self._changed:
            return self._queue(number)

    def late(self) -> str:
        with self._changed:
            return self._late()

    def _store(self, items: list[int]) -> None:
        assert self.free.wait(60)
        if self.refusing is not None:
            raise self.refusing
        self.kept += items

    def _close(self) -> None:
        self.closed = True


def put(numbers: Numbers, *items: int, error: Exception | None = None) -> None:
    """Put items in and leave, with ``error`` where there is one."""
    with numbers:
        for item in items:
            numbers.put(item)
        if error is not None:
            raise error


def test_leaving_stores_what_is_queued_in_order(tmp_path: Path) -> None:
    with Numbers(tmp_path) as numbers:
        assert [numbers.put(n) for n in range(5)] == [True] * 5
    assert numbers.kept == [0, 1, 2, 3, 4]
    assert numbers.closed


def test_what_could_not_be_stored_is_said_on_leaving(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path)
    numbers.refusing = OSError(28, "No space left on device")
    with pytest.raises(MonitorError, match=r"^numbers: 2 entries not stored: No space left"):
        put(numbers, 1, 2)
    assert numbers.closed


def test_a_disk_that_hangs_is_said_too_and_not_waited_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(storing, "CLOSE_S", 0.01)
    numbers = Numbers(tmp_path)
    numbers.free.clear()
    with pytest.raises(MonitorError, match="1 entries not stored: the disk does not follow"):
        put(numbers, 1)
    assert not numbers.closed, "its thread still holds the file"
    numbers.free.set()
    wait_until(lambda: numbers.kept == [1], "the thread to end")


def test_an_error_on_its_way_is_not_covered_up(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path)
    numbers.refusing = OSError(28, "No space left on device")
    with pytest.raises(KeyError, match="the first"):
        put(numbers, 1, error=KeyError("the first"))


def test_a_disk_that_hangs_is_late_while_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "NOT_DURABLE_AFTER_S", 0.01)
    with Numbers(tmp_path) as numbers:
        assert numbers.late() == ""
        numbers.free.clear()
        numbers.put(1)
        wait_until(lambda: numbers.late().startswith("not stored for"), "the fault")
        numbers.free.set()
        wait_until(lambda: numbers.late() == "", "the end of the fault")


def test_a_thread_that_ended_is_said_at_once_and_on_leaving(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path)
    numbers.refusing = MemoryError("none left")

    def run() -> None:
        with numbers:
            numbers.put(1)
            wait_until(lambda: "MemoryError('none left')" in numbers.late(), "the fault")

    with pytest.raises(MonitorError, match="1 entries not stored: its thread ended: MemoryError"):
        run()


@pytest.mark.parametrize(
    ("refusing", "why"),
    [(OSError(28, "No space left on device"), "No space left"), (MemoryError(), "thread ended")],
)
def test_who_waits_for_room_is_told_when_there_will_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing: Exception, why: str
) -> None:
    monkeypatch.setattr(storing, "RETRY_S", 0.001)
    numbers = Numbers(tmp_path, room=2, wait_for_room=True)
    numbers.refusing = refusing
    with pytest.raises(MonitorError, match=rf"numbers: can't be written: .*{why}"):
        put(numbers, 1, 2, 3)


def test_who_waits_for_room_is_told_of_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "HUNG_S", 0.01)
    monkeypatch.setattr(storing, "CLOSE_S", 0.01)
    numbers = Numbers(tmp_path, room=2, wait_for_room=True)
    numbers.free.clear()
    with pytest.raises(MonitorError, match="the disk does not follow"):
        put(numbers, 1, 2, 3)
    numbers.free.set()
    wait_until(lambda: numbers.kept == [1, 2], "the thread to end")
