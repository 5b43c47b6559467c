"""``mep-monitor replay DIR``: every recording of a folder, some at a time, and one table.

Each recording runs in an engine process of its own: one that can't be read, or brings its process
down, is a line of the table and the others go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.config import CaseConfig
from monitor.engine.plan import CasePlan, Recorded
from monitor.sources.base import READABLE
from monitor.types import MonitorError

_OUTCOMES = ("measured", "gap", "late", "incomplete")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recording by its path within the folder, and its ``summary.json`` or why there is none."""

    name: str
    summary: dict[str, Any] | None
    fault: str = ""


def recordings_in(folder: Path, leave_out: Path) -> list[Path]:
    """The recordings in a folder and below, in order; those under ``leave_out`` are results.

    Raises:
        MonitorError: there is none.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in READABLE and path.is_file() and not path.is_relative_to(leave_out)
    )
    if not found:
        raise MonitorError(f"{folder}: no recording ({', '.join(READABLE)}) there")
    return found


def replay_folder(folder: Path, config: CaseConfig, out: Path, jobs: int, *, kept: bool) -> int:
    """Replay every recording, ``jobs`` at a time, each into a folder of ``out`` under its name.

    Returns:
        The exit status: 2 where a recording could not be replayed.

    Raises:
        MonitorError: the folder has no recording.
    """
    recordings = recordings_in(folder, out)
    done: dict[Path, Replayed] = {}
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):
        task = progress.add_task("replaying", total=len(recordings))
        waiting = {
            pool.submit(_replay, path, path.relative_to(folder), config, out): path
            for path in recordings
        }
        try:
            for one in as_completed(waiting):
                done[waiting[one]] = one.result()
                progress.advance(task)
        except BaseException:
            # Ctrl-C ends those that run; the others must not begin.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    results = [done[path] for path in recordings]
    _print_table(results, out if kept else None)
    return 2 if any(one.fault for one in results) else 0


def _replay(path: Path, name: Path, config: CaseConfig, out: Path) -> Replayed:
    target = out / name
    try:
        target.mkdir(parents=True, exist_ok=True)
        plan = target / "plan.json"
        CasePlan(Recorded(str(path)), config, str(target)).write(plan)
    except OSError as error:
        return Replayed(str(name), None, f"{target}: can't be written: {error.strerror}")
    command = [sys.executable, "-m", "monitor.engine", str(plan), "--parent", str(os.getpid())]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    plan.unlink()
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        why = said[-1].removeprefix("mep-monitor: ") if said else f"ended with {ended.returncode}"
        return Replayed(str(name), None, why)
    return _read_summary(name, target / "summary.json")


def _read_summary(name: Path, path: Path) -> Replayed:
    try:
        summary: dict[str, Any] = json.loads(path.read_text())
        _ = summary["stimuli"]["total"], summary["alarms"]["by_class"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        return Replayed(str(name), None, f"{path}: not a readable summary: {error!r}")
    return Replayed(str(name), summary)


def _print_table(results: Sequence[Replayed], out: Path | None) -> None:
    console = Console()
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("recording", overflow="fold", min_width=20)
    for heading in ("stimuli", *_OUTCOMES, "alarms", "tech."):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in results:
        if one.summary is None:
            table.add_row(one.name, "not replayed")
            continue
        stimuli, alarms = one.summary["stimuli"], one.summary["alarms"]["by_class"]
        table.add_row(
            one.name,
            str(stimuli["total"]),
            *(str(stimuli.get(outcome, 0)) for outcome in _OUTCOMES),
            str(alarms.get("physiological", 0)),
            str(alarms.get("technical", 0)),
        )
    console.print(table)
    for one in results:
        if one.fault:
            line = f"not replayed: {one.fault}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if out is not None:
        console.print(f"files: {out}", highlight=False, markup=False, soft_wrap=True)
