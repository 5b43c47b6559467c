"""Clients of the live feed: everything in order, and a slow one harms only itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.gateway.engine_link import EngineUnreachable
from monitor.gateway.hub import SERVICE_RESTART, TRY_AGAIN_LATER, TURN, Disconnect, Hub
from monitor.gateway.model import ReadModel
from monitor.link import Beat, ReadEvents, Reply
from monitor.wire import Envelope
from tests.running import case_body


class Socket:
    """A client's end: takes what it is sent, or hangs."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.room = asyncio.Event()
        self.room.set()

    async def send_text(self, data: str) -> None:
        await self.room.wait()
        self.got.append(json.loads(data))

    async def send_bytes(self, data: bytes) -> None:
        await self.room.wait()
        self.got.append(data)

    def seqs(self, kind: str = "annotation") -> list[int]:
        return [m["seq"] for m in self.got if isinstance(m, dict) and m["type"] == kind]


class Feed:
    """A hub whose engine is the test."""

    def __init__(self, **bounds: Any) -> None:
        self.hub = Hub(Path("/nowhere"), **bounds)
        self.tasks: list[asyncio.Task[None]] = []

    def case(self, case_id: str = "scripted") -> None:
        self.hub._on_case(case_body(case_id, last_seq=0))

    def events(self, first: int, last: int, kind: str = "annotation") -> None:
        for seq in range(first, last + 1):
            body = msgspec.Raw(b'{"trial":%d}' % seq if kind == "trial" else b"{}")
            self.hub._on_event(Envelope(seq, "t", kind, body))

    def follow(self, since: int | None = None, waveforms: bool = False) -> Socket:
        socket = Socket()
        self.tasks.append(asyncio.create_task(self.hub.serve(socket, since, waveforms)))
        return socket

    def heartbeat(self) -> None:
        for client in self.hub.clients:
            client.heartbeat_due = True
            client.wake.set()


async def settle() -> None:
    """Let every task run until none has anything left to do."""
    for _ in range(200):
        await asyncio.sleep(0)


def scenario(play: Any, **bounds: Any) -> None:
    async def run() -> None:
        feed = Feed(**bounds)
        try:
            await play(feed)
        finally:
            for task in feed.tasks:
                task.cancel()
            await asyncio.gather(*feed.tasks, return_exceptions=True)

    asyncio.run(run())


def test_a_snapshot_then_what_follows() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.events(1, 3)
        socket = feed.follow()
        await settle()
        feed.events(4, 6)
        await settle()
        assert socket.seqs("snapshot") == [3]
        assert socket.seqs() == [4, 5, 6]
        assert len(socket.got[0]["body"]["annotations"]) == 3

    scenario(play)


def test_since_gives_what_was_missed_in_order_then_what_follows() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.events(1, 700)
        socket = feed.follow(since=3)
        await settle()
        feed.events(701, 705)
        await settle()
        assert socket.seqs() == list(range(4, 706))
        assert socket.seqs("snapshot") == []

    scenario(play)


def test_a_client_waits_for_the_case_and_hears_heartbeats_meanwhile() -> None:
    async def play(feed: Feed) -> None:
        socket = feed.follow()
        await settle()
        assert socket.got == []
        feed.heartbeat()
        await settle()
        assert socket.got[0]["body"]["link"] == "lost"
        assert socket.got[0]["body"]["engine_age_s"] is None
        feed.case()
        await settle()
        assert socket.got[1]["type"] == "snapshot"

    scenario(play)


def test_a_heartbeat_carries_the_last_number_that_this_client_has_seen() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.events(1, 2)
        socket = feed.follow(since=0)
        await settle()
        feed.heartbeat()
        await settle()
        beat = socket.got[-1]
        assert (beat["type"], beat["seq"], beat["body"]["seq"]) == ("heartbeat", 2, 2)
        assert set(beat["body"]) == {
            "seq", "engine_age_s", "signal_age_s", "trial_age_s", "case_s", "link",
        }  # fmt: skip

    scenario(play)


