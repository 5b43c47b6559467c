"""When a repeat of a trial was due: the times after which an alarm that nobody repeats rises.

An unconfirmed alarm asks for a repeat, and rises where none comes. What counts as none coming
hangs on how often the case is stimulated anyway: 60 s without a trial is a request that nobody
answered where one comes every 20 s, and nothing at all where one comes every three minutes, as it
often does. So both times of ``unconfirmed_rise_s`` stretch with the usual interval between stimuli
of the setting, up to a bound that no habit moves.
"""

from __future__ import annotations

from collections import deque

from monitor.config import TrackSection

INTERVALS = 5
"""The usual interval is the median of so many: two pauses among them leave it as it is."""
INTERVALS_MIN = 3
"""Of fewer nothing is usual yet, and the configured times hold."""


class Repeats:
    """How often each setting of a case is stimulated, learned from its stimuli.

    Args:
        track: ``unconfirmed_rise_s`` and what stretches it.
    """

    def __init__(self, track: TrackSection) -> None:
        self._track = track
        self._latest_s: dict[str, float] = {}
        self._intervals_s: dict[str, deque[float]] = {}

    def stimulus(self, setting: str, at_s: float) -> None:
        """A stimulus of a setting was given, whatever came of it; ``at_s`` in seconds of the case.

        One that is not later than the latest says nothing.
        """
        latest_s = self._latest_s.get(setting)
        if latest_s is not None:
            if at_s <= latest_s:
                return
            known = self._intervals_s.setdefault(setting, deque(maxlen=INTERVALS))
            known.append(at_s - latest_s)
        self._latest_s[setting] = at_s

    def usual_interval_s(self, setting: str) -> float | None:
        """The usual time between stimuli of a setting; None where it is not known."""
        known = self._intervals_s.get(setting)
        if known is None or len(known) < INTERVALS_MIN:
            return None
        return sorted(known)[(len(known) - 1) // 2]

    def rise_s(self, setting: str, since_s: float) -> tuple[float, ...]:
        """After how long without a comparable trial an unconfirmed alarm of a setting rises.

        Each is the configured time, or so many usual intervals where that is longer; then one
        interval more where the setting was stimulated ``since_s``, the alarm's last comparable
        trial: somebody did repeat, and what came of it could not be judged. Once only, or a muscle
        that can't be measured would never be anybody's concern.
        """
        track = self._track
        usual_s = self.usual_interval_s(setting)
        if usual_s is None:
            return track.unconfirmed_rise_s
        usual_s = min(usual_s, track.usual_interval_max_s)
        in_vain = self._latest_s[setting] > since_s
        return tuple(
            (intervals + in_vain) * usual_s if intervals * usual_s > least_s else least_s
            for least_s, intervals in zip(
                track.unconfirmed_rise_s, track.unconfirmed_rise_intervals, strict=True
            )
        )
