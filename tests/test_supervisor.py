"""Processes: restarted when they crash, ended in order, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from monitor.journal.database import DATABASE_NAME, JournalReader
from monitor.journal.epochs import EPOCHS_NAME
from monitor.journal.export import EXPORTED
from monitor.supervisor import (
    BACKOFF_S,
    RESTART_WINDOW_S,
    RESTARTS,
    Restarts,
    address_of,
    listening,
    runtime_folder,
)
from monitor.types import MonitorError
from tests.running import wait_until

CASE_FILES = {*EXPORTED, DATABASE_NAME, EPOCHS_NAME}

# A case without LSL: simulated within the engine, in real time. Prints its children as it goes.
SCRIPT = """
import json, sys
from pathlib import Path
from monitor.config import from_mapping
from monitor.engine.plan import CasePlan, Simulated
from monitor.supervisor import Supervisor, address_of, listening, runtime_folder

config = from_mapping({"measure": {"network": False},
                       "stimulus": {"pattern": "TES", "pulses_ms": [0, 4, 8, 12, 16]}}, "test")
plan = CasePlan(Simulated("demo", 1, 4.0), config, sys.argv[1])
if len(sys.argv) > 2:
    plan = CasePlan(Simulated(sys.argv[2]), config, sys.argv[1])
with listening("127.0.0.1", 0) as listener, runtime_folder() as runtime:
    address = address_of(listener)
    say = lambda line: print(line, flush=True)
    supervisor = Supervisor(plan, listener, runtime, on_ready=lambda line: say(address), say=say)
    sys.exit(supervisor.run())
"""


def children_of(pid: int) -> dict[str, int]:
    """Running children by their module's name."""
    found = {}
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines()[1:]:
        child, parent, *arguments = line.split()
        if int(parent) == pid and "-m" in arguments:
            found[arguments[arguments.index("-m") + 1]] = int(child)
    return found


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


class Supervised:
    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()
        self.children = children_of(process.pid)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def trials(self) -> int:
        try:
            return len(httpx.get(f"{self.url}api/v1/trials").json())
        except httpx.HTTPError:
            return 0

    def all_gone(self) -> bool:
        return not any(is_running(pid) for pid in self.children.values())


@contextmanager
def supervised(folder: Path, *more: str) -> Iterator[Supervised]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), *more],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    running = Supervised(process, folder)
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        wait_until(running.all_gone, "the children to end with their parent")


def test_a_case_ends_cleanly_on_sigint(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        assert set(running.children) == {"monitor.engine", "monitor.gateway"}
        wait_until(lambda: running.trials() >= 2, "two trials")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0
        assert running.all_gone()
    assert {path.name for path in tmp_path.iterdir()} == CASE_FILES
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["stimuli"]["total"] >= 2
    with JournalReader(tmp_path) as journal:
        last = journal.last_status()
    assert last is not None
    assert last["state"] == "ended"


def test_a_killed_engine_comes_back_and_uses_no_number_twice(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        wait_until(lambda: running.trials() >= 2, "two trials")
        os.kill(running.children["monitor.engine"], signal.SIGKILL)
        before = running.trials()
        assert "crashed" in running.line()
        assert running.line() == running.url, "ready again"
        wait_until(lambda: running.trials() >= before + 2, "two trials more")
        alarms = httpx.get(f"{running.url}api/v1/alarms").json()
        assert "engine_restarted" in {alarm["kind"] for alarm in alarms}
        running.children = children_of(running.process.pid)
        running.process.terminate()
        assert running.process.wait(60) == 0
    with JournalReader(tmp_path) as journal:
        rows = list(journal.walk())
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    numbers = [json.loads(row.body)["trial"] for row in rows if row.type == "trial"]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_killed_gateway_comes_back_at_the_same_address_with_everything(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        wait_until(lambda: running.trials() >= 2, "two trials")
        os.kill(running.children["monitor.gateway"], signal.SIGKILL)
        assert "gateway has crashed" in running.line()
        wait_until(lambda: running.trials() >= 2, "the same trials again")
        running.children = children_of(running.process.pid)


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        wait_until(lambda: running.trials() >= 1, "a trial")
        running.process.kill()
        running.process.wait()
        wait_until(running.all_gone, "the children to end")
    assert (tmp_path / "summary.json").is_file(), "the engine has closed the case"


def test_what_a_person_can_mend_is_not_tried_again(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path), "no such scenario"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode == 2
    assert process.stderr.startswith("mep-monitor: scenario 'no such scenario'")
    assert process.stderr.count("\n") == 1


def test_a_taken_port_is_one_clear_line() -> None:
    with (
        listening("127.0.0.1", 0) as first,
        pytest.raises(MonitorError, match=r"port \d+ on 127.0.0.1: address already in use.*--port"),
        listening("127.0.0.1", first.getsockname()[1]),
    ):
        pass


def test_a_host_of_another_machine_is_one_clear_line() -> None:
    with (
        pytest.raises(MonitorError, match=r"192\.0\.2\.1: cannot assign requested address"),
        listening("192.0.2.1", 0),
    ):
        pass


def test_the_address_is_a_url() -> None:
    with listening("127.0.0.1", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_the_runtime_folder_has_room_for_a_socket(monkeypatch, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    for wanted in (str(deep), str(tmp_path / "missing")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", wanted)
        with runtime_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "engine"))
            assert folder.stat().st_mode & 0o777 == 0o700
        assert not folder.exists()


def test_restarts_are_slower_each_time_and_bounded() -> None:
    now = 0.0
    restarts = Restarts(lambda: now)
    assert [restarts.wait_s() for _ in range(RESTARTS + 1)] == [*BACKOFF_S, None]
    now = RESTART_WINDOW_S + 1
    assert restarts.wait_s() == BACKOFF_S[0]
