"""Manners of a process that another one started: stops when told, and with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from types import FrameType

_PR_SET_PDEATHSIG = 1


def stop_event() -> threading.Event:
    """An event that SIGTERM, SIGINT or the parent's death sets. Call it first in ``main``."""
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    parent = os.getppid()
    if sys.platform == "linux":
        # The kernel delivers it even where the parent is killed outright.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            stop.set()
    return stop
