"""What one stimulation setting remembers: its baselines, its estimator, its advisory signs."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.config import TrackSection
from monitor.track.advisory import Signs
from monitor.track.baseline import BaselineLearner
from monitor.track.criteria import Comparison, montage_of
from monitor.track.estimator import AmplitudeEstimator
from monitor.track.scope import CALM_S, GRADUAL_S, Judgement, Muscles
from monitor.types import Baseline, BaselineState, Channel, Measurement


class Following:
    """One setting of a case, its lists in channel order."""

    def __init__(
        self, key: str, channels: tuple[Channel, ...], track: TrackSection, ids: Iterator[int]
    ) -> None:
        self.montage = montage_of(key)
        self._channels = channels
        self._controls = track.controls
        self.learners = tuple(BaselineLearner(key, channel, track, ids) for channel in channels)
        self.signs = tuple(Signs(track) for _ in channels)
        self._estimator = AmplitudeEstimator(
            channels, [track.thresholds(channel.muscle)[0] for channel in channels]
        )

    @property
    def is_usable(self) -> bool:
        """Any muscle has a baseline to compare with."""
        return any(learner.usable is not None for learner in self.learners)

    def observe(
        self,
        at_s: float,
        measurements: tuple[Measurement, ...],
        comparisons: list[Comparison | None],
        baselines: list[Baseline | None],
        losses: list[bool],
    ) -> list[Judgement]:
        """Take a trial in order; the judgements of it, empty ones where none is asked for.

        Args:
            at_s: the stimulus, seconds of the case.
            measurements: the trial.
            comparisons: the trial against the baselines.
            baselines: those that were usable before it.
            losses: where a condition stands already.
        """
        self._estimator.observe(
            at_s, measurements, [None if b is None else b.amplitude_uv for b in baselines]
        )
        asked = [c is not None and (c.beyond or losses[i]) for i, c in enumerate(comparisons)]
        if not any(asked):
            return [Judgement()] * len(comparisons)
        muscles = Muscles(
            self._channels,
            self._estimator.judge(),
            self._estimator.level_shift(at_s - CALM_S),
            self._estimator.level_shift(at_s - GRADUAL_S),
        )
        return [
            muscles.judge(i, self._controls) if wanted else Judgement()
            for i, wanted in enumerate(asked)
        ]

    def baseline_changed(self, i: int, baseline: Baseline) -> None:
        """The baseline of channel ``i`` learned, or an operator moved it."""
        usable = baseline.state in (BaselineState.USABLE, BaselineState.FROZEN)
        if not usable or baseline.amplitude_uv is None:
            if self._estimator.has_baseline(i):
                self._estimator.baseline_dropped(i)
        elif baseline.trials:
            self._estimator.baseline_learned(i)
        else:
            self._estimator.baseline_given(i, baseline.amplitude_uv)
