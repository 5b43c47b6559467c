"""``mep-monitor watch``: what a person in a terminal is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from monitor import watch as module
from monitor.gateway.hub import SERVICE_RESTART, Disconnect
from monitor.types import MonitorError
from monitor.watch import CaseView, Lines, alarm_line, feed_address, render, trial_line
from tests.running import RunningMonitor, wait_until

TRIAL: dict[str, Any] = {
    "trial": 3,
    "stimulus_s": 12.34,
    "channels": [
        {"channel": "L-TA", "muscle": "TA", "status": "response", "reasons": [],
         "amplitude_uv": 151.2, "percent_of_baseline": 48.2, "onset_ms": 31.25},
        {"channel": "R-TA", "muscle": "TA", "status": "rejected", "reasons": ["nan"],
         "amplitude_uv": None, "percent_of_baseline": None, "onset_ms": None},
    ],
}  # fmt: skip


def alarm(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": number, "kind": "response_lost", "priority": "high", "state": "active",
        "channel": "L-TA", "muscle": "TA", "percent_of_baseline": 0.0, "evidence": {},
        "acknowledged_by": "", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1:8731", "ws://127.0.0.1:8731/api/v1/live"),
        ("http://host:1/", "ws://host:1/api/v1/live"),
        ("https://host", "wss://host/api/v1/live"),
        ("ws://host:1/api/v1/live", "ws://host:1/api/v1/live"),
        ("http://[::1]:8731/", "ws://[::1]:8731/api/v1/live"),
    ],
)
def test_any_way_to_write_the_address(given: str, address: str) -> None:
    assert feed_address(given) == address


@pytest.mark.parametrize(
    "given",
    [
        "", "ftp://host", "http://", "http://127.0.0.1:99999", "127.0.0.1:abc", ":abc",
        "http://[::1", "http://../",
    ],
)  # fmt: skip
def test_what_is_no_address_is_named(given: str) -> None:
    with pytest.raises(MonitorError, match="not the address of a monitor"):
        feed_address(given)


def test_lines() -> None:
    assert trial_line(TRIAL) == "trial 3 at 12.3 s: L-TA 151uV 48%; R-TA rejected (nan)"
    assert alarm_line(alarm()) == ("ALARM 1 high response_lost active (L-TA TA, 0 % of baseline)")
    technical = alarm(
        2, kind="recording_fault", channel="", muscle="", percent_of_baseline=None,
        evidence={"message": "disk full"}, state="acknowledged", acknowledged_by="XY",
    )  # fmt: skip
    assert alarm_line(technical) == (
        "ALARM 2 high recording_fault acknowledged by XY (case): disk full"
    )


def test_the_most_urgent_standing_alarm_comes_first() -> None:
    view = CaseView()
    for number, priority, state in ((1, "low", "active"), (2, "high", "resolved"),
                                    (3, "medium", "active"), (4, "high", "latched")):  # fmt: skip
        body = alarm(number, priority=priority, state=state)
        view.take({"type": "alarm", "seq": number, "body": body})
    assert [a["id"] for a in view.standing()] == [4, 3, 1]
    assert view.seq == 4


def test_the_screen_shows_trouble_alarms_and_the_last_trial() -> None:
    view = CaseView()
    case = {"name": "Case 7", "kind": "simulated"}
    snapshot = {"case": case, "status": None, "alarms": [alarm()], "trials": [TRIAL]}
    view.take({"type": "snapshot", "seq": 5, "body": snapshot})
    view.take({"type": "heartbeat", "seq": 5, "body": {"trial_age_s": 4.2, "link": "lost"}})
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(render(view, "the engine is lost"))
        text = console.export_text()
    for expected in ("Case 7", "SIMULATED", "NOT RECEIVING: the engine is lost", "ALARM 1 high",
                     "last trial 4 s ago", "151", "48", "rejected, nan"):  # fmt: skip
        assert expected in text
    assert view.seq == 5, "a heartbeat takes no number"


def test_brackets_in_names_are_no_markup() -> None:
    view = CaseView()
    names = {"channel": "L APB [uV]", "muscle": "[/b]"}
    odd = {**TRIAL, "channels": [{**TRIAL["channels"][0], **names, "reasons": ["[dim]"]}]}
    snapshot = {
        "case": {"name": "[/b] 7", "kind": "live"}, "status": None, "alarms": [alarm(**names)],
        "trials": [odd],
    }  # fmt: skip
    view.take({"type": "snapshot", "seq": 5, "body": snapshot})
    console = Console(width=120, record=True, file=StringIO())
    console.print(render(view, ""))
    text = console.export_text()
    for expected in ("[/b] 7", "(L APB [uV] [/b], ", "response, [dim]"):
        assert expected in text
    assert text.count("L APB [uV]") == 2


def test_a_status_that_repeats_itself_is_counted() -> None:
    lines: list[str] = []
    display, view = Lines(lines.append), CaseView()

    def tell(kind: str, **body: Any) -> None:
        display.event(view, {"type": kind, "seq": 1, "body": body})

    for _ in range(256):
        tell("status", state="waiting", message="not stored")
    assert lines == ["status waiting not stored"], "nothing is held back but repeats"
    tell("heartbeat", link="up")
    assert lines[1:] == ["status waiting not stored (255 more like it)"]
    tell("status", state="running", message="")
    tell("status", state="stalled", message="")
    tell("status", state="stalled", message="")
    display.link(view, "the engine is lost")
    tell("status", state="stalled", message="")
    assert lines[2:] == [
        "status running",
        "status stalled",
        "status stalled (1 more like it)",
        "NOT RECEIVING: the engine is lost",
        "status stalled",
    ]


class Following:
    """``watch`` in a thread, its lines collected."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=module._follow,
            args=(feed_address(url), Lines(self.lines.append), self._stop.is_set),
        )
        self._thread.start()
        # A trial that comes before the snapshot is part of it and gets no line of its own.
        wait_until(lambda: self.has("case scripted"), "the snapshot")

    def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[RunningMonitor]:
    with RunningMonitor(tmp_path) as running:
        yield running


