"""The raw recorder: what came in can be read back, replayed, and survives a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from monitor import wire
from monitor.config import CaseConfig, from_mapping
from monitor.engine.opening import run_plan
from monitor.engine.plan import CasePlan, Recorded, Simulated
from monitor.journal.recorder import XdfRecorder, free_name
from monitor.pipeline import Pipeline
from monitor.sources.base import Source, open_recording
from monitor.sources.scenario import SCENARIOS
from monitor.sources.simulated import SimulatedCase, SimulatedSource
from monitor.sources.xdf_file import XdfFile
from monitor.types import (
    Chunk,
    ClockOffset,
    Event,
    Marker,
    MonitorError,
    StreamInfo,
    Tick,
    Trial,
)

ROOT = Path(__file__).parents[1]
INFO = StreamInfo("amp", "amp-1", 2000.0, ("L-APB", "R-APB"), "live")


def chunk(first: int, n: int = 40) -> Chunk:
    number = np.arange(first, first + n)
    samples = np.stack([number, -number], axis=1).astype(np.float32)
    return Chunk(first, samples, 50.0 + number / 2000.0)


def test_everything_that_came_in_is_read_by_ours_and_by_pyxdf(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    with XdfRecorder(path, INFO) as recorder:
        for item in (
            ClockOffset("signal", 50.0, 0.5),
            ClockOffset("markers", 50.0, -0.25),
            chunk(0),
            Marker(50.01, "TES 400V"),
            Tick(50.5),
            chunk(40),
            Chunk(80, np.zeros((0, 2), np.float32), np.zeros(0)),
            Marker(50.03, 255),
        ):
            recorder.submit(item)
        assert recorder.fault() == ""
    with XdfFile(path) as file:
        assert file.warnings == []
        np.testing.assert_array_equal(file.read(1).values[:, 0], np.arange(80))
        np.testing.assert_array_equal(file.read(1).stamps_s, 50.0 + np.arange(80) / 2000.0)
        assert file.read(2).values[:, 0].tolist() == ["TES 400V", "255"]
        assert [a.tolist() for a in file.clock_offsets(1)] == [[49.5], [0.5]]
        assert [a.tolist() for a in file.clock_offsets(2)] == [[50.25], [-0.25]]
        footer = file.footer(1)
        assert footer is not None
        assert "<sample_count>80</sample_count>" in footer
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    assert [s["info"]["name"][0] for s in streams] == ["amp", "amp-markers"]
    np.testing.assert_array_equal(streams[0]["time_series"][:, 1], -np.arange(80))


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    path.write_bytes(b"precious")
    with pytest.raises(MonitorError, match=r"a\.xdf: is there already"):
        XdfRecorder(path, INFO)
    with pytest.raises(MonitorError, match="can't be written"):
        XdfRecorder(tmp_path / "nowhere" / "a.xdf", INFO)
    assert path.read_bytes() == b"precious"
    assert free_name(path) == tmp_path / "a-2.xdf"
    (tmp_path / "a-2.xdf").touch()
    assert free_name(path) == tmp_path / "a-3.xdf"
    assert free_name(tmp_path / "b.xdf") == tmp_path / "b.xdf"


def test_a_full_queue_sheds_the_newest_counts_it_and_says_so(tmp_path: Path) -> None:
    one = chunk(0).samples_uv.nbytes + chunk(0).t_lsl.nbytes
    with XdfRecorder(tmp_path / "a.xdf", INFO, queue_bytes=one - 1) as recorder:
        recorder.submit(chunk(0))
        recorder.submit(Marker(50.0, "fits"))
        assert recorder.shed == 1
        assert "1 inputs are not in the recording" in recorder.fault()
    with XdfFile(tmp_path / "a.xdf") as file:
        assert file.n_samples(1) == 0
        assert file.read(2).values[:, 0].tolist() == ["fits"]


def test_a_disk_that_fails_is_a_fault_and_the_case_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def full(descriptor: int) -> None:
        failed.set()
        raise OSError(28, "No space left on device")

    with XdfRecorder(tmp_path / "a.xdf", INFO) as recorder:
        monkeypatch.setattr(os, "fdatasync", full)
        recorder.submit(chunk(0))
        assert failed.wait(60.0)
        recorder.submit(chunk(40))
    assert "No space left on device" in recorder.fault()


CHILD = """
import sys, time, numpy as np
from pathlib import Path
from monitor.journal.recorder import XdfRecorder
from monitor.types import Chunk, StreamInfo
recorder = XdfRecorder(Path(sys.argv[1]), StreamInfo("amp", "a", 2000.0, ("A", "B"), "live"))
begin, sent = time.monotonic(), 0
while True:
    time.sleep(0.01)
    due = int((time.monotonic() - begin) * 2000)
    number = np.arange(sent, due)
    samples = np.stack([number, -number], axis=1).astype(np.float32)
    recorder.submit(Chunk(sent, samples, number / 2000.0))
    sent = due
    print(sent, flush=True)
