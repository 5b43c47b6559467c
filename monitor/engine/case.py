"""One case, from its source to its journal and its displays.

The order for every input: the core sees it, its events get their numbers, the journal gets them,
and only then (or after 10 ms of a slow disk) does anybody see them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np

from monitor import wire
from monitor.engine.answers import Answers
from monitor.engine.counts import Counts
from monitor.engine.explaining import Explaining
from monitor.engine.feed import Feed
from monitor.engine.kept import KeptEpochs
from monitor.engine.operators import StandingAlarms, command_of
from monitor.engine.resume import NEW_CASE, Resumed
from monitor.engine.seams import SYSTEM_CLOCK, CasePipeline, Clock
from monitor.engine.selfwatch import SelfWatch
from monitor.engine.waveforms import Waveforms, waveform_message
from monitor.inputs import Acknowledge, Annotate, Command
from monitor.journal.database import EventRow, InputRow, Row
from monitor.journal.epochs import EpochsWriter
from monitor.journal.recorder import XdfRecorder
from monitor.journal.writer import JournalWriter
from monitor.link import BEAT_INTERVAL_S, Beat, Operator, RecordCounts, ReportReceivers
from monitor.sources.base import Item, Source
from monitor.sources.input_order import encode_act
from monitor.track.alarms import CommandRefused
from monitor.types import (
    AlarmCondition,
    Chunk,
    ClockOffset,
    Event,
    Marker,
    Notice,
    StreamInfo,
    Tick,
    Trial,
)
from monitor.wire import StoredEpoch, Timing

READ_TIMEOUT_S = 0.05
"""The longest that a command or the engine's beat waits for a silent source."""


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """How a case went, for whoever started it."""

    last_seq: int
    trials: int
    record: RecordCounts


