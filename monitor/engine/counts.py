"""What the engine's beat tells of its record and its queues, gathered from where it is counted."""

from __future__ import annotations

from monitor.acquire.stimuli import OTHERS
from monitor.engine.explaining import Explaining
from monitor.engine.feed import FeedCounts
from monitor.engine.seams import Acquiring
from monitor.engine.waveforms import Waveforms
from monitor.journal.epochs import EpochsWriter
from monitor.journal.recorder import XdfRecorder
from monitor.journal.writer import JournalWriter
from monitor.link import RecordCounts
from monitor.queues import QueueCounts
from monitor.sources.base import Shedding, Source


class Counts:
    """The writers of one case, and what else holds a queue."""

    def __init__(
        self,
        journal: JournalWriter,
        epochs: EpochsWriter,
        recorder: XdfRecorder | None,
        waveforms: Waveforms,
        explaining: Explaining,
    ) -> None:
        self._journal = journal
        self._epochs = epochs
        self._recorder = recorder
        self._waveforms = waveforms
        self._explaining = explaining
        self._source: Shedding | None = None
        self.shown_before_durable = 0

    def follow(self, source: Source) -> None:
        """From now on the case comes from this source."""
        self._source = source if isinstance(source, Shedding) else None

    def fault(self) -> str:
        """Why something is not being kept; empty where all is."""
        fault = self._journal.fault() or self._epochs.fault()
        if not fault and self._recorder is not None:
            fault = self._recorder.fault()
        return fault

    def record(self) -> RecordCounts:
        """How keeping the record went so far."""
        journal = self._journal.counts()
        return RecordCounts(
            slow_commits=journal.slow,
            failed_commits=journal.failed,
            shown_before_durable=self.shown_before_durable,
            entries_shed=journal.shed,
            epochs_shed=self._epochs.shed,
            inputs_shed=0 if self._recorder is None else self._recorder.shed,
        )

    def queues(self, acquisition: Acquiring, feed: FeedCounts) -> QueueCounts:
        """What every queue holds and has shed so far."""
        tally, stimuli = acquisition.tally, acquisition.stimuli
        return QueueCounts(
            stimuli_seen=tally.seen,
            stimuli_delivered=tally.delivered,
            stimuli_gap=tally.gap,
            stimuli_late=tally.late,
            stimuli_incomplete=tally.incomplete,
            stimuli_waiting=acquisition.pending,
            stimuli_crowded_out=tally.crowded_out,
            stimuli_duplicate=stimuli.duplicates,
            late_pulses=acquisition.late_pulses,
            marker_texts_merged=stimuli.seen_markers.get(OTHERS, 0),
            samples_missing=acquisition.missing,
            samples_left_out=acquisition.left_out,
            clock_offsets_shed=0 if self._source is None else self._source.offsets_shed,
            raw_waiting=0 if self._recorder is None else self._recorder.waiting,
            journal_waiting=self._journal.waiting,
            epochs_waiting=self._epochs.waiting,
            requests_refused=feed.requests_refused,
            waveforms_refused=self._waveforms.refused,
            explanations_refused=self._explaining.refused,
            link_backlog_bytes=feed.backlog_bytes,
            gateways_cut_off=feed.cut_off,
        )
