"""Going on with a case whose engine died: what its journal says, and how the numbers go on.

The core starts afresh after a crash. One command (:class:`monitor.inputs.Resume`), read from the
journal here, gives it back its baselines, the conditions that stood and the last number of
everything, so that none is used twice. What stood goes on standing as it was: nothing is known of
it until the next trial, and its evidence says so. Technical conditions are found anew by whoever
looks for them, so those of the earlier run end. Seconds of the core count from its first sample;
this shell adds what came before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from msgspec import structs

from monitor import wire
from monitor.engine.kept import KeptEpoch
from monitor.inputs import (
    Resume,
    ResumedAlarm,
    ResumedBaseline,
    ResumedRemark,
    ResumedResponse,
)
from monitor.journal.database import (
    DATABASE_NAME,
    RESTART,
    EventRow,
    InputRow,
    JournalReader,
    append,
    open_for_writing,
)
from monitor.track.advisory import ADVISORY_KINDS, shape_of
from monitor.track.baseline import floor_of
from monitor.track.context import NOTED_FOR_S
from monitor.track.evidence import INTERRUPTED, PRESENT_ELSEWHERE
from monitor.track.inherited import LOSS_KINDS
from monitor.track.learning import OF_A_BASELINE
from monitor.track.loss import RECOVER_TRIALS
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    BaselineState,
    CaseStatus,
    Event,
    Float32Array,
    Measurement,
    MonitorError,
    Notice,
    Priority,
    Status,
    Stimulus,
    Trial,
)
from monitor.wire import StoredEpoch


class _BaselineHead(msgspec.Struct, frozen=True):
    """What decides whether a baseline is gone on with, and how it is drawn."""

    id: int
    setting: str
    channel: str
    state: BaselineState
    amplitude_uv: float | None
    sweep_uv: list[float | None] | None
    set_by: str = ""


class _RowBody(msgspec.Struct, frozen=True):
    channel: str
    status: Status
    amplitude_uv: float | None
    onset_ms: float | None
    phases: int | None
    snr: float | None
    noise_uv: float | None


class _TrialBody(msgspec.Struct, frozen=True):
    trial: int
    stimulus_s: float
    setting: str
    intensity: float | None
    pulses_ms: tuple[float, ...]
    marker: str
    channels: tuple[_RowBody, ...]
    waveform: StoredEpoch | None

    def kept(self) -> KeptEpoch | None:
        if self.waveform is None:
            return None
        # Its place in time is not needed to measure it again.
        stimulus = Stimulus(0.0, self.marker, self.setting, self.intensity, self.pulses_ms)
        return KeptEpoch(self.waveform, stimulus)


class _RemarkBody(msgspec.Struct, frozen=True):
    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an earlier run left. The default is a new case: nothing, and ``offset_s`` is 0.

    ``standing``: the conditions that the core takes over; ``ended``: those that it does not, as
    they end; ``sweeps_uv``: how each baseline (setting, channel) was drawn, (n,) float32.
    """

    last_seq: int = 0
    trials: int = 0
    alarms: int = 0
    baseline_ids: int = 0
    began: datetime | None = None
    offset_s: float = 0.0
    standing: Mapping[int, ResumedAlarm] = field(default_factory=lambda: MappingProxyType({}))
    ended: tuple[AlarmCondition, ...] = ()
    baselines: tuple[ResumedBaseline, ...] = ()
    remarks: tuple[ResumedRemark, ...] = ()
    sweeps_uv: Mapping[tuple[str, str], Float32Array] = field(
        default_factory=lambda: MappingProxyType({})
    )
    epochs: Mapping[int, KeptEpoch] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_new(self) -> bool:
        return self.last_seq == 0

    def beginning_at(self, first_sample: datetime) -> Resumed:
        """The first sample of this run came at ``first_sample``: where its seconds start."""
        if self.began is None:
            return replace(self, began=first_sample)
        return replace(self, offset_s=(first_sample - self.began).total_seconds())

    def command(self) -> Resume:
        """What gives the core everything back."""
        return Resume(
            trials=self.trials,
            alarms=self.alarms,
            baseline_ids=self.baseline_ids,
            baselines=self.baselines,
            standing=tuple(self.standing.values()),
            remarks=self.remarks,
        )

    def notices(self) -> list[Notice]:
        """That there was an interruption, for everybody to see."""
        if self.is_new:
            return []
        message = "engine restarted: baselines restored, alarms kept"
        return [Notice(AlarmKind.ENGINE_RESTARTED, active=True, at_s=0.0, message=message)]

    def told(self, event: Event) -> Event:
        """An event of the core as the whole case has it: in its seconds, and fit to be drawn."""
        if self.is_new:
            return event
        match event:
            case Trial():
                epoch, at_s = event.epoch, event.stimulus_s + self.offset_s
                if epoch is not None:
                    epoch = replace(epoch, stimulus_s=at_s)
                return replace(event, stimulus_s=at_s, epoch=epoch)
            case AlarmCondition():
                return self._alarm(event)
            case Baseline():
                was = self.sweeps_uv.get((event.setting, event.channel))
                # The core has no sweeps of the earlier run; the numbers are those of its baselines.
                inherited = event.id <= self.baseline_ids and event.amplitude_uv is not None
                if was is not None and inherited and event.sweep_uv is None:
                    return replace(event, sweep_uv=was)
                return event
            case Annotation():
                return replace(event, at_s=event.at_s + self.offset_s)
            case CaseStatus():
                return replace(
                    event,
                    at_s=event.at_s + self.offset_s,
                    audio_paused_until_s=self._later(event.audio_paused_until_s),
                )

    def _alarm(self, event: AlarmCondition) -> AlarmCondition:
        """What an inherited condition has from the earlier run is in the case's seconds already."""
        inherited = self.standing.get(event.id)
        was = None if inherited is None else inherited.condition
        evidence = event.evidence
        recovered_s = evidence.get("recovered_s")
        if isinstance(recovered_s, float) and (
            was is None or was.evidence.get("recovered_s") != recovered_s
        ):
            evidence = {**evidence, "recovered_s": recovered_s + self.offset_s}
        acknowledged_s = event.acknowledged_s
        if was is None or was.acknowledged_s != acknowledged_s:
            acknowledged_s = self._later(acknowledged_s)
        return structs.replace(
            event,
            raised_s=event.raised_s + self.offset_s if was is None else was.raised_s,
            resolved_s=self._later(event.resolved_s),
            acknowledged_s=acknowledged_s,
            evidence=evidence,
        )

    def _later(self, at_s: float | None) -> float | None:
        return None if at_s is None else at_s + self.offset_s


