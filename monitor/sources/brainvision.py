"""Reads BrainVision recordings: ``.vhdr`` (header), ``.eeg`` (samples), ``.vmrk`` (markers).

After the BrainVision Core Data Format 1.0 (Brain Products). The samples are memory-mapped: a
four-hour recording costs no more memory than a short one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.sources.input_order import InputOrder
from monitor.sources.units import refuse_nan_channels, uv_per_unit
from monitor.types import (
    ClockOffset,
    Float32Array,
    FloatArray,
    Marker,
    MonitorError,
    StreamInfo,
)

_FORMATS = {"INT_16": "i2", "INT_32": "i4", "IEEE_FLOAT_32": "f4"}
_MARKER_TYPES = ("Stimulus", "Response", "Comment")

#: A pause between segments shorter than this is the recorder's clock, not lost signal.
_LEAST_PAUSE_S = 0.1
#: How far the recorder's wall clock and the amplifier's clock may drift apart.
_CLOCK_DRIFT = 200e-6

Sections = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    scale_uv: float | None
    unit: str


def read_sections(path: Path, title: str) -> Sections:
    """A BrainVision text file as section -> key -> value.

    Raises:
        MonitorError: can't be read, or its first line doesn't say that it is a ``title`` file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MonitorError(f"{path}: can't be read: {error.strerror}") from None
    lines = _decode(data).splitlines()
    if not lines or f"Data Exchange {title} File" not in lines[0]:
        raise MonitorError(f"{path}: not a BrainVision {title.lower()} file (see its first line)")
    sections: Sections = {}
    current: dict[str, str] = {}
    for line in lines[1:]:
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            current = sections.setdefault(text[1:-1].strip().lower(), {})
        elif text and not text.startswith(";") and "=" in text:
            key, _, value = text.partition("=")
            current[key.strip().lower()] = value.strip()
    return sections


def _decode(data: bytes) -> str:
    """Text by the code page that the file itself names; files without one are Windows-1252."""
    named = re.search(rb"(?im)^\s*codepage\s*=\s*([\w.-]+)", data)
    page = named.group(1).decode("ascii").lower() if named else ""
    if page in ("utf-8", "utf8") or data.startswith(b"\xef\xbb\xbf"):
        return data.decode("utf-8-sig", errors="replace")
    return data.decode("cp1252", errors="replace")


def _fields(value: str) -> list[str]:
    """Comma-separated fields; a comma inside a field is written ``\\1``."""
    return [field.strip().replace("\\1", ",") for field in value.split(",")]


def _numbered(section: dict[str, str], prefix: str) -> list[tuple[str, str]]:
    """(key, value) of ``Ch1, Ch2 ...`` or ``Mk1, Mk2 ...`` in the order of their numbers."""
    found = [
        (int(match.group(1)), value)
        for key, value in section.items()
        if (match := re.fullmatch(rf"{prefix.lower()}(\d+)", key))
    ]
    return [(f"{prefix}{number}", value) for number, value in sorted(found, key=lambda f: f[0])]


