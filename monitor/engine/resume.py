"""Going on with a case whose engine died: what its journal says, and how the numbers go on.

The core starts afresh after a crash; it counts trials, alarms and baselines from 1 and seconds from
its first sample. This shell adds what came before, so that no number is used twice, gives the core
its baselines back as if an operator had set them, and keeps the alarms that stood: nothing can say
that their condition is gone, so the high ones wait, latched, for somebody to acknowledge them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from msgspec import structs

from monitor import wire
from monitor.engine.waveforms import KeptEpoch
from monitor.journal.database import (
    DATABASE_NAME,
    RESTART,
    EventRow,
    InputRow,
    JournalReader,
    append,
    open_for_writing,
)
from monitor.track.alarms import CommandRefused
from monitor.types import (
    Acknowledge,
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    BaselineState,
    CaseStatus,
    Command,
    Event,
    Float32Array,
    MonitorError,
    Notice,
    Priority,
    SetBaseline,
    Stimulus,
    Trial,
)
from monitor.wire import StoredEpoch

BY_MONITOR = "monitor"


class _BaselineBody(msgspec.Struct, frozen=True):
    id: int
    setting: str
    channel: str
    state: BaselineState
    amplitude_uv: float | None
    onset_ms: float | None
    sweep_uv: list[float | None] | None


class _TrialBody(msgspec.Struct, frozen=True):
    trial: int
    setting: str
    intensity: float | None
    pulses_ms: tuple[float, ...]
    marker: str
    waveform: StoredEpoch | None

    def kept(self) -> KeptEpoch | None:
        if self.waveform is None:
            return None
        # Its place in time is not needed to measure it again.
        stimulus = Stimulus(0.0, self.marker, self.setting, self.intensity, self.pulses_ms)
        return KeptEpoch(self.waveform, stimulus)


@dataclass(frozen=True, slots=True, eq=False)
class RestoredBaseline:
    """A baseline of an earlier run: the command that gives it back, and how it was drawn.

    ``sweep_uv`` (n,) float32 and ``onset_ms`` as in :class:`monitor.types.Baseline`.
    """

    command: SetBaseline
    onset_ms: float | None = None
    sweep_uv: Float32Array | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an earlier run left. The default is a new case: nothing, and every shift is 0."""

    last_seq: int = 0
    trials: int = 0
    alarms: int = 0
    baseline_ids: int = 0
    began: datetime | None = None
    offset_s: float = 0.0
    standing: Mapping[int, AlarmCondition] = field(default_factory=lambda: MappingProxyType({}))
    baselines: tuple[RestoredBaseline, ...] = ()
    epochs: Mapping[int, KeptEpoch] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_new(self) -> bool:
        return self.last_seq == 0

    def beginning_at(self, first_sample: datetime) -> Resumed:
        """The first sample of this run came at ``first_sample``: where its seconds start."""
        if self.began is None:
            return replace(self, began=first_sample)
        return replace(self, offset_s=(first_sample - self.began).total_seconds())

    def interrupted(self) -> list[AlarmCondition]:
        """The alarms that stood when the engine died, as they stand now."""
        return list(self.standing.values())

    def baselines_to_restore(self) -> tuple[SetBaseline, ...]:
        return tuple(baseline.command for baseline in self.baselines)

    def as_it_was(self, event: Event) -> Event:
        """What came of giving a baseline back, with what only its display needs."""
        if isinstance(event, Baseline):
            for was in self.baselines:
                if (was.command.setting, was.command.channel) == (event.setting, event.channel):
                    return replace(event, onset_ms=was.onset_ms, sweep_uv=was.sweep_uv)
        return event

    def notices(self) -> list[Notice]:
        """That there was an interruption, for everybody to see."""
        if self.is_new:
            return []
        message = "engine restarted: baselines restored, alarms kept"
        return [Notice(AlarmKind.ENGINE_RESTARTED, active=True, at_s=0.0, message=message)]

    def holds(self, alarm_id: int) -> bool:
        """The alarm is one of an earlier run, which the core does not know."""
        return alarm_id <= self.alarms

    def acknowledge(self, alarm_id: int, by: str, case_s: float) -> tuple[Resumed, AlarmCondition]:
        """Somebody has seen an alarm of an earlier run: it was latched and is resolved now.

        Raises:
            CommandRefused: there is none such, or it is resolved already; or nobody is named.
        """
        if not by.strip():
            raise CommandRefused("acknowledge: by must name a person", "invalid")
        standing = self.standing.get(alarm_id)
        if standing is None:
            raise CommandRefused(f"alarm {alarm_id} is not standing", "not_now")
        at_s = case_s + self.offset_s
        resolved = structs.replace(
            standing,
            state=AlarmState.RESOLVED,
            resolved_s=at_s,
            acknowledged_by=by,
            acknowledged_s=at_s,
        )
        left = {key: alarm for key, alarm in self.standing.items() if key != alarm_id}
        return replace(self, standing=MappingProxyType(left)), resolved

    def shift(self, event: Event) -> Event:
        """An event of the core in the numbers of the whole case."""
        if self.is_new:
            return event
        match event:
            case Trial():
                epoch = event.epoch
                number = event.trial + self.trials
                at_s = event.stimulus_s + self.offset_s
                if epoch is not None:
                    epoch = replace(epoch, trial=number, stimulus_s=at_s)
                return replace(event, trial=number, stimulus_s=at_s, epoch=epoch)
            case AlarmCondition():
                return structs.replace(
                    event,
                    id=event.id + self.alarms,
                    trial=None if event.trial is None else event.trial + self.trials,
                    raised_s=event.raised_s + self.offset_s,
                    resolved_s=self._later(event.resolved_s),
                    acknowledged_s=self._later(event.acknowledged_s),
                )
            case Baseline():
                trials = tuple(trial + self.trials for trial in event.trials)
                return replace(event, id=event.id + self.baseline_ids, trials=trials)
            case Annotation():
                return replace(event, at_s=event.at_s + self.offset_s)
            case CaseStatus():
                return replace(
                    event,
                    at_s=event.at_s + self.offset_s,
                    audio_paused_until_s=self._later(event.audio_paused_until_s),
                )

    def unshift(self, command: Command) -> Command:
        """A command in the core's own numbers."""
        if isinstance(command, Acknowledge):
            return replace(command, alarm_id=command.alarm_id - self.alarms)
        return command

    def _later(self, at_s: float | None) -> float | None:
        return None if at_s is None else at_s + self.offset_s


