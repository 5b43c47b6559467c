"""Who follows the live feed, how far each one is, and what happens to one that is too slow.

There is one log of events and every client has a place in it, so a client costs no memory of its
own and can never hold another one up. A client that follows and then falls more than
:data:`LAG_EVENTS` behind, or does not take a message for :data:`SEND_TIMEOUT_S`, is disconnected
(1013, counted); it comes back with ``since`` and misses nothing. A waveform is sent when no event
waits: over a slow line it takes long, and the alarm of its trial must not stand behind it. Of those
a client is owed only the last are kept; it goes without the others (counted).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from monitor.gateway.engine_link import EngineLink, EngineUnreachable
from monitor.gateway.metrics import Metrics
from monitor.gateway.model import WAVEFORMS, Logged, ReadModel, logged
from monitor.gateway.receivers import Connection, Receivers
from monitor.link import ReadEvents, ReportReceivers
from monitor.wire import VERSION, Envelope, utc_text

LAG_EVENTS = 1_000
SEND_TIMEOUT_S = 5.0
HEARTBEAT_S = 1.0
BATCH = 256
TURN = 16
"""Events that one client is sent at a stretch."""

TRY_AGAIN_LATER = 1013
SERVICE_RESTART = 1012
TOO_SLOW = "too slow: come back with since"


class Disconnect(Exception):
    """Close this client with ``code``, and say why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Outlet(Protocol):
    """The WebSocket, as the hub sees it."""

    async def send_text(self, data: str) -> None: ...

    async def send_bytes(self, data: bytes) -> None: ...


