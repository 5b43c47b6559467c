"""``journal.sqlite``: what a case saw and said, append-only.

Tables: ``events`` (every numbered event, its body as it was sent), ``inputs`` (operators' commands,
markers and clock offsets in the order in which the core saw them; samples are in ``epochs.bin``)
and ``meta``. WAL, because readers must not stop the writer; ``synchronous=FULL``, because in WAL
mode ``NORMAL`` does not sync at a commit and an alarm could be lost with the power.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from monitor.types import MonitorError

SCHEMA_VERSION = 1
DATABASE_NAME = "journal.sqlite"

SEQ_BLOCK = 256
"""Event numbers are reserved ahead, durably, in the commits that are made anyway. What was shown
before it was stored had a reserved number, so a restarted engine knows which to leave alone (unless
more than half a block was shown while the disk took nothing, under a standing fault)."""

RESTART = "restart"
"""Kind of the input that a restart leaves: ``after_seq`` is the last event that was stored, the
body's ``unstored`` the last number that may have been shown."""

_RESERVED = "seq_reserved"

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    t TEXT NOT NULL,
    type TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE inputs (
    id INTEGER PRIMARY KEY,
    after_seq INTEGER NOT NULL,
    t TEXT NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER inputs_stay BEFORE UPDATE ON inputs
BEGIN SELECT RAISE(ABORT, 'inputs are append-only'); END;
CREATE TRIGGER inputs_are_kept BEFORE DELETE ON inputs
BEGIN SELECT RAISE(ABORT, 'inputs are append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One numbered event: ``t`` is UTC text, ``body`` the JSON as it is sent."""

    seq: int
    t: str
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class InputRow:
    """One input that is not samples; ``after_seq`` is the last event before it."""

    after_seq: int
    t: str
    kind: str
    body: bytes


Row = EventRow | InputRow


@contextmanager
def case_folder(folder: Path) -> Iterator[Path]:
    """Make the folder where it is missing and hold it: one process writes a case.

    Folders that were made here and are still empty at the end are taken away again.

    Raises:
        MonitorError: it can't be made or written, or another process holds it.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise MonitorError(f"{folder}: not a folder to write to: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MonitorError(f"{folder}: another process is writing this case") from None
        yield folder
    finally:
        os.close(descriptor)
        with suppress(OSError):
            for path in made:
                path.rmdir()


def create(folder: Path, meta: dict[str, str]) -> None:
    """Make the empty journal of a new case.

    Raises:
        MonitorError: there is one already, or the folder can't be written.
    """
    path = folder / DATABASE_NAME
    if path.exists():
        raise MonitorError(f"{path}: holds a case already")
    # Made aside and renamed, so that a crash can't leave a journal without its tables.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(fresh)) as connection:
            connection.executescript(_SCHEMA)
            with connection:
                connection.executemany(
                    "INSERT INTO meta VALUES (?, ?)",
                    [
                        ("schema_version", str(SCHEMA_VERSION)),
                        (_RESERVED, str(SEQ_BLOCK)),
                        *meta.items(),
                    ],
                )
            connection.execute("PRAGMA journal_mode=WAL")
        fresh.replace(path)
        _sync_folder(folder)
    except (sqlite3.Error, OSError) as error:
        raise MonitorError(f"{path}: can't be made: {error}") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """The one writing connection. It may be used from the writer's thread."""
    connection = sqlite3.connect(
        folder / DATABASE_NAME, isolation_level=None, check_same_thread=False, timeout=1.0
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    # A checkpoint costs several syncs; the writer makes it when it has nothing else to do.
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def settle(folder: Path, meta: Mapping[str, str] = MappingProxyType({})) -> None:
    """Make the journal of a closed case one plain file, which a read-only medium can serve.

    ``meta`` is added to what it says of the case. Where somebody still reads it, it stays as it is:
    whole, with its ``-wal`` beside it.
    """
    with closing(open_for_writing(folder)) as connection, suppress(sqlite3.OperationalError):
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
        connection.execute("PRAGMA journal_mode=DELETE")


def append(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add rows in one transaction; all of them are durable on return, or none.

    Raises:
        sqlite3.Error: not written (disk full, a ``seq`` used before).
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for row in rows:
            if isinstance(row, EventRow):
                connection.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?)", (row.seq, row.t, row.type, row.body)
                )
            else:
                connection.execute(
                    "INSERT INTO inputs (after_seq, t, kind, body) VALUES (?, ?, ?, ?)",
                    (row.after_seq, row.t, row.kind, row.body),
                )
        _reserve(connection, rows)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _reserve(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    last = max((row.seq for row in rows if isinstance(row, EventRow)), default=0)
    connection.execute(
        "UPDATE meta SET value = ? WHERE key = ? AND CAST(value AS INTEGER) < ?",
        (str(last + SEQ_BLOCK), _RESERVED, last + SEQ_BLOCK // 2),
    )


class JournalReader:
    """Reads a journal, a running one too, without ever writing to it."""

    def __init__(self, folder: Path) -> None:
        """Open ``folder/journal.sqlite``.

        Raises:
            MonitorError: there is none, it is not a journal, or of another schema version.
        """
        self.path = folder / DATABASE_NAME
        if not self.path.is_file():
            raise MonitorError(f"{self.path}: no journal there")
        try:
            self._connection = sqlite3.connect(
                f"{self.path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            self.meta = dict(self._connection.execute("SELECT key, value FROM meta"))
        except sqlite3.Error as error:
            raise MonitorError(f"{self.path}: not a journal: {error}") from None
        version = self.meta.get("schema_version", "none")
        if version != str(SCHEMA_VERSION):
            self.close()
            raise MonitorError(
                f"{self.path}: schema version {version}, this program reads {SCHEMA_VERSION}"
            )

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def last_seq(self) -> int:
        """The last event's number; 0 before the first."""
        row = self._connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        return int(row[0])

    @property
    def seq_reserved(self) -> int:
        """The highest event number that may have been shown, stored or not."""
        row = self._connection.execute(
            "SELECT value FROM meta WHERE key = ?", (_RESERVED,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def last_kept(self, seq: int) -> int:
        """``seq``, or the last event before it where a restart has used ``seq`` up.

        One who has seen ``seq`` and gets something smaller has seen events that are lost.
        """
        row = self._connection.execute(
            "SELECT after_seq, body FROM inputs WHERE kind = ? AND after_seq < ?"
            " ORDER BY id DESC LIMIT 1",
            (RESTART, seq),
        ).fetchone()
        if row is None or seq > json.loads(row[1])["unstored"]:
            return seq
        return int(row[0])

    def events(self, since: int = 0, limit: int = -1) -> list[EventRow]:
        """Events with ``seq`` > ``since`` in order, at most ``limit`` of them (-1: all)."""
        rows = self._connection.execute(
            "SELECT seq, t, type, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
            (since, limit),
        )
        return [EventRow(*row) for row in rows]

    def last_status(self) -> dict[str, Any] | None:
        """The body of the last ``status`` event; None before the first."""
        row = self._connection.execute(
            "SELECT body FROM events WHERE type = 'status' ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def walk(self) -> Iterator[EventRow]:
        """Every event in order, as one consistent view, without holding them all."""
        for row in self._connection.execute("SELECT seq, t, type, body FROM events ORDER BY seq"):
            yield EventRow(*row)

    def inputs(self) -> list[InputRow]:
        """Every stored input, in the order in which the core saw them."""
        rows = self._connection.execute("SELECT after_seq, t, kind, body FROM inputs ORDER BY id")
        return [InputRow(*row) for row in rows]

    def copy_to(self, path: Path) -> None:
        """A consistent copy of the whole journal as one file, of a running case too."""
        with closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)
