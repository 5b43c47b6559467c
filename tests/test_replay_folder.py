"""A folder of recordings: one table, and a bad file is a line of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from monitor import replay_folder
from monitor.config import from_mapping
from monitor.replay_folder import Replayed, recordings_in
from monitor.sources import xdf_writer
from monitor.types import MonitorError
from tests.running import wait_until

ROOT = Path(__file__).parents[1]


def recording(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 8000
    labels = ("L-APB", "R-APB")
    data = xdf_writer.file_header()
    data += xdf_writer.stream_header(
        1, name="amp", kind="EMG", source_id="a", fs_hz=2000.0, channel_format="float32",
        labels=labels, unit="microvolts",
    )  # fmt: skip
    data += xdf_writer.stream_header(
        2, name="stim", kind="Markers", source_id="s", fs_hz=0.0, channel_format="string",
        labels=("marker",),
    )  # fmt: skip
    values = rng.normal(0, 5, (n, 2)).astype(np.float32)
    data += xdf_writer.samples(1, values, 10.0 + np.arange(n) / 2000.0)
    data += xdf_writer.text_sample(2, "S1", 11.0) + xdf_writer.text_sample(2, "S2", 12.5)
    data += xdf_writer.stream_footer(1, n, 10.0, 14.0) + xdf_writer.stream_footer(2, 2, 11.0, 12.5)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(data)


def test_a_bad_file_is_reported_and_the_rest_go_on(tmp_path: Path) -> None:
    folder, out = tmp_path / "recordings", tmp_path / "out"
    recording(folder / "a.xdf", 1)
    recording(folder / "below" / "a.xdf", 2)
    (folder / "bad.xdf").write_bytes(b"this is no XDF file")
    (folder / "notes.txt").write_text("not a recording")
    config = tmp_path / "case.toml"
    config.write_text("[measure]\nnetwork = false\n")
    command = [sys.executable, "-m", "monitor", "replay", str(folder), "--jobs", "2",
               "--config", str(config), "--out", str(out)]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False
    )
    assert done.returncode == 2, done.stderr
    lines = done.stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert rows["a.xdf"][:5] == ["2", "2", "0", "0", "0"]
    assert rows["below/a.xdf"][:2] == ["2", "2"]
    assert rows["bad.xdf"] == ["not", "replayed"]
    (why,) = [line for line in lines if line.startswith("not replayed: ")]
    assert "bad.xdf: not a readable XDF file" in why
    for name in ("a.xdf", "below/a.xdf"):
        summary = json.loads((out / name / "summary.json").read_text())
        assert summary["stimuli"] == {"total": 2, "measured": 2}
        assert (out / name / "trials.csv").is_file()
    assert "replaying" in done.stderr
    assert not list(out.rglob("plan.json"))


def test_recordings_are_found_below_and_results_are_none(tmp_path: Path) -> None:
    (tmp_path / "x" / "out").mkdir(parents=True)
    for name in ("b.XDF", "x/a.edf", "x/c.vhdr", "x/c.eeg", "x/out/d.bdf"):
        (tmp_path / name).touch()
    found = recordings_in(tmp_path, tmp_path / "x" / "out")
    assert [str(p.relative_to(tmp_path)) for p in found] == ["b.XDF", "x/a.edf", "x/c.vhdr"]
    with pytest.raises(MonitorError, match="no recording"):
        recordings_in(tmp_path / "x" / "out", tmp_path / "x" / "out")


def test_what_a_folder_can_not_have_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor", "replay", str(tmp_path), "--serve"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "a folder is replayed at full speed" in done.stderr


def test_an_interrupt_lets_no_further_recording_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.xdf", "b.xdf", "c.xdf"):
        (tmp_path / name).touch()
    begun: list[str] = []
    waiting: list[Future[Replayed]] = []
    first_runs = threading.Event()

    def replay(path: Path, name: Path, *rest: object) -> Replayed:
        begun.append(path.name)
        first_runs.set()
        wait_until(lambda: bool(waiting) and all(f.cancelled() for f in waiting[1:]), "the end")
        return Replayed(str(name), None)

    def interrupted(futures: Collection[Future[Replayed]]) -> Iterator[Future[Replayed]]:
        waiting.extend(futures)
        assert first_runs.wait(60)
        raise KeyboardInterrupt
        yield waiting[0]

    monkeypatch.setattr(replay_folder, "_replay", replay)
    monkeypatch.setattr(replay_folder, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replay_folder.replay_folder(
            tmp_path, from_mapping({}, "test"), tmp_path / "out", 1, kept=True
        )
    assert begun == ["a.xdf"]


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"stimuli": 3}'])
def test_a_summary_that_can_not_be_read_is_that_files_fault(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "summary.json"
    if text is not None:
        path.write_text(text)
    replayed = replay_folder._read_summary(Path("a.xdf"), path)
    assert replayed.summary is None
    assert "not a readable summary" in replayed.fault
