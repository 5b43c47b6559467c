"""The queue of waiting stimuli: its bound, its patience, and when an epoch leaves."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.acquire.clock import Clock
from monitor.acquire.epochs import WAITING_LIMIT, EpochQueue
from monitor.acquire.ring import Ring
from monitor.config import EpochSection
from monitor.types import Epoch, Missed, Status, Stimulus

FS_HZ = 2000.0
CAPACITY = 4000


class Bench:
    """A queue on a clean signal that starts at 0 s and whose samples are their own numbers."""

    def __init__(self, pre_ms: float = 50.0, post_ms: float = 100.0) -> None:
        self.ring = Ring(CAPACITY, 2)
        self.clock = Clock(self.ring, FS_HZ)
        section = EpochSection(pre_ms=pre_ms, post_ms=post_ms)
        self.queue = EpochQueue(self.ring, self.clock, (1,), FS_HZ, section)
        self.clock.open(0, 0.0)

    def run_to(self, end: int) -> list[Epoch | Missed]:
        out: list[Epoch | Missed] = []
        while (at := self.ring.counter) < end:
            stop = min(end, self.clock.block * (at // self.clock.block + 1))
            numbers = np.arange(at, stop)
            samples = np.stack([-numbers, numbers], axis=1).astype(np.float32)
            self.ring.append(samples, numbers / FS_HZ)
            self.clock.advance()
            out += self.queue.release()
        return out

    def add(self, sample: float) -> list[Epoch | Missed]:
        return [*self.queue.add(stimulus(sample)), *self.queue.release()]


def stimulus(sample: float) -> Stimulus:
    return Stimulus(sample / FS_HZ, "s")


def epoch(outcome: list[Epoch | Missed]) -> Epoch:
    (only,) = outcome
    assert isinstance(only, Epoch)
    return only


def missed(outcome: list[Epoch | Missed]) -> Missed:
    (only,) = outcome
    assert isinstance(only, Missed)
    return only


@pytest.mark.parametrize(("pre_ms", "post_ms"), [(20, 60), (100, 150), (500, 500), (33.3, 77.7)])
def test_an_epoch_leaves_with_its_last_sample_and_no_later(pre_ms: float, post_ms: float) -> None:
    bench = Bench(pre_ms, post_ms)
    pre, post = round(pre_ms * 2), round(post_ms * 2)
    assert bench.add(1200.25) == []
    assert bench.run_to(1200 + post - 1) == []
    found = epoch(bench.run_to(1200 + post))
    assert (found.stimulus_index, found.first_sample) == (pre, 1200 - pre)
    assert found.stimulus_fraction == pytest.approx(0.25, abs=1e-6)
    assert found.stimulus_s == pytest.approx(1200.25 / FS_HZ)
    np.testing.assert_array_equal(found.samples_uv, [np.arange(1200 - pre, 1200 + post)])
    assert found.samples_uv.flags.c_contiguous


def test_a_marker_after_its_data_still_finds_it_until_the_ring_has_moved_on() -> None:
    bench = Bench()
    bench.run_to(10_000)
    oldest = 10_000 - CAPACITY
    np.testing.assert_array_equal(
        epoch(bench.add(oldest + 100)).samples_uv, [np.arange(oldest, oldest + 300)]
    )
    late = missed(bench.add(oldest + 99))
    assert late.status is Status.LATE
    assert missed(bench.add(5.0)).status is Status.LATE
    assert (late.trial, bench.add(9000)[0].trial) == (2, 4)


def test_overlapping_epochs_are_all_whole() -> None:
    bench = Bench()
    for sample in (1000, 1010, 1011, 1300):
        bench.add(sample)
    found = bench.run_to(2000)
    assert [e.first_sample for e in found if isinstance(e, Epoch)] == [900, 910, 911, 1200]
    assert [e.trial for e in found] == [1, 2, 3, 4]


def test_an_older_stimulus_after_a_younger_one_is_out_of_order() -> None:
    bench = Bench()
    bench.add(1000)
    first = epoch(bench.run_to(1500))
    second = epoch(bench.add(900))
    third = epoch(bench.add(950))
    fourth = epoch(bench.add(1100))
    assert [e.out_of_order for e in (first, second, third, fourth)] == [False, True, True, False]
    assert [e.trial for e in (first, second, third, fourth)] == [1, 2, 3, 4]


def test_what_waits_together_leaves_in_the_order_of_the_stimuli() -> None:
    bench = Bench()
    for sample in (1002, 1000, 1001):
        bench.add(sample)
    found = bench.run_to(1500)
    assert [e.stimulus for e in found] == [stimulus(1000), stimulus(1001), stimulus(1002)]
    assert not any(e.out_of_order for e in found if isinstance(e, Epoch))


def test_before_the_case_or_too_near_its_beginning_is_incomplete() -> None:
    bench = Bench()
    bench.run_to(500)
    before = missed(bench.add(-1))
    assert before.status is Status.INCOMPLETE
    assert "before the first sample" in before.reason
    near = missed(bench.add(80))
    assert near.status is Status.INCOMPLETE
    assert near.reason.startswith("10.0 ms of it lie before the first sample")
    assert isinstance(bench.add(100)[0], Epoch)


def test_the_end_of_the_source_settles_everything() -> None:
    bench = Bench()
    bench.run_to(1000)
    for sample in (750, 900, 1010, 5000):
        bench.add(sample)
    bench.clock.close()
    found = list(bench.queue.release(ended=True))
    assert not bench.queue.is_waiting
    assert [getattr(e, "status", None) for e in found] == [Status.INCOMPLETE] * 3
    assert [e.reason for e in found if isinstance(e, Missed)] == [
        "the signal ended 50.0 ms before the end of the epoch",
        "the signal ended before the stimulus",
        "the signal ended before the stimulus",
    ]


def test_without_any_signal_every_stimulus_still_gets_its_row() -> None:
    ring = Ring(CAPACITY, 1)
    clock = Clock(ring, FS_HZ)
    queue = EpochQueue(ring, clock, (0,), FS_HZ, EpochSection())
    assert list(queue.add(stimulus(5))) == []
    assert list(queue.release()) == []
    clock.close()
    gone = missed(list(queue.release(ended=True)))
    assert (gone.status, gone.reason, gone.stimulus_s) == (Status.INCOMPLETE, "no signal", 0.0)


def test_a_full_queue_gives_up_the_earliest() -> None:
    bench = Bench()
    bench.run_to(1000)
    for i in range(WAITING_LIMIT):
        assert bench.add(3000 + i) == []
    given_up = missed(bench.add(2999.5))
    assert given_up.stimulus == stimulus(2999.5)
    assert given_up.status is Status.INCOMPLETE
    assert f"more than {WAITING_LIMIT}" in given_up.reason
    assert missed(bench.add(9999)).stimulus == stimulus(3000)
    assert bench.queue.tally.crowded_out == 2


def test_patience_ends_with_the_length_of_the_ring() -> None:
    bench = Bench()
    bench.run_to(1000)
    bench.add(90_000)
    patience_s = CAPACITY / FS_HZ
    assert list(bench.queue.tick(50.0)) == []
    assert list(bench.queue.tick(50.0 + patience_s)) == []
    given_up = missed(list(bench.queue.tick(50.1 + patience_s)))
    assert given_up.status is Status.INCOMPLETE
    assert given_up.reason == "its marker is 45 s ahead of the signal"
    assert list(bench.queue.tick(99.0)) == []
