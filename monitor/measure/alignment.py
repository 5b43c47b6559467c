"""The stimulus artefact's place against its marker, followed from trial to trial.

A marker stream may lie a constant time from the signal, drift from it, or announce stimuli that
never reached the patient; the latencies are then wrong, or a muscle seems silent. The artefact
tells: nothing else in a sweep is as steep. It is found in the second difference over 0.2 ms against
the robust SD of the sweep before the stimulus, and told from a response by its shape: there a sine
of 300 Hz, the upper end of a response's energy, keeps 14 % of its amplitude, a pulse of 0.2 ms all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from msgspec.structs import replace

from monitor.types import AlarmKind, Epoch, Float32Array, FloatArray, Measurement, Notice, Status

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
#: An artefact's size is asked for so far about its usual place.
NEAR_MS = 2.0
#: The other channels' artefacts, of their usual size, in the median: they are as ever.
AS_EVER_SHARE = 0.5
#: The reason of a measurement whose channel alone no longer shows the artefact.
DETACHED = "stimulus_artefact_missing"
#: Realigned only where the artefacts of all trials in a row lie this close to one another.
SAME_PLACE_MS = 0.5
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


@dataclass(frozen=True, slots=True)
class Realigned:
    """From the next stimulus on, its time is ``moved_ms`` after what its marker says."""

    moved_ms: float
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Artefacts:
    """The artefact on each channel of a trial, (channels,) each.

    ``place_ms`` from the marker, NaN where none was found; ``size_uv``: the largest second
    difference around the marker; ``floor_uv``: what it would have to exceed. ``steep_uv``
    (channels, n): second differences from ``begin_ms`` after the marker on, every ``step_ms``.
    """

    place_ms: FloatArray
    size_uv: FloatArray
    floor_uv: FloatArray
    steep_uv: Float32Array | FloatArray
    begin_ms: float
    step_ms: float

    def near_uv(self, place_ms: float) -> FloatArray:
        """(channels,) the largest second difference within ``NEAR_MS`` of a place.

        A large response can be as steep as a small artefact: what is asked of one electrode is
        asked where its artefact lies.
        """
        at = (place_ms - self.begin_ms) / self.step_ms
        reach = NEAR_MS / self.step_ms
        part = self.steep_uv[:, max(0, int(at - reach)) : max(0, int(at + reach)) + 1]
        return np.asarray(part.max(axis=1, initial=0.0), dtype=np.float64)


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
    begin_ms = (begin - stimulus - epoch.stimulus_fraction) / per_ms
    return Artefacts(place_ms, size_uv, floor_uv, window, begin_ms, 1.0 / per_ms)


@dataclass(slots=True)
class _Usual:
    """What is usual under one stimulation setting, once ``LEARNED_FROM`` trials have shown it."""

    seen: list[Artefacts]
    place_ms: float | None = None
    size_uv: FloatArray | None = None
    near_uv: FloatArray | None = None


class AlignmentWatch:
    """Follows the artefacts of one case.

    With ``realign_after`` (0: never) trials in a row whose artefact has moved to one new place, and
    left the old one, it says by how much; whoever asks (:meth:`take_realigned`) has the stimuli
    that follow placed there. What then is measured has its artefact where its zero is, as before.
    The alarm stands to the end of the case: the markers still lie elsewhere.
    """

    def __init__(self, realign_after: int = 0) -> None:
        self._realign_after = realign_after
        self._moved_ms: list[float] = []
        self._realigned: Realigned | None = None
        self._corrected_ms = 0.0
        self._corrected = ""
        self._usual: dict[str, _Usual] = {}
        self._standing: dict[AlarmKind, str] = {}
        self._trials = 0
        self._verified = False
        self._said = False
        self._notices: list[Notice] = []
        self._detached: frozenset[int] = frozenset()

    def take_notices(self) -> list[Notice]:
        """The notices since the last call."""
        taken = self._notices
        self._notices = []
        return taken

    @property
    def detached(self) -> frozenset[int]:
        """Channels that always had the artefact and did not show it in the latest trial.

        The others had theirs as ever: the stimulus came, and what is off is the electrode.
        """
        return self._detached

    def take_realigned(self) -> Realigned | None:
        """How the stimuli after this trial are to be placed anew, once."""
        taken = self._realigned
        self._realigned = None
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

        ``answered``: some muscle responded beyond doubt, so that the stimulus was delivered
        whatever the artefact says.
        """
        found = find_artefacts(epoch)
        self._detached = frozenset()
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
        if verdict is Alignment.ALIGNED and usual.near_uv is not None:
            self._detached = _detached(found, usual.place_ms, usual.near_uv)
        if not epoch.out_of_order:
            self._follow_move(verdict, moved_ms, usual, epoch)
        self._turn(
            AlarmKind.STIMULUS_NOT_DELIVERED,
            verdict is Alignment.NOT_DELIVERED,
            epoch.stimulus_s,
            "the stimulus artefact is gone from every channel that had one",
        )
        if verdict is not Alignment.NOT_DELIVERED:
            place_ms = usual.place_ms + moved_ms
            misaligned = verdict is Alignment.MISALIGNED
            said = self._corrected
            if not said or (misaligned and self._realigned is None):
                said = _misaligned(place_ms, moved_ms)
            self._turn(
                AlarmKind.STIMULUS_MISALIGNED,
                misaligned or bool(self._corrected) or abs(usual.place_ms) > MOVED_MS,
                epoch.stimulus_s,
                said,
            )
        return verdict

    def _follow_move(
        self, verdict: Alignment, moved_ms: float, usual: _Usual, epoch: Epoch
    ) -> None:
        """Count the trials in a row at one new place, and realign when there are enough."""
        assert usual.place_ms is not None
        assert usual.size_uv is not None
        if verdict is not Alignment.MISALIGNED or not _left(
            epoch, usual.place_ms, moved_ms, usual.size_uv
        ):
            self._moved_ms.clear()
            return
        if self._moved_ms and abs(moved_ms - float(np.median(self._moved_ms))) > SAME_PLACE_MS:
            self._moved_ms.clear()
        self._moved_ms.append(moved_ms)
        if not self._realign_after or len(self._moved_ms) < self._realign_after:
            return
        by_ms = float(np.median(self._moved_ms))
        self._moved_ms.clear()
        self._corrected_ms += by_ms
        self._corrected = (
            f"the stimulus artefact moved by {by_ms:+.1f} ms against the marker: after trial "
            f"{epoch.trial} every marker is corrected by {self._corrected_ms:+.1f} ms, and "
            "latencies count from there (stimulus.realign_after); check the markers"
        )
        self._realigned = Realigned(by_ms, self._corrected)
        # Artefacts seen before have other places: what is not learned yet is learned anew.
        for other in self._usual.values():
            other.seen.clear()
        # Another condition, that nobody has acknowledged yet.
        if self._standing.pop(AlarmKind.STIMULUS_MISALIGNED, None) is not None:
            self._notices.append(Notice(AlarmKind.STIMULUS_MISALIGNED, False, epoch.stimulus_s))

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
        near = np.array([one.near_uv(place_ms) for one in usual.seen])
        usual.near_uv = np.where(has, np.median(near, axis=0), np.nan)
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


