"""The data path, in order, in one screen: samples and time go in, events come out.

PURE: no I/O, no threads, no clock, no randomness. Live and replay differ in the source alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitor.acquire.acquisition import Acquisition
from monitor.config import CaseConfig
from monitor.inputs import Input, Resume
from monitor.measure.alignment import (
    Alignment,
    AlignmentWatch,
    set_aside,
    set_detached_aside,
)
from monitor.measure.epoch import EpochMeasurer
from monitor.measure.network import Network
from monitor.track.tracker import Tracker
from monitor.types import (
    Annotation,
    Chunk,
    ClockOffset,
    Epoch,
    Event,
    Marker,
    Missed,
    Notice,
    Status,
    StreamInfo,
    Tick,
)


class Pipeline:
    """One case, from samples to events.

    State is the fold of everything fed so far: feeding the same inputs in the same order gives the
    same events, bit for bit, whatever the size of the chunks.
    """

    def __init__(self, stream: StreamInfo, config: CaseConfig, network: Network | None) -> None:
        self.acquisition = Acquisition(stream, config)
        self.measurer = EpochMeasurer(stream.fs_hz, self.acquisition.channels, config, network)
        self.alignment = AlignmentWatch(config.stimulus.realign_after)
        model = f"{network.name} {network.version} {network.sha256}" if network else ""
        self.tracker = Tracker(self.acquisition.channels, config, model)

    def feed(self, item: Input) -> Iterator[Event]:
        """Take one input; yield what came of it, in order. Exhaust the iterator before the next."""
        if isinstance(item, Chunk | Marker | ClockOffset | Tick):
            for released in self.acquisition.feed(item):
                yield from self._released(released)
            yield from self.tracker.notices(self.acquisition.take_notices())
            if isinstance(item, Tick):
                yield from self.tracker.tick(self.acquisition.case_s(item.t_lsl))
        elif isinstance(item, Notice):
            yield from self.tracker.notices([replace(item, at_s=self.acquisition.now_s)])
        else:
            if isinstance(item, Resume):
                self.acquisition.number_after(item.trials)
            yield from self.tracker.command(item, self.acquisition.case_s(item.t_lsl))

    def finish(self) -> Iterator[Event]:
        """The source has ended: release what still waits, as incomplete, and close the case."""
        for released in self.acquisition.finish():
            yield from self._released(released)
        yield from self.tracker.notices(self.acquisition.take_notices())
        yield from self._unverified(self.acquisition.now_s, ended=True)
        yield from self.tracker.finish(self.acquisition.now_s)

    def _released(self, released: Epoch | Missed) -> Iterator[Event]:
        if isinstance(released, Missed):
            yield from self.tracker.missed(released)
            return
        measurements, sweeps_uv = self.measurer.measure(released)
        # An electrode's pop, or what else leaves an amplitude in doubt, is nobody's answer.
        answered = any(
            m.status is Status.RESPONSE and not m.amplitude_uncertain for m in measurements
        )
        alignment = self.alignment.look(released, answered=answered)
        if alignment in (Alignment.MISALIGNED, Alignment.NOT_DELIVERED):
            measurements = tuple(set_aside(m, alignment) for m in measurements)
        elif self.alignment.detached:
            measurements = set_detached_aside(measurements, self.alignment.detached)
        yield from self.tracker.trial(released, measurements, sweeps_uv)
        yield from self.tracker.notices(self.alignment.take_notices())
        realigned = self.alignment.take_realigned()
        if realigned is not None:
            self.acquisition.realign(released.stimulus, realigned.moved_ms / 1000.0)
            yield Annotation(released.stimulus_s, realigned.message, "monitor")
        yield from self._unverified(released.stimulus_s)

    def _unverified(self, at_s: float, *, ended: bool = False) -> Iterator[Event]:
        if self.alignment.unverified(ended=ended):
            text = "alignment unverified: no stimulus artefact was seen on any channel"
            yield Annotation(at_s, text, "monitor")
