"""Offers a recording over Lab Streaming Layer, as if it were happening now.

Stamps: each stream's recorded stamps are brought onto the recording machine's clock by the clock
offset that was known at that moment of the recording, then moved by one constant, so that the first
sample is stamped with the time at which it is pushed. Intervals, jitter, holes and lateness stay as
recorded. Names are the original ones; a ``source_id`` gets ``replay:`` in front, so that no inlet
that lost the real device takes up its recording instead.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.config import SignalSection, load
from monitor.sources.base import ignored_channels, read_recording
from monitor.sources.child import Stop, stop_event
from monitor.sources.lsl_library import configure
from monitor.sources.outlet import emg_outlet, marker_outlet
from monitor.sources.replay import Recording, RecordingSource
from monitor.types import Chunk, ClockOffset, Marker, MonitorError

_LARGEST_INT32 = 2**31 - 1


def republish(
    path: Path,
    signal: SignalSection,
    stop: Stop,
    *,
    ready: Callable[[], None] = lambda: None,
    settle_s: float = 0.5,
    wait_s: float = 0.0,
    ignored: Set[str] = frozenset(),
    trigger_channel: str = "",
) -> None:
    """Push a recording in real time until it ends or ``stop`` is set.

    Args:
        path: the recording.
        signal: which of its streams, the unit where it has none, and how far LSL may reach.
        stop: checked at least every 50 ms.
        ready: called when both streams can be found.
        trigger_channel: a channel that needs no unit, because it is no EMG.
        settle_s: time between ``ready`` and the first sample, for a receiver to connect, and
            between the last sample and the end, for it to get there.
        wait_s: how much longer to wait for somebody to be connected to both streams.
        ignored: channels that nobody looks at.

    Raises:
        MonitorError: an unusable recording, or LSL isn't to be had.
    """
    recording = read_recording(path, signal, ignored, trigger_channel)
    pylsl = configure(signal.lsl_scope)
    source_id = f"replay:{recording.info.source_id or path.name}"
    emg = emg_outlet(pylsl, replace(recording.info, source_id=source_id))
    markers = _marker_outlet(pylsl, recording, source_id)
    ready()
    if stop.wait(settle_s):
        return
    deadline_s = time.monotonic() + wait_s
    while not (emg.have_consumers() and markers.have_consumers()):
        if time.monotonic() >= deadline_s or stop.wait(0.02):
            break
    _push(recording, pylsl, emg, markers, stop)
    stop.wait(settle_s)


def _push(recording: Recording, pylsl: Any, emg: Any, markers: Any, stop: Stop) -> None:
    value_of = str if markers.channel_format == pylsl.cf_string else int
    offset_s = {"signal": 0.0, "markers": 0.0}
    shift_s: float | None = None
    waiting: list[Marker] = []
    with RecordingSource(recording, speed=1.0) as source:
        while not source.exhausted and not stop.is_set():
            for item in source.read(0.05):
                if isinstance(item, ClockOffset):
                    offset_s[item.stream] = item.offset_s
                elif isinstance(item, Chunk):
                    stamps = item.t_lsl + offset_s["signal"]
                    if shift_s is None:
                        shift_s = pylsl.local_clock() - float(stamps[0])
                    emg.push_chunk(item.samples_uv, (stamps + shift_s).tolist())
                elif isinstance(item, Marker):
                    waiting.append(item)
            # Markers before the first sample wait for it: only then is the shift known.
            if shift_s is not None:
                for marker in waiting:
                    stamp = marker.t_lsl + offset_s["markers"] + shift_s
                    markers.push_sample([value_of(marker.value)], stamp)
                waiting.clear()


def _marker_outlet(pylsl: Any, recording: Recording, source_id: str) -> Any:
    """Text if any marker is text, else whole numbers of 32 or, where they need it, 64 bits."""
    values = [marker.value for marker in recording.markers]
    numbers = [abs(value) for value in values if isinstance(value, int)]
    channel_format = "string"
    if numbers and len(numbers) == len(values):
        channel_format = "int32" if max(numbers) <= _LARGEST_INT32 else "int64"
    name = recording.markers_name or f"{recording.info.name}-markers"
    return marker_outlet(pylsl, name, f"{source_id}-markers", "replay", channel_format)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    stop = stop_event()
    parser = argparse.ArgumentParser(
        prog="python -m monitor.sources.republish",
        description="Offers a recording over LSL in real time.",
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--config", type=Path, help="case file; its [signal] section is used")
    parser.add_argument(
        "--wait", type=float, default=0.0, help="seconds to wait for a receiver of both streams"
    )
    args = parser.parse_args(argv)
    try:
        config = load(args.config)
        ready = f"ready: {args.recording.name}"
        republish(
            args.recording,
            config.signal,
            stop,
            ready=lambda: print(ready, flush=True),
            ignored=ignored_channels(config),
            trigger_channel=config.stimulus.trigger_channel,
            wait_s=args.wait,
        )
    except MonitorError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
