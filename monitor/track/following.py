"""What one stimulation setting remembers: its baselines, its estimator, its advisory signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from monitor.config import TrackSection
from monitor.track.advisory import Signs
from monitor.track.baseline import BaselineLearner
from monitor.track.controls import Controls, Recent
from monitor.track.estimator import AmplitudeEstimator
from monitor.track.scope import CALM_S, GRADUAL_S, Judgement, Muscles
from monitor.track.settings import Setting
from monitor.types import Baseline, BaselineState, Channel, Measurement


class Following:
    """One setting of a case, its lists in channel order.

    ``baselines`` are the usable ones (``is_usable``: there is any), ``learning`` the channels whose
    baseline is not frozen yet; :meth:`baseline_changed` keeps them. ``withheld`` are the channels
    that may not learn because of a loss under another setting, ``overridden`` the alarms (by
    channel) that an operator told not to stand in the way.
    """

    def __init__(
        self,
        setting: Setting,
        channels: tuple[Channel, ...],
        track: TrackSection,
        ids: Iterator[int],
    ) -> None:
        self.setting, key = setting, setting.key
        self.learners = tuple(BaselineLearner(key, channel, track, ids) for channel in channels)
        self.signs = [Signs(track) for _ in channels]
        self.baselines: list[Baseline | None] = [None] * len(channels)
        self.learning = list(range(len(channels)))
        self.is_usable = False
        self.withheld: set[int] = set()
        self.overridden: dict[int, frozenset[int]] = {}
        self._baselines_uv: list[float | None] = [None] * len(channels)
        self._muscles = Muscles(channels, track.controls)
        self._controls = (
            Controls(channels, track.baseline_frozen) if self._muscles.has_controls else None
        )
        self._estimator = AmplitudeEstimator(
            channels, [track.thresholds(channel.muscle)[0] for channel in channels]
        )

    def observe(self, at_s: float, measurements: tuple[Measurement, ...]) -> None:
        """Take a trial in order; ``at_s`` is its stimulus, seconds of the case."""
        self._estimator.observe(at_s, measurements, self._baselines_uv)
        if self._controls is not None:
            self._controls.observe(at_s, measurements)

    def judge(
        self, asked: Sequence[int], at_s: float, lost: frozenset[int] = frozenset()
    ) -> list[Judgement]:
        """What the estimates say of some channels after the trial at ``at_s``.

        ``lost`` are the channels whose loss, of the response or sudden, stands under any setting.
        """
        if not asked:
            return []
        estimator, muscles = self._estimator, self._muscles
        estimates = estimator.judge(asked)
        calm: Sequence[float] = ()
        if muscles.asks_others(estimates):
            others = estimator.judge_others(asked)
            estimates = [own or other for own, other in zip(estimates, others, strict=True)]
            calm = estimator.level_shift(at_s - CALM_S)
        muscles.take(
            estimates,
            calm,
            estimator.level_shift(at_s - GRADUAL_S),
            partial(self._recent, at_s),
            lost,
        )
        return [muscles.judge(i) for i in asked]

    def _recent(self, at_s: float, i: int) -> Recent | None:
        if self._controls is None:
            return None
        return self._controls.recent(i, at_s, self._baselines_uv[i])

    def baseline_changed(self, i: int, baseline: Baseline, *, inherited: bool = False) -> None:
        """The baseline of channel ``i`` learned, an operator moved it or an earlier run left it."""
        usable = baseline.state in (BaselineState.USABLE, BaselineState.FROZEN)
        self.learning = [
            n for n, learner in enumerate(self.learners) if learner.state is not _FROZEN
        ]
        self.baselines[i] = baseline if usable else None
        self._baselines_uv[i] = baseline.amplitude_uv if usable else None
        self.is_usable = any(baseline is not None for baseline in self.baselines)
        if not usable or baseline.amplitude_uv is None:
            if self._estimator.has_baseline(i):
                self._estimator.baseline_dropped(i)
        elif baseline.trials and not inherited:
            self._estimator.baseline_learned(i)
        else:
            self._estimator.baseline_given(i, baseline.amplitude_uv)


_FROZEN = BaselineState.FROZEN
