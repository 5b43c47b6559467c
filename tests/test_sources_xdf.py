from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from monitor.config import SignalSection
from monitor.sources.base import Item, open_recording
from monitor.sources.xdf import XdfRecording
from monitor.types import Chunk, ClockOffset, Marker, MonitorError, Tick
from tests.xdf_writer import XdfWriter

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="real recordings (../shared/data) not here"
)
UV = SignalSection(unit="uV")


def emg(n: int, dtype: str = "<f4") -> np.ndarray:
    return np.column_stack([np.arange(n), 2 * np.arange(n)]).astype(dtype)


def writer(units: Sequence[str] = ("mV", "microvolts"), fmt: str = "float32") -> XdfWriter:
    """EMG at 1 kHz on one machine, markers on another whose clock is 1000 s ahead."""
    xdf = XdfWriter()
    xdf.stream(1, "amp", "EMG", 2, 1000.0, fmt, ("L-APB", "R-APB"), units)
    xdf.stream(2, "stim", "Markers", 1, 0.0, "string")
    return xdf


def read_all(path: Path, signal: SignalSection | None = None) -> list[Item]:
    items: list[Item] = []
    with open_recording(path, signal) as source:
        while not source.exhausted:
            items += source.read(1.0)
    return items


def test_labels_units_stamps_and_samples(tmp_path: Path) -> None:
    xdf = writer()
    stamps = 50.0 + np.arange(100) / 1000.0 + 1e-5 * np.sin(np.arange(100))
    xdf.samples(1, stamps[:60].tolist(), emg(100)[:60])
    xdf.samples(1, stamps[60:].tolist(), emg(100)[60:])
    path = xdf.save(tmp_path)
    recording = XdfRecording(path, SignalSection())
    assert recording.info.name == "amp"
    assert recording.info.source_id == "id-amp"
    assert recording.info.fs_hz == 1000.0
    assert recording.info.channel_names == ("L-APB", "R-APB")
    assert recording.markers_name == "stim"
    np.testing.assert_array_equal(
        recording.samples_uv(0, 100), (emg(100) * [1e3, 1.0]).astype(np.float32)
    )
    np.testing.assert_array_equal(recording.t_lsl(0, 100), stamps)


@pytest.mark.parametrize(
    ("fmt", "dtype"),
    [("int8", "i1"), ("int16", "<i2"), ("int32", "<i4"), ("int64", "<i8"), ("double64", "<f8")],
)
def test_number_formats(tmp_path: Path, fmt: str, dtype: str) -> None:
    xdf = writer(fmt=fmt)
    xdf.samples(1, (np.arange(20) / 1000.0).tolist(), emg(20, dtype))
    recording = XdfRecording(xdf.save(tmp_path), SignalSection())
    got = recording.samples_uv(0, 20)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, (emg(20) * [1e3, 1.0]).astype(np.float32))


def test_offsets_come_when_they_were_measured_and_markers_where_they_belong(
    tmp_path: Path,
) -> None:
    xdf = writer()
    stamps = 50.0 + np.arange(12000) / 1000.0
    xdf.samples(1, stamps.tolist(), emg(12000))
    xdf.samples(2, [1055.0, 1061.0], [["first"], ["second"]])
    for k in range(2):
        xdf.offset(1, 54.0 + 5 * k, 200.0)
        xdf.offset(2, 1054.0 + 5 * k, -800.0)
    items = read_all(xdf.save(tmp_path))

    assert [type(item) for item in items[:2]] == [ClockOffset, ClockOffset]
    assert {(i.stream, i.offset_s) for i in items[:2] if isinstance(i, ClockOffset)} == {
        ("signal", 200.0),
        ("markers", -800.0),
    }
    later = [i.t_lsl for i in items[2:] if isinstance(i, ClockOffset)]
    assert later == [259.0, 259.0]
    # The markers' raw stamps are on their own clock; they come after the sample of that moment.
    for text, sample in (("first", 5000), ("second", 11000)):
        at = items.index(next(i for i in items if isinstance(i, Marker) and i.value == text))
        chunk = items[at - 1]
        assert isinstance(chunk, Chunk)
        assert chunk.first_sample <= sample < chunk.first_sample + len(chunk.t_lsl)
    ticks = [i.t_lsl for i in items if isinstance(i, Tick)]
    assert ticks[0] == pytest.approx(250.05)
    assert len(ticks) == 239


