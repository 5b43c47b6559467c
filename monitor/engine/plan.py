"""What a case is made of: its source, settings, folder. Plain values, for a child to read."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.config import CaseConfig
from monitor.types import MonitorError


class LiveStreams(msgspec.Struct, frozen=True, tag="live"):
    """LSL streams, chosen as the config's ``signal`` section says."""


class Recorded(msgspec.Struct, frozen=True, tag="recording"):
    """A recording; ``speed`` None is as fast as it goes, 1.0 is real time."""

    path: str
    speed: float | None = None
    chunk_samples: int | None = None


class Simulated(msgspec.Struct, frozen=True, tag="simulated"):
    """A simulated case within the engine itself, without LSL."""

    scenario: str = "demo"
    seed: int = 1
    speed: float | None = 1.0
    duration_s: float | None = None
    chunk_samples: int | None = None


class CasePlan(msgspec.Struct, frozen=True):
    """One case.

    ``folder`` is the case folder; ``socket`` the path on which the gateway finds the engine (empty:
    nobody watches); ``resume`` goes on with the journal that is in the folder; ``record`` is the
    XDF file that everything that comes in is written to (empty: none).
    """

    source: LiveStreams | Recorded | Simulated
    config: CaseConfig
    folder: str
    socket: str = ""
    resume: bool = False
    record: str = ""

    def write(self, path: Path) -> None:
        """For a child process; only this user can read it."""
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(self))

    @staticmethod
    def read(path: Path) -> CasePlan:
        """What :meth:`write` wrote.

        Raises:
            MonitorError: it can't be read or is no plan.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=CasePlan)
        except (OSError, msgspec.DecodeError) as error:
            raise MonitorError(f"{path}: not a case plan: {error}") from None
