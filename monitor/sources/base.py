"""What a source is, and which one reads a given recording."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from monitor.config import CaseConfig, SignalSection
from monitor.inputs import Command
from monitor.types import (
    Chunk,
    ClockOffset,
    Marker,
    MonitorError,
    Notice,
    StreamInfo,
    Tick,
)

if TYPE_CHECKING:
    from monitor.sources.replay import Recording

Item = Chunk | Marker | ClockOffset | Tick | Notice | Command


def ignored_channels(config: CaseConfig) -> frozenset[str]:
    """Names of the channels that the case file leaves out (``ignore = true``)."""
    return frozenset(name for name, section in config.channels.items() if section.ignore)


@runtime_checkable
class Shedding(Protocol):
    """A source with a queue of its own: clock offsets that it had no room for."""

    @property
    def offsets_shed(self) -> int: ...


class Source(Protocol):
    """One EMG stream with its markers, its clock and the passing of time.

    Use it as a context manager and call :meth:`read` until :attr:`exhausted`. Clocks: stamps of
    chunks and markers are on their own stream's clock; a ``ClockOffset`` says what to add to get
    times on this machine's clock; ``ClockOffset.t_lsl`` and ``Tick.t_lsl`` are on this machine's
    clock already. For a recording "this machine" is the one that recorded. A ``Notice`` is a fault
    that only the source can see, such as a lost marker stream; its ``at_s`` is left at 0. A
    ``Command`` comes from a recording alone: what an operator did while it was made.
    """

    @property
    def info(self) -> StreamInfo:
        """The stream. Available from entering the context on."""

    @property
    def exhausted(self) -> bool:
        """A recording has ended and everything has been read. Never true for a live stream."""

    @property
    def warnings(self) -> Sequence[str]:
        """What is wrong with the input without stopping it, a line each, for people."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def read(self, timeout_s: float) -> list[Item]:
        """What is new, in the order in which it happened; [] if nothing came in ``timeout_s``."""


#: What :func:`open_recording` reads, by suffix.
READABLE = (".vhdr", ".xdf", ".edf", ".bdf")


def read_recording(
    path: Path,
    signal: SignalSection | None = None,
    ignored: Set[str] = frozenset(),
    trigger_channel: str = "",
) -> Recording:
    """A recording, by its file's suffix.

    Args:
        path: a BrainVision header (``.vhdr``), an XDF file (``.xdf``), or an EDF or BDF file, plus
            or not (``.edf``, ``.bdf``).
        signal: which streams (XDF), and the unit of samples that have none (XDF, EDF, BDF).
        ignored: names of channels that nobody looks at: they may be NaN or without a unit.
        trigger_channel: a channel that needs no unit, because it is no EMG.

    Raises:
        MonitorError: the file isn't there, has a suffix that can't be read, or is unusable.
    """
    # Here, not above: all build on modules that build on this one.
    from monitor.sources.brainvision import BrainVisionRecording
    from monitor.sources.edf import EdfRecording
    from monitor.sources.xdf import XdfRecording

    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise MonitorError(
            f"{path}: {suffix or 'a file without a suffix'} can't be read; "
            f"recordings that can: {', '.join(READABLE)}"
        )
    if not path.is_file():
        raise MonitorError(f"{path}: no such file")
    if suffix == ".vhdr":
        return BrainVisionRecording(path, ignored)
    if suffix in (".edf", ".bdf"):
        return EdfRecording(path, signal, trigger_channel)
    return XdfRecording(path, signal or SignalSection(), ignored, trigger_channel)


def open_recording(
    path: Path,
    signal: SignalSection | None = None,
    *,
    speed: float | None = None,
    chunk_samples: int | None = None,
    ignored: Set[str] = frozenset(),
    trigger_channel: str = "",
) -> Source:
    """The source that replays a recording.

    Args:
        path: as for :func:`read_recording`.
        signal: as for :func:`read_recording`.
        speed: None replays as fast as the reader reads, 1.0 in real time, 2.0 twice as fast. The
            items are the same at any speed.
        chunk_samples: samples a chunk; None takes 20 ms.
        ignored, trigger_channel: as for :func:`read_recording`.

    Raises:
        MonitorError: as for :func:`read_recording`, or ``speed`` or ``chunk_samples`` isn't
            positive.
    """
    from monitor.sources.replay import RecordingSource

    recording = read_recording(path, signal, ignored, trigger_channel)
    return RecordingSource(recording, speed=speed, chunk_samples=chunk_samples)