def test_a_device_clock_that_begins_anew_keeps_the_order(tmp_path: Path) -> None:
    xdf = writer()
    # 2 s on the old clock, then 2 s on one that starts at 0: the recorder's clock goes on.
    old, new = 50.0 + np.arange(2000) / 1000.0, np.arange(2000) / 1000.0
    xdf.samples(1, [*old.tolist(), *new.tolist()], emg(4000))
    xdf.offset(1, 51.0, 0.0)
    xdf.offset(1, 1.0, 52.0)
    recording = XdfRecording(xdf.save(tmp_path), SignalSection())
    np.testing.assert_allclose(
        recording.arrival_s(list(range(4000))), 50.0 + np.arange(4000) / 1000.0
    )


def test_integer_markers_stay_integers(tmp_path: Path) -> None:
    xdf = XdfWriter()
    xdf.stream(1, "amp", "EMG", 2, 1000.0)
    xdf.stream(2, "stim", "Markers", 1, 0.0, "int32")
    xdf.samples(1, [0.0, 0.001], emg(2))
    xdf.samples(2, [0.0], np.array([[40000]], dtype="<i4"))
    assert XdfRecording(xdf.save(tmp_path), UV).markers == [Marker(0.0, 40000)]


def test_channels_without_unit_are_refused_by_name(tmp_path: Path) -> None:
    xdf = writer(units=("mV", ""))
    xdf.samples(1, [0.0, 0.001], emg(2))
    with pytest.raises(MonitorError, match=r"rec\.xdf: stream 'amp': no unit for R-APB; set"):
        XdfRecording(xdf.save(tmp_path), SignalSection())


def test_two_emg_streams_need_a_predicate(tmp_path: Path) -> None:
    xdf = writer()
    xdf.stream(3, "other", "EMG", 2, 2000.0)
    xdf.samples(1, [0.0, 0.001], emg(2))
    xdf.samples(3, [0.0, 0.001], emg(2))
    path = xdf.save(tmp_path)
    with pytest.raises(MonitorError, match=r"2 streams could be the EMG stream.*--signal"):
        XdfRecording(path, UV)
    chosen = XdfRecording(path, SignalSection(predicate="source_id='id-other'", unit="uV"))
    assert chosen.info.name == "other"
    with pytest.raises(MonitorError, match=r"no stream fits name='x'; there are name='amp'"):
        XdfRecording(path, SignalSection(predicate="name='x'"))


def test_no_marker_stream_is_a_warning(tmp_path: Path) -> None:
    xdf = XdfWriter()
    xdf.stream(1, "amp", "EMG", 2, 1000.0)
    xdf.samples(1, [0.0, 0.001], emg(2))
    xdf.footer(1)
    recording = XdfRecording(xdf.save(tmp_path), UV)
    assert recording.markers == []
    assert len(recording.warnings) == 1
    assert "no marker stream" in recording.warnings[0]


def test_no_samples_and_nan_throughout(tmp_path: Path) -> None:
    path = writer().save(tmp_path)
    with pytest.raises(MonitorError, match="stream 'amp': no samples"):
        XdfRecording(path, SignalSection())
    xdf = writer()
    xdf.samples(1, [0.0, 0.001], np.array([[1, np.nan], [2, np.nan]], dtype="<f4"))
    path = xdf.save(tmp_path)
    named = r'channel R-APB: NaN throughout; .*\[channels\."R-APB"\] ignore = true'
    with pytest.raises(MonitorError, match=named):
        XdfRecording(path, SignalSection())
    recording = XdfRecording(path, SignalSection(), frozenset({"R-APB"}))
    np.testing.assert_array_equal(recording.samples_uv(0, 2)[:, 0], [1e3, 2e3])


def test_a_file_cut_short_is_replayed_as_far_as_it_goes(tmp_path: Path) -> None:
    xdf = writer()
    for k in range(4):
        xdf.samples(1, (k * 0.1 + np.arange(100) / 1000.0).tolist(), emg(100))
    xdf.offset(1, 0.3, 0.0)
    path = tmp_path / "cut.xdf"
    for cut in range(1, 2200, 7):
        path.write_bytes(xdf.data[:-cut])
        recording = XdfRecording(path, SignalSection())
        end = len(xdf.data) - cut
        whole = sum(at <= end for at in xdf.sample_ends[1])
        assert recording.n_samples == whole
        expected_uv = np.concatenate([emg(100)] * 4)[:whole] * [1e3, 1.0]
        np.testing.assert_array_equal(recording.samples_uv(0, whole), expected_uv)
        assert [f"ends at byte {end}," in line for line in recording.warnings] == [True]


