"""The writer's thread: durable before visible, never in the way, and it says when it can't."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from monitor.journal import database, storing, writer
from monitor.journal.database import EventRow, JournalReader
from monitor.journal.writer import JournalWriter
from tests.running import new_journal, wait_until


def event(seq: int) -> EventRow:
    return EventRow(seq, "t", "trial", b"{}")


class Disk:
    """Stands in for the disk: slow, full, or as it should be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.full = False
        self._append = database.append
        monkeypatch.setattr(writer.database, "append", self._append_when_free)

    def _append_when_free(self, connection: sqlite3.Connection, rows: list[EventRow]) -> None:
        assert self.free.wait(60)
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        self._append(connection, rows)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_what_is_durable_can_be_read_by_others(tmp_path: Path) -> None:
    with JournalWriter(new_journal(tmp_path)) as journal:
        ticket = journal.submit([event(1), event(2)])
        assert journal.wait_durable(ticket, 5.0)
        with JournalReader(tmp_path) as reader:
            assert reader.last_seq == 2
        assert journal.fault() == ""


def test_leaving_stores_what_is_queued_and_leaves_one_file(tmp_path: Path) -> None:
    with JournalWriter(new_journal(tmp_path)) as journal:
        for seq in range(1, 200):
            journal.submit([event(seq)])
    assert [path.name for path in tmp_path.iterdir()] == [database.DATABASE_NAME]
    with JournalReader(tmp_path) as reader:
        assert [row.seq for row in reader.walk()] == list(range(1, 200))


def test_a_slow_disk_costs_the_caller_its_patience_and_no_more(tmp_path: Path, disk: Disk) -> None:
    with JournalWriter(new_journal(tmp_path)) as journal:
        disk.free.clear()
        ticket = journal.submit([event(1)])
        assert not journal.wait_durable(ticket)
        disk.free.set()
        assert journal.wait_durable(ticket, 5.0)


def test_a_row_in_flight_takes_nothing_of_the_patience_for_the_next(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with JournalWriter(new_journal(tmp_path)) as journal:
        disk.free.clear()
        journal.submit([event(1)])
        with monkeypatch.context() as patched:
            waits: list[float] = []
            patched.setattr(journal._changed, "wait_for", lambda true, s: waits.append(s) or true())
            journal.wait_durable(journal.submit([event(2)]), 60.0)
        disk.free.set()
        assert waits == [60.0]


def test_a_disk_that_stands_still_is_not_waited_for_again(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with JournalWriter(new_journal(tmp_path)) as journal:
        disk.free.clear()
        assert not journal.wait_durable(journal.submit([event(1)]))
        with monkeypatch.context() as patched:
            # The writer's thread is at the disk: nobody else waits here.
            waits: list[float] = []
            patched.setattr(journal._changed, "wait_for", lambda true, s: waits.append(s) or true())
            assert not journal.wait_durable(journal.submit([event(2)]))
        assert waits == [0.0]
        disk.free.set()
        assert journal.wait_durable(journal.submit([event(3)]), 60.0)


def test_not_durable_for_a_second_is_a_fault_that_ends_with_it(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "NOT_DURABLE_AFTER_S", 0.02)
    with JournalWriter(new_journal(tmp_path)) as journal:
        disk.free.clear()
        ticket = journal.submit([event(1)])
        wait_until(lambda: "not stored" in journal.fault(), "the fault")
        disk.free.set()
        assert journal.wait_durable(ticket, 5.0)
        assert journal.fault() == ""


def test_three_slow_commits_in_a_minute_are_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.0)
    with JournalWriter(new_journal(tmp_path)) as journal:
        for seq in (1, 2):
            assert journal.wait_durable(journal.submit([event(seq)]), 5.0)
        assert journal.fault() == ""
        assert journal.wait_durable(journal.submit([event(3)]), 5.0)
        assert "3 slow commits" in journal.fault()
        monkeypatch.setattr(writer, "SLOW_WINDOW_S", 0.0)
        assert journal.fault() == "", "they are forgotten after a minute"
        assert journal.counts().slow == 3


def test_a_full_disk_is_tried_again_until_it_has_room(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "RETRY_S", 0.001)
    with JournalWriter(new_journal(tmp_path)) as journal:
        disk.full = True
        ticket = journal.submit([event(1)])
        wait_until(lambda: journal.counts().failed >= 3, "three tries")
        disk.full = False
        assert journal.wait_durable(ticket, 5.0)
    with JournalReader(tmp_path) as reader:
        assert reader.last_seq == 1


def test_a_full_queue_sheds_the_newest_and_counts_it(tmp_path: Path, disk: Disk) -> None:
    with JournalWriter(new_journal(tmp_path), queue_rows=3) as journal:
        disk.free.clear()
        journal.submit([event(seq) for seq in range(1, 6)])
        assert journal.counts().shed == 2
        assert journal.fault() == "2 entries could not be kept"
        disk.free.set()
    with JournalReader(tmp_path) as reader:
        assert reader.last_seq == 3


def test_a_replay_waits_for_room_instead(tmp_path: Path) -> None:
    with JournalWriter(new_journal(tmp_path), wait_for_room=True, queue_rows=2) as journal:
        for seq in range(1, 50):
            journal.submit([event(seq)])
    with JournalReader(tmp_path) as reader:
        assert reader.last_seq == 49
