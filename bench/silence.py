"""The silent period against a truth: ``python -m bench.silence``.

A contracted muscle's activity, as the simulator makes it, stops with the response's onset and comes
back 40 to 250 ms after it. Printed: how often the monitor gives a silent period, and how far off it
is; and how often it gives one where the activity never stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)

from bench.measured import machine  # noqa: E402
from models import disturbances  # noqa: E402
from models.responses import Amplifier, Grid, draw_responses, log_uniform  # noqa: E402
from monitor import analyse  # noqa: E402
from monitor.types import FloatArray  # noqa: E402

SEED = 2026
FS_HZ = 5000.0
PRE_MS, POST_MS = 100.0, 400.0
INDEX = round(PRE_MS * FS_HZ / 1e3)
SILENT_MS = (40.0, 250.0)
#: Peak of the response over the SD of the activity.
SNR = (8.0, 60.0)
FINER = 4
FAR_MS = 10.0


def sweeps(
    rng: np.random.Generator, count: int, interrupted: bool
) -> tuple[FloatArray, FloatArray]:
    """(count, n) sweeps in uV, and the silent period of each in ms, from the response's onset."""
    n = round((PRE_MS + POST_MS) * FS_HZ / 1e3)
    amplifier = Amplifier(1500.0, 10.0)
    emg = np.zeros((0, n))
    while len(emg) < count:
        _, drawn, contracted = disturbances.noise(rng, 8 * count, n, FS_HZ, amplifier)
        emg = np.concatenate([emg, drawn[contracted]])
    emg = emg[:count] / emg[:count].std(axis=1, keepdims=True)
    grid = Grid(FS_HZ * FINER, 0.0, (n - INDEX) * FINER)
    responses = draw_responses(rng, count, grid, amplifier)
    silent_ms = np.maximum(rng.uniform(*SILENT_MS, count), responses.duration_ms + 15.0)
    t_ms = (np.arange(n) - INDEX) / FS_HZ * 1e3
    since_ms = t_ms[None, :] - responses.onset_ms[:, None]
    if interrupted:
        emg[(since_ms >= 0.0) & (since_ms < silent_ms[:, None])] = 0.0
    rows = emg + 0.1 * rng.standard_normal((count, n))
    rows[:, INDEX:] += log_uniform(rng, *SNR, (count, 1)) * responses.waves[:, ::FINER]
    return 10.0 * rows, silent_ms


def measured_ms(sweeps_uv: FloatArray) -> FloatArray:
    """(count,) the silent periods that the monitor gives, NaN for none."""
    found = analyse(sweeps_uv, FS_HZ, INDEX)
    return np.array([np.nan if m.silent_period_ms is None else m.silent_period_ms for m in found])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.silence", description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="sweeps of each kind")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng([SEED, 8])
    print(machine())
    rows, silent_ms = sweeps(rng, options.n, True)
    errors = measured_ms(rows) - silent_ms
    given = np.isfinite(errors)
    off = np.abs(errors[given])
    print(f"\nsilent for {SILENT_MS[0]:g}-{SILENT_MS[1]:g} ms: {options.n} sweeps")
    print(f"  given in {100 * given.mean():.1f} %")
    if given.any():
        print(
            f"  error: median {np.median(errors[given]):+.1f} ms; |error| median "
            f"{np.median(off):.1f}, p95 {np.quantile(off, 0.95):.1f} ms; "
            f"{100 * np.mean(off > FAR_MS):.1f} % beyond {FAR_MS:g} ms"
        )
    for low, high in ((40.0, 80.0), (80.0, 150.0), (150.0, 251.0)):
        part = (silent_ms >= low) & (silent_ms < high)
        if part.any():
            share = 100 * given[part].mean()
            print(f"  {low:g}-{high:g} ms: {part.sum()} sweeps, given in {share:.1f} %")
    never = measured_ms(sweeps(rng, options.n, False)[0])
    print(f"never silent: {options.n} sweeps, given in {100 * np.isfinite(never).mean():.1f} %")


if __name__ == "__main__":
    main()
