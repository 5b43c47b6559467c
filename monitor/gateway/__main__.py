"""``python -m monitor.gateway``: the display process. The supervisor hands it a bound socket."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from monitor.gateway.app import create_app
from monitor.sources.child import stop_event


def server_for(app: ASGIApp) -> uvicorn.Server:
    """A server for the gateway's app: quiet, and without compression, which costs latency."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=16384,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    return uvicorn.Server(config)


def main() -> int:
    # uvicorn puts its own handlers in place of these; what stays is to end with the parent.
    stop_event()
    parser = argparse.ArgumentParser(prog="python -m monitor.gateway")
    parser.add_argument("--engine", type=Path, required=True, help="the engine's Unix socket")
    parser.add_argument("--fd", type=int, required=True, help="a bound TCP socket, inherited")
    parser.add_argument("--folder", type=Path, required=True, help="the case folder")
    parser.add_argument("--parent", type=int, required=True, help="pid to end with")
    given = parser.parse_args()
    if os.getppid() != given.parent:
        return 1
    listener = socket.socket(fileno=given.fd)
    app = create_app(given.engine, host=listener.getsockname()[0], folder=given.folder)
    gc.collect()
    gc.freeze()
    asyncio.run(server_for(app).serve(sockets=[listener]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