def test_it_follows_a_case_and_confirms_what_it_saw(monitor: RunningMonitor, monkeypatch) -> None:
    following = Following(monitor.gateway.url, monkeypatch)
    try:
        monitor.engine.trials(["100 200 300"] * 6 + ["100 200 0"] * 2)
        wait_until(lambda: following.has("high response_lost active (L-TA"), "the alarm")
        assert following.has("trial 8 at 8.0 s")
        metrics = monitor.gateway.hub.metrics.registry
        wait_until(
            lambda: (metrics.get_sample_value("mep_events_confirmed_total") or 0) > 8, "receipts"
        )
    finally:
        following.close()


def test_a_lost_connection_is_said_and_taken_up_again(monitor: RunningMonitor, monkeypatch) -> None:
    monkeypatch.setattr(module, "_BACKOFF_S", (0.01,))
    following = Following(monitor.gateway.url, monkeypatch)
    try:
        monitor.engine.trials(["100 200 300"])
        wait_until(lambda: following.has("trial 1"), "the trial")
        loop_clients = monitor.gateway.hub.clients
        for client in list(loop_clients):
            client._task.get_loop().call_soon_threadsafe(client._task.cancel)
        wait_until(lambda: following.has("NOT RECEIVING: the connection is lost"), "the loss")
        monitor.engine.trials(["100 200 300"])
        wait_until(lambda: following.has("trial 2"), "the next trial")
        assert sum("trial 1" in line for line in following.lines) == 1
    finally:
        following.close()


def test_another_case_is_begun_anew(monitor: RunningMonitor, monkeypatch) -> None:
    """A monitor that is back with another case may well have counted further than the last."""
    monkeypatch.setattr(module, "_BACKOFF_S", (0.01,))
    following = Following(monitor.gateway.url, monkeypatch)
    hub = monitor.gateway.hub
    try:
        monitor.engine.trials(["100 200 300"])
        wait_until(lambda: following.has("trial 1"), "the trial")
        assert sum("case scripted" in line for line in following.lines) == 1
        hub.model.case["id"] = "another"
        for client in list(hub.clients):
            client._task.get_loop().call_soon_threadsafe(client._task.cancel)
        wait_until(
            lambda: sum("case scripted" in line for line in following.lines) == 2, "its snapshot"
        )
    finally:
        following.close()


def test_told_to_read_the_case_anew_it_takes_the_snapshot(
    monitor: RunningMonitor, monkeypatch
) -> None:
    monkeypatch.setattr(module, "_BACKOFF_S", (0.01,))
    following = Following(monitor.gateway.url, monkeypatch)
    try:
        monitor.engine.trials(["100 200 300"])
        wait_until(lambda: following.has("trial 1"), "the trial")
        for client in list(monitor.gateway.hub.clients):
            cut = partial(client.cut, Disconnect(SERVICE_RESTART, "another case has begun"))
            client._task.get_loop().call_soon_threadsafe(cut)
        wait_until(
            lambda: sum("case scripted" in line for line in following.lines) == 2, "its snapshot"
        )
    finally:
        following.close()


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(MonitorError, match="no monitor answers there"):
        module.watch("127.0.0.1:9")
