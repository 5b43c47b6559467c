"""Replays XDF recordings (LabRecorder's format): chooses the streams of one and reads on demand.

Stamps are taken as they were recorded, neither smoothed nor synchronised: a clock fit that knows
the whole file flatters real time. Clock offsets are handed over when they were measured, as live;
only each stream's first, which a live source has before its first sample, comes at once.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.config import SignalSection
from monitor.inputs import Resume
from monitor.sources.input_order import (
    ACTS_ID,
    MARKERS_ID,
    ORDER_ID,
    ORDER_TYPE,
    SIGNAL_ID,
    InputOrder,
    input_order,
)
from monitor.sources.streams import (
    StreamSummary,
    channel_names,
    choose_markers,
    choose_signal,
    marker_value,
    matches,
)
from monitor.sources.units import refuse_nan_channels, stream_scale_uv
from monitor.sources.xdf_arrival import Arrivals
from monitor.sources.xdf_file import XdfFile
from monitor.sources.xdf_format import StreamHeader
from monitor.types import (
    ClockOffset,
    Float32Array,
    FloatArray,
    Marker,
    MonitorError,
    StreamInfo,
)


class XdfRecording:
    """A :class:`~monitor.sources.replay.Recording` in an XDF file.

    Samples stay in the file until they are asked for; markers are in memory. A recording that the
    monitor made itself (``run --record``) holds one case and says in which order everything came:
    its streams are known, and no predicate is asked.
    """

    #: One: XDF does not say where samples were lost; the stamps show it.
    segments: Sequence[tuple[int, int]] = ((0, 0),)

    def __init__(
        self,
        path: Path,
        signal: SignalSection,
        ignored: Set[str] = frozenset(),
        trigger_channel: str = "",
    ) -> None:
        """Open the file and choose its streams; ``ignored`` channels may be NaN or have no unit.

        Raises:
            MonitorError: names the file, and the stream or channel at fault.
        """
        file = self._file = XdfFile(path)
        self.warnings = file.warnings
        own = _own_streams(file)
        emg = self._emg = own[0] if own else _chosen_signal(file.streams, signal.predicate, path)
        where = f"{path}: stream {emg.name!r}"
        if not file.n_samples(emg.id):
            raise MonitorError(f"{where}: no samples")
        names = channel_names(emg.labels, emg.channels)
        units = [*emg.units, *[""] * len(names)][: len(names)]
        self._scale_uv = stream_scale_uv(names, units, signal, where, ignored, trigger_channel)
        refuse_nan_channels(names, _nan_throughout(file, emg), where, ignored)
        self._arrivals = Arrivals(file, emg.id)
        self.info = StreamInfo(
            name=emg.name,
            source_id=emg.source_id,
            fs_hz=emg.fs_hz,
            channel_names=names,
            kind="replay",
        )
        marks = own[1] if own else None
        if not own and (signal.markers_predicate or not trigger_channel):
            marks = _chosen_markers(file.streams, signal.markers_predicate, path)
        self.order = _order(file, path) if own else None
        if own and (rest := _rest_of(path)):
            self.warnings.append(
                f"{path}: its engine was restarted; the case goes on in {rest}, replayed by itself"
            )
        self.n_samples = file.n_samples(emg.id)
        self.markers: list[Marker] = []
        self.markers_name = marks.name if marks is not None else ""
        self.marker_arrival_s: FloatArray = np.zeros(0)
        begin_s = float(self._arrivals.at([0])[0])
        if marks is None and not trigger_channel:
            self.warnings.append(f"{path}: no marker stream; nothing says when a stimulus was")
        elif marks is not None:
            stamps_s, values = file.read(marks.id)
            self.markers = [
                Marker(float(t), marker_value(row[0]))
                for t, row in zip(stamps_s, values, strict=True)
            ]
            self.marker_arrival_s = Arrivals(file, marks.id).at(range(len(stamps_s)))
            begin_s = min([begin_s, *self.marker_arrival_s[:1].tolist()])
        self.offsets = sorted(
            [
                *_offsets(file, emg, "signal", begin_s),
                *(_offsets(file, marks, "markers", begin_s) if marks is not None else ()),
            ],
            key=lambda offset: offset.t_lsl,
        )

    def samples_uv(self, start: int, stop: int) -> Float32Array:
        raw = self._file.read(self._emg.id, start, stop).values
        return np.asarray(raw * self._scale_uv, dtype=np.float32)

    def t_lsl(self, start: int, stop: int) -> FloatArray:
        return self._file.read_stamps_s(self._emg.id, start, stop)

    def arrival_s(self, indices: Sequence[int]) -> FloatArray:
        return self._arrivals.at(indices)

    def close(self) -> None:
        self._file.close()


def _own_streams(file: XdfFile) -> tuple[StreamHeader, StreamHeader] | None:
    """Signal and markers of a recording by :class:`monitor.journal.recorder.XdfRecorder`."""
    streams = {stream.id: stream for stream in file.streams}
    order = streams.get(ORDER_ID)
    if order is None or order.type != ORDER_TYPE:
        return None
    if not {SIGNAL_ID, MARKERS_ID, ACTS_ID} <= streams.keys():
        return None
    return streams[SIGNAL_ID], streams[MARKERS_ID]


def _rest_of(path: Path) -> str:
    """The recording in which a restarted engine went on with the case of ``path``; empty: none.

    It lies beside it under the next number, and its first act takes up what the case stood at.
    """
    stem, _, number = path.stem.rpartition("-")
    names = [f"{path.stem}-2", *([f"{stem}-{int(number) + 1}"] if number.isdecimal() else [])]
    for following in (path.with_stem(name) for name in names):
        if not following.is_file():
            continue
        try:
            with closing(XdfFile(following)) as file:
                acts = _order(file, following).acts if _own_streams(file) else ()
        except MonitorError:
            continue
        if acts[:1] and isinstance(acts[0], Resume):
            return following.name
    return ""


def _order(file: XdfFile, path: Path) -> InputOrder:
    stamps_s, entries = file.read(ORDER_ID)
    texts = [str(marker_value(row[0])) for row in file.read(ACTS_ID).values]
    try:
        return input_order(stamps_s, entries, texts)
    except MonitorError as error:
        raise MonitorError(f"{path}: {error}") from None


def _summary(stream: StreamHeader) -> StreamSummary:
    return StreamSummary(
        name=stream.name,
        type=stream.type,
        source_id=stream.source_id,
        channels=stream.channels,
        fs_hz=stream.fs_hz,
        format=stream.format,
        hostname=stream.hostname,
    )


def _fitting(streams: Sequence[StreamHeader], predicate: str, path: Path) -> list[StreamHeader]:
    fitting = [s for s in streams if not predicate or matches(_summary(s), predicate)]
    if predicate and not fitting:
        there = ", ".join(str(_summary(s)) for s in streams) or "none"
        raise MonitorError(f"{path}: no stream fits {predicate}; there are {there}")
    return fitting


def _chosen_signal(streams: Sequence[StreamHeader], predicate: str, path: Path) -> StreamHeader:
    fitting = _fitting(streams, predicate, path)
    return fitting[choose_signal([_summary(s) for s in fitting], predicate, str(path))]


def _chosen_markers(
    streams: Sequence[StreamHeader], predicate: str, path: Path
) -> StreamHeader | None:
    """None where the recording has no irregular stream at all and none was asked for."""
    fitting = _fitting(streams, predicate, path)
    if not predicate and not any(s.fs_hz <= 0 for s in fitting):
        return None
    return fitting[choose_markers([_summary(s) for s in fitting], predicate, str(path))]


def _nan_throughout(file: XdfFile, stream: StreamHeader) -> NDArray[np.bool_]:
    """Which channels have no number at all, (channels,)."""
    if not stream.format.startswith(("float", "double")):
        return np.zeros(stream.channels, dtype=np.bool_)
    silent = np.ones(stream.channels, dtype=np.bool_)
    for block in file.blocks(stream.id):
        silent &= np.isnan(block.values).all(axis=0)
        if not silent.any():
            break
    return silent


def _offsets(
    file: XdfFile, stream: StreamHeader, role: Literal["signal", "markers"], begin_s: float
) -> list[ClockOffset]:
    """A stream's clock offsets at the time of the recording machine at which each was known.

    LabRecorder stores (time of measurement - offset, offset): the time on the device's clock.
    """
    times_s, offsets_s = file.clock_offsets(stream.id)
    # fmax: a time that is no number is taken for that of the offset before it.
    measured_s = np.fmax.accumulate(times_s + offsets_s)
    return [
        ClockOffset(role, begin_s if i == 0 else max(float(at_s), begin_s), float(offset_s))
        for i, (at_s, offset_s) in enumerate(zip(measured_s, offsets_s, strict=True))
    ]
