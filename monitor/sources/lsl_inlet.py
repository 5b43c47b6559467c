"""One open LSL stream, and its clock being watched.

Buffers and what they do when full: liblsl holds 360 s of samples per stream and then drops the
oldest (the stamps show the hole); clock offsets wait in a queue of 64 and the oldest gives way,
counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Set
from typing import Any

import numpy as np

from monitor.config import SignalSection
from monitor.sources.lsl_find import Described, Role, described
from monitor.sources.streams import channel_names, marker_value
from monitor.sources.units import stream_scale_uv
from monitor.types import ClockOffset, Float32Array, FloatArray, Marker, MonitorError

BUFFER_S = 360
CLOCK_INTERVAL_S = 5.0
CLOCK_RETRY_S = 1.0
OFFSETS_HELD = 64
_MARKERS_AT_ONCE = 256


class NoConnection(MonitorError):
    """The stream is announced and can't be reached just now."""


class Inlet:
    """An inlet, what its stream says of itself, and the thread that measures its clock.

    Attributes:
        info: what the resolver found of it.
        described: its own description.
        for_good: it broke off and liblsl can't find it again, because it has no source_id.
        shift_s: added to its stamps, and taken off its clock offsets.
    """

    def __init__(self, pylsl: Any, info: Any, role: Role, wait_s: float) -> None:
        """Connect, without waiting for a clock offset yet.

        Raises:
            NoConnection: found, but not reached within ``wait_s``.
        """
        self._pylsl = pylsl
        self._inlet = pylsl.StreamInlet(info, BUFFER_S, recover=True)
        self.info = info
        self.for_good = False
        self.shift_s = 0.0
        try:
            self.described: Described = described(self._inlet.info(wait_s))
            self._inlet.open_stream(wait_s)
        except (pylsl.util.TimeoutError, pylsl.util.LostError):
            raise NoConnection(
                f"LSL stream {info.name()!r}: found, but no connection within {wait_s:g} s "
                "(signal.wait_s)"
            ) from None
        self._clock = ClockWatch(pylsl, role, self._inlet)

    def wait_clock(self, timeout_s: float) -> None:
        """Wait for the first clock offset.

        Raises:
            NoConnection: none came.
        """
        if not self._clock.wait_first(timeout_s):
            raise NoConnection(
                f"LSL stream {self.info.name()!r}: its clock can't be compared with this "
                f"machine's (no answer within {max(timeout_s, 0.0):.1f} s; is UDP blocked?)"
            )

    def take_offsets(self) -> list[ClockOffset]:
        """Clock offsets measured since the last call, oldest first."""
        self.for_good |= self._clock.lost
        return [
            ClockOffset(offset.stream, offset.t_lsl, offset.offset_s - self.shift_s)
            for offset in self._clock.take()
        ]

    @property
    def offset_s(self) -> float:
        """The latest clock offset."""
        return self._clock.latest_s - self.shift_s

    @property
    def offsets_shed(self) -> int:
        """Clock offsets that gave way to newer ones before anybody read them."""
        return self._clock.shed

    def close(self) -> None:
        """Returns when its thread has ended: an inlet must not go while it is being asked."""
        self._clock.stop()
        self._inlet.close_stream()

    def _lost(self) -> None:
        self.for_good = True


