"""A live EMG stream and its markers over Lab Streaming Layer.

Stamps are passed on raw. What a stream's clock is off by comes beside them, as
:class:`~monitor.types.ClockOffset`, measured in the background. Buffers and what they do when full:
liblsl holds 360 s of samples per stream and then drops the oldest (the stamps show the hole);
clock offsets wait in a queue of 64 and the oldest gives way.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence, Set
from types import TracebackType
from typing import Any, Literal, Self
from xml.etree import ElementTree

import numpy as np

from monitor.config import SignalSection
from monitor.sources.base import Item
from monitor.sources.lsl_library import configure
from monitor.sources.streams import (
    StreamSummary,
    channel_names,
    choose_markers,
    choose_signal,
    marker_value,
)
from monitor.sources.units import stream_scale_uv
from monitor.types import (
    AlarmKind,
    Chunk,
    ClockOffset,
    Marker,
    MonitorError,
    Notice,
    StreamInfo,
    Tick,
)

BUFFER_S = 360
TICK_S = 0.05
CLOCK_INTERVAL_S = 5.0
OFFSETS_HELD = 64

#: A look at which streams are announced, and how long one must be silent before that counts.
LOOK_INTERVAL_S = 1.0
SILENT_S = 1.0

#: Streams answer within milliseconds; one that is only just starting gets so long to show up
#: before a choice counts as plain.
_SETTLE_S = 0.6
_FORMATS = ("", "float32", "double64", "string", "int32", "int16", "int8", "int64")

Role = Literal["signal", "markers"]


class LslSource:
    """A :class:`~monitor.sources.base.Source` over LSL.

    A stream that is lost and comes back (same ``source_id``) is taken up again by liblsl; until
    then only ticks come. liblsl waits for it in silence, so the network is watched beside it: a
    stream that nobody has announced for 5 s is gone, and that is a ``Notice``, as is its return. A
    sender that still answers but has stopped sending can't be told from one with nothing to send.
    Not thread-safe: one reader.
    """

    def __init__(
        self, signal: SignalSection, ignored: Set[str] = frozenset(), trigger_channel: str = ""
    ) -> None:
        """``ignored`` channels need no unit. With a ``trigger_channel`` in the signal itself no
        marker stream is looked for, unless ``signal.markers_predicate`` names one.
        """
        self._signal = signal
        self._ignored = ignored
        self._trigger_channel = trigger_channel
        self._connection: _Connection | None = None

    @property
    def info(self) -> StreamInfo:
        return self._connected.info

    @property
    def exhausted(self) -> bool:
        return False

    @property
    def warnings(self) -> Sequence[str]:
        return self._connected.warnings

    def __enter__(self) -> Self:
        """Find the two streams, connect, and wait for their first clock offsets.

        Raises:
            MonitorError: no stream or several that could be meant, channels without a unit, a
                stream that can't be reached, or whose clock can't be compared with ours.
        """
        pylsl = configure(self._signal.lsl_scope)
        self._connection = _Connection(pylsl, self._signal, self._ignored, self._trigger_channel)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connected.close()

    def read(self, timeout_s: float) -> list[Item]:
        """Clock offsets, new samples as one chunk, markers, streams lost or back, and a tick.

        Returns as soon as there are samples; a tick alone after 50 ms (or ``timeout_s``, if less)
        without any.
        """
        return self._connected.read(min(max(timeout_s, 0.0), TICK_S))

    @property
    def _connected(self) -> _Connection:
        if self._connection is None:
            raise RuntimeError("enter the source before using it")
        return self._connection


class _Connection:
    """The two inlets, open, and their clocks being watched."""

    def __init__(
        self, pylsl: Any, signal: SignalSection, ignored: Set[str], trigger_channel: str
    ) -> None:
        self._pylsl = pylsl
        with_markers = bool(signal.markers_predicate or not trigger_channel)
        emg, markers, self._announced = _resolve(pylsl, signal, with_markers)
        infos = [emg] if markers is None else [emg, markers]
        where = f"LSL stream{'s' * (len(infos) - 1)} " + " and ".join(repr(i.name()) for i in infos)
        self._markers: Any = None
        try:
            # Markers first: none that belongs to a sample that we get may be missed.
            if markers is not None:
                self._markers = pylsl.StreamInlet(markers, BUFFER_S, recover=True)
            self._emg = pylsl.StreamInlet(emg, BUFFER_S, recover=True)
            labels, units, kind = _described(self._emg.info(signal.wait_s))
            names = channel_names(labels, emg.channel_count())
            units = [*units, *[""] * len(names)][: len(names)]
            self._scale_uv = stream_scale_uv(
                names, units, signal, f"LSL stream {emg.name()!r}", ignored, trigger_channel
            )
            if self._markers is not None:
                self._markers.open_stream(signal.wait_s)
            self._emg.open_stream(signal.wait_s)
        except (TimeoutError, pylsl.util.LostError):
            raise MonitorError(
                f"{where}: found, but no connection within {signal.wait_s:g} s (signal.wait_s)"
            ) from None
        self.info = StreamInfo(emg.name(), emg.source_id(), float(emg.nominal_srate()), names, kind)
        self.warnings = [
            f"LSL stream {info.name()!r}: no source_id; once lost it is not taken up again"
            for info in infos
            if not info.source_id()
        ]
        self._presences: dict[Role, _Presence] = {
            "signal": _Presence(emg, AlarmKind.SIGNAL_STALLED, "EMG")
        }
        if markers is not None:
            self._presences["markers"] = _Presence(markers, AlarmKind.STIMULUS_MISSING, "marker")
        self._looked_s = 0.0
        self._next_sample = 0
        self._most_samples = max(256, round(0.2 * self.info.fs_hz))
        self._buffer = np.empty((self._most_samples, len(names)), dtype=self._emg.np_dtype)
        self._plain = self._buffer.dtype == np.float32 and bool(np.all(self._scale_uv == 1.0))
        self._offsets: deque[ClockOffset] = deque(maxlen=OFFSETS_HELD)
        self._clocks: dict[Role, _ClockWatch] = {
            "signal": _ClockWatch(pylsl, "signal", self._emg, self._offsets)
        }
        if self._markers is not None:
            self._clocks["markers"] = _ClockWatch(pylsl, "markers", self._markers, self._offsets)
        deadline_s = time.monotonic() + signal.wait_s
        if not all(
            clock.wait_first(deadline_s - time.monotonic()) for clock in self._clocks.values()
        ):
            self.close()
            raise MonitorError(
                f"{where}: their clocks can't be compared with this machine's "
                f"(no answer within {signal.wait_s:g} s; is UDP blocked?)"
            )

    def close(self) -> None:
        for clock in self._clocks.values():
            clock.stop()
        self._announced = None  # Nothing else ends its search.
        self._emg.close_stream()
        if self._markers is not None:
            self._markers.close_stream()

    def read(self, timeout_s: float) -> list[Item]:
        chunk = self._pull_chunk(timeout_s)
        items: list[Item] = []
        while self._offsets:
            items.append(self._offsets.popleft())
        if chunk is not None:
            items.append(chunk)
        markers = self._pull_markers()
        items += markers
        items += self._look_around(chunk is not None, bool(markers))
        items.append(Tick(self._pylsl.local_clock()))
        return items

    def _look_around(self, sampled: bool, marked: bool) -> list[Notice]:
        """Which streams went or came back, from what has just come and, once a second, a look."""
        now_s = time.monotonic()
        for role, clock in self._clocks.items():
            self._presences[role].for_good |= clock.lost
        visible: set[str] | None = None
        if now_s - self._looked_s >= LOOK_INTERVAL_S:
            self._looked_s = now_s
            visible = {_identity(info) for info in self._announced.results()}
        came = {"signal": sampled, "markers": marked}
        told = [p.observe(now_s, came[role], visible) for role, p in self._presences.items()]
        return [notice for notice in told if notice is not None]

    def _pull_chunk(self, timeout_s: float) -> Chunk | None:
        if self._presences["signal"].for_good:
            time.sleep(timeout_s)
            return None
        try:
            # min_samples=1: wait in liblsl for the first sample, then take what else is there.
            raw, stamps = self._emg.pull_chunk(
                timeout_s, self._most_samples, dest_obj=self._buffer, min_samples=1, as_numpy=True
            )
        except self._pylsl.util.LostError:
            self._presences["signal"].for_good = True
            return None
        if not len(stamps):
            return None
        samples_uv = raw.copy() if self._plain else (raw * self._scale_uv).astype(np.float32)
        chunk = Chunk(self._next_sample, samples_uv, np.asarray(stamps, dtype=np.float64))
        self._next_sample += len(stamps)
        return chunk

    def _pull_markers(self) -> list[Marker]:
        if self._markers is None or self._presences["markers"].for_good:
            return []
        if not self._markers.samples_available():
            return []
        try:
            # As numpy: text comes as bytes, of which a bad one must not end the case.
            values, stamps = self._markers.pull_chunk(0.0, 256, as_numpy=True)
        except self._pylsl.util.LostError:
            self._presences["markers"].for_good = True
            return []
        return [
            Marker(float(stamp), marker_value(row[0]))
            for stamp, row in zip(stamps, values, strict=True)
        ]


class _Presence:
    """Whether one of the streams is there: silent *and* no longer announced means that it is gone.

    Attributes:
        for_good: it has no source_id and broke off; liblsl can't find it again.
    """

    def __init__(self, info: Any, kind: AlarmKind, what: str) -> None:
        self.for_good = False
        self._identity = _identity(info)
        self._kind = kind
        self._name = f"the {what} stream {info.name()!r}"
        self._returns = bool(info.source_id())
        self._heard_s = time.monotonic()
        self._visible = True
        self._gone = False

    def observe(self, now_s: float, heard: bool, visible: Set[str] | None) -> Notice | None:
        """Tell of a change.

        Args:
            now_s: the monotonic clock.
            heard: something has just come from it.
            visible: identities of all announced streams; None where nobody has looked.
        """
        if heard:
            self._heard_s = now_s
        if visible is not None:
            self._visible = self._identity in visible
        silent = now_s - self._heard_s > SILENT_S
        gone = silent and (self.for_good or not self._visible)
        if gone == self._gone:
            return None
        self._gone = gone
        message = f"{self._name} is {'gone' if gone else 'back'}"
        if gone and not self._returns:
            message += "; it has no source_id to be found again by: start the monitor anew"
        return Notice(self._kind, gone, 0.0, message=message)


class _ClockWatch:
    """Measures one stream's clock offset every 5 s, in a thread of its own.

    Attributes:
        lost: the stream broke off and liblsl can't find it again.
    """

    def __init__(self, pylsl: Any, role: Role, inlet: Any, offsets: deque[ClockOffset]) -> None:
        self._pylsl = pylsl
        self._role: Role = role
        self._inlet = inlet
        self._offsets = offsets
        self.lost = False
        self._stop = threading.Event()
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lsl-clock-{role}", daemon=True)
        self._thread.start()

    def wait_first(self, timeout_s: float) -> bool:
        """Whether the first offset came within ``timeout_s``."""
        return self._first.wait(max(timeout_s, 0.0))

    def stop(self) -> None:
        """Returns when the thread has ended: an inlet must not go while it is being asked."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                offset_s = self._inlet.time_correction(timeout=1.0)
            except TimeoutError:
                continue
            except self._pylsl.util.LostError:
                # Only a stream without a source_id; an inlet without samples does not say so.
                self.lost = True
                return
            self._offsets.append(ClockOffset(self._role, self._pylsl.local_clock(), offset_s))
            self._first.set()
            self._stop.wait(CLOCK_INTERVAL_S)


