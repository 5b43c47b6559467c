"""The gateway's own picture of the case: bounded, in order, bytes untouched."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from monitor.gateway import model as module
from monitor.gateway.model import ReadModel, logged
from monitor.wire import Envelope
from tests.running import CASE_ID, case_body


def envelope(seq: int, kind: str = "annotation", **body: Any) -> Envelope:
    return Envelope(seq, f"t{seq}", kind, msgspec.Raw(msgspec.json.encode(body)))


def model_of(*envelopes: Envelope, **bounds: Any) -> ReadModel:
    model = ReadModel(**bounds)
    model.begin(case_body(last_seq=0))
    for each in envelopes:
        model.take(each)
    return model


def test_a_message_is_the_body_s_bytes_in_an_envelope() -> None:
    entry = logged(Envelope(4, "2026", "trial", msgspec.Raw(b'{"trial":2,  "x":1.50}')))
    message = entry.message("2027")
    assert message == (
        '{"v":1,"seq":4,"t":"2026","sent":"2027","type":"trial","body":{"trial":2,  "x":1.50}}'
    )
    assert entry.trial == 2


def test_the_latest_of_each_stands() -> None:
    model = model_of(
        envelope(1, "trial", trial=1),
        envelope(2, "alarm", id=5, state="active"),
        envelope(3, "alarm", id=5, state="latched"),
        envelope(4, "baseline", id=1, setting="s", channel="c"),
        envelope(5, "baseline", id=2, setting="s", channel="c"),
        envelope(6, "annotation", text="x"),
        envelope(7, "status", state="running"),
    )
    snapshot = json.loads(b"".join(model.snapshot()))
    assert snapshot["case"] == {**case_body(), "last_seq": 7}
    assert snapshot["channels"] == case_body()["channels"]
    assert snapshot["alarms"] == [{"id": 5, "state": "latched"}]
    assert [baseline["id"] for baseline in snapshot["baselines"]] == [2]
    assert snapshot["trials"] == [{"trial": 1}]
    assert snapshot["annotations"] == [{"text": "x"}]
    assert snapshot["status"] == {"state": "running"}


def baseline(seq: int, number: int, **body: Any) -> Envelope:
    place = {"setting": "s", "channel": "c", "sweep_uv": [1.5, 2.5]}
    return envelope(seq, "baseline", id=number, **(place | body))


def past(model: ReadModel, setting: str = "", channel: str = "") -> list[tuple[Any, ...]]:
    told = json.loads(model.baseline_history(setting, channel))
    assert [p["baseline"]["sweep_uv"] for p in told] == [None] * len(told)
    return [(p["baseline"]["id"], p["since"], p["until"]) for p in told]


def test_every_baseline_that_stood_is_told_with_its_time() -> None:
    model = model_of(
        baseline(1, 1),
        baseline(2, 2, channel="d"),
        baseline(3, 1, amplitude_uv=400.0),
        baseline(4, 3, amplitude_uv=250.0),
        baseline(5, 4, setting="r"),
    )
    assert past(model) == [(1, "t1", "t4"), (2, "t2", None), (3, "t4", None), (4, "t5", None)]
    assert past(model, channel="d") == [(2, "t2", None)]
    assert past(model, "s", "c") == [(1, "t1", "t4"), (3, "t4", None)]
    first = json.loads(model.baseline_history("s", "c"))[0]["baseline"]
    assert first["amplitude_uv"] == 400.0, "as it last was"
    [standing] = [b for b in json.loads(model.baselines()) if b["id"] == 3]
    assert standing["sweep_uv"] == [1.5, 2.5]


def test_a_baseline_began_with_its_trial_or_with_the_remark_of_who_set_it() -> None:
    model = model_of(
        envelope(1, "trial", trial=1, stimulus_s=20.0),
        baseline(2, 1),
        baseline(3, 2, channel="d"),
        envelope(4, text="incision", at_s=25.0),
        baseline(5, 3, set_by="XY"),
        envelope(6, text="baseline of c", at_s=33.0),
        envelope(7, text="later", at_s=44.0),
    )
    told = json.loads(model.baseline_history("", ""))
    assert [(p["since_s"], p["until_s"]) for p in told] == [
        (20.0, 33.0),
        (20.0, None),
        (33.0, None),
    ]


def test_the_history_of_baselines_is_bounded_and_keeps_those_that_stand(monkeypatch) -> None:
    monkeypatch.setattr(module, "BASELINES", 3)
    model = model_of(baseline(1, 1, channel="d"), *(baseline(seq, seq) for seq in range(2, 7)))
    assert [number for number, _, _ in past(model)] == [1, 5, 6]


def test_before_the_engine_has_spoken_nothing_is_known() -> None:
    model = ReadModel()
    assert model.snapshot() is None
    assert model.case_body() is None
    assert model.case_id == ""


def test_an_event_known_already_is_not_taken_twice() -> None:
    model = model_of(envelope(1), envelope(2))
    assert model.take(envelope(2, text="again")) is None
    assert len(json.loads(model.annotations())) == 2


def test_another_case_starts_from_nothing() -> None:
    model = model_of(envelope(1), envelope(2))
    assert not model.begin(case_body(last_seq=2))
    assert model.last_seq == 2
    assert model.begin(case_body("another", last_seq=9))
    assert (model.last_seq, model.case_id) == (0, "another")
    assert json.loads(model.annotations()) == []


def test_an_engine_that_has_fewer_events_is_believed() -> None:
    model = model_of(envelope(1), envelope(2))
    assert model.begin(case_body(last_seq=1)), "the second was shown and is lost"
    assert model.last_seq == 0
    assert model.case_id == CASE_ID


def test_what_was_lost_with_an_engine_is_remembered_for_this_case() -> None:
    model = model_of(*(envelope(seq) for seq in range(1, 6)))
    model.begin(case_body(last_seq=3))
    model.begin(case_body(last_seq=9))
    assert [seq for seq in range(8) if model.is_lost(seq)] == [4, 5]
    model.begin(case_body("another", last_seq=9))
    assert not model.is_lost(4)


def test_events_since_a_number() -> None:
    model = model_of(*(envelope(seq) for seq in range(1, 8)))
    assert [entry.seq for entry in model.since(4, 10)] == [5, 6, 7]
    assert [entry.seq for entry in model.since(0, 3)] == [1, 2, 3]
    assert model.since(7, 10) == ()
    assert model.since(9, 10) == ()


def test_the_log_is_bounded_and_says_what_it_has_no_more() -> None:
    model = model_of(*(envelope(seq, text="x" * 100) for seq in range(1, 101)), log_bytes=2_000)
    assert model.since(0, 10) is None
    kept = model.since(95, 10)
    assert [entry.seq for entry in kept] == [96, 97, 98, 99, 100]
    first = next(seq for seq in range(100) if model.since(seq, 1) is not None)
    assert 80 < first < 95


def test_trials_are_paged_by_number_and_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "TRIALS", 5)
    model = model_of(*(envelope(seq, "trial", trial=seq) for seq in range(1, 9)))
    assert [json.loads(t)["trial"] for t in model.trials(0, 10)] == [4, 5, 6, 7, 8]
    assert [json.loads(t)["trial"] for t in model.trials(5, 2)] == [6, 7]
    assert model.trials(8, 10) == []


def test_a_snapshot_has_the_last_trials_only(monkeypatch) -> None:
    monkeypatch.setattr(module, "SNAPSHOT_TRIALS", 2)
    model = model_of(*(envelope(seq, "trial", trial=seq) for seq in range(1, 5)))
    assert [t["trial"] for t in json.loads(b"".join(model.snapshot()))["trials"]] == [3, 4]


def test_the_last_waveforms_are_kept() -> None:
    model = model_of()
    for trial in range(1, module.WAVEFORMS + 3):
        model.keep_waveform(trial, b"%d" % trial)
    assert model.waveform(2) is None
    assert model.waveform(3) == b"3"
    assert len(model.waveforms()) == module.WAVEFORMS
    assert model.case_id == CASE_ID
