import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources import xdf_samples
from monitor.sources.xdf_file import XdfFile
from monitor.sources.xdf_samples import Samples
from tests.xdf_writer import FORMATS, XdfWriter, chunk, several_streams

REAL = (
    "magicblink-xdf/handFive.xdf",
    "magicblink-xdf/handSix.xdf",
    "magicblink-xdf/justMarkers.xdf",
    "magicblink-xdf/markersPlusEKG.xdf",
    "magicblink-xdf/test1.xdf",
    "magicblink-xdf/three_motion_one.xdf",
    "xdf-conformance/clock_resets.xdf",
    "xdf-conformance/empty_streams.xdf",
    "xdf-conformance/minimal.xdf",
)


def assert_as_pyxdf(path: Path) -> None:
    """Every stream, sample, stamp and clock offset is bit for bit what pyxdf gives."""
    with np.errstate(all="ignore"):  # pyxdf divides by the duration, which may be 0
        expected, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    with XdfFile(path) as file:
        assert [s.id for s in file.streams] == [e["info"]["stream_id"] for e in expected]
        for stream, entry in zip(file.streams, expected, strict=True):
            info = entry["info"]
            assert stream.name == info["name"][0]
            assert stream.channels == int(info["channel_count"][0])
            stamps_s, values = file.read(stream.id)
            assert stamps_s.tobytes() == entry["time_stamps"].tobytes()
            if stream.format == "string":
                assert values.tolist() == entry["time_series"]
            else:
                assert values.tobytes() == entry["time_series"].tobytes()
                assert values.dtype == FORMATS[stream.format]
            assert values.shape == (len(stamps_s), stream.channels)
            clock = [times.tolist() for times in file.clock_offsets(stream.id)]
            assert clock == [entry["clock_times"], entry["clock_values"]]


# --------------------------------------------------------------------------- sound files


@pytest.mark.parametrize("length_bytes", [None, 4, 8])
def test_every_kind_of_chunk(tmp_path: Path, length_bytes: int | None) -> None:
    path = several_streams(length_bytes).save(tmp_path)
    assert_as_pyxdf(path)
    with XdfFile(path) as file:
        assert file.warnings == []
        assert file.n_samples(1) == 12
        stamps_s, values = file.read(1, 3, 6)
        np.testing.assert_allclose(stamps_s, [50.003, 50.004, 50.005], rtol=1e-15)
        np.testing.assert_array_equal(values, [[6, 7], [100, 101], [102, 103]])
        # The first sample of a stream without a stamp counts from 0, later ones from the last.
        np.testing.assert_allclose(
            file.read(2).stamps_s[:5], [0.01, 50.0, 50.01, 50.02, 50.03], rtol=1e-12
        )
        assert file.read(7).values[4, 0] == "S2"
        assert "<sample_count>12</sample_count>" in (file.footer(1) or "")
        times_s, offsets_s = file.clock_offsets(1)
        np.testing.assert_array_equal(times_s, [50.0, 55.0, 60.0])
        np.testing.assert_array_equal(offsets_s, [0.0, -0.25, -0.5])
        header = file.streams[0]
        assert (header.type, header.source_id, header.fs_hz) == ("EMG", "id-amp", 1000.0)
        assert (header.labels, header.units) == (("L", "R"), ("mV", "uV"))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("stamped", ["all", "some"])
def test_every_number_format_to_its_limits(tmp_path: Path, fmt: str, stamped: str) -> None:
    dtype = np.dtype(FORMATS[fmt])
    limits = np.iinfo(dtype) if dtype.kind == "i" else np.finfo(dtype)
    rows = np.array([[limits.min, limits.max, 0], [1, 2, 3], [-1, -2, -3]], dtype=dtype)
    xdf = XdfWriter()
    xdf.stream(1, channels=3, fmt=fmt)
    xdf.samples(1, [10.0, 10.1 if stamped == "all" else None, 10.2], rows)
    xdf.footer(1)
    path = xdf.save(tmp_path)
    assert_as_pyxdf(path)
    with XdfFile(path) as file:
        assert file.read(1).values.tobytes() == rows.tobytes()


