"""Trains: one marker a pulse, or a trigger column; each train is one stimulus."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.acquire.acquisition import Acquisition
from monitor.config import from_mapping
from monitor.types import (
    AlarmKind,
    Chunk,
    Epoch,
    Marker,
    Missed,
    MonitorError,
    StreamInfo,
    Tick,
)

FS_HZ = 2000.0
N = 8000


def acquisition(**stimulus: object) -> Acquisition:
    sections: dict[str, object] = {
        "epoch": {"pre_ms": 50.0, "post_ms": 100.0, "ring_s": 2.0},
        "stimulus": {"pattern": "^S", **stimulus},
    }
    stream = StreamInfo("emg", "id", FS_HZ, ("LAPB", "TTL"), "live")
    return Acquisition(stream, from_mapping(sections, "test"))


def signal(pulses: list[int], width: int = 3) -> Chunk:
    samples = np.zeros((N, 2), dtype=np.float32)
    samples[:, 0] = np.arange(N)
    for at in pulses:
        samples[at : at + width, 1] = 5.0
    return Chunk(0, samples, np.arange(N) / FS_HZ)


def fed(core: Acquisition, chunk: Chunk, cuts: list[int]) -> list[Epoch | Missed]:
    out: list[Epoch | Missed] = []
    for first, end in itertools.pairwise(sorted({0, N, *cuts})):
        part = Chunk(first, chunk.samples_uv[first:end], chunk.t_lsl[first:end])
        out += core.feed(part)
    return [*out, *core.finish()]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 1899), min_size=1, max_size=6, unique=True),
    st.permutations(range(4)),
    st.lists(st.integers(0, N), max_size=12),
)
def test_pulses_in_any_order_are_one_stimulus_each_train(
    trains: list[int], order: list[int], cuts: list[int]
) -> None:
    """Trains of 4 pulses, 4 ms apart, at least 60 ms from one another."""
    starts = [0.06 * k + 0.2 for k in sorted({train % 40 for train in trains})]
    core = acquisition(train_gap_ms=5.0)
    out: list[Epoch | Missed] = []
    for start_s in starts:
        for pulse in order:
            out += core.feed(Marker(start_s + 0.004 * pulse, f"S{pulse}"))
    out += fed(core, signal([]), cuts)
    assert [round(o.stimulus.t_lsl, 6) for o in out] == [round(s, 6) for s in starts]
    assert {o.stimulus.pulses_ms for o in out} == {(0.0, 4.0, 8.0, 12.0)}
    assert core.stimuli.matched == core.tally.seen == len(starts)
    assert core.tally.delivered == sum(isinstance(o, Epoch) for o in out)


def test_a_pulse_between_two_parts_makes_them_one_train() -> None:
    core = acquisition(train_gap_ms=5.0)
    for t in (1.0, 1.008, 1.004):
        assert list(core.feed(Marker(t, "S"))) == []
    (only,) = fed(core, signal([]), [])
    assert only.stimulus.pulses_ms == (0.0, 4.0, 8.0)
    assert core.tally.seen == 1


def test_a_pulse_after_its_train_was_measured_is_no_stimulus_and_is_said() -> None:
    core = acquisition(train_gap_ms=5.0)
    list(core.feed(Marker(1.0, "S")))
    fed_out = fed(core, signal([]), [])
    assert len(fed_out) == 1
    assert list(core.feed(Marker(1.004, "S"))) == []
    assert (core.late_pulses, core.stimuli.matched, core.tally.seen) == (1, 1, 1)
    list(core.feed(Marker(2.0, "S")))
    list(core.feed(Marker(3.0, "S")))
    late = [n for n in core.take_notices() if n.kind is AlarmKind.NOT_COMPARABLE]
    assert [n.active for n in late] == [True, False]


def test_pulses_that_go_on_and_on_are_cut_into_trains() -> None:
    core = acquisition(train_gap_ms=5.0)
    for k in range(40):
        list(core.feed(Marker(1.0 + 0.004 * k, "S")))
    out = fed(core, signal([]), [])
    assert sum(len(o.stimulus.pulses_ms) for o in out) == 40
    assert all(o.stimulus.pulses_ms[-1] <= 50.0 for o in out)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(30, 38), min_size=1, max_size=6, unique=True),
    st.lists(st.integers(0, N), max_size=12),
)
def test_edges_of_the_trigger_column_are_stimuli_placed_to_the_sample(
    places: list[int], cuts: list[int]
) -> None:
    at = sorted(200 * place for place in places if 200 * place + 200 <= N)
    core = acquisition(trigger_channel="TTL", trigger_min_width_ms=1.0)
    assert [c.name for c in core.channels] == ["LAPB"]
    assert list(core.feed(Marker(1.0, "S"))) == []  # markers are none
    out = fed(core, signal(at), cuts)
    assert [o.trial for o in out] == list(range(1, len(at) + 1))
    for outcome, sample in zip(out, at, strict=True):
        assert isinstance(outcome, Epoch)
        assert outcome.samples_uv[0, outcome.stimulus_index] == sample
        assert outcome.stimulus_fraction == 0.0
        assert outcome.stimulus.t_lsl == pytest.approx(sample / FS_HZ, abs=1e-5)


def test_an_edge_too_narrow_is_none_and_a_train_of_edges_is_one() -> None:
    narrow = acquisition(trigger_channel="TTL", trigger_min_width_ms=2.0)
    assert fed(narrow, signal([1000]), []) == []
    train = acquisition(trigger_channel="TTL", train_gap_ms=5.0)
    (only,) = fed(train, signal([1000, 1008, 1016]), [900, 1001, 1010])
    assert only.stimulus.pulses_ms == (0.0, 4.0, 8.0)


def test_offset_ms_moves_what_the_trigger_says() -> None:
    core = acquisition(trigger_channel="TTL", offset_ms=10.0)
    (only,) = fed(core, signal([1000]), [])
    assert isinstance(only, Epoch)
    # The edge is the sample's own stamp; the clock's line may lie a little beside it.
    sample = only.samples_uv[0, only.stimulus_index] + only.stimulus_fraction
    assert sample == pytest.approx(1020, abs=0.05)


def test_a_trigger_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(MonitorError, match=r"stimulus\.trigger_channel: .*'STI'"):
        acquisition(trigger_channel="STI")


def test_a_cadence_that_stops_is_a_notice() -> None:
    core = acquisition(cadence_s=0.5)
    list(core.feed(signal([])))
    list(core.feed(Marker(1.0, "S")))
    for k in range(200):
        list(core.feed(Tick(1.0 + 0.05 * k)))
    kinds = [n.kind for n in core.take_notices() if n.active]
    assert kinds.count(AlarmKind.STIMULUS_MISSING) == 1


def test_a_trigger_column_that_never_fires_is_missed_where_a_cadence_is_known() -> None:
    core = acquisition(trigger_channel="TTL", cadence_s=0.5)
    for first in range(0, 4000, 200):
        chunk = Chunk(first, np.zeros((200, 2), np.float32), (first + np.arange(200)) / 2000.0)
        list(core.feed(chunk))
        list(core.feed(Tick((first + 200) / 2000.0)))
    (notice,) = core.take_notices()
    assert notice.kind is AlarmKind.STIMULUS_MISSING
    assert notice.cause == "cadence"
