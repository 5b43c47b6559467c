"""The running median of sweeps against the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.track.median import MedianSweep


@pytest.mark.parametrize("n_sweeps", [1, 2, 5, 10, 33])
def test_it_is_the_median_after_every_sweep(n_sweeps: int) -> None:
    rng = np.random.default_rng(n_sweeps)
    sweeps_uv = rng.normal(0.0, 100.0, (n_sweeps, 257)).round(1).astype(np.float32)
    running = MedianSweep()
    for i, sweep_uv in enumerate(sweeps_uv, start=1):
        running.take(sweep_uv)
        ordered = np.sort(sweeps_uv[:i], axis=0)
        plain = (ordered[(i - 1) // 2] + ordered[i // 2]) * np.float32(0.5)
        np.testing.assert_array_equal(running.median(), plain)
        assert running.median().dtype == np.float32


def test_it_keeps_no_sweep_and_hands_out_none_of_its_own() -> None:
    sweep_uv = np.arange(5, dtype=np.float32)
    running = MedianSweep()
    running.take(sweep_uv)
    running.median()[:] = 7.0
    sweep_uv[:] = 9.0
    np.testing.assert_array_equal(running.median(), np.arange(5))


def test_of_none_there_is_none() -> None:
    with pytest.raises(ValueError, match="no median"):
        MedianSweep().median()
