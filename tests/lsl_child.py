"""Offers LSL streams as a test asks for them, as a process of its own.

``python tests/lsl_child.py SPEC``: SPEC is a JSON list of streams ``{name, type, source_id,
channels, fs_hz, format, labels, units, values, kind, drift, step_s, step_after_s}``. A regular
stream sends a ramp (sample i of channel c is i + 1000 c, modulo ``wrap``); an irregular one sends
``values`` in turn, ten a second. The device's rate is ``drift`` (a share) above the nominal one;
its clock goes ``step_s`` forward after ``step_after_s``. Ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import numpy as np

from monitor.sources.child import stop_event
from monitor.sources.lsl_library import configure

CHUNK_S = 0.02


def outlet_of(pylsl: Any, spec: dict[str, Any]) -> Any:
    info = pylsl.StreamInfo(
        spec["name"],
        spec.get("type", ""),
        spec.get("channels", 1),
        spec.get("fs_hz", 0.0),
        spec.get("format", "float32"),
        spec.get("source_id", spec["name"]),
    )
    if "kind" in spec:
        info.desc().append_child("mep-monitor").append_child_value("kind", spec["kind"])
    channels = info.desc().append_child("channels")
    labels = spec.get("labels", [])
    units = spec.get("units", [""] * len(labels))
    for label, unit in zip(labels, units, strict=True):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    return pylsl.StreamOutlet(info)


def stepped(spec: dict[str, Any], after_s: float) -> float:
    """How far the device's clock has been put forward by then."""
    return float(spec.get("step_s", 0.0)) if after_s >= spec.get("step_after_s", 0.0) else 0.0


def main() -> None:
    stop = stop_event()
    pylsl = configure("loopback")
    specs = json.loads(sys.argv[1])
    outlets = [(spec, outlet_of(pylsl, spec)) for spec in specs]

    def wait_for_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    print("ready", flush=True)
    begin_s = pylsl.local_clock()
    sent = dict.fromkeys(range(len(outlets)), 0)
    while not stop.wait(CHUNK_S):
        elapsed_s = pylsl.local_clock() - begin_s
        for k, (spec, outlet) in enumerate(outlets):
            if spec.get("fs_hz", 0.0) > 0:
                fs_hz = spec["fs_hz"] * (1.0 + spec.get("drift", 0.0))
                due = int(elapsed_s * fs_hz)
                ramp = np.arange(sent[k], due)[:, None] + 1000 * np.arange(spec["channels"])
                values = (ramp % spec.get("wrap", 2**31)).astype(outlet.np_dtype)
                if len(values):
                    after_s = (due - 1) / fs_hz
                    stamps = begin_s + np.arange(sent[k], due) / fs_hz + stepped(spec, after_s)
                    outlet.push_chunk(values, stamps.tolist())
            else:
                due = int(elapsed_s * 10)
                for i in range(sent[k], due):
                    value = spec["values"][i % len(spec["values"])]
                    outlet.push_sample([value], begin_s + i / 10 + stepped(spec, i / 10))
            sent[k] = due


if __name__ == "__main__":
    main()
