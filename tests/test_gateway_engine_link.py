"""The gateway's end of the link: asks, waits, and knows how old its news is."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.gateway import engine_link as module
from monitor.gateway.engine_link import EngineLink, EngineUnreachable
from monitor.link import (
    AddAnnotation,
    Beat,
    FrameKind,
    FrameParser,
    Hello,
    Reply,
    Request,
    WaveformHeader,
    pack,
    pack_waveform,
)
from monitor.wire import Envelope
from tests.running import case_body


class Engine:
    """A scripted engine: one connection at a time, frames as the test says."""

    def __init__(self) -> None:
        self.hellos: list[Hello] = []
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = FrameParser()
        try:
            while data := await reader.read(65536):
                for frame in parser.feed(data):
                    if frame.kind is FrameKind.HELLO:
                        self.hellos.append(msgspec.json.decode(frame.payload, type=Hello))
                        self.writer = writer
                        self.send(FrameKind.CASE, case_body(last_seq=0))
                    else:
                        self.requests.put_nowait(msgspec.json.decode(frame.payload, type=Request))
        finally:
            writer.close()

    def send(self, kind: FrameKind, value: Any) -> None:
        assert self.writer is not None
        payload = value if isinstance(value, bytes) else msgspec.json.encode(value)
        self.writer.write(pack(kind, payload))


class Heard:
    def __init__(self) -> None:
        self.log: list[Any] = []
        self.position = ("", 0)

    def case(self, body: dict[str, object]) -> None:
        self.log.append(body["id"])
        self.position = (str(body["id"]), self.position[1])

    def event(self, envelope: Envelope) -> None:
        self.log.append(envelope.seq)
        self.position = (self.position[0], envelope.seq)

    def waveform(self, trial: int, message: bytes) -> None:
        self.log.append(("waveform", trial))


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Engine, EngineLink, Heard]]:
    with tempfile.TemporaryDirectory(prefix="mep-") as short:
        path = Path(short) / "engine"
        engine, heard = Engine(), Heard()
        server = await asyncio.start_unix_server(engine.serve, str(path))
        link = EngineLink(path, lambda: heard.position, heard.case, heard.event, heard.waveform)
        following = asyncio.create_task(link.follow())
        try:
            await until(lambda: link.up)
            yield engine, link, heard
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            server.close()
            await server.wait_closed()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


def play(scene: Callable[[Engine, EngineLink, Heard], Awaitable[None]]) -> None:
    async def run() -> None:
        async with linked() as (engine, link, heard):
            await scene(engine, link, heard)

    asyncio.run(run())


def event(seq: int) -> Envelope:
    return Envelope(seq, "t", "annotation", msgspec.Raw(b"{}"))


def test_frames_are_handed_on_in_their_order() -> None:
    async def scene(engine: Engine, link: EngineLink, heard: Heard) -> None:
        samples_uv = np.zeros((1, 4), np.float32)
        header = WaveformHeader("scripted", 9, ("a",), 5000.0, 0, 4)
        engine.send(FrameKind.EVENT, event(1))
        engine.send(FrameKind.WAVEFORM, pack_waveform(header, samples_uv))
        engine.send(FrameKind.EVENT, event(2))
        await until(lambda: len(heard.log) == 4)
        assert heard.log == ["scripted", 1, ("waveform", 9), 2]

    play(scene)


def test_it_comes_back_with_what_it_has() -> None:
    async def scene(engine: Engine, link: EngineLink, heard: Heard) -> None:
        engine.send(FrameKind.EVENT, event(7))
        await until(lambda: heard.position == ("scripted", 7))
        engine.writer.close()
        await until(lambda: len(engine.hellos) == 2)
        assert engine.hellos == [Hello("", 0), Hello("scripted", 7)]
        await until(lambda: link.up)
        assert link.connects == 2

    play(scene)


def test_what_is_no_frame_ends_the_connection_and_it_comes_back() -> None:
    async def scene(engine: Engine, link: EngineLink, heard: Heard) -> None:
        for nonsense in (b"\xff" * 20, pack(FrameKind.EVENT, b"{}"), pack(FrameKind.HELLO, b"{}")):
            before = len(engine.hellos)
            engine.writer.write(nonsense)
            await until(lambda before=before: len(engine.hellos) > before)

    play(scene)


def test_a_reply_finds_its_question() -> None:
    async def scene(engine: Engine, link: EngineLink, heard: Heard) -> None:
        asked = [asyncio.create_task(link.ask(AddAnnotation(text, "XY"))) for text in "ab"]
        requests = [await engine.requests.get() for _ in asked]
        for request in reversed(requests):
            engine.send(FrameKind.REPLY, Reply(request.id, detail=request.ask.text))
        assert [(await task).detail for task in asked] == ["a", "b"]

    play(scene)


def test_silence_and_absence_are_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REPLY_TIMEOUT_S", 0.02)

    async def scene(engine: Engine, link: EngineLink, heard: Heard) -> None:
        with pytest.raises(EngineUnreachable, match="does not answer"):
            await link.ask(AddAnnotation("a", "XY"))
        monkeypatch.setattr(module, "_REPLY_TIMEOUT_S", 5.0)
        waiting = asyncio.create_task(link.ask(AddAnnotation("b", "XY")))
        await engine.requests.get()
        await engine.requests.get()
        engine.writer.close()
        with pytest.raises(EngineUnreachable, match="gone away"):
            await waiting
        with pytest.raises(EngineUnreachable, match="not reachable"):
            await link.ask(AddAnnotation("c", "XY"))

    play(scene)


def test_ages_count_on_from_the_last_beat() -> None:
    async def scene(engine: Engine, link: EngineLink, heard: Heard) -> None:
        assert link.beat is None
        engine.send(FrameKind.BEAT, Beat(3, 10.0, 0.5, None))
        await until(lambda: link.beat is not None)
        link._beat_at = time.monotonic() - 2.0
        beat = link.beat
        assert beat is not None
        assert beat.signal_age_s == pytest.approx(2.5, abs=0.2)
        assert beat.trial_age_s is None
        assert link.engine_age_s is not None
        link._heard_at = time.monotonic() - 3.1
        assert not link.up

    play(scene)
