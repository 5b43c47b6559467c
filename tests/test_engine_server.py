"""The engine's end of the link: nothing lost, nothing twice, and never in the engine's way."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from monitor.engine import server as server_module
from monitor.engine.server import LinkServer
from monitor.journal.database import RESTART, EventRow, InputRow
from monitor.journal.writer import JournalWriter
from monitor.link import (
    AddAnnotation,
    Beat,
    Frame,
    FrameKind,
    FrameParser,
    Hello,
    ReadEvents,
    Reply,
    Request,
    pack,
)
from monitor.types import MonitorError
from monitor.wire import Envelope
from tests.running import CASE_ID, case_body, new_journal, wait_until


class Gateway:
    """The other end, as plain as can be."""

    def __init__(self, path: Path, case: str = "", since: int = 0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(5.0)
        self._socket.connect(str(path))
        self._parser = FrameParser()
        self._frames: list[Frame] = []
        self.send(FrameKind.HELLO, Hello(case, since))

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def send(self, kind: FrameKind, value: object) -> None:
        self._socket.sendall(pack(kind, msgspec.json.encode(value)))

    def frame(self) -> Frame | None:
        """The next frame; None: the engine has closed the link."""
        while not self._frames:
            data = self._socket.recv(65536)
            if not data:
                return None
            self._frames += self._parser.feed(data)
        return self._frames.pop(0)

    def events(self, up_to: int) -> list[int]:
        """The numbers of the events received until ``up_to`` came."""
        numbers: list[int] = []
        while not numbers or numbers[-1] < up_to:
            frame = self.frame()
            assert frame is not None, "closed too early"
            if frame.kind is FrameKind.EVENT:
                numbers.append(msgspec.json.decode(frame.payload, type=Envelope).seq)
        return numbers

    def reply(self) -> Reply:
        while True:
            frame = self.frame()
            assert frame is not None
            if frame.kind is FrameKind.REPLY:
                return msgspec.json.decode(frame.payload, type=Reply)


def row(seq: int, size: int = 2) -> EventRow:
    return EventRow(seq, "t", "trial", b'"' + b"x" * size + b'"')


class Publisher:
    """Journals and publishes, as the engine does."""

    def __init__(self, folder: Path, path: Path, **bounds: Any) -> None:
        self.path = path
        self.journal = JournalWriter(new_journal(folder))
        self.server = LinkServer(path, case_body(), folder, **bounds)
        self.seq = 0

    def publish(self, n: int = 1, size: int = 2) -> None:
        for _ in range(n):
            self.seq += 1
            assert self.journal.wait_durable(self.journal.submit([row(self.seq, size)]), 5.0)
            self.server.publish(row(self.seq, size))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mep-") as short:
        yield Path(short) / "engine"


@pytest.fixture
def engine(folder: Path, path: Path) -> Iterator[Publisher]:
    publisher = Publisher(folder, path)
    with publisher.journal, publisher.server:
        yield publisher


def test_the_case_comes_first_then_what_was_missed_then_what_is_new(engine: Publisher) -> None:
    engine.publish(5)
    with Gateway(engine.path) as gateway:
        first = gateway.frame()
        assert first is not None
        assert first.kind is FrameKind.CASE
        assert json.loads(first.payload) == case_body(last_seq=5)
        assert gateway.events(up_to=5) == [1, 2, 3, 4, 5]
        wait_until(lambda: engine.server.receivers == 1, "the gateway to follow")
        engine.publish(2)
        assert gateway.events(up_to=7) == [6, 7]


def test_the_events_of_one_input_leave_in_one_piece(engine: Publisher, monkeypatch) -> None:
    """A gateway that has a trial has its alarms too, and need not send them one after another."""
    pieces: list[bytes] = []
    real = server_module._GatewayLink.send
    with Gateway(engine.path) as gateway:
        wait_until(lambda: engine.server.receivers == 1, "the gateway to follow")

        def send(link: object, frame: bytes) -> bool:
            pieces.append(frame)
            return real(link, frame)  # type: ignore[arg-type]

        monkeypatch.setattr(server_module._GatewayLink, "send", send)
        engine.server.publish(row(1), row(2), row(3))
        assert gateway.events(3) == [1, 2, 3]
    assert len(pieces) == 1
    with Gateway(engine.path, CASE_ID, since=1) as late:
        assert late.events(3) == [2, 3]


def test_a_gateway_that_returns_gets_what_it_missed_and_no_more(engine: Publisher) -> None:
    engine.publish(6)
    with Gateway(engine.path, CASE_ID, since=4) as gateway:
        assert gateway.events(up_to=6) == [5, 6]


def test_a_gateway_of_another_case_gets_everything(engine: Publisher) -> None:
    engine.publish(3)
    with Gateway(engine.path, "another case", since=2) as gateway:
        assert gateway.events(up_to=3) == [1, 2, 3]


def test_a_gateway_that_is_ahead_starts_anew(engine: Publisher) -> None:
    engine.publish(3)
    with Gateway(engine.path, CASE_ID, since=9) as gateway:
        first = gateway.frame()
        assert first is not None
        assert json.loads(first.payload)["last_seq"] == 3
        assert gateway.events(up_to=3) == [1, 2, 3]


@pytest.mark.parametrize(("since", "ends", "first"), [(2, 6, 3), (3, 2, 1), (5, 2, 1), (6, 6, 7)])
def test_a_gateway_that_saw_what_was_lost_starts_anew(
    engine: Publisher, since: int, ends: int, first: int
) -> None:
    engine.publish(2)
    lost = InputRow(2, "t", RESTART, b'{"unstored": 5}')
    assert engine.journal.wait_durable(engine.journal.submit([lost]), 5.0)
    engine.publish(4)
    with Gateway(engine.path, CASE_ID, since) as gateway:
        case = gateway.frame()
        assert case is not None
        assert json.loads(case.payload)["last_seq"] == ends
        wait_until(lambda: engine.server.receivers == 1, "the gateway to follow")
        engine.publish()
        assert gateway.events(up_to=7) == list(range(first, 8))


def test_the_body_is_the_bytes_that_were_journalled(engine: Publisher) -> None:
    odd = b'{"b":  1.50, "a":null}'
    engine.journal.wait_durable(engine.journal.submit([EventRow(1, "t", "alarm", odd)]), 5.0)
    engine.server.publish(EventRow(1, "t", "alarm", odd))
    with Gateway(engine.path) as gateway:
        gateway.frame()
        event = gateway.frame()
        assert event is not None
        envelope = msgspec.json.decode(event.payload, type=Envelope)
        assert (envelope.type, bytes(envelope.body)) == ("alarm", odd)


def test_no_gap_and_no_double_while_events_go_on(engine: Publisher, monkeypatch) -> None:
    monkeypatch.setattr(server_module, "CATCH_UP_ROWS", 7)
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            engine.publish()

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        for since in (0, 3, 50):
            wait_until(lambda since=since: engine.seq > since + 20, "events")
            up_to = engine.seq + 100
            with Gateway(engine.path, CASE_ID, since) as gateway:
                numbers = gateway.events(up_to)
            assert numbers == list(range(since + 1, numbers[-1] + 1))
    finally:
        done.set()
        publishing.join()


def test_what_is_not_durable_yet_comes_from_memory(engine: Publisher) -> None:
    engine.publish(2)
    engine.server.publish(row(3))
    with Gateway(engine.path) as gateway:
        assert gateway.events(up_to=3) == [1, 2, 3]


def test_a_gateway_that_does_not_read_is_cut_off_and_costs_no_time(folder, path) -> None:
    publisher = Publisher(folder, path, backlog_bytes=300_000)
    with publisher.journal, publisher.server, Gateway(path) as gateway:
        wait_until(lambda: publisher.server.receivers == 1, "the gateway to follow")
        began = time.monotonic()
        for seq in range(1, 60):
            publisher.server.publish(row(seq, 20_000))
        assert time.monotonic() - began < 4.0, "less than one send's time limit"
        assert publisher.server.receivers == 0
        assert publisher.server.counts.cut_off == 1
        while gateway.frame() is not None:
            pass


def test_a_slow_reader_within_the_bound_misses_nothing(engine: Publisher) -> None:
    with Gateway(engine.path) as gateway:
        wait_until(lambda: engine.server.receivers == 1, "the gateway to follow")
        for seq in range(1, 200):
            engine.server.publish(row(seq, 20_000))
        engine.seq = 199
        assert gateway.events(up_to=199) == list(range(1, 200))


def test_waveforms_and_beats_pass_in_order(engine: Publisher) -> None:
    with Gateway(engine.path) as gateway:
        wait_until(lambda: engine.server.receivers == 1, "the gateway to follow")
        engine.server.waveform(b"wave")
        engine.publish()
        engine.server.beat(Beat(1, 2.0, None, 3.0))
        kinds = [gateway.frame().kind for _ in range(4)]
    assert kinds == [FrameKind.CASE, FrameKind.WAVEFORM, FrameKind.EVENT, FrameKind.BEAT]


def test_a_request_waits_for_the_data_path_and_its_reply_finds_back(engine: Publisher) -> None:
    with Gateway(engine.path) as gateway:
        gateway.send(FrameKind.REQUEST, Request(7, AddAnnotation("incision", "XY")))
        asked = []
        wait_until(lambda: asked.extend(engine.server.take_requests()) or asked, "the request")
        assert asked[0].ask == AddAnnotation("incision", "XY")
        asked[0].answer(Reply(asked[0].id, 409, "not now"))
        assert gateway.reply() == Reply(7, 409, "not now")


def test_a_request_that_can_t_be_read_is_answered_and_the_link_stays(engine: Publisher) -> None:
    with Gateway(engine.path) as gateway:
        wait_until(lambda: engine.server.receivers == 1, "the gateway to follow")
        pause = {"type": "audio-pause", "seconds": None, "by": "XY"}
        gateway.send(FrameKind.REQUEST, {"id": 5, "ask": pause})
        reply = gateway.reply()
        assert (reply.id, reply.status) == (5, 422)
        assert "seconds" in reply.detail
        engine.publish()
        assert gateway.events(up_to=1) == [1]


def test_more_requests_than_can_wait_are_refused_at_once(engine: Publisher, monkeypatch) -> None:
    monkeypatch.setattr(server_module, "REQUESTS", 2)
    with Gateway(engine.path) as gateway:
        for number in range(3):
            gateway.send(FrameKind.REQUEST, Request(number, AddAnnotation("x", "XY")))
        reply = gateway.reply()
        assert (reply.id, reply.status) == (2, 503)
        assert engine.server.counts.requests_refused == 1
        assert len(engine.server.take_requests()) == 2


def test_older_events_are_read_from_the_journal(engine: Publisher) -> None:
    engine.publish(9)
    with Gateway(engine.path, CASE_ID, since=9) as gateway:
        gateway.send(FrameKind.REQUEST, Request(1, ReadEvents(since=3, limit=4)))
        told = msgspec.json.decode(gateway.reply().body, type=list[Envelope])
        assert [envelope.seq for envelope in told] == [4, 5, 6, 7]


@pytest.mark.parametrize("nonsense", [b"\xff" * 10, pack(FrameKind.HELLO, b"{}"),
                                      pack(FrameKind.BEAT, b"{}")])  # fmt: skip
def test_nonsense_ends_that_connection_and_no_other(engine: Publisher, nonsense: bytes) -> None:
    with Gateway(engine.path) as good, Gateway(engine.path) as bad:
        bad._socket.sendall(nonsense)
        while bad.frame() is not None:
            pass
        engine.publish()
        assert good.events(up_to=1) == [1]


def test_leaving_sends_what_is_queued_and_removes_the_socket(folder: Path, path: Path) -> None:
    publisher = Publisher(folder, path)
    with publisher.journal:
        with publisher.server:
            gateway = Gateway(path)
            wait_until(lambda: publisher.server.receivers == 1, "the gateway to follow")
            reading = threading.Thread(target=lambda: numbers.extend(gateway.events(100)))
            numbers: list[int] = []
            for seq in range(1, 101):
                publisher.server.publish(row(seq, 20_000))
            reading.start()
        reading.join(5)
        assert numbers == list(range(1, 101))
        gateway.__exit__()
    assert not path.exists()


def test_only_this_user_may_connect(engine: Publisher) -> None:
    assert engine.path.stat().st_mode & 0o777 == 0o600


def test_a_path_that_can_t_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    new_journal(folder)
    with (
        pytest.raises(MonitorError, match="can't listen there"),
        LinkServer(tmp_path / ("x" * 120), case_body(), folder),
    ):
        pass


def test_a_connection_that_can_not_be_accepted_is_not_the_last(engine: Publisher) -> None:
    class Exhausted:
        """No file descriptor is left, twice; then the engine closes."""

        asked = 0

        def accept(self) -> object:
            self.asked += 1
            engine.server._closing = self.asked == 3
            raise OSError(24, "Too many open files")

    listener = Exhausted()
    engine.server._accept(cast(socket.socket, listener))
    assert listener.asked == 3
