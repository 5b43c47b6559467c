"""``mep-monitor doctor`` looks at everything and says what would not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor import doctor
from monitor.config import from_mapping
from monitor.doctor import examine
from monitor.supervisor import listening
from monitor.types import MonitorError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def findings(port: int = 0) -> dict[str, tuple[str, str]]:
    config = from_mapping({"gateway": {"port": port}}, "test")
    return {f.subject: (f.level, f.message) for f in examine(config)}


def test_everything_is_looked_at(cache: Path) -> None:
    found = findings()
    assert set(found) == {
        "mep-monitor", *doctor.PACKAGES, "liblsl", "LSL ports", "network", "threads",
        "kernel cache", "page", "port",
    }  # fmt: skip
    assert found["network"][0] == "ok"
    assert "sha256" in found["network"][1]
    assert found["kernel cache"] == ("ok", str(cache))
    assert "all interfaces" in found["LSL ports"][1]


def test_the_network_that_the_case_names_is_looked_at() -> None:
    config = from_mapping({"measure": {"network_sha256": "0" * 64}}, "test")
    network = next(f for f in examine(config) if f.subject == "network")
    assert network.level == "fail"
    assert "network 000000000000 not found" in network.message
    unwanted = from_mapping({"measure": {"network": False}}, "test")
    assert next(f for f in examine(unwanted) if f.subject == "network").level == "ok"


def test_a_taken_port_fails_and_the_rest_is_looked_at_all_the_same() -> None:
    with listening("127.0.0.1", 0) as taken:
        found = findings(taken.getsockname()[1])
    assert found["port"][0] == "fail"
    assert "already in use" in found["port"][1]
    assert found["mep-monitor"][0] == "ok"


def test_faults_are_named(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def no_lsl() -> str:
        raise MonitorError("liblsl can't be loaded (pylsl): not found")

    monkeypatch.setattr(doctor, "_lsl", no_lsl)
    monkeypatch.setattr(doctor, "page_is_built", lambda: False)
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    cache.write_text("a file in the way")
    found = findings()
    assert found["liblsl"] == ("fail", "liblsl can't be loaded (pylsl): not found")
    assert found["page"][0] == "note"
    assert found["no-such-package"] == ("fail", "not installed")
    assert found["threads"] == ("note", "OMP_NUM_THREADS=8: one thread has less jitter")
    assert found["kernel cache"][0] == "fail"
