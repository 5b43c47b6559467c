"""A response that a weaker stimulus exceeded by far: it is no baseline of the stronger one.

Under a changed setting there is no percent of baseline, and what a muscle gives there would be
taken for whole. But a stimulus that is as strong or stronger (:meth:`Setting.is_as_strong_as`) has
to give as much: a response beyond the criterion against the baseline of a weaker one is held back.
It raises no loss, since amplitudes under two settings are not comparable to the percent.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.config import TrackSection
from monitor.track.criteria import percent_of_baseline
from monitor.track.following import Following
from monitor.types import Baseline, Channel, Measurement

SHOWN_FROM = 2
"""One low response may be an outlier: not learned, and nothing to show."""
RECOVER_TRIALS = 2


class HeldBack:
    """Which muscles of which setting teach nothing because they give too little."""

    def __init__(self, channels: tuple[Channel, ...], track: TrackSection) -> None:
        self._thresholds = [track.thresholds(channel.muscle) for channel in channels]
        self._low: dict[tuple[str, int], tuple[int, int]] = {}

    def take(
        self,
        following: Following,
        i: int,
        measurement: Measurement,
        settings: Mapping[str, Following],
    ) -> str:
        """Take an accepted trial of a muscle.

        Args:
            following: its setting.
            i: the channel.
            measurement: of the trial; no response counts as nothing.
            settings: every setting of the case.

        Returns:
            Why nothing is learned of it; empty where it may be.
        """
        key = following.setting.key
        held_to = self._held_to(following, i, settings)
        if held_to is None or held_to.amplitude_uv is None:
            self._low.pop((key, i), None)
            return ""
        percent = percent_of_baseline(measurement.amplitude_uv or 0.0, held_to.amplitude_uv)
        alarm_percent, resolve_percent = self._thresholds[i]
        low, recovered = self._low.get((key, i), (0, 0))
        if percent <= alarm_percent:
            low, recovered = low + 1, 0
        elif low:
            recovered = recovered + 1 if percent >= resolve_percent else 0
        if not low or recovered >= RECOVER_TRIALS:
            self._low.pop((key, i), None)
            return ""
        self._low[key, i] = low, recovered
        return (
            f"baseline withheld: <= {alarm_percent:g} % of what {held_to.setting}, no stronger, "
            f"gave (baseline {held_to.id})"
        )

    def is_shown(self, key: str, i: int) -> bool:
        """The muscle gave too little more than once."""
        return self._low.get((key, i), (0, 0))[0] >= SHOWN_FROM

    def _held_to(
        self, following: Following, i: int, settings: Mapping[str, Following]
    ) -> Baseline | None:
        """The highest baseline of a setting that is no stronger; an operator's word ends that."""
        if following.baselines[i] is not None or i in following.overridden:
            return None
        weaker = [
            baseline
            for other in settings.values()
            if other is not following
            and (baseline := other.baselines[i]) is not None
            and following.setting.is_as_strong_as(other.setting)
        ]
        return max(weaker, key=lambda baseline: baseline.amplitude_uv or 0.0, default=None)
