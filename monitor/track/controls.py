"""What control muscles did of late, from their own trials alone.

The estimator follows all muscles jointly: legs that fall slowly raise its estimate of what all
share, and so lower its estimate of hands that hold. That is right for the amplitude and wrong for
the question whether hands *also* fell. Here each muscle answers for itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from monitor.track.estimator import CORRELATION, usual_variance
from monitor.types import Channel, Measurement, Status

RECENT_S = 1800.0
RECENT_TRIALS = 20
LEAST_TRIALS = 6
LATEST_TRIALS = 5
TRIMMED = 0.1
"""Share of the trials left out at either end: one sweep in a hundred is off by a factor of ten."""
LOWEST_SHARE = 0.05
"""No response counts as this share of the baseline."""


class Recent(Struct, frozen=True):
    """A muscle's own latest trials against its baseline, in logs.

    ``log_share`` is the trimmed mean of up to :data:`RECENT_TRIALS` within :data:`RECENT_S`, ``sd``
    its standard error with that of the baseline, ``latest_log`` the median of the last
    :data:`LATEST_TRIALS` of them.
    """

    log_share: float
    sd: float
    latest_log: float


class Controls:
    """The latest amplitudes of all muscles of a setting, in channel order.

    Args:
        channels: of the case.
        baseline_trials: so many independent ones are behind a baseline (``baseline_frozen``).
    """

    def __init__(self, channels: Sequence[Channel], baseline_trials: int) -> None:
        self._baseline_trials = baseline_trials
        self._usual_variance = [usual_variance(channel.muscle) for channel in channels]
        self._trials: list[deque[tuple[float, float]]] = [
            deque(maxlen=RECENT_TRIALS) for _ in channels
        ]

    def observe(self, at_s: float, measurements: Sequence[Measurement]) -> None:
        """Take a trial in order; what is neither response nor none says nothing."""
        for trials, measurement in zip(self._trials, measurements, strict=True):
            if measurement.amplitude_uncertain:
                continue
            if measurement.status is Status.RESPONSE and measurement.amplitude_uv:
                trials.append((at_s, measurement.amplitude_uv))
            elif measurement.status is Status.NO_RESPONSE:
                trials.append((at_s, 0.0))

    def recent(self, i: int, at_s: float, baseline_uv: float | None) -> Recent | None:
        """Where channel ``i`` stood up to ``at_s``; None without a baseline or enough trials."""
        if not baseline_uv:
            return None
        trials, usual = self._trials[i], self._usual_variance[i]
        logs = [
            math.log(max(uv / baseline_uv, LOWEST_SHARE))
            for then_s, uv in trials
            if then_s >= at_s - RECENT_S
        ]
        n = len(logs)
        if n < LEAST_TRIALS:
            return None
        latest = sorted(logs[-LATEST_TRIALS:])[LATEST_TRIALS // 2]
        ordered = sorted(logs)
        cut = round(TRIMMED * n)
        kept = ordered[cut : n - cut]
        mean = math.fsum(kept) / len(kept)
        shown = math.fsum((log - mean) ** 2 for log in kept) / (len(kept) - 1)
        # Neighbours tell the same in part: as many independent trials as an AR(1) leaves.
        spoiled = (1.0 + CORRELATION) / (1.0 - CORRELATION)
        variance = max(usual, shown) * spoiled * (1.0 / n + 1.0 / self._baseline_trials)
        return Recent(mean, math.sqrt(variance), latest)