NEW_CASE = Resumed()


_NONE_RECOVERED = f"0 of {RECOVER_TRIALS}"

_TAKEN_OVER = LOSS_KINDS.union(ADVISORY_KINDS, {AlarmKind.ESCALATION_EXHAUSTED})
"""What the core goes on with. Any other condition is found anew where it still is one."""


@dataclass(slots=True)
class _Record:
    """The journal's events as they are walked through, in order."""

    trials: dict[int, _TrialBody] = field(default_factory=dict)
    alarms: dict[int, AlarmCondition] = field(default_factory=dict)
    high_since: dict[int, str] = field(default_factory=dict)
    baselines: dict[tuple[str, str], tuple[_BaselineHead, bytes]] = field(default_factory=dict)
    baseline_ids: int = 0
    acknowledged: dict[int, AlarmCondition] = field(default_factory=dict)
    remarks: list[_RemarkBody] = field(default_factory=list)

    def take(self, row: EventRow) -> None:
        match row.type:
            case "trial":
                trial = msgspec.json.decode(row.body, type=_TrialBody)
                self.trials[trial.trial] = trial
            case "alarm":
                alarm = wire.read_alarm(row.body)
                self.alarms[alarm.id] = alarm
                if alarm.priority is Priority.HIGH and alarm.state is not AlarmState.ACKNOWLEDGED:
                    self.high_since.setdefault(alarm.id, row.t)
                else:
                    self.high_since.pop(alarm.id, None)
                if alarm.state is AlarmState.ACKNOWLEDGED:
                    self.acknowledged.setdefault(alarm.id, alarm)
                else:
                    self.acknowledged.pop(alarm.id, None)
            case "baseline":
                head = msgspec.json.decode(row.body, type=_BaselineHead)
                self.baselines[head.setting, head.channel] = head, row.body
                self.baseline_ids = max(self.baseline_ids, head.id)
            case "annotation":
                remark = msgspec.json.decode(row.body, type=_RemarkBody)
                if not remark.text.startswith(OF_A_BASELINE):
                    self.remarks.append(remark)

    def standing(self, alarm: AlarmCondition, began: datetime | None, now_s: float) -> ResumedAlarm:
        """A condition that the core takes over, with the seconds of the new run."""
        followed = alarm.alarm_class is AlarmClass.PHYSIOLOGICAL
        if followed and alarm.state is not AlarmState.LATCHED:
            evidence = {**alarm.evidence, INTERRUPTED: "engine restarted: no trial since"}
            alarm = structs.replace(alarm, evidence=evidence)
        trial = self._latest_trial(alarm)
        recovered = alarm.evidence.get("recovering", _NONE_RECOVERED) != _NONE_RECOVERED
        answered = recovered or PRESENT_ELSEWHERE in alarm.evidence
        alone = alarm.state is AlarmState.UNCONFIRMED and not answered
        high_since = self.high_since.get(alarm.id)
        high_since_s = None
        if high_since is not None and began is not None:
            high_since_s = (datetime.fromisoformat(high_since) - began).total_seconds() - now_s
        return ResumedAlarm(
            alarm,
            alone_since_s=trial.stimulus_s - now_s if alone and trial is not None else None,
            high_since_s=high_since_s,
            acknowledged=self.acknowledged.get(alarm.id),
        )

    def _latest_trial(self, alarm: AlarmCondition) -> _TrialBody | None:
        """The latest comparable trial, whichever way it went, or that which raised the alarm."""
        latest = alarm.evidence.get("latest_trial", alarm.trial)
        return self.trials.get(latest) if isinstance(latest, int) else None

    def baseline(self, body: bytes) -> ResumedBaseline:
        """The baseline of an event's body, whose fields have the same names."""
        was = msgspec.json.decode(body, type=ResumedBaseline)
        if was.state is BaselineState.FROZEN:
            return was
        return replace(was, learned=tuple(self._learned(was)))

    def _learned(self, was: ResumedBaseline) -> Iterator[ResumedResponse]:
        for number in was.trials:
            trial = self.trials.get(number)
            rows = () if trial is None else trial.channels
            for row in rows:
                if row.channel == was.channel and row.amplitude_uv:
                    m = Measurement(
                        row.status, snr=row.snr, phases=row.phases, noise_uv=row.noise_uv
                    )
                    yield ResumedResponse(
                        number, row.amplitude_uv, row.onset_ms, shape_of(m), floor_of(m)
                    )


