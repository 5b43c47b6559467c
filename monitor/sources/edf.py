"""Replays EDF, EDF+, BDF and BDF+ recordings, triggers from annotations or the Status channel.

The samples are memory-mapped: a four-hour recording costs no more memory than a short one. A file
that ends too soon gives every whole data record, with a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitor.config import SignalSection
from monitor.sources.edf_format import (
    FIXED_BYTES,
    SIGNAL_BYTES,
    Header,
    Signal,
    read_annotations,
    read_header,
    whole_numbers,
)
from monitor.sources.input_order import InputOrder
from monitor.sources.streams import channel_names
from monitor.sources.units import uv_per_unit
from monitor.types import (
    ClockOffset,
    Float32Array,
    FloatArray,
    Marker,
    MonitorError,
    StreamInfo,
)

#: Triggers are the Status channel's lower 16 bits; the others tell of the amplifier.
TRIGGER_BITS = 0xFFFF
#: Bytes of samples that are read at once while the Status channel is searched.
_SEARCH_BYTES = 2**24


class EdfRecording:
    """A :class:`~monitor.sources.replay.Recording` in an EDF or BDF file.

    Sample i is stamped i / fs from the start of the file, or from where an EDF+D record says that
    it begins. Signals at another rate than most, or whose unit is no voltage, are left out with a
    warning. Markers are the annotations and each rise of the Status channel to another value, as
    that value.
    """

    #: Such files don't say in which order anything came.
    order: InputOrder | None = None

    def __init__(
        self, path: Path, signal: SignalSection | None = None, trigger_channel: str = ""
    ) -> None:
        """Read the header, find the markers, map the samples.

        Raises:
            MonitorError: names the file and the field or signal at fault.
        """
        self._path = path
        self._warnings: list[str] = []
        self._header = header = _header_of(path)
        self._raw = self._map(header)
        self._signals, self._scale, self._zero = self._chosen(
            header, signal or SignalSection(), trigger_channel
        )
        self._per_record = self._signals[0].samples
        names = channel_names([s.label for s in self._signals], len(self._signals))
        fs_hz = self._per_record / header.record_s
        self._info = StreamInfo(path.stem, path.name, fs_hz, names, "replay")
        begins_s, annotations = self._annotations()
        self._segments, self._begins_s = self._segments_of(begins_s)
        markers = [*annotations, *self._status_triggers()]
        markers.sort(key=lambda marker: marker.t_lsl)
        self._markers = markers
        self._markers_name = "annotations" if markers else ""
        if not markers and not trigger_channel:
            self._warnings.append(f"{path}: no annotations and no Status channel with triggers")

    # ------------------------------------------------------------------ the recording

    @property
    def info(self) -> StreamInfo:
        return self._info

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    @property
    def n_samples(self) -> int:
        return len(self._raw) * self._per_record

    @property
    def segments(self) -> Sequence[tuple[int, int]]:
        return self._segments

    @property
    def markers_name(self) -> str:
        return self._markers_name

    @property
    def markers(self) -> Sequence[Marker]:
        return self._markers

    @property
    def marker_arrival_s(self) -> FloatArray:
        return np.array([marker.t_lsl for marker in self._markers], dtype=np.float64)

    @property
    def offsets(self) -> Sequence[ClockOffset]:
        return ()

    def samples_uv(self, start: int, stop: int) -> Float32Array:
        first = start // self._per_record
        records = self._raw[first : -(-stop // self._per_record)]
        columns = [
            self._numbers(records, signal).reshape(-1)[
                start - first * self._per_record : stop - first * self._per_record
            ]
            for signal in self._signals
        ]
        physical = np.stack(columns, axis=1) * self._scale + self._zero
        return np.asarray(physical, dtype=np.float32)

    def t_lsl(self, start: int, stop: int) -> FloatArray:
        return self.arrival_s(range(start, stop))

    def arrival_s(self, indices: Sequence[int]) -> FloatArray:
        record, sample = np.divmod(np.asarray(indices, dtype=np.int64), self._per_record)
        return np.asarray(self._begins_s[record] + sample / self._info.fs_hz, dtype=np.float64)

    def close(self) -> None:
        """The map goes with the object."""

    # ------------------------------------------------------------------ opening

    def _map(self, header: Header) -> np.ndarray:
        """Data records (records, bytes) uint8."""
        record_bytes = header.record_samples * header.sample_bytes
        size = self._path.stat().st_size - header.header_bytes
        there = size // record_bytes if record_bytes else 0
        if header.records < 0:
            self._warnings.append(f"{self._path}: the recording was not closed")
        elif there < header.records:
            self._warnings.append(
                f"{self._path}: the file ends within data record {there + 1} of {header.records}; "
                f"{there} whole ones are read"
            )
        records = there if header.records < 0 else min(there, header.records)
        if not records:
            raise MonitorError(f"{self._path}: no samples")
        return np.memmap(self._path, np.uint8, "r", header.header_bytes, (records, record_bytes))

    def _chosen(
        self, header: Header, signal: SignalSection, trigger_channel: str
    ) -> tuple[list[Signal], FloatArray, FloatArray]:
        """The signals that are monitored; microvolts are ``digital * scale + zero``."""
        ordinary = [s for s in header.signals if not s.is_annotations and s.label != "Status"]
        rates = [s.samples for s in ordinary]
        usual = max(set(rates), key=lambda rate: (rates.count(rate), rate), default=0)
        fallback = signal.scale_uv if signal.scale_uv is not None else uv_per_unit(signal.unit)
        kept: list[Signal] = []
        scales: list[float] = []
        zeros: list[float] = []
        for one in header.signals:
            is_trigger = bool(trigger_channel) and one.label == trigger_channel
            if not is_trigger and one not in ordinary:
                continue
            uv = uv_per_unit(one.dimension) or (1.0 if is_trigger else None)
            if uv is None and not one.dimension:
                uv = fallback
            steps = one.digital_max - one.digital_min
            why = ""
            if one.samples != usual:
                why = f"{one.samples / header.record_s:g} Hz is not the rate of the others"
            elif uv is None:
                why = f"{one.dimension!r} is no voltage"
            elif not steps or one.physical_max == one.physical_min:
                why = "its range is empty"
            if why or uv is None:
                self._warnings.append(f"{self._path}: channel {one.label} left out: {why}")
                continue
            gain = (one.physical_max - one.physical_min) / steps
            kept.append(one)
            scales.append(gain * uv)
            zeros.append((one.physical_min - one.digital_min * gain) * uv)
        if not kept:
            raise MonitorError(f"{self._path}: no channel holds a voltage (signal.unit)")
        return kept, np.array(scales), np.array(zeros)

    def _numbers(self, records: np.ndarray, signal: Signal) -> np.ndarray:
        """A signal's digital values in some records, (records, samples) int32."""
        size = self._header.sample_bytes
        begin = signal.offset * size
        return whole_numbers(records[:, begin : begin + signal.samples * size], size)

    def _annotations(self) -> tuple[list[float | None], list[Marker]]:
        """When each record says that it begins, and every annotation."""
        lists = [s for s in self._header.signals if s.is_annotations]
        begins_s: list[float | None] = [None] * len(self._raw)
        markers: list[Marker] = []
        size = self._header.sample_bytes
        for k, signal in enumerate(lists):
            part = slice(signal.offset * size, (signal.offset + signal.samples) * size)
            for record, raw in enumerate(self._raw[:, part]):
                begin_s, found = read_annotations(raw.tobytes())
                if k == 0:
                    begins_s[record] = begin_s
                markers += [Marker(one.onset_s, one.text) for one in found]
        return begins_s, markers

    def _segments_of(self, said_s: list[float | None]) -> tuple[list[tuple[int, int]], FloatArray]:
        """(index, sample counter) of each unbroken stretch, and when every record begins (s)."""
        record_s, fs_hz = self._header.record_s, self._info.fs_hz
        begins_s: FloatArray = np.arange(len(said_s), dtype=np.float64) * record_s
        first_s = said_s[0] or 0.0
        if self._header.continuous:
            begins_s += first_s
            return [(0, 0)], begins_s
        segments = [(0, 0)]
        counter = 0
        for k in range(len(said_s)):
            at_s = said_s[k]
            expected_s = begins_s[k - 1] + record_s if k else first_s
            begins_s[k] = expected_s if at_s is None else at_s
            lost = round((begins_s[k] - expected_s) * fs_hz)
            if lost:
                counter += lost
                index = k * self._per_record
                segments.append((index, index + counter))
        return segments, begins_s

    def _status_triggers(self) -> list[Marker]:
        """Each change of the Status channel to a value other than 0."""
        status = next((s for s in self._header.signals if s.label == "Status"), None)
        if status is None or not status.samples:
            return []
        found: list[Marker] = []
        step = max(1, _SEARCH_BYTES // self._raw.shape[1])
        before = 0
        for first in range(0, len(self._raw), step):
            values = self._numbers(self._raw[first : first + step], status)
            codes = (values & TRIGGER_BITS).reshape(-1)
            changed = np.flatnonzero(codes != np.concatenate(([before], codes[:-1])))
            for at in changed[codes[changed] != 0].tolist():
                record, sample = divmod(at, status.samples)
                t_s = self._begins_s[first + record]
                t_s += sample * self._header.record_s / status.samples
                found.append(Marker(float(t_s), int(codes[at])))
            before = int(codes[-1])
        return found


def _header_of(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            data = file.read(FIXED_BYTES)
            signals = data[252:256].strip()
            if signals.isdigit():
                data += file.read(int(signals) * SIGNAL_BYTES)
    except OSError as error:
        raise MonitorError(f"{path}: can't be read: {error.strerror}") from None
    header = read_header(data, str(path))
    if not header.record_s > 0:
        raise MonitorError(f"{path}: duration of a data record: {header.record_s:g} s")
    return header
