"""What changes beside the amplitude: the stimulus itself, latency, shape and threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.config import TrackSection
from monitor.inputs import ResumedAlarm
from monitor.track.advisory import Finding
from monitor.track.alarms import AlarmBook
from monitor.track.criteria import Comparison, DropCriterion
from monitor.track.evidence import Evidence
from monitor.track.following import Following
from monitor.track.settings import KnownSettings
from monitor.track.threshold import StimulationThreshold
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    Baseline,
    Channel,
    Epoch,
    Measurement,
    Status,
)

_NO_RESPONSE = Status.NO_RESPONSE


class StimulationWatch:
    """Conditions that a trial raises beside its percent of baseline.

    ``settings`` are the case's, by key, and grow as stimuli of new settings come.
    """

    def __init__(
        self,
        channels: tuple[Channel, ...],
        track: TrackSection,
        alarms: AlarmBook,
        settings: Mapping[str, Following],
        known: KnownSettings,
    ) -> None:
        self._channels = channels
        self._track = track
        self._alarms = alarms
        self._settings = settings
        self._known = known
        self._criterion = DropCriterion(track)
        self._raised_elsewhere: set[str] = set()
        self._thresholds: dict[tuple[str, str], StimulationThreshold] = {}

    def take(
        self,
        epoch: Epoch,
        key: str,
        measurements: tuple[Measurement, ...],
        comparisons: list[Comparison | None],
        noted: str = "",
    ) -> list[AlarmCondition]:
        """The conditions that a trial in order raised, changed or ended.

        ``key``: the setting that it counts as; ``noted``: what the record notes that may explain
        them. To be called before the baselines learn of the trial.
        """
        changed = [
            self._not_comparable(epoch, key),
            *self._elsewhere(epoch, key, measurements, noted),
        ]
        found = self._findings(epoch, key, measurements, comparisons)
        changed += [self._advise(epoch, key, noted, *finding) for finding in found]
        return [condition for condition in changed if condition is not None]

    def inherit(self, standing: tuple[ResumedAlarm, ...], at_s: float) -> list[AlarmCondition]:
        """Thresholds go on with what the baselines of an earlier run, and its alarms, say.

        To be called with those inherited. A rise that this run does not follow is over. A loss that
        another stimulus alone has raised still is over with responses to that.
        """
        ended = []
        for condition in [alarm.condition for alarm in standing]:
            loss = self._alarms.loss(condition.setting, condition.channel)
            if loss is not None and loss.absent_under:
                self._raised_elsewhere.add(condition.channel)
        for key, following in self._settings.items():
            setting = self._known[key]
            for channel, baseline in zip(self._channels, following.baselines, strict=True):
                if baseline is not None and setting.intensity is not None:
                    self._threshold(setting.montage, channel.name).learned(setting.intensity)
        names = {channel.name for channel in self._channels}
        for condition in [alarm.condition for alarm in standing]:
            if condition.kind is not AlarmKind.THRESHOLD_RISE:
                continue
            threshold = self._threshold(condition.setting, condition.channel)
            threshold.inherit(condition.evidence)
            followed = threshold.rise is not None and threshold.before is not None
            if not followed or condition.channel not in names:
                ended.append(
                    self._alarms.simple.resolve(
                        condition.kind, at_s, setting=condition.setting, channel=condition.channel
                    )
                )
        return [condition for condition in ended if condition is not None]

    def _elsewhere(
        self, epoch: Epoch, key: str, measurements: tuple[Measurement, ...], noted: str
    ) -> Iterator[AlarmCondition | None]:
        """A changed stimulus says nothing in percent, but an absent response is absent.

        A muscle that gives none to a stimulus as strong as one that it has a baseline for, or has
        answered, is lost: the first time raises it, or confirms what stands; the next confirms.
        """
        trial, at_s = epoch.trial, epoch.stimulus_s
        setting = self._known[key]
        for i, (channel, measurement) in enumerate(zip(self._channels, measurements, strict=True)):
            absent = measurement.status is _NO_RESPONSE
            if not absent and channel.name not in self._raised_elsewhere:
                continue
            if measurement.amplitude_uncertain:
                continue
            standing = self._alarms.losses(channel.name)
            if measurement.status is Status.RESPONSE:
                for loss in standing:
                    if loss.absent_under and self._known[loss.absent_under].is_as_strong_as(
                        setting
                    ):
                        yield self._alarms.present_elsewhere(loss, key, trial, at_s)
            if not absent:
                continue
            told = False
            for loss in standing:
                own = loss.condition.setting
                if own == key:
                    told = True
                elif loss.absent_under == key or setting.is_as_strong_as(self._known[own]):
                    told = True
                    self._raised_elsewhere.add(channel.name)
                    yield self._alarms.absent_elsewhere(loss, key, trial, at_s)
            expected = None if told else self._expected(i, key)
            if expected is None:
                continue
            stands = self._alarms.loss(expected.setting, channel.name)
            if stands is not None:
                self._raised_elsewhere.add(channel.name)
                yield self._alarms.absent_elsewhere(stands, key, trial, at_s)
                continue
            comparison = self._criterion.compare(trial, measurement, expected)
            if comparison is not None:
                self._raised_elsewhere.add(channel.name)
                yield self._alarms.raise_absent(
                    expected.setting, channel, comparison, key, at_s, noted
                )

    def _expected(self, i: int, key: str) -> Baseline | None:
        """The baseline by which channel ``i`` should answer a stimulus of a setting without one.

        That of the strongest setting of its montage that is no stronger; or, of another montage,
        the latest one, where the muscle answered this montage before.
        """
        if self._settings[key].baselines[i] is not None:
            return None
        setting = self._known[key]
        weaker = [f for f in self._settings.values() if setting.is_as_strong_as(f.setting)]
        usable = [(f.setting.intensity or 0.0, b) for f in weaker if (b := f.baselines[i])]
        if usable:
            return max(usable, key=lambda found: found[0])[1]
        if not any(f.learners[i].has_answered for f in weaker):
            return None
        others = [b for f in self._settings.values() if (b := f.baselines[i])]
        return others[-1] if others else None

    def _not_comparable(self, epoch: Epoch, key: str) -> AlarmCondition | None:
        """``not_comparable`` while a montage that has baselines is given at another intensity."""
        montage = epoch.stimulus.setting
        if self._settings[key].is_usable:
            return self._alarms.simple.resolve(
                AlarmKind.NOT_COMPARABLE, epoch.stimulus_s, setting=montage
            )
        known = [
            other
            for other, following in self._settings.items()
            if following.setting.montage == montage and following.is_usable
        ]
        if not known:
            return None
        return self._alarms.simple.raise_(
            AlarmKind.NOT_COMPARABLE,
            epoch.stimulus_s,
            f"no baseline for {key}; there is one for {', '.join(known)}",
            setting=montage,
            trial=epoch.trial,
        )

    def _findings(
        self,
        epoch: Epoch,
        key: str,
        measurements: tuple[Measurement, ...],
        comparisons: list[Comparison | None],
    ) -> Iterator[tuple[Channel, str, Finding]]:
        """What latency, shape and threshold of each muscle show, with the setting it holds for."""
        following, stimulus = self._settings[key], epoch.stimulus
        has_threshold = self._track.threshold_rise is not None and stimulus.intensity is not None
        for i, (channel, measurement) in enumerate(zip(self._channels, measurements, strict=True)):
            comparison = comparisons[i]
            if measurement.amplitude_uncertain:
                continue
            if comparison is not None:
                baseline = comparison.baseline
                for finding in following.signs[i].take(
                    measurement, baseline.onset_ms, baseline.phases
                ):
                    yield channel, key, finding
            if not has_threshold:
                continue
            learning = not self._has_baseline(stimulus.setting, i)
            threshold = self._threshold(stimulus.setting, channel.name)
            for finding in threshold.take(stimulus.intensity, measurement, learning):
                yield channel, stimulus.setting, finding

    def _threshold(self, montage: str, channel: str) -> StimulationThreshold:
        return self._thresholds.setdefault(
            (montage, channel), StimulationThreshold(self._track.threshold_rise)
        )

    def _has_baseline(self, montage: str, i: int) -> bool:
        """Whether channel ``i`` has one under any setting of a montage."""
        return any(
            following.baselines[i] is not None
            for following in self._settings.values()
            if following.setting.montage == montage
        )

    def _advise(
        self,
        epoch: Epoch,
        key: str,
        noted: str,
        channel: Channel,
        setting: str,
        finding: Finding,
    ) -> AlarmCondition | None:
        if not finding.active:
            return self._alarms.simple.resolve(
                finding.kind, epoch.stimulus_s, setting=setting, channel=channel.name
            )
        return self._alarms.simple.raise_(
            finding.kind,
            epoch.stimulus_s,
            finding.message,
            setting=setting,
            channel=channel,
            trial=epoch.trial,
            more=self._explanation(key, channel, finding, noted),
            priority=finding.priority,
        )

    def _explanation(self, key: str, channel: Channel, finding: Finding, noted: str) -> Evidence:
        """Threshold, n of k, the baseline and what was noted."""
        more: Evidence = {"threshold": finding.threshold, "n_of_k": finding.n_of_k}
        more |= finding.more
        following = self._settings[key]
        baseline = following.baselines[self._channels.index(channel)]
        if baseline is not None:
            more |= {
                "baseline_id": baseline.id,
                "baseline_uv": baseline.amplitude_uv,
                "baseline_onset_ms": baseline.onset_ms,
            }
        if noted:
            more["noted"] = noted
        return more
