"""The rules that :mod:`bench.alarms` compares: the product's own, and the usual ones.

Ours is the real :class:`monitor.track.tracker.Tracker`, fed trial by trial through its public door
with measurements made of the simulated amplitudes, so that its figures are the product's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from bench.alarm_cases import Case
from monitor.acquire.channels import muscle_and_side
from monitor.config import CaseConfig, CaseSection, TrackSection
from monitor.track.tracker import Tracker
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmState,
    Channel,
    Epoch,
    Event,
    FloatArray,
    Measurement,
    Status,
    Stimulus,
    Trial,
)

BASELINE_USABLE, BASELINE_FROZEN = 5, 10
DEFAULT = TrackSection(confirm="estimator")
LEAST_SD = 0.01
"""In logs: of a muscle that is given with the same amplitude in every trial."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change of an alarm condition, as ``--out`` writes it."""

    case: str
    muscle: str
    trial: int
    kind: str
    priority: str
    state: str
    scope: str


class Rule(Protocol):
    """What raises alarms on a case."""

    @property
    def name(self) -> str: ...

    def alarms(self, case: Case) -> list[Alarm]:
        """Every physiological alarm of the case, in order."""


@dataclass(frozen=True, slots=True)
class Ours:
    """The product. ``ticks_s``: time passes between trials in steps of so many seconds; 0: not.

    Without ticks nobody waits: an unconfirmed alarm is repeated at once, as teams do.
    """

    track: TrackSection = DEFAULT
    ticks_s: float = 0.0

    @property
    def name(self) -> str:
        return f"estimator, P >= {self.track.confirm_probability:g}"

    def alarms(self, case: Case) -> list[Alarm]:
        return [
            Alarm(
                case.case,
                event.channel,
                trial,
                event.kind.value,
                event.priority.value,
                event.state.value,
                event.scope.value,
            )
            for trial, event in self._conditions(case)
            if event.alarm_class is AlarmClass.PHYSIOLOGICAL
            and event.state is not AlarmState.RESOLVED
        ]

    def trials(self, case: Case) -> list[tuple[Trial, list[AlarmCondition]]]:
        """Every trial with the conditions that it changed."""
        found: list[tuple[Trial, list[AlarmCondition]]] = []
        for _, event in self._events(case):
            if isinstance(event, Trial):
                found.append((event, []))
            elif isinstance(event, AlarmCondition):
                found[-1][1].append(event)
        return found

    def _conditions(self, case: Case) -> list[tuple[int, AlarmCondition]]:
        return [(t, event) for t, event in self._events(case) if isinstance(event, AlarmCondition)]

    def _events(self, case: Case) -> list[tuple[int, Event]]:
        channels = channels_of(case)
        config = CaseConfig(case=CaseSection(name=case.case), track=self.track)
        tracker = Tracker(channels, config)
        sweeps_uv = np.zeros((len(channels), 1), np.float32)
        events: list[tuple[int, Event]] = []
        before_s = float(case.time_s[0])
        for t, trial in enumerate(case.trials):
            at_s = float(case.time_s[t])
            if self.ticks_s > 0.0:
                for tick_s in np.arange(before_s + self.ticks_s, at_s, self.ticks_s):
                    events += [(case.trials[t - 1], e) for e in tracker.tick(float(tick_s))]
            before_s = at_s
            stimulus = Stimulus(at_s, "", case.settings[t])
            epoch = Epoch(trial, stimulus, at_s, 0, 0, 0.0, 5000.0, sweeps_uv)
            measurements = tuple(measurement(case, t, m) for m in range(len(channels)))
            events += [(trial, e) for e in tracker.trial(epoch, measurements, sweeps_uv)]
        return events


