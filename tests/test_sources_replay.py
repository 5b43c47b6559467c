from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.base import Item
from monitor.sources.input_order import InputOrder
from monitor.sources.replay import (
    LONGEST_HOLE_S,
    TICKS_PER_S,
    Pace,
    RecordingSource,
    timeline,
    with_ticks,
)
from monitor.types import (
    Chunk,
    ClockOffset,
    Float32Array,
    FloatArray,
    Marker,
    MonitorError,
    StreamInfo,
    Tick,
)

FS_HZ = 1000.0


class ArrayRecording:
    """A recording of one ramp channel: sample i has the value i, so that a lost one shows."""

    order: InputOrder | None = None

    def __init__(
        self,
        n_samples: int,
        markers_s: Sequence[float] = (),
        segments: Sequence[tuple[int, int]] = ((0, 0),),
        offsets: Sequence[ClockOffset] = (),
        jump: tuple[int, float] = (0, 0.0),
    ) -> None:
        self.info = StreamInfo("ramp", "", FS_HZ, ("ramp",), "replay")
        self.warnings: list[str] = []
        self.n_samples = n_samples
        self.segments = list(segments)
        self.markers_name = "marks"
        self.markers = [Marker(t, f"M{i}") for i, t in enumerate(markers_s)]
        self.marker_arrival_s = np.maximum.accumulate(np.array(markers_s, dtype=np.float64))
        self.offsets = list(offsets)
        self._times = np.arange(n_samples) / FS_HZ
        self._times[jump[0] :] += jump[1]
        self.closed = False

    def samples_uv(self, start: int, stop: int) -> Float32Array:
        return np.arange(start, stop, dtype=np.float32)[:, None]

    def t_lsl(self, start: int, stop: int) -> FloatArray:
        return self._times[start:stop]

    def arrival_s(self, indices: Sequence[int]) -> FloatArray:
        return self._times[np.asarray(indices, dtype=np.int64)]

    def close(self) -> None:
        self.closed = True


def read_all(source: RecordingSource, timeout_s: float = 1.0) -> list[Item]:
    items: list[Item] = []
    with source:
        while not source.exhausted:
            items += source.read(timeout_s)
    return items


def chunks_of(items: Sequence[Item]) -> list[Chunk]:
    return [item for item in items if isinstance(item, Chunk)]


@given(
    n_samples=st.integers(1, 400),
    chunk_samples=st.integers(1, 150),
    markers_ms=st.lists(st.integers(0, 450), max_size=8),
)
def test_any_chunking_gives_the_same_samples_markers_and_ticks(
    n_samples: int, chunk_samples: int, markers_ms: list[int]
) -> None:
    recording = ArrayRecording(n_samples, [t / 1e3 for t in sorted(markers_ms)])
    items = read_all(RecordingSource(recording, chunk_samples=chunk_samples))

    chunks = chunks_of(items)
    values = np.concatenate([c.samples_uv[:, 0] for c in chunks])
    np.testing.assert_array_equal(values, np.arange(n_samples))
    assert [c.first_sample for c in chunks] == [int(c.samples_uv[0, 0]) for c in chunks]
    assert [i for i in items if isinstance(i, Marker)] == recording.markers
    last_s = max([(n_samples - 1) / FS_HZ, *recording.marker_arrival_s.tolist()])
    ticks = [i.t_lsl for i in items if isinstance(i, Tick)]
    assert ticks == [k / TICKS_PER_S for k in range(1, len(ticks) + 1)]
    assert len(ticks) == int(last_s * TICKS_PER_S + 1e-9)


@given(chunk_samples=st.integers(1, 60), marker_ms=st.integers(0, 199))
def test_a_marker_comes_right_after_the_chunk_with_its_time(
    chunk_samples: int, marker_ms: int
) -> None:
    recording = ArrayRecording(200, [marker_ms / 1e3])
    items = read_all(RecordingSource(recording, chunk_samples=chunk_samples))
    at = next(i for i, item in enumerate(items) if isinstance(item, Marker))
    before = items[at - 1]
    assert isinstance(before, Chunk)
    assert before.first_sample <= marker_ms < before.first_sample + len(before.samples_uv)


