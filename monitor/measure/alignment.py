"""The stimulus artefact's place against its marker, followed from trial to trial.

A marker stream may lie a constant time from the signal, drift from it, or announce stimuli that
never reached the patient; the latencies are then wrong, or a muscle seems silent. The artefact
tells: nothing else in a sweep is as steep. It is found in the second difference over 0.2 ms against
the robust SD of the sweep before the stimulus, and told from a response by its shape: there a sine
of 300 Hz, the upper end of a response's energy, keeps 14 % of its amplitude, a pulse of 0.2 ms all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from monitor.types import AlarmKind, Epoch, FloatArray, Measurement, Notice, Status

#: Artefact and marker may move apart by so much; more is `stimulus_misaligned`.
MOVED_MS = 1.0
#: The artefact is looked for so far from the marker, at most: markers lie 5-50 ms off in practice.
REACH_MS = 50.0
#: An artefact stands so many SD of the second difference out of the sweep before it ...
ARTEFACT_SD = 15.0
LEAST_UV = 5.0
#: ... and this much of its own peak to peak, ...
STEEP_SHARE = 0.2
#: ... and begins where it first reaches this share of its largest value.
BEGIN_SHARE = 0.25
#: Trials from which the usual place of a setting's artefact is learned: enough for a median.
LEARNED_FROM = 3
#: An artefact may shrink to this share of its usual size (weaker stimulus) and still be there.
STILL_THERE_SHARE = 0.2
#: After so many trials without any artefact the case says that its alignment is unverified.
UNVERIFIED_AFTER = 5
#: Latest part of the sweep before the search window that noise is estimated on must be so long.
_MIN_NOISE_MS = 10.0
_LAG_MS = 0.2
#: Where an artefact's own peak to peak is taken, from its begin.
_SHAPE_MS = 2.0
_MAD_TO_SD = 1.4826


class Alignment(Enum):
    """What one trial shows of its stimulus."""

    ALIGNED = "aligned"
    UNKNOWN = "unknown"  # nothing to compare with, or too noisy to tell
    MISALIGNED = "stimulus_misaligned"
    NOT_DELIVERED = "stimulus_not_delivered"


@dataclass(frozen=True, slots=True, eq=False)
class Artefacts:
    """The artefact on each channel of a trial, (channels,) each.

    ``place_ms`` from the marker, NaN where none was found; ``size_uv``: its largest second
    difference; ``floor_uv``: what it would have to exceed.
    """

    place_ms: FloatArray
    size_uv: FloatArray
    floor_uv: FloatArray


def find_artefacts(epoch: Epoch) -> Artefacts:
    """The first steep event around the marker on every channel of an epoch."""
    per_ms = epoch.fs_hz / 1000.0
    lag = max(1, round(_LAG_MS * per_ms))
    sweeps = epoch.samples_uv
    steep = np.abs(sweeps[:, 2 * lag :] - 2.0 * sweeps[:, lag:-lag] + sweeps[:, : -2 * lag])
    n = steep.shape[1]
    # Column k of `steep` first sees sample k + 2 lag.
    stimulus = epoch.stimulus_index - 2 * lag
    train_ms = epoch.stimulus.pulses_ms[-1]
    begin = stimulus - int(REACH_MS * per_ms)
    # A part of the sweep has to be noise, however little there is before the stimulus.
    begin = max(begin, min(stimulus, int(_MIN_NOISE_MS * per_ms)), 1)
    end = min(n, stimulus + int((REACH_MS + train_ms) * per_ms))
    floor_uv = ARTEFACT_SD * _MAD_TO_SD * np.median(steep[:, :begin], axis=1).astype(np.float64)
    floor_uv = np.maximum(floor_uv, LEAST_UV)
    window = steep[:, begin:end]
    size_uv = window.max(axis=1).astype(np.float64)
    first = np.argmax(window >= np.maximum(floor_uv, BEGIN_SHARE * size_uv)[:, None], axis=1)
    place_ms = (begin + first - stimulus - epoch.stimulus_fraction) / per_ms
    shape = int(_SHAPE_MS * per_ms)
    for channel in np.flatnonzero(size_uv > floor_uv):
        at = begin + int(first[channel]) + 2 * lag
        extent_uv = float(np.ptp(sweeps[channel, max(0, at - lag) : at + shape]))
        if not steep[channel, at - 2 * lag : at + shape].max() >= STEEP_SHARE * extent_uv:
            place_ms[channel] = np.nan
    place_ms[~(size_uv > floor_uv)] = np.nan
    return Artefacts(place_ms, size_uv, floor_uv)


@dataclass(slots=True)
class _Usual:
    """What is usual under one stimulation setting, once ``LEARNED_FROM`` trials have shown it."""

    seen: list[Artefacts]
    place_ms: float | None = None
    size_uv: FloatArray | None = None


class AlignmentWatch:
    """Follows the artefacts of one case."""

    def __init__(self) -> None:
        self._usual: dict[str, _Usual] = {}
        self._standing: dict[AlarmKind, str] = {}
        self._trials = 0
        self._verified = False
        self._said = False
        self._notices: list[Notice] = []

    def take_notices(self) -> list[Notice]:
        """The notices since the last call."""
        taken = self._notices
        self._notices = []
        return taken

    def unverified(self, *, ended: bool = False) -> bool:
        """Whether it is time to say, once, that no artefact has ever been seen."""
        enough = self._trials >= (1 if ended else UNVERIFIED_AFTER)
        if self._verified or self._said or not enough:
            return False
        self._said = True
        return True

    def look(self, epoch: Epoch, *, answered: bool) -> Alignment:
        """Take a trial's epoch; notices are left for :meth:`take_notices`.

        ``answered``: some muscle responded, so that the stimulus was delivered whatever the
        artefact says.
        """
        found = find_artefacts(epoch)
        self._trials += 1
        self._verified |= bool(np.isfinite(found.place_ms).any())
        setting = epoch.stimulus.setting
        usual = self._usual.setdefault(setting, _Usual([]))
        if usual.place_ms is None or usual.size_uv is None:
            self._learn(usual, found, epoch)
            return Alignment.UNKNOWN
        verdict, moved_ms = _compare(found, usual.place_ms, usual.size_uv)
        if verdict is Alignment.NOT_DELIVERED and (answered or abs(usual.place_ms) > MOVED_MS):
            # Nor does an artefact in the wrong place vouch: it might be a response.
            verdict = Alignment.UNKNOWN
        if verdict is Alignment.UNKNOWN:
            return verdict
        self._turn(
            AlarmKind.STIMULUS_NOT_DELIVERED,
            verdict is Alignment.NOT_DELIVERED,
            epoch.stimulus_s,
            "the stimulus artefact is gone from every channel that had one",
        )
        if verdict is not Alignment.NOT_DELIVERED:
            place_ms = usual.place_ms + moved_ms
            self._turn(
                AlarmKind.STIMULUS_MISALIGNED,
                verdict is Alignment.MISALIGNED or abs(usual.place_ms) > MOVED_MS,
                epoch.stimulus_s,
                _misaligned(place_ms, moved_ms),
            )
        return verdict

    def _learn(self, usual: _Usual, found: Artefacts, epoch: Epoch) -> None:
        """Keep a trial with an artefact; from enough of them follow place and sizes."""
        if not np.isfinite(found.place_ms).any():
            return
        usual.seen.append(found)
        if len(usual.seen) < LEARNED_FROM:
            return
        places_ms = np.array([one.place_ms for one in usual.seen])
        place_ms = float(np.nanmedian(places_ms))
        there = np.abs(places_ms - place_ms) <= MOVED_MS
        # A channel has an artefact if most of the trials show it at the common place.
        has = there.sum(axis=0) * 2 > LEARNED_FROM
        if not has.any():
            usual.seen.pop(0)
            return
        sizes = np.array([one.size_uv for one in usual.seen])
        usual.place_ms = place_ms
        usual.size_uv = np.where(has, np.median(sizes, axis=0), np.nan)
        usual.seen.clear()
        if abs(place_ms) > MOVED_MS:
            self._turn(
                AlarmKind.STIMULUS_MISALIGNED, True, epoch.stimulus_s, _misaligned(place_ms, 0.0)
            )

    def _turn(self, kind: AlarmKind, active: bool, at_s: float, message: str) -> None:
        said = self._standing.get(kind)
        if active and said != message:
            self._standing[kind] = message
            self._notices.append(Notice(kind, True, at_s, message=message))
        elif not active and said is not None:
            del self._standing[kind]
            self._notices.append(Notice(kind, False, at_s))


def _compare(found: Artefacts, place_ms: float, size_uv: FloatArray) -> tuple[Alignment, float]:
    """Verdict on a trial, and how far its artefact moved (ms; 0 where it is gone)."""
    wanted_uv = STILL_THERE_SHARE * size_uv  # NaN, and so never exceeded, without an artefact
    judges = found.floor_uv < wanted_uv
    if not judges.any():
        return Alignment.UNKNOWN, 0.0
    there = judges & np.isfinite(found.place_ms) & (found.size_uv >= wanted_uv)
    if (np.abs(found.place_ms[there] - place_ms) <= MOVED_MS).any():
        return Alignment.ALIGNED, 0.0
    if 2 * np.count_nonzero(there) < np.count_nonzero(judges):
        # Fewer than half of them: what is there is a channel's own spike, not the stimulator's.
        return Alignment.NOT_DELIVERED, 0.0
    return Alignment.MISALIGNED, float(np.median(found.place_ms[there])) - place_ms


def _misaligned(place_ms: float, moved_ms: float) -> str:
    side = "after" if place_ms > 0 else "before"
    text = f"the stimulus artefact lies {abs(place_ms):.0f} ms {side} the marker"
    if abs(moved_ms) > MOVED_MS:
        return text
    return f"{text} on every trial: set stimulus.offset_ms to correct it by {place_ms:+.0f} ms"


def set_aside(measurement: Measurement, alignment: Alignment) -> Measurement:
    """A measurement of a trial whose stimulus was not where its marker is: for the record only.

    It is rejected, so that it enters no baseline and a missing response is no loss; what was
    measured stays with it.
    """
    reasons = (*measurement.reasons, alignment.value)
    return replace(measurement, status=Status.REJECTED, reasons=reasons)