def test_a_file_cut_before_its_streams_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.xdf"
    for end in (0, 3, 4, 50, 200):
        path.write_bytes(writer().data[:end])
        with pytest.raises(MonitorError, match=r"cut\.xdf: no EMG stream; no streams at all"):
            XdfRecording(path, SignalSection())


def test_reading_in_small_steps_gives_what_reading_at_once_gives(tmp_path: Path) -> None:
    xdf = writer()
    stamps = 50.0 + np.arange(1000) / 1000.0
    for k in range(0, 1000, 125):
        xdf.samples(1, [stamps[k], *[None] * 124], emg(1000)[k : k + 125])
        xdf.offset(1, 50.0 + k / 1000.0, 0.01 * k)
    recording = XdfRecording(xdf.save(tmp_path), SignalSection())
    steps = [(k, min(k + 7, 1000)) for k in range(0, 1000, 7)]
    np.testing.assert_array_equal(
        np.concatenate([recording.samples_uv(a, b) for a, b in steps]),
        recording.samples_uv(0, 1000),
    )
    np.testing.assert_array_equal(
        np.concatenate([recording.t_lsl(a, b) for a, b in steps]), recording.t_lsl(0, 1000)
    )
    arrived = recording.arrival_s(range(1000))
    assert (np.diff(arrived) >= 0).all()
    np.testing.assert_array_equal(recording.arrival_s([999, 0, 500]), arrived[[999, 0, 500]])


@needs_data
@pytest.mark.parametrize(
    ("name", "samples", "markers", "first"),
    [
        ("handSix.xdf", 10430, 24, "0"),
        ("markersPlusEKG.xdf", 5620, 29, 2),
        ("test1.xdf", 23390, 48, "0s"),
    ],
)
def test_real_recordings(name: str, samples: int, markers: int, first: str | int) -> None:
    items = read_all(DATA / "magicblink-xdf" / name, UV)
    chunks = [i for i in items if isinstance(i, Chunk)]
    assert sum(len(c.t_lsl) for c in chunks) == samples
    values = [i.value for i in items if isinstance(i, Marker)]
    assert len(values) == markers
    assert values[0] == first
    assert {i.stream for i in items[:2] if isinstance(i, ClockOffset)} == {"signal", "markers"}


@needs_data
def test_clock_resets_of_the_conformance_file_keep_every_sample() -> None:
    items = read_all(DATA / "xdf-conformance" / "clock_resets.xdf", UV)
    chunks = [i for i in items if isinstance(i, Chunk)]
    assert sum(len(c.t_lsl) for c in chunks) == 27815
    ticks = [i.t_lsl for i in items if isinstance(i, Tick)]
    assert ticks == sorted(ticks)


@needs_data
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("magicblink-xdf/handFive.xdf", "no EMG stream; there are name='MyMarkerStream'"),
        ("magicblink-xdf/justMarkers.xdf", "no EMG stream"),
        ("magicblink-xdf/handSix.xdf", "no unit for ch1"),
        ("xdf-conformance/empty_streams.xdf", "2 streams could be the EMG stream"),
        ("xdf-conformance/chunk_length_lie.xdf", "not a readable XDF file"),
        ("xdf-conformance/out_of_order_clock_offsets.xdf", "no EMG stream"),
        ("xdf-conformance/out_of_order_sample_chunk.xdf", "no EMG stream"),
    ],
)
def test_unusable_files_are_one_clear_line(name: str, message: str) -> None:
    with pytest.raises(MonitorError, match=message) as error:
        open_recording(DATA / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_trigger_column_needs_no_unit_and_no_marker_stream(tmp_path: Path) -> None:
    xdf = XdfWriter()
    xdf.stream(1, "amp", "EMG", 2, 2000.0, "float32", ("APB", "TTL"), ("mV", ""))
    xdf.stream(2, "stim-a", "Markers", 1, 0.0, "string")
    xdf.stream(3, "stim-b", "Markers", 1, 0.0, "string")
    xdf.samples(1, np.arange(4) / 2000.0, [[1, 0], [2, 5], [3, 5], [4, 0]])
    path = xdf.save(tmp_path)
    recording = XdfRecording(path, SignalSection(), trigger_channel="TTL")
    np.testing.assert_array_equal(
        recording.samples_uv(0, 4), [[1000, 0], [2000, 5], [3000, 5], [4000, 0]]
    )
    assert recording.markers == []
    assert not [w for w in recording.warnings if "marker" in w]
    with pytest.raises(MonitorError, match="no unit for TTL"):
        XdfRecording(path, SignalSection())
