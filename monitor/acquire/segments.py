"""Unbroken stretches of the signal, each with a clock of its own; from time to sample. PURE.

:mod:`monitor.acquire.clock` makes them from the stamps; whoever places a stimulus asks them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import NamedTuple

# Stamps carry no more than this, in samples: a stimulus stamped on a sample is on that sample.
_SNAP_SAMPLES = 1e-3


class Where(Enum):
    """Where a time lies that is in no segment."""

    AHEAD = "its samples have not come"
    HOLE = "no samples were received at that time"
    BEFORE = "it lies before the first sample of the case"
    GONE = "its samples are no longer in the ring"


class Fit(NamedTuple):
    """The clock as it stood after one block.

    ``end`` is the counter after the block's last sample and ``t_lsl`` that sample's time;
    ``horizon_lsl`` is the latest ``t_lsl`` of the segment so far (it never falls back).
    """

    end: int
    t_lsl: float
    period_s: float
    horizon_lsl: float

    def time_of(self, sample: int) -> float:
        """LSL time in s of a sample."""
        return self.t_lsl + (sample - self.end) * self.period_s

    def position_of(self, t_lsl: float) -> tuple[int, float]:
        """The last sample at or before ``t_lsl`` and the fraction of a sample (0 to 1) after it."""
        position = (t_lsl - self.t_lsl) / self.period_s
        nearest = round(position)
        if abs(position - nearest) < _SNAP_SAMPLES:
            return self.end + nearest, 0.0
        whole = math.floor(position)
        return self.end + whole, position - whole


@dataclass(slots=True)
class Segment:
    """An unbroken stretch of the signal.

    Attributes:
        first: ring counter of its first sample.
        shift: what to add to a ring counter to get the stream's own counter.
        origin_lsl: time on this segment's clock at which the case began.
        first_lsl: time of its first sample, from its first block; NaN before that.
        end: ring counter after its last sample; None while it goes on.
        fits: one a block, oldest first, as far back as the ring reaches.
        forgotten_lsl: horizon of the newest fit that is no longer among ``fits``.
    """

    first: int
    shift: int
    origin_lsl: float
    first_lsl: float = math.nan
    end: int | None = None
    fits: deque[Fit] = field(default_factory=deque)
    forgotten_lsl: float = -math.inf

    def fit_beyond(self, t_lsl: float) -> Fit:
        """The first fit whose horizon lies beyond ``t_lsl`` (there must be one)."""
        return self.fits[bisect_right(self.fits, t_lsl, key=attrgetter("horizon_lsl"))]

    def fit_at(self, end: int) -> Fit | None:
        """The first fit that knows the samples before ``end``; the last one of a closed segment."""
        if self.fits[-1].end < end:
            return self.fits[-1] if self.end is not None else None
        return self.fits[bisect_right(self.fits, end - 1, key=attrgetter("end"))]

    def case_s(self, t_lsl: float) -> float:
        """Seconds since the case's first sample."""
        return t_lsl - self.origin_lsl


def segment_at(segments: Sequence[Segment], t_lsl: float) -> Segment | Where:
    """The segment that covers ``t_lsl`` so far; the newest where two do (a clock gone back).

    ``segments`` are those of a case, oldest first.
    """
    known = [segment for segment in segments if segment.fits]
    for segment in reversed(known):
        if segment.first_lsl <= t_lsl < segment.fits[-1].horizon_lsl:
            return Where.GONE if t_lsl < segment.forgotten_lsl else segment
    if not known or t_lsl >= known[-1].fits[-1].horizon_lsl:
        return Where.AHEAD
    if any(t_lsl >= segment.fits[-1].horizon_lsl for segment in known):
        return Where.HOLE
    return Where.BEFORE if known[0].first == 0 else Where.GONE
