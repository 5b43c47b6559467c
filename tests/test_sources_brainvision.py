from pathlib import Path

import numpy as np
import pytest

from monitor.sources.base import open_recording
from monitor.sources.brainvision import BrainVisionRecording
from monitor.types import Chunk, Marker, MonitorError

REAL = Path(__file__).parents[2] / "shared" / "data" / "tms-brainvision" / "tms-hand.vhdr"

MARKS = ("New Segment,,1,1,0,20240102030405000000", "Stimulus,S  1,11,1,0")


def write(
    folder: Path,
    raw: np.ndarray,
    *,
    channels: tuple[str, ...] = ("L-APB,,0.5,µV", "R-APB,,2,mV"),
    marks: tuple[str, ...] = MARKS,
    codepage: str = "UTF-8",
    **changes: str,
) -> Path:
    """A BrainVision recording of ``raw`` (n, channels); ``changes`` replace header entries."""
    names = {"<i2": "INT_16", "<i4": "INT_32", "<f4": "IEEE_FLOAT_32"}
    common = {
        "Codepage": codepage,
        "DataFile": "rec.eeg",
        "MarkerFile": "rec.vmrk",
        "DataFormat": "BINARY",
        "DataOrientation": "MULTIPLEXED",
        "NumberOfChannels": str(raw.shape[1]),
        "SamplingInterval": "500",
        "BinaryFormat": names[raw.dtype.newbyteorder("<").str],
        **changes,
    }
    binary = common.pop("BinaryFormat")
    lines = ["BrainVision Data Exchange Header File Version 1.0", "; comment", "[Common Infos]"]
    lines += [f"{key}={value}" for key, value in common.items() if value]
    lines += ["", "[Binary Infos]", f"BinaryFormat={binary}", "", "[Channel Infos]"]
    lines += [f"Ch{i}={text}" for i, text in enumerate(channels, 1)]
    lines += ["", "[Comment]", "Free = text, [with] anything"]
    encoding = "utf-8" if codepage == "UTF-8" else "cp1252"
    path = folder / "rec.vhdr"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    vectorized = common["DataOrientation"] == "VECTORIZED"
    (folder / "rec.eeg").write_bytes((raw.T if vectorized else raw).tobytes())
    text = ["BrainVision Data Exchange Marker File Version 1.0", "[Common Infos]"]
    text += [f"Codepage={codepage}", "[Marker Infos]"]
    text += [f"Mk{i}={mark}" for i, mark in enumerate(marks, 1)]
    (folder / "rec.vmrk").write_bytes("\r\n".join(text).encode(encoding))
    return path


def ramp(n: int, dtype: str = "<i2") -> np.ndarray:
    return np.column_stack([np.arange(n), -np.arange(n)]).astype(dtype)


@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
@pytest.mark.parametrize("dtype", ["<i2", "<i4", "<f4"])
def test_formats_and_orientations(tmp_path: Path, dtype: str, orientation: str) -> None:
    raw = ramp(50, dtype)
    recording = BrainVisionRecording(write(tmp_path, raw, DataOrientation=orientation))
    assert recording.info.fs_hz == 2000.0
    assert recording.info.channel_names == ("L-APB", "R-APB")
    assert recording.warnings == []
    expected = (raw * np.array([0.5, 2000.0])).astype(np.float32)
    got = recording.samples_uv(3, 47)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected[3:47])
    np.testing.assert_array_equal(recording.t_lsl(3, 47), np.arange(3, 47) / 2000.0)


def test_markers_keep_their_text_and_their_sample(tmp_path: Path) -> None:
    marks = (*MARKS, "Comment,incision\\1 deep,21,1,0", "Response,R  2,1,1,0", "Stimulus,,3,1,0")
    recording = BrainVisionRecording(write(tmp_path, ramp(50), marks=marks))
    assert recording.markers == [
        Marker(0.0, "R  2"),
        Marker(0.001, "Stimulus"),
        Marker(0.005, "S  1"),
        Marker(0.01, "incision, deep"),
    ]


