import pytest

from monitor.sources.xdf_format import (
    BOUNDARY_UUID,
    Malformed,
    Tag,
    read_head,
    read_length,
    read_stream_header,
    tag_name,
)
from tests.xdf_writer import chunk, length_of


@pytest.mark.parametrize("n_bytes", [1, 4, 8])
def test_lengths_of_every_width_and_cut_anywhere(n_bytes: int) -> None:
    value = 2 ** (8 * n_bytes) - 2
    data = b"??" + length_of(value, n_bytes) + b"??"
    assert read_length(data, 2, len(data)) == (value, 3 + n_bytes)
    assert read_length(data, 2, 3 + n_bytes) == (value, 3 + n_bytes)
    for limit in range(3 + n_bytes):
        assert read_length(data, 2, limit) is None


@pytest.mark.parametrize("first", [0, 2, 3, 5, 7, 9, 255])
def test_a_length_of_any_other_width_is_malformed(first: int) -> None:
    with pytest.raises(Malformed, match="1, 4 or 8 bytes"):
        read_length(bytes([first]) + bytes(8), 0, 9)


@pytest.mark.parametrize("n_bytes", [1, 4, 8])
@pytest.mark.parametrize(
    ("tag", "content", "stream_id"),
    [
        (Tag.FILE_HEADER, b"<info/>", -1),
        (Tag.STREAM_HEADER, b"\x05\x00\x00\x00<info/>", 5),
        (Tag.SAMPLES, b"\xff\xff\xff\xff\x01\x00", 2**32 - 1),
        (Tag.CLOCK_OFFSET, b"\x01\x00\x00\x00" + bytes(16), 1),
        (Tag.BOUNDARY, BOUNDARY_UUID, -1),
        (Tag.STREAM_FOOTER, b"\x02\x00\x00\x00", 2),
        (700, b"", -1),
    ],
)
def test_head_of_every_kind_of_chunk(
    tag: int, content: bytes, stream_id: int, n_bytes: int
) -> None:
    data = b"XDF:" + chunk(tag, content, n_bytes=n_bytes)
    head = read_head(data, 4)
    assert head is not None
    assert (head.tag, head.stream_id, head.end) == (tag, stream_id, len(data))
    id_bytes = 4 if stream_id >= 0 else 0
    assert data[head.content : head.end] == content[id_bytes:]
    for end in range(4, head.content):
        assert read_head(data[:end], 4) is None


def test_tags_have_names() -> None:
    assert tag_name(Tag.STREAM_FOOTER) == "stream footer"
    assert tag_name(700) == "unknown (tag 700)"


def test_the_first_description_of_a_channel_counts_and_may_be_missing() -> None:
    header = read_stream_header(
        3,
        b"""<?xml version="1.0" encoding="utf-16"?>
        <info><name>amp</name><channel_count> 3 </channel_count><nominal_srate>-1</nominal_srate>
        <channel_format>int16</channel_format>
        <desc><channels><channel><label>L</label><label>no</label></channel>
        <channel><unit>mV</unit></channel></channels></desc></info>""",
    )
    assert header.id == 3
    assert (header.name, header.type, header.source_id, header.hostname) == ("amp", "", "", "")
    assert (header.channels, header.fs_hz, header.format) == (3, 0.0, "int16")
    assert header.labels == ("L", "")
    assert header.units == ("", "mV")


def test_a_header_that_lacks_what_is_needed_names_it() -> None:
    with pytest.raises(Malformed, match="the header of stream 3 has channel_format ''"):
        read_stream_header(3, b"<info/>")
    with pytest.raises(Malformed, match="the header of stream 3 is not XML"):
        read_stream_header(3, b"\x00\xff")
