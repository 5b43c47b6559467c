"""Our own: as deployed, its TKEO stage's onset, and the network alone.

The deployed one is ``monitor.analyse``, the monitor's public door, with nothing set. The network
alone is the same file that the monitor runs, or any other with the same contract (the paper's, for
one): cleaned, resampled and answered as live, a response where it says so with at least one half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.methods.base import SHAPES, FloatArray, MethodAnswers, bridged
from monitor import analyse
from monitor.measure.clean import clean
from monitor.measure.network import Network, NetworkOutput
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import network_window
from monitor.types import Measurement, Status

DEPLOYED, TKEO_ONSET, NETWORK = "ours, deployed", "ours, TKEO onset", "ours, network"
RESPONSE_PROBABILITY = 0.5
ARTEFACT_PROBABILITY = 0.5
#: 95 % of a normal distribution.
RANGE_SD = 1.96


def column(values: Sequence[float | None]) -> FloatArray:
    """Numbers with NaN for None."""
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def response_of(measured: Sequence[Measurement]) -> FloatArray:
    """1 a response, 0 none, NaN rejected."""
    said = {Status.RESPONSE: 1.0, Status.NO_RESPONSE: 0.0}
    return np.array([said.get(m.status, np.nan) for m in measured])


def artefact_of(measured: Sequence[Measurement]) -> FloatArray:
    """1 where an artefact is seen or the sweep was rejected for one, else 0."""
    return np.array(
        [
            float(
                m.status is Status.REJECTED
                or (m.artefact_probability or 0.0) >= ARTEFACT_PROBABILITY
            )
            for m in measured
        ]
    )


def shapes_of(measured: Sequence[Measurement]) -> FloatArray:
    """1, 2, 3 for mono-, bi-, polyphasic, NaN where not given."""
    return column([SHAPES[m.morphology.value] if m.morphology else None for m in measured])


def extra(said: NetworkOutput, name: str) -> FloatArray | None:
    """What only some network files answer, by its name; None where this one does not."""
    found: FloatArray | None = getattr(said, name, None)
    return found


def _bounds_above(found: list[Measurement]) -> FloatArray:
    """(n,) upper bounds of the amplitudes; infinite where only the lower one is known."""
    upper_uv = column([m.amplitude_upper_uv for m in found])
    unbounded = [m.amplitude_upper_uv is None and m.amplitude_lower_uv is not None for m in found]
    return np.where(unbounded, np.inf, upper_uv)


@dataclass(frozen=True, slots=True)
class Deployed:
    """``monitor.analyse``; ``tkeo_onset``: with the onset of its TKEO stage, not reconciled."""

    name: str = DEPLOYED
    tkeo_onset: bool = False

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """See :class:`bench.methods.base.Method`."""
        found = analyse(sweeps_uv, fs_hz, stimulus_index, pulses_ms)
        onset = [m.onset_tkeo_ms if self.tkeo_onset else m.onset_ms for m in found]
        if self.tkeo_onset:
            return MethodAnswers.of(len(found), response=response_of(found), onset_ms=column(onset))
        return MethodAnswers.of(
            len(found),
            response=response_of(found),
            onset_ms=column(onset),
            amplitude_raw_uv=column([m.amplitude_raw_uv for m in found]),
            amplitude_uv=column([m.amplitude_uv for m in found]),
            amplitude_lower_uv=column([m.amplitude_lower_uv for m in found]),
            amplitude_upper_uv=_bounds_above(found),
            duration_ms=column([m.duration_ms for m in found]),
            morphology=shapes_of(found),
            artefact=artefact_of(found),
            onset_uncertain=np.array([float(m.onset_uncertain) for m in found]),
            amplitude_uncertain=np.array([float(m.amplitude_uncertain) for m in found]),
        )


@dataclass(frozen=True, slots=True)
class NetworkAlone:
    """A network file with the contract's inputs and outputs, and nothing beside it."""

    network: Network
    name: str

    def measure(
        self,
        sweeps_uv: FloatArray,
        fs_hz: float,
        stimulus_index: int,
        pulses_ms: tuple[float, ...],
    ) -> MethodAnswers:
        """See :class:`bench.methods.base.Method`."""
        plan = plan_sweeps(fs_hz, sweeps_uv.shape[1], stimulus_index, pulses_ms)
        at_ms = pulses_ms[-1] + self.network.window_offset_ms
        start = stimulus_index + at_ms * fs_hz / 1e3
        cleaned = clean(bridged(sweeps_uv), plan).sweeps_uv
        said = self.network(network_window(cleaned, fs_hz, start))
        given: dict[str, FloatArray] = {}
        if (onset_sd_ms := extra(said, "onset_sd_ms")) is not None:
            given["onset_sd_ms"] = onset_sd_ms
        if (log_sd := extra(said, "amplitude_log_sd")) is not None:
            given["amplitude_lower_uv"] = said.amplitude_uv * np.exp(-RANGE_SD * log_sd)
            given["amplitude_upper_uv"] = said.amplitude_uv * np.exp(RANGE_SD * log_sd)
        if (shapes := extra(said, "morphology")) is not None:
            given["morphology"] = 1.0 + np.argmax(shapes, axis=1)
        return MethodAnswers.of(
            len(sweeps_uv),
            response=(said.response_probability >= RESPONSE_PROBABILITY).astype(float),
            score=said.response_probability,
            onset_ms=said.onset_from_last_ms + pulses_ms[-1],
            amplitude_uv=said.amplitude_uv,
            duration_ms=said.duration_ms,
            artefact=(said.artefact_probability >= ARTEFACT_PROBABILITY).astype(float),
            **given,
        )
