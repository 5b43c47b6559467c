"""From a pushed sample to an epoch in hand, over LSL: ours, mne-lsl's and the floor.

``python -m bench.acquire [--peer-python PYTHON]``: for 10 kHz x 32 and 20 kHz x 64 a source in a
process of its own pushes chunks of 1 ms; after one another, on the same source, each in a process
of its own: the monitor (source, ring, clock, epochs), mne-lsl's ``EpochsStream`` with its own
settings for least delay, and a bare inlet. ``--peer-python`` is an interpreter that has mne-lsl
(a virtual environment of its own: the monitor does not need it); without one the peer is left out.

Channel 0 numbers the samples, so that a lost one is proved; channel 1 holds the time at which each
sample was pushed (modulo 16 s), so that every reader is timed from the same instant; the last
channel is a TTL column with the stimuli, which are sent as markers too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monitor.environment import prepare

prepare()

import numpy as np  # noqa: E402  (threads are pinned before numpy is imported)

from bench.measured import header, machine, row  # noqa: E402
from monitor.acquire.acquisition import Acquisition  # noqa: E402
from monitor.config import from_mapping  # noqa: E402
from monitor.sources.child import stop_event  # noqa: E402
from monitor.sources.lsl import LslSource  # noqa: E402
from monitor.sources.lsl_library import configure, settings  # noqa: E402
from monitor.sources.outlet import emg_outlet, marker_outlet  # noqa: E402
from monitor.types import Chunk, Epoch, StreamInfo  # noqa: E402

CHUNK_MS = 1.0
EVERY_S = 0.25
PRE_MS, POST_MS = 100.0, 150.0
WRAP = 1 << 24  # the sample number stays exact in float32
TIME_WRAP_S = 16.0  # and the time of pushing to a microsecond
PEER = Path(__file__).with_name("acquire_peer.py")


def names(channels: int) -> tuple[str, ...]:
    return ("INDEX", "PUSHED", *(f"EMG{k}" for k in range(channels - 3)), "STI")


# --------------------------------------------------------------------------- the source


def source(name: str, fs_hz: float, channels: int) -> None:
    """Push until asked to stop, or the parent dies."""
    stop = stop_event()
    pylsl = configure("loopback")
    info = StreamInfo(name, name, fs_hz, names(channels), "simulated")
    emg, markers = (
        emg_outlet(pylsl, info),
        marker_outlet(pylsl, f"{name}-markers", f"{name}-m", info.kind),
    )
    n = max(1, round(CHUNK_MS * fs_hz / 1e3))
    every = round(EVERY_S * fs_hz)
    width = round(0.004 * fs_hz)
    values = np.random.default_rng(1).normal(0, 5, (n, channels)).astype(np.float32)
    print("ready", flush=True)
    begin_s = pylsl.local_clock()
    sent = 0
    while not stop.is_set():
        wait_s = begin_s + (sent + n) / fs_hz - pylsl.local_clock()
        if wait_s > 0:
            time.sleep(wait_s)
        number = np.arange(sent, sent + n)
        values[:, 0] = number % WRAP
        values[:, -1] = number % every < width
        now = pylsl.local_clock()
        values[:, 1] = now % TIME_WRAP_S
        emg.push_chunk(values, now)
        for k in np.flatnonzero(number % every == 0).tolist():
            markers.push_sample(["S"], now - (n - 1 - k) / fs_hz)
        sent += n


# --------------------------------------------------------------------------- the readers


class Watch:
    """Delays and continuity of one reader, and its share of a core."""

    def __init__(self, fs_hz: float, clock: Any) -> None:
        self._clock = clock
        self._next: float | None = None
        self.delays_ms: list[float] = []
        self.samples = self.lost = 0
        self._cpu, self._begin = time.process_time(), time.perf_counter()

    def in_hand(self, pushed: float) -> None:
        self.delays_ms.append((self._clock() - pushed) % TIME_WRAP_S * 1e3)

    def numbers(self, index: np.ndarray) -> None:
        """Sample numbers in the order in which they came."""
        expected = index[0] if self._next is None else self._next
        steps = np.diff(index, prepend=expected - 1) % WRAP
        self.lost += int((steps - 1).sum())
        self.samples += len(index)
        self._next = float(index[-1] + 1)

    def result(self) -> dict[str, Any]:
        seconds = time.perf_counter() - self._begin
        return {
            "delays_ms": self.delays_ms,
            "samples": self.samples,
            "lost": self.lost,
            "core": (time.process_time() - self._cpu) / seconds,
        }


def ours(name: str, fs_hz: float, seconds: float) -> dict[str, Any]:
    pylsl = configure("loopback")
    case = from_mapping(
        {
            "signal": {
                "predicate": f"name='{name}'",
                "markers_predicate": f"name='{name}-markers'",
            },
            "epoch": {"pre_ms": PRE_MS, "post_ms": POST_MS},
        },
        "bench",
    )
    with LslSource(case.signal) as lsl:
        acquisition = Acquisition(lsl.info, case)
        settled = time.perf_counter() + 2.0
        while time.perf_counter() < settled:
            for item in lsl.read(0.05):
                list(acquisition.feed(item))
        watch = Watch(fs_hz, pylsl.local_clock)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for item in lsl.read(0.05):
                if isinstance(item, Chunk):
                    watch.numbers(item.samples_uv[:, 0])
                for epoch in acquisition.feed(item):
                    if isinstance(epoch, Epoch):
                        watch.in_hand(float(epoch.samples_uv[1, -1]))
        return watch.result()


def bare(name: str, fs_hz: float, seconds: float) -> dict[str, Any]:
    pylsl = configure("loopback")
    (found,) = pylsl.resolve_byprop("name", name, 1, 5.0)
    inlet = pylsl.StreamInlet(found, max_buflen=360)
    inlet.open_stream(5.0)
    buffer = np.empty((round(fs_hz), found.channel_count()), dtype=np.float32)
    watch = Watch(fs_hz, pylsl.local_clock)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        values, stamps = inlet.pull_chunk(
            0.05, len(buffer), dest_obj=buffer, min_samples=1, as_numpy=True
        )
        if len(stamps):
            watch.in_hand(float(values[-1, 1]))
            watch.numbers(values[:, 0])
    return watch.result()


# --------------------------------------------------------------------------- side by side


def peer_python(given: str | None) -> str | None:
    if given is not None:
        return given
    return sys.executable if find_spec("mne_lsl") else None


@contextlib.contextmanager
def running_source(name: str, fs_hz: float, channels: int) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.acquire", "--role", "source", "--name", name,
               "--fs", str(fs_hz), "--channels", str(channels)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            if child.stdout.readline() != "ready\n":
                raise SystemExit("the source did not start")
            yield
        finally:
            child.kill()


def reader(command: list[str], seconds: float, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=seconds + 40,
        env={**os.environ, **environment},
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-600:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def side_by_side(fs_hz: float, channels: int, seconds: float, peer: str | None) -> None:
    name = f"bench-acquire-{os.getpid()}-{fs_hz:g}"
    title = f"{fs_hz / 1e3:g} kHz x {channels}"
    arguments = ["--name", name, "--fs", str(fs_hz), "--seconds", str(seconds)]
    with running_source(name, fs_hz, channels):
        for label, role in (("ours: epoch in hand", "ours"), ("floor: bare inlet", "bare")):
            command = [sys.executable, "-m", "bench.acquire", "--role", role, *arguments]
            limit = (95, 1.0) if role == "ours" else None
            show(f"{title} {label}", reader(command, seconds), limit)
        if peer is None:
            print(f"{title} mne-lsl: not installed here, left out (--peer-python)")
            return
        with tempfile.TemporaryDirectory(prefix="mep-bench-") as folder:
            lsl = Path(folder) / "lsl.cfg"
            lsl.write_text(settings("loopback"))
            # The same liblsl for both, and nothing to download.
            library = os.environ.get("MNE_LSL_LIB") or str(
                Path(configure("loopback").lib.__file__).with_name("liblsl.so")
            )
            result = reader(
                [peer, str(PEER), *arguments], seconds, LSLAPICFG=str(lsl), MNE_LSL_LIB=library
            )
        show(f"{title} mne-lsl {result['version']} EpochsStream", result, None)


def show(label: str, result: dict[str, Any], limit: tuple[float, float] | None) -> None:
    print(row(label, result["delays_ms"], limit))
    lost = f"{result['lost']} of {result['samples']} samples lost, " if "lost" in result else ""
    print(f"   {lost}reader {result['core'] * 100:.0f} % of a core")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.acquire", description=__doc__)
    parser.add_argument("--seconds", type=float, default=25.0, help="of each reader")
    parser.add_argument("--peer-python", help="an interpreter that has mne-lsl")
    parser.add_argument("--role", choices=("all", "source", "ours", "bare"), default="all")
    parser.add_argument("--name", default="")
    parser.add_argument("--fs", type=float, default=10000.0)
    parser.add_argument("--channels", type=int, default=32)
    args = parser.parse_args()
    match args.role:
        case "source":
            source(args.name, args.fs, args.channels)
        case "ours":
            print(json.dumps(ours(args.name, args.fs, args.seconds)))
        case "bare":
            print(json.dumps(bare(args.name, args.fs, args.seconds)))
        case _:
            print(machine())
            print("\nlast sample pushed -> in hand; source in its own process, chunks of 1 ms")
            print(header())
            for fs_hz, channels in ((10000.0, 32), (20000.0, 64)):
                side_by_side(fs_hz, channels, args.seconds, peer_python(args.peer_python))


if __name__ == "__main__":
    main()
