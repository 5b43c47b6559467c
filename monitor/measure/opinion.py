"""What the network is shown of each sweep, and what it says of it."""

from __future__ import annotations

from typing import NamedTuple

from monitor.measure.clean import Cleaned
from monitor.measure.network import ARTEFACT_TYPES, MORPHOLOGIES, Network, NetworkOutput, is_novel
from monitor.measure.plan import SweepPlan
from monitor.measure.resample import lies_within, network_window
from monitor.types import Float32Array, FloatArray, Morphology

#: Artefacts that come over a sweep as a burst which energy can't tell from a response. A heart beat
#: is small enough to leave silence believable, the others cover it.
BURSTS = ("electrocautery", "electrode", "heart")
#: The network's probability from which a burst is taken to be there. Of 502 recorded sweeps 3 reach
#: it for what covers.
BURST_PROBABILITY = 0.5
_CAUTERY, _ELECTRODE, _HEART = map(ARTEFACT_TYPES.index, BURSTS)
_CLIPPING = ARTEFACT_TYPES.index("clipping")


class Opinion(NamedTuple):
    """What the network says of one sweep.

    ``burst``: one of :data:`BURSTS`, the likeliest, or "" where none is likely enough.
    ``clipping_probability``: that its tops were cut off. What the network's file does not state is
    None, no burst, and a probability of 0.
    """

    amplitude_uv: float
    onset_from_last_ms: float
    duration_ms: float
    artefact_probability: float
    response_probability: float
    amplitude_log_sd: float | None
    onset_sd_ms: float | None
    novel: bool
    burst: str
    morphology: Morphology | None
    clipping_probability: float


def network_view(
    cleaned: Cleaned, plan: SweepPlan, fraction: float, network: Network
) -> Float32Array | None:
    """What the network is shown of cleaned sweeps: (k, 500) float32 in uV.

    None where they end too early for it: they are measured without the network.

    Args:
        cleaned: k sweeps.
        plan: where their pulses lie.
        fraction: how far after sample ``plan.stimulus_index`` the first pulse lies, in samples.
        network: the one to be asked.
    """
    at_ms = plan.last_pulse_ms + network.window_offset_ms
    start = plan.stimulus_index + fraction + at_ms * plan.fs_hz / 1e3
    if not lies_within(plan.n_samples, plan.fs_hz, start):
        return None
    return network_window(cleaned.sweeps_uv, plan.fs_hz, start)


def opinions(output: NetworkOutput) -> list[Opinion]:
    """The network's answers, a sweep at a time."""
    count = len(output.amplitude_uv)
    types = None if output.artefact_types is None else output.artefact_types.tolist()
    shapes = None if output.morphology is None else output.morphology.tolist()
    rows = zip(
        output.amplitude_uv.tolist(),
        output.onset_from_last_ms.tolist(),
        output.duration_ms.tolist(),
        output.artefact_probability.tolist(),
        output.response_probability.tolist(),
        _stated(output.amplitude_log_sd, count),
        _stated(output.onset_sd_ms, count),
        [is_novel(novelty) for novelty in _stated(output.novelty, count)],
        [""] * count if types is None else [_burst(row) for row in types],
        [None] * count if shapes is None else [_likeliest_shape(row) for row in shapes],
        [0.0] * count if types is None else [row[_CLIPPING] for row in types],
        strict=True,
    )
    return [Opinion._make(row) for row in rows]


def _stated(values: FloatArray | None, count: int) -> list[float | None]:
    """A column of the network's answer; None throughout where its file does not state it."""
    return [None] * count if values is None else values.tolist()


def _burst(probabilities: list[float]) -> str:
    # In the order of BURSTS, so that of two alike the first counts.
    of_bursts = (probabilities[_CAUTERY], probabilities[_ELECTRODE], probabilities[_HEART])
    largest = max(of_bursts)
    return BURSTS[of_bursts.index(largest)] if largest >= BURST_PROBABILITY else ""


def _likeliest_shape(probabilities: list[float]) -> Morphology:
    return MORPHOLOGIES[probabilities.index(max(probabilities))]
