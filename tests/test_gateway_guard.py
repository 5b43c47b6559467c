"""Other web pages are kept out; programs and the page itself are not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from monitor.gateway.guard import Guard

ALLOWED = [
    ("127.0.0.1", "127.0.0.1:8731", None),
    ("127.0.0.1", "localhost:8731", None),
    ("127.0.0.1", "[::1]:8731", "http://[::1]:8731"),
    ("127.0.0.1", "127.0.0.1:8731", "http://127.0.0.1:8731"),
    ("10.0.0.5", "10.0.0.5:8731", "http://10.0.0.5:8731"),
    ("0.0.0.0", "theatre-3.hospital.example:8731", "http://theatre-3.hospital.example:8731"),
]
REFUSED = [
    ("127.0.0.1", "127.0.0.1:8731", "http://evil.example"),
    ("127.0.0.1", "127.0.0.1:8731", "http://127.0.0.1:9999"),
    ("127.0.0.1", "127.0.0.1:8731", "null"),
    ("127.0.0.1", "evil.example:8731", "http://evil.example:8731"),
    ("127.0.0.1", "", None),
    ("0.0.0.0", "theatre-3.hospital.example:8731", "http://evil.example"),
]


def ask(kind: str, bound: str, host: str, origin: str | None) -> list[dict[str, Any]]:
    """What comes of a request with these headers; ``inside`` where the app was reached."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    scope = {"type": kind, "headers": headers, "method": "GET", "path": "/"}
    asyncio.run(Guard(app, bound)(scope, receive, send))
    return sent


@pytest.mark.parametrize(("bound", "host", "origin"), ALLOWED)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_allowed(kind: str, bound: str, host: str, origin: str | None) -> None:
    assert ask(kind, bound, host, origin)[0]["status"] == 200


@pytest.mark.parametrize(("bound", "host", "origin"), REFUSED)
def test_refused(bound: str, host: str, origin: str | None) -> None:
    assert ask("http", bound, host, origin)[0]["status"] == 403
    (closed,) = ask("websocket", bound, host, origin)
    assert closed["type"] == "websocket.close"
    assert closed["code"] == 1008


def test_answers_carry_the_headers_that_keep_them_from_being_framed_or_guessed() -> None:
    headers = ask("http", "127.0.0.1", "127.0.0.1:1", None)[0]["headers"]
    assert (b"x", b"y") in headers
    assert (b"x-frame-options", b"DENY") in headers
    assert (b"x-content-type-options", b"nosniff") in headers


def test_lifespan_passes() -> None:
    reached: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    asyncio.run(Guard(app, "127.0.0.1")({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert reached == ["lifespan"]
