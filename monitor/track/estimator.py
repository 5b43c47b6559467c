"""The true amplitude behind single sweeps: a state-space model on log-amplitude. PURE.

Single sweeps of a muscle at rest vary by a quarter to a half (hand 48 %, abductor hallucis 35 %,
tibialis anterior 27 % without any injury), with tails heavier than normal and correlated from trial
to trial, so that one sweep, or two, says little of the muscle. The model, per stimulation setting,
for muscle m in trial t::

    y = level + offset + noise          y: log-amplitude
    level  gradual: a random walk over time with a part shared by all muscles (anaesthetic fade,
           with a depth of each muscle's own: legs fade about twice as deep as hands) and a part of
           the muscle's own
    offset sudden: one of a list of steps, 0 at rest, that a muscle may take or leave in any trial
    noise  with the muscle's own variance, correlated from trial to trial, both learned, the
           variance from what is published of such muscles on: Student's t; and in a small share
           of trials an outlier that says nothing

All levels are followed jointly (one Gaussian with full covariance), each muscle's offset as
probabilities: an interacting-multiple-model filter (Blom and Bar-Shalom 1988) with the Gaussian
collapsed after each muscle. To a single muscle it is the Bayesian test of Shiryaev (1963) for a
change at an unknown time: evidence adds up over trials, whether or not they are consecutive, and an
outlier counts for what one trial can tell and no more. Where no response was found the trial says
only that the amplitude lies below what could have been seen.

The loss is held to the *baseline* and to the running level at once: a sudden step as large as the
criterion counts while the estimate lies below the threshold of recovery, a gradual decline once it
lies below the criterion.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from monitor.track import kernel
from monitor.types import Channel, FloatArray, Measurement, Status

OFFSETS = np.array([0.0, 0.4, -0.4, -0.75, -0.95, -1.2, -1.6, -2.3, -3.2, -4.6])
"""Sudden steps in log units: to 100, 149, 67, 47, 39, 30, 20, 10, 4 and 1 % of the level before."""

_BENIGN = (1, 2)
_LOSS = {3: 1.0, 4: 1.0, 5: 1.0, 6: 1.0, 7: 3.0, 8: 3.0, 9: 2.0}
"""Steps that are a loss, and how likely against each other: an injury often takes nearly all."""

# Chances of one trial, and drifts: tuned on simulated cases of the design seeds (bench.alarms).
LOSS_PER_TRIAL, USUAL_S = 5e-3, 150.0
"""A loss is as likely in every minute, whether it is looked at once or four times: with trials
closer than ``USUAL_S`` the chance of one trial is less ..."""
LEAST_SHARE = 0.25
"""... to this share of it."""
USUAL_MUSCLES = 6
"""An injury is not likelier because more muscles are looked at, though it may take several: with
more than this many the chance of each goes down with the root of their number."""
BENIGN_PER_TRIAL, BENIGN_END_PER_TRIAL = 3e-4, 0.04
"""Few, and soon over: a loss about the criterion that sets in slowly hides in them for long."""
RECOVERY_PER_TRIAL = 0.02
NEIGHBOUR_PER_TRIAL = 0.03

SHARED_SD_PER_ROOT_MIN = 0.020
OWN_SD_PER_ROOT_MIN = 0.010
LONGEST_STEP_MIN = 15.0

OUTLIER_SHARE = 0.03
OUTLIER_SD = 1.4
CORRELATION, CORRELATION_WEIGHT = 0.3, 40.0
NOISE_WEIGHT = 15.0
"""So many trials the published variability counts for: about what the spread of muscles from
patient to patient (by a quarter, in logs of the coefficient of variation) leaves it worth."""
NOISE_MEMORY_TRIALS = 80.0
FIRST_TRIALS = 5.0

FIRST_LEVEL_VARIANCE = 1.0
GIVEN_LEVEL_VARIANCE = 0.1
"""Of a muscle that has shown no trial yet about the baseline that an operator gave it."""
SUDDEN_AT, SUDDEN_ROOM = 0.05, 0.18
"""A step counts as sudden loss from a criterion's size on, in logs, while less than 1.2 times the
criterion is left of the baseline."""

REMEMBERED_S = 2400.0
FORGOTTEN_AT_ONCE = 64
"""Levels of so many trials are forgotten together, once the last of them is older than that."""

UNSEEN_SHARE, UNSEEN_UV = 0.05, 15.0
"""Without a bound from the measurement, no response means less than this share of the baseline, or
less than this: what noise of 2 to 4 uV (SD) hides."""

HAND_CV, SHIN_CV, OTHER_CV = 0.48, 0.27, 0.35
"""Trial-to-trial variability without any injury (30 scoliosis cases): hand, tibialis anterior,
abductor hallucis; muscles of which nothing is published count as the last."""

HAND_DEPTH, OTHER_DEPTH, LEG_DEPTH = 0.5, 0.75, 1.0
_HANDS = frozenset({"APB", "ADM", "FDI", "HAND", "THENAR", "HYPOTHENAR"})
_LEGS = frozenset({"TA", "AH", "EHL", "EDB", "GAS", "GASTROC", "SOL", "QUAD", "VL", "VM", "RF",
                   "BF", "FOOT", "LEG"})  # fmt: skip


class Estimate(NamedTuple):
    """A muscle's true amplitude as far as the trials so far tell, in percent of its baseline.

    ``lower_percent`` to ``upper_percent`` hold it with 95 %; ``p_below`` is the probability that it
    is below the criterion, ``p_sudden`` that it took a sudden step of the criterion's size,
    ``p_intact`` that it took none; ``level_percent`` is the gradual part alone. ``absent_share`` is
    the share of trials in which the muscle shows no response although it is there, and ``unrest``
    how far its latest trials lie off what was expected of them (mean square, 1 as expected).
    """

    percent: float
    lower_percent: float
    upper_percent: float
    p_below: float
    p_sudden: float
    p_intact: float
    level_percent: float
    absent_share: float = 0.0
    unrest: float = 1.0


def fade_depth(muscle: str) -> float:
    """How deep a muscle follows a change shared by all: hands half as deep as legs."""
    words = _words(muscle)
    if words & _HANDS:
        return HAND_DEPTH
    return LEG_DEPTH if words & _LEGS else OTHER_DEPTH


def usual_variance(muscle: str) -> float:
    """Variance of a muscle's log-amplitude from trial to trial, as published."""
    words = _words(muscle)
    cv = HAND_CV if words & _HANDS else SHIN_CV if "TA" in words else OTHER_CV
    return math.log1p(cv * cv)


