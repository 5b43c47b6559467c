"""The gateway as its clients see it: a real server, a real link, a scripted core."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from monitor.engine.counts import Counts
from monitor.gateway.bodies import (
    AlarmBody,
    AnnotationBody,
    BaselineBody,
    CaseBody,
    ExplanationBody,
    PastBaselineBody,
    SnapshotBody,
    StatusBody,
    TrialBody,
    WaveformBody,
)
from monitor.gateway.hub import Hub
from monitor.gateway.rest import in_turns
from monitor.journal.export import EXPORTED
from monitor.link import RecordCounts, unpack_waveform
from tests.running import RunningEngine, RunningGateway, RunningMonitor, new_journal, wait_until
from tests.scripted_core import N_SAMPLES

CONTRACT = Path(__file__).parents[1] / "docs" / "contract.md"
BASELINE = ["100 200 300"] * 6
LOSS = ["100 200 0"] * 2
NEW = {"by": "XY", "role": "surgeon", "reason": "r"}


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMonitor]:
    """A case with a confirmed loss on the left leg; tests read it and do it no harm."""
    with RunningMonitor(tmp_path_factory.mktemp("case")) as monitor:
        monitor.engine.trials(BASELINE + LOSS)
        wait_until(lambda: alarm_state(monitor.gateway.url) == ["active"], "the alarm")
        yield monitor


@pytest.fixture
def api(lost: RunningMonitor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{lost.gateway.url}/api/v1") as client:
        yield client


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[RunningMonitor]:
    """A case of the test's own."""
    with RunningMonitor(tmp_path) as running:
        yield running


def losses(url: str) -> dict[int, str]:
    """The state of each physiological alarm; a slow disk may have its recording_fault beside."""
    alarms = httpx.get(f"{url}/api/v1/alarms").json()
    return {a["id"]: a["state"] for a in alarms if a["class"] == "physiological"}


def alarm_state(url: str) -> list[str]:
    return list(losses(url).values())


