"""Where a trial stands against its baseline: percent, and the amplitude-drop criterion.

The default criterion is a drop of at least 50 % of the baseline amplitude (MacDonald 2017 for
brain, brainstem and facial nerve: major, given preceding stability); other procedures have profiles
of their own (:mod:`monitor.config`), and a muscle may have its own thresholds. A response that is
gone counts as a drop whatever its size was. The condition is over at 60 %: the gap between the two
keeps a response that hovers about the threshold from raising and clearing in turns.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.config import TrackSection
from monitor.types import AlarmKind, Baseline, Measurement, Status, Stimulus

SEVERE_PERCENT = 20.0
"""At or below this much of the baseline a single trial counts as much as a lost response."""


_AT = " @ "
_CLEARS = "clears at >= {:g} % in 2 comparable trials in a row"


def setting_key(stimulus: Stimulus) -> str:
    """What a baseline belongs to: the montage and, where the marker tells it, the intensity.

    Pulses, intervals and filters are the same all through a case.
    """
    if stimulus.intensity is None:
        return stimulus.setting
    return f"{stimulus.setting}{_AT}{stimulus.intensity:g}"


def montage_of(key: str) -> str:
    """The setting's name in the markers, without the intensity."""
    return key.rpartition(_AT)[0] or key


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparable trial of one channel against its baseline.

    ``beyond``: at or below the alarm threshold, or no response; ``recovered``: at or above the
    threshold of recovery; between the two it is neither. ``below_detection_floor``: no response was
    found, but one above the alarm threshold could have hidden in the noise (``upper_uv`` says how
    large); it is lost all the same until a later trial shows it.
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


def percent_of_baseline(amplitude_uv: float, baseline_uv: float) -> float:
    """Percent, to a millionth: what lies on a threshold must not hang on the last bit."""
    return round(100.0 * amplitude_uv / baseline_uv, 6)


class DropCriterion:
    """The amplitude-drop criterion with the thresholds of ``[track]``."""

    def __init__(self, track: TrackSection) -> None:
        self._track = track

    def thresholds(self, muscle: str) -> tuple[float, float]:
        """Percent of baseline at which the muscle alarms, and from which on that is over."""
        return self._track.thresholds(muscle)

    def rule(self, kind: AlarmKind, muscle: str) -> str:
        """The criterion in words, for the alarm it raises."""
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
            "a row without a response"
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
        baseline_uv = baseline.amplitude_uv
        alarm_percent, resolve_percent = self.thresholds(baseline.muscle)
        if measurement.status is Status.NO_RESPONSE:
            upper_uv = measurement.amplitude_upper_uv
            return Comparison(
                trial=trial,
                kind=AlarmKind.RESPONSE_LOST,
                percent=0.0,
                amplitude_uv=0.0,
                baseline=baseline,
                beyond=True,
                recovered=False,
                severe=True,
                upper_uv=upper_uv,
                below_detection_floor=upper_uv is not None
                and percent_of_baseline(upper_uv, baseline_uv) >= alarm_percent,
            )
        if measurement.status is not Status.RESPONSE or measurement.amplitude_uv is None:
            return None
        percent = percent_of_baseline(measurement.amplitude_uv, baseline_uv)
        return Comparison(
            trial=trial,
            kind=AlarmKind.AMPLITUDE_DROP,
            percent=percent,
            amplitude_uv=measurement.amplitude_uv,
            baseline=baseline,
            beyond=percent <= alarm_percent,
            recovered=percent >= resolve_percent,
            severe=percent <= SEVERE_PERCENT,
        )
