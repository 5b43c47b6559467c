"""Manners of a process that another one started: stops when told, and with its parent."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1


class Stop:
    """Somebody has asked to stop. Unlike a ``threading.Event`` it may be set by a signal handler.

    A handler runs in the main thread wherever that stands, in the middle of ``Event.set`` or
    ``Event.wait`` too, whose lock it would then wait for for ever; and signals do come in numbers
    (the kernel tells of a parent's death once for each of its threads). So there is no lock here:
    a flag, and a pipe that wakes whoever waits.
    """

    def __init__(self) -> None:
        self._asked = False
        self._waiting, self._waking = os.pipe()

    def is_set(self) -> bool:
        return self._asked

    def set(self) -> None:
        """Ask to stop; from any thread and from a signal handler."""
        if not self._asked:
            self._asked = True
            os.write(self._waking, b"\0")

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is set, for ``timeout_s`` at most; True if it is."""
        if not self._asked:
            select.select([self._waiting], [], [], timeout_s)
        return self._asked

    def __del__(self) -> None:
        os.close(self._waiting)
        os.close(self._waking)


def stop_event() -> Stop:
    """What SIGTERM, SIGINT or the parent's death sets. Call it first in ``main``."""
    stop = Stop()

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
