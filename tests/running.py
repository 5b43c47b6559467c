"""A running engine and gateway around a scripted core, in threads of the test's own process."""

from __future__ import annotations

import asyncio
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from monitor import wire
from monitor.engine.case import CaseOutcome, run_case
from monitor.engine.resume import NEW_CASE, Resumed
from monitor.engine.server import LinkServer
from monitor.gateway.__main__ import server_for
from monitor.gateway.app import create_app
from monitor.gateway.hub import Hub
from monitor.journal import database
from monitor.sources.base import Item
from monitor.types import Marker, StreamInfo
from tests.scripted_core import CHANNELS, FS_HZ, INFO, ScriptedPipeline, chunk

CASE_ID = "scripted"
DEADLINE_S = 60.0


def case_body(case_id: str = CASE_ID, **more: object) -> wire.Body:
    return more | {
        "id": case_id,
        "name": "scripted",
        "procedure": "",
        "kind": "simulated",
        "fs_hz": FS_HZ,
        "channels": wire.channel_list(CHANNELS),
        "pre_ms": 100.0,
        "post_ms": 150.0,
        "blank_before_ms": 0.5,
        "blank_after_ms": 4.0,
        "started_utc": "2026-01-05T08:00:00.000000Z",
        "version": "0.1.0",
        "network": None,
        "alarm_percent": 50.0,
        "resolve_percent": 60.0,
        "baseline_usable": 5,
    }


def new_journal(folder: Path, case_id: str = CASE_ID) -> Path:
    database.create(folder, {"case": wire.encode(case_body(case_id)).decode()})
    return folder


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait for another thread or process; fails after a minute."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.005)


class FedSource:
    """A source that hands over what the test gives it, when it gives it."""

    warnings: tuple[str, ...] = ()

    def __init__(self, info: StreamInfo = INFO) -> None:
        self.info = info
        self.exhausted = False
        self._items: queue.Queue[Item] = queue.Queue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def give(self, *items: Item) -> None:
        for item in items:
            self._items.put(item)

    @property
    def waiting(self) -> bool:
        """Something given has not been taken yet."""
        return not self._items.empty()

    def read(self, timeout_s: float) -> list[Item]:
        try:
            return [self._items.get(timeout=min(timeout_s, 0.01))]
        except queue.Empty:
            return []


class RunningEngine:
    """An engine with its link, fed by the test: ``trial("100 200 0")`` is a stimulus."""

    def __init__(
        self, folder: Path, socket_path: Path, *, resumed: Resumed = NEW_CASE, **server: Any
    ) -> None:
        self.source = FedSource()
        self.pipeline = ScriptedPipeline()
        self.server = LinkServer(socket_path, case_body(), folder, **server)
        self.outcome: CaseOutcome | None = None
        self._folder = folder
        self._resumed = resumed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine")
        self._at_s = 0.0

    def _run(self) -> None:
        with self.server as feed:
            self.outcome = run_case(
                self.source,
                self.pipeline,
                self._folder,
                feed,
                case_id=CASE_ID,
                resumed=self._resumed,
                stop=self._stop.is_set,
            )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the engine did not stop"

    def trials(self, texts: Sequence[str]) -> None:
        for text in texts:
            self._at_s += 1.0
            self.source.give(chunk(self._at_s), Marker(self._at_s, text))


class RunningGateway:
    """The real app behind a real server on a free port."""

    def __init__(
        self, socket_path: Path, *, folder: Path | None = None, hub: Hub | None = None,
        page: Path | None = None,
    ) -> None:  # fmt: skip
        self.hub = hub or Hub(socket_path)
        given = {} if page is None else {"page": page}
        self.app = create_app(socket_path, folder=folder, hub=self.hub, **given)
        self._server = server_for(self.app)
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Little room on the way, so that a client that does not read is found out soon.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.live = f"ws://127.0.0.1:{self.port}/api/v1/live"
        self._thread = threading.Thread(target=self._run, name="gateway")

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._server.started, "the gateway to start")
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)
        self._listener.close()
        assert not self._thread.is_alive(), "the gateway did not stop"


class RunningMonitor:
    """Engine and gateway of one scripted case."""

    def __init__(self, folder: Path, **gateway: Any) -> None:
        self._stack = ExitStack()
        self._folder = folder
        self._gateway = gateway

    def __enter__(self) -> Self:
        short = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mep-")))
        self.socket_path = short / "engine"
        new_journal(self._folder)
        self.engine = self._stack.enter_context(RunningEngine(self._folder, self.socket_path))
        self.gateway = self._stack.enter_context(
            RunningGateway(self.socket_path, folder=self._folder, **self._gateway)
        )
        wait_until(lambda: self.gateway.hub.link.up, "the link")
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
