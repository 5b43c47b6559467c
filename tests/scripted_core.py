"""A core whose measurements are written in its markers, and a source that hands them over.

Everything behind the measurement is real: baselines, criterion and alarms are the tracker's.
A marker ``100 0 -`` is a trial of three channels: 100 uV, no response, rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np

from monitor.acquire.epochs import Tally
from monitor.config import CaseConfig
from monitor.inputs import Input, Resume
from monitor.measure.explain import ExplainedSweeps, NetworkName
from monitor.measure.network import Explanation, NetworkOutput
from monitor.measure.resample import NETWORK_SAMPLES
from monitor.sources.base import Item
from monitor.track.tracker import Tracker
from monitor.types import (
    Channel,
    Chunk,
    ClockOffset,
    Epoch,
    Event,
    Float32Array,
    Marker,
    Measurement,
    Status,
    Stimulus,
    StreamInfo,
    Tick,
)

FS_HZ = 5000.0
N_SAMPLES = 20
CHANNELS = (
    Channel("L-APB", "APB", "left"),
    Channel("R-APB", "APB", "right"),
    Channel("L-TA", "TA", "left"),
)
INFO = StreamInfo("scripted", "scripted-1", FS_HZ, tuple(c.name for c in CHANNELS), "simulated")


def measurement(word: str) -> Measurement:
    if word == "-":
        return Measurement(Status.REJECTED, ("nan",))
    amplitude_uv = float(word)
    if amplitude_uv == 0:
        return Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=5.0, snr=1.0)
    return Measurement(
        Status.RESPONSE,
        amplitude_uv=amplitude_uv,
        amplitude_raw_uv=amplitude_uv + 1,
        amplitude_lower_uv=amplitude_uv - 1,
        amplitude_upper_uv=amplitude_uv + 1,
        onset_ms=22.0,
        onset_from_last_ms=22.0,
        snr=20.0,
    )


class ScriptedAcquisition:
    def __init__(self) -> None:
        self.channels = CHANNELS
        self.now_s = 0.0
        self.tally = Tally()
        self.pending = self.missing = self.left_out = self.late_pulses = 0
        self.stimuli = ScriptedMarkers()


class ScriptedMarkers:
    def __init__(self) -> None:
        self.matched = 0
        self.duplicates = 0
        self.seen_markers: dict[str, int] = {}


class ScriptedMeasurer:
    """Sweeps "as measured" are the raw ones plus one, so that a test can tell them apart."""

    explains = True

    def measure(self, epoch: Epoch) -> tuple[tuple[Measurement, ...], Float32Array]:
        words = epoch.stimulus.marker.split()
        return tuple(measurement(w) for w in words), epoch.samples_uv + np.float32(1)

    def explain(self, epoch: Epoch) -> ExplainedSweeps | None:
        """The saliency of a channel is its number; a channel ``-`` was not shown."""
        if not self.explains:
            return None
        words = epoch.stimulus.marker.split()
        shown = tuple(i for i, word in enumerate(words) if word != "-")
        some = np.array(shown, dtype=np.float64)
        return ExplainedSweeps(
            network=NetworkName("scripted", "1", "5c"),
            fs_hz=FS_HZ,
            window_start_ms=4.0,
            faults=tuple("nan" if word == "-" else "" for word in words),
            shown=shown,
            said=NetworkOutput(some, some + 20.0, some, some, some / 10, onset_sd_ms=some / 4),
            why=Explanation(
                embedding=np.zeros((len(shown), 128), np.float32),
                saliency=np.repeat(some.astype(np.float32)[:, None], NETWORK_SAMPLES, axis=1),
            ),
        )


class ScriptedPipeline:
    """Implements :class:`monitor.engine.seams.CasePipeline`."""

    def __init__(self, config: CaseConfig | None = None) -> None:
        self.acquisition = ScriptedAcquisition()
        self.measurer = ScriptedMeasurer()
        self.trials_before = 0
        self.tracker = Tracker(CHANNELS, config or CaseConfig())

    def feed(self, item: Input) -> Iterator[Event]:
        match item:
            case Chunk():
                self.acquisition.now_s = float(item.t_lsl[-1])
            case Marker():
                yield from self._stimulus(item)
            case Tick():
                yield from self.tracker.tick(item.t_lsl)
            case ClockOffset():
                pass
            case Resume():
                self.trials_before = item.trials
                yield from self.tracker.command(item, 0.0)
            case _:
                yield from self.tracker.command(item, item.t_lsl)

    def finish(self) -> Iterator[Event]:
        yield from self.tracker.finish(self.acquisition.now_s)

    def _stimulus(self, marker: Marker) -> Iterator[Event]:
        stimuli = self.acquisition.stimuli
        text = str(marker.value)
        stimuli.seen_markers[text] = stimuli.seen_markers.get(text, 0) + 1
        if text == "not a stimulus":
            return
        stimuli.matched += 1
        trial = stimuli.matched + self.trials_before
        epoch = Epoch(
            trial=trial,
            stimulus=Stimulus(marker.t_lsl, text),
            stimulus_s=marker.t_lsl,
            first_sample=0,
            stimulus_index=4,
            stimulus_fraction=0.25,
            fs_hz=FS_HZ,
            samples_uv=np.full((len(CHANNELS), N_SAMPLES), trial, np.float32),
        )
        yield from self.tracker.trial(epoch, *self.measurer.measure(epoch))


class ScriptedSource:
    """Hands over a list of items, one a read; live ones never end by themselves."""

    warnings: tuple[str, ...] = ()

    def __init__(self, items: Sequence[Item], info: StreamInfo = INFO) -> None:
        self._items = list(items)
        self.info = info

    @property
    def exhausted(self) -> bool:
        return not self._items and self.info.kind != "live"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def read(self, timeout_s: float) -> list[Item]:
        return [self._items.pop(0)] if self._items else []


def chunk(at_s: float, n: int = 10) -> Chunk:
    t_lsl = at_s + np.arange(n) / FS_HZ
    return Chunk(round(at_s * FS_HZ), np.zeros((n, len(CHANNELS)), np.float32), t_lsl)


def loss_and_recovery() -> list[Item]:
    """Ten trials of baseline, three with the left leg gone, three as before."""
    items: list[Item] = []
    trials = ["100 200 300"] * 10 + ["100 200 0"] * 3 + ["100 200 300"] * 3
    for i, text in enumerate(trials):
        items += [chunk(float(i)), Marker(float(i), text), Tick(i + 0.5)]
    return items
