"""Waveforms that somebody asks for again: read from ``epochs.bin``, measured again, one at a time.

Clients decide how many they want, so the data path decides how many it gives: one a turn, and it
never waits for the disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from monitor import wire
from monitor.engine.feed import Ask
from monitor.engine.seams import CasePipeline
from monitor.journal.epochs import EpochsWriter, read_epoch
from monitor.link import ReadWaveform, Reply
from monitor.types import Epoch, MonitorError, Stimulus
from monitor.wire import StoredEpoch

WAITING = 16
"""Requests that wait for their turn; one more is answered 503 at once."""


@dataclass(frozen=True, slots=True)
class KeptEpoch:
    """What it takes to show a trial's waveform again."""

    stored: StoredEpoch
    stimulus: Stimulus


class Waveforms:
    """Knows where each trial's epoch is, earlier runs of the case included.

    ``refused`` counts the requests that found too many others waiting.
    """

    def __init__(
        self,
        folder: Path,
        pipeline: CasePipeline,
        epochs: EpochsWriter,
        earlier: Mapping[int, KeptEpoch],
    ) -> None:
        self._folder = folder
        self._pipeline = pipeline
        self._epochs = epochs
        self._kept = dict(earlier)
        self._waiting: deque[tuple[Ask, ReadWaveform]] = deque()
        self.refused = 0

    def keep(self, trial: int, stored: StoredEpoch, stimulus: Stimulus) -> None:
        """The epoch of ``trial`` (in the numbers of the whole case) goes there."""
        self._kept[trial] = KeptEpoch(stored, stimulus)

    def take(self, ask: Ask, wanted: ReadWaveform) -> None:
        """Queue a request, or refuse it where too many wait."""
        if len(self._waiting) < WAITING:
            self._waiting.append((ask, wanted))
        else:
            self.refused += 1
            ask.answer(Reply(ask.id, 503, "too many waveforms are asked for at once"))

    def answer_one(self) -> None:
        """Answer the request that has waited longest."""
        if self._waiting:
            ask, wanted = self._waiting.popleft()
            ask.answer(self._reply(ask.id, wanted))

    def _reply(self, number: int, wanted: ReadWaveform) -> Reply:
        kept = self._kept.get(wanted.trial)
        if kept is None:
            return Reply(number, 404, f"no waveform for trial {wanted.trial}")
        if not self._epochs.is_stored(kept.stored):
            return Reply(number, 503, f"trial {wanted.trial} is not on the disk yet: ask again")
        try:
            body = self._body(kept, wanted)
        except MonitorError as damaged:
            return Reply(number, 409, str(damaged))
        return Reply(number, body=msgspec.Raw(body))

    def _body(self, kept: KeptEpoch, wanted: ReadWaveform) -> bytes:
        """The samples; measured ones are measured again, bit for bit."""
        stored = kept.stored
        samples_uv = read_epoch(self._folder, stored)
        if not wanted.raw:
            epoch = Epoch(
                trial=wanted.trial,
                stimulus=kept.stimulus,
                stimulus_s=0.0,
                first_sample=0,
                stimulus_index=stored.stimulus_index,
                stimulus_fraction=stored.stimulus_fraction,
                fs_hz=stored.fs_hz,
                samples_uv=samples_uv,
            )
            _, samples_uv = self._pipeline.measurer.measure(epoch)
        return wire.encode(
            {
                "fs_hz": stored.fs_hz,
                "stimulus_index": stored.stimulus_index,
                "channels": [c.name for c in self._pipeline.acquisition.channels],
                "samples_uv": samples_uv.astype(np.float64),
            }
        )