def _resolve(pylsl: Any, signal: SignalSection, with_markers: bool) -> tuple[Any, Any | None, Any]:
    """The EMG stream's and the marker stream's infos, as soon as the choice is plain.

    The third is the resolver that goes on seeing all streams.
    """
    where = f"LSL ({signal.lsl_scope})"
    all_streams = pylsl.ContinuousResolver()
    searches = {
        "signal": _search(pylsl, "predicate", signal.predicate) or all_streams,
        "markers": _search(pylsl, "markers_predicate", signal.markers_predicate) or all_streams,
    }
    begin_s = time.monotonic()
    while True:
        time.sleep(0.05)
        waited_s = time.monotonic() - begin_s
        if waited_s < min(_SETTLE_S, signal.wait_s):
            continue
        try:
            emg = _distinct(searches["signal"])
            marks = _distinct(searches["markers"])
            if not emg or (with_markers and not marks):
                _refuse_unmatched(all_streams, signal, bool(emg), where)
            chosen = emg[choose_signal([_summary(i) for i in emg], signal.predicate, where)]
            if not with_markers:
                return chosen, None, all_streams
            return (
                chosen,
                marks[
                    choose_markers([_summary(i) for i in marks], signal.markers_predicate, where)
                ],
                all_streams,
            )
        except MonitorError:
            if waited_s >= signal.wait_s:
                raise


