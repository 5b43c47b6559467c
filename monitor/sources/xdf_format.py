"""The XDF format: chunks, their tags and lengths, and the header of a stream.

After the specification of XDF 1.0 (https://github.com/sccn/xdf/wiki/Specifications). A file is
``XDF:`` and then chunks: a length (in 1, 4 or 8 bytes, after a byte that says in how many), a tag,
for most tags a stream's number, the content. Everything is little-endian.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple
from xml.etree.ElementTree import ParseError, fromstring

MAGIC = b"XDF:"

#: What a boundary chunk holds. Writers put one every ten seconds or so, so that a reader that has
#: lost its way finds a place where a chunk ends.
BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")

#: LSL's name of a format -> numpy's; ``string`` stands beside them.
NUMBER_FORMATS = {
    "int8": "i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float32": "<f4",
    "double64": "<f8",
}

#: One sample of one stream in memory: no numpy item can be larger.
_MOST_SAMPLE_BYTES = 2**31 - 16

Data = mmap.mmap | bytes


class Malformed(ValueError):
    """A chunk contradicts the format or itself; the message is a phrase that says how."""


class Tag(IntEnum):
    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


_NAMES: dict[int, str] = {
    Tag.FILE_HEADER: "file header",
    Tag.STREAM_HEADER: "stream header",
    Tag.SAMPLES: "samples",
    Tag.CLOCK_OFFSET: "clock offset",
    Tag.BOUNDARY: "boundary",
    Tag.STREAM_FOOTER: "stream footer",
}
_OF_A_STREAM = frozenset({Tag.STREAM_HEADER, Tag.SAMPLES, Tag.CLOCK_OFFSET, Tag.STREAM_FOOTER})
#: Bytes after the length: tag, stream's number where there is one, content.
_FIXED_LENGTH: dict[int, int] = {Tag.CLOCK_OFFSET: 2 + 4 + 16, Tag.BOUNDARY: 2 + 16}

_LENGTHS = {1: struct.Struct("<B"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}
_TAG = struct.Struct("<H")
_STREAM_ID = struct.Struct("<I")


class ChunkHead(NamedTuple):
    """Where a chunk's content begins and the chunk ends, as positions in the file.

    ``tag`` may be one that the specification doesn't know; ``stream_id`` is -1 where the tag has
    none.
    """

    tag: int
    stream_id: int
    content: int
    end: int


def tag_name(tag: int) -> str:
    """For messages."""
    return _NAMES.get(tag, f"unknown (tag {tag})")


def read_length(data: Data, at: int, limit: int) -> tuple[int, int] | None:
    """A variable-length integer at ``at`` and the position after it; None: ``limit`` cuts it off.

    Raises:
        Malformed: its first byte isn't 1, 4 or 8.
    """
    if at >= limit:
        return None
    layout = _LENGTHS.get(data[at])
    if layout is None:
        raise Malformed("a length that isn't written in 1, 4 or 8 bytes")
    after = at + 1 + layout.size
    if after > limit:
        return None
    return layout.unpack_from(data, at + 1)[0], after


def read_head(data: Data, at: int) -> ChunkHead | None:
    """The head of the chunk that starts at ``at``; None: the file ends inside it.

    Raises:
        Malformed: the length can't be right.
    """
    size = len(data)
    found = read_length(data, at, size)
    if found is None:
        return None
    length, begin = found
    if length < 2:
        raise Malformed("a chunk too short for its tag")
    if begin + 2 > size:
        return None
    tag: int = _TAG.unpack_from(data, begin)[0]
    fixed = _FIXED_LENGTH.get(tag)
    if fixed is not None and length != fixed:
        raise Malformed(f"a {tag_name(tag)} chunk of {length} bytes where {fixed} are due")
    if tag not in _OF_A_STREAM:
        return ChunkHead(tag, -1, begin + 2, begin + length)
    if length < 6:
        raise Malformed(f"a {tag_name(tag)} chunk too short for its stream's number")
    if begin + 6 > size:
        return None
    return ChunkHead(tag, _STREAM_ID.unpack_from(data, begin + 2)[0], begin + 6, begin + length)


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a stream says of itself.

    ``id`` is its number in this file; ``fs_hz`` its nominal rate, 0 where it is irregular;
    ``labels`` and ``units`` have an entry for every *described* channel, empty where there is none
    (few recorders describe all, or any, of the ``channels``).
    """

    id: int
    name: str
    type: str
    source_id: str
    hostname: str
    channels: int
    fs_hz: float
    format: str
    labels: tuple[str, ...]
    units: tuple[str, ...]


def read_stream_header(stream_id: int, content: bytes) -> StreamHeader:
    """A stream header chunk's XML.

    Raises:
        Malformed: no XML, or without a number of channels, a rate and a format that make sense.
    """
    try:
        root = fromstring(content.decode("utf-8", "replace"))
    except ParseError as error:
        raise Malformed(f"the header of stream {stream_id} is not XML ({error})") from None

    def text(key: str) -> str:
        return root.findtext(key) or ""

    def refused(key: str) -> Malformed:
        return Malformed(f"the header of stream {stream_id} has {key} {text(key)[:40]!r}")

    number_format = text("channel_format").strip()
    if number_format not in NUMBER_FORMATS and number_format != "string":
        raise refused("channel_format")
    try:
        channels = int(text("channel_count"))
    except ValueError:
        raise refused("channel_count") from None
    if not 0 <= channels <= _MOST_SAMPLE_BYTES // 8:
        raise refused("channel_count")
    try:
        fs_hz = float(text("nominal_srate"))
    except ValueError:
        raise refused("nominal_srate") from None
    if not math.isfinite(fs_hz):
        raise refused("nominal_srate")
    described = root.findall("desc/channels/channel")
    return StreamHeader(
        id=stream_id,
        name=text("name"),
        type=text("type"),
        source_id=text("source_id"),
        hostname=text("hostname"),
        channels=channels,
        fs_hz=max(fs_hz, 0.0),
        format=number_format,
        labels=tuple(channel.findtext("label") or "" for channel in described),
        units=tuple(channel.findtext("unit") or "" for channel in described),
    )
