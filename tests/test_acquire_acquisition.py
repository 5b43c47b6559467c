"""Acquisition as a whole against an oracle that holds the whole signal and knows its holes."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.acquire.acquisition import Acquisition
from monitor.config import CaseConfig, from_mapping
from monitor.types import (
    AlarmKind,
    Chunk,
    ClockOffset,
    Epoch,
    Float32Array,
    FloatArray,
    Marker,
    Missed,
    MonitorError,
    Status,
    StreamInfo,
    Tick,
)

FS_HZ = 2000.0
T0_LSL = 1234.5
PRE, POST = 100, 200
WRAP = 1 << 16  # the index channel stays exact in float32
DATA = Path(__file__).parents[2] / "shared" / "data"

Outcome = Epoch | Missed
Input = Chunk | Marker | ClockOffset | Tick


def case(**stimulus: object) -> CaseConfig:
    sections: dict[str, object] = {
        "epoch": {"pre_ms": 50.0, "post_ms": 100.0, "ring_s": 2.0},
        "channels": {"unused": {"ignore": True}},
        "stimulus": {"pattern": "^S", **stimulus},
    }
    return from_mapping(sections, "test")


def acquisition(config: CaseConfig | None = None, fs_hz: float = FS_HZ) -> Acquisition:
    stream = StreamInfo("emg", "id", fs_hz, ("LAPB", "unused", "RTA"), "live")
    return Acquisition(stream, config or case())


@dataclasses.dataclass(frozen=True)
class Signal:
    """A whole recording. ``bounds``: first sample (as received) of each unbroken part, and the end.

    Channel LAPB holds the number of each sample as received, RTA its negative.
    """

    bounds: tuple[int, ...]
    stream_counter: np.ndarray
    t_lsl: FloatArray
    samples_uv: Float32Array

    def chunk(self, first: int, end: int) -> Chunk:
        return Chunk(
            int(self.stream_counter[first]), self.samples_uv[first:end], self.t_lsl[first:end]
        )

    def part_of(self, sample: int) -> tuple[int, int]:
        i = int(np.searchsorted(self.bounds, sample, side="right")) - 1
        return self.bounds[i], self.bounds[i + 1]


def signal(parts: Iterable[tuple[int, int, float]], first_sample: int = 0) -> Signal:
    """Parts of (samples, samples skipped before by the counter, seconds lost before in stamps)."""
    bounds, counters, stamps = [0], [], []
    counter, t = first_sample, T0_LSL
    for n, skipped, lost_s in parts:
        counter += skipped
        t += skipped / FS_HZ + lost_s
        counters.append(counter + np.arange(n))
        stamps.append(t + np.arange(n) / FS_HZ)
        counter += n
        t += n / FS_HZ
        bounds.append(bounds[-1] + n)
    number = np.arange(bounds[-1]) % WRAP
    samples = np.stack([number, np.full_like(number, 7), -number], axis=1).astype(np.float32)
    return Signal(tuple(bounds), np.concatenate(counters), np.concatenate(stamps), samples)


def play(
    whole: Signal,
    cuts: Iterable[int],
    markers: Iterable[tuple[int, Marker]],
    core: Acquisition | None = None,
) -> tuple[list[Outcome], Acquisition]:
    """Feed the signal cut at ``cuts``; each marker comes with the chunk that holds its position."""
    core = core or acquisition()
    todo = sorted(markers, key=lambda placed: placed[0])
    # A chunk has one first sample: the source ends it where its counter jumps.
    jumps = (np.flatnonzero(np.diff(whole.stream_counter) != 1) + 1).tolist()
    edges = sorted({0, len(whole.t_lsl), *jumps, *cuts})
    out: list[Outcome] = []
    for first, end in itertools.pairwise(edges):
        while todo and todo[0][0] < end:
            out += core.feed(todo.pop(0)[1])
        out += core.feed(whole.chunk(first, end))
    for _, marker in todo:
        out += core.feed(marker)
    out += core.finish()
    return out, core


def expected(whole: Signal, sample: int, t_lsl: float) -> Status | int:
    """What a stimulus right after ``sample`` must become: a status, or its epoch's first sample."""
    last = len(whole.t_lsl) - 1
    if t_lsl < whole.t_lsl[0] or t_lsl > whole.t_lsl[last] + 0.999 / FS_HZ:
        return Status.INCOMPLETE
    if t_lsl > whole.t_lsl[sample] + 0.999 / FS_HZ:
        return Status.GAP
    first, end = whole.part_of(sample)
    if sample - PRE < first:
        return Status.INCOMPLETE if first == 0 else Status.GAP
    if sample + POST > end:
        return Status.INCOMPLETE if end == last + 1 else Status.GAP
    return sample - PRE


