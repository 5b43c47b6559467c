"""The card's picture: it draws, with and without recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from models.picture import COLUMNS, ROWS, draw_saliency, main, recorded, simulated


def test_fifty_sweeps_of_fifty_setups() -> None:
    drawn = list(simulated(2026))
    assert len(drawn) == ROWS * COLUMNS == 50
    for times, sweep, title, onset_ms in drawn:
        assert times.shape == sweep.shape
        assert np.isfinite(onset_ms) == title.startswith("SNR")


def test_recorded_sweeps_are_found(shared_data: Path) -> None:
    titles = [title for _, _, title, _ in recorded(shared_data)]
    assert len(titles) == 10
    assert {t.split(": ")[1] for t in titles} == {"hand", "leg", "stimulus artefact"}


def test_the_command_writes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sweeps.png"
    main(["--out", str(out)])
    assert out.read_bytes().startswith(b"\x89PNG")
    assert str(out) in capsys.readouterr().out


def test_saliency_is_drawn_on_recordings(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "saliency.png"
    draw_saliency(shared_data, out)
    assert out.read_bytes().startswith(b"\x89PNG")
