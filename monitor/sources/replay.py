"""Replays a recording: one timeline of chunks, markers, clock offsets and ticks, at any speed.

The timeline depends on the recording and the chunk size alone. Speed decides only *when* an item
is handed over, so that a replay at full speed and one in real time are the same case. A recording
that the monitor made says in which order it took everything, its ticks and its operators' commands
included, and is replayed in that order.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

import numpy as np

from monitor.sources.base import Item
from monitor.sources.input_order import InputKind, InputOrder
from monitor.types import (
    Chunk,
    ClockOffset,
    Float32Array,
    FloatArray,
    Marker,
    MonitorError,
    StreamInfo,
    Tick,
)

#: Ticks are 50 ms apart; k / 20 is exact where k * 0.05 isn't.
TICKS_PER_S = 20
CHUNK_S = 0.02

#: A hole in a recording longer than this is not waited for: ticks run on for so long, then the
#: next item follows. (A device whose clock restarts can leave a hole of years.)
LONGEST_HOLE_S = 60.0

#: At full speed a read gives this many items at most, so that a reader stays in control.
BATCH = 64

#: Entries of an order that are taken out of its arrays at a time.
_ENTRIES = 4096

TimedItem = tuple[float, Item]


class Recording(Protocol):
    """A recorded EMG stream with its markers. Samples are read on demand, never all at once."""

    @property
    def info(self) -> StreamInfo: ...

    @property
    def warnings(self) -> Sequence[str]: ...

    @property
    def n_samples(self) -> int: ...

    @property
    def segments(self) -> Sequence[tuple[int, int]]:
        """(index, sample counter) wherever contiguous samples start; the first is (0, 0)."""

    @property
    def markers_name(self) -> str:
        """Name of the marker stream, empty where there is none."""

    @property
    def markers(self) -> Sequence[Marker]:
        """In the order in which they came."""

    @property
    def marker_arrival_s(self) -> FloatArray:
        """When each marker came, on the recording machine's clock; never decreasing."""

    @property
    def offsets(self) -> Sequence[ClockOffset]:
        """In time order."""

    @property
    def order(self) -> InputOrder | None:
        """In which order the monitor that made the recording took everything; None: not known."""

    def samples_uv(self, start: int, stop: int) -> Float32Array:
        """Samples ``start`` to ``stop`` (exclusive), (n, channels) microvolts."""

    def t_lsl(self, start: int, stop: int) -> FloatArray:
        """Their stamps as the device gave them, (n,)."""

    def arrival_s(self, indices: Sequence[int]) -> FloatArray:
        """When these samples came, on the recording machine's clock; never decreasing."""

    def close(self) -> None: ...


@dataclass(slots=True)
class _Taken:
    """How far a recording has been read: samples, markers, and the clock offsets of each stream."""

    samples: int = 0
    markers: int = 0
    signal_offsets: int = 0
    markers_offsets: int = 0


def timeline(recording: Recording, chunk_samples: int) -> Iterator[TimedItem]:
    """Everything in a recording with the time at which it is due.

    Where the recording says in which order it was taken, in that order: the case is the same case
    again. Otherwise (and after what a recording that was cut off says) in time order: a chunk is
    due at its last sample; a marker just after the chunk that contains its time; ticks every 50 ms
    from the first sample on.
    """
    taken = _Taken()
    if recording.order is not None:
        yield from _as_taken(recording, recording.order, chunk_samples, taken)
    yield from _by_time(recording, chunk_samples, taken)


