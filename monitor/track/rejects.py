"""Trials that can't be judged: why, on one muscle in a row, or on every muscle."""

from __future__ import annotations

from monitor.track.buried import NOISE_HIDES
from monitor.track.technical import WHOLE_CASE, SimpleConditions
from monitor.types import AlarmCondition, AlarmKind, Channel, Epoch, Measurement, Status

REJECTS_NOT_MEASURABLE = 2
"""Trials in a row on a channel, rejected or of an uncertain amplitude, from which on it counts as
not measurable."""

REJECTS_IN_A_ROW = 3
"""Stimuli in a row of which no muscle could be judged."""

COVERED_BY = ("saturated", "electrocautery", NOISE_HIDES)
"""Reasons of a doubtful measurement that electrocautery gives, the network's own word for it among
them."""
OFF = {
    "flat_line": "flat line",
    "stimulus_artefact_missing": "this channel alone no longer shows the stimulus artefact",
}
"""Reasons that tell of an electrode that is off, in words."""
_REJECTED = Status.REJECTED
CAUTERY_SHARE = 0.5
CAUTERY_CHANNELS = 2
"""Covered so on this share of the channels at once, and on this many: no electrode does that."""


class Rejects:
    """The technical conditions that rejected trials raise, and their ends."""

    def __init__(self, channels: tuple[Channel, ...], conditions: SimpleConditions) -> None:
        self._channels = channels
        self._conditions = conditions
        self._in_a_row = [0] * len(channels)
        self._whole = 0
        self._troubled: set[int] = set()
        self._were_bad = False

    def take(self, epoch: Epoch, measurements: tuple[Measurement, ...]) -> list[AlarmCondition]:
        """The conditions that a measured stimulus raised or ended."""
        doubtful = [
            i for i, m in enumerate(measurements) if m.status is _REJECTED or m.amplitude_uncertain
        ]
        if not doubtful and not self._were_bad:
            return []
        self._were_bad = bool(doubtful)
        saturated = {i for i in doubtful if _is(measurements[i], "saturated")}
        # A response whose tops were cut off is one all the same, and no cautery if not named so.
        cut_off = {
            i
            for i in saturated
            if measurements[i].status is Status.RESPONSE
            and not _is(measurements[i], "electrocautery")
        }
        covered = [
            i
            for i in doubtful
            if i not in cut_off and any(_is(measurements[i], why) for why in COVERED_BY)
        ]
        cautery = len(covered) >= max(CAUTERY_CHANNELS, CAUTERY_SHARE * len(measurements))
        how = "saturated" if saturated - cut_off else "covered"
        changed = [
            self._while_true(
                AlarmKind.ELECTROCAUTERY, cautery, epoch, f"most channels are {how} at once"
            )
        ]
        troubled, self._troubled = self._troubled.union(doubtful), set(doubtful)
        for i in sorted(troubled):
            channel, measurement = self._channels[i], measurements[i]
            limit = i in saturated and not cautery
            off = next((told for why, told in OFF.items() if _is(measurement, why)), "")
            changed += [
                self._while_true(AlarmKind.SATURATED, limit, epoch, "saturated", channel),
                self._while_true(AlarmKind.LEAD_OFF, bool(off), epoch, off, channel),
                self._not_measurable(i, measurement, epoch),
            ]
        bad = len(doubtful) == len(measurements) and all(
            m.status is Status.REJECTED for m in measurements
        )
        changed.append(self._case(bad, epoch.trial, epoch.stimulus_s))
        return [condition for condition in changed if condition is not None]

    def missed(self, trial: int, at_s: float) -> list[AlarmCondition]:
        """A stimulus without an epoch, which no muscle could be judged by either."""
        self._were_bad = True
        changed = self._case(True, trial, at_s)
        return [changed] if changed else []

    def _while_true(
        self,
        kind: AlarmKind,
        there: bool,
        epoch: Epoch,
        message: str,
        channel: Channel = WHOLE_CASE,
    ) -> AlarmCondition | None:
        """A condition that stands exactly while trials show it."""
        if not there:
            return self._conditions.resolve(kind, epoch.stimulus_s, channel=channel.name)
        return self._conditions.raise_(
            kind, epoch.stimulus_s, message, channel=channel, trial=epoch.trial
        )

    def _not_measurable(
        self, i: int, measurement: Measurement, epoch: Epoch
    ) -> AlarmCondition | None:
        channel, kind = self._channels[i], AlarmKind.NOT_MEASURABLE
        rejected = measurement.status is Status.REJECTED
        if not rejected and not measurement.amplitude_uncertain:
            self._in_a_row[i] = 0
            return self._conditions.resolve(kind, epoch.stimulus_s, channel=channel.name)
        self._in_a_row[i] += 1
        if self._in_a_row[i] != REJECTS_NOT_MEASURABLE:
            return None
        why = f": {', '.join(measurement.reasons)}" if measurement.reasons else ""
        return self._conditions.raise_(
            kind,
            epoch.stimulus_s,
            f"{REJECTS_NOT_MEASURABLE} trials in a row were "
            f"{'rejected' if rejected else 'in doubt'}{why}",
            channel=channel,
            trial=epoch.trial,
        )

    def _case(self, bad: bool, trial: int, at_s: float) -> AlarmCondition | None:
        if not bad:
            self._whole = 0
            return self._conditions.resolve(AlarmKind.REJECTS_IN_A_ROW, at_s)
        self._whole += 1
        if self._whole != REJECTS_IN_A_ROW:
            return None
        message = f"no muscle could be judged in {REJECTS_IN_A_ROW} stimuli in a row"
        return self._conditions.raise_(AlarmKind.REJECTS_IN_A_ROW, at_s, message, trial=trial)


def _is(measurement: Measurement, reason: str) -> bool:
    """Whether a doubtful measurement is so for this reason."""
    return reason in measurement.reasons