def _search(pylsl: Any, setting: str, predicate: str) -> Any:
    """A resolver for what fits ``predicate``; None without one."""
    if not predicate:
        return None
    try:
        return pylsl.ContinuousResolver(pred=predicate)
    except RuntimeError:
        raise MonitorError(
            f"setting signal.{setting} {predicate!r}: not an LSL predicate "
            "(one would be name='x' and type='EMG')"
        ) from None


def _refuse_unmatched(all_streams: Any, signal: SignalSection, emg: bool, where: str) -> None:
    """Nothing fits a predicate, or nothing is there: say what is there instead."""
    there = [str(_summary(info)) for info in _distinct(all_streams)]
    listed = f"there are {', '.join(there)}" if there else "no streams at all"
    what, predicate = ("marker", signal.markers_predicate) if emg else ("EMG", signal.predicate)
    fits = f" that fits {predicate}" if predicate else ""
    raise MonitorError(f"{where}: no {what} stream{fits}; {listed}")


def _distinct(resolver: Any) -> list[Any]:
    """What a resolver has found, each stream once, in a stable order."""
    found = {info.uid(): info for info in resolver.results()}
    return sorted(found.values(), key=lambda info: (info.name(), info.source_id(), info.uid()))


def _identity(info: Any) -> str:
    """What a stream keeps when its sender is started again; without a source_id, nothing."""
    if not info.source_id():
        return str(info.uid())
    return repr((info.name(), info.type(), info.source_id()))


def _summary(info: Any) -> StreamSummary:
    return StreamSummary(
        name=info.name(),
        type=info.type(),
        source_id=info.source_id(),
        channels=info.channel_count(),
        fs_hz=float(info.nominal_srate()),
        format=_FORMATS[info.channel_format()],
        hostname=info.hostname(),
    )


def _described(info: Any) -> tuple[list[str], list[str], Literal["live", "replay", "simulated"]]:
    """Labels and units from ``desc/channels/channel``; the kind from ``desc/mep-monitor/kind``."""
    desc = ElementTree.fromstring(info.as_xml()).find("desc")
    if desc is None:
        return [], [], "live"
    channels = desc.findall("channels/channel")
    kind = desc.findtext("mep-monitor/kind", "")
    return (
        [channel.findtext("label", "") for channel in channels],
        [channel.findtext("unit", "") for channel in channels],
        "simulated" if kind == "simulated" else "replay" if kind == "replay" else "live",
    )
