"""How long a sweep, a trial and an alarm take: ``python -m bench.latency``.

Three measurements, each bounded:

1. a sweep and a trial of 16 muscles through the core, by stage (in this process, one thread),
   with the plain-numpy TKEO of the literature beside ours;
2. last sample pushed to LSL -> epoch in hand (source in a process of its own, chunks of 1 ms),
   with a bare pylsl inlet on the same stream as the floor;
3. last sample of the epoch -> trial and alarm decoded by a WebSocket client, through the whole
   product as ``mep-monitor run`` starts it (:mod:`bench.latency_client`, which runs alone too).
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections.abc import Callable

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)
from msgspec.structs import replace  # noqa: E402

from bench.latency_client import child, first_line, outlet, to_client  # noqa: E402
from bench.measured import header, machine, row  # noqa: E402
from monitor import config  # noqa: E402
from monitor.acquire.acquisition import Acquisition  # noqa: E402
from monitor.load_network import load_network  # noqa: E402
from monitor.measure import detect, envelope  # noqa: E402
from monitor.measure.clean import clean_sweeps  # noqa: E402
from monitor.measure.epoch import EpochMeasurer  # noqa: E402
from monitor.measure.filters import band_and_smooth  # noqa: E402
from monitor.measure.onset import onset_place  # noqa: E402
from monitor.measure.plan import plan_sweeps  # noqa: E402
from monitor.measure.resample import network_window  # noqa: E402
from monitor.track.tracker import Tracker  # noqa: E402
from monitor.types import Channel, Epoch, Stimulus  # noqa: E402

MUSCLES = ("APB", "ADM", "FDI", "BIC", "QUAD", "TA", "GC", "AH")
CHANNELS = tuple(
    Channel(f"{side[0].upper()}-{muscle}", muscle, side)  # type: ignore[arg-type]
    for muscle in MUSCLES
    for side in ("left", "right")
)
FS_HZ = 5000.0
INDEX, N_SAMPLES = 500, 1250
CV, LEFT, LEARNING = 0.35, 0.3, 20
"""Of the tracker's trials: variability as published of a muscle at rest (abductor hallucis), what
is left of a muscle in alarm, and trials that go ahead."""


def sweeps(k: int, seed: int, amplitudes_uv: np.ndarray | None = None) -> np.ndarray:
    """Sweeps (k, n) float32 with mains, noise, an artefact and a response each.

    Peaks are ``amplitudes_uv`` (k,) high; None: of any height.
    """
    rng = np.random.default_rng(seed)
    t_ms = (np.arange(N_SAMPLES) - INDEX) / FS_HZ * 1e3
    out = rng.normal(0, 3, (k, N_SAMPLES)) + 40 * np.sin(2 * np.pi * 0.05 * t_ms)
    for c in range(k):
        since = t_ms - 24 - (c % 8)
        wave = np.where((since > 0) & (since < 14), np.sin(2 * np.pi * since / 14), 0.0)
        any_uv = rng.uniform(100, 900)
        out[c] += (any_uv if amplitudes_uv is None else amplitudes_uv[c]) * wave
        out[c] += np.where(t_ms >= 0, 3000 * np.exp(-t_ms / 0.4), 0.0)
    return out.astype(np.float32)


def timed(call: Callable[[], object], n: int) -> list[float]:
    """Milliseconds of ``n`` calls, after a tenth as many unmeasured ones."""
    for _ in range(max(3, n // 10)):
        call()
    out = []
    for _ in range(n):
        begin = time.perf_counter()
        call()
        out.append((time.perf_counter() - begin) * 1e3)
    return out


def numpy_tkeo_onset(x: np.ndarray) -> int:
    """The usual vectorised TKEO onset: threshold mean + 8 SD, first of 5 samples in a row."""
    psi = np.abs(x[1:-1] ** 2 - x[:-2] * x[2:])
    above = psi > psi[: INDEX - 5].mean() + 8 * psi[: INDEX - 5].std()
    runs = np.convolve(above[INDEX + 20 :], np.ones(5), "valid") >= 5
    return int(np.argmax(runs)) + INDEX + 20


def core(n: int) -> None:
    """One sweep by stage, then whole, then 16 muscles."""
    network = load_network()
    plan = plan_sweeps(FS_HZ, N_SAMPLES, INDEX)
    x = sweeps(1, 1).astype(np.float64)
    cleaned = clean_sweeps(x, plan)
    band, smooth = band_and_smooth(cleaned, plan)
    window = network_window(cleaned, FS_HZ, INDEX + 0.3)
    windows = np.repeat(window, 16, axis=0)
    width = int(detect.ENERGY_MS * FS_HZ / 1e3)

    places = np.empty(256)

    def onset() -> None:
        onset_place(band[0], smooth[0], INDEX + 20, INDEX + 180, 0, INDEX - 10, FS_HZ, places)

    print("\n1. core, in this process\n" + header())
    print(row("sweep: artefact and mains", timed(lambda: clean_sweeps(x, plan), n)))
    print(
        row(
            "sweep: band-pass and low-pass, zero phase",
            timed(lambda: band_and_smooth(cleaned, plan), n),
        )
    )
    taps = envelope.hilbert_taps(FS_HZ)

    def hull() -> None:
        envelope.hilbert_envelope(band[0], INDEX + 120, INDEX + 620, taps)

    print(row("sweep: Hilbert envelope, 100 ms", timed(hull, n)))
    print(row("sweep: energy detector", timed(lambda: detect.running_rms(band[0], width), n)))
    print(row("sweep: TKEO onset, by likelihood", timed(onset, n)))
    print(
        row(
            "   peer: TKEO onset in numpy, by threshold",
            timed(lambda: numpy_tkeo_onset(band[0]), n),
        )
    )
    print(row("sweep: resampled for the network",
              timed(lambda: network_window(cleaned, FS_HZ, INDEX + 0.3), n)))  # fmt: skip
    print(row("sweep: network", timed(lambda: network(window), n)))
    print(row("16 muscles: network", timed(lambda: network(windows), n), (50, 0.4)))
    for k, limit in ((1, (99, 0.3)), (16, (50, 1.0))):
        taken, idle = trials(k, n)
        print(row(f"{k:>2} muscle(s): filter to alarm decision", taken, limit))
        print(row("   floor: a busy loop of that length after each", idle))
        print(row("   amplitudes jump about, half in alarm", trials(k, n, steady=False)[0]))
    print("16 muscles: baseline, estimate and alarms, from the measurements in hand")
    print(row("   stable, amplitudes vary by 35 %: the budget", tracked(n), (50, 0.1)))
    print(row("   half of them down to 30 %, in alarm", tracked(n, down=8)))
    many = sweeps(1000, 5)
    whole = EpochMeasurer(FS_HZ, CHANNELS[:1] * 1000, config.CaseConfig(), network)
    print(
        row(
            "1000 sweeps in one call", timed(lambda: whole.measure(as_epoch(1, many)), 5), (50, 100)
        )
    )


def as_epoch(number: int, samples_uv: np.ndarray, interval_s: float = 1.0) -> Epoch:
    at_s = interval_s * number
    return Epoch(number, Stimulus(at_s, "bench"), at_s, 0, INDEX, 0.3, FS_HZ, samples_uv)


def trials(k: int, n: int, *, steady: bool = True) -> tuple[list[float], list[float]]:
    """Milliseconds from an epoch in hand to every event of it, and of a busy loop after each.

    ``n`` trials of ``k`` muscles. The busy loop computes as long as a trial usually does, to no
    end: what its slowest ones take more than the usual is the machine's own.

    Args:
        k: muscles.
        n: trials that count.
        steady: amplitudes vary by :data:`CV` about each muscle's own; else they jump about from 100
            to 900 uV, so that half of the muscles are in alarm at any time.
    """
    case = config.CaseConfig()
    measurer = EpochMeasurer(FS_HZ, CHANNELS[:k], case, load_network())
    measurer.warm_up()
    tracker = Tracker(CHANNELS[:k], case)
    tracker.warm_up()
    rng = np.random.default_rng(7)
    usual_uv = rng.uniform(100, 900, k)
    shares = np.exp(math.sqrt(math.log1p(CV**2)) * rng.standard_normal((40, k)))
    material = [sweeps(k, seed, usual_uv * shares[seed] if steady else None) for seed in range(40)]
    # As the engine does before a case.
    gc.collect()
    gc.freeze()
    out: list[float] = []
    idle: list[float] = []
    computed: list[float] = []
    turns = 0
    for number in range(1, LEARNING + n + 1):
        epoch = as_epoch(number, material[number % 40])
        computed.append(-time.thread_time())
        begin = time.perf_counter()
        measurements, shown = measurer.measure(epoch)
        for _ in tracker.trial(epoch, measurements, shown):
            pass
        taken = time.perf_counter()
        computed[-1] += time.thread_time()
        for _ in range(turns):
            pass
        done = time.perf_counter()
        out.append((taken - begin) * 1e3)
        idle.append((done - taken) * 1e3)
        if number == LEARNING:
            turns = round(turns_per_s() * float(np.median(computed)))
    gc.unfreeze()
    return out[LEARNING:], idle[LEARNING:]


def turns_per_s() -> float:
    """Turns of an empty loop in a second of computing: the median of some tries."""
    tries = []
    for _ in range(50):
        begin = time.thread_time()
        for _ in range(10_000):
            pass
        tries.append(10_000 / (time.thread_time() - begin))
    return float(np.median(tries))


def tracked(n: int, down: int = 0) -> list[float]:
    """Milliseconds of ``n`` trials of 16 muscles in the tracker, from their measurements in hand.

    Amplitudes vary by :data:`CV` about each muscle's own, a trial every 20 s; ``down`` muscles are
    down to :data:`LEFT` from the end of learning on. Trials before that are not counted.
    """
    case, k = config.CaseConfig(), len(CHANNELS)
    measurer = EpochMeasurer(FS_HZ, CHANNELS, case, load_network())
    measured, shown = measurer.measure(as_epoch(0, sweeps(k, 0)))
    tracker = Tracker(CHANNELS, case)
    tracker.warm_up()
    rng = np.random.default_rng(7)
    usual_uv = rng.uniform(100, 900, k)
    sd = math.sqrt(math.log1p(CV**2))
    out = []
    for number in range(1, LEARNING + n + 1):
        share = np.exp(sd * rng.standard_normal(k))
        share[:down] *= LEFT if number > LEARNING else 1.0
        measurements = tuple(
            replace(m, amplitude_uv=uv, amplitude_lower_uv=0.95 * uv, amplitude_upper_uv=1.05 * uv)
            for m, uv in zip(measured, (usual_uv * share).tolist(), strict=True)
        )
        epoch = as_epoch(number, shown, 20.0)
        begin = time.perf_counter()
        for _ in tracker.trial(epoch, measurements, shown):
            pass
        if number > LEARNING:
            out.append((time.perf_counter() - begin) * 1e3)
    return out


# --------------------------------------------------------------------------- over LSL


def lsl_to_epoch(fs_hz: float, seconds: float) -> None:
    """Ours and a bare inlet on the same stream: last sample's stamp -> in hand."""
    from monitor.sources.lsl import LslSource
    from monitor.sources.lsl_library import configure

    pylsl = configure("loopback")
    case = config.from_mapping(
        {
            "signal": {
                "predicate": "name='bench-epoch'",
                "markers_predicate": "name='bench-epoch-markers'",
            },
            "epoch": {"ring_s": 5.0},
        },
        "bench",
    )
    ours: list[float] = []
    floor: list[float] = []
    with child(*outlet("bench-epoch", fs_hz, "stable", 0.25)) as source:
        first_line(source.stdout)
        with LslSource(case.signal) as lsl:
            acquisition = Acquisition(lsl.info, case)
            after_s = case.epoch.post_ms / 1e3
            cpu, begin = time.process_time(), time.perf_counter()
            while time.perf_counter() - begin < seconds:
                for item in lsl.read(0.05):
                    for epoch in acquisition.feed(item):
                        if isinstance(epoch, Epoch):
                            last = epoch.stimulus.t_lsl + after_s
                            ours.append((pylsl.local_clock() - last) * 1e3)
            share = (time.process_time() - cpu) / (time.perf_counter() - begin)
        found = pylsl.resolve_byprop("name", "bench-epoch", 1, 5.0)
        inlet = pylsl.StreamInlet(found[0], max_buflen=10)
        inlet.open_stream(5.0)
        begin = time.perf_counter()
        while time.perf_counter() - begin < min(seconds, 5.0):
            _, stamps = inlet.pull_chunk(timeout=0.05, min_samples=1)
            if len(stamps):
                floor.append((pylsl.local_clock() - stamps[-1]) * 1e3)
        inlet.close_stream()
    print(row(f"{fs_hz / 1e3:g} kHz x 8: last sample -> epoch in hand", ours[3:]))
    print(row("   floor: bare inlet, last sample -> seen", floor[50:]))
    print(f"   reader: {share * 100:.0f} % of a core")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--n", type=int, default=1000, help="repetitions in the core")
    parser.add_argument("--seconds", type=float, default=45.0, help="of each live measurement")
    parser.add_argument("--core-only", action="store_true")
    args = parser.parse_args()
    print(machine())
    core(args.n)
    if args.core_only:
        return
    print("\n2. over LSL, source in its own process, chunks of 1 ms\n" + header())
    for fs_hz in (5000.0, 10000.0):
        lsl_to_epoch(fs_hz, args.seconds / 2)
    print("\n3. whole product, source, engine, gateway and client in processes of their own")
    print(header())
    to_client(FS_HZ, args.seconds)


if __name__ == "__main__":
    main()