def _as_taken(
    recording: Recording, order: InputOrder, chunk_samples: int, taken: _Taken
) -> Iterator[TimedItem]:
    """Every entry of the order, and before it the samples that came before it."""
    acts = iter(order.acts)
    of_signal = [o for o in recording.offsets if o.stream == "signal"]
    of_markers = [o for o in recording.offsets if o.stream == "markers"]
    due = order.due_s()
    for begin in range(0, len(due), _ENTRIES):
        part = slice(begin, begin + _ENTRIES)
        entries = zip(
            due[part].tolist(),
            order.kinds[part].tolist(),
            order.samples[part].tolist(),
            order.t_lsl[part].tolist(),
            strict=True,
        )
        for due_s, kind, samples, t_lsl in entries:
            before = min(samples, recording.n_samples)
            while taken.samples < before:
                stop = min(before, taken.samples + chunk_samples)
                yield due_s, _chunk(recording, taken.samples, stop)
                taken.samples = stop
            item: Item | None
            match kind:
                case InputKind.TICK:
                    item = Tick(t_lsl)
                case InputKind.MARKER:
                    item = _nth(recording.markers, taken.markers)
                    taken.markers += 1
                case InputKind.SIGNAL_OFFSET:
                    item = _nth(of_signal, taken.signal_offsets)
                    taken.signal_offsets += 1
                case InputKind.MARKERS_OFFSET:
                    item = _nth(of_markers, taken.markers_offsets)
                    taken.markers_offsets += 1
                case _:
                    item = next(acts, None)
            if item is not None:
                yield due_s, item


_Any = TypeVar("_Any")


def _nth(items: Sequence[_Any], n: int) -> _Any | None:
    """None: the recording was cut off before it."""
    return items[n] if n < len(items) else None


def _chunk(recording: Recording, start: int, stop: int) -> Chunk:
    """Samples of a recording by the monitor, which are counted through."""
    return Chunk(start, recording.samples_uv(start, stop), recording.t_lsl(start, stop))


def _by_time(recording: Recording, chunk_samples: int, taken: _Taken) -> Iterator[TimedItem]:
    """What has not been taken yet, in time order."""
    n_samples = recording.n_samples
    edges = sorted(
        {
            *range(taken.samples, n_samples, chunk_samples),
            *(i for i, _ in recording.segments if i > taken.samples),
        }
        - {n_samples}
    )
    ends = [*edges[1:], n_samples] if edges else []
    chunk_begin = recording.arrival_s(edges) - 1.0 / recording.info.fs_hz
    chunk_due = recording.arrival_s([end - 1 for end in ends])
    arrived = recording.marker_arrival_s[taken.markers :]
    marker_due = arrived.copy()
    containing = np.searchsorted(chunk_due, arrived)
    inside = containing < len(edges)
    inside[inside] = chunk_begin[containing[inside]] < arrived[inside]
    marker_due[inside] = chunk_due[containing[inside]]

    # The second figure orders what is due at the same time: offset, chunk, marker.
    Ranked = tuple[float, int, int, Item]

    def chunks() -> Iterator[Ranked]:
        segment = 0
        for k, (start, stop) in enumerate(zip(edges, ends, strict=True)):
            while (
                segment + 1 < len(recording.segments)
                and recording.segments[segment + 1][0] <= start
            ):
                segment += 1
            index, counter = recording.segments[segment]
            chunk = Chunk(
                counter + start - index,
                recording.samples_uv(start, stop),
                recording.t_lsl(start, stop),
            )
            yield float(chunk_due[k]), 1, k, chunk

    left = {"signal": taken.signal_offsets, "markers": taken.markers_offsets}
    offsets: list[Ranked] = []
    for k, offset in enumerate(recording.offsets):
        if left[offset.stream]:
            left[offset.stream] -= 1
        else:
            offsets.append((offset.t_lsl, 0, k, offset))
    markers: list[Ranked] = [
        (float(due), 2, k, m)
        for k, (due, m) in enumerate(
            zip(marker_due, recording.markers[taken.markers :], strict=True)
        )
    ]
    begin_s = float(recording.arrival_s(edges[:1])[0]) if edges else None
    merged = heapq.merge(offsets, chunks(), markers)
    yield from with_ticks(((due, item) for due, _, _, item in merged), begin_s)


