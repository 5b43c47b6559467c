"""Advisory signs beside the amplitude: latency, shape and stimulation threshold.

They support a judgement and make none (weak support in the literature), so they live simply: two
comparable trials in a row raise one, two in a row without it end it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.config import TrackSection
from monitor.types import AlarmKind, Measurement, Status

IN_A_ROW = 2
PHASES_LOST = 2.0
"""A response has lost its shape where it has two phases less than at baseline."""

ADVISORY_KINDS = (AlarmKind.LATENCY_SHIFT, AlarmKind.MORPHOLOGY_CHANGE, AlarmKind.THRESHOLD_RISE)


@dataclass(frozen=True, slots=True)
class Finding:
    """A sign that has come (``active``) or gone, in words."""

    kind: AlarmKind
    active: bool
    message: str = ""


@dataclass(slots=True)
class _Run:
    """How many trials in a row showed a sign, or did not, since that last changed."""

    standing: bool = False
    against: int = 0

    def take(self, shown: bool) -> bool:
        """Whether the sign has now come or gone."""
        self.against = self.against + 1 if shown is not self.standing else 0
        if self.against < IN_A_ROW:
            return False
        self.standing, self.against = shown, 0
        return True


@dataclass(slots=True)
class Signs:
    """Latency and shape of one muscle under one setting."""

    track: TrackSection
    _latency: _Run = field(default_factory=_Run)
    _shape: _Run = field(default_factory=_Run)

    def take(
        self, measurement: Measurement, onset_ms: float | None, phases: float | None
    ) -> list[Finding]:
        """One comparable trial against the baseline's onset and number of phases."""
        if measurement.status is not Status.RESPONSE:
            return []
        found: list[Finding] = []
        own_ms = measurement.onset_ms
        if own_ms is not None and onset_ms is not None and not measurement.onset_uncertain:
            # To a thousandth, so that a value on the boundary does not hang on its last bit.
            later = round(100.0 * (own_ms / onset_ms - 1.0), 3)
            limit = self.track.latency_percent
            if self._latency.take(later >= limit):
                message = (
                    f"onset {own_ms:.1f} ms, {later:.0f} % later than {onset_ms:.1f} ms at baseline"
                )
                found.append(Finding(AlarmKind.LATENCY_SHIFT, self._latency.standing, message))
        if measurement.phases is not None and phases is not None:
            lost = phases - measurement.phases >= PHASES_LOST
            if self._shape.take(lost):
                message = f"{measurement.phases} phases, {phases:g} at baseline"
                found.append(Finding(AlarmKind.MORPHOLOGY_CHANGE, self._shape.standing, message))
        return found


@dataclass(slots=True)
class StimulationThreshold:
    """How much stimulus one muscle takes under one montage, as the trials show it.

    The threshold before is the weakest stimulus that gave a response while the first baseline was
    made; the threshold now is above the strongest stimulus in vain since the last response, and at
    most the one that last gave a response after that.
    """

    rise: float | None
    before: float | None = None
    in_vain: float | None = None
    needed: float | None = None
    _standing: bool = False

    def take(
        self, intensity: float | None, measurement: Measurement, learning: bool
    ) -> list[Finding]:
        """One trial with a judgement on the muscle.

        Args:
            intensity: of the stimulus, in the unit of the markers (volts as a rule).
            measurement: a response or none.
            learning: no baseline of the montage is usable yet.
        """
        if self.rise is None or intensity is None:
            return []
        if measurement.status is Status.RESPONSE:
            if learning or self.before is None:
                self.before = intensity if self.before is None else min(self.before, intensity)
                return []
            if self.in_vain is not None and intensity > self.in_vain:
                self.needed = intensity
            elif intensity < self.before + self.rise:
                self.needed = self.in_vain = None
        elif measurement.status is Status.NO_RESPONSE and self.before is not None:
            self.in_vain = max(intensity, self.in_vain or 0.0)
            if self.needed is not None and intensity >= self.needed:
                self.needed = None
        else:
            return []
        return self._compare()

    def _compare(self) -> list[Finding]:
        now = self.needed if self.needed is not None else self.in_vain
        if self.rise is None or self.before is None:
            return []
        risen = now is not None and now - self.before >= self.rise
        if risen is self._standing:
            return []
        self._standing = risen
        sign = "" if self.needed is not None else "more than "
        message = f"a response takes {sign}{now:g}, {self.before:g} at baseline" if risen else ""
        return [Finding(AlarmKind.THRESHOLD_RISE, risen, message)]
