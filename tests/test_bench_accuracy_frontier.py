"""The oracle of the accuracy bench: what it is told it uses rightly, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from bench.accuracy_frontier import Found, best_match, best_share_right, oracle, report, whitening
from models.simulator import simulate_block


def test_whitening_makes_coloured_noise_white() -> None:
    rng = np.random.default_rng(1)
    coloured = lfilter([1.0], [1.0, -1.5, 0.7], rng.normal(0.0, 2.0, 20_000))
    taps, sd = whitening(coloured)
    assert sd == pytest.approx(2.0, rel=0.05)
    np.testing.assert_allclose(taps[:3], [1.0, -1.5, 0.7], atol=0.05)
    white = lfilter(taps, [1.0], coloured)[50:]
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.03


def test_the_best_match_is_where_the_shape_lies() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0.0, 1.0, 600)
    shape = np.zeros(600)
    shape[200:240] = np.sin(np.linspace(0.0, 2 * np.pi, 40))
    sweep = noise + 10.0 * np.roll(shape, 25)
    score, lag = best_match(sweep, shape, noise, range(-100, 200))
    assert lag == pytest.approx(25.0, abs=0.5)
    # Ten times a sine of 40 samples: 10 sqrt(20) noise SD.
    assert score == pytest.approx(10.0 * np.sqrt(20.0), rel=0.15)
    none, _ = best_match(noise, shape, noise, range(-100, 200))
    assert none < 5.0


def test_the_best_limit_of_all() -> None:
    assert best_share_right(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert best_share_right(np.array([1.0, 3.0]), np.array([0.0, 2.0])) == 0.75
    assert best_share_right(np.array([0.0]), np.array([1.0, 1.0])) == pytest.approx(2 / 3)


def test_the_oracle_finds_what_stands_clear() -> None:
    found = list(oracle(simulate_block(3, "validation", 1, 64)))
    strong = [f for f in found if f.present and f.snr > 20 and not f.artefact]
    absent = [f.score for f in found if not f.present and not f.artefact]
    assert len(strong) > 3
    assert len(absent) > 3
    assert min(f.score for f in strong) > np.median(absent) + 5.0
    assert np.median([abs(f.error_ms) for f in strong]) < 0.1


def test_the_report_counts_at_one_percent_false() -> None:
    found = [Found(False, False, np.nan, score, np.nan) for score in np.arange(100.0)]
    found += [Found(True, False, 4.0, score, 0.2) for score in (98.5, 99.0, 5.0, 6.0)]
    lines = report(found, "title").splitlines()
    assert "at 1% false of 100: 98.0 SD" in lines[0]
    assert lines[2].split() == ["SNR", "3-5", "4", "50.0", "0.20", "0.20", "0.20", "100.0"]
    assert lines[-1].endswith(" 97.1 %")