def with_ticks(items: Iterator[TimedItem], begin_s: float | None = None) -> Iterator[TimedItem]:
    """Add ticks at ``begin_s`` (the first item, if None) + k * 50 ms, whatever the items are.

    A tick that coincides with items comes after them. A hole beyond :data:`LONGEST_HOLE_S` is
    shortened to that: its later ticks are left out and everything after it is due that much sooner.
    """
    k = 1
    skipped_s = 0.0
    previous_s = begin_s
    for due_s, item in items:
        if begin_s is None:
            begin_s = due_s
        previous_s = due_s if previous_s is None else previous_s
        stop_s = min(due_s, previous_s + LONGEST_HOLE_S)
        while (at_s := begin_s + k / TICKS_PER_S) < stop_s:
            yield at_s - skipped_s, Tick(at_s)
            k += 1
        if due_s > stop_s:
            skipped_s += due_s - stop_s
            # The last of them is kept: the hole is over before what follows it, and not after.
            k = int((due_s - begin_s) * TICKS_PER_S)
            last = k if begin_s + k / TICKS_PER_S < due_s else k - 1
            yield due_s - skipped_s, Tick(begin_s + last / TICKS_PER_S)
            k += 1
        yield due_s - skipped_s, item
        previous_s = max(previous_s, due_s)
    if begin_s is not None and previous_s is not None:
        while (at_s := begin_s + k / TICKS_PER_S) <= previous_s:
            yield at_s - skipped_s, Tick(at_s)
            k += 1


class Pace:
    """Holds a timeline back to ``speed`` times real time, against a monotonic clock.

    ``clock`` and ``sleep`` may be given, so that a test need not wait.
    """

    def __init__(
        self,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._origin_s: float | None = None

    def wait(self, due_s: float, at_most_s: float) -> bool:
        """Wait until recording time ``due_s`` is due; False where ``at_most_s`` wasn't enough."""
        now_s = self._clock()
        if self._origin_s is None:
            self._origin_s = now_s - due_s / self._speed
        wait_s = self._origin_s + due_s / self._speed - now_s
        if wait_s > 0 and at_most_s > 0:
            self._sleep(min(wait_s, at_most_s))
        return wait_s <= at_most_s


class TimelineReader:
    """Reads a timeline, batch by batch; the common half of recorded and simulated sources."""

    def __init__(self, items: Iterator[TimedItem], pace: Pace | None) -> None:
        self._items = items
        self._pace = pace
        self._next = next(items, None)

    @property
    def exhausted(self) -> bool:
        return self._next is None

    def read(self, timeout_s: float) -> list[Item]:
        """Items that are due; waits up to ``timeout_s`` for the first."""
        taken: list[Item] = []
        while self._next is not None and len(taken) < BATCH:
            due_s, item = self._next
            if self._pace and not self._pace.wait(due_s, 0.0 if taken else max(timeout_s, 0.0)):
                break
            taken.append(item)
            self._next = next(self._items, None)
        return taken


def checked_speed(speed: float | None) -> float | None:
    """Refuse a speed that would stand still or run backwards.

    Raises:
        MonitorError: ``speed`` isn't a positive number.
    """
    if speed is not None and not 0 < speed < float("inf"):
        raise MonitorError(f"speed {speed:g}: must be a positive number (or max)")
    return speed


class RecordingSource:
    """A :class:`~monitor.sources.base.Source` over any :class:`Recording`."""

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float | None = None,
        chunk_samples: int | None = None,
        pace: Pace | None = None,
    ) -> None:
        """``pace`` stands in for the real clock at ``speed``.

        Raises:
            MonitorError: ``speed`` or ``chunk_samples`` isn't positive.
        """
        if chunk_samples is None:
            chunk_samples = max(1, round(CHUNK_S * recording.info.fs_hz))
        if chunk_samples < 1:
            raise MonitorError(f"chunk_samples {chunk_samples}: must be at least 1")
        self._recording = recording
        self._chunk_samples = chunk_samples
        speed = checked_speed(speed)
        self._pace = pace if pace is not None or speed is None else Pace(speed)
        self._reader: TimelineReader | None = None

    @property
    def info(self) -> StreamInfo:
        return self._recording.info

    @property
    def warnings(self) -> Sequence[str]:
        return self._recording.warnings

    @property
    def exhausted(self) -> bool:
        return self._reader is not None and self._reader.exhausted

    def __enter__(self) -> Self:
        items = timeline(self._recording, self._chunk_samples)
        self._reader = TimelineReader(items, self._pace)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._recording.close()

    def read(self, timeout_s: float) -> list[Item]:
        if self._reader is None:
            raise RuntimeError("enter the source before reading from it")
        return self._reader.read(timeout_s)
