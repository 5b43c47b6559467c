"""How much stimulus a muscle takes, and when that has risen.

An acute rise by 100 V or more is a warning sign in spinal-cord surgery (MacDonald 2017: minor to
moderate). The threshold itself is seldom searched for, so what is compared are bounds that the
trials show: what was enough at baseline, and what is not enough now.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.track.advisory import Finding
from monitor.track.evidence import Evidence
from monitor.types import AlarmKind, Measurement, Priority, Status

CONFIRMING = 2
"""Stimuli in vain from which on a rise is more than one missed response."""

SAME_SHARE = 0.01
"""A stimulus weaker by this share of the threshold before still counts as no weaker."""


@dataclass(slots=True)
class StimulationThreshold:
    """How much stimulus one muscle takes under one montage, as the trials show it.

    The threshold before is the weakest stimulus that gave a response while the first baseline was
    made; the threshold now is above the strongest stimulus in vain since the last response, and at
    most the one that last gave a response after that. Only stimuli no weaker than the threshold
    before are in vain: a weaker one never was enough.

    One stimulus in vain is shown at once at low priority; the second makes it medium.

    Attributes:
        rise: from which on it is one, in the unit of the markers (volts as a rule); None: not
            followed.
        before: the threshold before.
        in_vain: the strongest stimulus in vain.
        needed: the stimulus that gave a response after that.
        misses: stimuli in vain.
        standing: the rise was told.
    """

    rise: float | None
    before: float | None = None
    in_vain: float | None = None
    needed: float | None = None
    misses: int = 0
    standing: bool = False
    _confirmed: bool = False

    def inherit(self, evidence: Evidence) -> None:
        """A rise stood when an earlier run of the case was interrupted, with this evidence.

        ``before`` is what the baselines say where the evidence does not.
        """
        self.standing = True
        self.before = _number(evidence, "threshold_before", self.before)
        self.in_vain = _number(evidence, "threshold_in_vain", None)
        self.needed = _number(evidence, "threshold_needed", None)
        self.misses = int(str(evidence.get("n_of_k", "0")).split(" ")[0])
        self._confirmed = self.misses >= CONFIRMING

    def learned(self, intensity: float) -> None:
        """A baseline was made at this intensity."""
        self.before = intensity if self.before is None else min(self.before, intensity)

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
                self.learned(intensity)
                return []
            if intensity < self.before + self.rise:
                self.needed = self.in_vain = None
                self.misses = 0
            elif self.in_vain is not None and intensity > self.in_vain:
                self.needed = intensity
        elif measurement.status is Status.NO_RESPONSE and self.before is not None:
            if intensity < self.before * (1.0 - SAME_SHARE):
                return []
            self.in_vain = max(intensity, self.in_vain or 0.0)
            self.misses += 1
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
        confirmed = risen and self.misses >= CONFIRMING
        if risen is self.standing and confirmed <= self._confirmed:
            return []
        self.standing, self._confirmed = risen, confirmed
        if not risen:
            return [Finding(AlarmKind.THRESHOLD_RISE, False)]
        sign = "" if self.needed is not None else "more than "
        return [
            Finding(
                AlarmKind.THRESHOLD_RISE,
                True,
                f"a response takes {sign}{now:g}, {self.before:g} at baseline",
                self.rise,
                f"{min(self.misses, CONFIRMING)} of {CONFIRMING}",
                Priority.MEDIUM if confirmed else Priority.LOW,
                {
                    "threshold_before": self.before,
                    "threshold_in_vain": self.in_vain,
                    "threshold_needed": self.needed,
                },
            )
        ]


def _number(evidence: Evidence, name: str, missing: float | None) -> float | None:
    value = evidence.get(name)
    return float(value) if isinstance(value, int | float) else missing
