"""A simulated case over Lab Streaming Layer, as a process of its own.

``python -m monitor.sources.outlet --scenario demo --seed 1 --name mep-sim --fs 5000`` offers an EMG
stream ``mep-sim`` and a marker stream ``mep-sim-markers`` in real time, prints one line when both
can be found, and goes on until it is stopped or its parent dies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from monitor.sources.child import Stop, stop_event
from monitor.sources.lsl_library import configure
from monitor.sources.scenario import SCENARIOS, scenario_named
from monitor.sources.simulated import SimulatedCase
from monitor.types import MonitorError, StreamInfo


def emg_outlet(pylsl: Any, stream: StreamInfo, unit: str = "microvolts") -> Any:
    """An outlet of a float32 EMG stream with labels, units and what kind of data it is."""
    info = pylsl.StreamInfo(
        stream.name,
        "EMG",
        len(stream.channel_names),
        stream.fs_hz,
        pylsl.cf_float32,
        stream.source_id,
    )
    # The receiver marks a case that isn't live as such, everywhere.
    info.desc().append_child("mep-monitor").append_child_value("kind", stream.kind)
    channels = info.desc().append_child("channels")
    for name in stream.channel_names:
        channel = channels.append_child("channel")
        channel.append_child_value("label", name)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", "EMG")
    return pylsl.StreamOutlet(info)


def marker_outlet(
    pylsl: Any, name: str, source_id: str, kind: str, channel_format: str = "string"
) -> Any:
    """An outlet of an irregular marker stream; ``kind`` as of a :class:`StreamInfo`."""
    info = pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, channel_format, source_id)
    info.desc().append_child("mep-monitor").append_child_value("kind", kind)
    return pylsl.StreamOutlet(info)


def run(
    case: SimulatedCase,
    pylsl: Any,
    stop: Stop,
    *,
    name: str,
    source_id: str,
    chunk_ms: float = 10.0,
    duration_s: float | None = None,
) -> None:
    """Push a case in real time until ``stop`` or for ``duration_s``.

    Each sample is stamped with the time at which it would have been taken; a chunk leaves when its
    last sample is due, a marker right after the chunk that holds its time.
    """
    stream = StreamInfo(name, source_id, case.fs_hz, case.channel_names, "simulated")
    emg = emg_outlet(pylsl, stream)
    markers = marker_outlet(pylsl, f"{name}-markers", f"{source_id}-markers", stream.kind)
    n = max(1, round(chunk_ms * 1e-3 * case.fs_hz))
    print(f"ready: {name} and {name}-markers, source_id {source_id}", flush=True)
    begin_s = pylsl.local_clock()
    while not stop.is_set():
        block = case.next_block(n)
        last_s = begin_s + (block.first_sample + n - 1) / case.fs_hz
        wait_s = last_s - pylsl.local_clock()
        if wait_s > 0 and stop.wait(wait_s):
            break
        emg.push_chunk(block.samples_uv, last_s)
        for truth in block.stimuli:
            markers.push_sample([truth.marker], begin_s + truth.stimulus_s)
        if duration_s is not None and last_s - begin_s >= duration_s:
            break


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    stop = stop_event()
    parser = argparse.ArgumentParser(prog="python -m monitor.sources.outlet", description=__doc__)
    parser.add_argument("--scenario", default="demo", help=", ".join(sorted(SCENARIOS)))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="mep-sim", help="name of the EMG stream")
    parser.add_argument("--source-id", default="", help="default: name, scenario and seed")
    parser.add_argument("--fs", type=float, default=5000.0, help="sampling rate in Hz")
    parser.add_argument("--interval", type=float, help="seconds between stimuli")
    parser.add_argument("--duration", type=float, help="seconds; default: until stopped")
    parser.add_argument("--chunk-ms", type=float, default=10.0)
    parser.add_argument(
        "--lsl-scope", default="loopback", choices=("loopback", "link", "site", "default")
    )
    args = parser.parse_args(argv)
    try:
        scenario = scenario_named(args.scenario)
        if args.interval is not None:
            scenario = scenario.at_interval(args.interval)
        case = SimulatedCase(args.seed, args.fs, scenario)
        run(
            case,
            configure(args.lsl_scope),
            stop,
            name=args.name,
            source_id=args.source_id or f"{args.name}-{scenario.name}-{args.seed}",
            chunk_ms=args.chunk_ms,
            duration_s=args.duration,
        )
    except MonitorError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
