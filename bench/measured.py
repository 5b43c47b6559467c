"""What every benchmark prints: the machine, the versions, and percentiles of what was timed."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

LIBRARIES = ("numpy", "scipy", "numba", "onnxruntime", "pylsl", "fastapi", "uvicorn", "websockets")


def machine() -> str:
    """Processor, cores, memory, system, versions: four lines."""
    cpu = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return "\n".join(
        [
            f"machine   {cpu}, {os.cpu_count()} cores, {memory_gb:.0f} GiB; load {load}",
            f"system    {platform.system()} {platform.release()}, "
            f"{platform.python_implementation()} {platform.python_version()}",
            "versions  " + ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
            "threads   numba, BLAS and onnxruntime pinned to 1",
        ]
    )


def header(unit: str = "ms") -> str:
    """Column titles over :func:`row`."""
    titles = f"{'':<46}{'n':>7}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}  {unit}"
    return f"{titles}\n{'-' * len(titles)}"


def row(name: str, values: Sequence[float], limit: tuple[float, float] | None = None) -> str:
    """One line of percentiles; ``limit`` is (percentile, value) to hold it against."""
    data = np.asarray(values, dtype=float)
    p50, p95, p99 = np.percentile(data, [50, 95, 99])
    line = f"{name:<46}{data.size:>7}{p50:>9.3f}{p95:>9.3f}{p99:>9.3f}{data.max():>9.3f}"
    if limit is not None:
        percentile, wanted = limit
        got = float(np.percentile(data, percentile))
        line += f"  p{percentile:.0f} <= {wanted:g}: {'yes' if got <= wanted else 'NO'}"
    return line