def _words(muscle: str) -> set[str]:
    """What a muscle's name is made of: a second electrode is often numbered (``TA2``)."""
    return set(re.findall("[A-Z]+", muscle.upper()))


def _losses() -> FloatArray:
    """(k, k) what losses add to the probability of each step to each, with ``USUAL_S`` between."""
    k = OFFSETS.size
    moves = np.zeros((k, k))
    weight = sum(_LOSS.values())
    for calm in (0, *_BENIGN):
        for loss, share in _LOSS.items():
            moves[calm, loss] = LOSS_PER_TRIAL * share / weight
        moves[calm, calm] = -LOSS_PER_TRIAL
    return moves


def _other_moves() -> FloatArray:
    """(k, k) probability of each step to each from one trial to the next, but for losses."""
    k = OFFSETS.size
    moves = np.zeros((k, k))
    for benign in _BENIGN:
        moves[0, benign] = BENIGN_PER_TRIAL / len(_BENIGN)
        moves[benign, 0] = BENIGN_END_PER_TRIAL
    for loss in _LOSS:
        moves[loss, 0] = RECOVERY_PER_TRIAL
        for near in (loss - 1, loss + 1):
            if near in _LOSS:
                moves[loss, near] = NEIGHBOUR_PER_TRIAL
    moves[np.diag_indices(k)] = 1.0 - moves.sum(axis=1)
    return moves


def _widths() -> FloatArray:
    """(k,) variance of a true loss about the step that stands for it: even between neighbours."""
    widths = np.zeros(OFFSETS.size)
    for loss in _LOSS:
        last = min(loss + 1, OFFSETS.size - 1)
        widths[loss] = ((OFFSETS[loss - 1] - OFFSETS[last]) / (last - loss + 1)) ** 2 / 12.0
    return widths