class Hub:
    """The read model, the link that feeds it, and the clients that follow it."""

    def __init__(
        self,
        socket_path: Path,
        *,
        model: ReadModel | None = None,
        lag_events: int = LAG_EVENTS,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        self.model = model or ReadModel()
        self.metrics = Metrics()
        self.link = EngineLink(
            socket_path, self._position, self._on_case, self._on_event, self.model.keep_waveform
        )
        self.clients: set[Client] = set()
        self.receivers = Receivers()
        self._reported: ReportReceivers | None = None
        self._reported_over = 0
        self._lag_events = lag_events
        self._send_timeout_s = send_timeout_s

    def _position(self) -> tuple[str, int]:
        return self.model.case_id, self.model.last_seq

    def _on_case(self, case: dict[str, object]) -> None:
        if self.model.begin(case):
            for client in self.clients:
                client.cut(Disconnect(SERVICE_RESTART, "another case has begun"))
        self._wake()

    def _on_event(self, envelope: Envelope) -> None:
        if self.model.take(envelope) is None:
            return
        self.metrics.events.inc()
        for client in self.clients:
            if client.follows and self.model.last_seq - client.seq > self._lag_events:
                client.cut(Disconnect(TRY_AGAIN_LATER, TOO_SLOW))
        self._wake()

    def _wake(self) -> None:
        for client in self.clients:
            client.wake.set()

    async def heartbeats(self) -> None:
        """Every second, for as long as it runs, each client is due a heartbeat."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._report_receivers()
            for client in self.clients:
                client.heartbeat_due = True
                client.wake.set()

    async def _report_receivers(self) -> None:
        """Tell the engine of the receivers where that changed, or where it is another engine."""
        now_s = time.monotonic()
        report = ReportReceivers(self.receivers.known, self.receivers.lost(now_s))
        connects = self.link.connects
        if not self.link.up or (self._reported, self._reported_over) == (report, connects):
            return
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                if self._reported is None:
                    reply = await self.link.ask(ReportReceivers(fresh=True))
                    before = msgspec.json.decode(reply.body, type=tuple[str, ...] | None)
                    self.receivers.expect(before or (), now_s)
                    report = ReportReceivers(self.receivers.known, self.receivers.lost(now_s))
                await self.link.ask(report)
        except (EngineUnreachable, TimeoutError):
            return  # in a second again
        self._reported, self._reported_over = report, connects

    async def serve(
        self,
        outlet: Outlet,
        since: int | None,
        waveforms: bool,
        receiver: Connection | None = None,
    ) -> None:
        """Send everything after ``since`` (None: a snapshot first), then live, until it fails.

        ``receiver`` is told of every event that was sent.

        Raises:
            Disconnect: the client must be closed with that code.
        """
        client = Client(outlet, waveforms, self, self._send_timeout_s, receiver)
        self.clients.add(client)
        try:
            await client.follow(since)
        finally:
            self.clients.discard(client)
            if client.cut_with is not None and client.cut_with.code == TRY_AGAIN_LATER:
                self.metrics.disconnected_slow.inc()

    async def after(self, seq: int) -> Sequence[Logged]:
        """The next events after ``seq``, from the log, or from the engine where they are older.

        Raises:
            Disconnect: they are older than the log and the engine can't be asked.
        """
        kept = self.model.since(seq, BATCH)
        if kept is not None:
            return kept
        try:
            reply = await self.link.ask(ReadEvents(seq, BATCH))
        except EngineUnreachable:
            raise Disconnect(TRY_AGAIN_LATER, "older events can't be had just now") from None
        return [logged(e) for e in msgspec.json.decode(reply.body, type=list[Envelope])]

    def heartbeat(self, seq: int) -> str:
        """The heartbeat for a client that has seen everything up to ``seq``."""
        beat = self.link.beat
        age_s = self.link.engine_age_s
        body = {
            "seq": seq,
            "engine_age_s": age_s,
            "signal_age_s": None if beat is None else beat.signal_age_s,
            "trial_age_s": None if beat is None else beat.trial_age_s,
            "case_s": None if beat is None else beat.case_s,
            "link": "up" if self.link.up else "lost",
        }
        return own_message(seq, "heartbeat", (msgspec.json.encode(body),))


def now_text() -> str:
    return utc_text(datetime.now(UTC))


def own_message(seq: int, kind: str, body: Iterable[bytes]) -> str:
    """A message that the gateway itself makes, its body in pieces: it takes no ``seq``."""
    now = now_text().encode()
    head = b'{"v":%d,"seq":%d,"t":"%b","sent":"%b","type":"%b","body":'
    told = head % (VERSION, seq, now, now, kind.encode())
    return b"".join((told, *body, b"}")).decode()


class Client:
    """One follower: its place in the log, and the loop that moves it on."""

    def __init__(
        self,
        outlet: Outlet,
        waveforms: bool,
        hub: Hub,
        send_timeout_s: float,
        receiver: Connection | None = None,
    ) -> None:
        self._receiver = receiver
        self._outlet = outlet
        self._waveforms = waveforms
        self._hub = hub
        self._send_timeout_s = send_timeout_s
        self._task: asyncio.Task[None] | None = None
        self._owed: deque[int] = deque()
        self.wake = asyncio.Event()
        self.heartbeat_due = False
        self.seq = 0
        self.follows = False
        self.cut_with: Disconnect | None = None

    def cut(self, why: Disconnect) -> None:
        """Stop following at once, in the middle of a message that nobody takes if need be."""
        if self.cut_with is None:
            self.cut_with = why
            if self._task is not None:
                self._task.cancel()

    async def follow(self, since: int | None) -> None:
        task = self._task = asyncio.current_task()
        try:
            await self._follow(since)
        except asyncio.CancelledError:
            if self.cut_with is None or task is None or task.uncancel() > 0:
                raise
            # The cancellation was our own and has done its work.
            raise self.cut_with from None

    async def _follow(self, since: int | None) -> None:
        while self._hub.model.case is None:
            await self._idle(since or 0)
        while since is not None and since > self._hub.model.last_seq:
            beat = self._hub.link.beat
            if beat is not None and beat.seq < since:
                # The engine has no such event: this client comes from another case.
                since = None
            else:
                await self._idle(since)
        if since is None or self._hub.model.is_lost(since):
            await self._snapshot()
        else:
            self.seq = since
        while True:
            entries = await self._hub.after(self.seq)
            for sent, entry in enumerate(entries):
                if sent and sent % TURN == 0:
                    # Sending to one who reads fast never waits, and nobody else would have a turn.
                    await asyncio.sleep(0)
                await self._text(entry.message(now_text()))
                self.seq = entry.seq
                self._await_confirmation()
                if self._waveforms and entry.trial is not None:
                    self._owe(entry.trial)
                if self.heartbeat_due:
                    await self._heartbeat(self.seq)
            if entries:
                if len(entries) >= TURN:
                    await asyncio.sleep(0)
                continue
            self.follows = True
            if self._owed:
                if self.heartbeat_due:
                    await self._heartbeat(self.seq)
                await self._waveform(self._owed.popleft())
            else:
                await self._idle(self.seq)

    async def _idle(self, seq: int) -> None:
        """Wait for something to happen; a heartbeat is something."""
        await self.wake.wait()
        self.wake.clear()
        if self.heartbeat_due:
            await self._heartbeat(seq)

    async def _heartbeat(self, seq: int) -> None:
        self.heartbeat_due = False
        await self._text(self._hub.heartbeat(seq))

    async def _snapshot(self) -> None:
        model = self._hub.model
        body = model.snapshot()
        assert body is not None, "a case is known by now"
        self.seq = model.last_seq
        self._owed = deque(model.waveforms() if self._waveforms else ())
        await self._text(own_message(self.seq, "snapshot", body))
        self._await_confirmation()

    def _await_confirmation(self) -> None:
        if self._receiver is not None:
            self._receiver.sent(self.seq, time.monotonic())

    def _owe(self, trial: int) -> None:
        """A waveform is due; who catches up is owed only what can still be had."""
        if trial in self._owed or not (self.follows or self._hub.model.waveform(trial)):
            return
        self._owed.append(trial)
        if len(self._owed) > WAVEFORMS:
            self._owed.popleft()
            self._hub.metrics.waveforms_dropped.inc()

    async def _waveform(self, trial: int) -> None:
        message = self._hub.model.waveform(trial)
        if message is None:
            self._hub.metrics.waveforms_dropped.inc()
        else:
            await self._bytes(message)

    async def _text(self, message: str) -> None:
        await self._in_time(self._outlet.send_text(message))

    async def _bytes(self, message: bytes) -> None:
        await self._in_time(self._outlet.send_bytes(message))

    async def _in_time(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await sending
        except TimeoutError:
            self.cut_with = Disconnect(TRY_AGAIN_LATER, TOO_SLOW)
            raise self.cut_with from None
