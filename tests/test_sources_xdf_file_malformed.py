"""What becomes of XDF files that are malformed; those cut short are in test_sources_xdf_file."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.xdf_file import XdfError, XdfFile
from monitor.types import MonitorError
from tests.xdf_writer import XdfWriter, several_streams

ID_1, ID_9 = struct.pack("<I", 1), struct.pack("<I", 9)


def damaged(after: Callable[[XdfWriter], object], *, boundary: bool = True) -> XdfWriter:
    """Good samples, ``after``, a boundary, an unstamped sample, stamped ones."""
    xdf = XdfWriter()
    xdf.stream(1)
    xdf.stream(2, "other")
    xdf.samples(1, [1.0, 1.001], [[1], [2]])
    after(xdf)
    if boundary:
        xdf.boundary()
    xdf.samples(1, [None, 9.0], [[3], [4]])
    xdf.samples(2, [9.0], [[5]])
    for number in (1, 2):
        xdf.footer(number)
    return xdf


def junk(xdf: XdfWriter, data: bytes) -> None:
    xdf.data += data


def header_of(number: int, **changed: object) -> Callable[[XdfWriter], None]:
    return lambda xdf: xdf.stream(number, **changed)  # type: ignore[arg-type]


UNFILLED = "samples don't fill it exactly"
#: How the fault is written and what the warning says of it.
OF_STREAM_1: dict[str, tuple[Callable[[XdfWriter], object], str]] = {
    "length too long": (lambda x: x.samples(1, [2.0], [[0]], lie=5), UNFILLED),
    "length too short": (lambda x: x.samples(1, [2.0], [[0]], lie=-3), UNFILLED),
    "length beyond": (
        lambda x: x.samples(1, [2.0], [[0]], lie=10**5),
        "beyond the end of the file",
    ),
    "too many samples": (lambda x: x.samples(1, [2.0, 3.0], [[0], [0]], count=1), UNFILLED),
    "too few samples": (lambda x: x.samples(1, [2.0], [[0]], count=2**63), UNFILLED),
    "no number of samples": (lambda x: x.add(3, ID_1), UNFILLED),
    "stamp of 5 bytes": (lambda x: x.add(3, ID_1 + b"\x01\x01\x05" + bytes(9)), "neither 0 nor 8"),
    "short offset": (
        lambda x: x.add(4, ID_1 + bytes(8)),
        "clock offset chunk of 14 bytes where 22",
    ),
    "no stream's number": (lambda x: x.add(6, b"\x01"), "too short for its stream's number"),
    "no length": (lambda x: junk(x, b"\x03junk"), "isn't written in 1, 4 or 8 bytes"),
    "length of 0": (lambda x: junk(x, b"\x01\x00"), "too short for its tag"),
    "second header": (header_of(1), "a second header for stream 1"),
}
OF_OTHERS: dict[str, tuple[Callable[[XdfWriter], object], str]] = {
    "false boundary": (lambda x: x.add(5, bytes(16)), "a boundary chunk with something else in it"),
    "samples of no stream": (lambda x: x.add(3, ID_9 + b"\x01\x00"), "a stream without a header"),
    "header of no XML": (lambda x: x.add(2, ID_9 + b"<info>"), "the header of stream 9 is not XML"),
    "unknown format": (header_of(3, fmt="float16"), "stream 3 has channel_format 'float16'"),
    "no rate": (header_of(3, fs_hz="fast"), "nominal_srate 'fast'"),
    "endless rate": (header_of(3, fs_hz="inf"), "nominal_srate 'inf'"),
    "fewer than no channels": (header_of(3, channels=-1), "channel_count '-1'"),
    "channels beyond memory": (header_of(3, channels=10**15), "channel_count '10000"),
    "half a channel": (header_of(3, channels=1.5), "channel_count '1.5'"),
}


@pytest.mark.parametrize("fault", [*OF_STREAM_1, *OF_OTHERS])
def test_a_malformed_chunk_costs_itself_and_no_more(tmp_path: Path, fault: str) -> None:
    write, message = {**OF_STREAM_1, **OF_OTHERS}[fault]
    xdf = damaged(write)
    path = xdf.save(tmp_path)
    sound = damaged(lambda _: None)
    at = next(k for k, (a, b) in enumerate(zip(xdf.data, sound.data, strict=False)) if a != b)
    begin = max(start for start in sound.chunk_starts if start <= at)
    with XdfFile(path) as file:
        assert [s.id for s in file.streams] == [1, 2]
        samples = file.read(1)
        assert samples.values[:, 0].tolist() == [1, 2, 3, 4]
        deduced_s = np.nan if fault in OF_STREAM_1 else 1.002
        np.testing.assert_allclose(samples.stamps_s, [1.0, 1.001, deduced_s, 9.0], rtol=1e-12)
        assert file.read(2).values.tolist() == [[5.0]]
        assert len(file.warnings) == 1
        assert f"{path}: byte {begin}: " in file.warnings[0]
        assert message in file.warnings[0]


def test_faults_of_one_kind_are_one_warning(tmp_path: Path) -> None:
    xdf = damaged(lambda x: [x.add(3, ID_9 + b"\x01\x00") for _ in range(50)])
    with XdfFile(xdf.save(tmp_path)) as file:
        assert len(file.warnings) == 1
        assert file.warnings[0].endswith("(49 more like it)")


def test_without_a_boundary_the_rest_is_lost_and_says_so(tmp_path: Path) -> None:
    xdf = damaged(lambda x: junk(x, b"\x03junk"), boundary=False)
    with XdfFile(xdf.save(tmp_path)) as file:
        assert file.read(1).values.tolist() == [[1], [2]]
        assert len(file.warnings) == 1
        assert f"to the end of the file at byte {len(xdf.data)}, is lost" in file.warnings[0]


def test_no_sample_comes_from_a_cut_chunk_whose_figures_disagree(tmp_path: Path) -> None:
    """All its samples are there, and yet it claims to go on: one of the two isn't so."""
    xdf = XdfWriter()
    xdf.stream(1)
    xdf.samples(1, [1.0], [[1]])
    xdf.samples(1, [2.0], [[2]], lie=50)
    with XdfFile(xdf.save(tmp_path)) as file:
        assert file.read(1).values.tolist() == [[1]]
        assert len(file.warnings) == 1
        assert "don't fill it exactly" in file.warnings[0]


