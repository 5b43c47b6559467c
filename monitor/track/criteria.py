"""Where a trial stands against its baseline: percent, and the amplitude-drop criterion.

The default criterion is a drop of at least 50 % of the baseline amplitude (MacDonald 2017 for
brain, brainstem and facial nerve: major, given preceding stability); other procedures have profiles
of their own (:mod:`monitor.config`), and a muscle may have its own thresholds. A response that is
gone counts as a drop whatever its size was. The condition is over at 60 %: the gap between the two
keeps a response that hovers about the threshold from raising and clearing in turns.
"""

from __future__ import annotations

import math

from msgspec import Struct

from monitor.config import TrackSection
from monitor.track.settings import Setting
from monitor.types import AlarmKind, Baseline, Measurement, Status, Stimulus

SEVERE_PERCENT = 20.0
"""At or below this much of the baseline a single trial counts as much as a lost response."""


_RESPONSE, _NO_RESPONSE, _DROP = Status.RESPONSE, Status.NO_RESPONSE, AlarmKind.AMPLITUDE_DROP
_CLEARS = "clears at >= {:g} % in 2 comparable trials in a row"


def setting_key(stimulus: Stimulus) -> str:
    """What a baseline belongs to: the setting that the stimulus counts as.

    Of one that no case has counted yet its montage and, where the marker tells it, the intensity.
    """
    return stimulus.counted_as or Setting(stimulus.setting, stimulus.intensity).key


class Comparison(Struct, frozen=True, gc=False):
    """One trial of one channel against its baseline.

    ``beyond``: at or below the alarm threshold, or no response; ``recovered``: at or above the
    threshold of recovery; between the two it is neither. ``below_detection_floor``: no response was
    found, but one above the alarm threshold could have hidden in the noise (``upper_uv`` says how
    large); it is lost all the same until a later trial shows it. ``uncertain``: the amplitude is in
    doubt, so that the trial neither confirms nor clears; ``beyond`` then only where even its upper
    bound is.
    """

    trial: int
    kind: AlarmKind
    percent: float
    amplitude_uv: float
    baseline: Baseline
    beyond: bool
    recovered: bool
    severe: bool
    upper_uv: float | None = None
    below_detection_floor: bool = False
    uncertain: bool = False


def percent_of_baseline(amplitude_uv: float, baseline_uv: float) -> float:
    """Percent, to a millionth: what lies on a threshold must not hang on the last bit."""
    return round(100.0 * amplitude_uv / baseline_uv, 6)


class DropCriterion:
    """The amplitude-drop criterion with the thresholds of ``[track]``."""

    def __init__(self, track: TrackSection) -> None:
        self._track = track
        self._thresholds: dict[str, tuple[float, float]] = {}
        self._rules: dict[tuple[AlarmKind, str], str] = {}

    def thresholds(self, muscle: str) -> tuple[float, float]:
        """Percent of baseline at which the muscle alarms, and from which on that is over."""
        found = self._thresholds.get(muscle)
        if found is None:
            found = self._thresholds[muscle] = self._track.thresholds(muscle)
        return found

    def rule(self, kind: AlarmKind, muscle: str) -> str:
        """The criterion in words, for the alarm it raises."""
        words = self._rules.get((kind, muscle))
        if words is None:
            words = self._rules[kind, muscle] = self._in_words(kind, muscle)
        return words

    def _in_words(self, kind: AlarmKind, muscle: str) -> str:
        alarm, resolve = self.thresholds(muscle)
        what = (
            "no response where the baseline has one"
            if kind is AlarmKind.RESPONSE_LOST
            else f"amplitude <= {alarm:g} % of baseline"
        )
        return f"{what}, {self._confirmed_by()}; {_CLEARS.format(resolve)}"

    def _confirmed_by(self) -> str:
        if self._track.confirm == "in_a_row":
            return f"in {self._track.confirm_in_a_row} comparable trials in a row"
        return (
            f"confirmed at a probability of {self._track.confirm_probability:g} or by 2 trials in "
            "a row without a response (more where the muscle leaves some out)"
        )

    def compare(
        self, trial: int, measurement: Measurement, baseline: Baseline | None
    ) -> Comparison | None:
        """Compare a trial with the baseline that was usable before it.

        Returns:
            None where the two can't be compared: no usable baseline, or no judgement on the muscle.
        """
        if baseline is None or baseline.amplitude_uv is None:
            return None
        status, amplitude_uv = measurement.status, measurement.amplitude_uv
        if status is _NO_RESPONSE:
            return self._low(trial, measurement, baseline, 0.0, 0.0)
        if status is not _RESPONSE or amplitude_uv is None or not 0.0 <= amplitude_uv < math.inf:
            return None
        percent = percent_of_baseline(amplitude_uv, baseline.amplitude_uv)
        thresholds = self._thresholds.get(baseline.muscle)
        alarm_percent, resolve_percent = thresholds or self.thresholds(baseline.muscle)
        if percent > alarm_percent and not measurement.amplitude_uncertain:
            recovered = percent >= resolve_percent
            return Comparison(
                trial, _DROP, percent, amplitude_uv, baseline, False, recovered, False
            )
        if not measurement.amplitude_uncertain:
            beyond = not only_loss_alarms(baseline, alarm_percent)
            severe = percent <= SEVERE_PERCENT
            return Comparison(trial, _DROP, percent, amplitude_uv, baseline, beyond, False, severe)
        return self._low(trial, measurement, baseline, amplitude_uv, percent)

    def _low(
        self,
        trial: int,
        measurement: Measurement,
        baseline: Baseline,
        amplitude_uv: float,
        percent: float,
    ) -> Comparison:
        """A trial without a response, or one that is uncertain: its upper bound has a say."""
        lost, uncertain = measurement.status is Status.NO_RESPONSE, measurement.amplitude_uncertain
        alarm_percent, _ = self.thresholds(baseline.muscle)
        upper_uv = measurement.amplitude_upper_uv
        most_percent = None
        if upper_uv is not None and baseline.amplitude_uv is not None:
            most_percent = percent_of_baseline(upper_uv, baseline.amplitude_uv)
        beyond = lost or not only_loss_alarms(baseline, alarm_percent)
        if uncertain:
            beyond &= most_percent is not None and most_percent <= alarm_percent
        return Comparison(
            trial=trial,
            kind=AlarmKind.RESPONSE_LOST if lost else AlarmKind.AMPLITUDE_DROP,
            percent=percent,
            amplitude_uv=amplitude_uv,
            baseline=baseline,
            beyond=beyond,
            recovered=False,
            severe=lost or percent <= SEVERE_PERCENT,
            upper_uv=upper_uv if lost else None,
            below_detection_floor=lost
            and most_percent is not None
            and most_percent >= alarm_percent,
            uncertain=uncertain,
        )


def is_amplitude(amplitude_uv: float | None) -> bool:
    """A number to judge by: measured, finite, not negative."""
    return amplitude_uv is not None and 0.0 <= amplitude_uv < math.inf


def only_loss_alarms(baseline: Baseline, alarm_percent: float) -> bool:
    """The criterion lies below what could still be seen of the response.

    Of such a baseline a drop can't be told from a response that is gone, and a response that is
    seen is above the floor: only ``response_lost`` alarms.
    """
    floor_uv, baseline_uv = baseline.floor_uv, baseline.amplitude_uv
    if floor_uv is None or baseline_uv is None:
        return False
    return baseline_uv * alarm_percent / 100.0 < floor_uv
