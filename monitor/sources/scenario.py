"""What happens in a simulated case: which stimuli when, and how much of each response is left."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.types import MonitorError


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of response on some channels, and its recovery; trials count from 1 in the cycle.

    ``remaining`` is the share of each channel's amplitude that is left (0: gone) from
    ``start_trial`` on, for ``lasting_trials``; then it rises in equal steps over
    ``recovery_trials`` to ``recovered`` and stays there until the cycle ends.
    """

    remaining: dict[str, float]
    start_trial: int
    lasting_trials: int
    recovery_trials: int = 1
    recovered: float = 1.0

    def share(self, channel: str, trial: int) -> float:
        """Share of the channel's amplitude that is left in a trial of the cycle."""
        low = self.remaining.get(channel)
        if low is None or trial < self.start_trial:
            return 1.0
        risen = (trial - self.start_trial - self.lasting_trials + 1) / self.recovery_trials
        return low + (self.recovered - low) * min(max(risen, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The script of a case. It repeats every ``cycle_trials`` for as long as the case runs."""

    name: str
    losses: tuple[Loss, ...] = ()
    cycle_trials: int = 40
    first_stimulus_s: float = 1.0
    interval_s: float = 1.6
    interval_jitter_s: float = 0.1
    amplitude_cv: float = 0.15

    def share(self, channel: str, trial: int) -> float:
        """Share of ``channel``'s amplitude left in ``trial`` of the case (from 1)."""
        in_cycle = (trial - 1) % self.cycle_trials + 1
        left = 1.0
        for loss in self.losses:
            left *= loss.share(channel, in_cycle)
        return left

    def at_interval(self, interval_s: float) -> Scenario:
        """The same script with stimuli ``interval_s`` apart.

        Raises:
            MonitorError: an interval too short for a train and its responses.
        """
        if not interval_s >= 0.2:
            raise MonitorError(f"interval {interval_s:g} s: must be at least 0.2 s")
        jitter_s = min(self.interval_jitter_s, interval_s / 10)
        return replace(self, interval_s=interval_s, interval_jitter_s=jitter_s)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("stable"),
        # A focal loss on the left leg: stable, down in one step, ten trials later coming back.
        Scenario(
            "demo",
            losses=(
                Loss(
                    {"L-TA": 0.15, "L-AH": 0.0},
                    start_trial=15,
                    lasting_trials=10,
                    recovery_trials=5,
                    recovered=0.95,
                ),
            ),
        ),
    )
}


def scenario_named(name: str) -> Scenario:
    """A scenario by its name.

    Raises:
        MonitorError: there is none of that name.
    """
    if name not in SCENARIOS:
        raise MonitorError(f"scenario {name!r}: unknown; there are {', '.join(sorted(SCENARIOS))}")
    return SCENARIOS[name]
