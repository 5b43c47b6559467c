"""Writes XDF files chunk by chunk, sound or deliberately not, from the specification (XDF 1.0)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FORMATS = {
    "int8": "i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float32": "<f4",
    "double64": "<f8",
}
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")

Rows = Sequence[Sequence[object]] | np.ndarray


def length_of(n: int, n_bytes: int | None = None) -> bytes:
    """A variable-length integer, in the fewest bytes or in ``n_bytes``."""
    if n_bytes is None:
        n_bytes = 1 if n < 256 else 4 if n < 2**32 else 8
    return bytes([n_bytes]) + n.to_bytes(n_bytes, "little")


def chunk(tag: int, content: bytes, *, n_bytes: int | None = None, lie: int = 0) -> bytes:
    """A whole chunk; ``lie`` is added to its length."""
    return length_of(len(content) + 2 + lie, n_bytes) + struct.pack("<H", tag) + content


class XdfWriter:
    """``data`` grows chunk by chunk; lengths take ``length_bytes`` (1, 4, 8; None: the fewest)."""

    def __init__(self, length_bytes: int | None = None) -> None:
        self.length_bytes = length_bytes
        self.data = b"XDF:"
        self._formats: dict[int, str] = {}
        #: Samples written so far and the position after each, by stream.
        self.sample_ends: dict[int, list[int]] = {}
        #: Position at which each chunk starts.
        self.chunk_starts: list[int] = []
        self.add(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")

    def add(self, tag: int, content: bytes, lie: int = 0) -> int:
        """Append a chunk; gives the position of its content (after the tag)."""
        self.chunk_starts.append(len(self.data))
        self.data += chunk(tag, content, n_bytes=self.length_bytes, lie=lie)
        return len(self.data) - len(content)

    def stream(
        self,
        number: int,
        name: str = "amp",
        kind: str = "EMG",
        channels: int = 1,
        fs_hz: float | str = 1000.0,
        fmt: str = "float32",
        labels: Sequence[str] = (),
        units: Sequence[str] = (),
    ) -> None:
        self._formats[number] = fmt
        self.sample_ends[number] = []
        described = "".join(
            f"<channel><label>{label}</label><unit>{unit}</unit></channel>"
            for label, unit in zip(labels, units, strict=True)
        )
        xml = (
            f"<?xml version='1.0'?><info><name>{name}</name><type>{kind}</type>"
            f"<channel_count>{channels}</channel_count><nominal_srate>{fs_hz}</nominal_srate>"
            f"<channel_format>{fmt}</channel_format><source_id>id-{name}</source_id>"
            f"<desc><channels>{described}</channels></desc></info>"
        )
        self.add(2, struct.pack("<I", number) + xml.encode())

    def samples(
        self,
        number: int,
        stamps: Sequence[float | None] | np.ndarray,
        rows: Rows,
        *,
        lie: int = 0,
        count: int | None = None,
    ) -> None:
        """A samples chunk; a stamp of None is left to be deduced. ``count`` is what it promises."""
        content = struct.pack("<I", number)
        content += length_of(len(stamps) if count is None else count, self.length_bytes)
        ends = []
        for stamp, row in zip(stamps, rows, strict=True):
            content += b"\x00" if stamp is None else b"\x08" + struct.pack("<d", stamp)
            content += self._row(number, row)
            ends.append(len(content))
        begin = self.add(3, content, lie)
        self.sample_ends[number] += [begin + end for end in ends]

    def _row(self, number: int, row: Sequence[object] | np.ndarray) -> bytes:
        fmt = self._formats[number]
        if fmt != "string":
            return np.asarray(row, dtype=FORMATS[fmt]).tobytes()
        raw = [str(text).encode() for text in row]
        return b"".join(length_of(len(text), self.length_bytes) + text for text in raw)

    def offset(self, number: int, at_s: float, offset_s: float) -> None:
        self.add(4, struct.pack("<Idd", number, at_s, offset_s))

    def boundary(self) -> None:
        self.add(5, BOUNDARY)

    def footer(self, number: int) -> None:
        n = len(self.sample_ends[number])
        xml = f"<?xml version='1.0'?><info><sample_count>{n}</sample_count></info>"
        self.add(6, struct.pack("<I", number) + xml.encode())

    def save(self, folder: Path, name: str = "rec.xdf") -> Path:
        path = folder / name
        path.write_bytes(self.data)
        return path


def several_streams(length_bytes: int | None = None) -> XdfWriter:
    """Every kind of chunk and of sample: stamped numbers, deduced stamps, text; all closed."""
    xdf = XdfWriter(length_bytes)
    xdf.stream(1, "amp", "EMG", 2, 1000.0, "float32", ("L", "R"), ("mV", "uV"))
    xdf.stream(2, "aux", "Misc", 3, 100.0, "int16")
    xdf.stream(7, "stim", "Markers", 1, 0.0, "string")
    for k in range(3):
        stamps = 50.0 + 0.004 * k + np.arange(4) / 1000.0
        xdf.samples(1, stamps, np.arange(8).reshape(4, 2) + 100 * k)
        xdf.samples(2, [None, 50.0 + k, None, None], np.arange(12).reshape(4, 3) - k)
        xdf.offset(1, 50.0 + 5 * k, -0.25 * k)
        xdf.samples(7, [50.5 + k, 50.6 + k], [[f"S{k}"], ["µV, " + k * "é"]])
        xdf.boundary()
        xdf.add(99, b"a tag of the future")
    for number in (1, 2, 7):
        xdf.footer(number)
    return xdf