def test_time_never_goes_back() -> None:
    recording = ArrayRecording(
        300, [0.01, 0.2], offsets=[ClockOffset("signal", 0.0, 0.1), ClockOffset("markers", 0.15, 0)]
    )
    due = [at for at, _ in timeline(recording, 7)]
    assert due == sorted(due)
    items = [item for _, item in timeline(recording, 7)]
    assert isinstance(items[0], ClockOffset)


def test_a_chunk_never_spans_a_pause_that_the_recording_knows() -> None:
    recording = ArrayRecording(100, segments=[(0, 0), (33, 533)])
    chunks = chunks_of(read_all(RecordingSource(recording, chunk_samples=20)))
    spans = [(c.first_sample, len(c.samples_uv)) for c in chunks]
    assert spans == [(0, 20), (20, 13), (533, 7), (540, 20), (560, 20), (580, 20)]


def test_a_marker_within_a_hole_does_not_wait_for_the_other_side() -> None:
    recording = ArrayRecording(100, [5.0], jump=(50, 10.0))
    items = read_all(RecordingSource(recording, chunk_samples=10))
    at = next(i for i, item in enumerate(items) if isinstance(item, Marker))
    ticks_before = [i.t_lsl for i in items[:at] if isinstance(i, Tick)]
    assert max(ticks_before) < 5.0
    assert sum(isinstance(i, Chunk) for i in items[at:]) == 5


def test_a_hole_of_years_is_not_waited_for() -> None:
    years_s = 1e8
    timed = list(with_ticks(iter([(0.0, Marker(0.0, "a")), (years_s, Marker(years_s, "b"))])))
    ticks = [item.t_lsl for _, item in timed if isinstance(item, Tick)]
    assert len(ticks) <= LONGEST_HOLE_S * TICKS_PER_S + 1
    assert timed[-1][1] == Marker(years_s, "b")
    assert years_s - 1.0 / TICKS_PER_S <= ticks[-1] < years_s, "the hole is over before it"
    assert timed[-1][0] == pytest.approx(LONGEST_HOLE_S)


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept_s: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_pace_hands_everything_over_when_it_is_due_and_nothing_else_changes(speed: float) -> None:
    recording = ArrayRecording(500, [0.1, 0.3])
    fast = read_all(RecordingSource(recording, chunk_samples=30))
    time = FakeTime()
    pace = Pace(speed, time.clock, time.sleep)
    paced = RecordingSource(recording, speed=speed, chunk_samples=30, pace=pace)
    items: list[Item] = []
    with paced:
        while not paced.exhausted:
            new = paced.read(0.2)
            for item in new:
                if isinstance(item, Tick):
                    late_s = (time.now_s - 100.0) * speed - (item.t_lsl - 0.029)
                    assert late_s == pytest.approx(0.0, abs=1e-6)
            items += new
    assert [type(i) for i in items] == [type(i) for i in fast]
    assert [i for i in items if isinstance(i, Tick | Marker)] == [
        i for i in fast if isinstance(i, Tick | Marker)
    ]
    # The first chunk (30 samples) is due at once; 470 ms of recording remain.
    assert sum(time.slept_s) == pytest.approx(0.470 / speed)


def test_a_read_that_times_out_gives_nothing_and_loses_nothing() -> None:
    time = FakeTime()
    source = RecordingSource(
        ArrayRecording(100), speed=1.0, chunk_samples=50, pace=Pace(1.0, time.clock, time.sleep)
    )
    with source:
        assert len(chunks_of(source.read(0.01))) == 1
        assert source.read(0.0005) == []
        assert not source.exhausted
        assert isinstance(source.read(0.2)[0], Tick)
        assert len(chunks_of(source.read(0.2))) == 1


def test_leaving_closes_the_recording() -> None:
    recording = ArrayRecording(10)
    with RecordingSource(recording):
        pass
    assert recording.closed


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(MonitorError, match="speed"):
        RecordingSource(ArrayRecording(10), speed=speed)


def test_empty_chunks_are_refused() -> None:
    with pytest.raises(MonitorError, match="chunk_samples 0"):
        RecordingSource(ArrayRecording(10), chunk_samples=0)
