"""Waveforms that somebody asks for again: read from ``epochs.bin``, measured again, one at a time.

Clients decide how many they want, so the data path decides how many it gives: one a turn, and it
never waits for the disk.
"""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np

from monitor import wire
from monitor.engine.feed import Ask
from monitor.engine.kept import KeptEpochs, NotKeptError
from monitor.engine.seams import CasePipeline
from monitor.link import ReadWaveform, Reply, WaveformHeader, pack_waveform
from monitor.types import Channel, Epoch, Float32Array

WAITING = 16
"""Requests that wait for their turn; one more is answered 503 at once."""


class Waveforms:
    """Answers with a trial's samples. ``refused`` counts the requests that found too many others
    waiting."""

    def __init__(self, pipeline: CasePipeline, kept: KeptEpochs) -> None:
        self._pipeline = pipeline
        self._kept = kept
        self._waiting: deque[tuple[Ask, ReadWaveform]] = deque()
        self.refused = 0

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
        """The samples; measured ones are measured again, bit for bit."""
        try:
            epoch = self._kept.read(wanted.trial)
        except NotKeptError as why:
            return Reply(number, why.status, str(why))
        samples_uv = epoch.samples_uv
        if not wanted.raw:
            _, samples_uv = self._pipeline.measurer.measure(epoch)
        body = {
            "fs_hz": epoch.fs_hz,
            "stimulus_index": epoch.stimulus_index,
            "channels": [c.name for c in self._pipeline.acquisition.channels],
            "samples_uv": samples_uv.astype(np.float64),
        }
        return Reply(number, body=msgspec.Raw(wire.encode(body)))


def waveform_message(
    case_id: str, channels: tuple[Channel, ...], epoch: Epoch, sweeps_uv: Float32Array
) -> bytes:
    """A trial's sweeps as the live feed sends them; ``sweeps_uv`` is (channels, n), as measured."""
    header = WaveformHeader(
        case=case_id,
        trial=epoch.trial,
        channels=tuple(c.name for c in channels),
        fs_hz=epoch.fs_hz,
        stimulus_index=epoch.stimulus_index,
        n_samples=epoch.samples_uv.shape[1],
    )
    return pack_waveform(header, sweeps_uv)
