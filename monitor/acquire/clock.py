"""From sample counter to LSL time and back, causally, a *segment* of unbroken signal at a time.

PURE. The stamps of a stream are no clock by themselves. Those of one pushed chunk are late
together, by some tenths of a millisecond and now and then by tens of them; the device's rate is not
quite the nominal one. So a line ``t = t0 + k * period`` is tracked through them by a Kalman filter
whose state is phase and period (the recursive least squares of liblsl's ``time_postprocessor``,
with the covariance kept and outliers clipped after Huber). It takes one step a *block*: a fixed
stretch of the counter, about 20 ms long. Hence what the clock says at a block does not depend on
how the samples came in chunks.

A stamp off the line by more than the limit is either late or the first after a hole. Time tells:
late stamps come back to the line, those after a hole never do. Until ``PERSIST_MS`` have passed
(``PERSIST_SMALL_MS`` where it is less than 30 ms off) or the stamps are back, the clock vouches for
nothing beyond that sample.

What stamps alone can't show: a hole within the limit, which is 10 samples or 10 times the peak
jitter of late, and 30 ms at most. It is stitched, and until the line has moved, some 10 s later,
stimuli after it lie too late by up to its length. Only a counter of the device tells.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from monitor.acquire.ring import Ring
from monitor.acquire.segments import Fit, Segment, Where, segment_at
from monitor.types import FloatArray

BLOCK_MS = 20.0
PERSIST_MS = 250.0
# A small jump may be a single late chunk of a device with long ones; they take up to a second.
PERSIST_SMALL_MS = 1000.0

# A jump is looked for beyond 10 samples and beyond 10 times the jitter that the stream has shown of
# late, but always beyond 30 ms: a clean stream reveals a hole of milliseconds, a jittery one is not
# torn to pieces.
_JUMP_SAMPLES = 10
_JUMP_MAX_S = 0.030
_JUMP_JITTERS = 10.0
_JITTER_HALF_LIFE_S = 5.0

# The signal may come late, not early: stamps that gain more on the machine's clock than this have
# been set. So much does not count, because ticks may come late too, after samples.
_AHEAD_SLACK_S = 5.0

# The filter: SD of a block's mean stamp; what one block can say at most; SD of the period before
# any was seen (relative: devices are off by some 10 to 1000 ppm); random walk of phase (s per
# sqrt(s)) and of relative period (per sqrt(s)). In the steady state it averages over some 4 s.
_STAMP_SD_S = 0.5e-3
_CLIP_S = 5e-3
_PERIOD_SD = 2e-3
_PHASE_WALK = 20e-6
_PERIOD_WALK = 1e-6


class Break(NamedTuple):
    """Why a segment ended and the next began at ``at_s`` (case time).

    ``missing`` samples were lost, for ``seconds``; ``stepped``: the device's counter or clock went
    back or ahead (by that much), and what was lost is not known.
    """

    at_s: float
    missing: int
    seconds: float
    stepped: bool


class Clock:
    """Follows the stamps in a ring.

    Args:
        ring: where samples and stamps are; appended to by the caller, which calls :meth:`advance`
            once ``ring.counter`` has reached :attr:`due`, and before it passes the next block.
        fs_hz: nominal sampling rate.

    Attributes:
        block: samples in a block; blocks end at its multiples and where a segment ends.
        due: counter at which the next block is complete.
        done: counter up to which the stamps have been taken in.
        segments: oldest first; those that left the ring are dropped.
        breaks: what happened since the caller last cleared it.
        stepped_s: how far the device's clock was set in all, positive: ahead.
    """

    def __init__(self, ring: Ring, fs_hz: float) -> None:
        self.block = block_samples(fs_hz)
        self.due = self.block
        self.done = 0
        self.segments: deque[Segment] = deque()
        self.breaks: list[Break] = []
        self.stepped_s = 0.0
        self._ring = ring
        self._fs_hz = fs_hz
        self._persist = math.ceil(PERSIST_MS / 1000.0 * fs_hz)
        self._persist_small = math.ceil(PERSIST_SMALL_MS / 1000.0 * fs_hz)
        self._ramp: FloatArray = np.arange(self._persist_small + 3 * self.block, dtype=np.float64)
        self._work: FloatArray = np.empty_like(self._ramp)
        self._phase_lsl = math.nan  # time of sample `done`; NaN: to be taken from the next block
        self._period_s = 1.0 / fs_hz
        self._phase_var = 0.0
        self._cross_var = 0.0
        self._period_var = (_PERIOD_SD / fs_hz) ** 2
        self._jitter_s = _JUMP_MAX_S / _JUMP_JITTERS
        self._jitter_kept = 0.5 ** (1.0 / (_JITTER_HALF_LIFE_S * fs_hz))  # a sample
        self._expected_lsl = math.nan
        self._skipped = 0
        self._went_back = False
        self._ticked_lsl = math.nan
        self._ticked_at = -1  # `done` when a tick last told how far behind the signal is
        self._behind_s = 0.0

    @property
    def newest_lsl(self) -> float:
        """Time of the newest sample by the line, whatever its own stamp says (s); NaN: none."""
        if not self.segments:
            return math.nan
        from_lsl = self._phase_lsl
        if math.isnan(from_lsl):
            known = not math.isnan(self._expected_lsl)
            from_lsl = self._expected_lsl if known else self.segments[-1].origin_lsl
        return from_lsl + (self._ring.counter - 1 - self.done) * self._period_s

    def case_s(self, t_lsl: float) -> float:
        """Seconds since the case's first sample of a time that need not lie in any segment.

        Where the device's clock has been set it may mean two things; the one nearer to now counts.
        """
        if not self.segments:
            return 0.0
        now_s = self.segments[-1].case_s(self.newest_lsl)
        meant = (segment.case_s(t_lsl) for segment in reversed(self.segments))
        return min(meant, key=lambda at_s: abs(at_s - now_s))

    def tick(self, now_lsl: float) -> None:
        """The machine's clock, on the signal's: what the stamps can't be ahead of."""
        self._ticked_lsl = now_lsl
        if self.done != self._ticked_at and not math.isnan(self._phase_lsl):
            self._ticked_at = self.done
            self._behind_s = now_lsl - self._phase_lsl

    @property
    def jump_limit_s(self) -> float:
        """How far off the line a stamp must be to be suspected of a jump."""
        adaptive_s = min(_JUMP_MAX_S, _JUMP_JITTERS * self._jitter_s)
        return max(_JUMP_SAMPLES * self._period_s, adaptive_s)

    def open(self, shift: int, origin_lsl: float) -> None:
        """Begin a segment at the ring's counter; the one before, if any, ends there.

        Args:
            shift: the stream's counter less the ring's.
            origin_lsl: time of the case's first sample; taken for the first segment only.
        """
        if not self.segments:
            self._begin(self._ring.counter, shift, origin_lsl)
            return
        self.close()
        last = self.segments[-1]
        self._skipped = shift - last.shift
        self._went_back = self._skipped < 0
        self._begin(self._ring.counter, shift, last.origin_lsl)

    def close(self) -> None:
        """The signal ends at the ring's counter: take in what is left and end the segment."""
        while self.done < self._ring.counter:
            self._fold(min(self.due, self._ring.counter), closing=True)
        if self.segments:
            self.segments[-1].end = self._ring.counter

    def advance(self) -> None:
        """Take in every block that is complete and above suspicion."""
        while self.due <= self._ring.counter:
            if not self._fold(self.due, closing=False):
                return

    @property
    def is_in_doubt(self) -> bool:
        """Whether the newest samples are suspected of a jump."""
        return bool(self.segments) and not self.vouches_for(self._ring.counter)

    def vouches_for(self, end: int) -> bool:
        """Whether no sample before ``end`` (which the ring must have) is suspected of a jump."""
        if end <= self.done:
            return True
        off_s = self._residuals(self.done, end)
        limit_s = self.jump_limit_s
        return bool(off_s.max() <= limit_s and off_s.min() >= -limit_s)

    def find(self, t_lsl: float) -> Segment | Where:
        """The segment that covers ``t_lsl`` so far; the newest where two do (clock gone back)."""
        return segment_at(self.segments, t_lsl)

    # ----------------------------------------------------------------- one block

    def _fold(self, end: int, *, closing: bool) -> bool:
        """Take in the block that ends at ``end``; False where that has to wait for more samples."""
        first = self.done
        if math.isnan(self._phase_lsl):
            self._phase_lsl = self._anchor(first, end)
        off_s = self._residuals(first, end)
        peak_s = max(float(off_s.max()), -float(off_s.min()))
        if peak_s > self.jump_limit_s:
            jump = self._jump(first, end, off_s, closing=closing)
            if jump is None:
                return False
            if jump > first:
                self._update(jump, self._residuals(first, jump))
            if jump < end:
                self._split(jump)
            return True
        self._update(end, off_s)
        return True

    def _anchor(self, first: int, end: int) -> float:
        """Where a segment's line begins (s)."""
        from_each = self._ring.stamps(first, end) - self._ramp[: end - first] * self._period_s
        if float(np.ptp(from_each)) > self.jump_limit_s:
            # A jump in the first block: judge it from the first sample on, so that it is found.
            return float(from_each[0])
        return float(np.median(from_each))

    def _residuals(self, first: int, end: int) -> FloatArray:
        """How late the stamps are (s); valid until the next call."""
        n = end - first
        off_s = np.multiply(self._ramp[:n], -self._period_s, out=self._work[:n])
        off_s -= self._phase_lsl + (first - self.done) * self._period_s
        off_s += self._ring.stamps(first, end)
        return off_s

    def _jump(self, first: int, end: int, off_s: FloatArray, *, closing: bool) -> int | None:
        """The sample before ``end`` at which the stamps leave the line for good.

        ``end`` where all of them come back, None where that can't be told yet.
        """
        limit_s = self.jump_limit_s
        suspects = first + np.flatnonzero(np.abs(off_s) > limit_s)
        at = int(suspects[0])
        while at < end:
            beyond_s = self._residuals(at, min(at + self._persist_small, self._ring.counter))
            is_small = abs(beyond_s[0]) <= _JUMP_MAX_S
            persist = self._persist_small if is_small else self._persist
            beyond_s = beyond_s[:persist]
            stop = at + len(beyond_s)
            side = 1.0 if beyond_s[0] > 0 else -1.0
            back = np.flatnonzero(side * beyond_s < limit_s / 2)
            if not len(back):
                return at if closing or stop == at + persist else None
            later = suspects[suspects >= at + int(back[0])]
            at = int(later[0]) if len(later) else end
        return end

    def _update(self, end: int, off_s: FloatArray) -> None:
        """One step of the filter, over samples ``done`` to ``end`` and their residuals (s)."""
        n = end - self.done
        peak_s = max(float(off_s.max()), -float(off_s.min()))
        faded_s = self._jitter_s * self._jitter_kept**n
        self._jitter_s = min(max(peak_s, faded_s), _JUMP_MAX_S / _JUMP_JITTERS)
        if peak_s > _CLIP_S:
            off_s = np.clip(off_s, -_CLIP_S, _CLIP_S)
        innovation_s = float(off_s.mean())

        # The mean residual belongs to the block's middle, `h` samples after `done`.
        h = (n - 1) / 2
        phase_gain = self._phase_var + h * self._cross_var
        period_gain = self._cross_var + h * self._period_var
        total = phase_gain + h * period_gain + _STAMP_SD_S**2
        self._phase_var -= phase_gain * phase_gain / total
        self._cross_var -= phase_gain * period_gain / total
        self._period_var -= period_gain * period_gain / total
        self._period_s += innovation_s * period_gain / total
        self._phase_lsl += innovation_s * phase_gain / total
        first_lsl = self._phase_lsl

        seconds = n / self._fs_hz
        self._phase_lsl += n * self._period_s
        self._phase_var += n * (2 * self._cross_var + n * self._period_var)
        self._phase_var += _PHASE_WALK**2 * seconds
        self._cross_var += n * self._period_var
        self._period_var += (_PERIOD_WALK / self._fs_hz) ** 2 * seconds
        self.done = end
        self.due = (end // self.block + 1) * self.block
        self._remember(first_lsl)

    def _remember(self, first_lsl: float) -> None:
        segment = self.segments[-1]
        t_lsl = self._phase_lsl
        if segment.fits:
            horizon_lsl = max(t_lsl, segment.fits[-1].horizon_lsl)
        else:
            horizon_lsl = t_lsl
            segment.first_lsl = first_lsl
            if not math.isnan(self._expected_lsl):
                self._record_break(segment)
        segment.fits.append(Fit(self.done, t_lsl, self._period_s, horizon_lsl))
        oldest = self.segments[0]
        while oldest.fits and oldest.fits[0].end <= self._ring.oldest:
            oldest.forgotten_lsl = oldest.fits.popleft().horizon_lsl
            if not oldest.fits:
                self.segments.popleft()
                oldest = self.segments[0]

    # ----------------------------------------------------------------- segments

    def _begin(self, first: int, shift: int, origin_lsl: float) -> None:
        """Open a segment; the period learned so far is the device's and is kept."""
        self.segments.append(Segment(first, shift, origin_lsl))
        self.done = first
        self.due = (first // self.block + 1) * self.block
        self._expected_lsl = self._phase_lsl
        self._phase_lsl = math.nan
        self._phase_var = 1e-2
        self._cross_var = 0.0

    def _split(self, at: int) -> None:
        """The stamps left the line at sample ``at``."""
        last = self.segments[-1]
        last.end = at
        self._skipped = 0
        self._went_back = False
        self._begin(at, last.shift, last.origin_lsl)

    def _record_break(self, segment: Segment) -> None:
        """A segment's first block is in: say how it follows on the one before."""
        lost_s = segment.first_lsl - self._expected_lsl
        missing = self._skipped or round(lost_s * self._fs_hz)
        was_set = lost_s < -self.jump_limit_s
        # A stream whose stamps were ahead of the machine before is on a clock of its own.
        elapsed_s = self._ticked_lsl - self._expected_lsl - min(0.0, self._behind_s)
        uncounted_s = lost_s - max(0, self._skipped) / self._fs_hz
        if uncounted_s > self.jump_limit_s and uncounted_s > elapsed_s + _AHEAD_SLACK_S:
            was_set, missing = True, self._skipped
        if was_set:
            # The device's clock began anew: the case's time goes on as if nothing were lost.
            segment.origin_lsl += lost_s
            self.stepped_s += lost_s
            self._ticked_lsl += lost_s
        at_s = segment.case_s(segment.first_lsl)
        self.breaks.append(Break(at_s, missing, lost_s, self._went_back or was_set))


def block_samples(fs_hz: float) -> int:
    """Samples in a block: the power of two next to ``BLOCK_MS``."""
    return int(2 ** round(math.log2(fs_hz * BLOCK_MS / 1000.0)))
