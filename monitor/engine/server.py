"""The engine's end of the link: a Unix socket that never makes the data path wait.

A frame is sent at once from the data path where the socket takes it, and otherwise queued for a
thread. The queue of a gateway is bounded; one that can't keep up is *disconnected* and
comes back with ``since``, so that nothing is lost and nothing is delayed for its sake.

What a gateway missed comes from the journal, then from the last frames published, which are kept in
memory because the newest may not be on the disk yet. The change-over happens under the lock that
publishing takes: no gap, no duplicate.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from monitor import wire
from monitor.engine.feed import Ask, FeedCounts
from monitor.journal.database import EventRow, JournalReader
from monitor.link import (
    Beat,
    Frame,
    FrameKind,
    FrameParser,
    Hello,
    LinkError,
    ReadEvents,
    Reply,
    Request,
    pack,
)
from monitor.types import MonitorError

RECENT_FRAMES = 1024
"""Frames kept in memory, more than can be published while the journal is read to its end."""

BACKLOG_BYTES = 16 * 2**20
"""What one gateway may leave unread before it is disconnected."""

REQUESTS = 64
"""Requests that wait for the data path; one more is answered 503 at once."""

CATCH_UP_ROWS = 500
_SEND_TIMEOUT_S = 5.0
_RETRY_S = 0.05
_CLOSE_S = 1.0
_RECEIVE_BYTES = 65536


class _Numbered(msgspec.Struct, frozen=True):
    """What it takes to answer a request that can't be read."""

    id: int


class LinkServer:
    """Listens on a Unix socket; a :class:`~monitor.engine.feed.Feed`. A context manager."""

    awaited = True

    def __init__(
        self, path: Path, case: wire.Body, folder: Path, *, backlog_bytes: int = BACKLOG_BYTES
    ) -> None:
        """``folder`` holds the case's journal, which exists already."""
        self._path = path
        self._case_id = str(case["id"])
        self._case = case
        self._folder = folder
        self._backlog_bytes = backlog_bytes
        self._lock = threading.Lock()
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=RECENT_FRAMES)
        self._published = 0
        self._links: set[_GatewayLink] = set()
        self._readers: list[threading.Thread] = []
        self._requests: deque[Ask] = deque()
        self._listener: socket.socket | None = None
        self._closing = False
        self._cut_off = 0
        self._refused = 0

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            raise MonitorError(f"{self._path}: can't listen there: {error}") from None
        self._path.chmod(0o600)
        listener.listen(4)
        with JournalReader(self._folder) as journal:
            self._published = journal.last_seq
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="link", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._listener is not None
        with self._lock:
            self._closing = True
            links = list(self._links)
        # shutdown, not only close: it wakes the thread that waits in accept.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for link in links:
            link.finish(_SEND_TIMEOUT_S)
        # Each of them reads the journal, which is whole only when they have let go of it.
        for reader in self._readers:
            reader.join(_CLOSE_S)

    # ------------------------------------------------------------------ from the data path

    @property
    def receivers(self) -> int:
        return len(self._links)

    @property
    def counts(self) -> FeedCounts:
        with self._lock:
            backlog = max((link.queued_bytes for link in self._links), default=0)
            return FeedCounts(backlog, self._cut_off, self._refused)

    def publish(self, *rows: EventRow) -> None:
        """Send the events of one input to every gateway that follows, in one piece.

        So a gateway has a trial's alarms when it has the trial, and can send them on together.
        """
        frames = [(row.seq, _event_frame(row)) for row in rows]
        with self._lock:
            self._published = rows[-1].seq
            self._recent.extend(frames)
            self._send(b"".join(frame for _, frame in frames))

    def waveform(self, message: bytes) -> None:
        """Send a trial's waveform to every gateway that follows just now."""
        frame = pack(FrameKind.WAVEFORM, message)
        with self._lock:
            self._send(frame)

    def beat(self, beat: Beat) -> None:
        frame = pack(FrameKind.BEAT, msgspec.json.encode(beat))
        with self._lock:
            self._send(frame)

    def take_requests(self) -> list[Ask]:
        """What gateways asked since the last call, in order."""
        if not self._requests:
            return []
        with self._lock:
            asked = list(self._requests)
            self._requests.clear()
        return asked

    def _send(self, frame: bytes) -> None:
        for link in [link for link in self._links if not link.send(frame)]:
            self._links.discard(link)
            self._cut_off += link.overflowed

    # ------------------------------------------------------------------ a gateway

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                if self._closing:
                    return
                # Such as no file descriptor left just now: the gateway tries again, and so do we.
                time.sleep(_RETRY_S)
                continue
            reader = threading.Thread(
                target=self._serve, args=(connection,), name="link-reader", daemon=True
            )
            self._readers.append(reader)
            reader.start()
            self._readers = [thread for thread in self._readers if thread.is_alive()]

    def _serve(self, connection: socket.socket) -> None:
        link = _GatewayLink(connection, self._backlog_bytes)
        try:
            with JournalReader(self._folder) as journal:
                parser = FrameParser()
                while data := connection.recv(_RECEIVE_BYTES):
                    for frame in parser.feed(data):
                        self._received(link, frame, journal)
        except (OSError, LinkError, MonitorError, msgspec.DecodeError):
            # Whatever went wrong with this gateway, it comes back or it is missed (gateway_lost).
            pass
        finally:
            with self._lock:
                self._links.discard(link)
            link.close()

    def _received(self, link: _GatewayLink, frame: Frame, journal: JournalReader) -> None:
        if frame.kind is FrameKind.HELLO:
            hello = msgspec.json.decode(frame.payload, type=Hello)
            self._catch_up(link, hello, journal)
        elif frame.kind is FrameKind.REQUEST:
            try:
                request = msgspec.json.decode(frame.payload, type=Request)
            except msgspec.DecodeError as error:
                # One bad request must not cost every display its connection.
                number = msgspec.json.decode(frame.payload, type=_Numbered).id
                link.answer(Reply(number, 422, f"not a request: {error}"))
                return
            if isinstance(request.ask, ReadEvents):
                link.answer(_events(request.id, request.ask, journal))
                return
            ask = Ask(request.id, request.ask, link.answer)
            with self._lock:
                if len(self._requests) < REQUESTS:
                    self._requests.append(ask)
                    return
                self._refused += 1
            link.answer(Reply(request.id, 503, "the engine has too much to do"))
        else:
            raise LinkError(f"a gateway does not send {frame.kind.name}")

    def _catch_up(self, link: _GatewayLink, hello: Hello, journal: JournalReader) -> None:
        with self._lock:
            published = self._published
        # A gateway that saw events which were lost with an engine before they were durable has to
        # start anew: it does where the case ends before what it has.
        same = hello.case == self._case_id
        kept = journal.last_kept(min(hello.since, published)) if same else 0
        known = same and kept == hello.since
        sent = hello.since if known else 0
        case = {**self._case, "last_seq": published if known or not same else kept}
        link.send_waiting(pack(FrameKind.CASE, wire.encode(case)))
        while True:
            rows = journal.events(sent, CATCH_UP_ROWS)
            for row in rows:
                link.send_waiting(_event_frame(row))
                sent = row.seq
            with self._lock:
                if self._closing:
                    return
                oldest = self._recent[0][0] if self._recent else self._published + 1
                if sent + 1 >= oldest or sent >= self._published:
                    for seq, frame in self._recent:
                        if seq > sent:
                            link.send(frame)
                    self._links.add(link)
                    link.start()
                    return
            if not rows:
                # Shown but not durable, and too long ago for the memory: the disk is very slow.
                time.sleep(_RETRY_S)


