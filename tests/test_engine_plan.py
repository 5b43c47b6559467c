"""A plan reaches the child process as it left."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import from_mapping
from monitor.engine.plan import CasePlan, LiveStreams, Recorded, Simulated
from monitor.types import MonitorError

CONFIG = from_mapping(
    {"channels": {"L-TA": {"muscle": "TA", "min_onset_ms": 20.0}}, "case": {"name": "x"}}, "test"
)


@pytest.mark.parametrize(
    "source", [LiveStreams(), Recorded("a.vhdr", 2.0), Simulated(seed=3, duration_s=1.5)]
)
def test_it_comes_back(tmp_path: Path, source) -> None:
    plan = CasePlan(source, CONFIG, "folder", "socket", resume=True)
    path = tmp_path / "plan.json"
    plan.write(path)
    assert CasePlan.read(path) == plan
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_what_is_no_plan_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(MonitorError, match=r"plan\.json: not a case plan"):
        CasePlan.read(path)
