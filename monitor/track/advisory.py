"""Advisory signs beside the amplitude: latency, shape and stimulation threshold.

They support a judgement and make none (weak support in the literature), so they live simply: four
of the last five comparable trials raise one, four of five without it end it. The shape of a
response in noise is mostly the noise's, so that only trials of a high SNR have a say in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.config import TrackSection
from monitor.types import AlarmKind, Measurement, Status

OF_TRIALS, NEEDED = 5, 4
BOUNDARY_PERCENT = 5e-4
"""A latency on the boundary must not hang on its last bit."""
PHASES_LOST = 3.0
"""A response has lost its shape where it has three phases less than at baseline: two come and go
by themselves, in four of five trials in a row on some muscle of half of the stable cases."""
SHAPE_SNR_MIN = 20.0
"""Peak over noise SD from which on a shape is the one it has without noise in 97 of 100 sweeps
(bench.alarm_advisory)."""

VOTED_KINDS = (AlarmKind.LATENCY_SHIFT, AlarmKind.MORPHOLOGY_CHANGE)
ADVISORY_KINDS = (AlarmKind.LATENCY_SHIFT, AlarmKind.MORPHOLOGY_CHANGE, AlarmKind.THRESHOLD_RISE)


def shape_of(measurement: Measurement) -> int | None:
    """The number of phases where it can be believed."""
    snr = measurement.snr
    return measurement.phases if snr is not None and snr >= SHAPE_SNR_MIN else None


@dataclass(frozen=True, slots=True)
class Finding:
    """A sign that has come (``active``) or gone, in words."""

    kind: AlarmKind
    active: bool
    message: str = ""
    threshold: float | None = None
    n_of_k: str = ""


@dataclass(slots=True)
class _Votes:
    """Which of the last trials showed a sign, the latest in the lowest bit."""

    standing: bool = False
    shown: int = 0
    trials: int = 0
    inherited: bool = False

    def take(self, shown: bool) -> bool:
        """Whether the sign has now come or gone."""
        self.shown = (self.shown << 1 | shown) & _LAST_TRIALS
        self.trials += 1
        votes = self.shown.bit_count()
        without = min(self.trials, OF_TRIALS) - votes
        if self.inherited:
            # It stood before a restart: the trials since say anew whether it does.
            decided = max(votes, without) >= NEEDED
            self.standing = votes >= NEEDED
            self.inherited = not decided
            return decided
        if (without if self.standing else votes) < NEEDED:
            return False
        self.standing = not self.standing
        return True

    def finding(self, kind: AlarmKind, message: str, threshold: float) -> Finding:
        """What has just come or gone."""
        n_of_k = f"{self.shown.bit_count()} of {OF_TRIALS}"
        return Finding(kind, self.standing, message, threshold, n_of_k)


_LAST_TRIALS = (1 << OF_TRIALS) - 1
_RESPONSE = Status.RESPONSE


@dataclass(slots=True)
class Signs:
    """Latency and shape of one muscle under one setting."""

    track: TrackSection
    _latency: _Votes = field(default_factory=_Votes)
    _shape: _Votes = field(default_factory=_Votes)

    def inherit(self, kind: AlarmKind) -> None:
        """The sign stood when an earlier run of the case was interrupted."""
        votes = self._latency if kind is AlarmKind.LATENCY_SHIFT else self._shape
        votes.inherited = True

    def take(
        self, measurement: Measurement, onset_ms: float | None, phases: float | None
    ) -> list[Finding]:
        """One comparable trial against the baseline's onset and number of phases."""
        found: list[Finding] = []
        if measurement.status is not _RESPONSE:
            return found
        own_ms = measurement.onset_ms
        if own_ms is not None and onset_ms is not None and not measurement.onset_uncertain:
            later = 100.0 * (own_ms / onset_ms - 1.0)
            if self._latency.take(later >= self.track.latency_percent - BOUNDARY_PERCENT):
                message = (
                    f"onset {own_ms:.1f} ms, {later:.0f} % later than {onset_ms:.1f} ms at baseline"
                )
                limit = self.track.latency_percent
                found.append(self._latency.finding(AlarmKind.LATENCY_SHIFT, message, limit))
        own = shape_of(measurement)
        if own is not None and phases is not None and self._shape.take(phases - own >= PHASES_LOST):
            message = f"{own} phases, {phases:g} at baseline"
            found.append(self._shape.finding(AlarmKind.MORPHOLOGY_CHANGE, message, PHASES_LOST))
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
        return [Finding(AlarmKind.THRESHOLD_RISE, risen, message, self.rise, "1 of 1")]