def test_other_marker_types_are_left_out_and_said_so(tmp_path: Path) -> None:
    marks = (*MARKS, "Bad Interval,Bad,5,3,0", "Bad Interval,Bad,15,3,0")
    recording = BrainVisionRecording(write(tmp_path, ramp(50), marks=marks))
    assert len(recording.markers) == 1
    assert recording.warnings == [
        f"{tmp_path / 'rec.vhdr'}: 2 markers of type 'Bad Interval' left out"
    ]


def test_names_and_units_by_code_page(tmp_path: Path) -> None:
    path = write(tmp_path, ramp(5), channels=("Füß\\1 li,,1,µV", "B,,,"), codepage="Windows-1252")
    recording = BrainVisionRecording(path)
    assert recording.info.channel_names == ("Füß, li", "B")
    np.testing.assert_array_equal(recording.samples_uv(0, 5), ramp(5).astype(np.float32))


def test_a_channel_that_is_no_voltage_is_left_out(tmp_path: Path) -> None:
    recording = BrainVisionRecording(write(tmp_path, ramp(5), channels=("T,,1,C", "A,,1,uV")))
    assert recording.info.channel_names == ("A",)
    np.testing.assert_array_equal(recording.samples_uv(0, 5)[:, 0], -np.arange(5))
    assert "channel T left out: 'C' is no voltage" in recording.warnings[0]


def test_a_pause_between_segments_moves_counter_and_stamps(tmp_path: Path) -> None:
    # Sample 21 was recorded 1.01 s after sample 1: one second was not recorded.
    marks = (MARKS[0], "New Segment,,21,1,0,20240102030406010000", "Stimulus,S1,21,1,0")
    path = write(tmp_path, ramp(50), marks=marks)
    recording = BrainVisionRecording(path)
    assert list(recording.segments) == [(0, 0), (20, 2020)]
    assert recording.markers == [Marker(1.01, "S1")]
    with open_recording(path, chunk_samples=15) as source:
        items = []
        while not source.exhausted:
            items += source.read(1.0)
    spans = [(c.first_sample, len(c.t_lsl)) for c in items if isinstance(c, Chunk)]
    assert spans == [(0, 15), (15, 5), (2020, 10), (2030, 15), (2045, 5)]


def test_a_segment_that_follows_at_once_is_no_jump(tmp_path: Path) -> None:
    marks = (MARKS[0], "New Segment,,21,1,0,20240102030405010400")
    recording = BrainVisionRecording(write(tmp_path, ramp(50), marks=marks))
    assert list(recording.segments) == [(0, 0)]
    assert recording.warnings == []


def test_a_segment_without_a_date_is_taken_as_contiguous_and_said_so(tmp_path: Path) -> None:
    marks = (MARKS[0], "New Segment,,21,1,0")
    recording = BrainVisionRecording(write(tmp_path, ramp(50), marks=marks))
    assert list(recording.segments) == [(0, 0)]
    assert "a new segment at sample 21 has no date" in recording.warnings[0]


def test_a_file_cut_inside_a_sample_gives_whole_samples_and_one_warning(tmp_path: Path) -> None:
    path = write(tmp_path, ramp(50))
    (tmp_path / "rec.eeg").write_bytes((tmp_path / "rec.eeg").read_bytes()[:-3])
    recording = BrainVisionRecording(path)
    assert recording.n_samples == 49
    assert recording.warnings == [f"{tmp_path / 'rec.eeg'}: cut short: 49 whole samples are read"]


def test_fewer_samples_than_promised_is_said(tmp_path: Path) -> None:
    recording = BrainVisionRecording(write(tmp_path, ramp(50), DataPoints="80"))
    assert recording.n_samples == 50
    assert "cut short: 50 of 80 whole samples are read" in recording.warnings[0]


