"""The clock against streams whose true sample times are known."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.acquire.clock import PERSIST_MS, Clock
from monitor.acquire.ring import Ring
from monitor.acquire.segments import Segment, Where
from monitor.types import FloatArray

FS_HZ = 5000.0
T0_LSL = 54_321.5


def follow(stamps: FloatArray, step: int = 64, fs_hz: float = FS_HZ, ring_s: float = 60.0) -> Clock:
    """A clock that has seen the stamps in pieces of ``step`` samples."""
    ring = Ring(int(ring_s * fs_hz), 1)
    clock = Clock(ring, fs_hz)
    clock.open(0, float(stamps[0]))
    at = 0
    while at < len(stamps):
        stop = min(at + step, len(stamps), clock.block * (at // clock.block + 1))
        ring.append(np.zeros((stop - at, 1), np.float32), stamps[at:stop])
        clock.advance()
        at = stop
    return clock


def true_times(seconds: float, rate_error: float = 0.0, fs_hz: float = FS_HZ) -> FloatArray:
    return T0_LSL + np.arange(int(seconds * fs_hz)) / (fs_hz * (1.0 + rate_error))


def late_by_chunk(n: int, chunk: int, delays_s: FloatArray) -> FloatArray:
    """A delay a chunk, for each of n samples."""
    return np.repeat(delays_s, chunk)[:n]


def errors_in_samples(clock: Clock, true_lsl: FloatArray, from_s: float) -> FloatArray:
    """How far off a stimulus on each tenth sample would be placed, by the fit five blocks later."""
    (segment,) = clock.segments
    last = segment.fits[-6].horizon_lsl
    found = []
    for sample in range(int(from_s * FS_HZ), len(true_lsl), 10):
        if true_lsl[sample] >= last:
            break
        fit = segment.fit_at(segment.fit_beyond(true_lsl[sample]).end + 5 * clock.block)
        assert fit is not None
        whole, fraction = fit.position_of(true_lsl[sample])
        found.append(whole + fraction - sample)
    return np.array(found)


def only_segment(clock: Clock, t_lsl: float) -> Segment:
    found = clock.find(t_lsl)
    assert isinstance(found, Segment)
    return found


@pytest.mark.parametrize("fs_hz", [2000.0, 3000.0, 5000.0, 22000.0])
def test_clean_stamps_are_followed_exactly(fs_hz: float) -> None:
    true_lsl = true_times(2.0, fs_hz=fs_hz)
    clock = follow(true_lsl, fs_hz=fs_hz)
    segment = only_segment(clock, T0_LSL + 1.0)
    fit = segment.fit_beyond(T0_LSL + 1.0)
    assert fit.position_of(true_lsl[int(fs_hz)]) == (int(fs_hz), 0.0)
    whole, fraction = fit.position_of(true_lsl[int(fs_hz)] + 0.25 / fs_hz)
    assert whole == int(fs_hz)
    assert fraction == pytest.approx(0.25, abs=1e-4)


def test_zero_mean_jitter_moves_a_stimulus_by_less_than_a_sample() -> None:
    rng = np.random.default_rng(1)
    true_lsl = true_times(40.0, rate_error=150e-6)
    delays_s = rng.normal(0.0, 0.3e-3, len(true_lsl) // 50 + 1)
    clock = follow(true_lsl + late_by_chunk(len(true_lsl), 50, delays_s))
    assert not clock.breaks
    assert np.abs(errors_in_samples(clock, true_lsl, from_s=0.1)).max() < 1.0


def test_lateness_moves_a_stimulus_by_its_mean_and_outliers_hardly_at_all() -> None:
    """Bound: the mean lateness within 1 ms, though one chunk in 50 is 45 ms late."""
    rng = np.random.default_rng(2)
    true_lsl = true_times(40.0, rate_error=-300e-6)
    delays_s = rng.exponential(1e-3, len(true_lsl) // 100 + 1)
    delays_s[50::50] = 45e-3
    clock = follow(true_lsl + late_by_chunk(len(true_lsl), 100, delays_s))
    assert not clock.breaks
    errors_ms = errors_in_samples(clock, true_lsl, from_s=1.0) / FS_HZ * 1000.0
    assert np.abs(errors_ms + 1.0).max() < 1.0


def test_drift_of_the_rate_is_tracked() -> None:
    """By 6 ppm a second, more than any device's warming up."""
    n = int(50 * FS_HZ)
    rate = 1.0 + 50e-6 * np.sin(2 * np.pi * np.arange(n) / (50 * FS_HZ))
    true_lsl = T0_LSL + np.cumsum(rate / FS_HZ)
    clock = follow(true_lsl)
    assert not clock.breaks
    assert np.abs(errors_in_samples(clock, true_lsl, from_s=0.1)).max() < 1.0


def test_fits_do_not_depend_on_the_pieces() -> None:
    rng = np.random.default_rng(3)
    true_lsl = true_times(3.0)
    stamps = true_lsl + late_by_chunk(len(true_lsl), 70, rng.exponential(8e-3, 300))
    stamps[4000:] += 0.2
    stamps[9111:] += 0.04
    clocks = [follow(stamps, step) for step in (1, 37, 128)]
    assert [len(clock.segments) for clock in clocks] == [3, 3, 3]
    fits = [[tuple(s.fits) for s in clock.segments] for clock in clocks]
    assert fits[0] == fits[1] == fits[2]
    assert clocks[0].breaks == clocks[1].breaks == clocks[2].breaks


