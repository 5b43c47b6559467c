"""The command's own part: what is missing is said in one line before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor import fine_tune as module
from monitor.fine_tune import fine_tune
from monitor.types import MonitorError


def test_without_a_checkout_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match="needs a checkout"):
        fine_tune(tmp_path, tmp_path / "own.onnx", 1, checkout=tmp_path)


def test_without_pytorch_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEEDED", ("no_such_package_of_this_name",))
    with pytest.raises(MonitorError, match=r"no_such_package_of_this_name missing; pip install"):
        fine_tune(tmp_path, tmp_path / "own.onnx", 1)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"must end in \.onnx"):
        fine_tune(tmp_path, tmp_path / "own.pt", 1)
