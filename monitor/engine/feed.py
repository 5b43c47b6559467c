"""What the engine asks of whoever shows the case, and the feed that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from monitor.journal.database import EventRow
from monitor.link import Beat, Operator, ReadExplanation, ReadWaveform, Reply, ReportReceivers


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that waits for the data path: ``answer`` may be called once, and never blocks."""

    id: int
    ask: Operator | ReadWaveform | ReadExplanation | ReportReceivers
    answer: Callable[[Reply], None]


@dataclass(frozen=True, slots=True)
class FeedCounts:
    """What waits for the slowest gateway, how many were cut off, requests that were turned away."""

    backlog_bytes: int = 0
    cut_off: int = 0
    requests_refused: int = 0


class Feed(Protocol):
    """Where events go. No method blocks: the data path calls them."""

    @property
    def receivers(self) -> int:
        """Gateways that follow just now."""

    @property
    def awaited(self) -> bool:
        """Somebody is meant to watch, so events must be durable before they are visible."""

    @property
    def counts(self) -> FeedCounts: ...

    def publish(self, *rows: EventRow) -> None:
        """Show the events of one input, at least one, together."""

    def waveform(self, message: bytes) -> None: ...

    def beat(self, beat: Beat) -> None: ...

    def take_requests(self) -> list[Ask]: ...


class Unwatched:
    """A replay that only leaves files."""

    receivers = 0
    awaited = False
    counts = FeedCounts()

    def publish(self, *rows: EventRow) -> None:
        """Nobody to show it to: the journal has it."""

    def waveform(self, message: bytes) -> None:
        """Nobody to show it to: ``epochs.bin`` has it."""

    def beat(self, beat: Beat) -> None:
        """Nobody to reassure."""

    def take_requests(self) -> list[Ask]:
        return []
