"""Measured trials, notices, time and operators' commands in; everything the record holds out.

Each method works its whole input through before it yields the first event, so a refused command
has changed nothing. A trial is judged as a whole: percent of baseline on every channel first, then
the alarm conditions (whether a loss is focal shows in the other muscles), then what the baselines
learn.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from monitor.config import CaseConfig
from monitor.inputs import (
    Acknowledge,
    Annotate,
    Command,
    PauseAudio,
    Resume,
    SetBaseline,
)
from monitor.track.advisory import VOTED_KINDS
from monitor.track.alarms import AlarmBook, CommandRefused
from monitor.track.audio import AudioPause
from monitor.track.buried import set_buried_aside
from monitor.track.case import CaseLife
from monitor.track.context import Confounders
from monitor.track.criteria import Comparison, DropCriterion
from monitor.track.kinds import ALARM_TABLE
from monitor.track.learning import OF_A_BASELINE, CaseBaselines
from monitor.track.rejects import Rejects
from monitor.track.scope import is_lost_or_sudden
from monitor.track.settings import KnownSettings
from monitor.track.stimulation import StimulationWatch
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    Channel,
    ChannelTrial,
    Epoch,
    Event,
    Float32Array,
    Measurement,
    Missed,
    Notice,
    Status,
    Stimulus,
    Trial,
)

__all__ = ["CommandRefused", "Tracker"]


class Tracker:
    """One case: its baselines, its criterion and its alarm conditions.

    Exhaust each iterator before the next call. There is no clock: ``*_s`` are seconds since the
    first sample of the case.
    """

    def __init__(self, channels: tuple[Channel, ...], config: CaseConfig, model: str = "") -> None:
        """``model``: name and hash of the network that measured along, for the record."""
        self._channels = channels
        self._config = config
        self._by_name = {channel.name: channel for channel in channels}
        self._track = config.track
        self._criterion = DropCriterion(config.track)
        profile = f"{config.case.profile} {config.track.profile_version}"
        self._alarms = AlarmBook(config.track, {"profile": profile, "model": model})
        known = KnownSettings(trains=config.stimulus.train_gap_ms > 0)
        self._baselines = CaseBaselines(channels, config.track, self._alarms, known)
        self._settings = self._baselines.settings
        self._rejects = Rejects(channels, self._alarms.simple)
        self._stimulation = StimulationWatch(
            channels, config.track, self._alarms, self._settings, known
        )
        self._confounders = Confounders()
        self._case = CaseLife()
        self._audio = AudioPause(self._case, self._alarms)

    def warm_up(self) -> None:
        """Compile and cache every kernel on a made-up case, so that no real trial has to wait.

        Its baselines are learned and then lost: some kernels run at the fifth trial first.
        """
        case = Tracker(self._channels, self._config)
        sweeps_uv = np.zeros((len(self._channels), 2), np.float32)
        answer = Measurement(Status.RESPONSE, amplitude_uv=100.0)
        silence = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)
        learned = self._track.baseline_frozen
        for trial in range(1, learned + 4):
            stimulus = Stimulus(20.0 * trial, "warm-up")
            epoch = Epoch(trial, stimulus, 20.0 * trial, 0, 0, 0.0, 5000.0, sweeps_uv)
            measured = (answer if trial <= learned else silence,) * len(self._channels)
            for _ in case.trial(epoch, measured, sweeps_uv):
                pass

    # ------------------------------------------------------------------ stimuli and the signal

    def trial(
        self, epoch: Epoch, measurements: tuple[Measurement, ...], sweeps_uv: Float32Array
    ) -> Iterator[Event]:
        """A measured stimulus: the trial, the baselines and then the alarm conditions that changed.

        Args:
            epoch: as released; one that is ``out_of_order`` gets its rows and nothing else.
            measurements: in channel order.
            sweeps_uv: (channels, n) float32, as measured.
        """
        events: list[Event] = [*self._case.stimulus(epoch.stimulus_s)]
        stimulus, following = self._baselines.stimulus(epoch.stimulus)
        key, at_s = stimulus.counted_as, epoch.stimulus_s
        baselines = following.baselines.copy()
        comparisons: list[Comparison | None] = [None] * len(measurements)
        changes: list[Event] = []
        if epoch.out_of_order:
            measurements = tuple(_out_of_order(m) for m in measurements)
        else:
            self._alarms.stimulus(key, at_s)
            measurements = set_buried_aside(
                measurements, lambda i: self._heard_before(i, key), self._track
            )
            compare, number = self._criterion.compare, epoch.trial
            comparisons = [
                compare(number, measurement, baseline)
                for measurement, baseline in zip(measurements, baselines, strict=True)
            ]
            following.observe(at_s, measurements)
            noted = self._confounders.at(at_s, epoch.trial)
            alarms = self._judge(epoch, key, comparisons, noted)
            alarms += self._stimulation.take(epoch, key, measurements, comparisons, noted)
            learned, unreliable = self._baselines.learn(
                epoch, key, measurements, sweeps_uv, comparisons
            )
            alarms += unreliable + self._rejects.take(epoch, measurements)
            changes = [*learned, *alarms, *self._audio.broken_by(alarms, at_s)]
        rows = self._rows(key, measurements, baselines, comparisons)
        events.append(Trial(epoch.trial, stimulus, at_s, rows, epoch, sweeps_uv))
        yield from events
        yield from changes

    def missed(self, missed: Missed) -> Iterator[Event]:
        """A stimulus without an epoch: a row a channel; it neither confirms nor clears anything."""
        status = self._case.stimulus(missed.stimulus_s)
        stimulus, following = self._baselines.stimulus(missed.stimulus)
        key = stimulus.counted_as
        measurement = Measurement(missed.status, (missed.reason,) if missed.reason else ())
        n = len(self._channels)
        baselines = following.baselines
        rows = self._rows(key, (measurement,) * n, baselines, [None] * n)
        rejects: list[AlarmCondition] = []
        if missed.reason != "out_of_order":  # as a trial out of order: it counts for nothing
            self._alarms.stimulus(key, missed.stimulus_s)
            rejects = self._rejects.missed(missed.trial, missed.stimulus_s)
        broken = self._audio.broken_by(rejects, missed.stimulus_s)
        yield from status
        yield Trial(missed.trial, stimulus, missed.stimulus_s, rows)
        yield from rejects
        yield from broken

    def notices(self, notices: list[Notice]) -> Iterator[Event]:
        """Technical conditions that acquisition found, or found gone.

        Raises:
            ValueError: a physiological kind; only comparable trials raise those.
        """
        events: list[Event] = [*self._case.begun()]
        for notice in notices:
            if ALARM_TABLE[notice.kind].alarm_class is not AlarmClass.TECHNICAL:
                raise ValueError(f"a notice can't raise {notice.kind.value}")
            if notice.kind is AlarmKind.SIGNAL_STALLED:
                events += self._case.stall(notice.active, notice.at_s, notice.message)
            if notice.active:
                channel = self._by_name.get(notice.channel, Channel(notice.channel, muscle=""))
                changed = self._alarms.simple.raise_(
                    notice.kind, notice.at_s, notice.message, channel=channel, cause=notice.cause
                )
            else:
                changed = self._alarms.simple.resolve(
                    notice.kind, notice.at_s, channel=notice.channel, cause=notice.cause
                )
            if changed:
                events += [changed, *self._audio.broken_by([changed], notice.at_s)]
            if changed and changed.state is AlarmState.RESOLVED:
                taken = self._alarms.simple.taken(changed, notice.at_s)
                events += [taken] if taken else []
        yield from events

    def tick(self, case_s: float) -> Iterator[Event]:
        """Time passed: losses that nobody repeats rise, those that nobody takes are passed on."""
        status = self._case.tick(case_s)
        changed = self._alarms.tick(case_s)
        broken = self._audio.broken_by(changed, case_s)
        yield from status
        yield from changed
        yield from broken

    def finish(self, case_s: float) -> Iterator[Event]:
        """The case is closed; conditions that stand are left standing in the record."""
        yield from self._case.finish(case_s)

    # ------------------------------------------------------------------ operators

    def command(self, command: Command, case_s: float) -> Iterator[Event]:
        """Carry out an operator's command.

        Raises:
            CommandRefused: by the first ``next()``; nothing has changed.
        """
        if not command.by.strip():
            raise CommandRefused("by: the name of the operator is missing", "invalid")
        match command:
            case Acknowledge():
                acknowledged = self._alarms.acknowledge(command.alarm_id, command.by, case_s)
                taken = self._alarms.simple.taken(acknowledged, case_s)
                self._audio.acknowledged(acknowledged.id)
                events: list[Event] = [*self._case.begun(), acknowledged]
                events += [taken] if taken else []
            case SetBaseline():
                meant = self._baselines.meant(command)
                events = [*self._case.begun()]
                for following, i in meant:
                    events += self._baselines.set_anew(following, i, command, case_s)
            case Annotate():
                if not command.text.strip():
                    raise CommandRefused("text: the annotation is empty", "invalid")
                events = [*self._case.begun(), Annotation(case_s, command.text, command.by)]
                if self._confounders.take(case_s, command.text):
                    events += self._alarms.remarked(command.text)
            case PauseAudio():
                events = self._audio.begin(command, case_s)
            case Resume():
                events = [*self._case.begun(), *self._resume(command, case_s)]
        yield from events

    def _resume(self, command: Resume, case_s: float) -> list[Event]:
        """Numbers, baselines and conditions go on as an earlier run of the case left them.

        Raises:
            CommandRefused: this run has begun.
        """
        if self._settings:
            raise CommandRefused("resume: comes ahead of the first stimulus", "not_now")
        self._alarms.number_after(command.alarms)
        self._baselines.number_after(command.baseline_ids)
        events: list[Event] = []
        at = {channel.name: i for i, channel in enumerate(self._channels)}
        for was in command.baselines:
            i = at.get(was.channel)
            if i is None:
                text = (
                    f"{OF_A_BASELINE} {was.channel} ({was.setting}) not restored: no such channel"
                )
                events.append(Annotation(case_s, text, command.by))
                continue
            events.append(self._baselines.inherit(i, was))
        events += self._alarms.inherit(command.standing, case_s)
        events += self._stimulation.inherit(command.standing, case_s)
        for remark in command.remarks:
            self._confounders.take(remark.at_s, remark.text)
        for condition in [alarm.condition for alarm in command.standing]:
            i = at.get(condition.channel)
            if i is not None and condition.kind in VOTED_KINDS:
                self._baselines.named(condition.setting).signs[i].inherit(condition.kind)
        return events

    # ------------------------------------------------------------------ one trial

    def _heard_before(self, i: int, key: str) -> Baseline | None:
        """The baseline to tell noise by: of the setting, or the latest of another.

        Noise is the muscle's, whatever the stimulus; and what is absent under a changed stimulus
        may raise a loss too.
        """
        own = self._settings[key].baselines[i]
        if own is not None:
            return own
        others = [b for f in self._settings.values() if (b := f.baselines[i]) is not None]
        return others[-1] if others else None

    def _judge(
        self,
        epoch: Epoch,
        key: str,
        comparisons: list[Comparison | None],
        noted: str,
    ) -> list[AlarmCondition]:
        """The losses that this trial raised or changed."""
        at_s = epoch.stimulus_s
        standing = self._alarms.standing(key)
        asked = [
            (i, channel, comparison)
            for i, (channel, comparison) in enumerate(zip(self._channels, comparisons, strict=True))
            if comparison is not None and (comparison.beyond or channel.name in standing)
        ]
        if not asked:
            return []
        lost = self._lost_or_stepped(comparisons) if self._track.controls else frozenset[int]()
        judgements = self._settings[key].judge([i for i, _, _ in asked], at_s, lost)
        changed = []
        for (_, channel, comparison), judgement in zip(asked, judgements, strict=True):
            condition = self._alarms.judge(key, channel, comparison, judgement, at_s, noted=noted)
            if condition is not None:
                changed.append(condition)
                if condition.resolved_s is not None:
                    taken = self._alarms.simple.taken(condition, at_s)
                    changed += [taken] if taken else []
        return changed

    def _lost_or_stepped(self, comparisons: list[Comparison | None]) -> frozenset[int]:
        """Channels without a response in this trial, or with a loss, under whichever setting, that
        stands and was one of the response or sudden.
        """
        gone = AlarmKind.RESPONSE_LOST
        return frozenset(
            i
            for i, (channel, comparison) in enumerate(zip(self._channels, comparisons, strict=True))
            if (comparison is not None and comparison.beyond and comparison.kind is gone)
            or any(is_lost_or_sudden(loss.condition) for loss in self._alarms.losses(channel.name))
        )

    def _rows(
        self,
        setting: str,
        measurements: tuple[Measurement, ...],
        baselines: list[Baseline | None],
        comparisons: list[Comparison | None],
    ) -> tuple[ChannelTrial, ...]:
        """A row a channel; ``alarm`` is the loss that stands after a trial that had a say in it."""
        standing = self._alarms.standing(setting)
        rows = []
        for channel, measurement, baseline, comparison in zip(
            self._channels, measurements, baselines, comparisons, strict=True
        ):
            loss = standing.get(channel.name) if comparison is not None else None
            rows.append(
                ChannelTrial(
                    channel.name,
                    channel.muscle,
                    channel.side,
                    measurement,
                    None if baseline is None else baseline.amplitude_uv,
                    None if comparison is None else comparison.percent,
                    comparison is not None and not comparison.uncertain,
                    "" if loss is None else loss.condition.kind + ":" + loss.condition.state,
                )
            )
        return tuple(rows)


def _out_of_order(measurement: Measurement) -> Measurement:
    if "out_of_order" in measurement.reasons:
        return measurement
    return replace(measurement, reasons=(*measurement.reasons, "out_of_order"))
