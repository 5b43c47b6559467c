"""The real gateway in a process of its own, which a test can hang, wake and kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

START_S = 60.0


class GatewayProcess:
    """Serves the case of the engine at ``engine_socket``; its port outlives every restart."""

    def __init__(self, engine_socket: Path, folder: Path) -> None:
        self._arguments = ["--engine", str(engine_socket), "--folder", str(folder)]
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and give the port up."""
        self.kill()
        self._listener.close()

    def hang(self) -> None:
        """Stop the process where it stands: connections stay open and nothing is said."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let a process that hangs go on."""
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it, and start another that knows nothing."""
        self.kill()
        self.start()

    def start(self) -> None:
        """Start one, and wait until it follows the engine."""
        descriptor = self._listener.fileno()
        command = [sys.executable, "-m", "monitor.gateway", *self._arguments]
        self._child = subprocess.Popen(
            [*command, "--fd", str(descriptor), "--parent", str(os.getpid())],
            pass_fds=(descriptor,),
        )
        deadline = time.monotonic() + START_S
        while not self._ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)}: not ready")
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with urlopen(f"{self.url}api/v1/readyz", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (URLError, TimeoutError):
            return False

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None