def read_interrupted(journal: JournalReader, now: datetime) -> Resumed:
    """What the journal of an interrupted case says.

    Args:
        now: UTC; the case's seconds go on from it until the first sample says better.

    Raises:
        MonitorError: the journal can't be read.
    """
    record = _Record()
    for row in journal.walk():
        record.take(row)
    began = next((datetime.fromisoformat(i.t) for i in journal.inputs() if i.kind == "start"), None)
    now_s = 0.0 if began is None else (now - began).total_seconds()
    open_ = [alarm for alarm in record.alarms.values() if alarm.state is not AlarmState.RESOLVED]
    good = [(head, body) for head, body in record.baselines.values() if _goes_on(head)]
    kept = {number: trial.kept() for number, trial in record.trials.items()}
    return Resumed(
        last_seq=journal.last_seq,
        trials=max(record.trials, default=0),
        alarms=max(record.alarms, default=0),
        baseline_ids=record.baseline_ids,
        began=began,
        offset_s=now_s,
        standing=MappingProxyType(
            {a.id: record.standing(a, began, now_s) for a in open_ if a.kind in _TAKEN_OVER}
        ),
        ended=tuple(_ended(a, now_s) for a in open_ if a.kind not in _TAKEN_OVER),
        baselines=tuple(record.baseline(body) for _, body in good),
        remarks=tuple(
            ResumedRemark(remark.at_s - now_s, remark.text)
            for remark in record.remarks
            if remark.at_s >= now_s - NOTED_FOR_S
        ),
        sweeps_uv=MappingProxyType(
            {(b.setting, b.channel): _sweep(b.sweep_uv) for b, _ in good if b.sweep_uv is not None}
        ),
        epochs=MappingProxyType({n: epoch for n, epoch in kept.items() if epoch is not None}),
    )


def _ended(alarm: AlarmCondition, now_s: float) -> AlarmCondition:
    evidence = {**alarm.evidence, INTERRUPTED: "engine restarted: no longer followed"}
    return structs.replace(alarm, state=AlarmState.RESOLVED, resolved_s=now_s, evidence=evidence)


def _goes_on(baseline: _BaselineHead) -> bool:
    """It is usable, or an operator had it learned anew: who did, and why, stays on record."""
    if baseline.state in (BaselineState.USABLE, BaselineState.FROZEN):
        return baseline.amplitude_uv is not None
    return bool(baseline.set_by)


def _sweep(sweep_uv: list[float | None]) -> Float32Array:
    return np.array(sweep_uv, np.float32)  # None becomes NaN


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
