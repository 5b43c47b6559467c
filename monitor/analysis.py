"""``monitor.analyse``: measure sweeps in memory with the code that measures them live."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

from monitor.load_network import load_network
from monitor.measure.network import Network
from monitor.measure.plan import plan_sweeps
from monitor.measure.sweep import MIN_FS_HZ, MeasureOptions, measure_sweeps
from monitor.measure.windows import any_window
from monitor.types import Measurement


def analyse(
    sweeps_uv: ArrayLike,
    fs_hz: float,
    stimulus_index: int,
    pulses_ms: tuple[float, ...] = (0.0,),
    mains_hz: float | None = None,
) -> list[Measurement]:
    """Measure sweeps of any muscle: amplitude, onset, duration, shape, response or not.

    Args:
        sweeps_uv: (n_sweeps, n_samples) in microvolts; (n_samples,) counts as one sweep.
        fs_hz: sampling rate, at least 2000.
        stimulus_index: sample of the first pulse; 0 where the sweep starts with it (noise is then
            taken from the sweep's end and ``noise_source`` says "tail").
        pulses_ms: the train's pulses from the first, so the first is 0.
        mains_hz: 50 or 60; 0 leaves the mains alone; None finds it in each sweep.

    Returns:
        One :class:`monitor.types.Measurement` a sweep, in order; none of no sweep. The same call
        gives the same figures to the last bit. Alone or among others a sweep's may differ by the
        network's rounding (its products are summed in another order), some 1e-6 of them.

    Raises:
        ValueError: a shape, a rate, an index or a train that can't be measured.
    """
    sweeps = np.asarray(sweeps_uv, dtype=np.float64)
    if sweeps.ndim == 1:
        sweeps = sweeps[None]
    if sweeps.ndim != 2:
        raise ValueError(f"sweeps_uv must be (n_sweeps, n_samples), not {sweeps.shape}")
    if not isfinite(fs_hz):
        raise ValueError(f"fs_hz must be finite, not {fs_hz}")
    if not fs_hz >= MIN_FS_HZ:
        raise ValueError(f"fs_hz is {fs_hz:g}: under {MIN_FS_HZ:g} Hz a response can't be measured")
    if not 0 <= stimulus_index < sweeps.shape[1]:
        raise ValueError(f"stimulus_index {stimulus_index} lies outside {sweeps.shape[1]} samples")
    pulses = tuple(float(p) for p in pulses_ms)
    if not all(isfinite(p) for p in pulses):
        raise ValueError(f"pulses_ms must be finite, not {pulses}")
    if not pulses or pulses[0] != 0.0 or any(b <= a for a, b in pairwise(pulses)):
        raise ValueError("pulses_ms must start at 0 and increase")
    if mains_hz not in (None, 0, 50, 60):
        raise ValueError(f"mains_hz must be 50, 60, 0 or None, not {mains_hz}")
    after_ms = (sweeps.shape[1] - stimulus_index) * 1e3 / fs_hz - pulses[-1]
    if after_ms < 20.0:
        raise ValueError(f"{after_ms:.1f} ms after the last pulse: at least 20 ms are needed")
    if not sweeps.shape[0]:
        return []
    plan = plan_sweeps(float(fs_hz), sweeps.shape[1], int(stimulus_index), pulses)
    window = any_window(pulses[-1])
    measurements, _ = measure_sweeps(
        sweeps,
        plan,
        [window] * sweeps.shape[0],
        network=_network(),
        options=MeasureOptions(mains_hz=None if mains_hz is None else float(mains_hz)),
    )
    return list(measurements)


@lru_cache(maxsize=1)
def _network() -> Network:
    return load_network()
