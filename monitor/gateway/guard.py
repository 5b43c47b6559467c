"""Keeps other web pages out: a browser must not carry their requests to the monitor.

The monitor has no accounts, so any page open in a browser on this machine could otherwise read
the case or acknowledge an alarm. Refused are a ``Host`` that is not this server's (DNS rebinding)
and an ``Origin`` that is not the ``Host`` (cross-site requests). Programs send no ``Origin``.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        """``host`` is what the server is bound to; on all addresses it can't know its names."""
        self._app = app
        self._names = None if host in _ANYWHERE else LOOPBACK_NAMES | {host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        why = self._refusal(scope["headers"])
        if not why:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "http":
            await JSONResponse({"detail": why}, status_code=403)(scope, receive, send)
        else:
            await receive()
            # Before it is accepted, a close is answered with HTTP 403.
            await send({"type": "websocket.close", "code": 1008, "reason": why})

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        named = {name: value.decode("latin-1") for name, value in headers}
        host = named.get(b"host", "")
        if self._names is not None and _name(host) not in self._names:
            return f"host '{host}' is not this server"
        origin = named.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"origin '{origin}' may not use this server"
        return ""


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def _with_headers(send: Send) -> Send:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return add
