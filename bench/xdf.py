"""Loading an XDF recording: the monitor's reader and pyxdf on the same generated files.

Both give every sample and every stamp, as recorded: pyxdf with clock fit and dejitter off. Ours is
timed with opening and its first pass over the file.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyxdf

from bench.measured import header, machine, row
from monitor.sources.xdf_file import XdfFile
from monitor.sources.xdf_samples import Samples

FS_HZ = 5000
CHANNELS = 16
SECONDS = 60
REPEATS = 9
WANTED_RATIO = 10.0

_HEADER = (
    f"<?xml version='1.0'?><info><name>bench</name><type>EMG</type>"
    f"<channel_count>{CHANNELS}</channel_count><nominal_srate>{FS_HZ}</nominal_srate>"
    f"<channel_format>float32</channel_format><desc/></info>"
)


def _chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def generate(path: Path, chunk_samples: int, stamp_every: int) -> int:
    """Write a recording of noise, every ``stamp_every``-th sample stamped; gives its length."""
    n = FS_HZ * SECONDS
    rng = np.random.default_rng(1)
    values = rng.normal(0, 20, (n, CHANNELS)).astype("<f4")
    stamps_s = 1000.0 + np.arange(n) / FS_HZ
    stamped_sample = np.dtype([("flag", "u1"), ("stamp", "<f8"), ("values", "<f4", (CHANNELS,))])
    with path.open("wb") as file:
        file.write(b"XDF:" + _chunk(1, b"<?xml version='1.0'?><info/>"))
        file.write(_chunk(2, struct.pack("<I", 1) + _HEADER.encode()))
        for start in range(0, n, chunk_samples):
            stop = min(start + chunk_samples, n)
            records = np.zeros(stop - start, dtype=stamped_sample)
            records["flag"] = 8
            records["stamp"] = stamps_s[start:stop]
            records["values"] = values[start:stop]
            content = records.tobytes()
            if stamp_every > 1:
                step = stamped_sample.itemsize
                content = b"".join(
                    content[k * step : (k + 1) * step]
                    if k % stamp_every == 0
                    else b"\x00" + content[k * step + 9 : (k + 1) * step]
                    for k in range(stop - start)
                )
            file.write(_chunk(3, struct.pack("<IBI", 1, 4, stop - start) + content))
        file.write(_chunk(6, struct.pack("<I", 1) + b"<?xml version='1.0'?><info/>"))
    return n


def ours(path: Path) -> Samples:
    with XdfFile(path) as file:
        return file.read(1)


def theirs(path: Path) -> Samples:
    (stream,), _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    return Samples(stream["time_stamps"], stream["time_series"])


def side_by_side_ms(path: Path) -> tuple[list[float], list[float]]:
    """Load times of ours and of pyxdf, in turns, so that a busy machine slows both."""
    times_ms: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for load, into in zip((ours, theirs), times_ms, strict=True):
            begin_s = time.perf_counter()
            load(path)
            into.append(1e3 * (time.perf_counter() - begin_s))
    return times_ms


def main() -> int:
    print(machine())
    print(f"peer      pyxdf {version('pyxdf')}")
    print(f"file      {CHANNELS} x float32, {FS_HZ} Hz, {SECONDS} s, read from the page cache\n")
    print(header())
    reached = True
    for name, chunk_samples, stamp_every in (
        ("fully stamped, 0.5 s chunks", FS_HZ // 2, 1),
        ("fully stamped, 20 ms chunks", FS_HZ // 50, 1),
        ("every 10th sample stamped, 0.5 s chunks", FS_HZ // 2, 10),
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.xdf"
            n = generate(path, chunk_samples, stamp_every)
            got, expected = ours(path), theirs(path)
            if not all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True)):
                print(f"{name}: the two don't agree")
                return 1
            ours_ms, theirs_ms = side_by_side_ms(path)
        print(row(f"{name}: ours", ours_ms))
        print(row(f"{name}: pyxdf", theirs_ms))
        ratio = float(np.median(theirs_ms) / np.median(ours_ms))
        met = ratio >= WANTED_RATIO
        reached &= met
        rates = [n / np.median(times) / 1e3 for times in (ours_ms, theirs_ms)]
        print(
            f"  {n} samples: {rates[0]:.1f} against {rates[1]:.2f} million samples/s, "
            f"{ratio:.0f} times pyxdf; at least {WANTED_RATIO:g}: {'yes' if met else 'NO'}\n"
        )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
