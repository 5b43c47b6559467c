"""A process that is told to stop, once or many times, wherever it stands."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from monitor.sources.child import Stop

ROOT = Path(__file__).parents[1]
CODE = """
from monitor.sources.child import stop_event
stop = stop_event()
print("ready", flush=True)
print(stop.wait(30))
"""
# Signals arrive while the main thread is within the handler of the one before: a lock in the
# handler would stand still here for ever.
STORM = """
import os, subprocess, sys
from monitor.sources.child import stop_event
shooter = "import os, sys\\nwhile True: os.kill(int(sys.argv[1]), 15)"
stop_event()
storm = subprocess.Popen([sys.executable, "-c", shooter, str(os.getpid())])
for _ in range(500):
    stop_event().wait()
storm.kill()
storm.wait()
print("done")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event_and_nothing_is_torn_down_by_force(number: signal.Signals) -> None:
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        assert child.stdout.read() == "True\n"
        assert child.wait(30) == 0


def test_many_signals_at_once_do_not_lock_it_up() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STORM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_waiting_ends_at_its_limit_or_when_another_thread_sets_it() -> None:
    stop = Stop()
    assert not stop.wait(0.01)
    assert not stop.is_set()
    setter = threading.Timer(0.01, stop.set)
    setter.start()
    before = time.monotonic()
    assert stop.wait(60)
    assert time.monotonic() - before < 60
    assert stop.is_set()
    assert stop.wait()
    setter.join()