@dataclass(frozen=True, slots=True)
class InARow:
    """The literal rule: at most ``percent`` of baseline in ``n`` comparable trials in a row."""

    n: int
    percent: float = 50.0

    @property
    def name(self) -> str:
        return f"<= {self.percent:g} %, {self.n} in a row"

    def alarms(self, case: Case) -> list[Alarm]:
        share = percent_of_baseline(case)
        alarms = []
        for m, muscle in enumerate(case.muscles):
            in_a_row = 0
            for t, trial in enumerate(case.trials):
                if math.isnan(share[t, m]):
                    continue
                stood = in_a_row >= self.n
                in_a_row = in_a_row + 1 if share[t, m] <= self.percent else 0
                if in_a_row >= self.n:
                    alarms.append(_high(case, muscle, trial))
                elif stood:
                    alarms.append(_high(case, muscle, trial, over=True))
        return alarms


@dataclass(frozen=True, slots=True)
class Ewma:
    """A moving average of the log-amplitude, weighted 0.3, ``limit`` baseline SD below its mean."""

    limit: float = 3.0
    weight: float = 0.3

    @property
    def name(self) -> str:
        return f"EWMA, {self.limit:g} SD"

    def alarms(self, case: Case) -> list[Alarm]:
        share = percent_of_baseline(case)
        alarms = []
        for m, muscle in enumerate(case.muscles):
            first = [
                math.log(case.amplitude_uv[t, m])
                for t in range(len(case.trials))
                if case.status[t][m] == "response" and case.amplitude_uv[t, m] > 0
            ][:BASELINE_FROZEN]
            if len(first) < BASELINE_FROZEN:
                continue
            centre, sd = float(np.mean(first)), max(float(np.std(first, ddof=1)), LEAST_SD)
            average, accepted, stood = 0.0, 0, False
            for t, trial in enumerate(case.trials):
                if case.status[t][m] == "rejected":
                    continue
                accepted += 1
                if accepted <= BASELINE_FROZEN or math.isnan(share[t, m]):
                    continue
                seen_uv = max(float(case.amplitude_uv[t, m]), 5.0)
                deviation = (math.log(seen_uv) - centre) / sd
                average += self.weight * (deviation - average)
                stands = average <= -self.limit
                if stands or stood:
                    alarms.append(_high(case, muscle, trial, over=not stands))
                stood = stands
        return alarms


def channels_of(case: Case) -> tuple[Channel, ...]:
    """The channels of a case by the names of its muscles."""
    read = [muscle_and_side(name) for name in case.muscles]
    return tuple(
        Channel(name, muscle, side) for name, (muscle, side) in zip(case.muscles, read, strict=True)
    )


def measurement(case: Case, t: int, m: int) -> Measurement:
    """What would have been measured: trial ``t`` of muscle ``m``."""
    status = Status(case.status[t][m])
    amplitude_uv = float(case.amplitude_uv[t, m])
    if status is Status.RESPONSE and math.isfinite(amplitude_uv):
        return Measurement(status, amplitude_uv=amplitude_uv, snr=float(case.snr[t, m]))
    if status is Status.NO_RESPONSE:
        return Measurement(status, amplitude_uv=0.0)
    return Measurement(status, ("rejected",))


@lru_cache(maxsize=20_000)  # the same for every threshold of every rule
def percent_of_baseline(case: Case) -> FloatArray:
    """(trials, muscles) percent of the median of the first ten responses, from the sixth on.

    Each setting has its own.
    """
    share = np.full(case.amplitude_uv.shape, math.nan)
    for m in range(len(case.muscles)):
        every: dict[str, list[float]] = {}
        for t in range(len(case.trials)):
            learned = every.setdefault(case.settings[t], [])
            status, uv = case.status[t][m], float(case.amplitude_uv[t, m])
            if status not in ("response", "no_response"):
                continue
            if len(learned) >= BASELINE_USABLE:
                seen_uv = uv if status == "response" else 0.0
                share[t, m] = 100.0 * seen_uv / float(np.median(learned))
            if status == "response" and len(learned) < BASELINE_FROZEN:
                learned.append(uv)
    return share


def _high(case: Case, muscle: str, trial: int, *, over: bool = False) -> Alarm:
    """The alarm of a rule without any tiers; it ends with the first trial that is not beyond."""
    state = "resolved" if over else "active"
    return Alarm(case.case, muscle, trial, "amplitude_drop", "high", state, "indeterminate")
