"""The thread behind each writer of the case folder: it stores what is handed over, in order.

The data path hands over and goes on. What waits is bounded; a full queue sheds the newest, counted,
or, for a replay, makes the data path wait. A disk that refuses is tried again until it takes; only
a replay gives up on it, because nobody may be there to see that it stands still.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from monitor.types import MonitorError

RETRY_S = 0.25
CLOSE_S = 10.0

NOT_DURABLE_AFTER_S = 1.0
"""What is not stored for so long is a fault, whatever keeps it: a disk may hang in silence."""

REFUSALS = 20
"""Refusals in a row after which whoever waits for room is told, not kept."""

HUNG_S = 30.0
"""And so he is where nothing has been stored for so long."""

Item = TypeVar("Item")


class StoringThread(ABC, Generic[Item]):
    """A bounded queue and the thread that empties it. A context manager.

    Leaving it stores what is queued, and raises where that can't be done: what is lost must not be
    lost in silence.

    Raises:
        MonitorError: (on leaving) entries could not be stored; not where another error is on its
            way already.
    """

    def __init__(self, path: Path, *, room: int, wait_for_room: bool) -> None:
        """Prepare to write ``path``; ``room`` is how much may wait, in units of :meth:`_size`."""
        self.path = path
        self._room = room
        self._wait_for_room = wait_for_room
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, Item]] = deque()
        self._held = 0
        self._taken = 0
        self._stored = 0
        self._shed = 0
        self._refusals = 0
        self._refused_in_a_row = 0
        self._refused = ""
        self._died = ""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=path.name, daemon=True)

    # ------------------------------------------------------------------ what a writer is made of

    @abstractmethod
    def _store(self, items: list[Item]) -> None:
        """Make items durable, all or none; may raise ``OSError`` or ``sqlite3.Error``."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the file: the thread has ended."""

    def _rest(self) -> None:
        """Everything is stored and nothing has come for a moment: time to tidy up."""

    def _size(self, item: Item) -> int:
        """How much of the room an item takes."""
        return 1

    rest_after_s: float | None = None
    """How long after storing :meth:`_rest` is due; None: there is nothing to tidy."""

    gather_s = 0.0
    """How long to let items gather before they are stored together."""

    # ------------------------------------------------------------------ the queue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._close()
        with self._changed:
            left = len(self._waiting)
            why = self._died or self._refused or "the disk does not follow"
        if left and error is None:
            raise MonitorError(f"{self.path.name}: {left} entries not stored: {why}")

    def _queue(self, item: Item) -> bool:
        """Queue one item, with the lock held; False: there was no room, it is shed.

        Raises:
            MonitorError: it waited for room, and the disk takes nothing.
        """
        size = self._size(item)
        if self._held + size > self._room:
            if not self._wait_for_room:
                self._shed += 1
                return False
            self._await_room(size)
        self._taken += 1
        self._held += size
        self._waiting.append((time.monotonic(), item))
        if len(self._waiting) == 1:
            # Only then can the thread be waiting for it.
            self._changed.notify_all()
        return True

    def _await_room(self, size: int) -> None:
        stored, since = self._stored, time.monotonic()
        while self._held + size > self._room:
            why = self._died
            if self._refused_in_a_row >= REFUSALS:
                why = why or self._refused
            if self._stored != stored:
                stored, since = self._stored, time.monotonic()
            elif time.monotonic() - since > HUNG_S:
                why = why or "the disk does not follow"
            if why:
                raise MonitorError(f"{self.path}: can't be written: {why}")
            self._changed.wait(RETRY_S)

    def _late(self) -> str:
        """Why what is queued is not being stored, though nothing refused it; the lock is held."""
        if self._died or not self._waiting:
            return self._died
        waited_s = time.monotonic() - self._waiting[0][0]
        late = waited_s > NOT_DURABLE_AFTER_S + self.gather_s
        return f"not stored for {waited_s:.0f} s" if late else ""

    @property
    def shed(self) -> int:
        """Items that there was no room for."""
        return self._shed

    @property
    def waiting(self) -> int:
        """Items that wait for the disk just now."""
        return len(self._waiting)

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 - whatever it was, here it can still be told
            with self._changed:
                self._died = f"its thread ended: {error!r}"
                self._changed.notify_all()

    def _serve(self) -> None:
        tidy = True
        while True:
            with self._changed:
                woken = self._changed.wait_for(
                    lambda: bool(self._waiting) or self._closing,
                    None if tidy else self.rest_after_s,
                )
                if self._waiting and self.gather_s:
                    self._changed.wait_for(lambda: self._closing, self.gather_s)
                items = [item for _, item in self._waiting]
                closing = self._closing
            if items:
                tidy = False
                if not self._try(items) and closing:
                    return
            elif not woken:
                self._rest()
                tidy = True
            elif closing:
                return

    def _try(self, items: list[Item]) -> bool:
        try:
            self._store(items)
        except (OSError, sqlite3.Error) as error:
            with self._changed:
                self._refusals += 1
                self._refused_in_a_row += 1
                self._refused = getattr(error, "strerror", None) or str(error)
                # They stay queued; until the disk takes them a fault stands that people see.
                self._changed.wait_for(lambda: self._closing, RETRY_S)
            return False
        with self._changed:
            self._refused = ""
            self._refused_in_a_row = 0
            for item in items:
                self._waiting.popleft()
                self._held -= self._size(item)
            self._stored += len(items)
            self._changed.notify_all()
        return True


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` at ``offset`` of an open file.

    Raises:
        OSError: not all of it was written.
    """
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written