class Engine:
    """Feeds the core, numbers what comes out, keeps it and shows it."""

    def __init__(
        self,
        case_id: str,
        stream: StreamInfo,
        pipeline: CasePipeline,
        journal: JournalWriter,
        epochs: EpochsWriter,
        feed: Feed,
        *,
        kept: KeptEpochs,
        explaining: Explaining,
        real_time: bool = False,
        resumed: Resumed = NEW_CASE,
        clock: Clock = SYSTEM_CLOCK,
        recorder: XdfRecorder | None = None,
    ) -> None:
        """Make the engine of a case whose journal is open.

        Args:
            kept: the epochs that can be read back, those of earlier runs included.
            explaining: answers who asks why the network answered as it did.
            real_time: stamps are on this machine's LSL clock, once corrected, and markers may
                still come; not so for a recording that is read from its file.
            resumed: what an earlier run of this case left; the numbers go on from there.
            recorder: takes everything that comes in, if the raw signal is to be kept.
        """
        self._case_id = case_id
        self._stream = stream
        self._pipeline = pipeline
        self._journal = journal
        self._epochs = epochs
        self._feed = feed
        self._resumed = resumed
        self._clock = clock
        self._real_time = real_time
        self._recorder = recorder
        self._watch = SelfWatch()
        self._alarms = StandingAlarms()
        self._kept = kept
        waveforms = Waveforms(pipeline, kept)
        self._answers = Answers(feed, waveforms, explaining, self._operate, self._receivers)
        self._counts = Counts(journal, epochs, recorder, waveforms, explaining)
        self._seq = resumed.last_seq
        self._inputs: list[Row] = []
        self._trials = 0
        self._signal_offset_s = 0.0
        self._now_t_lsl = 0.0
        self._case_began: datetime | None = None
        self._signal_at: float | None = None
        self._trial_at: float | None = None
        self._beat_at = -np.inf

    def run(
        self, source: Source, stop: Callable[[], bool], notices: Sequence[Notice] = ()
    ) -> CaseOutcome:
        """Follow an opened source until it ends or ``stop`` says so, then close the case.

        A recording that somebody watches stays open after its end, for reading and acknowledging,
        until ``stop``. ``notices`` are technical conditions known before the first sample.
        """
        self._counts.follow(source)
        self._begin(notices)
        while not (stop() or source.exhausted):
            self._answers.turn()
            items = source.read(READ_TIMEOUT_S)
            in_hand = self._clock.lsl()
            for item in items:
                self._take(item, in_hand)
            self._look_around(in_hand)
        if source.exhausted:
            self._notice(self._unmatched(ended=True), self._clock.lsl())
        self._show(self._pipeline.finish(), self._clock.lsl())
        self._beat(self._clock.lsl())
        while self._feed.awaited and not stop():
            self._answers.turn()
            self._look_around(self._clock.lsl())
            time.sleep(READ_TIMEOUT_S)
        return CaseOutcome(
            last_seq=self._seq,
            trials=self._trials,
            record=self._counts.record(),
        )

    # ------------------------------------------------------------------ the data path

    def _begin(self, notices: Sequence[Notice]) -> None:
        """What an earlier run left is said first; a new case has nothing to say."""
        now = self._clock.lsl()
        if not self._resumed.is_new:
            self._show(self._resumed.ended, now, told=True)
            self._show(self._carry_out(self._resumed.command()), now)
        self._notice([*self._resumed.notices(), *notices], now)

    def _take(self, item: Item, in_hand: float) -> None:
        if isinstance(item, Command):
            self._repeat(item, in_hand)
            return
        self._record_input(item)
        match item:
            case Chunk():
                self._signal_at = in_hand
                if self._case_began is None:
                    self._case_began = self._clock.utc()
                    start = {"t_lsl": float(item.t_lsl[0]), "fs_hz": self._stream.fs_hz}
                    self._remember("start", start)
                    self._resumed = self._resumed.beginning_at(self._case_began)
            case Marker():
                self._remember("marker", item)
            case ClockOffset():
                if item.stream == "signal":
                    self._signal_offset_s = item.offset_s
                self._remember("clock_offset", item)
            case Notice():
                self._remember("notice", item)
            case Tick():
                self._now_t_lsl = item.t_lsl
        self._show(self._pipeline.feed(item), in_hand)

    def _carry_out(self, command: Command) -> Iterator[Event]:
        """Let the core carry out a command; it is recorded if it does.

        Raises:
            CommandRefused: at once; nothing has changed.
        """
        if isinstance(command, Acknowledge):
            command = self._alarms.described(command)
        # The core refuses before it changes anything, so its first event decides.
        events = self._pipeline.feed(command)
        first = next(events, None)
        self._record_input(command)
        return iter(()) if first is None else chain((first,), events)

    def _repeat(self, command: Command, in_hand: float) -> None:
        """A command out of a recording: carried out again where that can be done, and else said."""
        try:
            if isinstance(command, Acknowledge):
                command = self._alarms.numbered(command)
            events = self._carry_out(command)
        except CommandRefused as refused:
            text = f"a recorded command was not carried out again: {refused}"
            events = self._pipeline.feed(Annotate(text, "monitor", self._now_t_lsl))
        else:
            self._inputs.append(self._input("command", encode_act(command).encode()))
        self._show(events, in_hand)

    def _record_input(self, item: Item) -> None:
        if self._recorder is not None:
            self._recorder.submit(item)

    def _show(
        self, events: Iterable[Event], in_hand: float, *, told: bool = False
    ) -> list[EventRow]:
        """Number, keep and publish the events of one input, in this order.

        ``told``: they are not the core's, and in the case's seconds already.
        """
        rows: list[EventRow] = []
        timing = Timing()
        for event in events:
            if not told:
                self._alarms.take(event)
                event = self._resumed.told(event)
            stored: StoredEpoch | None = None
            match event:
                case Trial():
                    timing = self._trial_timing(event, in_hand)
                    stored = self._keep(event)
                case AlarmCondition():
                    timing = replace(timing, raised=self._clock.lsl())
            self._seq += 1
            rows.append(
                EventRow(
                    seq=self._seq,
                    t=wire.utc_text(self._clock.utc()),
                    type=wire.event_type(event),
                    body=wire.encode(wire.event_body(event, timing, stored)),
                )
            )
        if rows or self._inputs:
            ticket = self._journal.submit([*self._inputs, *rows])
            self._inputs = []
            if rows and self._feed.awaited and not self._journal.wait_durable(ticket):
                self._counts.shown_before_durable += 1
        if rows:
            self._feed.publish(*rows)
        return rows

    def _remember(self, kind: str, value: object) -> None:
        """An input for the record; it is stored ahead of the events that it causes."""
        self._inputs.append(self._input(kind, wire.encode(value)))

    def _input(self, kind: str, body: bytes) -> InputRow:
        return InputRow(self._seq, wire.utc_text(self._clock.utc()), kind, body)

    def _keep(self, trial: Trial) -> StoredEpoch | None:
        """Store the raw epoch and hand the measured sweeps to whoever watches."""
        self._trials += 1
        self._trial_at = self._clock.lsl()
        if trial.epoch is None:
            return None
        stored = self._epochs.submit(trial.epoch)
        if stored is not None:
            self._kept.keep(trial.trial, stored, trial.stimulus)
        if trial.sweeps_uv is not None and self._feed.receivers:
            channels = self._pipeline.acquisition.channels
            self._feed.waveform(
                waveform_message(self._case_id, channels, trial.epoch, trial.sweeps_uv)
            )
        return stored

    def _trial_timing(self, trial: Trial, in_hand: float) -> Timing:
        """A recorded stimulus happened on another clock than this machine's: no time here."""
        at = trial.stimulus.t_lsl + self._signal_offset_s
        return Timing(
            stimulus=at if self._real_time else None,
            epoch_complete=in_hand if trial.epoch is not None else None,
            measured=self._clock.lsl(),
        )

    # ------------------------------------------------------------------ the engine itself

    def _look_around(self, now: float) -> None:
        """A few times a second: am I being recorded, watched and fed with what I wait for?"""
        if now - self._beat_at < BEAT_INTERVAL_S:
            return
        self._beat(now)
        acquisition = self._pipeline.acquisition
        notices = self._watch.look(
            now,
            acquisition.now_s,
            self._counts.fault(),
            self._feed.receivers,
            self._feed.awaited,
        )
        if self._real_time or self._feed.awaited:
            # A replay that nobody watches says it once, at its end: the same events at any speed.
            notices += self._unmatched(ended=False)
        self._notice(notices, now)
        if self._inputs:
            self._show((), now)

    def _unmatched(self, *, ended: bool) -> list[Notice]:
        acquisition = self._pipeline.acquisition
        stimuli = acquisition.stimuli
        return self._watch.markers(
            acquisition.now_s, stimuli.matched, stimuli.seen_markers, ended=ended
        )

    def _notice(self, notices: list[Notice], now: float) -> None:
        if notices:
            self._show(self._pipeline.tracker.notices(notices), now)

    def _beat(self, now: float) -> None:
        self._beat_at = now
        self._feed.beat(
            Beat(
                seq=self._seq,
                case_s=self._pipeline.acquisition.now_s + self._resumed.offset_s,
                signal_age_s=None if self._signal_at is None else now - self._signal_at,
                trial_age_s=None if self._trial_at is None else now - self._trial_at,
                record=self._counts.record(),
                queues=self._counts.queues(self._pipeline.acquisition, self._feed.counts),
            )
        )

    # ------------------------------------------------------------------ what others ask

    def _receivers(self, report: ReportReceivers) -> tuple[str, ...]:
        """Take a gateway's report of its receivers; gives those that the one before it knew."""
        known = self._watch.receivers(report)
        lost = self._watch.receivers_lost(self._pipeline.acquisition.now_s)
        self._notice([lost], self._clock.lsl())
        return known

    def _operate(self, ask: Operator) -> bytes:
        """An operator's act: the events that it made. Refused: nothing has changed."""
        now = self._clock.lsl()
        events = self._carry_out(command_of(ask, self._now_t_lsl))
        self._remember("command", ask)
        rows = self._show(events, now)
        envelopes = [wire.Envelope(r.seq, r.t, r.type, msgspec.Raw(r.body)) for r in rows]
        return wire.encode(envelopes)


def run_case(
    source: Source,
    pipeline: CasePipeline,
    folder: Path,
    feed: Feed,
    *,
    case_id: str,
    real_time: bool = False,
    resumed: Resumed = NEW_CASE,
    notices: Sequence[Notice] = (),
    stop: Callable[[], bool] = lambda: False,
    clock: Clock = SYSTEM_CLOCK,
    recorder: XdfRecorder | None = None,
) -> CaseOutcome:
    """Run an opened source through the core into the journal of ``folder``, which must exist.

    Raises:
        MonitorError: the source failed in a way that a person can mend, or journal or epochs can't
            be written. The journal then holds everything up to there.
    """
    patient = not feed.awaited
    with (
        JournalWriter(folder, wait_for_room=patient) as journal,
        EpochsWriter(folder, wait_for_room=patient) as epochs,
        Explaining(pipeline, kept := KeptEpochs(folder, epochs, resumed.epochs)) as explaining,
    ):
        engine = Engine(
            case_id,
            source.info,
            pipeline,
            journal,
            epochs,
            feed,
            kept=kept,
            explaining=explaining,
            real_time=real_time,
            resumed=resumed,
            clock=clock,
            recorder=recorder,
        )
        return engine.run(source, stop, notices)