class BrainVisionRecording:
    """A :class:`~monitor.sources.replay.Recording` in BrainVision files.

    Sample i is stamped i / fs; a pause that the segments' dates show moves counter and stamps on
    by its length. Channels whose unit is no voltage are left out, with a warning.
    """

    #: Samples and markers share one clock.
    offsets: Sequence[ClockOffset] = ()
    #: Such files don't say in which order anything came.
    order: InputOrder | None = None

    def __init__(self, path: Path, ignored: Set[str] = frozenset()) -> None:
        """Read header and markers, map the samples.

        ``ignored`` channels may be NaN throughout, and in any unit: they keep their place.

        Raises:
            MonitorError: names the file and the key or channel at fault.
        """
        self._path = path
        self.warnings: list[str] = []
        header = read_sections(path, "Header")
        common = header.get("common infos", {})
        self._fs_hz = self._sampling_rate(common)
        channels = self._channels(header, self._whole_number(common, "NumberOfChannels"))
        scales_uv = [1.0 if c.name in ignored else c.scale_uv for c in channels]
        kept = [i for i, scale_uv in enumerate(scales_uv) if scale_uv is not None]
        for channel, scale_uv in zip(channels, scales_uv, strict=True):
            if scale_uv is None:
                self.warnings.append(
                    f"{path}: channel {channel.name} left out: {channel.unit!r} is no voltage"
                )
        if not kept:
            raise MonitorError(f"{path}: no channel with a voltage among its {len(channels)}")
        self._columns = kept
        self._scale_uv = np.array([scales_uv[i] for i in kept], dtype=np.float64)
        self._raw = self._map(header, common, len(channels))
        self.info = StreamInfo(
            name=path.stem,
            source_id=path.name,
            fs_hz=self._fs_hz,
            channel_names=tuple(channels[i].name for i in kept),
            kind="replay",
        )
        self.n_samples = int(self._raw.shape[0])
        self._refuse_nan_channels(ignored)
        marks = self._read_marks(common)
        self.segments = self._find_segments(marks)
        self.markers_name = f"{path.stem}-markers"
        self.markers = self._find_markers(marks)
        self.marker_arrival_s = np.array([m.t_lsl for m in self.markers], dtype=np.float64)

    def samples_uv(self, start: int, stop: int) -> Float32Array:
        raw = self._raw[start:stop]
        if len(self._columns) != raw.shape[1]:
            raw = raw[:, self._columns]
        return (raw * self._scale_uv).astype(np.float32)

    def t_lsl(self, start: int, stop: int) -> FloatArray:
        return self._times(np.arange(start, stop))

    def arrival_s(self, indices: Sequence[int]) -> FloatArray:
        return self._times(np.asarray(indices, dtype=np.int64))

    def close(self) -> None:
        """Nothing is held but the map, which goes with the object."""

    def _times(self, indices: NDArray[np.int64]) -> FloatArray:
        starts = np.array([index for index, _ in self.segments])
        shifts = np.array([counter - index for index, counter in self.segments])
        segment = np.maximum(np.searchsorted(starts, indices, side="right") - 1, 0)
        return np.asarray((indices + shifts[segment]) / self._fs_hz, dtype=np.float64)

    # ------------------------------------------------------------------ header

    def _sampling_rate(self, common: dict[str, str]) -> float:
        text = common.get("samplinginterval", "")
        try:
            interval_us = float(text)
        except ValueError:
            interval_us = 0.0
        if not interval_us > 0:
            shown = f"{text!r} is not a positive number" if text else "missing"
            raise MonitorError(f"{self._path}: SamplingInterval: {shown} (microseconds)")
        return 1e6 / interval_us

    def _whole_number(self, section: dict[str, str], key: str) -> int:
        text = section.get(key.lower(), "")
        if not text.isdigit() or int(text) == 0:
            shown = f"{text!r} is not a whole number above 0" if text else "missing"
            raise MonitorError(f"{self._path}: {key}: {shown}")
        return int(text)

    def _one_of(self, section: dict[str, str], key: str, known: Sequence[str], default: str) -> str:
        value = section.get(key.lower(), default).upper()
        if value not in known:
            raise MonitorError(
                f"{self._path}: {key}: {value or 'missing'} (can read: {', '.join(known)})"
            )
        return value

    def _channels(self, header: Sections, count: int) -> list[_Channel]:
        entries = _numbered(header.get("channel infos", {}), "Ch")
        if len(entries) != count:
            raise MonitorError(
                f"{self._path}: [Channel Infos] lists {len(entries)} channels, "
                f"NumberOfChannels is {count}"
            )
        channels = []
        for key, value in entries:
            name, _, resolution, unit = (*_fields(value), "", "", "", "")[:4]
            try:
                # An omitted resolution is 1, an omitted unit microvolts: the format says so.
                steps = float(resolution) if resolution else 1.0
            except ValueError:
                raise MonitorError(
                    f"{self._path}: {key} ({name}): resolution {resolution!r} is not a number"
                ) from None
            uv = uv_per_unit(unit or "µV")
            channels.append(_Channel(name or key, None if uv is None else steps * uv, unit))
        return channels

    def _beside(self, common: dict[str, str], key: str) -> Path:
        """The file that ``key`` names, beside the header."""
        name = common.get(key.lower(), "").replace("$b", self._path.stem)
        if not name:
            raise MonitorError(f"{self._path}: {key}: missing")
        path = self._path.with_name(name)
        if not path.is_file():
            raise MonitorError(f"{self._path}: {key}: no such file: {path}")
        return path

    def _map(
        self, header: Sections, common: dict[str, str], n_channels: int
    ) -> NDArray[np.int16 | np.int32 | np.float32]:
        """The samples as they lie in the file, (n, channels), not loaded."""
        self._one_of(common, "DataFormat", ("BINARY",), "")
        self._one_of(common, "DataType", ("TIMEDOMAIN",), "TIMEDOMAIN")
        orientation = self._one_of(common, "DataOrientation", ("MULTIPLEXED", "VECTORIZED"), "")
        binary = header.get("binary infos", {})
        number = _FORMATS[self._one_of(binary, "BinaryFormat", tuple(_FORMATS), "")]
        big_endian = binary.get("usebigendianorder", "NO").upper() == "YES"
        dtype = np.dtype((">" if big_endian else "<") + number)

        path = self._beside(common, "DataFile")
        frame = dtype.itemsize * n_channels
        size = path.stat().st_size
        declared = common.get("datapoints", "")
        points = self._whole_number(common, "DataPoints") if declared not in ("", "0") else None
        whole = size // frame
        if points is not None and points < whole:
            whole = points
        elif size % frame or (points is not None and points > whole):
            promised = f" of {points}" if points is not None else ""
            message = f"{path}: cut short: {whole}{promised} whole samples"
            if orientation == "VECTORIZED":
                # Channel after channel: what is missing are whole channels, not the last samples.
                raise MonitorError(f"{message}; vectorized data can't be read in part")
            self.warnings.append(f"{message} are read")
        if whole == 0:
            raise MonitorError(f"{path}: no samples")
        shape = (n_channels, whole) if orientation == "VECTORIZED" else (whole, n_channels)
        mapped = np.memmap(path, dtype=dtype, mode="r", shape=shape)
        return mapped.T if orientation == "VECTORIZED" else mapped

    def _refuse_nan_channels(self, ignored: Set[str]) -> None:
        if self._raw.dtype.kind != "f":
            return
        silent = np.ones(len(self._columns), dtype=bool)
        for start in range(0, self.n_samples, 65536):
            silent &= np.isnan(self.samples_uv(start, start + 65536)).all(axis=0)
            if not silent.any():
                return
        refuse_nan_channels(self.info.channel_names, silent, str(self._path), ignored)

    # ------------------------------------------------------------------ markers

    def _read_marks(self, common: dict[str, str]) -> list[tuple[int, list[str]]]:
        """(sample index, fields) of every marker in the marker file."""
        if not common.get("markerfile"):
            self.warnings.append(f"{self._path}: MarkerFile: none; the recording has no markers")
            return []
        path = self._beside(common, "MarkerFile")
        marks = []
        for key, value in _numbered(read_sections(path, "Marker").get("marker infos", {}), "Mk"):
            fields = [*_fields(value), "", "", "", "", ""]
            if not fields[2].isdigit() or int(fields[2]) == 0:
                raise MonitorError(
                    f"{path}: {key}: position {fields[2]!r} is not a whole number above 0"
                )
            marks.append((int(fields[2]) - 1, fields))
        return sorted(marks, key=lambda mark: mark[0])

    def _find_segments(self, marks: Sequence[tuple[int, list[str]]]) -> list[tuple[int, int]]:
        """Where samples are contiguous. A pause counts where two segments' dates show it."""
        segments = [(0, 0)]
        since: tuple[int, datetime] | None = None
        for index, fields in marks:
            if fields[0].lower() != "new segment" or index >= self.n_samples:
                continue
            date = _date(fields[5])
            if index > 0:
                at, counter = segments[-1]
                lost_s = None
                if since is not None and date is not None:
                    recorded_s = (index - since[0]) / self._fs_hz
                    elapsed_s = (date - since[1]).total_seconds()
                    pause_s = elapsed_s - recorded_s
                    lost_s = pause_s if pause_s > _LEAST_PAUSE_S + _CLOCK_DRIFT * elapsed_s else 0.0
                if lost_s is None:
                    self.warnings.append(
                        f"{self._path}: a new segment at sample {index + 1} has no date: "
                        "taken as contiguous"
                    )
                elif lost_s:
                    segments.append((index, counter + index - at + round(lost_s * self._fs_hz)))
            since = (index, date) if date is not None else None
        return segments

    def _find_markers(self, marks: Sequence[tuple[int, list[str]]]) -> list[Marker]:
        markers = []
        left_out: dict[str, int] = {}
        for index, fields in marks:
            kind, description = fields[0], fields[1]
            if kind in _MARKER_TYPES:
                t_s = float(self._times(np.array([index], dtype=np.int64))[0])
                markers.append(Marker(t_s, description or kind))
            elif kind.lower() != "new segment":
                left_out[kind] = left_out.get(kind, 0) + 1
        for kind, count in left_out.items():
            self.warnings.append(f"{self._path}: {count} markers of type {kind!r} left out")
        return markers


def _date(text: str) -> datetime | None:
    """A segment's date, ``YYYYMMDDhhmmssuuuuuu``; all zeros or nothing: not given."""
    if not re.fullmatch(r"\d{20}", text) or not text.strip("0"):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S%f")
    except ValueError:
        return None