def test_a_client_that_lags_is_cut_off_and_no_other_is_disturbed() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        slow, quick = feed.follow(since=0), feed.follow(since=0)
        feed.events(1, 1)
        await settle()
        slow.room.clear()
        for seq in range(2, 40):
            feed.events(seq, seq)
            await settle()
        with pytest.raises(Disconnect) as cut:
            await feed.tasks[0]
        assert cut.value.code == TRY_AGAIN_LATER
        assert quick.seqs() == list(range(1, 40))
        assert len(feed.hub.clients) == 1
        assert b"mep_clients_disconnected_slow_total 1.0" in feed.hub.metrics.text()

    scenario(play, lag_events=20)


def test_a_client_that_takes_nothing_is_cut_off_in_time() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        socket = feed.follow()
        socket.room.clear()
        with pytest.raises(Disconnect) as cut:
            await feed.tasks[0]
        assert cut.value.code == TRY_AGAIN_LATER

    scenario(play, send_timeout_s=0.01)


def test_one_who_catches_up_leaves_the_others_their_turns() -> None:
    """He reads as fast as he is sent to, so that sending never waits by itself."""

    async def play(feed: Feed) -> None:
        feed.case()
        feed.events(1, 2000)
        quick = feed.follow(since=2000)
        await settle()
        late = feed.follow(since=0)
        await asyncio.sleep(0)
        feed.events(2001, 2001, "alarm")
        before = len(late.got)
        while quick.seqs("alarm") != [2001]:
            await asyncio.sleep(0)
        assert 0 < before <= TURN
        assert len(late.got) <= 3 * TURN
        await settle()
        assert late.seqs() == list(range(1, 2001))

    scenario(play)


def test_catching_up_is_not_lagging() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.events(1, 500)
        socket = feed.follow(since=0)
        await settle()
        await settle()
        assert socket.seqs() == list(range(1, 501))

    scenario(play, lag_events=20)


def test_a_waveform_comes_after_the_events_that_wait() -> None:
    """Over a slow line it takes long: no alarm of the same trial, or a newer one, waits for it."""

    async def play(feed: Feed) -> None:
        feed.case()
        socket = feed.follow(since=0, waveforms=True)
        await settle()
        socket.room.clear()
        feed.hub.model.keep_waveform(1, b"first")
        feed.events(1, 1, "trial")
        feed.events(2, 2, "alarm")
        await settle()
        feed.hub.model.keep_waveform(3, b"third")
        feed.events(3, 3, "trial")
        await settle()
        socket.room.set()
        await settle()
        kinds = [m if isinstance(m, bytes) else m["type"] for m in socket.got]
        assert kinds == ["trial", "alarm", "trial", b"first", b"third"]

    scenario(play)


def an_alarm(feed: Feed) -> None:
    feed.events(1, 1, "alarm")


@pytest.mark.parametrize(("happens", "kind"), [(an_alarm, "alarm"), (Feed.heartbeat, "heartbeat")])
def test_what_happens_overtakes_the_waveforms_of_a_snapshot(
    happens: Callable[[Feed], None], kind: str
) -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        for trial in (1, 2, 3):
            feed.hub.model.keep_waveform(trial, b"%d" % trial)
        socket = feed.follow(waveforms=True)
        socket.room.clear()
        await settle()
        happens(feed)
        socket.room.set()
        await settle()
        kinds = [m if isinstance(m, bytes) else m["type"] for m in socket.got]
        assert kinds == ["snapshot", kind, b"1", b"2", b"3"]

    scenario(play)


def test_who_is_owed_too_many_waveforms_goes_without_the_oldest() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        socket = feed.follow(since=0, waveforms=True)
        await settle()
        socket.room.clear()
        for trial in range(1, 21):
            feed.hub.model.keep_waveform(trial, b"%d" % trial)
            feed.events(trial, trial, "trial")
            await settle()
        socket.room.set()
        await settle()
        assert [m for m in socket.got if isinstance(m, bytes)] == [b"%d" % n for n in range(5, 21)]
        assert b"mep_waveforms_dropped_total 4.0" in feed.hub.metrics.text()

    scenario(play)