def test_the_same_fault_twice_keeps_both_places(tmp_path: Path) -> None:
    xdf = damaged(lambda x: junk(x, b"\x03junk"))
    cut = len(xdf.data)
    junk(xdf, b"\x03junk at the very end, with no boundary")
    with XdfFile(xdf.save(tmp_path)) as file:
        assert len(file.warnings) == 2
        assert f"byte {cut}: " in file.warnings[1]


@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 10**6),
)
def test_any_damage_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(several_streams().data)
    for at, value in changes:
        data[4 + at % (len(data) - 4)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.xdf"
    path.write_bytes(data[: 4 + cut % len(data)])
    try:
        file = XdfFile(path)
    except XdfError as error:
        refusal = str(error)
    else:
        refusal = ""
        with file:
            for stream in file.streams:
                samples = file.read(stream.id)
                assert len(samples.stamps_s) == file.n_samples(stream.id)
                assert samples.values.shape == (len(samples.stamps_s), stream.channels)
            assert all(line.startswith(f"{path}: ") for line in file.warnings)
            assert all("\n" not in line for line in file.warnings)
    assert not refusal or refusal.startswith(f"{path}: not a readable XDF file: byte ")


@pytest.mark.parametrize(
    ("name", "values", "warnings"),
    [
        # The boundary chunk lies about its length, and so does every chunk after it.
        (
            "out_of_order_clock_offsets.xdf",
            {0: 0, 36712496: 0},
            ["byte 605: a boundary chunk of 48 bytes", "byte 625: ", "byte 1238: .* is lost"],
        ),
        # Text samples with a byte where their stamp's flag should be; the numbers are sound.
        (
            "out_of_order_sample_chunk.xdf",
            {0: 9, 36712496: 0},
            [
                "byte 653: ",
                r"byte 1061: .*\(1 more like it\)",
                "ends at byte 1286, without a footer",
            ],
        ),
    ],
)
def test_malformed_conformance_files(
    shared_data: Path, name: str, values: dict[int, int], warnings: list[str]
) -> None:
    with XdfFile(shared_data / "xdf-conformance" / name) as file:
        assert {s.id: file.n_samples(s.id) for s in file.streams} == values
        assert len(file.warnings) == len(warnings)
        for line, pattern in zip(file.warnings, warnings, strict=True):
            assert re.search(pattern, line)


def test_a_file_of_which_nothing_can_be_read_is_refused(shared_data: Path) -> None:
    path = shared_data / "xdf-conformance" / "chunk_length_lie.xdf"
    with pytest.raises(
        XdfError, match=r"chunk_length_lie\.xdf: .*byte 64: a stream header"
    ) as error:
        XdfFile(path)
    assert (error.value.path, error.value.offset) == (path, 64)


def test_what_is_no_xdf_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rec.xdf"
    for data in (b"RIFF....", b"XDX", b"x"):
        path.write_bytes(data)
        with pytest.raises(XdfError, match="doesn't begin with XDF:"):
            XdfFile(path)
    with pytest.raises(MonitorError, match=r"none\.xdf: can't be read: No such file"):
        XdfFile(tmp_path / "none.xdf")