class SignalInlet(Inlet):
    """The EMG stream."""

    def __init__(
        self, pylsl: Any, info: Any, signal: SignalSection, ignored: Set[str], trigger_channel: str
    ) -> None:
        """Connect.

        Raises:
            NoConnection: it can't be reached.
            MonitorError: channels without a unit.
        """
        super().__init__(pylsl, info, "signal", signal.wait_s)
        said = self.described
        self.fs_hz = float(info.nominal_srate())
        self.names = channel_names(said.labels, info.channel_count())
        units = [*said.units, *[""] * len(self.names)][: len(self.names)]
        where = f"LSL stream {info.name()!r}"
        try:
            self._scale_uv = stream_scale_uv(
                self.names, units, signal, where, ignored, trigger_channel
            )
        except MonitorError:
            self.close()
            raise
        self._most_samples = max(256, round(0.2 * self.fs_hz))
        shape = self._most_samples, len(self.names)
        self._buffer = np.empty(shape, dtype=self._inlet.np_dtype)
        self._plain = self._buffer.dtype == np.float32 and bool(np.all(self._scale_uv == 1.0))

    def pull(self, timeout_s: float) -> tuple[Float32Array, FloatArray] | None:
        """New samples (n, channels) uV and their stamps (n,); None where none came in time."""
        try:
            # min_samples=1: wait in liblsl for the first sample, then take what else is there.
            raw, stamps = self._inlet.pull_chunk(
                timeout_s, self._most_samples, dest_obj=self._buffer, min_samples=1, as_numpy=True
            )
        except self._pylsl.util.LostError:
            self._lost()
            return None
        if not len(stamps):
            return None
        samples_uv = raw.copy() if self._plain else (raw * self._scale_uv).astype(np.float32)
        t_lsl = np.asarray(stamps, dtype=np.float64)
        return samples_uv, t_lsl + self.shift_s if self.shift_s else t_lsl


class MarkerInlet(Inlet):
    """The marker stream."""

    def __init__(self, pylsl: Any, info: Any, signal: SignalSection) -> None:
        """Connect.

        Raises:
            NoConnection: it can't be reached.
        """
        super().__init__(pylsl, info, "markers", signal.wait_s)

    def pull(self) -> list[Marker]:
        """New markers, without waiting."""
        if self.for_good or not self._inlet.samples_available():
            return []
        try:
            # As numpy: text comes as bytes, of which a bad one must not end the case.
            values, stamps = self._inlet.pull_chunk(0.0, _MARKERS_AT_ONCE, as_numpy=True)
        except self._pylsl.util.LostError:
            self._lost()
            return []
        return [
            Marker(float(stamp) + self.shift_s, marker_value(row[0]))
            for stamp, row in zip(stamps, values, strict=True)
        ]


class ClockWatch:
    """Measures one stream's clock offset every 5 s, in a thread of its own.

    Attributes:
        lost: the stream broke off and liblsl can't find it again.
        latest_s: the latest offset.
        shed: offsets that nobody read in time.
    """

    def __init__(self, pylsl: Any, role: Role, inlet: Any) -> None:
        self._pylsl = pylsl
        self._role: Role = role
        self._inlet = inlet
        self._offsets: deque[ClockOffset] = deque()
        self.lost = False
        self.latest_s = 0.0
        self.shed = 0
        self._stop = threading.Event()
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lsl-clock-{role}", daemon=True)
        self._thread.start()

    def wait_first(self, timeout_s: float) -> bool:
        """Whether the first offset came within ``timeout_s``."""
        return self._first.wait(max(timeout_s, 0.0))

    def take(self) -> list[ClockOffset]:
        """What was measured since the last call."""
        taken = []
        while self._offsets:
            taken.append(self._offsets.popleft())
        return taken

    def stop(self) -> None:
        """Returns when the thread has ended."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                offset_s = self._inlet.time_correction(timeout=1.0)
            except self._pylsl.util.TimeoutError:  # not Python's own
                continue
            except self._pylsl.util.LostError:
                # Only a stream without a source_id; an inlet without samples does not say so.
                self.lost = True
                return
            except (RuntimeError, ValueError):
                # Whatever else liblsl may say: the clock is asked again, or it would drift unseen.
                self._stop.wait(CLOCK_RETRY_S)
                continue
            self.latest_s = offset_s
            if len(self._offsets) >= OFFSETS_HELD:
                self._offsets.popleft()
                self.shed += 1
            self._offsets.append(ClockOffset(self._role, self._pylsl.local_clock(), offset_s))
            self._first.set()
            self._stop.wait(CLOCK_INTERVAL_S)
