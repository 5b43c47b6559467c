"""From time to sample and back, on segments made by hand."""

from __future__ import annotations

from collections import deque

import pytest

from monitor.acquire.segments import Fit, Segment, Where, segment_at

PERIOD_S = 0.001


def segment(first: int, from_s: float, blocks: int, *, ended: bool = False) -> Segment:
    """Blocks of 100 samples, a thousand samples a second."""
    fits = deque(
        Fit(first + 100 * k, from_s + 0.1 * k, PERIOD_S, from_s + 0.1 * k)
        for k in range(1, blocks + 1)
    )
    end = first + 100 * blocks if ended else None
    return Segment(first, 0, 0.0, from_s, end, fits)


def test_a_time_between_two_samples_has_a_fraction_and_one_on_a_sample_none() -> None:
    fit = Fit(500, 10.5, PERIOD_S, 10.5)
    assert fit.time_of(400) == pytest.approx(10.4)
    assert fit.position_of(10.4) == (400, 0.0)
    # Less than the stamps carry is no fraction, on either side.
    assert fit.position_of(10.4 + 0.5e-6) == (400, 0.0)
    assert fit.position_of(10.4 - 0.5e-6) == (400, 0.0)
    whole, fraction = fit.position_of(10.40025)
    assert (whole, fraction) == (400, pytest.approx(0.25))
    assert fit.position_of(10.3999)[0] == 399


def test_the_fit_beyond_a_time_or_a_sample_is_the_first_that_knows_it() -> None:
    stretch = segment(0, 10.0, 5)
    assert stretch.fit_beyond(10.0).end == 100
    assert stretch.fit_beyond(10.25).end == 300
    known = [stretch.fit_at(end) for end in (1, 100, 101, 500, 501)]
    assert [fit and fit.end for fit in known] == [100, 100, 200, 500, None]
    closed = segment(0, 10.0, 5, ended=True).fit_at(501)
    assert closed is not None
    assert closed.end == 500


def test_where_a_time_lies() -> None:
    first, second = segment(0, 10.0, 5, ended=True), segment(500, 11.0, 5)
    both = [first, second]
    assert segment_at(both, 10.2) is first
    assert segment_at(both, 11.2) is second
    assert segment_at(both, 10.7) is Where.HOLE
    assert segment_at(both, 11.5) is Where.AHEAD
    assert segment_at(both, 9.9) is Where.BEFORE
    # The case's beginning has left the ring: what lies before is gone, not before the case.
    assert segment_at([second], 9.9) is Where.GONE
    assert segment_at([], 9.9) is Where.AHEAD


def test_a_clock_that_went_back_means_the_newest_and_what_left_the_ring_is_gone() -> None:
    before, after = segment(0, 10.0, 5, ended=True), segment(500, 10.2, 5)
    assert segment_at([before, after], 10.3) is after
    after.forgotten_lsl = 10.4
    assert segment_at([before, after], 10.3) is Where.GONE
    assert segment_at([before, after], 10.45) is after
