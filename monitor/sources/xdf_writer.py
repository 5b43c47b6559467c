"""XDF 1.0 as bytes: the chunks of a recording, for whoever writes them to a file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

from monitor.sources.xdf_format import BOUNDARY_UUID, MAGIC, Tag
from monitor.types import Float32Array, FloatArray

_XML = "<?xml version='1.0'?>"
_STAMPED = 8


def file_header() -> bytes:
    """The magic code and the file header: how a file begins."""
    return MAGIC + _chunk(Tag.FILE_HEADER, f"{_XML}<info><version>1.0</version></info>".encode())


def stream_header(
    stream_id: int,
    *,
    name: str,
    kind: str,
    source_id: str,
    fs_hz: float,
    channel_format: str,
    labels: Sequence[str],
    unit: str = "",
    description: str = "",
) -> bytes:
    """A stream's header. ``fs_hz`` 0 is an irregular stream; ``description`` is XML, as it is."""
    channels = "".join(
        f"<channel><label>{escape(label)}</label><unit>{escape(unit)}</unit></channel>"
        for label in labels
    )
    text = (
        f"{_XML}<info><name>{escape(name)}</name><type>{escape(kind)}</type>"
        f"<channel_count>{len(labels)}</channel_count><nominal_srate>{fs_hz!r}</nominal_srate>"
        f"<channel_format>{channel_format}</channel_format>"
        f"<source_id>{escape(source_id)}</source_id>"
        f"<desc><channels>{channels}</channels>{description}</desc></info>"
    )
    return _of_stream(Tag.STREAM_HEADER, stream_id, text.encode())


def samples(stream_id: int, values: Float32Array | FloatArray, t_lsl: FloatArray) -> bytes:
    """Samples (n, channels) in the stream's own format, each with its stamp (n,)."""
    n, channels = values.shape
    number = values.dtype.newbyteorder("<")
    layout = np.dtype([("flag", "u1"), ("t_lsl", "<f8"), ("values", number, (channels,))])
    records = np.empty(n, dtype=layout)
    records["flag"] = _STAMPED
    records["t_lsl"] = t_lsl
    records["values"] = values
    return _of_stream(Tag.SAMPLES, stream_id, _length(n) + records.tobytes())


def text_sample(stream_id: int, text: str, t_lsl: float) -> bytes:
    """One sample of a stream with one string channel."""
    raw = text.encode()
    content = _length(1) + struct.pack("<Bd", _STAMPED, t_lsl) + _length(len(raw)) + raw
    return _of_stream(Tag.SAMPLES, stream_id, content)


def clock_offset(stream_id: int, at_s: float, offset_s: float) -> bytes:
    """An offset measured at ``at_s`` on the recording machine; XDF keeps the device's time."""
    return _of_stream(Tag.CLOCK_OFFSET, stream_id, struct.pack("<dd", at_s - offset_s, offset_s))


def boundary() -> bytes:
    """What a reader of a damaged file looks for."""
    return _chunk(Tag.BOUNDARY, BOUNDARY_UUID)


def stream_footer(stream_id: int, n_samples: int, first_s: float, last_s: float) -> bytes:
    """How a stream ends: it says that the recording was closed."""
    text = (
        f"{_XML}<info><first_timestamp>{first_s!r}</first_timestamp>"
        f"<last_timestamp>{last_s!r}</last_timestamp>"
        f"<sample_count>{n_samples}</sample_count></info>"
    )
    return _of_stream(Tag.STREAM_FOOTER, stream_id, text.encode())


def _of_stream(tag: Tag, stream_id: int, content: bytes) -> bytes:
    return _chunk(tag, struct.pack("<I", stream_id) + content)


def _chunk(tag: Tag, content: bytes) -> bytes:
    return _length(len(content) + 2) + struct.pack("<H", tag) + content


def _length(n: int) -> bytes:
    """A variable-length integer, in the fewest bytes."""
    if n < 2**8:
        return struct.pack("<BB", 1, n)
    return struct.pack("<BI", 4, n) if n < 2**32 else struct.pack("<BQ", 8, n)
