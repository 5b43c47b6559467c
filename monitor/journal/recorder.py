"""The raw recorder: what came in, as an XDF file, while the case runs.

A thread of its own writes; the data path only hands over. The file is whole up to its last flush,
whatever happens to the process: at most :data:`FLUSH_S` of signal is lost, and any XDF reader reads
the rest. Stamps are written as they came, clock offsets beside them, so that a replay sees what the
monitor saw.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from monitor.sources import xdf_writer
from monitor.sources.base import Item
from monitor.types import Chunk, ClockOffset, Marker, MonitorError, StreamInfo

FLUSH_S = 0.5
"""The longest that something stays in this process before the system has it."""

SYNC_S = 1.0
"""And the longest, on a disk that follows, before it is on the disk."""

QUEUE_BYTES = 256 * 2**20
"""What may wait for the disk. When it is full the newest is shed and counted: monitoring goes on
without its recording, under a standing ``recording_fault``."""

BOUNDARY_S = 10.0
_CLOSE_S = 30.0

_SIGNAL, _MARKERS = 1, 2


class XdfRecorder:
    """Records one case. A context manager: leaving it writes what is queued, and the footers.

    Attributes:
        path: the file.
        shed: items that were never written, for want of room.
    """

    def __init__(self, path: Path, stream: StreamInfo, *, queue_bytes: int = QUEUE_BYTES) -> None:
        """Create the file.

        Raises:
            MonitorError: it is there already, or can't be written.
        """
        self.path = path
        self.shed = 0
        self._stream = stream
        self._queue_bytes = queue_bytes
        self._queue: deque[Item] = deque()
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._fault = ""
        #: Samples, first and last stamp of each stream.
        self._written = {_SIGNAL: (0, 0.0, 0.0), _MARKERS: (0, 0.0, 0.0)}
        try:
            self._file: BinaryIO = path.open("xb", buffering=0)
            self._file.write(self._headers())
        except FileExistsError:
            raise MonitorError(f"{path}: is there already and is not overwritten") from None
        except OSError as error:
            raise MonitorError(f"{path}: can't be written: {error.strerror}") from None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_S)

    def submit(self, item: Item) -> None:
        """Record an input; never waits. Ticks are this machine's own and are not recorded."""
        size = _size(item)
        if not size:
            return
        with self._changed:
            if self._queued_bytes + size > self._queue_bytes:
                self.shed += 1
                return
            self._queue.append(item)
            self._queued_bytes += size

    def fault(self) -> str:
        """Why the recording is not safe; empty where it is."""
        if self._fault:
            return self._fault
        return f"{self.path}: {self.shed} inputs are not in the recording" if self.shed else ""

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        synced = bounded = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing, FLUSH_S)
                closing = self._closing
                items = list(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
            data = b"".join(self._chunk(item) for item in items)
            now = time.monotonic()
            if now - bounded >= BOUNDARY_S:
                data += xdf_writer.boundary()
                bounded = now
            if closing:
                data += self._footers()
            self._write(data, sync=closing or now - synced >= SYNC_S)
            if now - synced >= SYNC_S:
                synced = now
            if closing:
                self._file.close()
                return

    def _write(self, data: bytes, *, sync: bool) -> None:
        if self._fault:
            # What comes after a hole in the middle of a chunk would not be read anyway.
            return
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            if sync:
                os.fdatasync(self._file.fileno())
        except OSError as error:
            self._fault = f"{self.path}: {error.strerror}"

    def _chunk(self, item: Item) -> bytes:
        match item:
            case Chunk():
                first_s, last_s = float(item.t_lsl[0]), float(item.t_lsl[-1])
                self._count(_SIGNAL, len(item.t_lsl), first_s, last_s)
                return xdf_writer.samples(_SIGNAL, item.samples_uv, item.t_lsl)
            case Marker():
                self._count(_MARKERS, 1, item.t_lsl, item.t_lsl)
                return xdf_writer.text_sample(_MARKERS, str(item.value), item.t_lsl)
            case ClockOffset():
                stream_id = _SIGNAL if item.stream == "signal" else _MARKERS
                return xdf_writer.clock_offset(stream_id, item.t_lsl, item.offset_s)
        return b""

    def _count(self, stream_id: int, n: int, first_s: float, last_s: float) -> None:
        before, begin_s, _ = self._written[stream_id]
        self._written[stream_id] = (before + n, begin_s if before else first_s, last_s)

    def _headers(self) -> bytes:
        stream = self._stream
        return (
            xdf_writer.file_header()
            + xdf_writer.stream_header(
                _SIGNAL,
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
                _MARKERS,
                name=f"{stream.name}-markers",
                kind="Markers",
                source_id=f"{stream.source_id}-markers",
                fs_hz=0.0,
                channel_format="string",
                labels=("marker",),
            )
        )

    def _footers(self) -> bytes:
        return xdf_writer.boundary() + b"".join(
            xdf_writer.stream_footer(stream_id, *counted)
            for stream_id, counted in self._written.items()
        )


def _size(item: Item) -> int:
    """Bytes that an item holds while it waits; 0 for what is not recorded."""
    match item:
        case Chunk():
            return item.samples_uv.nbytes + item.t_lsl.nbytes if len(item.t_lsl) else 0
        case Marker() | ClockOffset():
            return 128
    return 0


def free_name(path: Path) -> Path:
    """``path``, or where it is taken ``stem-2``, ``stem-3`` ...: an engine that was restarted goes
    on in another file and leaves what its predecessor recorded as it is.
    """
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found
