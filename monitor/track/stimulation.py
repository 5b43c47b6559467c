"""What changes beside the amplitude: the stimulus itself, latency, shape and threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.config import TrackSection
from monitor.track.advisory import Finding, StimulationThreshold
from monitor.track.alarms import AlarmBook
from monitor.track.criteria import Comparison, setting_key
from monitor.track.evidence import Evidence
from monitor.track.following import Following
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    Channel,
    Epoch,
    Measurement,
    Status,
    Stimulus,
)


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
    ) -> None:
        self._channels = channels
        self._track = track
        self._alarms = alarms
        self._settings = settings
        self._thresholds: dict[tuple[str, str], StimulationThreshold] = {}

    def take(
        self,
        epoch: Epoch,
        measurements: tuple[Measurement, ...],
        comparisons: list[Comparison | None],
        noted: str = "",
    ) -> list[AlarmCondition]:
        """The conditions that a trial in order raised, changed or ended.

        ``noted``: what the record notes that may explain them.
        """
        key = setting_key(epoch.stimulus)
        changed = [self._not_comparable(epoch, key), *self._still_absent(epoch, key, measurements)]
        found = self._findings(epoch, key, measurements, comparisons)
        changed += [self._advise(epoch, noted, *finding) for finding in found]
        return [condition for condition in changed if condition is not None]

    def _still_absent(
        self, epoch: Epoch, key: str, measurements: tuple[Measurement, ...]
    ) -> Iterator[AlarmCondition | None]:
        """A changed stimulus says nothing in percent, but an absent response stays absent.

        A muscle that stands as lost or down and gives no response to a stimulus of the same montage
        that is as strong or stronger is confirmed as lost.
        """
        stimulus = epoch.stimulus
        if stimulus.intensity is None:
            return
        for channel, measurement in zip(self._channels, measurements, strict=True):
            if measurement.status is not Status.NO_RESPONSE or measurement.amplitude_uncertain:
                continue
            for loss in self._alarms.losses(channel.name):
                setting, before = loss.condition.setting, loss.intensity
                if before is None or stimulus.intensity < before or setting == key:
                    continue
                if setting == setting_key(Stimulus(0.0, "", stimulus.setting, before)):
                    yield self._alarms.absent_elsewhere(
                        (setting, channel.name), key, epoch.trial, epoch.stimulus_s
                    )

    def _not_comparable(self, epoch: Epoch, key: str) -> AlarmCondition | None:
        """``not_comparable`` while a montage that has baselines is given at another intensity."""
        montage = epoch.stimulus.setting
        if self._settings[key].is_usable:
            return self._alarms.resolve_technical(
                AlarmKind.NOT_COMPARABLE, epoch.stimulus_s, setting=montage
            )
        known = [
            other
            for other, following in self._settings.items()
            if following.montage == montage and following.is_usable
        ]
        if not known:
            return None
        return self._alarms.raise_technical(
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
        learning = not following.is_usable
        has_threshold = self._track.threshold_rise is not None and stimulus.intensity is not None
        for i, (channel, measurement) in enumerate(zip(self._channels, measurements, strict=True)):
            comparison = comparisons[i]
            if measurement.amplitude_uncertain:
                continue
            if comparison is not None:
                onset_ms = comparison.baseline.onset_ms
                for finding in following.signs[i].take(
                    measurement, onset_ms, following.learners[i].phases
                ):
                    yield channel, key, finding
            if not has_threshold:
                continue
            threshold = self._thresholds.setdefault(
                (stimulus.setting, channel.name), StimulationThreshold(self._track.threshold_rise)
            )
            for finding in threshold.take(stimulus.intensity, measurement, learning):
                yield channel, stimulus.setting, finding

    def _advise(
        self, epoch: Epoch, noted: str, channel: Channel, setting: str, finding: Finding
    ) -> AlarmCondition | None:
        if not finding.active:
            return self._alarms.resolve_technical(
                finding.kind, epoch.stimulus_s, setting=setting, channel=channel.name
            )
        return self._alarms.raise_technical(
            finding.kind,
            epoch.stimulus_s,
            finding.message,
            setting=setting,
            channel=channel,
            trial=epoch.trial,
            more=self._explanation(epoch, channel, finding, noted),
        )

    def _explanation(
        self, epoch: Epoch, channel: Channel, finding: Finding, noted: str
    ) -> Evidence:
        """Threshold, n of k, the baseline and what was noted."""
        more: Evidence = {"threshold": finding.threshold, "n_of_k": finding.n_of_k}
        following = self._settings[setting_key(epoch.stimulus)]
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