def test_long_empty_and_undecodable_text(tmp_path: Path) -> None:
    xdf = XdfWriter()
    xdf.stream(1, channels=2, fs_hz=0.0, fmt="string")
    xdf.samples(1, [1.0, None], [["", "x" * 70_000], ["Ω", "\x00"]])
    xdf.footer(1)
    path = xdf.save(tmp_path)
    assert_as_pyxdf(path)
    path.write_bytes(xdf.data.replace("Ω".encode(), b"\xff\xfe"))
    with XdfFile(path) as file:
        assert file.read(1).values[1].tolist() == ["\ufffd\ufffd", "\x00"]
        # An irregular stream's deduced stamp is that of the sample before.
        assert file.read(1).stamps_s.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", REAL)
def test_real_files_read_as_pyxdf_reads_them(shared_data: Path, name: str) -> None:
    assert_as_pyxdf(shared_data / name)
    with XdfFile(shared_data / name) as file:
        assert file.warnings == []


def test_any_part_is_that_part_of_the_whole(tmp_path: Path) -> None:
    with XdfFile(several_streams().save(tmp_path)) as file:
        for stream in file.streams:
            stamps_s, values = file.read(stream.id)
            n = len(stamps_s)
            for start in range(n + 1):
                for stop in range(n + 2):
                    part = file.read(stream.id, start, stop)
                    assert part.stamps_s.tobytes() == stamps_s[start:stop].tobytes()
                    assert part.values.tolist() == values[start:stop].tolist()
                    alone = file.read_stamps_s(stream.id, start, stop)
                    assert alone.tobytes() == part.stamps_s.tobytes()
            blocks = list(file.blocks(stream.id))
            assert np.concatenate([b.stamps_s for b in blocks]).tobytes() == stamps_s.tobytes()
            assert np.concatenate([b.values for b in blocks]).tolist() == values.tolist()
    assert len(values) == n  # what was read outlives the file


def test_a_large_chunk_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xdf_samples, "BLOCK_BYTES", 200)
    xdf = XdfWriter()
    xdf.stream(1, channels=2)
    xdf.stream(2, channels=1, fmt="string")
    stamps = [float(k) if k % 50 < 30 else None for k in range(200)]
    xdf.samples(1, stamps, np.arange(400).reshape(200, 2))
    xdf.samples(2, stamps, [[str(k)] for k in range(200)])
    xdf.footer(1)
    xdf.footer(2)
    path = xdf.save(tmp_path)
    assert_as_pyxdf(path)
    with XdfFile(path) as file:
        assert max(len(block.stamps_s) for block in file.blocks(1)) <= 200 // 17


# --------------------------------------------------------------------------- files cut short


def everything(xdf: XdfWriter, path: Path) -> dict[int, Samples]:
    path.write_bytes(xdf.data)
    with XdfFile(path) as file:
        assert file.warnings == []
        return {s.id: file.read(s.id) for s in file.streams}


def assert_whole_samples_of(
    xdf: XdfWriter, complete: dict[int, Samples], path: Path, end: int
) -> None:
    """The file cut at ``end`` gives what is whole, nothing else, and says where it ends."""
    path.write_bytes(xdf.data[:end])
    with XdfFile(path) as file:
        there = {s.id for s in file.streams}
        for number, ends in xdf.sample_ends.items():
            whole = sum(at <= end for at in ends)
            if number not in there:
                assert whole == 0
                continue
            stamps_s, values = file.read(number)
            assert len(stamps_s) == whole
            assert stamps_s.tobytes() == complete[number].stamps_s[:whole].tobytes()
            assert values.tolist() == complete[number].values[:whole].tolist()
        assert len(file.warnings) == 1
        assert f"{path}: the file ends at byte {end}, " in file.warnings[0]


@pytest.mark.parametrize("length_bytes", [None, 8])
def test_cut_at_every_byte(tmp_path: Path, length_bytes: int | None) -> None:
    xdf = several_streams(length_bytes)
    path = tmp_path / "cut.xdf"
    complete = everything(xdf, path)
    for end in range(len(xdf.data)):
        assert_whole_samples_of(xdf, complete, path, end)


