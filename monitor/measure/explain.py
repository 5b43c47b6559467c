"""What the network saw of an epoch and what of it spoke for a response, asked for after the trial.

The sweeps go the way that they went when the trial was measured (the same faults, the same
cleaning, the same window), so what is explained is what was answered; a test holds the two to each
other bit for bit. PURE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from monitor.measure.clean import clean
from monitor.measure.declip import with_tops
from monitor.measure.fault import CLIPPED, faults_of
from monitor.measure.network import Explanation, Network, NetworkOutput
from monitor.measure.opinion import network_view
from monitor.measure.plan import SweepPlan
from monitor.measure.resample import NETWORK_FS_HZ, NETWORK_SAMPLES
from monitor.measure.sweep import MeasureOptions
from monitor.types import Float32Array, FloatArray


class NetworkName(NamedTuple):
    """Which network: ``sha256`` of its file, in hex."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedSweeps:
    """What a network makes of k sweeps, of which it was shown s.

    Attributes:
        network: the one that was asked.
        fs_hz: of ``saliency``.
        window_start_ms: where its first step lies, from the *first* pulse.
        faults: (k,) why a sweep was kept from the network (``nan``, ``flat_line``,
            ``saturated``); empty where it was shown.
        shown: (s,) indices of the sweeps that the rows of the rest belong to.
        said: the network's answers to them.
        why: saliency (s, 500) and embedding (s, 128).
    """

    network: NetworkName
    fs_hz: float
    window_start_ms: float
    faults: tuple[str, ...]
    shown: tuple[int, ...]
    said: NetworkOutput
    why: Explanation


_NOTHING = Explanation(np.empty((0, 0), np.float32), np.empty((0, NETWORK_SAMPLES), np.float32))


def explain_sweeps(
    sweeps_uv: Float32Array | FloatArray,
    plan: SweepPlan,
    stimulus_fraction: float,
    network: Network,
    options: MeasureOptions,
) -> ExplainedSweeps | None:
    """Show (k, n) sweeps to the network once more and ask it why.

    None where its file can't say, or where the sweeps end too early for it to have been asked.

    Args:
        sweeps_uv: (k, n) raw, in microvolts; NaN where a sample is missing.
        plan: of the measurement.
        stimulus_fraction: how far after sample ``plan.stimulus_index`` the first pulse lies.
        network: the one that measured along.
        options: of the measurement.
    """
    sweeps = np.ascontiguousarray(sweeps_uv, dtype=np.float64)
    found = faults_of(sweeps, plan)
    sweeps, _ = with_tops(sweeps, found, plan)
    # A clipped sweep is measured, so it can be explained.
    faults = tuple("" if fault == CLIPPED else fault for fault in found)
    shown = tuple(index for index, fault in enumerate(faults) if not fault)
    cleaned = clean(sweeps[list(shown)], plan, options.mains_hz)
    windows_uv = network_view(cleaned, plan, stimulus_fraction, network)
    if windows_uv is None:
        return None
    # Of no sweep at all there is nothing to run.
    why = network.explain(windows_uv) if shown else _NOTHING
    if why is None:
        return None
    return ExplainedSweeps(
        network=NetworkName(network.name, network.version, network.sha256),
        fs_hz=NETWORK_FS_HZ,
        window_start_ms=plan.last_pulse_ms + network.window_offset_ms,
        faults=faults,
        shown=shown,
        said=network(windows_uv),
        why=why,
    )
