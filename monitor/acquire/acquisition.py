"""Acquisition: chunks, markers, offsets and ticks go in; epochs and notices come out. PURE."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from monitor.acquire.cadence import CadenceWatch
from monitor.acquire.channels import resolve_channels
from monitor.acquire.clock import Break, Clock, block_samples
from monitor.acquire.epochs import EpochQueue, Tally
from monitor.acquire.ring import Ring
from monitor.acquire.segments import Segment
from monitor.acquire.stall import StallWatch
from monitor.acquire.stimuli import StimulusReader
from monitor.acquire.trigger import TriggerReader
from monitor.config import CaseConfig
from monitor.types import (
    AlarmKind,
    Chunk,
    ClockOffset,
    Epoch,
    Float32Array,
    FloatArray,
    Marker,
    Missed,
    MonitorError,
    Notice,
    Stimulus,
    StreamInfo,
    Tick,
)

MIN_FS_HZ = 2000.0

#: Stimuli in a row that the signal does not reach before the clocks are said not to agree.
OUT_OF_REACH = 3

#: An offset that changes by more than this since the one before does not follow a drift: a clock
#: was set.
_OFFSET_STEP_S = 0.1


class Acquisition:
    """Everything between a source and the measurement.

    Args:
        stream: the EMG stream.
        config: the case.

    Attributes:
        channels: what is monitored, in stream order.
        stimuli: the reader of the markers, with its counts.
        left_out: samples that came without a finite stamp and were treated as lost.
        missing: samples that never came, as far as stamps and counter tell.
        late_pulses: pulses that came after the train that they belong to had been measured.

    Raises:
        MonitorError: the sampling rate is below 2000 Hz, or the channels and the configuration do
            not fit (:func:`monitor.acquire.channels.resolve_channels`).
    """

    def __init__(self, stream: StreamInfo, config: CaseConfig) -> None:
        fs_hz = stream.fs_hz
        if not MIN_FS_HZ <= fs_hz < math.inf:
            raise MonitorError(
                f"stream '{stream.name}': a sampling rate of {fs_hz:g} Hz is too low for "
                f"motor evoked potentials; {MIN_FS_HZ:g} Hz is the least"
            )
        stimulus = config.stimulus
        self.channels, columns = resolve_channels(stream, config.channels, stimulus.trigger_channel)
        self.stimuli = StimulusReader(stimulus)
        self.left_out = 0
        self.missing = 0
        self.late_pulses = 0
        self._stream = stream
        blocks = math.ceil(config.epoch.ring_s * fs_hz / block_samples(fs_hz))
        self._ring = Ring(blocks * block_samples(fs_hz), len(stream.channel_names))
        self._clock = Clock(self._ring, fs_hz)
        self._epochs = EpochQueue(self._ring, self._clock, columns, fs_hz, config.epoch)
        self._stall = StallWatch()
        self._cadence = CadenceWatch(stimulus.cadence_s)
        self._train_gap_s = stimulus.train_gap_ms / 1000.0
        self._pulse_was_late = False
        self._placed_by_marker = stimulus.offset_ms != 0.0
        self._trigger: TriggerReader | None = None
        if stimulus.trigger_channel:
            self._trigger_column = stream.channel_names.index(stimulus.trigger_channel)
            min_width = math.ceil(stimulus.trigger_min_width_ms * fs_hz / 1000.0)
            self._trigger = TriggerReader(stimulus.trigger_threshold, min_width)
        self._triggered = 0  # counter up to which the trigger column has been read
        self._offsets_s = {"signal": 0.0, "markers": 0.0}
        self._has_offset = False
        self._offset_steps_s = 0.0  # steps of the signal's offset in all
        self._is_out_of_reach = False
        self._notices: list[Notice] = []
        self._shift = 0  # the stream's counter less the ring's
        self._newest_lsl = math.nan
        self._ticked_s = 0.0
        # What was added to every marker's time, from which marker on, and what before it.
        self._moved_s, self._moved_after_lsl, self._moved_before_s = 0.0, math.inf, 0.0
        self._ring_s = config.epoch.ring_s
        self._standing: list[AlarmKind] = []  # kinds of break whose notice stands

    @property
    def tally(self) -> Tally:
        """How many stimuli came and what became of them."""
        return self._epochs.tally

    @property
    def pending(self) -> int:
        """Stimuli that still wait for their samples."""
        return self._epochs.pending

    @property
    def now_s(self) -> float:
        """Case time of the newest sample or tick, in s."""
        if not self._clock.segments:
            return 0.0
        return max(self._ticked_s, self._clock.segments[-1].case_s(self._clock.newest_lsl))

    def case_s(self, t_lsl: float) -> float:
        """Case time of ``t_lsl`` on this machine's clock, in s; 0.0 before the first sample."""
        if not self._clock.segments:
            return 0.0
        return max(0.0, self._clock.segments[-1].case_s(self._on_signal(t_lsl)))

    def _on_signal(self, t_lsl: float) -> float:
        """A time on this machine's clock on the signal's.

        Where the device's clock is set, its stamps and its offset tell so at different times, some
        seconds apart: both steps are left out, so that the case's time goes on meanwhile and after.
        """
        steps_s = self._offset_steps_s + self._clock.stepped_s
        return t_lsl - self._offsets_s["signal"] + steps_s

    def number_after(self, trials: int) -> None:
        """So many trials were numbered in an earlier run of the case; before the first stimulus."""
        self._epochs.number_after(trials)

    def take_notices(self) -> list[Notice]:
        """The notices since the last call, oldest first."""
        taken = self._notices
        self._notices = []
        return taken

    def realign(self, stimulus: Stimulus, by_s: float) -> None:
        """Place every stimulus after this one ``by_s`` later than its marker says (s).

        To be called while what :meth:`feed` yielded for ``stimulus`` is in hand: those that follow
        it are not placed yet, so that it does not matter how the signal came in chunks.
        """
        self._moved_before_s = self._moved_s
        self._moved_after_lsl = stimulus.t_lsl - self._moved_s
        self._moved_s += by_s
        self._epochs.move(stimulus.t_lsl, by_s)

    def _moved(self, t_lsl: float) -> float:
        """What to add to a marker's time: one that comes late is from before the last move."""
        is_before = -self._ring_s <= t_lsl - self._moved_after_lsl <= 0.0
        return self._moved_before_s if is_before else self._moved_s

    def feed(self, item: Chunk | Marker | ClockOffset | Tick) -> Iterator[Epoch | Missed]:
        """Take one input; yield what it brought to an end. Exhaust the iterator before the next.

        Raises:
            MonitorError: a chunk does not have the stream's channels, or a stamp a sample.
        """
        if isinstance(item, Chunk):
            yield from self._chunk(item)
        elif isinstance(item, Marker):
            yield from self._marker(item)
        elif isinstance(item, ClockOffset):
            self._offset(item)
        else:
            at_s = self.case_s(item.t_lsl)
            self._ticked_s = max(self._ticked_s, at_s)
            self._note(self._stall.tick(item.t_lsl, at_s))
            if self._trigger is not None and self._clock.segments:
                self._cadence.begin(item.t_lsl)
            self._note(self._cadence.tick(item.t_lsl, at_s))
            self._clock.tick(self._on_signal(item.t_lsl))
            yield from self._epochs.tick(item.t_lsl)
            self._watch_reach(at_s)

    def _offset(self, item: ClockOffset) -> None:
        if item.stream == "signal":
            step_s = item.offset_s - self._offsets_s["signal"]
            if (self._has_offset or self._clock.stepped_s) and abs(step_s) > _OFFSET_STEP_S:
                self._offset_steps_s += step_s
            self._has_offset = True
        self._offsets_s[item.stream] = item.offset_s

    def _watch_reach(self, at_s: float) -> None:
        """Markers so far ahead of the signal that their samples never come: two clocks."""
        if self._stall.stalled:
            self._epochs.out_of_reach = 0  # that is the signal's fault, and said
            return
        is_out = self._epochs.out_of_reach >= OUT_OF_REACH
        begins = is_out and not self._is_out_of_reach
        ends = self._is_out_of_reach and not self._epochs.out_of_reach
        if begins or ends:
            self._is_out_of_reach = begins
            message = "markers reach the signal again"
            if begins:
                message = f"{OUT_OF_REACH} markers in a row were far ahead of the signal"
            self._note(Notice(AlarmKind.CLOCK_FAULT, begins, at_s, message=message, cause="reach"))

    def finish(self) -> Iterator[Epoch | Missed]:
        """The source has ended: release everything that waits."""
        self._clock.close()
        self._note_breaks()
        yield from self._read_trigger()
        yield from self._epochs.release(ended=True)

    # ----------------------------------------------------------------- markers

    def _marker(self, marker: Marker) -> Iterator[Epoch | Missed]:
        if self._trigger is not None:
            return
        correction_s = self._offsets_s["markers"] - self._offsets_s["signal"]
        stimulus, notice = self.stimuli.read(marker, correction_s, self.now_s)
        self._note(notice)
        if stimulus is None:
            return
        if not math.isfinite(stimulus.t_lsl):
            now_lsl = self._newest_lsl if self._clock.segments else 0.0
            yield self._epochs.refuse(replace(stimulus, t_lsl=now_lsl), "its marker has no time")
            return
        yield from self._stimulus(stimulus)
        yield from self._epochs.release()

    def _stimulus(
        self, stimulus: Stimulus, place: tuple[Segment, int] | None = None
    ) -> Iterator[Epoch | Missed]:
        """A stimulus, or a pulse of one; ``place`` where it is known to the sample."""
        moved_s = self._moved(stimulus.t_lsl)
        if moved_s:
            stimulus, place = replace(stimulus, t_lsl=stimulus.t_lsl + moved_s), None
        at_lsl = stimulus.t_lsl + self._offsets_s["signal"]
        self._note(self._cadence.stimulus(at_lsl, self.now_s))
        if self._train_gap_s:
            joined = self._epochs.join(stimulus, self._train_gap_s)
            self.stimuli.matched -= joined
            if joined:
                return
            if self._epochs.has_left(stimulus, self._train_gap_s):
                self.stimuli.matched -= 1
                self.late_pulses += 1
                self._pulse_was_late = True
                message = f"marker '{stimulus.marker}': a pulse came after its train was measured"
                self._note(Notice(AlarmKind.NOT_COMPARABLE, True, self.now_s, message=message))
                return
            if self._pulse_was_late:
                self._pulse_was_late = False
                self._note(Notice(AlarmKind.NOT_COMPARABLE, False, self.now_s))
        yield from self._epochs.add(stimulus, place)

    # ----------------------------------------------------------------- the trigger column

    def _read_trigger(self) -> Iterator[Epoch | Missed]:
        """What the clock now vouches for of the trigger column: edges are placed to the sample."""
        if self._trigger is None:
            return
        for segment in tuple(self._clock.segments):
            end = self._clock.done if segment.end is None else segment.end
            first = max(self._triggered, segment.first, self._ring.oldest)
            if first >= end:
                continue
            if first == segment.first or first > self._triggered:
                self._trigger.reset()
            values = self._ring.sweeps(first, end, (self._trigger_column,))[0]
            self._triggered = end
            for sample in self._trigger.read(values, first):
                fit = segment.fit_at(sample + 1)
                if fit is None:
                    raise AssertionError("the clock has read what the trigger is read from")
                stimulus = self.stimuli.triggered(fit.time_of(sample))
                place = None if self._placed_by_marker else (segment, sample)
                yield from self._stimulus(stimulus, place)

    # ----------------------------------------------------------------- samples

    def _chunk(self, chunk: Chunk) -> Iterator[Epoch | Missed]:
        samples_uv, t_lsl = chunk.samples_uv, chunk.t_lsl
        n = len(samples_uv)
        expected = (n, len(self._stream.channel_names))
        if samples_uv.shape != expected or t_lsl.shape != (n,):
            raise MonitorError(
                f"stream '{self._stream.name}': a chunk of shape {samples_uv.shape} with "
                f"{t_lsl.size} stamps does not fit {expected[1]} channels"
            )
        if n == 0:
            return
        stamped = t_lsl[np.isfinite(t_lsl)]
        if len(stamped):
            newest_lsl = float(stamped[-1]) + self._offsets_s["signal"]
            # At the last tick: when in between they came depends on the chunks.
            self._note(self._stall.chunk(newest_lsl, n / self._stream.fs_hz, self._ticked_s))
        if len(stamped) == n:
            yield from self._run(chunk.first_sample, samples_uv, t_lsl)
        else:
            for first, end in _finite_runs(t_lsl):
                first_sample = chunk.first_sample + first
                yield from self._run(first_sample, samples_uv[first:end], t_lsl[first:end])
            self.left_out += int(np.count_nonzero(~np.isfinite(t_lsl)))

    def _run(
        self, first_sample: int, samples_uv: Float32Array, t_lsl: FloatArray
    ) -> Iterator[Epoch | Missed]:
        """Samples that follow on one another; block by block, so that chunks leave no trace."""
        ring, clock = self._ring, self._clock
        shift = first_sample - ring.counter
        if shift != self._shift or not clock.segments:
            clock.open(shift, float(t_lsl[0]))
            self._shift = shift
            yield from self._advanced()
        at, n = 0, len(samples_uv)
        while at < n:
            stop = min(n, at + clock.block - ring.counter % clock.block)
            ring.append(samples_uv[at:stop], t_lsl[at:stop])
            self._newest_lsl = float(t_lsl[stop - 1])
            at = stop
            if ring.counter >= clock.due:
                clock.advance()
                yield from self._advanced()
            elif self._epochs.is_waiting:
                yield from self._epochs.release()

    def _advanced(self) -> Iterator[Epoch | Missed]:
        self._note_breaks()
        yield from self._read_trigger()
        if self._epochs.is_waiting:
            yield from self._epochs.release()

    # ----------------------------------------------------------------- notices

    def _note(self, notice: Notice | None) -> None:
        if notice is not None:
            self._notices.append(notice)

    def _note_breaks(self) -> None:
        """Breaks found, and breaks so long ago that epochs are whole again."""
        clock = self._clock
        for gap in clock.breaks:
            self.missing += 0 if gap.stepped else max(0, gap.missing)
            kind = AlarmKind.CLOCK_FAULT if gap.stepped else AlarmKind.SIGNAL_GAP
            self._note(Notice(kind, True, gap.at_s, message=_describe(gap)))
            if kind not in self._standing:
                self._standing.append(kind)
        clock.breaks.clear()
        if not self._standing:
            return
        segment = clock.segments[-1]
        whole_at = segment.first + self._epochs.n_samples
        fit = segment.fit_at(whole_at) if clock.done >= whole_at else None
        if fit is not None:
            at_s = segment.case_s(fit.time_of(whole_at))
            for kind in self._standing:
                self._note(Notice(kind, False, at_s, message="epochs are whole again"))
            self._standing.clear()


def _describe(gap: Break) -> str:
    if not gap.stepped:
        return f"{gap.missing} samples are missing ({gap.seconds * 1000:.1f} ms)"
    if gap.seconds < 0:
        return f"the device's clock went back by {-gap.seconds:.3f} s"
    if gap.missing < 0:
        return f"the device's counter went back by {-gap.missing} samples"
    return f"the device's clock went ahead by {gap.seconds:.3f} s"


def _finite_runs(t_lsl: FloatArray) -> list[tuple[int, int]]:
    """Stretches [first, end) in which every stamp is finite."""
    finite = np.concatenate(([False], np.isfinite(t_lsl), [False]))
    edges = np.flatnonzero(finite[1:] != finite[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
