from __future__ import annotations

import numpy as np
import pytest

from bench.restoration import KINDS, Amplitudes, Scene, block, farther, gather, lines, mild
from models.simulator import SEEN_MS, draw_setup


@pytest.mark.parametrize("kind", KINDS)
def test_a_mild_disturbance_spans_what_was_asked(kind: str) -> None:
    rng = np.random.default_rng(3)
    setup = draw_setup(rng)
    t_ms = setup.t_ms()
    since_ms = t_ms - setup.last_pulse_ms
    seen = (since_ms >= SEEN_MS[0]) & (since_ms < SEEN_MS[1])
    spans = np.array([3.0, 8.0, 20.0])
    rows = mild(Scene(rng, setup, t_ms, np.ones(3), seen), kind, spans)
    np.testing.assert_allclose(np.ptp(rows[:, seen], axis=1), spans)


def test_the_twin_is_the_same_whatever_the_disturbance() -> None:
    one, other = (block(5, 1, kind, None) for kind in ("mains", "heart"))
    np.testing.assert_array_equal(one.true_uv, other.true_uv)
    np.testing.assert_array_equal(one.twin_uv, other.twin_uv)
    assert not np.array_equal(one.before_uv, other.before_uv)


def test_mains_is_taken_off_with_gain() -> None:
    found = gather(5, 3, "mains", None)
    before, after = (np.abs(found.error(name)) for name in ("before_uv", "after_uv"))
    both = np.isfinite(before) & np.isfinite(after)
    assert np.median(after[both]) < np.median(before[both])


def test_the_table_counts_what_moved_away_from_the_truth() -> None:
    true = np.array([100.0, 100.0, 100.0, 100.0])
    found = Amplitudes(
        true_uv=true,
        before_uv=np.array([110.0, 100.0, 100.0, np.nan]),
        after_uv=np.array([100.0, 110.0, 96.0, 100.0]),
        twin_uv=true,
        twin_plain_uv=true,
    )
    assert farther(found, "after_uv", "before_uv") == pytest.approx(1 / 3)
    row = list(lines({"mains": found}))[-1].split()
    assert row[:8] == ["mains", "4", "75.0", "100.0", "100.0", "0.0", "4.0", "0.0"]
    assert row[-2:] == ["33.3", "0.0"]
