"""The raw recorder: what came in, as an XDF file, while the case runs.

A thread of its own writes; the data path only hands over. The file is whole up to its last flush,
whatever happens to the process: at most :data:`FLUSH_S` of signal is lost, and any XDF reader reads
the rest. Stamps are written as they came, with clock offsets beside them, and so is what the
monitor saw in which order, its own ticks and its operators' commands included
(:mod:`monitor.sources.input_order`): a replay sees what the monitor saw and does what was done.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from monitor.journal.storing import StoringThread, write_all
from monitor.sources import xdf_writer
from monitor.sources.base import Item
from monitor.sources.input_order import (
    ACTS_ID,
    ACTS_TYPE,
    MARKERS_ID,
    ORDER_ID,
    ORDER_LABELS,
    ORDER_TYPE,
    SIGNAL_ID,
    InputKind,
    encode_act,
)
from monitor.types import Chunk, ClockOffset, Marker, MonitorError, StreamInfo, Tick

FLUSH_S = 0.5
"""The longest that something stays in this process before the system has it."""

SYNC_S = 1.0
"""And the longest, on a disk that follows, before it is on the disk."""

QUEUE_BYTES = 256 * 2**20
"""What may wait for the disk. When it is full the newest is shed and counted: monitoring goes on
without its recording, under a standing ``recording_fault``."""

BOUNDARY_S = 10.0
_SMALL_BYTES = 128


class XdfRecorder(StoringThread[Item]):
    """Records one case. A context manager: leaving it writes what is queued, and the footers."""

    gather_s = FLUSH_S

    def __init__(self, path: Path, stream: StreamInfo, *, queue_bytes: int = QUEUE_BYTES) -> None:
        """Create the file.

        Raises:
            MonitorError: it is there already, or can't be written.
        """
        super().__init__(path, room=queue_bytes, wait_for_room=False)
        self._stream = stream
        self._end = 0
        #: Bytes made of the first items that wait, which a disk that refuses did not take yet.
        self._made = b""
        self._made_of = 0
        self._synced = self._bounded = time.monotonic()
        self._now_t_lsl = 0.0
        #: Samples, first and last stamp of each stream.
        self._written = dict.fromkeys((SIGNAL_ID, MARKERS_ID, ORDER_ID, ACTS_ID), (0, 0.0, 0.0))
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o644)
            self._append(self._headers())
        except FileExistsError:
            raise MonitorError(f"{path}: is there already and is not overwritten") from None
        except OSError as error:
            raise MonitorError(f"{path}: can't be written: {error.strerror}") from None

    def submit(self, item: Item) -> None:
        """Record an input; never waits."""
        if isinstance(item, Chunk) and not len(item.t_lsl):
            return
        with self._changed:
            self._queue(item)

    def fault(self) -> str:
        """Why the recording is not safe; empty where it is."""
        with self._changed:
            if why := self._refused or self._late():
                return f"{self.path}: {why}"
            return (
                f"{self.path}: {self._shed} inputs are not in the recording" if self._shed else ""
            )

    # ------------------------------------------------------------------ the thread

    def _size(self, item: Item) -> int:
        if isinstance(item, Chunk):
            return item.samples_uv.nbytes + item.t_lsl.nbytes
        return _SMALL_BYTES

    def _store(self, items: list[Item]) -> None:
        """Append; where that fails it is done again from the same place in the file."""
        now = time.monotonic()
        if len(items) > self._made_of:
            self._made += self._bytes_of(items[self._made_of :])
            self._made_of = len(items)
            if now - self._bounded >= BOUNDARY_S:
                self._made += xdf_writer.boundary()
                self._bounded = now
        write_all(self._file, self._made, self._end)
        if now - self._synced >= SYNC_S:
            os.fdatasync(self._file)
            self._synced = now
        self._end += len(self._made)
        self._made, self._made_of = b"", 0

    def _close(self) -> None:
        try:
            if not self._waiting:
                self._append(self._footers())
            os.fdatasync(self._file)
        except OSError as error:
            self._refused = error.strerror or str(error)
        finally:
            with suppress(OSError):
                os.close(self._file)

    def _append(self, data: bytes) -> None:
        write_all(self._file, data, self._end)
        self._end += len(data)

    # ------------------------------------------------------------------ the bytes

    def _bytes_of(self, items: list[Item]) -> bytes:
        """Items as chunks of their streams, then what they were in the order."""
        parts: list[bytes] = []
        order: list[tuple[float, float]] = []
        times: list[float] = []
        for item in items:
            kind: InputKind
            match item:
                case Chunk():
                    first_s, last_s = float(item.t_lsl[0]), float(item.t_lsl[-1])
                    self._count(SIGNAL_ID, len(item.t_lsl), first_s, last_s)
                    parts.append(xdf_writer.samples(SIGNAL_ID, item.samples_uv, item.t_lsl))
                    continue
                case Marker():
                    kind = InputKind.MARKER
                    parts.append(self._text(MARKERS_ID, str(item.value), item.t_lsl))
                case ClockOffset():
                    on_signal = item.stream == "signal"
                    kind = InputKind.SIGNAL_OFFSET if on_signal else InputKind.MARKERS_OFFSET
                    stream_id = SIGNAL_ID if on_signal else MARKERS_ID
                    parts.append(xdf_writer.clock_offset(stream_id, item.t_lsl, item.offset_s))
                case Tick():
                    kind = InputKind.TICK
                    self._now_t_lsl = item.t_lsl
                case _:
                    kind = InputKind.ACT
                    parts.append(self._text(ACTS_ID, encode_act(item), self._now_t_lsl))
            order.append((float(kind), float(self._written[SIGNAL_ID][0])))
            times.append(self._now_t_lsl)
        if order:
            self._count(ORDER_ID, len(order), times[0], times[-1])
            parts.append(xdf_writer.samples(ORDER_ID, np.array(order), np.array(times)))
        return b"".join(parts)

    def _text(self, stream_id: int, text: str, t_lsl: float) -> bytes:
        self._count(stream_id, 1, t_lsl, t_lsl)
        return xdf_writer.text_sample(stream_id, text, t_lsl)

    def _count(self, stream_id: int, n: int, first_s: float, last_s: float) -> None:
        before, begin_s, _ = self._written[stream_id]
        self._written[stream_id] = (before + n, begin_s if before else first_s, last_s)

    def _headers(self) -> bytes:
        stream = self._stream
        return (
            xdf_writer.file_header()
            + xdf_writer.stream_header(
                SIGNAL_ID,
                name=stream.name,
                kind="EMG",
                source_id=stream.source_id,
                fs_hz=stream.fs_hz,
                channel_format="float32",
                labels=stream.channel_names,
                unit="microvolts",
                description=f"<mep-monitor><kind>{stream.kind}</kind></mep-monitor>",
            )
            + xdf_writer.stream_header(
                MARKERS_ID,
                name=f"{stream.name}-markers",
                kind="Markers",
                source_id=f"{stream.source_id}-markers",
                fs_hz=0.0,
                channel_format="string",
                labels=("marker",),
            )
            + xdf_writer.stream_header(
                ORDER_ID,
                name=f"{stream.name}-order",
                kind=ORDER_TYPE,
                source_id=f"{stream.source_id}-order",
                fs_hz=0.0,
                channel_format="double64",
                labels=ORDER_LABELS,
            )
            + xdf_writer.stream_header(
                ACTS_ID,
                name=f"{stream.name}-acts",
                kind=ACTS_TYPE,
                source_id=f"{stream.source_id}-acts",
                fs_hz=0.0,
                channel_format="string",
                labels=("act",),
            )
        )

    def _footers(self) -> bytes:
        return xdf_writer.boundary() + b"".join(
            xdf_writer.stream_footer(stream_id, *counted)
            for stream_id, counted in self._written.items()
        )


def free_name(path: Path) -> Path:
    """``path``, or where it is taken ``stem-2``, ``stem-3`` ...: an engine that was restarted goes
    on in another file and leaves what its predecessor recorded as it is.
    """
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found
