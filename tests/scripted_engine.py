"""An engine that plays a scripted case: the real link to the gateway, no signal behind it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from monitor import wire
from monitor.engine.feed import Ask
from monitor.engine.server import LinkServer
from monitor.journal import database
from monitor.journal.database import EventRow
from monitor.link import (
    BEAT_INTERVAL_S,
    AcknowledgeAlarm,
    AddAnnotation,
    Beat,
    PauseAudioSignal,
    ReadExplanation,
    ReadWaveform,
    Reply,
    ReportReceivers,
    SetNewBaseline,
    WaveformHeader,
    pack_waveform,
)
from monitor.types import Event, Trial
from tests.scripted_case import CHANNELS, FS_HZ, STIMULUS_INDEX, ScriptedCase

CASE: wire.Body = {
    "id": "scripted-1",
    "name": "Scripted case",
    "procedure": "Scoliosis correction T4-L1",
    "kind": "simulated",
    "fs_hz": FS_HZ,
    "channels": wire.channel_list(CHANNELS),
    "pre_ms": 100.0,
    "post_ms": 150.0,
    "blank_before_ms": 0.5,
    "blank_after_ms": 4.0,
    "started_utc": "2026-01-05T08:00:00.000000Z",
    "version": "0.1.0",
    "network": None,
    "alarm_percent": 50.0,
    "resolve_percent": 60.0,
    "baseline_usable": 5,
}


#: Where the window of the explaining network starts, from the first pulse.
EXPLAINED_FROM_MS = 12.0


class ScriptedEngine:
    """Plays trials when the test says so; beats and answers operators by itself.

    ``mute``: the link stays open and no beat comes, as when the data path hangs.
    ``acknowledged`` is what operators have acknowledged, by whom; ``receivers`` what the gateway
    reported of its receivers, ``baselines`` which new ones were asked for, ``explained`` which
    trials were asked about.
    """

    def __init__(self, socket_path: Path, folder: Path) -> None:
        """``folder`` gets the (empty) journal of the case."""
        self.case = ScriptedCase()
        self.mute = False
        self.refusing = False
        self.acknowledged: list[tuple[int, str]] = []
        self.receivers: list[ReportReceivers] = []
        self.baselines: list[SetNewBaseline] = []
        self.explained: list[int] = []
        self.last_seq = 0
        database.create(folder, {"case": wire.encode(CASE).decode()})
        self._server = LinkServer(socket_path, CASE, folder)
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted engine")

    def __enter__(self) -> Self:
        self._server.__enter__()
        with self._lock:
            self._publish(self.case.status)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._thread.join()
        self._server.__exit__(kind, error, trace)

    def play(self, trials: int) -> None:
        """The next ``trials`` stimuli, with all that comes of them."""
        for _ in range(trials):
            with self._lock:
                for event in self.case.trial():
                    self._publish(event)

    def annotate(self, text: str, by: str) -> None:
        """A remark that reaches the record from another screen."""
        with self._lock:
            self._publish(self.case.annotate(text, by))

    def _publish(self, event: Event) -> bytes:
        """Give the event its number, send it, and return its body."""
        if isinstance(event, Trial):
            assert event.sweeps_uv is not None
            names = tuple(c.name for c in CHANNELS)
            n_samples = event.sweeps_uv.shape[1]
            self._server.waveform(
                pack_waveform(
                    WaveformHeader(
                        CASE["id"], event.trial, names, FS_HZ, STIMULUS_INDEX, n_samples
                    ),
                    event.sweeps_uv,
                )
            )
        self.last_seq += 1
        body = wire.encode(wire.event_body(event))
        now = wire.utc_text(datetime.now(UTC))
        self._server.publish(EventRow(self.last_seq, now, wire.event_type(event), body))
        return body

    def _run(self) -> None:
        while not self._leaving.wait(BEAT_INTERVAL_S):
            if self.mute:
                continue
            with self._lock:
                for ask in self._server.take_requests():
                    ask.answer(self._answer(ask))
                trial_age_s = 2.0 if self.case.trials else None
                self._server.beat(Beat(self.last_seq, self.case.case_s, 0.02, trial_age_s))

    def _answer(self, ask: Ask) -> Reply:
        if isinstance(ask.ask, ReportReceivers):
            self.receivers.append(ask.ask)
            return Reply(ask.id, body=msgspec.Raw(b"[]"))
        if self.refusing:
            return Reply(ask.id, 409, "not possible now")
        events: list[Event]
        match ask.ask:
            case AcknowledgeAlarm(alarm_id=alarm_id, by=by):
                self.acknowledged.append((alarm_id, by))
                events = [self.case.acknowledge(alarm_id, by)]
            case AddAnnotation(text=text, by=by):
                events = [self.case.annotate(text, by)]
            case SetNewBaseline():
                self.baselines.append(ask.ask)
                text = f"baseline of {ask.ask.group[0]} (C3-C4 @ 450) was 410 uV, is learning"
                note = self.case.annotate(f"{text}: {ask.ask.reason}", ask.ask.by)
                events = [*self.case.set_baseline(ask.ask), note]
            case PauseAudioSignal(seconds=seconds):
                events = [self.case.pause_audio(seconds)]
            case ReadWaveform(trial=trial):
                return self._waveform(ask.id, trial)
            case ReadExplanation(trial=trial):
                self.explained.append(trial)
                return self._explanation(ask.id, trial)
            case _:
                return Reply(ask.id, 409, "not in the script")
        made = []
        for event in events:
            body = msgspec.Raw(self._publish(event))
            now = wire.utc_text(datetime.now(UTC))
            made.append(wire.Envelope(self.last_seq, now, wire.event_type(event), body))
        return Reply(ask.id, body=msgspec.Raw(msgspec.json.encode(made)))

    def _explanation(self, request_id: int, trial: int) -> Reply:
        """What spoke for a response lies in the 12 ms after its onset."""
        ms = EXPLAINED_FROM_MS + np.arange(500) / 5.0
        channels = []
        for row in self.case.trials[trial - 1].channels:
            onset_ms = row.measurement.onset_ms
            onset = 30.0 if onset_ms is None else onset_ms
            strength = 0.1 if onset_ms is None else 3.0
            channels.append(
                {
                    "channel": row.channel,
                    "muscle": row.muscle,
                    "side": row.side,
                    "fault": "",
                    "response_probability": 0.03 if onset_ms is None else 0.998,
                    "onset_ms": onset,
                    "onset_sd_ms": 1.2,
                    "novelty": 0.5,
                    "novel": False,
                    "saliency": strength * ((ms >= onset) & (ms < onset + 12.0)),
                    "embedding": None,
                }
            )
        body = {
            "trial": trial,
            "network": {"name": "scripted", "version": "1", "sha256": "5c" * 32},
            "fs_hz": 5000.0,
            "window_start_ms": EXPLAINED_FROM_MS,
            "channels": channels,
        }
        return Reply(request_id, body=msgspec.Raw(wire.encode(body)))

    def _waveform(self, request_id: int, trial: int) -> Reply:
        sweeps_uv = self.case.trials[trial - 1].sweeps_uv
        body = {
            "fs_hz": FS_HZ,
            "stimulus_index": STIMULUS_INDEX,
            "channels": [c.name for c in CHANNELS],
            "samples_uv": sweeps_uv,
        }
        return Reply(request_id, body=msgspec.Raw(wire.encode(body)))
