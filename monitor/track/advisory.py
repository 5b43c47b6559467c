"""Advisory signs beside the amplitude: latency and shape.

They support a judgement and make none (weak support in the literature), so they live simply: four
of the last five comparable trials raise one, four of five without it end it. The shape of a
response in noise is mostly the noise's, so that only trials of a high SNR have a say in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.config import TrackSection
from monitor.track.evidence import Evidence
from monitor.types import AlarmKind, Measurement, Priority, Status

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
    """A sign that has come (``active``) or gone, in words; ``more`` explains it.

    ``priority`` is given where it is not the kind's own.
    """

    kind: AlarmKind
    active: bool
    message: str = ""
    threshold: float | None = None
    n_of_k: str = ""
    priority: Priority | None = None
    more: Evidence = field(default_factory=dict)


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
        if votes < NEEDED and not self.standing and not self.inherited:
            return False  # as nearly always
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