NEW_CASE = Resumed()


def _interrupted(alarm: AlarmCondition, now_s: float) -> AlarmCondition:
    evidence = {**alarm.evidence, "interrupted": "engine restarted: no longer followed"}
    if alarm.priority is Priority.HIGH and alarm.alarm_class is AlarmClass.PHYSIOLOGICAL:
        # Whoever acknowledged it saw it followed; nobody has seen it since.
        return structs.replace(
            alarm,
            state=AlarmState.LATCHED,
            evidence=evidence,
            acknowledged_by="",
            acknowledged_s=None,
        )
    return structs.replace(alarm, state=AlarmState.RESOLVED, resolved_s=now_s, evidence=evidence)


def read_interrupted(journal: JournalReader, now: datetime) -> Resumed:
    """What the journal of an interrupted case says.

    Args:
        now: UTC; the case's seconds go on from it until the first sample says better.

    Raises:
        MonitorError: the journal can't be read.
    """
    trials = baseline_ids = 0
    epochs: dict[int, KeptEpoch] = {}
    alarms: dict[int, AlarmCondition] = {}
    baselines: dict[tuple[str, str], _BaselineBody] = {}
    for row in journal.walk():
        match row.type:
            case "trial":
                trial = msgspec.json.decode(row.body, type=_TrialBody)
                trials = max(trials, trial.trial)
                kept = trial.kept()
                if kept is not None:
                    epochs[trial.trial] = kept
            case "alarm":
                alarm = wire.read_alarm(row.body)
                alarms[alarm.id] = alarm
            case "baseline":
                baseline = msgspec.json.decode(row.body, type=_BaselineBody)
                baselines[baseline.setting, baseline.channel] = baseline
                baseline_ids = max(baseline_ids, baseline.id)
    began = next((datetime.fromisoformat(i.t) for i in journal.inputs() if i.kind == "start"), None)
    now_s = 0.0 if began is None else (now - began).total_seconds()
    standing = {
        alarm.id: _interrupted(alarm, now_s)
        for alarm in alarms.values()
        if alarm.state is not AlarmState.RESOLVED
    }
    return Resumed(
        last_seq=journal.last_seq,
        trials=trials,
        alarms=max(alarms, default=0),
        baseline_ids=baseline_ids,
        began=began,
        offset_s=now_s,
        standing=MappingProxyType(standing),
        baselines=tuple(_restore(b) for b in baselines.values() if _was_good(b)),
        epochs=MappingProxyType(epochs),
    )


def _was_good(baseline: _BaselineBody) -> bool:
    return baseline.amplitude_uv is not None and baseline.state in (
        BaselineState.USABLE,
        BaselineState.FROZEN,
    )


def _restore(baseline: _BaselineBody) -> RestoredBaseline:
    command = SetBaseline(
        channel=baseline.channel,
        by=BY_MONITOR,
        reason=f"restored after an engine restart (baseline {baseline.id})",
        setting=baseline.setting,
        amplitude_uv=baseline.amplitude_uv,
    )
    sweep_uv = None
    if baseline.sweep_uv is not None:
        sweep_uv = np.array(baseline.sweep_uv, np.float32)  # None becomes NaN
    return RestoredBaseline(command, baseline.onset_ms, sweep_uv)


def account_for_unstored(folder: Path, resumed: Resumed, now: datetime) -> Resumed:
    """Give every number that may have been shown but was never stored an event that says so.

    An event on a slow disk is shown first, and may be lost with the engine. Its number must not
    come again with another event, and one who follows must see no gap: so the numbers that were
    reserved (:data:`monitor.journal.database.SEQ_BLOCK`) are used up here.

    Raises:
        MonitorError: the journal can't be written.
    """
    with JournalReader(folder) as journal:
        reserved = journal.seq_reserved
    if reserved <= resumed.last_seq:
        return resumed
    unstored = range(resumed.last_seq + 1, reserved + 1)
    t = wire.utc_text(now)
    status = CaseStatus(
        resumed.offset_s, "waiting", "the engine stopped before an event of this number was stored"
    )
    body = wire.encode(wire.event_body(status))
    try:
        with closing(open_for_writing(folder)) as connection:
            restart = InputRow(
                resumed.last_seq, t, RESTART, wire.encode({"unstored": unstored[-1]})
            )
            append(connection, [restart, *(EventRow(seq, t, "status", body) for seq in unstored)])
    except sqlite3.Error as error:
        raise MonitorError(f"{folder / DATABASE_NAME}: can't be written: {error}") from None
    return replace(resumed, last_seq=reserved)
