"""The baseline of one muscle under one stimulation setting: learned, or set by an operator.

Accepted trials are those with a judgement on the muscle (``response`` or ``no_response``), in
order; the baseline is the median of the accepted *responses*, as is common practice for
transcranial MEPs: single sweeps vary by a quarter to a half, the median of several is stable.

The rules, with the defaults of ``[track]``:

- Learning looks at a window: the last 10 accepted trials (``baseline_frozen``; longer only where
  ``baseline_usable`` responses at the required share need more room).
- *Usable* once the window holds 5 responses (``baseline_usable``) that make up at least 80 %
  (``baseline_response_share``) of it. From then on nothing withdraws it: responses that vanish
  after five good ones are a loss to alarm on, not a reason to stop comparing.
- Responses whose upper quartile is more than 4 times the lower one (``baseline_spread_max``; a hand
  muscle at rest has 1.9) make no baseline: what changes that much has no percent.
- *Unreliable* once the window is full and still not usable. It moves on with every accepted trial
  and the same rule makes the baseline usable when the muscle answers again.
- *Frozen* at the 10th response (``baseline_frozen``). Until then every response enters, a single
  one beyond the criterion too: to leave the low ones out would raise the baseline of a muscle that
  varies much. From the second one of the same loss on they stay out (the tracker sees to it): a
  loss that comes this early must not be learned, and so clear itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.config import TrackSection
from monitor.inputs import ResumedBaseline
from monitor.track.advisory import shape_of
from monitor.track.criteria import is_amplitude
from monitor.track.median import MedianSweep
from monitor.types import (
    Baseline,
    BaselineState,
    Channel,
    Float32Array,
    Measurement,
    Status,
)

FLOOR_OVER_NOISE = 4.0
"""The smallest response that a sweep would show, peak to peak over its noise SD. Sweeps of white
noise alone give 3.8 to 7.0 as bound (5th to 95th per cent, median 4.2): the low end, so that no
muscle loses its criterion without need."""

ANSWERED = 2
"""Responses from which on a muscle is known to answer: one may be noise taken for one."""

_COMPARED_WITH = frozenset({BaselineState.USABLE, BaselineState.FROZEN})


def is_accepted(measurement: Measurement) -> bool:
    """Whether the trial says something of the muscle: a measured response, or none."""
    if measurement.amplitude_uncertain:
        return False
    if measurement.status is Status.RESPONSE:
        return is_amplitude(measurement.amplitude_uv)
    return measurement.status is Status.NO_RESPONSE


@dataclass(frozen=True, slots=True, eq=False)
class _Accepted:
    """What learning keeps of an accepted trial; ``amplitude_uv`` is None without a response."""

    trial: int
    amplitude_uv: float | None = None
    onset_ms: float | None = None
    sweep_uv: Float32Array | None = None
    phases: int | None = None
    floor_uv: float | None = None


class BaselineLearner:
    """The baseline of one (setting, channel), its learning and its history.

    Every change gives a new :class:`~monitor.types.Baseline`; it keeps its ``id`` while it learns
    and gets the next of ``ids`` when an operator sets it anew.
    """

    def __init__(
        self, setting: str, channel: Channel, track: TrackSection, ids: Iterator[int]
    ) -> None:
        self._setting = setting
        self.channel = channel
        self._track = track
        self._ids = ids
        room = math.ceil(track.baseline_usable / track.baseline_response_share)
        self._window_trials = max(track.baseline_frozen, room)
        self._accepted: deque[_Accepted] = deque()
        self.current: Baseline | None = None
        self._has_sweeps = True
        self._sweep: MedianSweep | None = None

    @property
    def state(self) -> BaselineState:
        return BaselineState.LEARNING if self.current is None else self.current.state

    @property
    def usable(self) -> Baseline | None:
        """The baseline that trials are compared with, or None while there is none."""
        current = self.current
        return current if current is not None and current.state in _COMPARED_WITH else None

    @property
    def has_answered(self) -> bool:
        """Two responses or more, and the share of them that a usable baseline takes."""
        current = self.current
        if current is None or current.responses < ANSWERED:
            return False
        return current.responses >= self._track.baseline_response_share * current.accepted

    def accept(
        self, trial: int, measurement: Measurement, sweep_uv: Float32Array
    ) -> Baseline | None:
        """Learn from the next accepted trial, in order.

        Args:
            trial: its number.
            measurement: one that :func:`is_accepted`.
            sweep_uv: (n,) float32 sweep as measured, n alike in all trials of a case; copied.

        Returns:
            The baseline as it now stands where that changed, else None.
        """
        if self.state is BaselineState.FROZEN:
            return None
        amplitude_uv, floor_uv = measurement.amplitude_uv, floor_of(measurement)
        # A response with nothing left above the noise floor adds no amplitude: it counts as none.
        if measurement.status is Status.RESPONSE and amplitude_uv:
            self._accepted.append(
                _Accepted(
                    trial,
                    amplitude_uv,
                    measurement.onset_ms,
                    sweep_uv.copy(),
                    shape_of(measurement),
                    floor_uv,
                )
            )
            if self._sweep is not None:
                self._sweep.take(sweep_uv)
        else:
            self._accepted.append(_Accepted(trial, floor_uv=floor_uv))
            if self.usable is not None:
                return None  # counted with the next response
        if self.usable is None and len(self._accepted) > self._window_trials:
            self._accepted.popleft()
        return self._learned()

    def inherit(self, was: ResumedBaseline) -> Baseline:
        """The baseline goes on as an earlier run left it; its sweep is not kept here.

        One that was not to be had then (unreliable) is learned on: this run has yet to say so.
        """
        unusable = was.state not in _COMPARED_WITH
        self.current = Baseline(
            id=was.id,
            setting=self._setting,
            channel=self.channel.name,
            muscle=self.channel.muscle,
            state=BaselineState.LEARNING if unusable else was.state,
            amplitude_uv=was.amplitude_uv,
            onset_ms=was.onset_ms,
            accepted=was.accepted,
            responses=was.responses,
            trials=was.trials,
            set_by=was.set_by,
            reason=was.reason,
            spread=was.spread,
            floor_uv=was.floor_uv,
            phases=was.phases,
            role=was.role,
            before_uv=was.before_uv,
            overrode=was.overrode,
        )
        if was.state is not BaselineState.FROZEN:
            silent = was.accepted - len(was.learned)
            self._accepted.extend(_Accepted(0) for _ in range(silent))
            self._accepted.extend(
                _Accepted(r.trial, r.amplitude_uv, r.onset_ms, None, r.phases, r.floor_uv)
                for r in was.learned
            )
            self._has_sweeps = False
        return self.current

    def set_value(
        self,
        amplitude_uv: float,
        by: str,
        reason: str,
        role: str = "",
        overrode: tuple[int, ...] = (),
    ) -> Baseline:
        """The operator ``by`` gives the value (> 0); it is frozen as given."""
        return self._anew(BaselineState.FROZEN, amplitude_uv, by, reason, role, overrode)

    def learn_again(
        self, by: str, reason: str, role: str = "", overrode: tuple[int, ...] = ()
    ) -> Baseline:
        """The operator ``by`` drops the baseline; the next accepted trials make a new one."""
        return self._anew(BaselineState.LEARNING, None, by, reason, role, overrode)

    def _anew(
        self,
        state: BaselineState,
        amplitude_uv: float | None,
        by: str,
        reason: str,
        role: str,
        overrode: tuple[int, ...],
    ) -> Baseline:
        before_uv = self.current.amplitude_uv if self.current is not None else None
        floor_uv = self.current.floor_uv if self.current is not None else None
        self._accepted.clear()
        self._sweep = None
        self._has_sweeps = True
        self.current = replace(
            self._empty(),
            state=state,
            amplitude_uv=amplitude_uv,
            set_by=by,
            reason=reason,
            floor_uv=floor_uv,
            role=role,
            before_uv=before_uv,
            overrode=overrode,
        )
        return self.current

    def _empty(self) -> Baseline:
        return Baseline(
            id=next(self._ids),
            setting=self._setting,
            channel=self.channel.name,
            muscle=self.channel.muscle,
            state=BaselineState.LEARNING,
            amplitude_uv=None,
            onset_ms=None,
            accepted=0,
            responses=0,
            trials=(),
        )

    def _learned(self) -> Baseline | None:
        before = self._empty() if self.current is None else self.current
        responses = [(a, a.amplitude_uv) for a in self._accepted if a.amplitude_uv is not None]
        amplitudes_uv = sorted([uv for _, uv in responses])
        spread = quartile_ratio(amplitudes_uv)
        changes: dict[str, Any] = {
            "accepted": len(self._accepted),
            "responses": len(responses),
            "trials": tuple([a.trial for a, _ in responses]),
            "floor_uv": _median_of([a.floor_uv for a in self._accepted]),
        }
        if self.usable is not None or self._is_usable(len(responses), spread):
            done = len(responses) >= self._track.baseline_frozen
            changes |= {
                "state": BaselineState.FROZEN if done else BaselineState.USABLE,
                "amplitude_uv": _median(amplitudes_uv),
                "spread": spread,
                "onset_ms": _median_of([a.onset_ms for a, _ in responses]),
                "sweep_uv": self._median_sweep() if self._has_sweeps else None,
                "phases": _median_of([a.phases for a, _ in responses]),
            }
            if done:
                self._accepted.clear()
                self._sweep = None
        elif len(self._accepted) >= self._window_trials:
            changes |= {"state": BaselineState.UNRELIABLE, "spread": spread}
        learned = replace(before, **changes)
        changed = self.current is None or _visible(learned) != _visible(self.current)
        self.current = learned
        return learned if changed else None

    def _median_sweep(self) -> Float32Array:
        if self._sweep is None:
            self._sweep = MedianSweep()
            for a in self._accepted:
                if a.sweep_uv is not None:
                    self._sweep.take(a.sweep_uv)
        return self._sweep.median()

    def _is_usable(self, n_responses: int, spread: float | None) -> bool:
        share = n_responses / len(self._accepted)
        return (
            n_responses >= self._track.baseline_usable
            and share >= self._track.baseline_response_share
            and (spread is None or spread <= self._track.baseline_spread_max)
        )


def floor_of(measurement: Measurement) -> float | None:
    """The smallest response that the sweep would show, in uV; None where its noise is not known."""
    noise_uv = measurement.noise_uv
    return None if noise_uv is None else FLOOR_OVER_NOISE * noise_uv


def _median(ordered: Sequence[float]) -> float:
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def _median_of(values: list[float | None] | list[int | None]) -> float | None:
    known = sorted([value for value in values if value is not None])
    return _median(known) if known else None


def quartile_ratio(ordered: Sequence[float]) -> float | None:
    """Upper over lower quartile of positive values in rising order; None of fewer than four."""
    if len(ordered) < 4:
        return None
    return round(_quantile(ordered, 0.75) / _quantile(ordered, 0.25), 6)


def _quantile(ordered: Sequence[float], share: float) -> float:
    at = share * (len(ordered) - 1)
    low = int(at)
    return ordered[low] + (at - low) * (ordered[low + 1] - ordered[low])


def _visible(baseline: Baseline) -> tuple[object, ...]:
    """What tells one state of a learning baseline from the next, the sweep following from it."""
    return (
        baseline.state,
        baseline.amplitude_uv,
        baseline.accepted,
        baseline.responses,
        baseline.trials,
    )
