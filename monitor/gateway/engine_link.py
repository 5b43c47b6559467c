"""The gateway's end of the link: follows the engine, asks it, notices when it is silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec

from monitor.link import (
    LINK_LOST_S,
    Beat,
    Frame,
    FrameKind,
    FrameParser,
    Hello,
    LinkError,
    Operator,
    Question,
    Reply,
    Request,
    pack,
    unpack_waveform,
)
from monitor.wire import Envelope

_RETRY_S = 0.1
_REPLY_TIMEOUT_S = 5.0
_RECEIVE_BYTES = 262144


class EngineUnreachable(Exception):
    """The engine does not answer just now."""


class EngineLink:
    """Keeps a connection to the engine, for as long as :meth:`follow` runs.

    ``on_case``, ``on_event`` and ``on_waveform`` are called in the order of the engine's frames.
    """

    def __init__(
        self,
        path: Path,
        position: Callable[[], tuple[str, int]],
        on_case: Callable[[dict[str, object]], None],
        on_event: Callable[[Envelope], None],
        on_waveform: Callable[[int, bytes], None],
    ) -> None:
        """``position`` gives the case and the last ``seq`` that the gateway has."""
        self._path = path
        self._position = position
        self._on_case = on_case
        self._on_event = on_event
        self._on_waveform = on_waveform
        self._writer: asyncio.StreamWriter | None = None
        self._ids = count(1)
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._heard_at: float | None = None
        self._beat: Beat | None = None
        self._beat_at = 0.0
        self.connects = 0

    @property
    def engine_age_s(self) -> float | None:
        """Seconds since the engine last spoke; None: it never did."""
        return None if self._heard_at is None else time.monotonic() - self._heard_at

    @property
    def up(self) -> bool:
        """The engine is connected and has spoken within the last three seconds."""
        age_s = self.engine_age_s
        return self._writer is not None and age_s is not None and age_s < LINK_LOST_S

    @property
    def beat(self) -> Beat | None:
        """The engine's last beat with its ages counted on to now."""
        beat = self._beat
        if beat is None:
            return None
        since_s = time.monotonic() - self._beat_at
        return msgspec.structs.replace(
            beat,
            signal_age_s=None if beat.signal_age_s is None else beat.signal_age_s + since_s,
            trial_age_s=None if beat.trial_age_s is None else beat.trial_age_s + since_s,
        )

    async def follow(self) -> None:
        """Connect, follow, and connect again, until cancelled."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                await self._follow(reader, writer)
            except (OSError, LinkError, msgspec.DecodeError):
                await asyncio.sleep(_RETRY_S)
            finally:
                self._writer = None
                self._fail_pending()
                writer.close()

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        case, since = self._position()
        writer.write(pack(FrameKind.HELLO, msgspec.json.encode(Hello(case, since))))
        parser = FrameParser()
        self.connects += 1
        while data := await reader.read(_RECEIVE_BYTES):
            self._heard_at = time.monotonic()
            for frame in parser.feed(data):
                self._take(frame)
                if frame.kind is FrameKind.CASE:
                    self._writer = writer
        raise LinkError("the engine has closed the link")

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case FrameKind.EVENT:
                self._on_event(msgspec.json.decode(frame.payload, type=Envelope))
            case FrameKind.BEAT:
                self._beat = msgspec.json.decode(frame.payload, type=Beat)
                self._beat_at = time.monotonic()
            case FrameKind.WAVEFORM:
                header, _ = unpack_waveform(frame.payload)
                self._on_waveform(header.trial, frame.payload)
            case FrameKind.REPLY:
                reply = msgspec.json.decode(frame.payload, type=Reply)
                waiting = self._pending.pop(reply.id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
            case FrameKind.CASE:
                self._on_case(msgspec.json.decode(frame.payload))
            case _:
                raise LinkError(f"an engine does not send {frame.kind.name}")

    def _fail_pending(self) -> None:
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(EngineUnreachable("the engine has gone away"))
        self._pending.clear()

    async def ask(self, ask: Operator | Question) -> Reply:
        """Ask the engine and wait for its reply.

        Raises:
            EngineUnreachable: it is not connected, or silent for five seconds.
        """
        writer = self._writer
        if writer is None:
            raise EngineUnreachable("the engine is not reachable")
        request = Request(next(self._ids), ask)
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[request.id] = waiting
        writer.write(pack(FrameKind.REQUEST, msgspec.json.encode(request)))
        try:
            return await asyncio.wait_for(waiting, _REPLY_TIMEOUT_S)
        except TimeoutError:
            raise EngineUnreachable("the engine does not answer") from None
        finally:
            self._pending.pop(request.id, None)
