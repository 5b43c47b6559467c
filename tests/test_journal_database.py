"""The journal file: append-only, one writer, readable while it is written."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from monitor.journal import database
from monitor.journal.database import RESTART, SEQ_BLOCK, EventRow, InputRow, JournalReader
from monitor.types import MonitorError


def event(seq: int, kind: str = "trial", body: bytes = b"{}") -> EventRow:
    return EventRow(seq, f"2026-01-05T08:00:{seq:02d}Z", kind, body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    database.create(tmp_path, {"case": "{}"})
    return tmp_path


def append(folder: Path, *rows: EventRow | InputRow) -> None:
    with closing(database.open_for_writing(folder)) as connection:
        database.append(connection, rows)


def test_rows_come_back_in_order_with_their_bytes(folder: Path) -> None:
    append(folder, event(1, body=b'{"a": 1.50}'), InputRow(1, "t", "marker", b"[]"), event(2))
    with JournalReader(folder) as journal:
        assert journal.events() == [event(1, body=b'{"a": 1.50}'), event(2)]
        assert list(journal.walk()) == journal.events()
        assert journal.events(since=1) == [event(2)]
        assert journal.events(limit=1)[0].seq == 1
        assert journal.inputs() == [InputRow(1, "t", "marker", b"[]")]
        assert journal.last_seq == 2
        assert journal.meta == {"schema_version": "1", "seq_reserved": "256", "case": "{}"}


def test_numbers_are_reserved_ahead_with_the_events(folder: Path) -> None:
    with JournalReader(folder) as journal:
        assert journal.seq_reserved == SEQ_BLOCK
        append(folder, event(1))
        assert journal.seq_reserved == SEQ_BLOCK, "not with every commit"
        for seq in range(2, 3 * SEQ_BLOCK):
            if seq % 50 == 0:
                append(folder, EventRow(seq, "t", "trial", b"{}"))
                assert journal.seq_reserved >= seq + SEQ_BLOCK // 2


def test_what_a_restart_has_used_up_is_known(folder: Path) -> None:
    with JournalReader(folder) as journal:
        assert journal.last_kept(9) == 9
        append(folder, InputRow(5, "t", RESTART, b'{"unstored": 8}'))
        append(folder, InputRow(20, "t", RESTART, b'{"unstored": 30}'))
        kept = {seq: journal.last_kept(seq) for seq in (5, 6, 8, 9, 20, 21, 30, 31)}
    assert kept == {5: 5, 6: 5, 8: 5, 9: 9, 20: 20, 21: 20, 30: 20, 31: 31}


def test_a_folder_that_nothing_was_put_into_is_taken_away(tmp_path: Path) -> None:
    wanted = tmp_path / "cases" / "one"
    with pytest.raises(MonitorError, match="no stream"), database.case_folder(wanted):
        raise MonitorError("no stream")
    assert list(tmp_path.iterdir()) == []
    with database.case_folder(wanted):
        (wanted / "file").touch()
    (tmp_path / "mine").mkdir()
    with database.case_folder(tmp_path / "mine"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"cases", "mine"}


def test_a_new_journal_is_empty(folder: Path) -> None:
    with JournalReader(folder) as journal:
        assert journal.last_seq == 0
        assert journal.last_status() is None


def test_the_last_status_is_the_newest_one(folder: Path) -> None:
    append(folder, event(1, "status", b'{"state":"running"}'))
    append(folder, event(2, "status", b'{"state":"ended"}'), event(3))
    with JournalReader(folder) as journal:
        assert journal.last_status() == {"state": "ended"}


def test_a_number_used_twice_is_refused_and_the_batch_with_it(folder: Path) -> None:
    append(folder, event(1))
    with pytest.raises(sqlite3.IntegrityError):
        append(folder, event(2), event(1))
    with JournalReader(folder) as journal:
        assert journal.last_seq == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = 'x'",
        "DELETE FROM events",
        "UPDATE inputs SET kind = 'x'",
        "DELETE FROM inputs",
    ],
)
def test_nothing_that_was_written_can_be_changed(folder: Path, statement: str) -> None:
    append(folder, event(1), InputRow(1, "t", "marker", b"1"))
    with (
        closing(database.open_for_writing(folder)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement)


def test_a_reader_sees_what_is_committed_while_the_writer_is_open(folder: Path) -> None:
    with closing(database.open_for_writing(folder)) as connection, JournalReader(folder) as journal:
        database.append(connection, [event(1)])
        assert journal.last_seq == 1
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"


def test_a_settled_journal_is_one_file_unless_somebody_reads_it(folder: Path) -> None:
    append(folder, event(1))
    with JournalReader(folder) as journal:
        database.settle(folder)
        assert journal.last_seq == 1
    database.settle(folder)
    assert os.listdir(folder) == [database.DATABASE_NAME]
    os.chmod(folder / database.DATABASE_NAME, 0o400)
    with JournalReader(folder) as journal:
        assert journal.last_seq == 1


def test_a_copy_of_a_running_journal_is_whole(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    with closing(database.open_for_writing(folder)) as connection:
        database.append(connection, [event(1), event(2)])
        with JournalReader(folder) as journal:
            journal.copy_to(target / database.DATABASE_NAME)
    with JournalReader(target) as copy:
        assert copy.last_seq == 2


def test_an_existing_case_is_never_made_anew(folder: Path) -> None:
    with pytest.raises(MonitorError, match="holds a case already"):
        database.create(folder, {})


def test_one_process_writes_a_case(tmp_path: Path) -> None:
    with (
        database.case_folder(tmp_path / "a" / "case") as folder,
        pytest.raises(MonitorError, match="another process is writing"),
        database.case_folder(folder),
    ):
        pass
    with database.case_folder(folder):
        assert os.listdir(folder) == [], "nothing is left of the lock"


def test_a_folder_that_can_t_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(MonitorError, match=r"file.* not a folder to write to"),
        database.case_folder(tmp_path / "file"),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no journal there"), (b"text" * 300, "not a journal")]
)
def test_what_is_no_journal_is_named(tmp_path: Path, content, message) -> None:
    if content is not None:
        (tmp_path / database.DATABASE_NAME).write_bytes(content)
    with pytest.raises(MonitorError, match=message):
        JournalReader(tmp_path)


def test_another_schema_version_is_refused(folder: Path) -> None:
    with closing(sqlite3.connect(folder / database.DATABASE_NAME)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(MonitorError, match="schema version 99"):
        JournalReader(folder)
