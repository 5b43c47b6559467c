"""A trial's epoch -> one measurement a channel."""

from __future__ import annotations

import numpy as np

from monitor.config import CaseConfig
from monitor.measure.explain import ExplainedSweeps, explain_sweeps
from monitor.measure.network import Network
from monitor.measure.plan import SweepPlan, plan_sweeps
from monitor.measure.sweep import MeasureOptions, measure_sweeps
from monitor.measure.windows import OnsetWindow, onset_window
from monitor.types import Channel, Epoch, Float32Array, Measurement, Stimulus

_MAINS_HZ = {"auto": None, "off": 0.0, "50": 50.0, "60": 60.0}
_WARM_UP_CUT_UV = 300.0


class EpochMeasurer:
    """Measures epochs of one case: plans once per shape, then every trial alike."""

    def __init__(
        self,
        fs_hz: float,
        channels: tuple[Channel, ...],
        config: CaseConfig,
        network: Network | None,
    ) -> None:
        self._fs_hz = fs_hz
        self._channels = channels
        self._config = config
        self._network = network
        self._options = MeasureOptions(
            mains_hz=_MAINS_HZ[config.measure.mains_hz], tkeo_k=config.measure.tkeo_k
        )
        self._windows: dict[float, tuple[OnsetWindow, ...]] = {}

    def measure(self, epoch: Epoch) -> tuple[tuple[Measurement, ...], Float32Array]:
        """Measurements in channel order, and the sweeps as measured (channels, n) float32."""
        plan = self._plan(epoch.samples_uv.shape[1], epoch.stimulus_index, epoch.stimulus.pulses_ms)
        return measure_sweeps(
            epoch.samples_uv,
            plan,
            self._windows_for(plan.last_pulse_ms),
            epoch.stimulus_fraction,
            self._network,
            self._options,
        )

    def explain(self, epoch: Epoch) -> ExplainedSweeps | None:
        """What the network saw of this epoch, and why it answered as it did.

        None where there is no network, or none that can say. It may be called from another thread
        than :meth:`measure`: it touches nothing that this one does.
        """
        if self._network is None:
            return None
        plan = self._plan(epoch.samples_uv.shape[1], epoch.stimulus_index, epoch.stimulus.pulses_ms)
        return explain_sweeps(
            epoch.samples_uv, plan, epoch.stimulus_fraction, self._network, self._options
        )

    def warm_up(self) -> None:
        """Compile and cache every kernel and run the network, on two made-up trials.

        Ready means that the first real trial is as fast as the thousandth. The second one is
        clipped: what puts cut tops back runs on nothing else.
        """
        config = self._config
        index = int(config.epoch.pre_ms * self._fs_hz / 1e3)
        n = index + int(config.epoch.post_ms * self._fs_hz / 1e3)
        t_ms = (np.arange(n) - index) * 1e3 / self._fs_hz
        onset_ms = config.stimulus.pulses_ms[-1] + 25.0
        hiss = np.sin(np.arange(n) ** 2 * 0.37)
        answer = np.where(
            (t_ms > onset_ms) & (t_ms < onset_ms + 12), 500 * np.sin((t_ms - onset_ms) / 2), 0.0
        )
        stimulus = Stimulus(0.0, "warm-up", pulses_ms=config.stimulus.pulses_ms)
        for limit_uv in (np.inf, _WARM_UP_CUT_UV):
            sweep = np.clip(hiss + answer, -limit_uv, limit_uv).astype(np.float32)
            samples = np.repeat(sweep[None], len(self._channels), axis=0)
            self.measure(Epoch(0, stimulus, 0.0, 0, index, 0.0, self._fs_hz, samples))

    def _plan(self, n_samples: int, stimulus_index: int, pulses_ms: tuple[float, ...]) -> SweepPlan:
        measure = self._config.measure
        return plan_sweeps(
            self._fs_hz,
            n_samples,
            stimulus_index,
            pulses_ms,
            measure.blank_before_ms,
            measure.blank_after_ms,
        )

    def _windows_for(self, train_ms: float) -> tuple[OnsetWindow, ...]:
        found = self._windows.get(train_ms)
        if found is None:
            found = tuple(
                onset_window(channel, self._config.channels.get(channel.name), train_ms)
                for channel in self._channels
            )
            self._windows[train_ms] = found
        return found
