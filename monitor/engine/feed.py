"""What the engine asks of whoever shows the case, and the feed that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from monitor.journal.database import EventRow
from monitor.link import Beat, Operator, ReadWaveform, Reply, ReportReceivers


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that waits for the data path: ``answer`` may be called once, and never blocks."""

    id: int
    ask: Operator | ReadWaveform | ReportReceivers
    answer: Callable[[Reply], None]


class Feed(Protocol):
    """Where events go. No method blocks: the data path calls them."""

    @property
    def receivers(self) -> int:
        """Gateways that follow just now."""

    @property
    def awaited(self) -> bool:
        """Somebody is meant to watch, so events must be durable before they are visible."""

    def publish(self, row: EventRow) -> None: ...

    def waveform(self, message: bytes) -> None: ...

    def beat(self, beat: Beat) -> None: ...

    def take_requests(self) -> list[Ask]: ...


class Unwatched:
    """A replay that only leaves files."""

    receivers = 0
    awaited = False

    def publish(self, row: EventRow) -> None:
        """Nobody to show it to: the journal has it."""

    def waveform(self, message: bytes) -> None:
        """Nobody to show it to: ``epochs.bin`` has it."""

    def beat(self, beat: Beat) -> None:
        """Nobody to reassure."""

    def take_requests(self) -> list[Ask]:
        return []