@pytest.mark.parametrize("at", [1, 100, 3000, 3001, 4224, 7000])
def test_a_hole_in_the_stamps_is_found_to_the_sample(at: int) -> None:
    stamps = true_times(3.0)
    stamps[at:] += 0.05
    clock = follow(stamps)
    first, second = clock.segments
    assert (first.end, second.first) == (at, at)
    (gap,) = clock.breaks
    assert (gap.missing, gap.stepped) == (250, False)
    assert gap.seconds == pytest.approx(0.05, abs=1e-9)
    assert gap.at_s == pytest.approx(at / FS_HZ + 0.05, abs=1e-9)
    assert clock.find(stamps[at] - 0.02) is Where.HOLE


def test_a_clean_stream_reveals_a_small_hole_in_time() -> None:
    stamps = true_times(40.0)
    stamps[35 * 5000 :] += 20 / FS_HZ
    clock = follow(stamps)
    assert [gap.missing for gap in clock.breaks] == [20]


@pytest.mark.parametrize("late_s", [0.04, 0.2, 5.0])
def test_a_late_chunk_is_no_hole(late_s: float) -> None:
    stamps = true_times(3.0)
    stamps[5000:6000] += late_s
    clock = follow(stamps)
    assert len(clock.segments) == 1
    assert not clock.breaks


def jittered(seconds: float, chunk: int, mean_s: float, seed: int) -> FloatArray:
    """Stamps whose chunks are late by an exponential delay."""
    stamps = true_times(seconds)
    rng = np.random.default_rng(seed)
    delays_s = rng.exponential(mean_s, len(stamps) // chunk + 1)
    return stamps + late_by_chunk(len(stamps), chunk, delays_s)


@pytest.mark.parametrize(("mean_s", "hole_s"), [(1e-4, 0.01), (1e-4, 0.025), (3e-4, 0.025)])
def test_a_hole_of_milliseconds_is_found_among_ordinary_jitter(
    mean_s: float, hole_s: float
) -> None:
    stamps = jittered(24.0, 50, mean_s, seed=1)
    stamps[20 * 5000 :] += hole_s
    clock = follow(stamps)
    (gap,) = clock.breaks
    assert gap.missing == pytest.approx(hole_s * FS_HZ, abs=5)
    assert clock.segments[-1].first == 20 * 5000


@pytest.mark.parametrize("chunk", [50, 1500, 4000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chunks_late_now_and_then_on_a_quiet_stream_are_no_holes(chunk: int, seed: int) -> None:
    stamps = jittered(60.0, chunk, 1e-4, seed)
    rng = np.random.default_rng(seed)
    for at in rng.choice(len(stamps) // chunk - 1, 8, replace=False) + 1:
        stamps[at * chunk : (at + 1) * chunk] += rng.uniform(2e-3, 29e-3)
    assert not follow(stamps).breaks


def test_a_hole_right_after_a_late_chunk_is_found_to_the_sample() -> None:
    stamps = true_times(3.0)
    stamps[5130:5150] += 0.06
    stamps[5170:] += 0.06
    clock = follow(stamps)
    assert [segment.first for segment in clock.segments] == [0, 5170]


def test_horizons_never_fall_back() -> None:
    stamps = true_times(1.0)[:131]
    stamps[128:] -= 4e-3  # early stamps, in a block cut short by the end of the signal
    clock = follow(stamps)
    clock.close()
    long, short = clock.segments[0].fits
    assert short.t_lsl < long.t_lsl
    assert short.horizon_lsl == long.horizon_lsl


def test_nothing_beyond_a_suspect_is_vouched_for_until_time_has_told() -> None:
    stamps = true_times(2.0)
    stamps[4100:] += 0.05
    persist = int(PERSIST_MS / 1000 * FS_HZ)
    clock = follow(stamps[: 4100 + persist - 1], step=1)
    assert len(clock.segments) == 1
    assert clock.vouches_for(4100)
    assert not clock.vouches_for(4101)
    assert len(follow(stamps[: 4100 + persist], step=1).segments) == 2


def test_a_clock_that_goes_back_is_no_gap_and_the_case_goes_on() -> None:
    stamps = true_times(3.0)
    stamps[5000:] -= 1000.0
    clock = follow(stamps)
    (fault,) = clock.breaks
    assert fault.stepped
    assert fault.seconds == pytest.approx(-1000.0)
    assert fault.at_s == pytest.approx(1.0, abs=1e-6)
    old, new = clock.segments
    assert clock.find(T0_LSL + 0.5) is old
    assert clock.find(T0_LSL - 1000.0 + 1.5) is new
    assert new.case_s(T0_LSL - 1000.0 + 1.5) == pytest.approx(1.5, abs=1e-6)


def test_where_a_time_lies_that_is_in_no_segment() -> None:
    stamps = true_times(3.0)
    clock = follow(stamps)
    assert clock.find(T0_LSL - 1e-3) is Where.BEFORE
    assert clock.find(T0_LSL + 3.1) is Where.AHEAD
    assert follow(stamps[:10]).find(T0_LSL) is Where.AHEAD
    short = follow(stamps, ring_s=1.0)
    assert short.find(T0_LSL - 1e-3) is Where.BEFORE
    assert short.find(T0_LSL + 1.0) is Where.GONE
    assert isinstance(short.find(T0_LSL + 2.5), Segment)


def test_segments_that_left_the_ring_are_forgotten() -> None:
    stamps = true_times(6.0)
    for at in (5000, 10_000, 15_000):
        stamps[at:] += 0.1
    clock = follow(stamps, ring_s=2.0)
    assert [segment.first for segment in clock.segments] == [15_000]
    assert clock.find(T0_LSL) is Where.GONE
