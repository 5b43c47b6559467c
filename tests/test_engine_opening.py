"""From a plan to the files of a case, with the real core on a simulated source."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from monitor.config import CaseConfig, from_mapping
from monitor.engine import opening
from monitor.engine.counts import Counts
from monitor.engine.opening import network_of, run_plan, source_of
from monitor.engine.plan import CasePlan, Recorded, Simulated
from monitor.journal import database
from monitor.journal.database import JournalReader
from monitor.journal.export import EXPORTED
from monitor.measure.epoch import EpochMeasurer
from monitor.measure.network import ModelFault
from monitor.sources import xdf_writer
from monitor.sources.simulated import SimulatedSource
from monitor.track.tracker import Tracker
from monitor.types import MonitorError
from tests.running import case_body, new_journal

CONFIG = from_mapping(
    {
        "stimulus": {
            "pattern": r"TES (?P<setting>\S+) (?P<intensity>[\d.]+)V",
            "pulses_ms": [0.0, 4.0, 8.0, 12.0, 16.0],
        },
        "measure": {"network": False},
    },
    "test",
)


def plan(folder: Path, chunk_samples: int = 100, duration_s: float = 14.0) -> CasePlan:
    source = Simulated("demo", 1, None, duration_s, chunk_samples)
    return CasePlan(source, CONFIG, str(folder))


def test_a_simulated_case_leaves_its_files(tmp_path: Path) -> None:
    ready: list[dict[str, object]] = []
    summary, outcome = run_plan(plan(tmp_path), ready=ready.append)
    assert set(EXPORTED) <= {path.name for path in tmp_path.iterdir()}
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert summary["recording"] == msgspec.to_builtins(outcome.record)
    with (tmp_path / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert outcome.trials == summary["stimuli"]["total"] > 5
    assert len(rows) == outcome.trials * 8
    assert ready[0]["kind"] == summary["case"]["kind"] == "simulated"
    with JournalReader(tmp_path) as journal:
        assert msgspec.json.decode(journal.meta["config"], type=CaseConfig) == CONFIG
        assert "numpy" in json.loads(journal.meta["versions"])


def test_the_fingerprint_does_not_depend_on_the_size_of_chunks(tmp_path: Path) -> None:
    one, other = (run_plan(plan(tmp_path / str(n), n))[0]["fingerprint"] for n in (61, 1000))
    assert one == other


def test_kernels_are_warm_before_the_stream_is_opened(tmp_path: Path, monkeypatch) -> None:
    """What an open stream sends while kernels are compiled would be shown late."""
    order: list[str] = []

    def noted(owner: type, method: str) -> None:
        real = getattr(owner, method)

        def call(self: object) -> object:
            order.append(owner.__name__)
            return real(self)

        monkeypatch.setattr(owner, method, call)

    noted(SimulatedSource, "__enter__")
    noted(EpochMeasurer, "warm_up")
    noted(Tracker, "warm_up")
    run_plan(plan(tmp_path, duration_s=2.0), ready=lambda case: order.append("ready"))
    before, _, after = " ".join(order).partition(" SimulatedSource ")
    assert before.split() == ["EpochMeasurer", "Tracker"]
    assert after.split() == ["EpochMeasurer", "Tracker", "ready"]


def test_a_replay_may_take_the_place_of_an_earlier_one(tmp_path: Path, monkeypatch) -> None:
    # A disk that is slow just now is an event too.
    monkeypatch.setattr(Counts, "fault", lambda self: "")
    first, _ = run_plan(plan(tmp_path, duration_s=5.0))
    again, _ = run_plan(plan(tmp_path, duration_s=5.0))
    assert again["fingerprint"] == first["fingerprint"]
    assert again["last_seq"] == first["last_seq"], "it started anew"


def test_a_replay_does_not_take_the_place_of_another_source(tmp_path: Path) -> None:
    run_plan(plan(tmp_path, duration_s=2.0))
    other = CasePlan(Simulated("demo", 2, None, 2.0), CONFIG, str(tmp_path))
    with pytest.raises(MonitorError, match="holds a case of another source"):
        run_plan(other)


def test_a_recording_that_was_changed_is_another_source(tmp_path: Path, shared_data) -> None:
    config = from_mapping({"stimulus": {"pattern": "S255"}, "measure": {"network": False}}, "test")
    there, out = tmp_path / "there", tmp_path / "out"
    there.mkdir()
    for path in (shared_data / "tms-brainvision").glob("tms-hand.*"):
        (there / path.name).write_bytes(path.read_bytes())
    header = there / "tms-hand.vhdr"
    for recording in (shared_data / "tms-brainvision" / "tms-hand.vhdr", header):
        run_plan(CasePlan(Recorded(str(recording)), config, str(out)))
    header.write_bytes(header.read_bytes() + b"\n; recorded on another day\n")
    with pytest.raises(MonitorError, match=r"out: holds a case of another source \(tms-hand.vhdr"):
        run_plan(CasePlan(Recorded(str(header)), config, str(out)))


def live_case(folder: Path, **changed: object) -> Path:
    case = {**case_body(), "kind": "live", **changed}
    database.create(folder, {"case": json.dumps(case)})
    return folder


def test_a_live_case_is_never_overwritten(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"holds another case \(its kind differs\)"):
        run_plan(plan(live_case(tmp_path)))


def test_a_resumed_case_must_be_the_same_one(tmp_path: Path) -> None:
    other = msgspec.structs.replace(plan(new_journal(tmp_path)), resume=True)
    with pytest.raises(MonitorError, match="its channels differs"):
        run_plan(other)


def test_a_crash_leaves_no_number_to_be_used_twice(tmp_path: Path) -> None:
    first = plan(tmp_path, duration_s=3.0)

    def crash(case: dict[str, object]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(first, ready=crash)
    summary, _ = run_plan(msgspec.structs.replace(first, resume=True))
    assert summary["last_seq"] > database.SEQ_BLOCK
    assert summary["alarms"]["by_kind"]["engine_restarted"] == 1


def test_a_case_that_has_ended_is_not_resumed(tmp_path: Path) -> None:
    run_plan(plan(tmp_path, duration_s=3.0))
    again = msgspec.structs.replace(plan(tmp_path, duration_s=3.0), resume=True)
    with pytest.raises(MonitorError, match="has ended"):
        run_plan(again)


def test_a_pattern_that_matches_nothing_names_the_markers(tmp_path: Path, shared_data) -> None:
    recording = shared_data / "tms-brainvision" / "tms-hand.vhdr"
    config = from_mapping({"stimulus": {"pattern": "XX"}, "measure": {"network": False}}, "test")
    with pytest.raises(MonitorError, match=r"'XX'; there are: 'S254' x 20, 'S255' x 20"):
        run_plan(CasePlan(Recorded(str(recording)), config, str(tmp_path)))


def test_the_real_recording(tmp_path: Path, shared_data: Path) -> None:
    recording = shared_data / "tms-brainvision" / "tms-hand.vhdr"
    config = from_mapping({"stimulus": {"pattern": "S255"}}, "test")
    summary, _ = run_plan(CasePlan(Recorded(str(recording)), config, str(tmp_path)))
    assert summary["stimuli"] == {"total": 20, "measured": 20}
    channels = {c["channel"]: c for c in summary["channels"]}
    assert channels["RFDI"]["statuses"] == {"response": 20}
    assert 26 <= channels["RFDI"]["onset_median_ms"] <= 30
    assert channels["RECR"]["statuses"]["response"] >= 18
    assert 18 <= channels["RECR"]["onset_median_ms"] <= 23
    for silent in ("LECR", "LFDI"):
        assert channels[silent]["statuses"]["no_response"] >= 18
        assert channels[silent]["alarms_physiological"] == 0
        assert channels[silent]["alarms_technical"] == 1, "baseline_unreliable says why"
    assert summary["source"]["file"] == "tms-hand.vhdr"
    assert summary["case"]["kind"] == "replay"


def test_a_wrong_network_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(sha256: str) -> None:
        raise ModelFault("golden sweep 3: wrong answer")

    monkeypatch.setattr(opening, "load_network", wrong)
    assert network_of(CaseConfig()) == (None, "golden sweep 3: wrong answer")
    assert network_of(CONFIG) == (None, "")


def test_a_wrong_network_is_a_technical_alarm(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(opening, "network_of", lambda config: (None, "golden sweep 3: wrong"))
    summary, _ = run_plan(plan(tmp_path, duration_s=2.0))
    assert summary["alarms"]["by_kind"] == {"model_fault": 1}
    assert summary["network"] is None


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(sha256: str) -> None:
        raise MonitorError("network abc not found")

    monkeypatch.setattr(opening, "load_network", missing)
    with pytest.raises(MonitorError, match="not found"):
        network_of(CaseConfig())


def test_the_network_is_the_one_that_the_case_names() -> None:
    config = from_mapping({"measure": {"network_sha256": "0" * 64}}, "test")
    with pytest.raises(MonitorError, match="network 000000000000 not found"):
        network_of(config)


def test_an_unknown_scenario_is_named(tmp_path: Path) -> None:
    wrong = CasePlan(Simulated("nonsense"), CONFIG, str(tmp_path))
    with pytest.raises(MonitorError, match="scenario 'nonsense'"):
        run_plan(wrong)


def test_an_ignored_channel_does_not_stop_a_replay(tmp_path: Path) -> None:
    path = tmp_path / "rec.vhdr"
    path.write_text(
        "BrainVision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=rec.eeg\n"
        "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\n"
        "SamplingInterval=200\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n"
        "[Channel Infos]\nCh1=A,,1,uV\nCh2=B,,1,uV\n"
    )
    np.full((500, 2), [1.0, np.nan], "<f4").tofile(tmp_path / "rec.eeg")
    recorded = Recorded(str(path), None)
    with pytest.raises(MonitorError, match="channel B: NaN throughout"):
        source_of(CasePlan(recorded, CONFIG, str(tmp_path)))
    ignoring = from_mapping({"channels": {"B": {"ignore": True}}}, "test")
    with source_of(CasePlan(recorded, ignoring, str(tmp_path))) as source:
        assert source.info.channel_names == ("A", "B")


def triggered(path: Path, edges: list[int]) -> Path:
    n = 20000
    rng = np.random.default_rng(5)
    values = rng.normal(0, 4, (n, 2)).astype(np.float32)
    values[:, 1] = 0.0
    for at in edges:
        values[at : at + 10, 1] = 5.0
    data = xdf_writer.file_header() + xdf_writer.stream_header(
        1, name="amp", kind="EMG", source_id="a", fs_hz=2000.0, channel_format="float32",
        labels=("L-APB", "TTL"), unit="",
    )  # fmt: skip
    data += xdf_writer.samples(1, values, 10.0 + np.arange(n) / 2000.0)
    path.write_bytes(data + xdf_writer.stream_footer(1, n, 10.0, 20.0))
    return path


def test_a_recording_with_a_trigger_column_is_replayed_without_markers(tmp_path: Path) -> None:
    config = from_mapping(
        {
            "signal": {"unit": "uV"},
            "stimulus": {"trigger_channel": "TTL", "trigger_threshold": 2.5},
            "measure": {"network": False},
        },
        "test",
    )
    path = triggered(tmp_path / "a.xdf", [4000, 9000, 14000])
    summary, _ = run_plan(CasePlan(Recorded(str(path)), config, str(tmp_path / "out")))
    assert summary["stimuli"] == {"total": 3, "measured": 3}
    assert [c["channel"] for c in summary["channels"]] == ["L-APB"]
    silent = triggered(tmp_path / "b.xdf", [])
    with pytest.raises(MonitorError, match=r"channel 'TTL' \(stimulus.trigger_channel\) has no"):
        run_plan(CasePlan(Recorded(str(silent)), config, str(tmp_path / "silent")))
