"""A case over real LSL, recorded: its replay has the same fingerprint, at any speed."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

import pytest

from monitor.engine.opening import run_plan
from monitor.engine.plan import CasePlan, LiveStreams, Recorded
from tests.test_live_faults import case, outlet

pytestmark = pytest.mark.lsl


def test_a_live_case_and_its_replays_are_the_same_case(tmp_path: Path) -> None:
    name = f"record-{os.getpid()}"
    config, raw = case(name), tmp_path / "raw.xdf"
    with outlet(name, name):
        begun: list[float] = []
        plan = CasePlan(LiveStreams(), config, str(tmp_path / "live"), record=str(raw))
        live, _ = run_plan(
            plan,
            stop=lambda: bool(begun) and time.monotonic() - begun[0] > 6.0,
            ready=lambda _: begun.append(time.monotonic()),
        )
    assert live["stimuli"]["measured"] >= 8
    for speed, chunk_samples in ((None, None), (None, 13), (4.0, None)):
        out = tmp_path / f"replay-{speed}-{chunk_samples}"
        source = Recorded(str(raw), speed, chunk_samples)
        again, _ = run_plan(CasePlan(source, config, str(out)))
        assert again["case"]["kind"] == "replay"
        assert again["fingerprint"] == live["fingerprint"]
        assert rows(out) == rows(tmp_path / "live")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))