def test_a_real_file_cut_anywhere_is_a_part_of_itself(shared_data: Path, tmp_path: Path) -> None:
    data = (shared_data / "xdf-conformance" / "clock_resets.xdf").read_bytes()
    path = tmp_path / "cut.xdf"
    path.write_bytes(data)
    with XdfFile(path) as file:
        complete = {s.id: file.read(s.id) for s in file.streams}
    before = 0
    for end in range(10_000, len(data), 30_011):
        path.write_bytes(data[:end])
        with XdfFile(path) as file:
            for number in complete:
                n = file.n_samples(number)
                part = file.read(number)
                assert part.stamps_s.tobytes() == complete[number].stamps_s[:n].tobytes()
                assert part.values.tolist() == complete[number].values[:n].tolist()
            assert file.n_samples(2) > before
            before = file.n_samples(2)
            assert [f"the file ends at byte {end}, " in line for line in file.warnings] == [True]


@st.composite
def recordings(draw: st.DrawFn) -> XdfWriter:
    """Any streams, chunked and stamped in any way, with clock offsets and boundaries between."""
    xdf = XdfWriter(draw(st.sampled_from([None, 4, 8])))
    formats = draw(st.lists(st.sampled_from([*FORMATS, "string"]), min_size=1, max_size=3))
    channels = draw(st.lists(st.integers(1, 4), min_size=3, max_size=3))
    for number, fmt in enumerate(formats):
        rate = draw(st.sampled_from([0.0, 1000.0, 4800.0]))
        xdf.stream(number, f"s{number}", channels=channels[number], fs_hz=rate, fmt=fmt)
    stamp = st.none() | st.floats(-1e6, 1e6)
    for _ in range(draw(st.integers(0, 8))):
        number = draw(st.integers(0, len(formats) - 1))
        stamps = draw(st.lists(stamp, max_size=6))
        value = st.text(max_size=3) if formats[number] == "string" else st.integers(-128, 127)
        size = channels[number]
        rows = [draw(st.lists(value, min_size=size, max_size=size)) for _ in stamps]
        xdf.samples(number, stamps, rows)
        if draw(st.booleans()):
            xdf.offset(number, 1.0, 2.0)
        if draw(st.booleans()):
            xdf.boundary()
    for number in range(len(formats)):
        xdf.footer(number)
    return xdf


@given(xdf=recordings(), data=st.data())
def test_any_recording_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, xdf: XdfWriter, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.xdf"
    complete = everything(xdf, path)
    assert_as_pyxdf(path)
    end = data.draw(st.integers(0, len(xdf.data) - 1))
    assert_whole_samples_of(xdf, complete, path, end)


# --------------------------------------------------------------------------- memory

_PEAK_OF_READING = """
import resource, sys
from pathlib import Path
from monitor.sources.xdf_file import XdfFile

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

with XdfFile(Path(sys.argv[1])) as small:
    for number in (1, 2):
        for block in small.blocks(number):
            pass
before_mb = peak_mb()
n = 0
with XdfFile(Path(sys.argv[2])) as file:
    for number in (1, 2):
        for block in file.blocks(number):
            n += len(block.stamps_s)
print(n, peak_mb() - before_mb)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Neither with many chunks nor with one enormous one, though the file is mapped."""
    paths = []
    for name, n in (("small.xdf", 100), ("large.xdf", 1_600_000)):
        xdf = XdfWriter()
        xdf.stream(1, channels=16)
        xdf.stream(2, channels=16)
        record = np.zeros(n, np.dtype([("flag", "u1"), ("stamp", "<f8"), ("v", "<f4", (16,))]))
        record["flag"] = 8
        records = record.tobytes()
        path = tmp_path / name
        with path.open("wb") as out:
            out.write(xdf.data)
            out.write(chunk(3, b"\x01\x00\x00\x00\x04" + n.to_bytes(4, "little") + records))
            step = n // 100 * record.itemsize
            for k in range(100):
                content = b"\x02\x00\x00\x00\x04" + (n // 100).to_bytes(4, "little")
                out.write(chunk(3, content + records[k * step : (k + 1) * step]))
        paths.append(str(path))
    assert Path(paths[1]).stat().st_size > 200e6
    child = subprocess.run(
        [sys.executable, "-c", _PEAK_OF_READING, *paths], capture_output=True, text=True, check=True
    )
    n_read, grown_mb = child.stdout.split()
    assert int(n_read) == 3_200_000
    assert float(grown_mb) < 100
    Path(paths[1]).unlink()
