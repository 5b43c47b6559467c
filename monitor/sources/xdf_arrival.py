"""When recorded samples came, on the clock of the machine that recorded them.

Serves the order of a replay only: it uses the clock offset nearest in time, later ones included,
so that a device's clock that began anew throws no samples into another year.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.sources.xdf_file import XdfFile
from monitor.types import FloatArray

#: Stamps that go back further than this mean that the device's clock began anew.
_RESET_S = 1.0


class _Past(NamedTuple):
    """What a block needs to know of all before it."""

    era: int
    stamp_s: float
    arrival_s: float


class Arrivals:
    """Arrival of any sample of one stream, in little memory: 24 bytes a block are kept."""

    def __init__(self, file: XdfFile, stream_id: int) -> None:
        self._file = file
        self._stream_id = stream_id
        times_s, offsets_s = file.clock_offsets(stream_id)
        resets = np.flatnonzero(np.diff(times_s) < -_RESET_S) + 1
        #: (times, offsets) between resets of the device's clock.
        self._eras = list(
            zip(np.split(times_s, resets), np.split(offsets_s, resets), strict=True)
            if len(times_s)
            else ()
        )
        self._starts = np.array(file.block_starts(stream_id), dtype=np.int64)
        n_blocks = len(self._starts) - 1
        self._past_era = np.empty(n_blocks, dtype=np.int64)
        self._past_stamp_s = np.empty(n_blocks)
        self._past_arrival_s = np.empty(n_blocks)
        past = _Past(0, np.nan, np.nan)
        for k in range(n_blocks):
            self._past_era[k], self._past_stamp_s[k], self._past_arrival_s[k] = past
            _, past = self._block(k, past)

    def at(self, indices: Sequence[int] | NDArray[np.int64]) -> FloatArray:
        """Arrival of these samples, seconds, (n,); never decreasing along the recording."""
        wanted = np.asarray(indices, dtype=np.int64)
        arrival_s = np.empty(len(wanted))
        order = np.argsort(wanted, kind="stable")
        blocks = np.searchsorted(self._starts, wanted[order], side="right") - 1
        for group in np.split(order, np.flatnonzero(np.diff(blocks)) + 1):
            if len(group):
                k = int(np.searchsorted(self._starts, wanted[group[0]], side="right")) - 1
                past = _Past(
                    int(self._past_era[k]),
                    float(self._past_stamp_s[k]),
                    float(self._past_arrival_s[k]),
                )
                of_block_s, _ = self._block(k, past)
                arrival_s[group] = of_block_s[wanted[group] - self._starts[k]]
        return arrival_s

    def _block(self, k: int, past: _Past) -> tuple[FloatArray, _Past]:
        """Arrival of each sample of block ``k``, and what the next block needs to know."""
        start, stop = int(self._starts[k]), int(self._starts[k + 1])
        stamps_s = self._file.read_stamps_s(self._stream_id, start, stop)
        eras = past.era + np.cumsum(np.diff(stamps_s, prepend=past.stamp_s) < -_RESET_S)
        arrival_s = stamps_s.copy()
        if self._eras:
            for era in range(int(eras[0]), int(eras[-1]) + 1):
                inside = eras == era
                arrival_s[inside] += self._nearest_offset_s(era, stamps_s[inside])
        # fmax: a stamp that is no number comes when the sample before it came.
        arrival_s[0] = np.fmax(arrival_s[0], past.arrival_s)
        arrival_s = np.asarray(np.fmax.accumulate(arrival_s), dtype=np.float64)
        return arrival_s, _Past(int(eras[-1]), float(stamps_s[-1]), float(arrival_s[-1]))

    def _nearest_offset_s(self, era: int, stamps_s: FloatArray) -> FloatArray:
        times_s, offsets_s = self._eras[min(era, len(self._eras) - 1)]
        after = np.clip(np.searchsorted(times_s, stamps_s), 0, len(times_s) - 1)
        before = np.maximum(after - 1, 0)
        nearer = np.abs(times_s[before] - stamps_s) <= np.abs(times_s[after] - stamps_s)
        return np.asarray(offsets_s[np.where(nearer, before, after)], dtype=np.float64)
