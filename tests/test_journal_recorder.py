"""The raw recorder: what came in can be read back, replayed, and survives a kill."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from monitor import wire
from monitor.config import CaseConfig, SignalSection, from_mapping
from monitor.engine.opening import run_plan
from monitor.engine.plan import CasePlan, Recorded, Simulated
from monitor.inputs import Annotate, Resume
from monitor.journal.recorder import XdfRecorder, free_name
from monitor.journal.storing import write_all
from monitor.pipeline import Pipeline
from monitor.sources.base import Source, open_recording
from monitor.sources.input_order import InputKind
from monitor.sources.replay import timeline
from monitor.sources.scenario import SCENARIOS
from monitor.sources.simulated import SimulatedCase, SimulatedSource
from monitor.sources.xdf import XdfRecording
from monitor.sources.xdf_file import XdfFile
from monitor.types import (
    AlarmKind,
    Chunk,
    ClockOffset,
    Event,
    Marker,
    MonitorError,
    Notice,
    StreamInfo,
    Tick,
    Trial,
)
from tests.running import wait_until

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
            Notice(AlarmKind.STIMULUS_MISSING, True, 0.0, message="gone"),
            Annotate("incision", "XY", 50.5),
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
        assert file.read(3).values.tolist() == [
            [InputKind.SIGNAL_OFFSET, 0],
            [InputKind.MARKERS_OFFSET, 0],
            [InputKind.MARKER, 40],
            [InputKind.TICK, 40],
            [InputKind.ACT, 80],
            [InputKind.ACT, 80],
            [InputKind.MARKER, 80],
        ]
        assert file.read(3).stamps_s.tolist() == [0.0] * 3 + [50.5] * 4
        footer = file.footer(1)
        assert footer is not None
        assert "<sample_count>80</sample_count>" in footer
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    names = [s["info"]["name"][0] for s in streams]
    assert names == ["amp", "amp-markers", "amp-order", "amp-acts"]
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


def test_a_replay_says_where_the_case_goes_on_after_a_restart(tmp_path: Path) -> None:
    taken_up = Resume(3, 0, 0, (), ())
    for name, first in (
        ("a", None),
        ("a-2", taken_up),
        ("a-3", taken_up),
        ("b", None),
        ("b-2", None),
    ):
        with XdfRecorder(tmp_path / f"{name}.xdf", INFO) as recorder:
            if first is not None:
                recorder.submit(first)
            recorder.submit(chunk(0))

    def says(name: str) -> list[str]:
        recording = XdfRecording(tmp_path / f"{name}.xdf", SignalSection())
        recording.close()
        return [note for note in recording.warnings if "goes on" in note]

    assert [note.split("goes on in ")[1] for note in says("a")] == ["a-2.xdf, replayed by itself"]
    assert "a-3.xdf" in says("a-2")[0]
    assert says("a-3") == []
    assert says("b") == [], "b-2 is another case"


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


def test_a_disk_that_fails_is_a_fault_and_said_again_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes, offset: int) -> None:
        raise OSError(28, "No space left on device")

    recorder = XdfRecorder(tmp_path / "a.xdf", INFO)
    monkeypatch.setattr("monitor.journal.recorder.write_all", full)

    def record() -> None:
        with recorder:
            recorder.submit(chunk(0))
            wait_until(lambda: "No space left on device" in recorder.fault(), "the fault")
            recorder.submit(chunk(40))

    with pytest.raises(MonitorError, match=r"a\.xdf: 2 entries not stored: No space left"):
        record()


def test_a_disk_that_takes_again_gets_everything_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [3]

    def refuses_at_first(descriptor: int, data: bytes, offset: int) -> None:
        if refusals[0]:
            refusals[0] -= 1
            # Half of it is there, as on a disk that fills up.
            write_all(descriptor, data[: len(data) // 2], offset)
            raise OSError(28, "No space left on device")
        write_all(descriptor, data, offset)

    path = tmp_path / "a.xdf"
    with XdfRecorder(path, INFO) as recorder:
        monkeypatch.setattr("monitor.journal.recorder.write_all", refuses_at_first)
        for k in range(4):
            recorder.submit(chunk(40 * k))
            wait_until(lambda k=k: refusals[0] < 3 - k or not refusals[0], "a refusal")  # type: ignore[misc]
        wait_until(lambda: not recorder.waiting, "the disk to take it")
        assert recorder.fault() == ""
    with XdfFile(path) as file:
        assert file.warnings == []
        np.testing.assert_array_equal(file.read(1).values[:, 0], np.arange(160))


CHILD = """
import sys, time, numpy as np
from pathlib import Path
from monitor.journal.recorder import XdfRecorder
from monitor.types import Chunk, StreamInfo
recorder = XdfRecorder(Path(sys.argv[1]), StreamInfo("amp", "a", 2000.0, ("A", "B"), "live"))
recorder.__enter__()
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


def test_however_it_is_cut_off_everything_that_is_whole_is_replayed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(XdfRecorder, "gather_s", 0.005)
    path = tmp_path / "a.xdf"
    with XdfRecorder(path, INFO) as recorder:
        recorder.submit(ClockOffset("signal", 50.0, 0.5))
        for k in range(6):
            recorder.submit(chunk(40 * k))
            recorder.submit(Marker(50.0 + 0.02 * k, f"{k}"))
            recorder.submit(ClockOffset("signal", 50.0 + 0.02 * k, 0.5))
            recorder.submit(Tick(50.52 + 0.02 * k))
            recorder.submit(Annotate(f"{k}", "XY", 50.52 + 0.02 * k))
            # Each in a flush of its own, so that its order follows it in the file.
            wait_until(lambda: not recorder.waiting, "a flush")
    whole = path.read_bytes()
    cut = tmp_path / "cut.xdf"
    for end in range(whole.find(b"amp-acts"), len(whole), 41):
        cut.write_bytes(whole[:end])
        with XdfFile(cut) as file:
            if len(file.streams) < 4 or not file.n_samples(1):
                continue
            n, n_markers = file.n_samples(1), file.n_samples(2)
        recording = XdfRecording(cut, SignalSection())
        items = [item for _, item in timeline(recording, 13)]
        recording.close()
        samples = [i.samples_uv[:, 0] for i in items if isinstance(i, Chunk)]
        np.testing.assert_array_equal(np.concatenate(samples), np.arange(n))
        assert [i.value for i in items if isinstance(i, Marker)] == [
            f"{k}" for k in range(n_markers)
        ]
        offsets = [i for i in items if isinstance(i, ClockOffset)]
        assert len(offsets) == len(recording.offsets)
        times = [i.t_lsl for i in items if isinstance(i, Tick)]
        assert times == sorted(times)


def test_a_disk_that_hangs_is_a_fault_while_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()

    def hangs(descriptor: int, data: bytes, offset: int) -> None:
        assert free.wait(60)
        write_all(descriptor, data, offset)

    monkeypatch.setattr("monitor.journal.storing.NOT_DURABLE_AFTER_S", 0.01)
    with XdfRecorder(tmp_path / "a.xdf", INFO) as recorder:
        monkeypatch.setattr("monitor.journal.recorder.write_all", hangs)
        recorder.submit(chunk(0))
        wait_until(lambda: "a.xdf: not stored for" in recorder.fault(), "the fault")
        free.set()
        wait_until(lambda: recorder.fault() == "", "the end of the fault")
