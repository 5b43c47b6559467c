"""Stimulation settings: which stimuli are the same stimulus, and which is as strong as another.

A baseline belongs to a montage and, where the markers tell them, to an intensity and a train. What
a stimulator reads back jitters, so that stimuli of nearly the same intensity count as one setting:
the one that was there first, which does not move, so that a slow creep can't drag it along.
"""

from __future__ import annotations

import re

from msgspec import Struct

from monitor.types import Stimulus

INTENSITY_TOLERANCE = 0.01
"""Share of a setting's intensity within which a stimulus counts as of that setting: 4 V of 400 V,
less than the steps in which stimulators are set."""
INTERVAL_TOLERANCE_MS = 0.5
"""The same for the mean interval of a train that the markers tell."""

_KEY = re.compile(
    r"(?P<montage>.*?)(?: @ (?P<intensity>[-+.\de]+))?"
    r"(?: x (?P<pulses>\d+)(?: / (?P<interval>[.\de+-]+) ms)?)?",
    re.DOTALL,
)


class Setting(Struct, frozen=True):
    """A montage with what else the markers tell of the stimulus; None: they don't.

    ``intensity`` is in the unit of the markers (volts as a rule), ``interval_ms`` the mean from
    pulse to pulse of a train of two or more.
    """

    montage: str
    intensity: float | None = None
    pulses: int | None = None
    interval_ms: float | None = None

    @classmethod
    def read(cls, key: str) -> Setting:
        """The setting that :attr:`key` describes."""
        found = _KEY.fullmatch(key)
        assert found is not None, "the montage takes whatever the rest does not"
        intensity, pulses, interval = found.group("intensity", "pulses", "interval")
        try:
            volts = None if intensity is None else float(intensity)
        except ValueError:
            return cls(key)
        return cls(
            found["montage"],
            volts,
            None if pulses is None else int(pulses),
            None if interval is None else float(interval),
        )

    @property
    def key(self) -> str:
        """As trials, baselines and alarms name it: ``C3/C4 @ 400``, ``C3/C4 @ 400 x 5 / 4 ms``."""
        intensity = "" if self.intensity is None else f" @ {self.intensity:g}"
        train = "" if self.pulses is None else f" x {self.pulses}"
        interval = "" if self.interval_ms is None else f" / {self.interval_ms:g} ms"
        return f"{self.montage}{intensity}{train}{interval}"

    def holds(self, other: Setting) -> bool:
        """Whether ``other`` is this setting, but for the jitter of a read-back."""
        if (self.montage, self.pulses) != (other.montage, other.pulses):
            return False
        if not self._has_interval_of(other):
            return False
        a, b = self.intensity, other.intensity
        if a is None or b is None:
            return a is b
        return abs(b - a) <= INTENSITY_TOLERANCE * abs(a)

    def is_as_strong_as(self, other: Setting) -> bool:
        """A response to ``other`` should come to this too: what is absent here is absent there.

        The same montage at an intensity as high or higher, and a train with the same interval and
        as many pulses or more. Intensities that are not told are not known to be as high.
        """
        if self.holds(other) or other.holds(self):
            return True
        if self.montage != other.montage or self.intensity is None or other.intensity is None:
            return False
        if self.intensity < other.intensity * (1.0 - INTENSITY_TOLERANCE):
            return False
        if self.pulses is None or other.pulses is None:
            return self.pulses is other.pulses
        return self.pulses >= other.pulses and (other.pulses == 1 or self._has_interval_of(other))

    def _has_interval_of(self, other: Setting) -> bool:
        a, b = self.interval_ms, other.interval_ms
        if a is None or b is None:
            return a is b
        return abs(b - a) <= INTERVAL_TOLERANCE_MS


class KnownSettings:
    """The settings of a case, in the order in which they came.

    Where a stimulus lies within two of them it is of one that has had a baseline, the first of
    those: a stray stimulus before must not take it away, since what is learned then anew would be
    whole by definition.

    Args:
        trains: the markers tell the pulses (``train_gap_ms``), so that these may change too.
    """

    def __init__(self, trains: bool = False) -> None:
        self._trains = trains
        self._known: dict[str, Setting] = {}
        self._with_baseline: dict[str, Setting] = {}

    def __getitem__(self, key: str) -> Setting:
        """The setting of a key, known from now on."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Setting.read(key)
        return found

    def has_baseline(self, key: str) -> None:
        """A muscle has a usable baseline under the setting of a key; it counts as such for good."""
        if key not in self._with_baseline:
            self._with_baseline[key] = self[key]

    def counted(self, stimulus: Stimulus) -> Stimulus:
        """The stimulus with the setting that it counts as in ``counted_as``."""
        return Stimulus(
            stimulus.t_lsl,
            stimulus.marker,
            stimulus.setting,
            stimulus.intensity,
            stimulus.pulses_ms,
            self._key_of(self._of(stimulus)),
        )

    def _key_of(self, given: Setting) -> str:
        """The key of the first setting that holds it, or of this one, known from now on."""
        key = given.key
        if key in self._with_baseline:  # as most are
            return key
        first = _first_that_holds(given, self._with_baseline)
        if first is None and key not in self._known:
            first = _first_that_holds(given, self._known)
        if first is None:
            self._known.setdefault(key, given)
        return first or key

    def _of(self, stimulus: Stimulus) -> Setting:
        if not self._trains:
            return Setting(stimulus.setting, stimulus.intensity)
        pulses = len(stimulus.pulses_ms)
        # As exact as the times of the pulses are kept.
        interval_ms = round(stimulus.pulses_ms[-1] / (pulses - 1), 1) if pulses > 1 else None
        return Setting(stimulus.setting, stimulus.intensity, pulses, interval_ms)


def _first_that_holds(given: Setting, known: dict[str, Setting]) -> str | None:
    return next((key for key, setting in known.items() if setting.holds(given)), None)
