"""Whatever else fails, an alarm reaches the screens: the disk, another client, the gateway."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from monitor.gateway.hub import Hub
from monitor.journal.database import JournalReader
from tests.gateway_process import GatewayProcess
from tests.running import RunningEngine, RunningGateway, new_journal, wait_until
from tests.test_journal_writer import Disk

BASELINE = ["100 200 300"] * 6
LEFT_LEG, LEFT_ARM = ["100 200 0"] * 2, ["0 200 0"] * 2


@pytest.fixture
def link() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mep-") as short:
        yield Path(short) / "engine"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def event(client: ClientConnection) -> dict[str, Any]:
    """The next message with a number of its own."""
    while True:
        message: dict[str, Any] = json.loads(client.recv(timeout=60))
        if message["type"] not in ("heartbeat", "snapshot"):
            return message


def loss(client: ClientConnection, channel: str) -> dict[str, Any]:
    """The event by which that channel's loss is confirmed."""
    while True:
        message = event(client)
        body = message["body"]
        if message["type"] == "alarm" and (body["channel"], body["state"]) == (channel, "active"):
            return message


def learned(client: ClientConnection) -> None:
    """All trials of the baseline have come."""
    while (message := event(client))["type"] != "trial" or message["body"]["trial"] < len(BASELINE):
        pass


def standing(snapshot: str | bytes) -> list[tuple[str, str]]:
    """The losses of a snapshot."""
    message = json.loads(snapshot)
    assert message["type"] == "snapshot"
    alarms = message["body"]["alarms"]
    return [(a["channel"], a["state"]) for a in alarms if a["class"] == "physiological"]


@pytest.mark.parametrize("fault", ["full", "hangs"])
def test_a_disk_that_takes_nothing_holds_no_alarm_back(
    tmp_path: Path, link: Path, disk: Disk, fault: str
) -> None:
    new_journal(tmp_path)
    with RunningEngine(tmp_path, link) as engine:
        try:
            with RunningGateway(link) as gateway, connect(f"{gateway.live}?since=0") as client:
                engine.trials(BASELINE)
                learned(client)
                if fault == "full":
                    disk.full = True
                else:
                    disk.free.clear()
                engine.trials(LEFT_LEG)
                seq = loss(client, "L-TA")["seq"]
                with JournalReader(tmp_path) as journal:
                    assert journal.last_seq < seq, "shown, and on no disk"
                with connect(gateway.live) as late:
                    assert standing(late.recv(timeout=60)) == [("L-TA", "active")]
            # A display process that knows nothing has it from the engine's memory.
            with RunningGateway(link) as another:
                wait_until(lambda: another.hub.model.last_seq >= seq, "what is not on the disk")
                with connect(another.live) as client:
                    assert standing(client.recv(timeout=60)) == [("L-TA", "active")]
        finally:
            disk.full = False
            disk.free.set()
    with JournalReader(tmp_path) as journal:
        rows = journal.events()
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "and the disk has it after"
    assert len(rows) >= seq


def test_a_client_that_never_reads_keeps_no_alarm_from_the_others(
    tmp_path: Path, link: Path
) -> None:
    new_journal(tmp_path)
    # Bounds that are never reached: it stays connected for all the time.
    hub = Hub(link, lag_events=10**6, send_timeout_s=3600.0)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with RunningEngine(tmp_path, link) as engine, RunningGateway(link, hub=hub) as gateway, narrow:
        wait_until(lambda: hub.link.up, "the link")
        narrow.connect(("127.0.0.1", gateway.port))
        narrow.sendall(
            b"GET /api/v1/live?since=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        wait_until(lambda: len(hub.clients) == 1, "the one that never reads")
        (stuck,) = hub.clients
        with connect(f"{gateway.live}?since=0") as quick:
            engine.trials(BASELINE)
            learned(quick)
            while hub.model.last_seq - stuck.seq < 100:
                engine.trials(["100 200 300"] * 20)
                wait_until(lambda: not engine.source.waiting, "the trials")
            last = hub.model.last_seq
            engine.trials(LEFT_LEG)
            assert loss(quick, "L-TA")["seq"] > last
        assert stuck in hub.clients
        assert stuck.seq < last


def test_a_killed_gateway_comes_back_with_the_alarms_of_before_and_meanwhile(
    tmp_path: Path, link: Path
) -> None:
    new_journal(tmp_path)
    with RunningEngine(tmp_path, link) as engine, GatewayProcess(link, tmp_path) as gateway:
        live = f"{gateway.url.replace('http', 'ws')}api/v1/live"
        with connect(f"{live}?since=0") as client:
            engine.trials(BASELINE)
            learned(client)
            engine.trials(LEFT_LEG)
            before = loss(client, "L-TA")
            gateway.kill()
        engine.trials(LEFT_ARM)
        wait_until(lambda: not engine.source.waiting, "the loss that nobody could be shown")
        gateway.start()
        with connect(f"{live}?since={before['seq']}") as client:
            assert event(client)["seq"] == before["seq"] + 1, "no gap"
            assert loss(client, "L-APB")
        with connect(live) as client:
            assert set(standing(client.recv(timeout=60))) == {
                ("L-TA", "active"),
                ("L-APB", "active"),
            }
