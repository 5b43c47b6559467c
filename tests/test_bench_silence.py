from __future__ import annotations

import numpy as np

from bench.silence import measured_ms, sweeps


def test_silences_are_found_where_they_are_and_hardly_elsewhere() -> None:
    rows, silent_ms = sweeps(np.random.default_rng(4), 24, True)
    errors = measured_ms(rows) - silent_ms
    given = np.isfinite(errors)
    assert given.mean() > 0.3
    assert np.median(np.abs(errors[given])) < 15.0
    never = measured_ms(sweeps(np.random.default_rng(4), 24, False)[0])
    assert np.isfinite(never).mean() < 0.3
