"""``python -m monitor.engine PLAN.json``: the engine's process. The supervisor starts it.

It prints ``ready: ...`` once, ends by itself with a recording, and on SIGTERM, SIGINT or its
parent's death closes the case and leaves its files. Exit status 2: a line on stderr says why.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path

from monitor import environment

environment.prepare()

from monitor import wire  # noqa: E402  (after the environment: it imports numpy)
from monitor.engine.opening import run_plan  # noqa: E402
from monitor.engine.plan import CasePlan  # noqa: E402
from monitor.sources.child import Stop, stop_event  # noqa: E402
from monitor.types import MonitorError  # noqa: E402

CLOSE_S = 15.0
"""How long closing the case may take once asked; an orphan must not hang on for ever."""


def main() -> int:
    stop = stop_event()
    parser = argparse.ArgumentParser(prog="python -m monitor.engine")
    parser.add_argument("plan", type=Path)
    parser.add_argument("--parent", type=int, required=True, help="pid to end with")
    given = parser.parse_args()
    if os.getppid() != given.parent:
        return 1
    threading.Thread(target=_leave_in_time, args=(stop,), daemon=True).start()
    try:
        run_plan(CasePlan.read(given.plan), stop.is_set, _say_ready)
    except MonitorError as error:
        print(f"mep-monitor: {error}", file=sys.stderr)
        return 2
    return 0


def _say_ready(case: wire.Body) -> None:
    print(
        f"ready: {case['name']}, {len(case['channels'])} channels at {case['fs_hz']:g} Hz "
        f"({case['kind']})",
        flush=True,
    )


def _leave_in_time(stop: Stop) -> None:
    stop.wait()
    time.sleep(CLOSE_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
