import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = """
from monitor.sources.child import stop_event
stop = stop_event()
print("ready", flush=True)
print(stop.wait(30))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event_and_nothing_is_torn_down_by_force(number: signal.Signals) -> None:
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        assert child.stdout.read() == "True\n"
        assert child.wait(5) == 0
