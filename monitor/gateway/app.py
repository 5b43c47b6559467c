"""The gateway's app: the live feed, REST, and the page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import FastAPI, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from monitor import __version__
from monitor.gateway.guard import Guard
from monitor.gateway.hub import Disconnect, Hub
from monitor.gateway.receivers import Connection
from monitor.gateway.rest import rest_router
from monitor.page import PAGE, page_is_built
from monitor.queues import COUNTED

NO_PAGE = (
    "The page is not built: run 'make page', or install the wheel, which has it. "
    "The API is at /api/v1, its description (OpenAPI) at /openapi.json.\n"
)
MAX_RECEIVED_BYTES = 4096


CLOSED_IN_ORDER = 1000

RECORD_GAUGES = {
    "slow_commits": "Commits to the journal that took over 10 ms",
    "failed_commits": "Commits to the journal that failed and were tried again",
    "shown_before_durable": "Times that events were shown before they were stored",
    "entries_shed": "Entries of the journal that were never stored",
    "epochs_shed": "Raw epochs that were never stored",
    "inputs_shed": "Inputs that are not in the raw recording",
}
"""What the metrics say of the engine's record; a test holds it to ``RecordCounts``."""


class _Received(msgspec.Struct, frozen=True, tag="received", tag_field="type"):
    """A client's confirmation that its application has taken everything up to ``seq``."""

    seq: int


class _Leave(msgspec.Struct, frozen=True, tag="leave", tag_field="type"):
    """A client's leave-taking: it is not missed when it is gone."""


def create_app(
    socket_path: Path,
    *,
    host: str = "127.0.0.1",
    folder: Path | None = None,
    page: Path = PAGE,
    hub: Hub | None = None,
) -> FastAPI:
    """The app that serves one engine.

    Args:
        socket_path: the engine's Unix socket; it may come and go.
        host: what the server is bound to, for the check of ``Host``.
        folder: the case folder, for ``export``.
        page: the built page.
        hub: in place of the one made for ``socket_path``, for tests with other bounds.
    """
    hub = hub or Hub(socket_path)
    _describe(hub)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(hub.link.follow()), asyncio.create_task(hub.heartbeats())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        title="mep-monitor",
        version=__version__,
        description="Live monitoring of motor evoked potentials. Not a medical device.",
        lifespan=lifespan,
        # Both would fetch their scripts from elsewhere; a theatre may have no network.
        docs_url=None,
        redoc_url=None,
    )
    app.state.hub = hub
    app.add_middleware(Guard, host=host)
    app.include_router(rest_router(hub, folder))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse({"detail": f"{where}: {first['msg']}"}, status_code=422)

    @app.websocket("/api/v1/live")
    async def live(
        socket: WebSocket,
        since: Annotated[int | None, Query(ge=0)] = None,
        waveforms: bool = False,
        receiver: Annotated[str, Query(max_length=64)] = "",
    ) -> None:
        await socket.accept()
        host = socket.client.host if socket.client else "unknown"
        connection = hub.receivers.come(receiver or host)
        follower = asyncio.create_task(hub.serve(socket, since, waveforms, connection))
        listener = asyncio.create_task(_listen(socket, hub, connection))
        try:
            await asyncio.wait((follower, listener), return_when=asyncio.FIRST_COMPLETED)
        finally:
            listener.cancel()
            follower.cancel()
            ended = await asyncio.gather(follower, listener, return_exceptions=True)
            hub.receivers.go(connection, time.monotonic(), took_leave=ended[1] is True)
        for outcome in ended:
            if isinstance(outcome, Disconnect):
                # It may be too slow to take even this; the server closes it all the same.
                with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                    async with asyncio.timeout(1.0):
                        await socket.close(outcome.code, outcome.reason)

    if page_is_built(page):
        app.mount("/", StaticFiles(directory=page, html=True), name="page")
    else:

        @app.get("/", include_in_schema=False)
        async def no_page() -> PlainTextResponse:
            return PlainTextResponse(NO_PAGE, status_code=503)

    return app


async def _listen(socket: WebSocket, hub: Hub, connection: Connection) -> bool:
    """Take confirmations until the client goes; anything else ends the connection.

    Returns:
        Whether it took leave: by saying so, or by closing in order (1000; a page that is closed or
        loaded again says 1001, a connection that breaks nothing).
    """
    took_leave = False
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return took_leave or message.get("code") == CLOSED_IN_ORDER
        text = message.get("text") or ""
        try:
            said = msgspec.json.decode(text[:MAX_RECEIVED_BYTES], type=_Received | _Leave)
        except msgspec.DecodeError:
            raise Disconnect(1003, 'only {"type": "received", "seq": n} is understood') from None
        if isinstance(said, _Leave):
            took_leave = True
            continue
        hub.receivers.confirmed(connection, said.seq, time.monotonic())
        hub.metrics.confirmed.inc()


def _describe(hub: Hub) -> None:
    """The figures that are read when somebody asks for the metrics."""
    link, metrics = hub.link, hub.metrics
    metrics.gauge("mep_last_seq", "Last event known", lambda: hub.model.last_seq)
    for name, description in RECORD_GAUGES.items():
        metrics.gauge(f"mep_record_{name}", description, partial(_recorded, hub, name))
    for name, description in COUNTED.items():
        metrics.gauge(f"mep_{name}", description, partial(_queued, hub, name))
    metrics.gauge("mep_clients", "Clients of the live feed", lambda: len(hub.clients))
    metrics.gauge("mep_engine_up", "The engine speaks", lambda: float(link.up))
    metrics.gauge("mep_engine_connects", "Times the engine was connected", lambda: link.connects)
    metrics.gauge(
        "mep_engine_age_seconds",
        "Since the engine last spoke; NaN before it did",
        lambda: float("nan") if link.engine_age_s is None else link.engine_age_s,
    )


def _recorded(hub: Hub, name: str) -> float:
    beat = hub.link.beat
    return 0.0 if beat is None else float(getattr(beat.record, name))


def _queued(hub: Hub, name: str) -> float:
    beat = hub.link.beat
    return 0.0 if beat is None else float(getattr(beat.queues, name))