def _envelope(row: EventRow) -> wire.Envelope:
    return wire.Envelope(row.seq, row.t, row.type, msgspec.Raw(row.body))


def _event_frame(row: EventRow) -> bytes:
    return pack(FrameKind.EVENT, msgspec.json.encode(_envelope(row)))


def _events(request_id: int, ask: ReadEvents, journal: JournalReader) -> Reply:
    envelopes = [_envelope(r) for r in journal.events(ask.since, min(ask.limit, CATCH_UP_ROWS))]
    return Reply(request_id, body=msgspec.Raw(msgspec.json.encode(envelopes)))


class _GatewayLink:
    """One connected gateway: what it was not yet sent, and the thread that sends it."""

    def __init__(self, connection: socket.socket, backlog_bytes: int) -> None:
        self._connection = connection
        self._backlog_bytes = backlog_bytes
        self._changed = threading.Condition()
        self._backlog: deque[bytes] = deque()
        self._queued_bytes = 0
        self._closed = False
        self._finishing = False
        self.overflowed = False

    @property
    def queued_bytes(self) -> int:
        """What the gateway has not been sent yet."""
        return self._queued_bytes

    def start(self) -> None:
        threading.Thread(target=self._write, name="link-writer", daemon=True).start()

    def send_waiting(self, frame: bytes) -> None:
        """Send and wait until the socket took it; for catching up, from the gateway's own thread.

        Raises:
            OSError: the gateway is gone or does not read.
        """
        self._connection.sendall(frame)

    def send(self, frame: bytes) -> bool:
        """Send without waiting; False: it has left too much unread and is cut off."""
        with self._changed:
            if self._closed:
                return False
            if not self._backlog:
                frame = self._send_now(frame)
            if frame:
                self._backlog.append(frame)
                self._queued_bytes += len(frame)
                self._changed.notify_all()
            fits = self._queued_bytes <= self._backlog_bytes
            self.overflowed = not fits
        if not fits:
            self.close()
        return fits

    def answer(self, reply: Reply) -> None:
        self.send(pack(FrameKind.REPLY, msgspec.json.encode(reply)))

    def _send_now(self, frame: bytes) -> bytes:
        """What the socket did not take at once."""
        try:
            return frame[self._connection.send(frame, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            return frame
        except OSError:
            self.close()
            return b""

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._backlog or self._closed or self._finishing)
                if self._closed or not self._backlog:
                    return
                # It stays in the queue while it is sent: nothing may overtake it.
                frame = self._backlog[0]
            try:
                self._connection.sendall(frame)
            except OSError:
                self.close()
                return
            with self._changed:
                self._backlog.popleft()
                self._queued_bytes -= len(frame)
                self._changed.notify_all()

    def finish(self, timeout_s: float) -> None:
        """Send what is queued, for ``timeout_s`` at most, and close."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or not self._backlog, timeout_s)
        self.close()

    def close(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
