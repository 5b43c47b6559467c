"""Stimuli wait here for their samples; each leaves once, as an epoch or as missed and why. PURE.

Which samples an epoch gets depends on the signal alone, never on its chunks: the stimulus lies in
the first block whose fit reaches beyond it, and it is placed by the fit of a fixed number of blocks
later, the latest that is sure to be there when the last sample comes.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter

from monitor.acquire.clock import Clock
from monitor.acquire.ring import Ring
from monitor.acquire.segments import Segment, Where
from monitor.config import EpochSection
from monitor.types import Epoch, Missed, Status, Stimulus

#: Stimuli that wait at once at most. Policy *oldest first*: one more, and the earliest of them is
#: given up as incomplete.
WAITING_LIMIT = 256

#: A train of pulses lasts no longer than this; trains in use take up to 32 ms.
TRAIN_MAX_S = 0.05
#: Trains that have left are remembered for pulses that come too late to count.
_LEFT_REMEMBERED = 16


@dataclass(slots=True)
class Tally:
    """What became of the stimuli: ``seen`` is the sum of the next four and of those that wait.

    ``crowded_out``: of the incomplete ones, those that gave way because too many waited.
    """

    seen: int = 0
    delivered: int = 0
    gap: int = 0
    late: int = 0
    incomplete: int = 0
    crowded_out: int = 0


@dataclass(slots=True, eq=False)
class Waiting:
    """A stimulus and what is known of its place so far.

    ``since_lsl``: the first tick after it came; ``segment`` and ``settled_at`` (the counter up to
    which the clock must know the signal) once it lies among samples; ``first`` and ``end`` of its
    epoch, and ``fraction``, once it is placed.
    """

    stimulus: Stimulus
    since_lsl: float | None = None
    segment: Segment | None = None
    settled_at: int = 0
    first: int | None = None
    end: int = 0
    fraction: float = 0.0

    @property
    def t_lsl(self) -> float:
        """Time of the first pulse on the signal's clock."""
        return self.stimulus.t_lsl

    @property
    def last_lsl(self) -> float:
        """Time of the last pulse known."""
        return self.stimulus.t_lsl + self.stimulus.pulses_ms[-1] / 1000.0


