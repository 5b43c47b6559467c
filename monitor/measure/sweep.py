"""The whole chain for sweeps of one shape: cleaned, detected, timed, sized, named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.measure.clean import Cleaned, clean
from monitor.measure.declip import with_tops
from monitor.measure.fault import CLIPPED, faults_of
from monitor.measure.filters import band_and_smooth
from monitor.measure.network import Network
from monitor.measure.opinion import Opinion, network_view, opinions
from monitor.measure.plan import SweepPlan
from monitor.measure.response import Views, read_sweeps
from monitor.measure.verdict import REJECTED, Sight, measurement_of, of_clipped
from monitor.measure.windows import OnsetWindow
from monitor.types import Float32Array, FloatArray, Measurement

MIN_FS_HZ = 2000.0


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What a caller may set; see ``[measure]`` of the case file."""

    mains_hz: float | None = None
    tkeo_k: float = 0.0


def measure_sweeps(
    sweeps_uv: Float32Array | FloatArray,
    plan: SweepPlan,
    windows: Sequence[OnsetWindow],
    stimulus_fraction: float = 0.0,
    network: Network | None = None,
    options: MeasureOptions = MeasureOptions(),
) -> tuple[tuple[Measurement, ...], Float32Array]:
    """Measure (k, n) sweeps.

    Args:
        sweeps_uv: (k, n) in microvolts; NaN where a sample is missing.
        plan: where stimulus, artefacts and noise lie.
        windows: k onset windows, from the first pulse.
        stimulus_fraction: how far after sample ``plan.stimulus_index`` the first pulse lies,
            in samples (0 to 1).
        network: measures along; None leaves its fields empty, and so do sweeps that end too early
            to be shown to it.
        options: mains and threshold.

    Returns:
        k measurements and the sweeps as measured, (k, n) float32 (artefact blanked, mains
        removed; as they came where they were rejected).

    Raises:
        ValueError: nothing of the sweep is left after the last pulse's artefact.
    """
    sweeps = np.ascontiguousarray(sweeps_uv, dtype=np.float64)
    if plan.search_start >= plan.n_samples:
        raise ValueError("the sweep ends within the artefact of the last pulse")
    faults = faults_of(sweeps, plan)
    if not any(faults):
        return _measured(sweeps, plan, tuple(windows), stimulus_fraction, network, options)
    results = [REJECTED[fault] for fault in faults]
    shown = sweeps.astype(np.float32)
    good = [index for index, fault in enumerate(faults) if fault in ("", CLIPPED)]
    if good:
        seen, ranges_uv = with_tops(sweeps, faults, plan)
        theirs = tuple(windows[index] for index in good)
        measured = _measured(seen[good], plan, theirs, stimulus_fraction, network, options)
        for index, measurement in zip(good, measured[0], strict=True):
            clipped = faults[index] == CLIPPED
            results[index] = of_clipped(measurement, ranges_uv[index]) if clipped else measurement
        shown[good] = measured[1]
        # What is shown is what was recorded: less what was put back.
        shown[good] -= (seen - sweeps)[good].astype(np.float32)
    return tuple(results), shown


def _measured(
    sweeps_uv: FloatArray,
    plan: SweepPlan,
    windows: tuple[OnsetWindow, ...],
    fraction: float,
    network: Network | None,
    options: MeasureOptions,
) -> tuple[tuple[Measurement, ...], Float32Array]:
    """:func:`measure_sweeps` of sweeps that can be measured."""
    cleaned = clean(sweeps_uv, plan, options.mains_hz)
    band, smooth = band_and_smooth(cleaned.sweeps_uv, plan)
    spans = window_spans(plan, windows)
    readings = read_sweeps(
        Views(cleaned.sweeps_uv, smooth, band), plan.frame, spans, options.tkeo_k
    )
    sights = _sights(cleaned, plan, fraction, network)
    measurements = tuple(
        [
            measurement_of(reading, sight, plan, fraction)
            for reading, sight in zip(readings, sights, strict=True)
        ]
    )
    return measurements, cleaned.sweeps_uv.astype(np.float32)


@lru_cache(maxsize=64)
def window_spans(
    plan: SweepPlan, windows: tuple[OnsetWindow, ...]
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Onset windows (k, 2), [start, stop) in samples; a case has the same ones at every trial."""
    known = {
        window: (
            plan.sample_at_ms(window.min_ms),
            min(plan.n_samples, plan.sample_at_ms(window.max_ms) + 1),
        )
        for window in set(windows)
    }
    spans = np.array([known[window] for window in windows], dtype=np.int64)
    spans.flags.writeable = False
    return spans


def _sights(
    cleaned: Cleaned, plan: SweepPlan, fraction: float, network: Network | None
) -> list[Sight]:
    view = None if network is None else network_view(cleaned, plan, fraction, network)
    heard: Sequence[Opinion | None] = [None] * len(cleaned.sweeps_uv)
    if network is not None and view is not None:
        heard = opinions(network(view))
    columns = (cleaned.noise_uv.tolist(), map(int, cleaned.tail.tolist()), cleaned.tail_uv.tolist())
    return [Sight._make(row) for row in zip(*columns, heard, strict=True)]