def take(client: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of this kind."""
    while True:
        text = client.recv(timeout=60)
        if isinstance(text, str) and (message := json.loads(text))["type"] == kind:
            return message


def everything_left_in(client: ClientConnection) -> tuple[int, ConnectionClosed]:
    """The number of the last message, and how the connection ended after it."""
    last = 0
    while True:
        try:
            last = json.loads(client.recv(timeout=60))["seq"]
        except ConnectionClosed as closed:
            return last, closed


# ---------------------------------------------------------------------- REST


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("case", CaseBody),
        ("trials", list[TrialBody]),
        ("trials/3/waveform", WaveformBody),
        ("trials/3/waveform?raw=1", WaveformBody),
        ("trials/3/explanation", ExplanationBody),
        ("trials/3/explanation?channel=L-TA&embedding=1", ExplanationBody),
        ("alarms", list[AlarmBody]),
        ("baselines", list[BaselineBody]),
        ("baselines/history", list[PastBaselineBody]),
        ("baselines/history?channel=L-TA&setting=default", list[PastBaselineBody]),
        ("annotations", list[AnnotationBody]),
    ],
)
def test_every_answer_is_what_openapi_says(api: httpx.Client, path: str, model: Any) -> None:
    answer = api.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    TypeAdapter(model).validate_python(answer.json())


def test_every_call_of_the_contract_is_in_openapi(lost: RunningMonitor) -> None:
    described = httpx.get(f"{lost.gateway.url}/openapi.json").json()["paths"]
    table = CONTRACT.read_text().split("## REST")[1].split("\n## ")[0]
    calls = set()
    for cell in re.findall(r"^\| (.*?) \|", table, re.M)[1:]:
        method, cell = "", re.sub(r"\?[^`]*", "", cell)
        for given, path in re.findall(r"(?:(GET|POST) )?([a-z-]+(?:/[{}a-z/]+)?)", cell):
            method = given or method
            calls.add((method.lower(), re.sub(r"{.*?}", "{number}", f"/api/v1/{path}")))
    offered = {(method, path) for path, methods in described.items() for method in methods}
    assert calls == offered


def test_no_page_fetches_anything_from_elsewhere(lost: RunningMonitor) -> None:
    """FastAPI's own pages of documentation load their scripts from a CDN."""
    for path in ("docs", "redoc"):
        assert httpx.get(f"{lost.gateway.url}/{path}").status_code == 404


def test_trials_are_paged(api: httpx.Client) -> None:
    assert [t["trial"] for t in api.get("trials?since=2&limit=3").json()] == [3, 4, 5]
    assert api.get("trials?limit=0").status_code == 422


def test_a_long_list_leaves_the_others_their_turns() -> None:
    async def read() -> tuple[list[bytes], int]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        pieces = [piece async for piece in in_turns([b"%d" % n for n in range(5000)])]
        beside.cancel()
        return pieces, turns

    pieces, turns = asyncio.run(read())
    assert json.loads(b"".join(pieces)) == list(range(5000))
    assert turns >= len(pieces) - 3
    assert max(piece.count(b",") for piece in pieces) <= 50


def test_a_waveform_is_as_measured_or_raw(api: httpx.Client) -> None:
    measured, raw = (api.get(f"trials/4/waveform?raw={raw}").json() for raw in (0, 1))
    assert measured["samples_uv"] == [[5.0] * N_SAMPLES] * 3
    assert raw["samples_uv"] == [[4.0] * N_SAMPLES] * 3
    missing = api.get("trials/99/waveform")
    assert (missing.status_code, missing.json()) == (404, {"detail": "no waveform for trial 99"})


def test_an_explanation_is_of_all_or_of_one_channel(api: httpx.Client) -> None:
    told = api.get("trials/7/explanation").json()
    assert (told["trial"], told["network"]["name"]) == (7, "scripted")
    assert [c["channel"] for c in told["channels"]] == ["L-APB", "R-APB", "L-TA"]
    assert [c["embedding"] for c in told["channels"]] == [None] * 3
    [one] = api.get("trials/7/explanation?channel=L-TA&embedding=1").json()["channels"]
    assert one["saliency"] == [2.0] * 500
    assert one["onset_ms"] == 22.0
    assert len(one["embedding"]) == 128
    for path in ("trials/99/explanation", "trials/7/explanation?channel=none"):
        assert api.get(path).status_code == 404
    assert api.get("trials/7/explanation?embedding=perhaps").status_code == 422


def test_an_old_waveform_comes_from_the_engine(lost: RunningMonitor, api: httpx.Client) -> None:
    kept = lost.gateway.hub.model._waveforms.pop(2)
    try:
        assert api.get("trials/2/waveform").json()["samples_uv"] == [[3.0] * N_SAMPLES] * 3
    finally:
        lost.gateway.hub.model._waveforms[2] = kept


def test_acknowledging_gives_the_alarm_and_shows_it_to_all(monitor: RunningMonitor) -> None:
    monitor.engine.trials(BASELINE + LOSS)
    wait_until(lambda: alarm_state(monitor.gateway.url) == ["active"], "the alarm")
    [alarm_id] = losses(monitor.gateway.url)
    url = f"{monitor.gateway.url}/api/v1/alarms/{alarm_id}/acknowledge"
    with connect(monitor.gateway.live) as feed:
        take(feed, "snapshot")
        answer = httpx.post(url, json={"by": "  XY "})
        assert answer.status_code == 200
        alarm = answer.json()
        AlarmBody.model_validate(alarm)
        assert (alarm["state"], alarm["acknowledged_by"]) == ("acknowledged", "XY")
        # On a slow disk a recording_fault may come between.
        shown = take(feed, "alarm")["body"]
        while shown["id"] != alarm["id"]:
            shown = take(feed, "alarm")["body"]
        assert shown == alarm
    again = httpx.post(url, json={"by": "XY"})
    assert again.status_code == 409
    assert "acknowledged" in again.json()["detail"]


def test_operators_acts(monitor: RunningMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    # A disk that is slow just now would break the pause.
    monkeypatch.setattr(Counts, "fault", lambda self: "")
    monitor.engine.trials(BASELINE)
    api = f"{monitor.gateway.url}/api/v1"
    wait_until(lambda: len(httpx.get(f"{api}/trials").json()) == 6, "the trials")
    note = httpx.post(f"{api}/annotations", json={"text": "incision", "by": "XY"})
    AnnotationBody.model_validate(note.json())
    pause = httpx.post(f"{api}/audio-pause", json={"seconds": 60, "by": "XY"})
    assert StatusBody.model_validate(pause.json()).audio_paused_until_s is not None
    ended = httpx.post(f"{api}/audio-pause", json={"seconds": 0, "by": "XY"})
    assert ended.json()["audio_paused_until_s"] is None
    body = {
        "channel": "L-TA",
        "by": "XY",
        "role": "surgeon",
        "reason": "moved",
        "setting": "default",
    }
    changed = httpx.post(f"{api}/baselines", json={**body, "amplitude_uv": 250.0})
    assert [b["amplitude_uv"] for b in changed.json()] == [250.0]
    past = f"{api}/baselines/history"
    wait_until(lambda: len(httpx.get(past, params={"channel": "L-TA"}).json()) == 2, "both")
    learned, given = httpx.get(past, params={"channel": "L-TA", "setting": "default"}).json()
    assert learned["until"] == given["since"] > learned["since"]
    assert (given["until"], given["until_s"]) == (None, None)
    assert learned["until_s"] == given["since_s"]
    assert learned["baseline"]["set_by"] == ""
    told = {name: given["baseline"][name] for name in ("set_by", "role", "reason", "before_uv")}
    assert told == {
        "set_by": "XY",
        "role": "surgeon",
        "reason": "moved",
        "before_uv": learned["baseline"]["amplitude_uv"],
    }
    assert httpx.get(past, params={"setting": "none"}).json() == []
    wait_until(
        lambda: any(a["text"] == "incision" for a in httpx.get(f"{api}/annotations").json()), "it"
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("alarms/99/acknowledge", {"by": "XY"}, 404, "99"),
        ("alarms/1/acknowledge", {"by": "  "}, 422, "by: "),
        ("alarms/1/acknowledge", {}, 422, "by: Field required"),
        ("annotations", {"text": "", "by": "XY"}, 422, "text: "),
        ("annotations", {"text": "x", "by": "XY", "typo": 1}, 422, "typo: "),
        ("audio-pause", {"seconds": -1, "by": "XY"}, 422, "seconds: "),
        ("audio-pause", {"seconds": 601, "by": "XY"}, 422, "seconds: "),
        ("baselines", {**NEW, "channel": "none"}, 404, "none"),
        ("baselines", {"by": "XY", "role": "surgeon"}, 422, "reason: Field required"),
        ("baselines", {"by": "XY", "reason": "r"}, 422, "role: Field required"),
        ("baselines", {**NEW, "role": "  "}, 422, "role: "),
    ],
)
def test_refusals_are_one_line(api: httpx.Client, path, body, status, says) -> None:
    answer = api.post(path, json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}
    assert says in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize("number", ["1e400", "Infinity", "NaN"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("baselines", '{"by": "XY", "role": "x", "reason": "r", "amplitude_uv": %s}'),
        ("audio-pause", '{"by": "XY", "seconds": %s}'),
    ],
)
def test_a_number_without_end_is_refused(api: httpx.Client, path, body, number) -> None:
    before = api.get("baselines").json()
    answer = api.post(path, content=body % number, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert api.get("baselines").json() == before
    assert api.get("readyz").status_code == 200, "the link to the engine stays"


def test_export_is_the_whole_case_while_it_runs(api: httpx.Client) -> None:
    answer = api.get("export", timeout=120)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert set(EXPORTED) < set(archive.namelist())
        assert archive.read("trials.csv").count(b"\n") == 1 + 8 * 3


def test_health_readiness_and_metrics(api: httpx.Client) -> None:
    assert api.get("healthz").json() == {"alive": True}
    assert api.get("readyz").json() == {"ready": True}
    text = api.get("metrics").text
    assert "mep_engine_up 1.0" in text
    assert "mep_last_seq" in text
    for count in RecordCounts.__struct_fields__:
        assert f"\nmep_record_{count} " in text


def test_another_site_s_page_is_refused(lost: RunningMonitor, api: httpx.Client) -> None:
    foreign = {"Origin": "http://evil.example"}
    assert (
        api.post("annotations", json={"text": "x", "by": "y"}, headers=foreign).status_code == 403
    )
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(lost.gateway.live, origin=Origin("http://evil.example")),
    ):
        pass
    with connect(lost.gateway.live, origin=Origin(lost.gateway.url)) as own:
        assert take(own, "snapshot")


# ---------------------------------------------------------------------- the live feed


def test_a_snapshot_then_events_without_a_gap(monitor: RunningMonitor) -> None:
    monitor.engine.trials(BASELINE)
    wait_until(lambda: monitor.gateway.hub.model.last_seq >= 6, "the trials")
    with connect(monitor.gateway.live) as feed:
        first = json.loads(feed.recv(timeout=60))
        assert (first["v"], first["type"]) == (1, "snapshot")
        SnapshotBody.model_validate(first["body"])
        monitor.engine.trials(LOSS)
        seqs = [first["seq"]]
        while True:
            message = json.loads(feed.recv(timeout=60))
            if message["type"] == "heartbeat":
                assert message["seq"] == seqs[-1]
                continue
            seqs.append(message["seq"])
            if message["type"] == "alarm" and message["body"]["state"] == "active":
                break
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    assert message["sent"] >= message["t"]


def test_a_client_comes_back_with_since(monitor: RunningMonitor) -> None:
    monitor.engine.trials(BASELINE)
    with connect(f"{monitor.gateway.live}?since=0") as feed:
        seen = [take(feed, "trial") for _ in range(3)][-1]["seq"]
    with connect(f"{monitor.gateway.live}?since={seen}") as feed:
        assert json.loads(feed.recv(timeout=60))["seq"] == seen + 1


def test_binary_waveforms_follow_their_trials(monitor: RunningMonitor) -> None:
    with connect(f"{monitor.gateway.live}?waveforms=1&since=0") as feed:
        for number, text in ((1, "1 2 3"), (2, "4 5 6")):
            monitor.engine.trials([text])
            assert take(feed, "trial")["body"]["trial"] == number
            while isinstance(message := feed.recv(timeout=60), str):
                """What else came with the trial goes first."""
            header, samples_uv = unpack_waveform(message)
            assert header.trial == number
            assert samples_uv.shape == (3, N_SAMPLES)


def test_heartbeats_come_every_second_and_take_no_number(lost: RunningMonitor) -> None:
    with connect(lost.gateway.live) as feed:
        seq = take(feed, "snapshot")["seq"]
        first = take(feed, "heartbeat")
        began = time.monotonic()
        second = [take(feed, "heartbeat") for _ in range(2)][-1]
    # Two seconds on a machine that has time for it; never much less.
    assert 1.7 < time.monotonic() - began < 10.0
    assert first["seq"] == second["seq"] == first["body"]["seq"] == seq
    assert first["body"]["link"] == "up"
    assert first["body"]["engine_age_s"] < 1.0
    assert second["body"]["trial_age_s"] > first["body"]["trial_age_s"]


def test_confirmations_are_counted_and_anything_else_ends_the_connection(
    monitor: RunningMonitor,
) -> None:
    with connect(monitor.gateway.live) as feed:
        feed.send('{"type": "received", "seq": 1}')
        metrics = monitor.gateway.hub.metrics
        wait_until(lambda: b"mep_events_confirmed_total 1.0" in metrics.text(), "the count")
        feed.send('{"type": "publish", "body": "me"}')
        with pytest.raises(ConnectionClosed) as closed:
            take(feed, "nothing more")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


def receiver_lost(monitor: RunningMonitor) -> list[tuple[str, str]]:
    """State and message of what stands for lost receivers; the feed shows its end as well."""
    alarms = httpx.get(f"{monitor.gateway.url}/api/v1/alarms").json()
    return [(a["state"], a["evidence"]["message"]) for a in alarms if a["kind"] == "receiver_lost"]


def test_a_receiver_that_goes_without_leave_is_missed(
    monitor: RunningMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.gateway.receivers.AWAY_S", 0.05)
    desk = f"{monitor.gateway.live}?receiver=desk"
    hub = monitor.gateway.hub
    lost = [("active", "no longer confirmed by: desk")]

    def confirm(feed: ClientConnection) -> None:
        seq = take(feed, "snapshot")["seq"]
        feed.send(json.dumps({"type": "received", "seq": seq}))
        wait_until(lambda: hub.receivers.lost(time.monotonic()) == (), "it to be back")

    for leave in ("breaks", "goes away", "takes leave"):
        with connect(desk) as feed:
            confirm(feed)
            wait_until(lambda: "desk" in hub.receivers.known, "it to be a receiver")
            wait_until(lambda: "active" not in dict(receiver_lost(monitor)), "all to be well")
            if leave == "breaks":
                feed.socket.shutdown(socket.SHUT_RDWR)
            if leave == "takes leave":
                feed.send('{"type": "leave"}')
            feed.close(1001)
        if leave == "takes leave":
            wait_until(lambda: hub.receivers.known == (), "its leave to be taken")
        else:
            wait_until(lambda: receiver_lost(monitor)[-1:] == lost, "it to be missed")
    wait_until(lambda: "active" not in dict(receiver_lost(monitor)), "nobody to be missed")


def test_a_client_that_closes_in_order_takes_leave(monitor: RunningMonitor) -> None:
    hub = monitor.gateway.hub
    with connect(f"{monitor.gateway.live}?receiver=wall") as feed:
        seq = take(feed, "snapshot")["seq"]
        feed.send(json.dumps({"type": "received", "seq": seq}))
        wait_until(lambda: hub.receivers.known == ("wall",), "it to be a receiver")
    wait_until(lambda: hub.receivers.known == (), "its leave to be taken")


def test_a_slow_client_is_disconnected_and_catches_up(tmp_path: Path) -> None:
    hub_bounds = {"lag_events": 50}
    with tempfile.TemporaryDirectory(prefix="mep-") as short:
        path = Path(short) / "engine"
        new_journal(tmp_path)
        hub = Hub(path, **hub_bounds)
        with RunningEngine(tmp_path, path) as engine, RunningGateway(path, hub=hub) as gateway:
            wait_until(lambda: hub.link.up, "the link")
            narrow = socket.socket()
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            narrow.connect(("127.0.0.1", gateway.port))
            with connect(gateway.live, sock=narrow, max_queue=1, ping_interval=None) as slow:
                take(slow, "snapshot")
                while not hub.metrics.registry.get_sample_value(
                    "mep_clients_disconnected_slow_total"
                ):
                    engine.trials(["100 200 300"] * 20)
                    time.sleep(0.05)
                last, closed = everything_left_in(slow)
            assert closed.rcvd is None or closed.rcvd.code == 1013
            with connect(f"{gateway.live}?since={last}", max_size=None) as again:
                missed = range(last + 1, hub.model.last_seq + 1)
                numbers = [json.loads(again.recv(timeout=60))["seq"] for _ in missed]
            assert numbers == list(missed)
            assert len(missed) > 0
            assert engine.server.receivers == 1


# ---------------------------------------------------------------------- the engine's absence


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    with RunningGateway(tmp_path / "nobody") as gateway:
        api = f"{gateway.url}/api/v1"
        assert httpx.get(f"{api}/healthz").status_code == 200
        for path in ("readyz", "case", "export"):
            answer = httpx.get(f"{api}/{path}")
            assert answer.status_code == 503, path
            assert "engine" in answer.json()["detail"]
        answer = httpx.post(f"{api}/annotations", json={"text": "x", "by": "y"})
        assert answer.status_code == 503


def test_the_engine_s_death_is_shown_within_three_seconds(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mep-") as short:
        path = Path(short) / "engine"
        new_journal(tmp_path)
        with RunningGateway(path) as gateway:
            with RunningEngine(tmp_path, path) as engine:
                engine.trials(BASELINE)
                trials = f"{gateway.url}/api/v1/trials"
                wait_until(lambda: len(httpx.get(trials).json()) == 6, "the trials")
            with connect(gateway.live) as feed:
                # However late a heartbeat is on a busy machine: none calls an older word "up".
                while (body := take(feed, "heartbeat")["body"])["link"] == "up":
                    assert body["engine_age_s"] < 3.0
            assert httpx.get(f"{gateway.url}/api/v1/readyz").status_code == 503
            assert len(httpx.get(trials).json()) == 6, "still to be read"


def test_an_engine_that_hangs_is_lost_after_three_seconds(monitor: RunningMonitor) -> None:
    link = monitor.gateway.hub.link
    assert link.up
    link._heard_at = time.monotonic() - 2.9
    monitor.engine.server.beat = lambda beat: None  # type: ignore[method-assign]
    wait_until(lambda: not link.up, "the silence to be noticed")


# ---------------------------------------------------------------------- the page


def test_the_built_page_is_served(tmp_path: Path) -> None:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<title>MEP</title>")
    (page / "assets" / "a.js").write_text("1")
    with RunningGateway(tmp_path / "nobody", page=page) as gateway:
        assert "MEP" in httpx.get(f"{gateway.url}/").text
        assert httpx.get(f"{gateway.url}/assets/a.js").text == "1"
        assert httpx.get(f"{gateway.url}/../pyproject.toml").status_code == 404


def test_without_a_page_one_line_says_so(tmp_path: Path) -> None:
    with RunningGateway(tmp_path / "nobody", page=tmp_path / "none") as gateway:
        answer = httpx.get(f"{gateway.url}/")
        assert answer.status_code == 503
        assert "not built" in answer.text
        assert answer.text.count("\n") == 1
