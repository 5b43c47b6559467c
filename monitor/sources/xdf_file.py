"""Reads XDF files of any size, whole or damaged: one pass finds the samples, then any are read.

The file is memory-mapped. The first pass checks every chunk and remembers where its samples are
(32 bytes a chunk); samples come into memory when they are asked for, a block at a time. The file
may grow meanwhile (what comes is not seen) but must not shrink.

What becomes of a file that isn't as it should be:

- It **ends too soon** (a crash, a full disk, a copy cut short): every whole sample up to the end is
  there, none is made up, and one warning names the byte at which the file ends. A file that ends
  between two chunks shows it by its missing footers.
- A chunk **contradicts itself** (an impossible length, samples that don't fill it, a clock offset
  of the wrong size ...): which of its figures is wrong can't be told, so nothing of it is used.
  Reading goes on where the chunk says that it ends, if a chunk starts there, else after the next
  boundary chunk; a warning names both bytes. Samples that follow and have no stamps of their own
  get NaN for a stamp, because what they would count from is lost.
- A **stream's header** can't be understood, or there is none: its chunks are left out, with a
  warning. The other streams are read.
- **Tags** that the specification doesn't know are skipped, as it says.
- **No stream** can be read of a damaged file, or it isn't XDF at all: :class:`XdfError`.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from monitor.sources.xdf_damage import DamageLog
from monitor.sources.xdf_format import (
    BOUNDARY_UUID,
    MAGIC,
    ChunkHead,
    Data,
    Malformed,
    StreamHeader,
    Tag,
    read_head,
    read_length,
    read_stream_header,
    tag_name,
)
from monitor.sources.xdf_samples import SampleLayout, Samples
from monitor.types import FloatArray, MonitorError

_TWO_DOUBLES = struct.Struct("<dd")

#: Pages of the map that were read are given back after so many bytes: the system keeps them in its
#: cache, but a recording larger than memory doesn't fill this process.
_RELEASE_BYTES = 2**26


class XdfError(MonitorError):
    """A file of which nothing can be read; ``offset`` is the byte at fault."""

    def __init__(self, path: Path, offset: int, fault: str) -> None:
        super().__init__(f"{path}: not a readable XDF file: byte {offset}: {fault}")
        self.path = path
        self.offset = offset


@dataclass(slots=True)
class _Stream:
    """A stream and where its samples are: block k has samples ``first[k]`` to ``first[k + 1]``."""

    header: StreamHeader
    layout: SampleLayout
    first: array[int] = field(default_factory=lambda: array("q", [0]))
    at: array[int] = field(default_factory=lambda: array("q"))
    stop: array[int] = field(default_factory=lambda: array("q"))
    #: Stamp of the sample before each block, from which stamps are deduced.
    before_s: array[float] = field(default_factory=lambda: array("d"))
    #: Stamp of the newest sample; NaN once something may be missing after it.
    last_s: float = 0.0
    clock_times_s: array[float] = field(default_factory=lambda: array("d"))
    clock_offsets_s: array[float] = field(default_factory=lambda: array("d"))
    footer: str | None = None


class XdfFile:
    """An XDF file, open for reading. Use it as a context manager or call :meth:`close`."""

    def __init__(self, path: Path) -> None:
        """Map the file and find everything in it.

        Raises:
            XdfError: it isn't XDF, or damaged and without any stream that can be read.
            MonitorError: it can't be opened.
        """
        self._path = path
        self._data = _mapped(path)
        self._streams: dict[int, _Stream] = {}
        self._damages = DamageLog()
        self._end = ""
        self._unreleased = 0
        self._cached: tuple[int, int, Samples] | None = None
        self._find_everything()
        first = self._damages.first
        if first is not None and not self._streams:
            self.close()
            raise XdfError(path, *first)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go. What was read stays valid."""
        self._cached = None
        if isinstance(self._data, mmap.mmap):
            self._data.close()

    @property
    def streams(self) -> tuple[StreamHeader, ...]:
        """In the order in which they appear."""
        return tuple(stream.header for stream in self._streams.values())

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the file, a line each; the last says where it ends, if too soon."""
        size = len(self._data)
        lines = [f"{self._path}: {line}" for line in self._damages.lines(size)]
        if self._end:
            lines.append(f"{self._path}: the file ends at byte {size}, {self._end}")
        return lines

    def n_samples(self, stream_id: int) -> int:
        return self._streams[stream_id].first[-1]

    def clock_offsets(self, stream_id: int) -> tuple[FloatArray, FloatArray]:
        """When each offset was measured, on the device's clock, and the offset, seconds, (n,) each.

        LabRecorder writes (time of measurement - offset) for the time.
        """
        stream = self._streams[stream_id]
        return np.array(stream.clock_times_s), np.array(stream.clock_offsets_s)

    def footer(self, stream_id: int) -> str | None:
        """The XML of the stream's footer; None where the recording never came to write it."""
        return self._streams[stream_id].footer

    def block_starts(self, stream_id: int) -> Sequence[int]:
        """First sample of each stretch that is read at once, and at the end the number of samples.

        A block is a chunk, or some megabytes of a larger one: whoever goes through a recording
        block by block reads nothing twice and holds little.
        """
        return self._streams[stream_id].first

    def read(self, stream_id: int, start: int = 0, stop: int | None = None) -> Samples:
        """Samples ``start`` to ``stop`` (exclusive; None: all), in memory of their own."""
        stream = self._streams[stream_id]
        wanted = range(stream.first[-1])[start:stop]
        stamps_s = np.empty(len(wanted))
        values = np.empty((len(wanted), stream.header.channels), dtype=stream.layout.dtype)
        for at, piece in self._pieces(stream, wanted):
            inside = slice(at, at + len(piece.stamps_s))
            stamps_s[inside] = piece.stamps_s
            values[inside] = piece.values
        return Samples(stamps_s, values)

    def read_stamps_s(self, stream_id: int, start: int, stop: int) -> FloatArray:
        """Their stamps alone, (n,)."""
        stream = self._streams[stream_id]
        wanted = range(stream.first[-1])[start:stop]
        stamps_s = np.empty(len(wanted))
        for at, piece in self._pieces(stream, wanted):
            stamps_s[at : at + len(piece.stamps_s)] = piece.stamps_s
        return stamps_s

    def blocks(self, stream_id: int) -> Iterator[Samples]:
        """Every sample of a stream, block by block."""
        for start, stop in pairwise(self._streams[stream_id].first):
            yield self.read(stream_id, start, stop)

    def _pieces(self, stream: _Stream, wanted: range) -> Iterator[tuple[int, Samples]]:
        """What each block has of the samples ``wanted``, and where among them it goes."""
        first = stream.first
        k = bisect_right(first, wanted.start) - 1
        at = wanted.start
        while at < wanted.stop:
            samples = self._block(stream, k)
            begin, end = first[k], first[k + 1]
            if at > begin or end > wanted.stop:
                inside = slice(at - begin, wanted.stop - begin)
                samples = Samples(samples.stamps_s[inside], samples.values[inside])
            yield at - wanted.start, samples
            k += 1
            at = end

    def _block(self, stream: _Stream, k: int) -> Samples:
        """A block as it lies in the file. One is kept: readers go forward in small steps."""
        if self._cached is None or self._cached[:2] != (stream.header.id, k):
            self._cached = None
            at, stop = stream.at[k], stream.stop[k]
            self._touched(stop - at)
            n = stream.first[k + 1] - stream.first[k]
            samples = stream.layout.read(self._data, at, stop, n, stream.before_s[k])
            self._cached = stream.header.id, k, samples
        return self._cached[2]

    def _touched(self, n_bytes: int) -> None:
        self._unreleased += n_bytes
        if self._unreleased >= _RELEASE_BYTES and isinstance(self._data, mmap.mmap):
            self._data.madvise(mmap.MADV_DONTNEED)
            self._unreleased = 0

    # ------------------------------------------------------------------ the first pass

    def _find_everything(self) -> None:
        size, at = len(self._data), len(MAGIC)
        if size < at:
            self._end = "before its first chunk"
            return
        while at < size:
            head = None
            try:
                head = read_head(self._data, at)
                if head is None or head.end > size:
                    self._take_cut(at, head)
                    return
                self._take(at, head)
                at = head.end
            except Malformed as fault:
                resumed = self._recover(at, head)
                self._damages.note(str(fault), at, resumed)
                if resumed is None:
                    return
                at = resumed
        if not self._streams:
            self._end = "without any stream"
        elif unclosed := [s.header.name for s in self._streams.values() if s.footer is None]:
            names = ", ".join(map(repr, unclosed))
            self._end = f"without a footer for {names}: the recording was not closed"

    def _take(self, at: int, head: ChunkHead) -> None:
        """A chunk that is there as a whole.

        Raises:
            Malformed: and then nothing of it was taken.
        """
        data = self._data
        stream = self._streams.get(head.stream_id)
        if stream is not None and head.tag == Tag.SAMPLES:
            self._take_samples(stream, head.content, head.end, cut=False)
        elif head.tag == Tag.BOUNDARY:
            if data[head.content : head.end] != BOUNDARY_UUID:
                raise Malformed("a boundary chunk with something else in it")
        elif head.tag == Tag.STREAM_HEADER:
            if stream is not None:
                raise Malformed(f"a second header for stream {head.stream_id}")
            header = read_stream_header(head.stream_id, data[head.content : head.end])
            self._streams[head.stream_id] = _Stream(header, SampleLayout(header))
        elif stream is not None and head.tag == Tag.CLOCK_OFFSET:
            time_s, offset_s = _TWO_DOUBLES.unpack_from(data, head.content)
            stream.clock_times_s.append(time_s)
            stream.clock_offsets_s.append(offset_s)
        elif stream is not None:
            stream.footer = data[head.content : head.end].decode("utf-8", "replace")
        elif head.stream_id >= 0:
            self._damages.note(f"{tag_name(head.tag)} of a stream without a header", at, head.end)

    def _take_samples(self, stream: _Stream, content: int, limit: int, *, cut: bool) -> int:
        """Take the whole samples before ``limit``; gives their number.

        Raises:
            Malformed: they don't fill a whole chunk exactly, or are all there in a ``cut`` one.
        """
        found = read_length(self._data, content, limit)
        if found is None and cut:
            return 0
        # A chunk too short for the number of its samples has fewer than it promises.
        promised, at = found or (1, limit)
        left, before_s = promised, stream.last_s
        blocks = []
        while left:
            most = min(left, stream.layout.block_samples)
            n, stop, last_s = stream.layout.extent(self._data, at, limit, most, before_s)
            if not n:
                break
            blocks.append((n, at, stop, before_s))
            self._touched(stop - at)
            at, before_s = stop, last_s
            left -= n
        if not left if cut else (left or at != limit):
            raise Malformed("a samples chunk whose samples don't fill it exactly")
        for n, begin, stop, base_s in blocks:
            stream.first.append(stream.first[-1] + n)
            stream.at.append(begin)
            stream.stop.append(stop)
            stream.before_s.append(base_s)
        stream.last_s = before_s
        return promised - left

    def _take_cut(self, at: int, head: ChunkHead | None) -> None:
        """What there is of a chunk that reaches beyond the end of the file.

        Raises:
            Malformed: the file goes on after it, so that its length must be wrong.
        """
        if head is None:
            self._end = f"inside the head of the chunk that starts at byte {at}"
            return
        size = len(self._data)
        if self._data.find(BOUNDARY_UUID, head.content) >= 0:
            raise Malformed("a chunk that reaches beyond the end of the file")
        stream = self._streams.get(head.stream_id)
        taken = ""
        if head.tag == Tag.SAMPLES and stream is not None:
            whole = self._take_samples(stream, head.content, size, cut=True)
            taken = f"; {whole} whole samples of it are read"
        self._end = f"inside the {tag_name(head.tag)} chunk that starts at byte {at}{taken}"

    def _recover(self, at: int, head: ChunkHead | None) -> int | None:
        """Where to read on after a malformed chunk; None: nowhere."""
        resumed: int | None
        if head is not None and self._chunk_starts(head.end, head.stream_id):
            lost = [head.stream_id]
            resumed = head.end
        else:
            lost = list(self._streams)
            found = self._data.find(BOUNDARY_UUID, at)
            resumed = found + len(BOUNDARY_UUID) if found >= 0 else None
        for stream_id in lost:
            if stream_id in self._streams:
                self._streams[stream_id].last_s = nan
        return resumed

    def _chunk_starts(self, at: int, stream_id: int) -> bool:
        """Whether a chunk, as far as can be seen, starts here, or the file ends."""
        if at >= len(self._data):
            return at == len(self._data)
        try:
            head = read_head(self._data, at)
        except Malformed:
            return False
        return (
            head is not None
            and head.end <= len(self._data)
            and head.tag in tuple(Tag)
            and (head.tag == Tag.STREAM_HEADER or head.stream_id in (-1, stream_id, *self._streams))
        )


def _mapped(path: Path) -> Data:
    """The file as bytes, not loaded.

    Raises:
        XdfError, MonitorError: as for :class:`XdfFile`.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(len(MAGIC))
            # An empty file can't be mapped, and one of less than four bytes needn't be.
            whole = len(begin) == len(MAGIC)
            data: Data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if whole else begin
    except OSError as error:
        raise MonitorError(f"{path}: can't be read: {error.strerror}") from None
    if not MAGIC.startswith(begin):
        raise XdfError(path, 0, "it doesn't begin with XDF:")
    return data
