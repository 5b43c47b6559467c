"""Starts engine and gateway, restarts the one that crashed, and outlives both.

Children are processes of their own, each in its own session: a Ctrl-C in the terminal reaches the
supervisor alone, which ends them in order. They end with it whatever happens to it (the kernel
tells them, :mod:`monitor.sources.child`).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import msgspec

from monitor.engine.plan import CasePlan, LiveStreams
from monitor.types import MonitorError

RESTARTS = 5
RESTART_WINDOW_S = 60.0
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
CLOSE_ENGINE_S = 20.0
CLOSE_S = 3.0
SETTLE_S = 1.0
_POLL_S = 0.1
_SOCKET_PATH_LIMIT = 100

MENDABLE = 2
"""Exit status of a child that has said on stderr what a person can mend: no use to restart it,
unless a live case is under way."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The page's address, taken before anything is started; ``port`` 0 takes a free one.

    Raises:
        MonitorError: the port is taken, or the host is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise MonitorError(
                f"port {port} on {host}: {reason}; choose another with --port"
            ) from None
        yield listener


def address_of(listener: socket.socket) -> str:
    """The page's URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def runtime_folder() -> Iterator[Path]:
    """A short-lived private folder, with a path short enough for a Unix socket."""
    wanted = os.environ.get("XDG_RUNTIME_DIR")
    if wanted is None or not os.access(wanted, os.W_OK):
        wanted = tempfile.gettempdir()
    if len(wanted) > _SOCKET_PATH_LIMIT - 40:
        wanted = "/tmp"
    with tempfile.TemporaryDirectory(prefix="mep-monitor-", dir=wanted) as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start a process: ``arguments`` follow the Python interpreter."""

    name: str
    arguments: tuple[str, ...]
    pass_fd: int | None = None
    close_s: float = CLOSE_S


class Child:
    """One running process; leaving its context ends it and all that it started."""

    def __init__(self, spec: ChildSpec, on_line: Callable[[str], None] = lambda line: None) -> None:
        self.spec = spec
        self.process = subprocess.Popen(
            [sys.executable, *spec.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=() if spec.pass_fd is None else (spec.pass_fd,),
        )
        threading.Thread(target=self._listen, args=(on_line,), daemon=True).start()

    def _listen(self, on_line: Callable[[str], None]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                on_line(line.rstrip("\n"))

    @property
    def status(self) -> int | None:
        """Exit status (negative: a signal); None while it runs."""
        return self.process.poll()

    def ask_to_end(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.status is None:
            self.ask_to_end()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(CLOSE_S)
        self.kill()


class Restarts:
    """How often something may be started again: a few times a minute, slower each time."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._at: deque[float] = deque()

    def wait_s(self) -> float | None:
        """Seconds to wait before the next start; None: it has crashed too often."""
        now = self._now()
        while self._at and now - self._at[0] > RESTART_WINDOW_S:
            self._at.popleft()
        if len(self._at) >= RESTARTS:
            return None
        self._at.append(now)
        return BACKOFF_S[len(self._at) - 1]


class Supervisor:
    """Runs one case as processes until it ends or somebody ends it."""

    def __init__(
        self,
        plan: CasePlan,
        listener: socket.socket,
        runtime: Path,
        *,
        outlet: Sequence[str] | None = None,
        on_ready: Callable[[str], None] = lambda line: None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare a case.

        Args:
            plan: the case; its ``socket`` is set here.
            listener: from :func:`listening`.
            runtime: from :func:`runtime_folder`.
            outlet: arguments to Python of a process that offers the streams; the case ends with it.
            on_ready: called with the engine's line each time it is ready.
            say: takes lines for the person at the terminal.
        """
        self._plan_path = runtime / "plan.json"
        self._plan = msgspec.structs.replace(plan, socket=str(runtime / "engine"))
        self._listener = listener
        self._outlet = outlet
        self._on_ready = on_ready
        self._been_ready = False
        self._say = say
        self._asked = 0

    def run(self) -> int:
        """Run the case; gives the exit status. To be called from the main thread."""
        before = {n: signal.signal(n, self._ask) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            with ExitStack() as children:
                return self._run(children)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1

    # ------------------------------------------------------------------ the children

    def _engine(self) -> Child:
        self._plan.write(self._plan_path)
        spec = ChildSpec(
            "engine",
            ("-m", "monitor.engine", str(self._plan_path), "--parent", str(os.getpid())),
            close_s=CLOSE_ENGINE_S,
        )
        return Child(spec, self._engine_says)

    def _engine_says(self, line: str) -> None:
        self._been_ready = True
        self._on_ready(line)

    def _under_way(self) -> bool:
        """A live case whose streams are missing after a crash is worth another try."""
        return self._been_ready and isinstance(self._plan.source, LiveStreams)

    def _gateway(self) -> Child:
        fd = self._listener.fileno()
        arguments = (
            *("-m", "monitor.gateway", "--engine", self._plan.socket, "--fd", str(fd)),
            *("--folder", self._plan.folder, "--parent", str(os.getpid())),
        )
        return Child(ChildSpec("gateway", arguments, pass_fd=fd))

    # ------------------------------------------------------------------ their life

    def _run(self, children: ExitStack) -> int:
        outlet = None
        if self._outlet is not None:
            outlet = children.enter_context(Child(ChildSpec("outlet", tuple(self._outlet))))
        engine = children.enter_context(self._engine())
        gateway = children.enter_context(self._gateway())
        engine_restarts, gateway_restarts = Restarts(), Restarts()
        while not self._asked:
            time.sleep(_POLL_S)
            if outlet is not None and outlet.status is not None:
                if outlet.status == MENDABLE:
                    return MENDABLE
                if outlet.status != 0:
                    self._say(f"the outlet has crashed (status {outlet.status}): closing the case")
                time.sleep(SETTLE_S)
                break
            if engine.status is not None:
                if engine.status == 0 or (engine.status == MENDABLE and not self._under_way()):
                    return engine.status
                wait_s = engine_restarts.wait_s()
                if wait_s is None:
                    self._say("the engine crashes again and again: giving up")
                    return 1
                self._say(f"the engine has crashed (status {engine.status}): restarting it")
                self._pause(wait_s)
                self._plan = msgspec.structs.replace(self._plan, resume=True)
                engine = children.enter_context(self._engine())
            if gateway.status is not None:
                # The engine alarms for the missing display, and goes on recording without it.
                wait_s = gateway_restarts.wait_s()
                self._say(f"the gateway has crashed (status {gateway.status}): restarting it")
                self._pause(BACKOFF_S[-1] if wait_s is None else wait_s)
                gateway = children.enter_context(self._gateway())
        return self._close(engine)

    def _close(self, engine: Child) -> int:
        """The engine first, while the gateway still shows what it says; asked again: at once."""
        asked = self._asked
        engine.ask_to_end()
        deadline = time.monotonic() + engine.spec.close_s
        while engine.status is None:
            if self._asked > max(asked, 1) or time.monotonic() > deadline:
                self._say("the engine is ended without closing the case; its journal is kept")
                engine.kill()
                return 1
            time.sleep(_POLL_S / 2)
        return engine.status or 0

    def _pause(self, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not self._asked and time.monotonic() < deadline:
            time.sleep(min(_POLL_S, wait_s))
