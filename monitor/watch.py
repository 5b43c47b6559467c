"""``mep-monitor watch URL``: follows a live feed from a terminal.

On a terminal a table that renews itself, elsewhere a line an event. A lost connection is said at
once, and is taken up again at the last event seen.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import urlopen

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from monitor.link import LINK_LOST_S
from monitor.types import MonitorError

Body = dict[str, Any]

_RECEIVE_TIMEOUT_S = 0.5
_ASK_TIMEOUT_S = 5.0
#: Close code for "read the case anew": it is another one, or its last events were lost.
_ANEW = CloseCode.SERVICE_RESTART
_LOST = (
    OSError,
    HTTPException,
    msgspec.DecodeError,
    ConnectionClosed,
    InvalidHandshake,
    InvalidURI,
)
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0)
_PRIORITY_STYLE = {"high": "bold white on red", "medium": "black on yellow", "low": "cyan"}
_PRIORITY_ORDER = {"high": 0, "medium": 1, "low": 2}


def feed_address(url: str) -> str:
    """The live feed of a monitor given as ``http://host:port/``, ``host:port`` or the feed itself.

    Raises:
        MonitorError: no address.
    """
    refused = MonitorError(f"{url}: not the address of a monitor, such as http://127.0.0.1:8731/")
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        # Both refuse what no name server and no socket would take.
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        raise refused from None
    if parts.scheme not in schemes or not host:
        raise refused
    return f"{schemes[parts.scheme]}://{parts.netloc}/api/v1/live"


class _Case(msgspec.Struct, frozen=True):
    id: str


class CaseView:
    """What has been heard of the case, from messages alone."""

    def __init__(self) -> None:
        self.case: Body = {}
        self.status: Body = {}
        self.last_trial: Body = {}
        self.alarms: dict[int, Body] = {}
        self.heartbeat: Body = {}
        self.seq: int | None = None

    def take(self, message: Body) -> None:
        """Fold one message of the feed in."""
        body: Body = message["body"]
        match message["type"]:
            case "snapshot":
                self.case = body["case"]
                self.status = body["status"] or {}
                self.alarms = {alarm["id"]: alarm for alarm in body["alarms"]}
                self.last_trial = body["trials"][-1] if body["trials"] else {}
            case "trial":
                self.last_trial = body
            case "alarm":
                self.alarms[body["id"]] = body
            case "status":
                self.status = body
            case "heartbeat":
                self.heartbeat = body
        if message["type"] != "heartbeat":
            self.seq = message["seq"]

    def standing(self) -> list[Body]:
        """Alarms that are not resolved, the most urgent first."""
        alarms = [alarm for alarm in self.alarms.values() if alarm["state"] != "resolved"]
        return sorted(alarms, key=lambda a: (_PRIORITY_ORDER[a["priority"]], -a["id"]))


def trial_line(body: Body) -> str:
    """A trial in one line."""
    cells = []
    for channel in body["channels"]:
        if channel["status"] == "response":
            percent = channel["percent_of_baseline"]
            of_baseline = "" if percent is None else f" {percent:.0f}%"
            cells.append(f"{channel['channel']} {channel['amplitude_uv']:.0f}uV{of_baseline}")
        else:
            reasons = f" ({','.join(channel['reasons'])})" if channel["reasons"] else ""
            cells.append(f"{channel['channel']} {channel['status']}{reasons}")
    return f"trial {body['trial']} at {body['stimulus_s']:.1f} s: {'; '.join(cells)}"


def alarm_line(body: Body) -> str:
    """An alarm condition in one line."""
    where = " ".join(part for part in (body["channel"], body["muscle"]) if part) or "case"
    percent = body["percent_of_baseline"]
    of_baseline = "" if percent is None else f", {percent:.0f} % of baseline"
    message = body["evidence"].get("message", "")
    by = f" by {body['acknowledged_by']}" if body["state"] == "acknowledged" else ""
    told = f": {message}" if message else ""
    return (
        f"ALARM {body['id']} {body['priority']} {body['kind']} {body['state']}{by} "
        f"({where}{of_baseline}){told}"
    )


class Display(Protocol):
    """Where it is shown."""

    def event(self, view: CaseView, message: Body) -> None: ...

    def link(self, view: CaseView, trouble: str) -> None: ...


class Lines:
    """A line an event, for logs and pipes.

    A status that only repeats the one before it is counted instead: after a crash there is one for
    every number that may have been shown and was not stored.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._trouble = ""
        self._status = ""
        self._repeated = 0

    def event(self, view: CaseView, message: Body) -> None:
        body = message["body"]
        if message["type"] == "status":
            self._tell_status(f"status {body['state']} {body['message']}".rstrip())
            return
        self._end_repeats()
        match message["type"]:
            case "snapshot":
                case = body["case"]
                self._write(f"case {case['name']} ({case['kind']}), event {message['seq']}")
                for alarm in view.standing():
                    self._write(alarm_line(alarm))
            case "trial":
                self._write(trial_line(body))
            case "alarm":
                self._write(alarm_line(body))
            case "annotation":
                self._write(f"note at {body['at_s']:.1f} s by {body['by']}: {body['text']}")

    def _tell_status(self, line: str) -> None:
        if line == self._status:
            self._repeated += 1
            return
        self._end_repeats()
        self._status = line
        self._write(line)

    def _end_repeats(self) -> None:
        """Something else happened, if only a second passed: say how often the status came."""
        if self._repeated:
            self._write(f"{self._status} ({self._repeated} more like it)")
        self._status, self._repeated = "", 0

    def link(self, view: CaseView, trouble: str) -> None:
        if trouble != self._trouble:
            self._end_repeats()
            self._trouble = trouble
            self._write(f"NOT RECEIVING: {trouble}" if trouble else "receiving")