"""


def test_after_a_kill_at_most_a_second_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    sent = 0
    with child:
        assert child.stdout is not None
        for line in child.stdout:
            sent = int(line)
            if sent > 5000:
                break
        child.kill()
    with XdfFile(path) as file:
        values = file.read(1).values[:, 0]
        np.testing.assert_array_equal(values, np.arange(len(values)))
        assert sent - len(values) <= 2000
        assert len(values) > 2000
        assert "not closed" in file.warnings[-1]


CONFIG = {
    "stimulus": {
        "pattern": r"TES (?P<setting>\S+) (?P<intensity>[\d.]+)V",
        "pulses_ms": [0, 4, 8, 12, 16],
    },
    "measure": {"network": False},
}


def told(source: Source, config: CaseConfig, recorder: XdfRecorder | None = None) -> list[Event]:
    pipeline = Pipeline(source.info, config, None)
    events: list[Event] = []
    while not source.exhausted:
        items = source.read(0.0)
        for item in items:
            if recorder is not None:
                recorder.submit(item)
            events += pipeline.feed(item)
    return [*events, *pipeline.finish()]


@pytest.mark.parametrize("chunk_samples", [7, None])
def test_a_recorded_case_replays_to_the_same_trials_and_alarms(
    tmp_path: Path, chunk_samples: int | None
) -> None:
    config = from_mapping(CONFIG, "test")
    path = tmp_path / "a.xdf"
    case = SimulatedCase(3, 5000.0, SCENARIOS["demo"])
    with SimulatedSource(case, duration_s=45.0, speed=None, chunk_samples=50) as source:
        with XdfRecorder(path, source.info) as recorder:
            live = told(source, config, recorder)
        assert recorder.fault() == ""
    with open_recording(path, chunk_samples=chunk_samples) as replayed:
        assert replayed.info.kind == "replay"
        again = told(replayed, config)
    assert sum(isinstance(e, Trial) for e in live) > 20
    kinds = ("trial", "alarm", "baseline")
    first = [wire.event_body(e) for e in live if wire.event_type(e) in kinds]
    second = [wire.event_body(e) for e in again if wire.event_type(e) in kinds]
    assert second == first


def test_a_case_run_with_record_has_the_fingerprint_of_its_replay(tmp_path: Path) -> None:
    config = from_mapping(CONFIG, "test")
    path = tmp_path / "raw.xdf"
    simulated = Simulated(seed=2, speed=None, duration_s=30.0)
    first, _ = run_plan(CasePlan(simulated, config, str(tmp_path / "live"), record=str(path)))
    again, _ = run_plan(CasePlan(Recorded(str(path)), config, str(tmp_path / "replay")))
    assert first["case"]["kind"] == "simulated"
    assert again["case"]["kind"] == "replay"
    assert again["fingerprint"] == first["fingerprint"]
    assert again["stimuli"] == first["stimuli"]
