"""What stands in a samples chunk: stamps and values, numbers or text.

Each sample is a byte that says whether a stamp follows (8) or not (0), the stamp, the values. A
sample without a stamp came one nominal interval after the one before it, of this chunk or of the
stream's last (XDF 1.0, "Samples chunk"). Where every sample has its stamp, which is what most
recorders write, all samples have one size and the chunk is an array of records already.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.sources.xdf_format import (
    NUMBER_FORMATS,
    Data,
    Malformed,
    StreamHeader,
    read_length,
)
from monitor.types import FloatArray

_STAMP = struct.Struct("<d")
_BAD_FLAG = "a sample with a stamp that is neither 0 nor 8 bytes long"

#: Blocks are about this large, so that a recording in one enormous chunk is still read in parts.
BLOCK_BYTES = 2**21


class Samples(NamedTuple):
    """``stamps_s`` (n,) float64 on the device's clock; ``values`` (n, channels), text as objects.

    A stamp is NaN where it can't be known: the sample has none of its own, and what was before it
    is lost.
    """

    stamps_s: FloatArray
    values: NDArray[Any]


class Extent(NamedTuple):
    """``n`` whole samples end at position ``stop``; the last has the stamp ``last_s``."""

    n: int
    stop: int
    last_s: float


class SampleLayout:
    """How the samples of one stream lie in the file."""

    __slots__ = ("_channels", "_interval_s", "_record", "_step", "_text", "block_samples", "dtype")

    def __init__(self, header: StreamHeader) -> None:
        self._channels = header.channels
        self._interval_s = 1.0 / header.fs_hz if header.fs_hz > 0 else 0.0
        self._text = header.format == "string"
        number = "O" if self._text else NUMBER_FORMATS[header.format]
        #: Type of the values.
        self.dtype = np.dtype(number)
        self._record = np.dtype(
            [("flag", "u1"), ("stamp_s", "<f8"), ("values", self.dtype, (header.channels,))]
        )
        #: Bytes of a sample with a stamp.
        self._step = self._record.itemsize
        #: Samples to read at a time.
        self.block_samples = max(1, BLOCK_BYTES // self._step)

    def extent(self, data: Data, at: int, limit: int, n: int, before_s: float) -> Extent:
        """How far up to ``n`` samples from ``at`` reach; fewer where ``limit`` cuts them off.

        Args:
            data: the file.
            at: position of the first sample's flag.
            limit: position that must not be passed.
            n: samples wanted.
            before_s: stamp of the sample before.

        Raises:
            Malformed: a flag that is none.
        """
        stamped = self._all_stamped(data, at, limit, n)
        if stamped:
            stop = at + stamped * self._step
            (last_s,) = _STAMP.unpack_from(data, stop - self._step + 1)
            return Extent(stamped, stop, last_s)
        samples, stop = self._walk(data, at, limit, n, before_s)
        count = len(samples.stamps_s)
        return Extent(count, stop, float(samples.stamps_s[-1]) if count else before_s)

    def read(self, data: Data, at: int, limit: int, n: int, before_s: float) -> Samples:
        """Those samples. Args and Raises as for :meth:`extent`; may be views of ``data``."""
        stamped = self._all_stamped(data, at, limit, n)
        if stamped:
            records = np.frombuffer(data, self._record, stamped, at)
            return Samples(records["stamp_s"], records["values"])
        return self._walk(data, at, limit, n, before_s)[0]

    def _all_stamped(self, data: Data, at: int, limit: int, n: int) -> int:
        """How many samples there are if all have a stamp; 0 where they don't (or are text)."""
        if self._text:
            return 0
        step = self._step
        count = min(n, (limit - at) // step)
        if count < n and limit - at - count * step >= step - _STAMP.size:
            return 0  # Another may fit, if it has no stamp.
        # A flag of 8 says where the next flag is: if all at this step are 8, they are the flags.
        flags = data[at : at + count * step : step]
        return count if count > 0 and flags.count(8) == count else 0

    def _walk(
        self, data: Data, at: int, limit: int, n: int, before_s: float
    ) -> tuple[Samples, int]:
        """Sample by sample: the general case. Gives the position after the last one, too."""
        if self._text:
            stamps_s, stamped, values, stop = self._walk_text(data, at, limit, n)
        else:
            stamps_s, stamped, values, stop = self._walk_numbers(data, at, limit, n)
        _deduce(stamps_s, stamped, before_s, self._interval_s)
        return Samples(stamps_s, values), stop

    def _walk_numbers(
        self, data: Data, at: int, limit: int, n: int
    ) -> tuple[FloatArray, NDArray[np.bool_], NDArray[Any], int]:
        width = self._record["values"].itemsize
        n = max(0, min(n, (limit - at) // (1 + width)))
        stamps_s = np.zeros(n, dtype="<f8")
        values = np.zeros((n, self._channels), dtype=self.dtype)
        stamped = np.zeros(n, dtype=np.bool_)
        count, stop, sound = _split(
            np.frombuffer(data, np.uint8, limit - at, at),
            stamps_s.view(np.uint8).reshape(n, 8),
            stamped,
            values.view(np.uint8).reshape(n, width),
        )
        if not sound:
            raise Malformed(_BAD_FLAG)
        return stamps_s[:count], stamped[:count], values[:count], at + stop

    def _walk_text(
        self, data: Data, at: int, limit: int, n: int
    ) -> tuple[FloatArray, NDArray[np.bool_], NDArray[Any], int]:
        stamps_s: list[float] = []
        stamped: list[bool] = []
        rows: list[list[str]] = []
        while len(rows) < n and at < limit:
            flag = data[at]
            if flag not in (0, 8):
                raise Malformed(_BAD_FLAG)
            read = self._row(data, at + 1 + flag, limit)
            if read is None:
                break
            stamps_s.append(_STAMP.unpack_from(data, at + 1)[0] if flag else 0.0)
            stamped.append(flag == 8)
            row, at = read
            rows.append(row)
        values = np.empty((len(rows), self._channels), dtype=object)
        for k, row in enumerate(rows):
            values[k] = row
        return np.array(stamps_s), np.array(stamped, dtype=np.bool_), values, at

    def _row(self, data: Data, at: int, limit: int) -> tuple[list[str], int] | None:
        """One sample's texts and the position after them; None: ``limit`` cuts them off."""
        if at > limit:
            return None
        row = []
        for _ in range(self._channels):
            found = read_length(data, at, limit)
            if found is None or sum(found) > limit:
                return None
            length, begin = found
            at = begin + length
            row.append(data[begin:at].decode("utf-8", "replace"))
        return row, at


@njit(cache=True)
def _split(
    data: NDArray[np.uint8],
    stamps: NDArray[np.uint8],
    stamped: NDArray[np.bool_],
    values: NDArray[np.uint8],
) -> tuple[int, int, bool]:
    """Take samples apart: (n, 8) stamps where there are any, (n, width) values, as bytes.

    Gives how many were whole, the position after them, and False where a flag was none.
    """
    n, width = values.shape
    at = 0
    for k in range(n):
        if at >= len(data):
            return k, at, True
        flag = data[at]
        if flag not in (0, 8):
            return k, at, False
        begin = at + 1 + flag
        if begin + width > len(data):
            return k, at, True
        if flag == 8:
            stamped[k] = True
            for i in range(8):
                stamps[k, i] = data[at + 1 + i]
        for i in range(width):
            values[k, i] = data[begin + i]
        at = begin + width
    return n, at, True


@njit(cache=True)
def _deduce(
    stamps_s: FloatArray, stamped: NDArray[np.bool_], before_s: float, interval_s: float
) -> None:
    """Stamp what has no stamp, in place; one sum after the other, so as to round as pyxdf does."""
    for k in range(len(stamps_s)):
        if not stamped[k]:
            stamps_s[k] = before_s + interval_s
        before_s = stamps_s[k]
