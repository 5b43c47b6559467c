from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import environment


def test_everything_that_computes_gets_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment._ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    environment.prepare()
    assert {os.environ[name] for name in environment._ONE_THREAD} == {"1"}


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    environment.prepare()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path)


def test_other_sources_have_another_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel is not renewed when one that it calls changes in another file: the folder is."""
    package = tmp_path / "monitor"
    package.mkdir()
    kernel = package / "kernel.py"
    kernel.write_text("@njit\ndef f(): return 1\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(environment, "__file__", str(package / "environment.py"))
    before = environment.kernel_cache()
    assert environment.kernel_cache() == before
    kernel.write_text("@njit\ndef f(): return 2\n")
    assert environment.kernel_cache() != before
    (package / "other.py").write_text("plain = 1\n")
    kernel.write_text("@njit\ndef f(): return 1\n")
    assert environment.kernel_cache() == before


def test_a_cache_that_cannot_be_written_goes_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert tmp_path not in environment.kernel_cache().parents


@pytest.mark.parametrize("module", ["monitor.cli", "monitor.gateway.__main__"])
def test_commands_and_gateway_start_without_what_computes(module: str) -> None:
    heavy = "[m for m in ('numba', 'scipy', 'onnxruntime', 'pylsl') if m in sys.modules]"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
