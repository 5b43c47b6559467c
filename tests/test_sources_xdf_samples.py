import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.xdf_format import Malformed, StreamHeader
from monitor.sources.xdf_samples import SampleLayout, Samples


def layout(fmt: str = "int16", channels: int = 2, fs_hz: float = 1000.0) -> SampleLayout:
    return SampleLayout(StreamHeader(1, "amp", "EMG", "", "", channels, fs_hz, fmt, (), ()))


def written(stamps: list[float | None], rows: np.ndarray) -> bytes:
    samples = [
        (b"\x00" if stamp is None else b"\x08" + struct.pack("<d", stamp)) + row.tobytes()
        for stamp, row in zip(stamps, rows, strict=True)
    ]
    return b"".join(samples)


def by_the_book(data: bytes, n: int, before_s: float, interval_s: float) -> Samples:
    """One sample of two int16 after another, as the specification tells it."""
    at, stamps, rows = 0, [], []
    while len(rows) < n and at < len(data):
        size = 1 + data[at] + 4
        if at + size > len(data):
            break
        if data[at]:
            (before_s,) = struct.unpack_from("<d", data, at + 1)
        else:
            before_s += interval_s
        stamps.append(before_s)
        rows.append(struct.unpack_from("<hh", data, at + size - 4))
        at += size
    return Samples(np.array(stamps), np.array(rows, dtype="<i2").reshape(-1, 2))


@given(
    stamps=st.lists(st.none() | st.floats(-1e9, 1e9), max_size=20),
    before_s=st.floats(-1e9, 1e9),
    data=st.data(),
)
def test_samples_stamped_or_not_cut_or_not(
    stamps: list[float | None], before_s: float, data: st.DataObject
) -> None:
    rows = np.arange(2 * len(stamps), dtype="<i2").reshape(-1, 2)
    raw = b"??" + written(stamps, rows)
    limit = data.draw(st.integers(2, len(raw)))
    n = data.draw(st.integers(0, len(stamps) + 1))
    expected = by_the_book(raw[2:limit], n, before_s, 1 / 1000.0)

    # In whatever pieces they are taken.
    got: list[tuple[float, list[int]]] = []
    at, last_s = 2, before_s
    while True:
        most = data.draw(st.integers(1, 8))
        extent = layout().extent(raw, at, limit, min(most, n - len(got)), last_s)
        if not extent.n:
            assert (extent.stop, extent.last_s) == (at, last_s)
            break
        piece = layout().read(raw, at, extent.stop, extent.n, last_s)
        assert len(piece.stamps_s) == extent.n
        assert piece.stamps_s[-1] == extent.last_s
        got += zip(piece.stamps_s.tolist(), piece.values.tolist(), strict=True)
        at, last_s = extent.stop, extent.last_s
    assert got == list(zip(expected.stamps_s.tolist(), expected.values.tolist(), strict=True))


def test_fully_stamped_samples_are_a_view_not_a_copy() -> None:
    rows = np.arange(20, dtype="<i2").reshape(-1, 2)
    raw = written(list(range(10)), rows)
    samples = layout().read(raw, 0, len(raw), 10, 0.0)
    assert np.shares_memory(samples.values, np.frombuffer(raw, np.uint8))


def test_what_follows_an_unknown_stamp_is_unknown_until_the_next() -> None:
    raw = written([None, None, 5.0, None], np.zeros((4, 2), dtype="<i2"))
    samples = layout(fs_hz=10.0).read(raw, 0, len(raw), 4, np.nan)
    np.testing.assert_array_equal(samples.stamps_s, [np.nan, np.nan, 5.0, 5.1])


@pytest.mark.parametrize("flag", [1, 4, 7, 9, 255])
@pytest.mark.parametrize("fmt", ["int16", "string"])
def test_a_flag_that_is_none_is_malformed(fmt: str, flag: int) -> None:
    raw = b"\x00" + (b"\x01\x00\x01\x00" if fmt == "string" else bytes(4)) + bytes([flag]) * 20
    with pytest.raises(Malformed, match="neither 0 nor 8 bytes"):
        layout(fmt).read(raw, 0, len(raw), 2, 0.0)


def test_text_is_cut_off_by_the_sample() -> None:
    raw = b"\x00" + b"\x01\x02ab" + b"\x04\x01\x00\x00\x00c" + b"\x00" + b"\x01\x00" + b"\x01\x05de"
    samples = layout("string").read(raw, 0, len(raw), 2, 0.0)
    assert samples.values.tolist() == [["ab", "c"]]
    for limit in range(11):
        assert layout("string").extent(raw, 0, limit, 2, 0.0).n == 0


@pytest.mark.parametrize("fmt", ["float32", "string"])
def test_a_stream_without_channels_still_has_stamps(fmt: str) -> None:
    raw = b"\x00\x08" + struct.pack("<d", 3.0) + b"\x00"
    samples = layout(fmt, channels=0, fs_hz=0.0).read(raw, 0, len(raw), 3, 1.0)
    assert samples.stamps_s.tolist() == [1.0, 3.0, 3.0]
    assert samples.values.shape == (3, 0)