class Screen:
    """A table that renews itself."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._trouble = ""

    def event(self, view: CaseView, message: Body) -> None:
        self._live.update(render(view, self._trouble))

    def link(self, view: CaseView, trouble: str) -> None:
        self._trouble = trouble
        self._live.update(render(view, trouble))


def render(view: CaseView, trouble: str) -> RenderableType:
    """The screen: state, standing alarms, the last trial."""
    case = view.case
    kind = str(case.get("kind", "")).upper()
    marked = f"  {kind}" if kind not in ("", "LIVE") else ""
    head = Text(f"{case.get('name', 'no case yet')}{marked}  {view.status.get('state', '')}")
    age_s = view.heartbeat.get("trial_age_s")
    if age_s is not None:
        head.append(f"  last trial {age_s:.0f} s ago")
    parts: list[RenderableType] = [head]
    if trouble:
        parts.append(Text(f"NOT RECEIVING: {trouble}", style="bold white on red"))
    parts += [
        Text(alarm_line(alarm), style=_PRIORITY_STYLE[alarm["priority"]])
        for alarm in view.standing()
    ]
    if view.last_trial:
        table = Table(title=f"trial {view.last_trial['trial']}", title_justify="left")
        # Names come from files and streams: as Text, their brackets are no markup.
        for heading in ("channel", "muscle", "status"):
            table.add_column(heading)
        for heading in ("uV", "% baseline", "onset ms"):
            table.add_column(heading, justify="right")
        for channel in view.last_trial["channels"]:
            table.add_row(
                Text(channel["channel"]),
                Text(channel["muscle"]),
                Text(", ".join([channel["status"], *channel["reasons"]])),
                _cell(channel["amplitude_uv"], 0),
                _cell(channel["percent_of_baseline"], 0),
                _cell(channel["onset_ms"], 1),
                style="dim" if trouble else "",
            )
        parts.append(table)
    return Group(*parts)


def _cell(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def watch(url: str, stop: Callable[[], bool] = lambda: False) -> None:
    """Follow the feed until ``stop``.

    Raises:
        MonitorError: no address, or nothing answers there at the first try.
    """
    address = feed_address(url)
    if sys.stdout.isatty():
        with Live(console=Console()) as live:
            _follow(address, Screen(live), stop)
    else:
        _follow(address, Lines(lambda line: print(line, flush=True)), stop)


def _follow(address: str, display: Display, stop: Callable[[], bool]) -> None:
    view = CaseView()
    tries = 0
    reached = False
    while not stop():
        try:
            if view.seq is not None and _case_id(address) != view.case["id"]:
                # Another case has another count of events: begin with its snapshot.
                view.seq = None
            since = "" if view.seq is None else f"?since={view.seq}"
            with connect(address + since, compression=None, max_size=None) as socket:
                tries, reached = 0, True
                display.link(view, "")
                _receive(socket, view, display, stop)
        except _LOST as error:
            if not reached:
                raise MonitorError(f"{address}: no monitor answers there ({error})") from None
            if isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code == _ANEW:
                view.seq = None
            display.link(view, "the connection is lost")
            time.sleep(_BACKOFF_S[min(tries, len(_BACKOFF_S) - 1)])
            tries += 1


def _case_id(feed: str) -> str:
    """The case that the monitor of this feed has now.

    Raises:
        OSError, HTTPException, DecodeError: it doesn't say.
    """
    address = feed.replace("ws", "http", 1).removesuffix("live") + "case"
    with urlopen(address, timeout=_ASK_TIMEOUT_S) as answer:
        return msgspec.json.decode(answer.read(), type=_Case).id


def _receive(
    socket: ClientConnection, view: CaseView, display: Display, stop: Callable[[], bool]
) -> None:
    heard_at = time.monotonic()
    while not stop():
        try:
            text = socket.recv(timeout=_RECEIVE_TIMEOUT_S)
        except TimeoutError:
            if time.monotonic() - heard_at > LINK_LOST_S:
                display.link(view, "the monitor is silent")
            continue
        heard_at = time.monotonic()
        message: Body = msgspec.json.decode(text)
        view.take(message)
        display.event(view, message)
        if message["type"] == "heartbeat":
            lost = message["body"]["link"] != "up"
            display.link(view, "the engine is lost" if lost else "")
        else:
            socket.send(msgspec.json.encode({"type": "received", "seq": message["seq"]}).decode())