def test_vectorized_data_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ramp(50), DataPoints="80", DataOrientation="VECTORIZED")
    with pytest.raises(MonitorError, match="vectorized data can't be read in part"):
        BrainVisionRecording(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SamplingInterval": ""}, r"rec\.vhdr: SamplingInterval: missing"),
        ({"SamplingInterval": "fast"}, "SamplingInterval: 'fast' is not a positive number"),
        ({"DataFormat": "ASCII"}, r"DataFormat: ASCII \(can read: BINARY\)"),
        ({"BinaryFormat": "UINT_16"}, "BinaryFormat: UINT_16"),
        ({"DataOrientation": ""}, "DataOrientation: missing"),
        ({"DataFile": "gone.eeg"}, r"rec\.vhdr: DataFile: no such file: .*gone\.eeg"),
        ({"MarkerFile": "gone.vmrk"}, r"MarkerFile: no such file: .*gone\.vmrk"),
        ({"NumberOfChannels": "3"}, "lists 2 channels, NumberOfChannels is 3"),
        ({"NumberOfChannels": "x"}, "NumberOfChannels: 'x' is not a whole number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(MonitorError, match=message) as error:
        BrainVisionRecording(write(tmp_path, ramp(50), **changes))
    assert "\n" not in str(error.value)


def test_a_bad_resolution_names_the_channel(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"Ch2 \(B\): resolution 'x' is not a number"):
        BrainVisionRecording(write(tmp_path, ramp(5), channels=("A,,1,uV", "B,,x,uV")))


def test_a_bad_marker_position_names_the_marker(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"rec\.vmrk: Mk1: position '0'"):
        BrainVisionRecording(write(tmp_path, ramp(5), marks=("Stimulus,S1,0,1,0",)))


def test_a_channel_of_nan_is_refused(tmp_path: Path) -> None:
    raw = ramp(50, "<f4")
    raw[:, 1] = np.nan
    path = write(tmp_path, raw)
    named = r'channel R-APB: NaN throughout; .*\[channels\."R-APB"\] ignore = true'
    with pytest.raises(MonitorError, match=named):
        BrainVisionRecording(path)
    with pytest.raises(MonitorError, match="channel R-APB: NaN throughout"):
        open_recording(path, ignored=frozenset({"L-APB"}))
    recording = BrainVisionRecording(path, frozenset({"R-APB"}))
    assert recording.info.channel_names == ("L-APB", "R-APB")
    np.testing.assert_array_equal(recording.samples_uv(0, 50)[:, 0], np.arange(50) * 0.5)


def test_an_ignored_channel_in_another_unit_keeps_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, ramp(5), channels=("T,,1,C", "A,,1,uV"))
    with open_recording(path, ignored=frozenset({"T"})) as source:
        assert source.info.channel_names == ("T", "A")
        assert source.warnings == []


def test_some_nan_is_passed_on(tmp_path: Path) -> None:
    raw = ramp(50, "<f4")
    raw[:49] = np.nan
    recording = BrainVisionRecording(write(tmp_path, raw))
    assert np.isnan(recording.samples_uv(0, 49)).all()


def test_no_samples_and_no_header(tmp_path: Path) -> None:
    path = write(tmp_path, ramp(0))
    with pytest.raises(MonitorError, match="no samples"):
        BrainVisionRecording(path)
    path.write_text("something else")
    with pytest.raises(MonitorError, match="not a BrainVision header file"):
        BrainVisionRecording(path)


def test_without_a_marker_file_there_are_no_markers(tmp_path: Path) -> None:
    recording = BrainVisionRecording(write(tmp_path, ramp(5), MarkerFile=""))
    assert recording.markers == []
    assert "MarkerFile: none" in recording.warnings[0]


@pytest.mark.skipif(not REAL.is_file(), reason="real recordings (../shared/data) not here")
def test_the_real_recording_sample_by_sample() -> None:
    raw = np.fromfile(REAL.with_suffix(".eeg"), "<i2").reshape(-1, 4)
    expected = (raw * [0.5, 0.5, 0.1, 0.1]).astype(np.float32)
    with open_recording(REAL) as source:
        info = source.info
        items = []
        while not source.exhausted:
            items += source.read(1.0)
    assert info.fs_hz == 5000.0
    assert info.channel_names == ("LECR", "LFDI", "RECR", "RFDI")
    chunks = [item for item in items if isinstance(item, Chunk)]
    np.testing.assert_array_equal(np.concatenate([c.samples_uv for c in chunks]), expected)
    np.testing.assert_allclose(
        np.concatenate([c.t_lsl for c in chunks]), np.arange(len(raw)) / 5000.0, rtol=0, atol=1e-12
    )
    stimuli = [m.t_lsl for m in items if isinstance(m, Marker) and m.value == "S255"]
    assert len(stimuli) == 20
    assert stimuli[0] == pytest.approx((43147 - 1) / 5000.0)