_LOSSES, _OTHER_MOVES = _losses(), _other_moves()
_WIDTHS = _widths()
_ROOM = np.array([SUDDEN_ROOM, SUDDEN_AT])
_RESPONSE, _NO_RESPONSE = Status.RESPONSE, Status.NO_RESPONSE
_MEASURED, _CENSORED, _NAN = float(kernel.MEASURED), float(kernel.CENSORED), math.nan
_NOTHING = (float(kernel.ABSENT), _NAN, _NAN, _NAN)
_SETTINGS = np.array(
    [
        OUTLIER_SHARE,
        OUTLIER_SD**2,
        CORRELATION,
        CORRELATION_WEIGHT,
        FIRST_TRIALS,
        NOISE_MEMORY_TRIALS,
        NOISE_WEIGHT,
    ]
)


class AmplitudeEstimator:
    """The amplitudes of all muscles under one stimulation setting.

    Args:
        channels: in the order in which they are measured.
        alarm_percent: the criterion of each, percent of baseline.
    """

    def __init__(self, channels: Sequence[Channel], alarm_percent: Sequence[float]) -> None:
        m, k = len(channels), OFFSETS.size
        depth = np.array([fade_depth(channel.muscle) for channel in channels])
        self._drift_per_min = SHARED_SD_PER_ROOT_MIN**2 * np.outer(depth, depth)
        self._drift_per_min += OWN_SD_PER_ROOT_MIN**2 * np.eye(m)
        self._usual_variance = np.array([usual_variance(channel.muscle) for channel in channels])
        self._losses = _LOSSES * math.sqrt(USUAL_MUSCLES / max(m, USUAL_MUSCLES))
        self._share, self._moves = 0.0, _OTHER_MOVES
        self._n = m
        self._level = np.zeros(2 * m)
        self._cov = FIRST_LEVEL_VARIANCE * np.eye(2 * m)
        self._has_baseline = [False] * m
        self._weights = np.zeros((m, k))
        self._weights[:, 0] = 1.0
        self._residual = np.zeros((m, k))
        self._noise = np.zeros((m, kernel.NOISE_COLUMNS))
        self._noise[:, kernel.DISAGREEMENT] = 1.0
        self._answer = np.full((m, kernel.COLUMNS), math.nan)
        self._criterion = np.log(np.array(alarm_percent) / 100.0)
        self._at_s: float | None = None
        self._past_s: list[float] = []
        self._past_level: list[FloatArray] = []

    def observe(
        self,
        at_s: float,
        measurements: Sequence[Measurement],
        baselines_uv: Sequence[float | None],
    ) -> None:
        """Take one trial.

        Args:
            at_s: the stimulus, seconds of the case; not before the trial taken last.
            measurements: in channel order; what is neither response nor none says nothing, nor
                does an uncertain amplitude.
            baselines_uv: in channel order; a missing response says something against one alone.
        """
        since_s = 0.0 if self._at_s is None else max(at_s - self._at_s, 0.0)
        self._at_s = at_s
        minutes = min(since_s / 60.0, LONGEST_STEP_MIN)
        share = min(max(since_s / USUAL_S, LEAST_SHARE), 1.0)
        if share != self._share:
            self._share, self._moves = share, _OTHER_MOVES + share * self._losses
        trial: list[float] = []
        for measurement, baseline_uv in zip(measurements, baselines_uv, strict=True):
            status, amplitude_uv = measurement.status, measurement.amplitude_uv
            if measurement.amplitude_uncertain:
                trial += _NOTHING
            elif status is _RESPONSE and amplitude_uv:
                low_uv, high_uv = measurement.amplitude_lower_uv, measurement.amplitude_upper_uv
                if low_uv is None or high_uv is None:
                    trial += (_MEASURED, amplitude_uv, _NAN, _NAN)
                else:
                    trial += (_MEASURED, amplitude_uv, low_uv, high_uv)
            elif baseline_uv and (
                status is _NO_RESPONSE or (status is _RESPONSE and amplitude_uv == 0.0)
            ):
                unseen_uv = max(UNSEEN_SHARE * baseline_uv, UNSEEN_UV)
                trial += (_CENSORED, measurement.amplitude_upper_uv or unseen_uv, _NAN, _NAN)
            else:
                trial += _NOTHING
        kernel.observe(
            self._level, self._cov, self._weights, self._residual, self._noise, OFFSETS,
            self._moves, np.array(trial).reshape(self._n, 4), minutes * self._drift_per_min,
            self._usual_variance, _SETTINGS,
        )  # fmt: skip
        self._past_s.append(at_s)
        self._past_level.append(self._level[: self._n].copy())
        if (
            len(self._past_s) > FORGOTTEN_AT_ONCE
            and self._past_s[FORGOTTEN_AT_ONCE] < at_s - REMEMBERED_S
        ):
            del self._past_s[:FORGOTTEN_AT_ONCE], self._past_level[:FORGOTTEN_AT_ONCE]

    def has_baseline(self, channel: int) -> bool:
        """The channel has a baseline that it is held to."""
        return self._has_baseline[channel]

    def baseline_learned(self, channel: int) -> None:
        """The baseline of a channel is what the trials up to now have shown."""
        kernel.keep_level(self._level, self._cov, channel)
        self._has_baseline[channel] = True

    def baseline_given(self, channel: int, amplitude_uv: float) -> None:
        """An operator gave the baseline of a channel: it is taken as exact.

        A channel that has shown no trial yet (a case that is taken up again) is expected there.
        """
        self._settle(channel)
        at = self._n + channel
        if self._noise[channel, kernel.TAKEN] == 0.0:
            self._level[channel] = math.log(amplitude_uv)
            self._cov[channel, channel] = GIVEN_LEVEL_VARIANCE
            self._noise[channel, kernel.TAKEN] = FIRST_TRIALS
        self._level[at] = math.log(amplitude_uv)
        self._cov[at, :] = 0.0
        self._cov[:, at] = 0.0
        self._has_baseline[channel] = True

    def baseline_dropped(self, channel: int) -> None:
        """The channel has no baseline until the next one."""
        self._settle(channel)
        self._has_baseline[channel] = False

    def _settle(self, channel: int) -> None:
        """An operator moved the baseline: a sudden step so far belongs to the level from now on."""
        weights = self._weights[channel]
        step = float(weights @ OFFSETS)
        spread = float(weights @ (OFFSETS - step) ** 2)
        self._level[channel] += step
        self._cov[channel, channel] += spread
        self._residual[channel] = self._residual[channel, int(np.argmax(weights))]
        weights[:] = 0.0
        weights[0] = 1.0

    def judge(self, asked: Iterable[int] | None = None) -> list[Estimate | None]:
        """Where muscles stand after the last trial; None without a baseline, or of one not asked.

        Args:
            asked: the channels, all by default.
        """
        wanted = [0] * self._n
        for channel in range(self._n) if asked is None else asked:
            wanted[channel] = 2 * self._has_baseline[channel]
        return self._judged(wanted)

    def judge_others(self, asked: Iterable[int]) -> list[Estimate | None]:
        """Where the others stand, but for the interval, which takes the most time: NaN.

        Args:
            asked: the channels that are had already; None, as those without a baseline.
        """
        wanted: list[int] = [*self._has_baseline]
        for channel in asked:
            wanted[channel] = 0
        return self._judged(wanted)

    def _judged(self, wanted: list[int]) -> list[Estimate | None]:
        kernel.judge(
            self._level, self._cov, self._weights, self._noise, OFFSETS, _WIDTHS,
            np.array(wanted, np.int64), self._criterion, _ROOM, self._answer,
        )  # fmt: skip
        make = Estimate._make
        return [
            make(row) if want else None
            for row, want in zip(self._answer.tolist(), wanted, strict=True)
        ]

    def level_shift(self, since_s: float) -> list[float]:
        """Log change of every muscle's gradual level since ``since_s`` (seconds of the case)."""
        before = self._past_level[max(bisect_right(self._past_s, since_s) - 1, 0)]
        shift: list[float] = (self._level[: self._n] - before).tolist()
        return shift
