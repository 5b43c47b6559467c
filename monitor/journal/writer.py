"""The journal's one writer: a thread that makes rows durable, and says so.

*Durable before visible, unless a commit takes more than 10 ms: then visible first.* The engine
hands its rows over and waits at most that long (:meth:`JournalWriter.wait_durable`); a disk that
stands still costs it 10 ms once, not with every event.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monitor.journal import database
from monitor.journal.database import DATABASE_NAME, Row
from monitor.journal.storing import StoringThread

PATIENCE_S = 0.010
"""How long an event waits to be durable before it is shown all the same."""

SLOW_COMMITS = 3
SLOW_WINDOW_S = 60.0

QUEUE_ROWS = 100_000
"""Rows that wait for the disk. When they are full the newest is shed and counted: monitoring
goes on without its record, under a standing ``recording_fault``."""

_CHECKPOINT_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class WriterCounts:
    """``slow`` commits took over 10 ms, ``failed`` ones were tried again, ``shed`` rows lost."""

    slow: int
    failed: int
    shed: int


class JournalWriter(StoringThread[Row]):
    """Owns the writing connection. A context manager: leaving it stores what is queued."""

    rest_after_s = _CHECKPOINT_AFTER_S

    def __init__(
        self, folder: Path, *, wait_for_room: bool = False, queue_rows: int = QUEUE_ROWS
    ) -> None:
        """Open ``folder``'s journal, which must exist.

        Args:
            wait_for_room: a full queue makes :meth:`submit` wait instead of shedding; for a replay
                as fast as possible, which has nothing to miss.
        """
        super().__init__(folder / DATABASE_NAME, room=queue_rows, wait_for_room=wait_for_room)
        self._connection = database.open_for_writing(folder)
        self._slow_total = 0
        self._slow_at: deque[float] = deque(maxlen=SLOW_COMMITS)

    def submit(self, rows: Sequence[Row]) -> int:
        """Queue rows; gives a ticket for :meth:`wait_durable`.

        Raises:
            MonitorError: it waited for room, and the disk takes nothing.
        """
        with self._changed:
            for row in rows:
                self._queue(row)
            return self._taken

    def wait_durable(self, ticket: int, timeout_s: float = PATIENCE_S) -> bool:
        """Wait until all up to ``ticket`` is on the disk; False: not within ``timeout_s``.

        Not at all where the oldest row has waited so long already: on a disk that stands still, the
        first event has been patient for all that come after it.
        """
        with self._changed:
            waited_s = time.monotonic() - self._waiting[0][0] if self._waiting else 0.0
            left_s = 0.0 if waited_s >= timeout_s else timeout_s
            return self._changed.wait_for(lambda: self._stored >= ticket, left_s)

    def fault(self) -> str:
        """Why the record can't be relied on just now; empty when it can."""
        with self._changed:
            if self._shed:
                return f"{self._shed} entries could not be kept"
            if late := self._late():
                return late
            if (
                len(self._slow_at) == SLOW_COMMITS
                and time.monotonic() - self._slow_at[0] < SLOW_WINDOW_S
            ):
                return f"{SLOW_COMMITS} slow commits within {SLOW_WINDOW_S:.0f} s"
        return ""

    def counts(self) -> WriterCounts:
        with self._changed:
            return WriterCounts(self._slow_total, self._refusals, self._shed)

    def _store(self, items: list[Row]) -> None:
        began = time.monotonic()
        database.append(self._connection, items)
        ended = time.monotonic()
        if ended - began > PATIENCE_S:
            with self._changed:
                self._slow_total += 1
                self._slow_at.append(ended)

    def _rest(self) -> None:
        """A checkpoint may fail: rows are durable without it."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _close(self) -> None:
        self._connection.close()
