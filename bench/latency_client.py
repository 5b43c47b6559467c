"""How late a trial and an alarm reach a screen: ``python -m bench.latency_client --seconds 20``.

The whole product as ``mep-monitor run`` starts it, a simulated case over LSL in a process of its
own, and a WebSocket client: from the last sample of each epoch to its messages, decoded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from bench.measured import header, machine, row
from monitor import config

HAND_OVERS = ("in hand", "measured", "raised", "sent", "client")
"""Of an event: the epoch released in the engine, measured, the alarm raised, its event leaving the
gateway, decoded by the client. Each in ms from the epoch's last sample."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A trial or an alarm at the client; ``at_ms`` by :data:`HAND_OVERS`, NaN where it has none.

    ``starting``: its epoch ended before the engine said that it is ready. It waited for that, and
    so did its alarms: they count apart.
    """

    what: str
    trial: int
    starting: bool
    at_ms: tuple[float, ...]

    @property
    def late_ms(self) -> float:
        return self.at_ms[-1]

    def __str__(self) -> str:
        steps = zip(HAND_OVERS, self.at_ms, strict=True)
        told = ", ".join(f"{name} {ms:.1f}" for name, ms in steps if ms == ms)
        return f"{self.what} with trial {self.trial}: {told} ms"


def to_client(fs_hz: float, seconds: float) -> None:
    """The whole product: stimulus + post window -> decoded by a WebSocket client."""
    from monitor.sources.lsl_library import configure

    pylsl = configure("loopback")
    run = (
        "monitor", "run", "--signal", "name='bench-run'", "--markers", "name='bench-run-markers'",
        "--port", "0",
    )  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="mep-bench-") as folder,
        child(*outlet("bench-run", fs_hz, "demo", 0.4)) as source,
    ):
        first_line(source.stdout)
        with child(*run, "--out", folder) as product:
            url = ""
            while not url:
                line = first_line(product.stdout)
                match = re.search(r"http://[\d.]+:\d+", line)
                url = match.group(0) if match else ""
                if not line and product.poll() is not None:
                    raise SystemExit("mep-monitor run ended at once")
            ready_lsl = pylsl.local_clock()
            arrivals = asyncio.run(listen(url.replace("http", "ws"), seconds, ready_lsl))
    print_arrivals(arrivals)


def print_arrivals(arrivals: list[Arrival]) -> None:
    """How late trials and alarms were, those of the start-up apart, and the way of the latest."""
    for starting in (True, False):
        for what, limit in (("trial", None), ("alarm", (99, 50.0))):
            found = [a for a in arrivals if a.starting is starting and a.what.startswith(what)]
            if starting and found:
                print(row(f"start-up: epoch end -> {what} at a client", [a.late_ms for a in found]))
            elif not starting:
                late_ms = [a.late_ms for a in found]
                print(row(f"epoch end -> {what} at a WebSocket client", late_ms, limit))
                in_hand_ms = [a.late_ms - a.at_ms[0] for a in found]
                print(row("   of that, from the epoch in the engine's hand", in_hand_ms))
                if found:
                    print(f"   latest: {max(found, key=lambda a: a.late_ms)}")


async def listen(url: str, seconds: float, ready_lsl: float) -> list[Arrival]:
    """Every trial and alarm that came by way of the live feed within ``seconds``."""
    import pylsl
    import websockets

    arrivals: list[Arrival] = []
    post_s = config.CaseConfig().epoch.post_ms / 1e3
    utc_less_lsl = time.time() - pylsl.local_clock()
    async with websockets.connect(f"{url}/api/v1/live", max_size=None) as socket:
        end = time.monotonic() + seconds
        trial = 0
        while time.monotonic() < end:
            message = json.loads(await asyncio.wait_for(socket.recv(), 10))
            now_lsl = pylsl.local_clock()
            if message["type"] == "trial":
                trial = message["body"]["trial"]
            came = arrival(message, trial, ready_lsl, now_lsl, utc_less_lsl, post_s)
            if came is not None:
                arrivals.append(came)
    return arrivals


def arrival(
    message: dict[str, Any],
    trial: int,
    ready_lsl: float,
    now_lsl: float,
    utc_less_lsl: float,
    post_s: float,
) -> Arrival | None:
    """A message of the live feed; None: no trial, and no alarm that a trial brought.

    Args:
        message: as decoded.
        trial: the last trial that came.
        ready_lsl: when the engine said that it is ready.
        now_lsl: when the message had been decoded.
        utc_less_lsl: seconds from the LSL clock to UTC.
        post_s: how far an epoch reaches beyond its stimulus.
    """
    body, what = message["body"], message["type"]
    if what not in ("trial", "alarm") or body["timing"]["stimulus"] is None:
        return None
    timing = body["timing"]
    ended_lsl = timing["stimulus"] + post_s
    sent_lsl = datetime.fromisoformat(message["sent"]).timestamp() - utc_less_lsl
    stamps = [timing[name] for name in ("epoch_complete", "measured", "raised")]
    return Arrival(
        what if what == "trial" else f"alarm {body['kind']} {body['state']}",
        trial,
        ended_lsl < ready_lsl,
        tuple(
            math.nan if at is None else (at - ended_lsl) * 1e3
            for at in (*stamps, sent_lsl, now_lsl)
        ),
    )


@contextlib.contextmanager
def child(*command: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with this block, whatever happens in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        text=True,
        # Linux shares processor time out by session: a busy machine must not starve the source.
        start_new_session=True,
        **options,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def outlet(name: str, fs_hz: float, scenario: str, interval_s: float) -> tuple[str, ...]:
    return (
        "monitor.sources.outlet", "--scenario", scenario, "--name", name, "--fs", f"{fs_hz:g}",
        "--interval", f"{interval_s:g}", "--chunk-ms", "1",
    )  # fmt: skip


def first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency_client", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    print(f"{machine()}\n\n{header()}")
    to_client(5000.0, args.seconds)


if __name__ == "__main__":
    main()
