"""What the commands of ``mep-monitor`` do, once their options are understood."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import msgspec

from monitor.config import CaseConfig, from_mapping, load
from monitor.engine.plan import CasePlan, LiveStreams, Recorded
from monitor.page import PAGE_MISSING, page_is_built
from monitor.sources.child import Stop
from monitor.summary import print_summary
from monitor.supervisor import Supervisor, address_of, listening, runtime_folder
from monitor.types import MonitorError

DEMO = {
    "case": {"name": "Simulated case", "procedure": "demonstration, no patient"},
    "stimulus": {
        "pattern": r"TES (?P<setting>\S+) (?P<intensity>[\d.]+)V",
        "pulses_ms": [0.0, 4.0, 8.0, 12.0, 16.0],
    },
}


def tell(line: str) -> None:
    """One line for the person at the terminal; results alone go to stdout."""
    print(f"mep-monitor: {line}", file=sys.stderr, flush=True)


def configured(
    path: Path | None,
    *,
    stimulus: str | None = None,
    signal_predicate: str | None = None,
    markers_predicate: str | None = None,
    lsl_scope: str | None = None,
    port: int | None = None,
) -> CaseConfig:
    """The case file with the options of the command line over it.

    Raises:
        MonitorError: the file or an option is wrong.
    """
    return _overridden(
        load(path),
        {
            ("stimulus", "pattern"): stimulus,
            ("signal", "predicate"): signal_predicate,
            ("signal", "markers_predicate"): markers_predicate,
            ("signal", "lsl_scope"): lsl_scope,
            ("gateway", "port"): port,
        },
    )


def _overridden(config: CaseConfig, given: dict[tuple[str, str], object]) -> CaseConfig:
    data: dict[str, dict[str, object]] = msgspec.to_builtins(config)
    for (section, setting), value in given.items():
        if value is not None:
            data[section][setting] = value
    return from_mapping(dict(data), "command line")


def speed_of(text: str, default: float | None) -> float | None:
    """``max`` is None (as fast as it goes), a number a multiple of real time, empty the default.

    Raises:
        MonitorError: neither.
    """
    if not text:
        return default
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise MonitorError(f"--speed {text}: give 'max' or a positive number")
    return speed


@contextmanager
def interruptible() -> Iterator[Stop]:
    """SIGINT and SIGTERM ask to stop; a second SIGINT is Python's own, at once."""
    asked = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def live_folder() -> Path:
    """Where a live case goes that was given no folder: one of its own under ``cases/``."""
    return Path("cases") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def run_live(config: CaseConfig, folder: Path, record: Path | None = None) -> int:
    """``mep-monitor run``; gives the exit status.

    Raises:
        MonitorError: ``record`` is no name for an XDF file, or there already.
    """
    if record is not None:
        if record.suffix.lower() != ".xdf":
            raise MonitorError(f"--record {record}: give a file that ends in .xdf")
        if record.exists():
            raise MonitorError(f"--record {record}: is there already and is not overwritten")
    recorded = "" if record is None else str(record.absolute())
    return supervised(CasePlan(LiveStreams(), config, str(folder), record=recorded))


def run_demo(
    port: int | None, seed: int, interval_s: float | None, folder: Path, kept: bool
) -> int:
    """``mep-monitor demo``: a simulated case over real LSL, from a process of its own."""
    name = f"mep-sim-{os.getpid()}"
    source_id = f"{name}-demo-{seed}"
    config = _overridden(
        from_mapping(dict(DEMO), "demo"),
        {
            ("signal", "predicate"): f"source_id='{source_id}'",
            ("signal", "markers_predicate"): f"source_id='{source_id}-markers'",
            ("signal", "wait_s"): 20.0,
            ("gateway", "port"): port,
        },
    )
    outlet = ["-m", "monitor.sources.outlet", "--scenario", "demo", "--seed", str(seed)]
    outlet += ["--name", name, "--source-id", source_id]
    if interval_s is not None:
        outlet += ["--interval", str(interval_s)]
    return supervised(CasePlan(LiveStreams(), config, str(folder)), outlet=outlet, kept=kept)


def replay_recording(
    recording: Path,
    config: CaseConfig,
    folder: Path,
    *,
    kept: bool,
    speed: str,
    serve: bool,
) -> int:
    """``mep-monitor replay`` from the file; gives the exit status.

    Raises:
        MonitorError: the recording, the settings or the folder can't be used.
    """
    pace = speed_of(speed, 1.0 if serve else None)
    plan = CasePlan(Recorded(str(recording), pace), config, str(folder))
    if serve:
        return supervised(plan, kept=kept)
    # Here, not above: it loads all that computes, which the other ways leave to their children.
    from monitor.engine.opening import run_plan

    with interruptible() as stop:
        summary, _ = run_plan(plan, stop.is_set)
    print_summary(summary, folder if kept else None)
    return 0


def replay_over_lsl(
    recording: Path,
    config_path: Path | None,
    config: CaseConfig,
    folder: Path,
    *,
    kept: bool,
    measured: bool,
) -> int:
    """``mep-monitor replay --lsl``: offer a recording as streams; ``measured``: and monitor them.

    Raises:
        MonitorError: the recording can't be used, or liblsl can't be loaded.
    """
    from monitor.sources.base import ignored_channels, read_recording
    from monitor.sources.republish import republish

    ignored, trigger = ignored_channels(config), config.stimulus.trigger_channel
    if not measured:
        with interruptible() as stop:
            ready = f"{recording.name} is offered over LSL"
            republish(
                recording,
                config.signal,
                stop,
                ready=lambda: tell(ready),
                ignored=ignored,
                trigger_channel=trigger,
            )
        return 0
    info = read_recording(recording, config.signal, ignored, trigger).info
    source_id = f"replay:{info.source_id}"
    config = _overridden(
        config,
        {
            ("signal", "predicate"): f"source_id='{source_id}'",
            ("signal", "markers_predicate"): f"source_id='{source_id}-markers'",
            ("signal", "wait_s"): 20.0,
        },
    )
    # The first sample waits for the engine, so that the case is the whole recording.
    outlet = ["-m", "monitor.sources.republish", str(recording), "--wait", "30"]
    if config_path is not None:
        outlet += ["--config", str(config_path)]
    return supervised(CasePlan(LiveStreams(), config, str(folder)), outlet=outlet, kept=kept)


def supervised(plan: CasePlan, *, outlet: Sequence[str] | None = None, kept: bool = True) -> int:
    """Run a case as processes with a page; print where it is and, at the end, what came of it.

    Raises:
        MonitorError: the port is taken.
    """
    gateway = plan.config.gateway
    with listening(gateway.host, gateway.port) as listener, runtime_folder() as runtime:
        address = address_of(listener)
        if not page_is_built():
            tell(PAGE_MISSING)

        def ready(line: str) -> None:
            print(f"{line}\n{address}  (Ctrl-C closes the case)", flush=True)

        supervisor = Supervisor(plan, listener, runtime, outlet=outlet, on_ready=ready, say=tell)
        status = supervisor.run()
    described = Path(plan.folder) / "summary.json"
    if status == 0 and described.is_file():
        print_summary(json.loads(described.read_text()), described.parent if kept else None)
    return status
