"""A long case as fast as it goes: ``python -m bench.replay``.

Generates a recording (4 h x 16 channels x 5 kHz, a thousand stimuli; 5 GB of XDF in the temporary
folder, or where ``--folder`` says), replays it as ``mep-monitor replay`` does, in a process of its
own, and says how long that took and how much memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.measured import machine
from monitor.sources import xdf_writer
from monitor.sources.input_order import (
    ACTS_ID,
    ACTS_TYPE,
    ORDER_ID,
    ORDER_LABELS,
    ORDER_TYPE,
    InputKind,
)

FS_HZ = 5000.0
CHANNELS = 16
STIMULI = 1000
CHUNK = 5000
WANTED_S, WANTED_MIB = 60.0, 1024.0
MUSCLES = ("APB", "ADM", "FDI", "BIC", "QUAD", "TA", "GC", "AH")
BEGIN_S = 1000.0


def generate(path: Path, hours: float, ticks_per_s: int) -> int:
    """Noise, mains, and a response to every stimulus; gives the number of samples.

    With ``ticks_per_s`` a recording of the monitor's own, with its ticks and the order of all.
    """
    labels = [f"{side}-{muscle}" for muscle in MUSCLES for side in "LR"]
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 3, (CHUNK, CHANNELS)).astype(np.float32)
    t_ms = np.arange(300) * 1e3 / FS_HZ
    since = t_ms[:, None] - 20.0 - np.arange(CHANNELS) % 8 * 2
    inside = (since > 0) & (since < 14)
    sweep = np.where(inside, 400 * np.sin(2 * np.pi * since / 14), 0.0).astype(np.float32)
    sweep += (3000 * np.exp(-t_ms / 0.4)).astype(np.float32)[:, None]
    n = int(hours * 3600 * FS_HZ) // CHUNK * CHUNK
    every = n // CHUNK // STIMULI  # a stimulus in every so many chunks
    with path.open("wb") as file:
        file.write(xdf_writer.file_header())
        file.write(
            xdf_writer.stream_header(
                1, name="bench", kind="EMG", source_id="bench", fs_hz=FS_HZ,
                channel_format="float32", labels=labels, unit="microvolts",
            )
        )  # fmt: skip
        file.write(
            xdf_writer.stream_header(
                2, name="stim", kind="Markers", source_id="stim", fs_hz=0.0,
                channel_format="string", labels=("marker",),
            )
        )  # fmt: skip
        if ticks_per_s:
            for stream_id, kind, of, names in (
                (ORDER_ID, ORDER_TYPE, "double64", ORDER_LABELS),
                (ACTS_ID, ACTS_TYPE, "string", ("act",)),
            ):
                file.write(
                    xdf_writer.stream_header(
                        stream_id, name=kind, kind=kind, source_id="", fs_hz=0.0,
                        channel_format=of, labels=names,
                    )
                )  # fmt: skip
        for first in range(0, n, CHUNK):
            # Rolled, so that no two chunks are the same and generating stays quick.
            values = np.roll(noise, first // CHUNK * 7, axis=0)
            stimulated = every and first // CHUNK % every == every // 2
            if stimulated:
                values[2000 : 2000 + len(sweep)] += sweep
            t_lsl = BEGIN_S + (first + np.arange(CHUNK)) / FS_HZ
            file.write(xdf_writer.samples(1, values, t_lsl))
            if stimulated:
                file.write(xdf_writer.text_sample(2, "TES C3C4 400V", float(t_lsl[2000])))
            if ticks_per_s:
                file.write(order(first, ticks_per_s, stimulated=bool(stimulated)))
        file.write(xdf_writer.stream_footer(1, n, BEGIN_S, BEGIN_S + n / FS_HZ))
        file.write(xdf_writer.stream_footer(2, STIMULI, BEGIN_S, BEGIN_S + n / FS_HZ))
    return n


def order(first: int, ticks_per_s: int, *, stimulated: bool) -> bytes:
    """The entries of one chunk, a second long: a look every so often, the marker in its place."""
    step = CHUNK // ticks_per_s
    entries = []
    for taken in range(first + step, first + CHUNK + 1, step):
        if stimulated and taken - step <= first + 2000 < taken:
            entries.append((InputKind.MARKER, taken))
        entries.append((InputKind.TICK, taken))
    values = np.array(entries, np.float64)
    return xdf_writer.samples(ORDER_ID, values, BEGIN_S + values[:, 1] / FS_HZ)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--folder", type=Path, help="where the generated file may lie")
    parser.add_argument(
        "--ticks-per-s",
        type=int,
        default=0,
        help="as the monitor recorded it, with so many looks a second; 0: as another program did",
    )
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="mep-bench-", dir=args.folder) as scratch:
        path, out = Path(scratch) / "bench.xdf", Path(scratch) / "out"
        n = generate(path, args.hours, args.ticks_per_s)
        size_gb = path.stat().st_size / 1e9
        print(f"\n{args.hours:g} h x {CHANNELS} channels x {FS_HZ / 1e3:g} kHz: {size_gb:.1f} GB")
        command = [sys.executable, "-m", "monitor", "replay", str(path), "--out", str(out)]
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise SystemExit(done.stderr)
        # Kibibytes; of the largest child, and the replay is the only one.
        memory_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        summary = json.loads((out / "summary.json").read_text())
    stimuli = ", ".join(f"{count} {name}" for name, count in summary["stimuli"].items())
    good_s, good_mib = ("yes" if a <= b else "NO"
                        for a, b in ((seconds, WANTED_S), (memory_mib, WANTED_MIB)))  # fmt: skip
    print(f"stimuli   {stimuli}")
    print(f"time      {seconds:.1f} s, {n / seconds / 1e6:.1f} M samples/s  "
          f"<= {WANTED_S:g} s: {good_s}")  # fmt: skip
    print(f"memory    {memory_mib:.0f} MiB at most  <= {WANTED_MIB:g} MiB: {good_mib}")
    print(f"load      {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