def test_a_waveform_follows_its_trial() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        with_waveforms, without = feed.follow(since=0, waveforms=True), feed.follow(since=0)
        await settle()
        feed.hub.model.keep_waveform(1, b"first")
        feed.events(1, 1, "trial")
        feed.events(2, 2)
        await settle()
        kinds = [m if isinstance(m, bytes) else m["type"] for m in with_waveforms.got]
        assert kinds == ["trial", "annotation", b"first"]
        assert without.seqs("trial") == [1]
        assert b"first" not in without.got

    scenario(play)


def test_a_snapshot_brings_the_last_waveforms() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.hub.model.keep_waveform(1, b"first")
        feed.events(1, 1, "trial")
        socket = feed.follow(waveforms=True)
        await settle()
        assert socket.got[1:] == [b"first"]

    scenario(play)


def test_a_waveform_that_is_gone_is_dropped_and_counted() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        socket = feed.follow(since=0, waveforms=True)
        await settle()
        feed.events(1, 1, "trial")
        await settle()
        assert socket.seqs("trial") == [1]
        assert b"mep_waveforms_dropped_total 1.0" in feed.hub.metrics.text()

    scenario(play)


def test_events_older_than_the_log_come_from_the_engine(monkeypatch) -> None:
    async def play(feed: Feed) -> None:
        asked: list[ReadEvents] = []

        async def ask(question: ReadEvents) -> Reply:
            asked.append(question)
            last = min(question.since + 10, 60)
            told = [
                Envelope(seq, "t", "annotation", msgspec.Raw(b"{}"))
                for seq in range(question.since + 1, last + 1)
            ]
            return Reply(1, body=msgspec.Raw(msgspec.json.encode(told)))

        monkeypatch.setattr(feed.hub.link, "ask", ask)
        feed.case()
        feed.events(1, 60)
        socket = feed.follow(since=0)
        await settle()
        assert socket.seqs() == list(range(1, 61))
        assert asked[0].since == 0

    scenario(play, model=ReadModel(log_bytes=200))


def test_where_older_events_can_t_be_had_the_client_comes_back_later(monkeypatch) -> None:
    async def play(feed: Feed) -> None:
        async def ask(question: ReadEvents) -> Reply:
            raise EngineUnreachable("gone")

        monkeypatch.setattr(feed.hub.link, "ask", ask)
        feed.case()
        feed.events(1, 60)
        feed.follow(since=0)
        with pytest.raises(Disconnect) as cut:
            await feed.tasks[0]
        assert cut.value.code == TRY_AGAIN_LATER

    scenario(play, model=ReadModel(log_bytes=200))


def test_another_case_disconnects_those_who_follow_the_old_one() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.follow()
        await settle()
        feed.case("another")
        with pytest.raises(Disconnect) as cut:
            await feed.tasks[0]
        assert cut.value.code == SERVICE_RESTART

    scenario(play)


@pytest.mark.parametrize(("since", "snapshots"), [(3, []), (4, [9]), (5, [9]), (6, [])])
def test_a_client_that_saw_what_was_lost_with_an_engine_starts_anew(since, snapshots) -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.events(1, 5)
        feed.hub._on_case(case_body("scripted", last_seq=3))
        feed.events(1, 9)
        socket = feed.follow(since)
        await settle()
        assert socket.seqs("snapshot") == snapshots
        assert socket.seqs() == ([] if snapshots else list(range(since + 1, 10)))

    scenario(play)


def test_a_client_from_another_case_gets_a_snapshot(monkeypatch) -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        feed.events(1, 2)
        feed.hub.link._beat = Beat(2, 0.0, None, None)
        socket = feed.follow(since=500)
        await settle()
        assert socket.seqs("snapshot") == [2]

    scenario(play)


def test_a_client_ahead_of_a_restarted_gateway_waits_until_it_has_caught_up() -> None:
    async def play(feed: Feed) -> None:
        feed.case()
        socket = feed.follow(since=3)
        await settle()
        feed.events(1, 5)
        await settle()
        assert socket.seqs() == [4, 5]
        assert socket.seqs("snapshot") == []

    scenario(play)
