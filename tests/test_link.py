"""Frames of the link: whole however they were cut, refused when they are none."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.link import (
    MAX_PAYLOAD,
    Frame,
    FrameKind,
    FrameParser,
    LinkError,
    WaveformHeader,
    pack,
    pack_waveform,
    unpack_waveform,
)

frames = st.lists(st.builds(Frame, st.sampled_from(FrameKind), st.binary(max_size=300)))


@given(frames, st.data())
def test_frames_come_out_as_they_went_in_however_the_bytes_are_cut(sent, data) -> None:
    stream = b"".join(pack(frame.kind, frame.payload) for frame in sent)
    parser = FrameParser()
    got = []
    while stream:
        n = data.draw(st.integers(1, len(stream)))
        got += parser.feed(stream[:n])
        stream = stream[n:]
    assert got == sent


@pytest.mark.parametrize(
    "header", [struct.pack("<IB", 0, 99), struct.pack("<IB", MAX_PAYLOAD + 1, 1)]
)
def test_what_is_no_frame_is_refused(header) -> None:
    with pytest.raises(LinkError, match="no frame"):
        list(FrameParser().feed(header))


@given(st.text(max_size=20), st.integers(1, 5), st.integers(0, 50))
def test_a_waveform_comes_back_and_its_samples_are_aligned(case, n_channels, n_samples) -> None:
    names = tuple(f"ch{i}" for i in range(n_channels))
    header = WaveformHeader(case, 3, names, 5000.0, 7, n_samples)
    samples_uv = np.arange(n_channels * n_samples, dtype=np.float32).reshape(n_channels, n_samples)
    message = pack_waveform(header, samples_uv)
    (length,) = struct.unpack_from("<I", message)
    assert (4 + length) % 4 == 0
    again, samples = unpack_waveform(message)
    assert again == header
    np.testing.assert_array_equal(samples, samples_uv)


@pytest.mark.parametrize("message", [b"", b"\x05\0\0\0{}", b"\x02\0\0\0{}", b"\x01\0\0\0\xff"])
def test_what_is_no_waveform_is_refused(message) -> None:
    with pytest.raises(LinkError, match="no waveform"):
        unpack_waveform(message)