def check(whole: Signal, outcome: Outcome, should: Status | int) -> None:
    if isinstance(outcome, Missed):
        assert outcome.status == should, outcome.reason
        assert outcome.reason
        return
    assert isinstance(should, int), should
    assert outcome.samples_uv.shape == (2, PRE + POST)
    assert outcome.samples_uv.flags.c_contiguous
    index = np.arange(should, should + PRE + POST) % WRAP
    np.testing.assert_array_equal(outcome.samples_uv, np.stack([index, -index]))
    assert outcome.first_sample == whole.stream_counter[should]
    assert outcome.stimulus_index == PRE


def same(a: Outcome, b: Outcome) -> bool:
    """Equal bit for bit, arrays included."""
    if type(a) is not type(b):
        return False
    names = [field.name for field in dataclasses.fields(a)]
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


PARTS = st.lists(
    st.tuples(
        st.integers(1, 2500),
        st.sampled_from([0, 0, 1, 3, 50, 700]),
        st.sampled_from([0.0, 0.0, 0.04, 0.3]),
    ),
    min_size=1,
    max_size=6,
).map(lambda parts: [(n, 0, 0.0) if i == 0 else (n, k, s) for i, (n, k, s) in enumerate(parts)])


def merge_unbroken(parts: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Parts with nothing lost between them are one part."""
    merged: list[tuple[int, int, float]] = []
    for n, skipped, lost_s in parts:
        if merged and not skipped and not lost_s:
            merged[-1] = (merged[-1][0] + n, *merged[-1][1:])
        else:
            merged.append((n, skipped, lost_s))
    return merged


@st.composite
def cases(draw: st.DrawFn) -> tuple[Signal, list[tuple[int, int, Marker]], list[list[int]]]:
    """A signal, stimuli as (sample, lag of the marker in samples, marker), and two ways to cut."""
    whole = signal(merge_unbroken(draw(PARTS)), draw(st.sampled_from([0, 5_000_000_000])))
    n = len(whole.t_lsl)
    placed = draw(
        st.lists(
            st.tuples(
                st.integers(-20, n + 20),
                st.sampled_from([0, 0.25, 0.5, 60]),
                st.integers(-900, 900),
            ),
            max_size=12,
            unique_by=lambda s: s[0] + s[1],
        )
    )
    stimuli = []
    for sample, offset, lag in placed:
        inside = min(max(sample, 0), n - 1)
        t_lsl = whole.t_lsl[inside] + (sample - inside + offset) / FS_HZ
        # An offset of 60 leads into the hole, where there is one, or to a later sample.
        at = int(np.searchsorted(whole.t_lsl, t_lsl + 1e-4 / FS_HZ, side="right")) - 1
        stimuli.append((at, lag, Marker(float(t_lsl), f"S {sample} {offset}")))
    cuts = [draw(st.lists(st.integers(0, n), max_size=20)) for _ in range(2)]
    for cut in cuts:
        cut.extend(range(0, n, 1500))
    return whole, stimuli, cuts


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_each_stimulus_is_accounted_for_once_and_gets_its_own_samples(
    drawn: tuple[Signal, list[tuple[int, int, Marker]], list[list[int]]], doubled: bool
) -> None:
    whole, stimuli, (cuts, _) = drawn
    markers = [(at + lag, marker) for at, lag, marker in stimuli]
    markers += [(position + 3, marker) for position, marker in markers if doubled]
    markers += [(at, Marker(marker.t_lsl, "not a stimulus")) for at, _, marker in stimuli]
    out, core = play(whole, cuts, markers)
    assert sorted(o.stimulus.marker for o in out) == sorted(str(m.value) for _, _, m in stimuli)
    assert [o.trial for o in out] == list(range(1, len(stimuli) + 1))
    places = {str(marker.value): (at, marker.t_lsl) for at, _, marker in stimuli}
    latest_s = -math.inf
    for outcome in out:
        check(whole, outcome, expected(whole, *places[outcome.stimulus.marker]))
        assert outcome.stimulus_s == pytest.approx(outcome.stimulus.t_lsl - T0_LSL, abs=1e-9)
        if isinstance(outcome, Epoch):
            assert outcome.out_of_order == (outcome.stimulus_s < latest_s)
            latest_s = max(latest_s, outcome.stimulus_s)
    assert core.stimuli.duplicates == (len(stimuli) if doubled else 0)
    gaps = [n for n in core.take_notices() if n.active]
    assert [n.kind for n in gaps] == [AlarmKind.SIGNAL_GAP] * (len(whole.bounds) - 2)


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(0, 2**31), st.integers(1, 90), st.sampled_from([0.0, 2e-4, 5e-3, 3e-2]))
def test_chunks_leave_no_trace_bit_for_bit(
    drawn: tuple[Signal, list[tuple[int, int, Marker]], list[list[int]]],
    seed: int,
    pushed: int,
    late_s: float,
) -> None:
    whole, stimuli, (cuts, other_cuts) = drawn
    n = len(whole.t_lsl)
    delays_s = np.random.default_rng(seed).exponential(late_s, n // pushed + 1)
    stamps = whole.t_lsl + np.repeat(delays_s, pushed)[:n]
    whole = dataclasses.replace(whole, t_lsl=stamps)
    ahead = sorted(stimuli, key=lambda s: s[2].t_lsl)
    markers = [(at - 900, marker) for at, _, marker in ahead]
    one, core = play(whole, cuts, markers)
    two, other = play(whole, other_cuts, markers)
    assert len(one) == len(two) == len(stimuli)
    assert all(same(a, b) for a, b in zip(one, two, strict=True))
    assert core.take_notices() == other.take_notices()


# ----------------------------------------------------------------- one thing at a time


def unbroken(seconds: float = 2.0) -> Signal:
    return signal([(int(seconds * FS_HZ), 0, 0.0)])


def epochs(outcomes: Iterable[Outcome]) -> list[Epoch]:
    found = list(outcomes)
    assert all(isinstance(outcome, Epoch) for outcome in found), found
    return [outcome for outcome in found if isinstance(outcome, Epoch)]


@pytest.mark.parametrize("fs_hz", [1000.0, 1999.0, 0.0, math.nan, math.inf])
def test_a_rate_too_low_names_the_stream_and_the_rate(fs_hz: float) -> None:
    with pytest.raises(MonitorError, match=rf"stream 'emg': a sampling rate of {fs_hz:g} Hz"):
        acquisition(fs_hz=fs_hz)


def test_channels_are_named_and_the_ignored_left_out() -> None:
    assert [(c.name, c.muscle, c.side) for c in acquisition().channels] == [
        ("LAPB", "APB", "left"),
        ("RTA", "TA", "right"),
    ]


def test_a_chunk_that_does_not_fit_the_stream_is_refused_by_name() -> None:
    for shape, stamps in (((5, 2), 5), ((5, 3), 4)):
        with pytest.raises(MonitorError, match="stream 'emg': a chunk of shape"):
            list(acquisition().feed(Chunk(0, np.zeros(shape, np.float32), np.zeros(stamps))))


def test_before_any_sample_the_case_has_not_begun() -> None:
    core = acquisition()
    list(core.feed(Chunk(0, np.zeros((0, 3), np.float32), np.zeros(0))))
    assert core.case_s(1e9) == 0.0
    assert core.now_s == 0.0
    assert list(core.finish()) == []


def test_case_time_counts_from_the_first_sample_on_the_machines_clock() -> None:
    core = acquisition()
    list(core.feed(ClockOffset("signal", 0.0, 100.0)))
    list(core.feed(unbroken().chunk(0, 1000)))
    assert core.case_s(T0_LSL + 100.25) == pytest.approx(0.25)
    assert core.case_s(T0_LSL) == 0.0
    assert core.now_s == pytest.approx(999 / FS_HZ)
    list(core.feed(Tick(T0_LSL + 100.75)))
    assert core.now_s == pytest.approx(0.75)


def test_clock_offsets_apply_to_the_markers_that_come_after_them() -> None:
    whole = unbroken()
    core = acquisition(case(offset_ms=5.0))
    out: list[Outcome] = []
    inputs: list[Input] = [
        Marker(float(whole.t_lsl[1000]), "S as it is"),
        ClockOffset("markers", 0.0, 0.25),
        ClockOffset("signal", 0.0, 0.05),
        Marker(float(whole.t_lsl[1000]), "S corrected"),
        whole.chunk(0, 4000),
    ]
    for item in inputs:
        out += core.feed(item)
    plain, corrected = epochs(out)
    assert plain.first_sample + PRE == 1000 + 10
    assert corrected.first_sample + PRE == 1000 + 10 + 400
    assert corrected.stimulus_s == pytest.approx(0.705)


def test_a_number_is_a_marker_like_any_other() -> None:
    core = acquisition(case(pattern="^40000$"))
    whole = unbroken()
    out = [*core.feed(whole.chunk(0, 2000)), *core.feed(Marker(float(whole.t_lsl[500]), 40000))]
    assert [e.stimulus.marker for e in epochs(out)] == ["40000"]


@pytest.mark.parametrize("t_lsl", [math.nan, math.inf, -math.inf])
def test_a_marker_without_a_time_gets_its_row(t_lsl: float) -> None:
    core = acquisition()
    list(core.feed(unbroken().chunk(0, 2000)))
    (refused,) = core.feed(Marker(t_lsl, "S"))
    assert isinstance(refused, Missed)
    assert refused.status is Status.INCOMPLETE
    assert refused.reason == "its marker has no time"
    assert math.isfinite(refused.stimulus_s)


def test_samples_without_a_finite_stamp_are_as_good_as_lost() -> None:
    whole = unbroken()
    whole.t_lsl[1000:1040] = math.nan
    whole.t_lsl[1040:1050] = math.inf
    markers = [(0, Marker(float(whole.t_lsl[s]), f"S{s}")) for s in (500, 900, 1500)]
    out, core = play(whole, [7, 1020], markers)
    assert [getattr(o, "status", None) for o in out] == [None, Status.GAP, None]
    assert core.left_out == 50
    assert [n.message for n in core.take_notices() if n.active] == [
        "50 samples are missing (25.0 ms)"
    ]


def test_a_gap_is_noticed_with_its_length_and_over_when_epochs_are_whole_again() -> None:
    whole = signal([(1000, 0, 0.0), (1000, 60, 0.0)])
    _, core = play(whole, range(0, 2000, 17), [])
    begun, over = core.take_notices()
    assert (begun.kind, begun.active) == (AlarmKind.SIGNAL_GAP, True)
    assert begun.message == "60 samples are missing (30.0 ms)"
    assert begun.at_s == pytest.approx(1060 / FS_HZ)
    assert (over.kind, over.active) == (AlarmKind.SIGNAL_GAP, False)
    assert over.at_s == pytest.approx((1060 + PRE + POST) / FS_HZ)
    assert core.take_notices() == []
    assert core.missing == 60


def test_a_device_that_starts_anew_is_a_clock_fault_and_the_case_goes_on() -> None:
    whole = signal([(2000, 0, 0.0), (2000, 0, -900.0)], first_sample=50_000)
    whole.stream_counter[2000:] = np.arange(2000)
    markers = [(at, Marker(float(whole.t_lsl[at]), f"S{at}")) for at in (1000, 1950, 3000)]
    out, core = play(whole, range(0, 4000, 100), markers)
    before, broken, after = out
    assert isinstance(before, Epoch)
    assert isinstance(after, Epoch)
    assert isinstance(broken, Missed)
    assert broken.status is Status.GAP
    assert after.first_sample == 1000 - PRE
    assert after.stimulus_s == pytest.approx(1.5)
    assert not after.out_of_order
    assert core.now_s == pytest.approx(3999 / FS_HZ)
    begun, over = core.take_notices()
    assert begun.kind is over.kind is AlarmKind.CLOCK_FAULT
    assert (begun.active, over.active) == (True, False)
    assert begun.message == "the device's clock went back by 900.000 s"


@pytest.mark.parametrize("seen", [20, 100, 300])
def test_right_after_the_clock_went_back_a_stimulus_gets_the_samples_of_now(seen: int) -> None:
    """Its time was once before: until the step is sure, nobody can say which samples it means."""
    whole = signal([(3000, 0, 0.0), (2000, 0, -0.8)])
    core = acquisition()
    out: list[Outcome] = []
    for first in range(0, 3000, 20):
        out += core.feed(whole.chunk(first, first + 20))
    for first in range(3000, 3000 + seen, 20):
        out += core.feed(whole.chunk(first, first + 20))
    at = 3120
    out += core.feed(Marker(float(whole.t_lsl[at]), "S"))
    for first in range(3000 + seen, 5000, 20):
        out += core.feed(whole.chunk(first, first + 20))
    (epoch,) = [*out, *core.finish()]
    assert isinstance(epoch, Epoch)
    assert epoch.samples_uv[0, epoch.stimulus_index] == at
    assert not epoch.out_of_order


def test_a_counter_that_goes_back_alone_is_a_clock_fault_too() -> None:
    whole = signal([(2000, 0, 0.0), (2000, 0, 0.2)])
    whole.stream_counter[2000:] = np.arange(2000)
    _, core = play(whole, [], [])
    assert core.take_notices()[0].message == "the device's counter went back by 2000 samples"


def test_a_stall_is_found_by_ticks_and_over_with_the_next_samples() -> None:
    whole = unbroken()
    core = acquisition()
    for at in range(0, 1000, 20):
        list(core.feed(whole.chunk(at, at + 20)))
        list(core.feed(Tick(T0_LSL + (at + 20) / FS_HZ)))
    assert core.take_notices() == []
    list(core.feed(Tick(T0_LSL + 0.7)))
    assert core.take_notices() == []
    list(core.feed(Tick(T0_LSL + 0.76)))
    (stalled,) = core.take_notices()
    assert (stalled.kind, stalled.active) == (AlarmKind.SIGNAL_STALLED, True)
    assert stalled.at_s == pytest.approx(0.76)
    list(core.feed(whole.chunk(1000, 1020)))
    (back,) = core.take_notices()
    assert (back.kind, back.active) == (AlarmKind.SIGNAL_STALLED, False)


def test_a_stimulus_whose_samples_never_come_gets_its_row_by_ticks() -> None:
    core = acquisition()
    list(core.feed(unbroken().chunk(0, 1000)))
    assert list(core.feed(Marker(T0_LSL + 1e6, "S"))) == []
    out = [o for s in range(10) for o in core.feed(Tick(T0_LSL + s))]
    (given_up,) = out
    assert isinstance(given_up, Missed)
    assert given_up.status is Status.INCOMPLETE


def run_live(
    core: Acquisition, whole: Signal, inputs: dict[int, Input], chunk: int = 20
) -> tuple[list[Outcome], list[float]]:
    """Chunk, what is due before that sample, tick, and so on; gives the case's time at each."""
    out: list[Outcome] = []
    times_s = []
    for first in range(0, len(whole.t_lsl), chunk):
        for at in [at for at in inputs if first <= at < first + chunk]:
            out += core.feed(inputs[at])
        out += core.feed(whole.chunk(first, first + chunk))
        now_lsl = T0_LSL + (first + chunk) / FS_HZ
        out += core.feed(Tick(now_lsl))
        times_s += [core.now_s, core.case_s(now_lsl)]
    return out, times_s


def test_a_marker_far_ahead_silences_nothing_that_follows() -> None:
    whole = unbroken(8.0)
    core = acquisition(case(cadence_s=1.0))
    marks: dict[int, Input] = {at: Marker(float(whole.t_lsl[at]), "S") for at in (3000, 5000, 7000)}
    out, times_s = run_live(core, whole, {2000: Marker(T0_LSL + 1e5, "S far"), **marks})
    assert [type(o) for o in out] == [Epoch, Epoch, Missed, Epoch]
    assert not any(o.out_of_order for o in out if isinstance(o, Epoch))
    (far,) = [o for o in out if isinstance(o, Missed)]
    assert "ahead of the signal" in far.reason
    assert times_s == sorted(times_s)
    # Nor does it stand for the stimuli that stopped.
    missing = [n for n in core.take_notices() if n.kind is AlarmKind.STIMULUS_MISSING]
    assert [n.active for n in missing] == [True]


def test_markers_that_stay_far_ahead_are_a_fault_of_the_clocks_until_they_reach_the_signal() -> (
    None
):
    whole = unbroken(10.0)
    core = acquisition()
    far: dict[int, Input] = {
        at: Marker(float(whole.t_lsl[at]) + 500.0, "S") for at in range(2000, 9000, 2000)
    }
    run_live(core, whole, {**far, 16000: Marker(float(whole.t_lsl[16000]), "S")})
    begun, over = core.take_notices()
    assert begun.kind is over.kind is AlarmKind.CLOCK_FAULT
    assert begun.cause == over.cause == "reach"
    assert (begun.active, over.active) == (True, False)
    assert begun.at_s == pytest.approx(5.1, abs=0.1)
    assert over.at_s == pytest.approx(8.1, abs=0.1)


@pytest.mark.parametrize("step_s", [-90_000.0, 90_000.0])
@pytest.mark.parametrize("known_after", [0, 40, 6000])
def test_a_device_clock_that_is_set_moves_the_time_of_the_case_no_whit(
    step_s: float, known_after: int
) -> None:
    whole = signal([(6000, 0, 0.0), (14000, 0, step_s)])
    core = acquisition()
    marks: dict[int, Input] = {
        at + 300: Marker(T0_LSL + at / FS_HZ, "S") for at in (3000, 15000, 17000)
    }
    first = ClockOffset("signal", T0_LSL, 0.0)
    known = ClockOffset("signal", T0_LSL, -step_s)
    out, times_s = run_live(core, whole, {0: first, 6000 + known_after: known, **marks})
    ticks_s = np.repeat(np.arange(20, 20001, 20) / FS_HZ, 2)
    np.testing.assert_allclose(times_s, ticks_s, atol=0.02)
    assert [o.stimulus_s for o in out] == pytest.approx([1.5, 7.5, 8.5], abs=1e-3)
    assert not any(o.out_of_order for o in epochs(out))
    begun, over = core.take_notices()
    assert begun.kind is over.kind is AlarmKind.CLOCK_FAULT
    went = "back" if step_s < 0 else "ahead"
    assert begun.message == f"the device's clock went {went} by 90000.000 s"
    assert core.missing == 0


@pytest.mark.parametrize("hole_s", [2.0, 30.0])
def test_a_hole_that_the_ticks_saw_pass_is_no_step_of_the_clock(hole_s: float) -> None:
    whole = signal([(4000, 0, 0.0), (4000, 0, hole_s)])
    core = acquisition()
    for first in range(0, 8000, 20):
        list(core.feed(Tick(float(whole.t_lsl[first]))))
        list(core.feed(whole.chunk(first, first + 20)))
    (gap,) = [n for n in core.take_notices() if n.active and n.kind is not AlarmKind.SIGNAL_STALLED]
    assert gap.kind is AlarmKind.SIGNAL_GAP
    assert core.missing == hole_s * FS_HZ


def test_an_unreadable_intensity_is_noticed() -> None:
    core = acquisition(case(pattern=r"^S (?P<intensity>\S+)"))
    list(core.feed(Marker(T0_LSL, "S max")))
    (notice,) = core.take_notices()
    assert notice.kind is AlarmKind.NOT_COMPARABLE


@pytest.mark.skipif(not DATA.exists(), reason="the real recordings are not here")
def test_a_real_recording_gives_every_stimulus_on_its_own_sample() -> None:
    folder = DATA / "tms-brainvision"
    raw = np.fromfile(folder / "tms-hand.eeg", "<i2").reshape(-1, 4) * [0.5, 0.5, 0.1, 0.1]
    samples_uv = raw.astype(np.float32)
    lines = (folder / "tms-hand.vmrk").read_text(encoding="utf-8").splitlines()
    at = [int(line.split(",")[2]) - 1 for line in lines if "Stimulus,S255" in line]
    stream = StreamInfo("tms-hand", "", 5000.0, ("LECR", "LFDI", "RECR", "RFDI"), "replay")
    core = Acquisition(stream, from_mapping({"stimulus": {"pattern": "S255"}}, "test"))
    t_lsl = np.arange(len(raw)) / 5000.0
    out: list[Outcome] = []
    for first in range(0, len(raw), 400):
        for sample in at:
            if first <= sample < first + 400:
                out += core.feed(Marker(float(t_lsl[sample]), "S255"))
        chunk = Chunk(first, samples_uv[first : first + 400], t_lsl[first : first + 400])
        out += core.feed(chunk)
    out += core.finish()
    found = epochs(out)
    assert [e.first_sample + e.stimulus_index for e in found] == at
    for epoch in found:
        first = epoch.first_sample
        np.testing.assert_array_equal(epoch.samples_uv, samples_uv[first : first + 1250].T)
    assert core.take_notices() == []