def _detached(found: Artefacts, place_ms: float, usual_uv: FloatArray) -> frozenset[int]:
    """Channels without a steep event of a fifth of their artefact, the others' being as ever."""
    wanted_uv = STILL_THERE_SHARE * usual_uv  # NaN, and so never exceeded, without an artefact
    near_uv = found.near_uv(place_ms)
    judges = found.floor_uv < wanted_uv
    gone = judges & (near_uv < wanted_uv)
    others = judges & ~gone
    if not gone.any() or not others.any():
        return frozenset()
    if np.median(near_uv[others] / usual_uv[others]) < AS_EVER_SHARE:
        return frozenset()
    return frozenset(np.flatnonzero(gone).tolist())


def _left(epoch: Epoch, place_ms: float, moved_ms: float, size_uv: FloatArray) -> bool:
    """Whether the pulses are gone from where they were, all that no moved pulse explains.

    A train that is joined by another, ahead of it, has not moved: its own artefacts are still
    there, and a zero at the other's would leave them to be taken for responses.
    """
    pulses_ms = np.array(epoch.stimulus.pulses_ms)
    old_ms, new_ms = place_ms + pulses_ms, place_ms + moved_ms + pulses_ms
    apart_ms = np.abs(old_ms[:, None] - new_ms[None, :]).min(axis=1)
    judges = np.isfinite(size_uv)
    per_ms = epoch.fs_hz / 1000.0
    lag = max(1, round(_LAG_MS * per_ms))
    x = epoch.samples_uv[judges]
    steep = np.abs(x[:, 2 * lag :] - 2.0 * x[:, lag:-lag] + x[:, : -2 * lag])
    for at_ms in old_ms[apart_ms > 2.0 * MOVED_MS]:
        at = epoch.stimulus_index - 2 * lag + round(at_ms * per_ms)
        reach = round(MOVED_MS * per_ms)
        window = steep[:, max(0, at - reach) : at + reach + 1]
        if not window.size:
            return False
        still = window.max(axis=1) >= STILL_THERE_SHARE * size_uv[judges]
        if 2 * np.count_nonzero(still) >= len(still):
            return False
    return True


def _misaligned(place_ms: float, moved_ms: float) -> str:
    side = "after" if place_ms > 0 else "before"
    text = f"the stimulus artefact lies {abs(place_ms):.0f} ms {side} the marker"
    if abs(moved_ms) > MOVED_MS:
        return f"{text}: such trials are rejected (see stimulus.realign_after)"
    return f"{text} on every trial: set stimulus.offset_ms to correct it by {place_ms:+.0f} ms"


def set_detached_aside(
    measurements: tuple[Measurement, ...], detached: frozenset[int]
) -> tuple[Measurement, ...]:
    """No response on a channel whose electrode is off is no loss: it is rejected, for the record.

    A response that is there shows that the muscle is heard, whatever became of the artefact.
    """
    return tuple(
        replace(m, status=Status.REJECTED, reasons=(*m.reasons, DETACHED), amplitude_uv=None)
        if i in detached and m.status is Status.NO_RESPONSE
        else m
        for i, m in enumerate(measurements)
    )


def set_aside(measurement: Measurement, alignment: Alignment) -> Measurement:
    """A measurement of a trial whose stimulus was not where its marker is: for the record only.

    It is rejected, so that it enters no baseline and a missing response is no loss; what was
    measured stays with it.
    """
    reasons = (*measurement.reasons, alignment.value)
    return replace(measurement, status=Status.REJECTED, reasons=reasons)
