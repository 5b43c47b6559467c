"""What the engine needs of the core and of time, as protocols: the seams at which tests step in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

from monitor.acquire.epochs import Tally
from monitor.inputs import Input
from monitor.measure.explain import ExplainedSweeps
from monitor.types import Channel, Epoch, Event, Float32Array, Measurement, Notice


class MarkerCounting(Protocol):
    """What the engine reads of :class:`monitor.acquire.stimuli.StimulusReader`."""

    matched: int
    duplicates: int
    seen_markers: dict[str, int]


class Acquiring(Protocol):
    """What the engine reads of :class:`monitor.acquire.acquisition.Acquisition`."""

    @property
    def channels(self) -> tuple[Channel, ...]: ...
    @property
    def now_s(self) -> float: ...
    @property
    def stimuli(self) -> MarkerCounting: ...
    @property
    def tally(self) -> Tally: ...
    @property
    def pending(self) -> int: ...

    missing: int
    left_out: int
    late_pulses: int


class Measuring(Protocol):
    """What the engine asks of :class:`monitor.measure.epoch.EpochMeasurer`."""

    def measure(self, epoch: Epoch) -> tuple[tuple[Measurement, ...], Float32Array]: ...

    def explain(self, epoch: Epoch) -> ExplainedSweeps | None: ...


class Noticing(Protocol):
    """What the engine asks of :class:`monitor.track.tracker.Tracker`."""

    def notices(self, notices: list[Notice]) -> Iterator[Event]: ...


class CasePipeline(Protocol):
    """The core as the engine sees it: :class:`monitor.pipeline.Pipeline`, or a test's own."""

    @property
    def acquisition(self) -> Acquiring: ...
    @property
    def measurer(self) -> Measuring: ...
    @property
    def tracker(self) -> Noticing: ...

    def feed(self, item: Input) -> Iterator[Event]: ...

    def finish(self) -> Iterator[Event]: ...


class Clock(Protocol):
    """The engine's two clocks."""

    def lsl(self) -> float:
        """Seconds on this machine's LSL clock."""

    def utc(self) -> datetime: ...


class SystemClock:
    """LSL's clock is the machine's monotonic one on Linux, so that no LSL is needed to read it."""

    def lsl(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)


SYSTEM_CLOCK = SystemClock()
