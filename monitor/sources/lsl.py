"""A live EMG stream and its markers over Lab Streaming Layer.

Stamps are passed on raw. What a stream's clock is off by comes beside them, as
:class:`~monitor.types.ClockOffset`, measured in the background.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Set
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import msgspec

from monitor.config import SignalSection
from monitor.sources.base import Item
from monitor.sources.lsl_find import Network, Role, identity, summary
from monitor.sources.lsl_inlet import Inlet, MarkerInlet, NoConnection, SignalInlet
from monitor.sources.lsl_library import configure
from monitor.sources.lsl_presence import Presence, differs, misfit, not_taken, several
from monitor.types import Chunk, ClockOffset, MonitorError, Notice, StreamInfo, Tick

TICK_S = 0.05
#: Ticks are no closer than this while samples come.
TICK_LEAST_S = 0.02

#: A look at which streams are announced.
LOOK_INTERVAL_S = 1.0

#: How long a search goes on for a lost stream before it is begun again.
SEARCH_ANEW_S = 6.0

#: What may be lost again while it is being opened must not hold up the end of a case.
_OPEN_WAIT_S = 2.0

#: Two streams of one host are on one clock if their clocks are measured to be no further apart.
_SAME_CLOCK_S = 5e-3

#: A device whose clock is further from the one before it has another clock.
_OTHER_CLOCK_S = 1.0


class LslSource:
    """A :class:`~monitor.sources.base.Source` over LSL.

    A stream that is lost and comes back under its ``source_id`` is taken up again by liblsl, which
    waits for it in silence; so the network is watched beside it. A stream that nobody has announced
    for 5 s is gone, and that is a ``Notice``, as is its return. One that comes back under another
    ``source_id``, or without any, is found again by the predicate that it was chosen by, or, where
    there was none, by its name and type: if it is the only one that fits, of the same channels,
    rate and kind (no recording takes the place of a device). Otherwise the notice says why not. A
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
    def warnings(self) -> list[str]:
        return self._connected.warnings

    @property
    def offsets_shed(self) -> int:
        """Clock offsets that gave way to newer ones before they were read."""
        return self._connected.offsets_shed

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
    """The two inlets, open, and what is announced around them."""

    def __init__(
        self, pylsl: Any, signal: SignalSection, ignored: Set[str], trigger_channel: str
    ) -> None:
        self._pylsl = pylsl
        self._signal = signal
        self._ignored = ignored
        self._trigger_channel = trigger_channel
        network = Network(pylsl, signal)
        self._network: Network | None = network
        emg, marks = network.choose(bool(signal.markers_predicate or not trigger_channel))
        self._inlets: dict[Role, Inlet] = {}
        self._openings: dict[Role, _Opening] = {}
        #: Streams that are not it after all, by their uid, and why.
        self._refused: dict[str, str] = {}
        #: The only one that fitted when last looked; it must be so twice, as others may be slower.
        self._only: dict[Role, str] = {}
        self._retired: list[threading.Thread] = []
        self._shed_before = 0
        try:
            # Markers first: none that belongs to a sample that we get may be missed.
            if marks is not None:
                self._inlets["markers"] = MarkerInlet(pylsl, marks, signal)
            self._emg = SignalInlet(pylsl, emg, signal, ignored, trigger_channel)
            self._inlets = {"signal": self._emg, **self._inlets}
            deadline_s = time.monotonic() + signal.wait_s
            for inlet in self._inlets.values():
                inlet.wait_clock(deadline_s - time.monotonic())
        except MonitorError:
            self.close()
            raise
        self.info = StreamInfo(
            emg.name(), emg.source_id(), self._emg.fs_hz, self._emg.names, self._emg.described.kind
        )
        self.warnings = [
            f"LSL stream {inlet.info.name()!r}: no source_id; once lost it is found again by "
            "its name alone"
            for inlet in self._inlets.values()
            if not inlet.info.source_id()
        ]
        now_s = time.monotonic()
        self._presences: dict[Role, Presence] = {
            role: Presence(role, identity(inlet.info), summary(inlet.info), now_s)
            for role, inlet in self._inlets.items()
        }
        self._looked_s = 0.0
        self._searched_s = 0.0
        self._ticked_lsl = 0.0
        self._next_sample = 0

    @property
    def offsets_shed(self) -> int:
        return self._shed_before + sum(inlet.offsets_shed for inlet in self._inlets.values())

    def close(self) -> None:
        for opening in self._openings.values():
            opening.give_up()
        for inlet in self._inlets.values():
            inlet.close()
        for thread in self._retired:
            thread.join()
        self._network = None  # Nothing else ends its search.

    def read(self, timeout_s: float) -> list[Item]:
        self._take_over()
        chunk = self._pull_chunk(timeout_s)
        items: list[Item] = [*self._take_offsets()]
        if chunk is not None:
            items.append(chunk)
        marker_inlet = self._inlets.get("markers")
        markers = marker_inlet.pull() if isinstance(marker_inlet, MarkerInlet) else []
        items += markers
        items += self._look_around(chunk is not None, bool(markers))
        now_lsl = self._pylsl.local_clock()
        if chunk is None or now_lsl - self._ticked_lsl >= TICK_LEAST_S:
            self._ticked_lsl = now_lsl
            items.append(Tick(now_lsl))
        return items

    def _take_offsets(self) -> list[ClockOffset]:
        """What was measured of both clocks, or, where they are one, of that one for both.

        Streams of one machine carry stamps of one clock, and to compare them by two measurements
        would only add the error of these.
        """
        offsets = self._emg.take_offsets()
        markers = self._inlets.get("markers")
        if markers is None:
            return offsets
        own = markers.take_offsets()
        apart_s = abs(markers.offset_s - self._emg.offset_s)
        if markers.info.hostname() != self._emg.info.hostname() or apart_s > _SAME_CLOCK_S:
            return offsets + own
        return offsets + [replace(offset, stream="markers") for offset in offsets]

    def _pull_chunk(self, timeout_s: float) -> Chunk | None:
        if self._emg.for_good:
            time.sleep(timeout_s)
            return None
        pulled = self._emg.pull(timeout_s)
        if pulled is None:
            return None
        samples_uv, t_lsl = pulled
        chunk = Chunk(self._next_sample, samples_uv, t_lsl)
        self._next_sample += len(t_lsl)
        return chunk

    # ------------------------------------------------------------------ lost and found

    def _look_around(self, sampled: bool, marked: bool) -> list[Notice]:
        """Which streams went or came back, from what has just come and, once a second, a look."""
        assert self._network is not None
        now_s = time.monotonic()
        visible: set[str] | None = None
        if now_s - self._looked_s >= LOOK_INTERVAL_S:
            self._looked_s = now_s
            visible = {identity(info) for info in self._network.streams()}
        came = {"signal": sampled, "markers": marked}
        told: list[Notice | None] = []
        for role, presence in self._presences.items():
            for_good = self._inlets[role].for_good
            told.append(
                presence.observe(now_s, heard=came[role], visible=visible, for_good=for_good)
            )
            if presence.is_gone and visible is not None:
                told.append(presence.explain(self._seek(role, presence)))
        return [notice for notice in told if notice is not None]

    def _seek(self, role: Role, presence: Presence) -> str:
        """Look for who could be a lost stream again; gives why nobody is, if somebody nearly is."""
        assert self._network is not None
        if role in self._openings:
            return ""
        was = self._inlets[role].info
        whole: list[Any] = []
        why = ""
        for info in self._network.fitting(role, was):
            if info.uid() == was.uid() or identity(info) == identity(was):
                continue  # The lost stream itself is for liblsl to take up.
            unlike = misfit(presence.stream, summary(info)) or self._refused.get(info.uid(), "")
            if unlike:
                why = not_taken(summary(info), unlike)
            else:
                whole.append(info)
        before = self._only.pop(role, "")
        if not whole and not why and time.monotonic() - self._searched_s >= SEARCH_ANEW_S:
            self._searched_s = time.monotonic()
            self._network.search_anew(role)
        if len(whole) > 1:
            return several([summary(info) for info in whole])
        if not whole:
            return why
        uid = self._only[role] = str(whole[0].uid())
        if uid == before:
            self._openings[role] = _Opening(self, role, whole[0])
        return ""

    def open(self, role: Role, info: Any) -> Inlet:
        """Connect to a stream that may be ``role`` again; for a thread of its own.

        Raises:
            NoConnection: it can't be reached just now.
            MonitorError: it is not the same after all.
        """
        signal = msgspec.structs.replace(
            self._signal, wait_s=min(self._signal.wait_s, _OPEN_WAIT_S)
        )
        inlet: Inlet
        if role == "markers":
            inlet = MarkerInlet(self._pylsl, info, signal)
            unlike = differs((self._inlets[role].described.kind, ()), (inlet.described.kind, ()))
        else:
            signal_inlet = SignalInlet(
                self._pylsl, info, signal, self._ignored, self._trigger_channel
            )
            unlike = differs(
                (self.info.kind, self.info.channel_names),
                (signal_inlet.described.kind, signal_inlet.names),
            )
            inlet = signal_inlet
        try:
            if unlike:
                raise MonitorError(unlike)
            inlet.wait_clock(signal.wait_s)
        except MonitorError:
            inlet.close()
            raise
        return inlet

    def _take_over(self) -> None:
        """Put in place what was found and opened since the last read."""
        for role, opening in list(self._openings.items()):
            if not opening.over:
                continue
            del self._openings[role]
            inlet = opening.found
            if inlet is None:
                if opening.refusal:
                    self._refused[opening.uid] = opening.refusal
                continue
            if not self._presences[role].is_gone:
                # The old one is back meanwhile.
                self._retire(inlet)
                continue
            was = self._inlets[role]
            apart_s = inlet.offset_s - was.offset_s
            if abs(apart_s) > _OTHER_CLOCK_S:
                # Another machine's clock: the case goes on upon the first one's.
                inlet.shift_s = apart_s
            self._inlets[role] = inlet
            if isinstance(inlet, SignalInlet):
                self._emg = inlet
            self._presences[role].became(identity(inlet.info), summary(inlet.info))
            self._shed_before += was.offsets_shed
            self._retire(was)

    def _retire(self, inlet: Inlet) -> None:
        """Close an inlet without waiting for its clock's last answer."""
        thread = threading.Thread(target=inlet.close, name="lsl-retire", daemon=True)
        thread.start()
        self._retired.append(thread)


class _Opening:
    """Connects to a stream in the background: the signal must not wait for a marker stream.

    Attributes:
        uid: the stream's.
        over: it has come to an end:
        found: the open inlet, or
        refusal: why it is not to be had; empty where it may be tried again.
    """

    def __init__(self, connection: _Connection, role: Role, info: Any) -> None:
        self.uid = str(info.uid())
        self.over = False
        self.found: Inlet | None = None
        self.refusal = ""
        self._thread = threading.Thread(
            target=self._run, args=(connection, role, info), name=f"lsl-open-{role}", daemon=True
        )
        self._thread.start()

    def _run(self, connection: _Connection, role: Role, info: Any) -> None:
        try:
            self.found = connection.open(role, info)
        except NoConnection:
            pass
        except MonitorError as error:
            self.refusal = str(error)
        finally:
            self.over = True

    def give_up(self) -> None:
        """The source is closed: close what was opened."""
        self._thread.join()
        if self.found is not None:
            self.found.close()