class EpochQueue:
    """Cuts epochs out of a ring.

    Args:
        ring, clock: the signal; the clock is up to date at each call.
        columns: columns of the ring that go into an epoch, in channel order.
        fs_hz: nominal sampling rate.
        section: how far an epoch reaches; it holds ``pre_ms`` up to the stimulus's sample
            (exclusive) and ``post_ms`` from it on.

    Attributes:
        n_samples: length of every epoch.
        stimulus_index: samples before the stimulus's own.
        tally: how many stimuli came and what became of them.
        out_of_reach: stimuli in a row, up to now, whose times the signal did not reach in time.
    """

    def __init__(
        self,
        ring: Ring,
        clock: Clock,
        columns: tuple[int, ...],
        fs_hz: float,
        section: EpochSection,
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._columns = columns
        self._fs_hz = fs_hz
        self.stimulus_index = round(section.pre_ms * fs_hz / 1000.0)
        self._post = round(section.post_ms * fs_hz / 1000.0)
        self.n_samples = self.stimulus_index + self._post
        # One block to contain the stimulus and one for the clock's own movement stay in hand.
        self._settle = max(0, self._post // clock.block - 2) * clock.block
        self._waiting: list[Waiting] = []
        self._trial = 0
        self._latest_s = float("-inf")
        self._left: deque[tuple[float, float]] = deque(maxlen=_LEFT_REMEMBERED)
        self.tally = Tally()
        self.out_of_reach = 0

    def number_after(self, trials: int) -> None:
        """So many trials were numbered in an earlier run of the case."""
        self._trial = trials

    @property
    def pending(self) -> int:
        """Stimuli that wait."""
        return len(self._waiting)

    @property
    def is_waiting(self) -> bool:
        """Whether any stimulus waits."""
        return bool(self._waiting)

    def add(
        self, stimulus: Stimulus, place: tuple[Segment, int] | None = None
    ) -> Iterator[Epoch | Missed]:
        """Take a stimulus; yields what that pushed out, if the queue was full.

        ``place``: where it is known to the sample, from a trigger column.
        """
        self.tally.seen += 1
        item = Waiting(stimulus)
        if place is not None:
            item.segment, sample = place
            item.first, item.end = sample - self.stimulus_index, sample + self._post
        insort(self._waiting, item, key=attrgetter("t_lsl"))
        if len(self._waiting) > WAITING_LIMIT:
            self.tally.crowded_out += 1
            yield self._missed(
                self._waiting.pop(0),
                Status.INCOMPLETE,
                f"more than {WAITING_LIMIT} stimuli waited for their samples",
            )

    def move(self, after_lsl: float, by_s: float) -> None:
        """Put the stimuli that wait and lie after ``after_lsl`` elsewhere, to be placed anew."""
        for item in self._waiting:
            if item.t_lsl > after_lsl:
                item.stimulus = replace(item.stimulus, t_lsl=item.t_lsl + by_s)
                item.segment, item.first = None, None
        self._waiting.sort(key=attrgetter("t_lsl"))

    def join(self, pulse: Stimulus, gap_s: float) -> int:
        """Make a pulse part of the train that it belongs to, if that still waits.

        Returns:
            How many trains it was joined to: 0 where it begins one of its own, 2 where it showed
            that two are one.
        """
        found = [
            item
            for item in self._waiting
            if item.t_lsl - gap_s <= pulse.t_lsl <= item.last_lsl + gap_s
            and max(pulse.t_lsl, item.last_lsl) - min(pulse.t_lsl, item.t_lsl) <= TRAIN_MAX_S
        ]
        if len(found) > 1 and found[-1].last_lsl - found[0].t_lsl > TRAIN_MAX_S:
            found = found[:1]
        if not found:
            return 0
        first = found[0]
        begin_lsl = min(pulse.t_lsl, first.t_lsl)
        times_lsl = [pulse.t_lsl]
        for item in found:
            times_lsl += [item.t_lsl + ms / 1000.0 for ms in item.stimulus.pulses_ms]
        # To 0.1 ms: markers jitter, and trains that are meant to be alike are measured alike.
        pulses_ms = tuple(sorted({round((t - begin_lsl) * 1000.0, 1) for t in times_lsl}))
        if pulse.t_lsl < first.t_lsl:
            first.segment, first.first = None, None
        first.stimulus = replace(first.stimulus, t_lsl=begin_lsl, pulses_ms=pulses_ms)
        for item in found[1:]:
            self._waiting.remove(item)
        self._waiting.sort(key=attrgetter("t_lsl"))
        self.tally.seen -= len(found) - 1
        return len(found)

    def has_left(self, pulse: Stimulus, gap_s: float) -> bool:
        """Whether a pulse belongs to a train that has already left without it."""
        return any(
            first_lsl - gap_s <= pulse.t_lsl <= last_lsl + gap_s
            and pulse.t_lsl - first_lsl <= TRAIN_MAX_S
            for first_lsl, last_lsl in self._left
        )

    def tick(self, now_lsl: float) -> Iterator[Missed]:
        """Give up what has waited for too long: the signal stands still or shares no clock.

        A stimulus may be as far ahead of its samples as it may come behind them: what the ring
        holds.
        """
        patience_s = self._ring.capacity / self._fs_hz
        for item in tuple(self._waiting):
            if item.since_lsl is None:
                item.since_lsl = now_lsl
            elif now_lsl - item.since_lsl > patience_s:
                self._waiting.remove(item)
                ahead_s = item.t_lsl - self._clock.newest_lsl
                if ahead_s > patience_s:
                    self.out_of_reach += 1
                    reason = f"its marker is {ahead_s:.0f} s ahead of the signal"
                else:
                    reason = f"its samples did not come within {patience_s:.0f} s"
                yield self._missed(item, Status.INCOMPLETE, reason)

    def refuse(self, stimulus: Stimulus, reason: str) -> Missed:
        """Account for a stimulus that can have no place in the signal."""
        self.tally.seen += 1
        return self._missed(Waiting(stimulus), Status.INCOMPLETE, reason)

    def release(self, *, ended: bool = False) -> Iterator[Epoch | Missed]:
        """Yield all whose fate is known, in the order of their stimuli.

        ``ended``: no sample will follow, so that every fate is.
        """
        # Stimuli of one segment become due in the order of their times: none overtakes another.
        for item in tuple(self._waiting):
            outcome = self._decide(item, ended)
            if outcome is not None:
                self._waiting.remove(item)
                yield outcome

    # ----------------------------------------------------------------- the fate of one stimulus

    def _decide(self, item: Waiting, ended: bool) -> Epoch | Missed | None:
        if item.segment is None:
            found = self._clock.find(item.t_lsl)
            if found is not Where.AHEAD and not ended and self._clock.is_in_doubt:
                # Where the device's clock has gone back, its time was once before: only when that
                # is known does the stimulus get the samples of now and not those of then.
                return None
            if isinstance(found, Where):
                return self._not_found(item, found, ended)
            item.segment = found
            item.settled_at = found.fit_beyond(item.t_lsl).end + self._settle
        segment = item.segment
        if item.first is None:
            if not segment.fits:
                return self._gone(item)
            fit = segment.fit_at(item.settled_at)
            if fit is None:
                return None
            sample, item.fraction = fit.position_of(item.t_lsl)
            item.first = sample - self.stimulus_index
            item.end = sample + self._post
        return self._cut(item, segment, item.first, ended)

    def _cut(
        self, item: Waiting, segment: Segment, first: int, ended: bool
    ) -> Epoch | Missed | None:
        if first < segment.first:
            if segment.first == 0:
                return self._missed(
                    item,
                    Status.INCOMPLETE,
                    f"{self._ms(-first)} ms of it lie before the first sample of the case",
                )
            return self._missed(item, Status.GAP, "a gap lies before the stimulus")
        if first < self._ring.oldest:
            return self._gone(item)
        if segment.end is not None and item.end > segment.end:
            missing_ms = self._ms(item.end - segment.end)
            if ended and segment is self._clock.segments[-1]:
                return self._missed(
                    item,
                    Status.INCOMPLETE,
                    f"the signal ended {missing_ms} ms before the end of the epoch",
                )
            return self._missed(
                item, Status.GAP, f"a gap lies {missing_ms} ms before the end of the epoch"
            )
        if item.end > self._ring.counter or not self._clock.vouches_for(item.end):
            return None
        stimulus_s = segment.case_s(item.t_lsl)
        # Behind one that was measured: one that never got samples stands in nobody's way.
        out_of_order = stimulus_s < self._latest_s
        self._latest_s = max(self._latest_s, stimulus_s)
        self._trial += 1
        self.tally.delivered += 1
        self.out_of_reach = 0
        self._left.append((item.t_lsl, item.last_lsl))
        return Epoch(
            trial=self._trial,
            stimulus=item.stimulus,
            stimulus_s=stimulus_s,
            first_sample=first + segment.shift,
            stimulus_index=self.stimulus_index,
            stimulus_fraction=item.fraction,
            fs_hz=self._fs_hz,
            samples_uv=self._ring.sweeps(first, item.end, self._columns),
            out_of_order=out_of_order,
        )

    def _not_found(self, item: Waiting, where: Where, ended: bool) -> Missed | None:
        if where is Where.GONE:
            return self._gone(item)
        if where is Where.HOLE:
            return self._missed(item, Status.GAP, where.value)
        if where is Where.BEFORE:
            return self._missed(item, Status.INCOMPLETE, where.value)
        if ended:
            reason = "the signal ended before the stimulus" if self._ring.counter else "no signal"
            return self._missed(item, Status.INCOMPLETE, reason)
        return None

    def _gone(self, item: Waiting) -> Missed:
        return self._missed(item, Status.LATE, Where.GONE.value)

    def _missed(self, item: Waiting, status: Status, reason: str) -> Missed:
        self._trial += 1
        self._left.append((item.t_lsl, item.last_lsl))
        match status:
            case Status.GAP:
                self.tally.gap += 1
            case Status.LATE:
                self.tally.late += 1
            case _:
                self.tally.incomplete += 1
        return Missed(self._trial, item.stimulus, self._case_s(item), status, reason)

    def _case_s(self, item: Waiting) -> float:
        """Case time of a stimulus that may lie in no segment."""
        if item.segment is not None:
            return item.segment.case_s(item.t_lsl)
        return self._clock.case_s(item.t_lsl)

    def _ms(self, samples: int) -> str:
        return f"{samples * 1000.0 / self._fs_hz:.1f}"
