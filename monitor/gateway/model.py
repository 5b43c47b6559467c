"""The case as the gateway knows it, folded from the engine's events; it never opens the journal.

Bodies stay the bytes that the engine encoded. Everything is bounded: the last trials, the last
events (older ones are fetched from the engine when a client asks), the last waveforms.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from monitor.wire import VERSION, Envelope

SNAPSHOT_TRIALS = 500
TRIALS = 5_000
BASELINES = 5_000
LOG_BYTES = 48 * 2**20
WAVEFORMS = 16


class _Keys(msgspec.Struct, frozen=True):
    """What identifies a body of any type."""

    trial: int | None = None
    id: int | None = None
    setting: str = ""
    channel: str = ""
    stimulus_s: float | None = None
    at_s: float | None = None
    set_by: str = ""


_keys = msgspec.json.Decoder(_Keys)


@dataclass(slots=True)
class _Kept:
    """A baseline that stands or stood: its latest body, since when, and what took its place.

    ``since_s``, in seconds of the case, is the trial that began it, or the remark of who set it.
    """

    since: str
    since_s: float
    body: bytes
    replaced_by: _Kept | None = None

    def told(self, body: bytes) -> bytes:
        """The entry of the history, with ``body`` for the baseline."""
        after = self.replaced_by
        when = {
            "since": self.since,
            "since_s": self.since_s,
            "until": None if after is None else after.since,
            "until_s": None if after is None else after.since_s,
        }
        return msgspec.json.encode({**when, "baseline": msgspec.Raw(body)})


@dataclass(frozen=True, slots=True)
class Logged:
    """One event ready to be sent; ``trial`` is its number where it is a trial."""

    seq: int
    head: bytes
    tail: bytes
    trial: int | None

    def message(self, sent: str) -> str:
        """The live feed's message, leaving at ``sent`` (UTC text)."""
        return (self.head + sent.encode() + self.tail).decode()


def logged(envelope: Envelope) -> Logged:
    """An event from the engine, its body untouched."""
    trial = _keys.decode(envelope.body).trial if envelope.type == "trial" else None
    return Logged(
        envelope.seq,
        b'{"v":%d,"seq":%d,"t":"%b","sent":"' % (VERSION, envelope.seq, envelope.t.encode()),
        b'","type":"%b","body":%b}' % (envelope.type.encode(), bytes(envelope.body)),
        trial,
    )


def json_list(bodies: Iterable[bytes]) -> bytes:
    """Encoded bodies as one JSON list."""
    return b"[" + b",".join(bodies) + b"]"


class ReadModel:
    """Takes events in order; answers what REST and the snapshot ask. Not for several threads."""

    def __init__(self, *, log_bytes: int = LOG_BYTES) -> None:
        self._log_limit = log_bytes
        self._lost: list[range] = []
        self._clear()

    def _clear(self) -> None:
        self.case: dict[str, object] | None = None
        self.last_seq = 0
        self._trials: dict[int, bytes] = {}
        self._alarms: dict[int, bytes] = {}
        self._baselines: dict[tuple[str, str], bytes] = {}
        self._baseline_history: dict[int, _Kept] = {}
        self._baseline_ids: dict[tuple[str, str], int] = {}
        self._begun: list[_Kept] = []  # set by an operator whose remark is still to come
        self._case_s = 0.0
        self._annotations: list[bytes] = []
        self._status = b"null"
        self._log: deque[Logged] = deque()
        self._log_size = 0
        self._waveforms: dict[int, bytes] = {}

    @property
    def case_id(self) -> str:
        """Empty before the engine has said which case it runs."""
        return "" if self.case is None else str(self.case["id"])

    def begin(self, case: dict[str, object]) -> bool:
        """The engine says which case it runs; True: not what is known here, so all is forgotten.

        It also says how many events it has (``last_seq``). Where more are known, they were shown
        before they were durable and have gone with an engine; their numbers do not come again.
        """
        other = self.case_id not in ("", str(case["id"]))
        lost = range(int(str(case["last_seq"])) + 1, self.last_seq + 1)
        if other:
            self._lost.clear()
        elif lost:
            self._lost.append(lost)
        changed = other or len(lost) > 0
        if changed:
            self._clear()
        self.case = case
        return changed

    def is_lost(self, seq: int) -> bool:
        """Who has seen event ``seq`` has seen what went with an engine, and must start anew."""
        return any(seq in lost for lost in self._lost)

    def take(self, envelope: Envelope) -> Logged | None:
        """Fold one event in; None where it is known already."""
        if envelope.seq <= self.last_seq:
            return None
        body = bytes(envelope.body)
        keys = _keys.decode(body)
        self._follow_time(envelope.type, keys)
        match envelope.type:
            case "trial" if keys.trial is not None:
                self._trials[keys.trial] = body
                if len(self._trials) > TRIALS:
                    del self._trials[next(iter(self._trials))]
            case "alarm" if keys.id is not None:
                self._alarms[keys.id] = body
            case "baseline" if keys.id is not None:
                self._take_baseline(keys.id, keys, envelope.t, body)
            case "annotation":
                self._annotations.append(body)
            case "status":
                self._status = body
        entry = logged(envelope)
        self.last_seq = envelope.seq
        self._log.append(entry)
        self._log_size += len(entry.tail)
        while self._log_size > self._log_limit and len(self._log) > 1:
            self._log_size -= len(self._log.popleft().tail)
        return entry

    def _take_baseline(self, number: int, keys: _Keys, t: str, body: bytes) -> None:
        """A baseline as it stands from ``t`` on; one with a new number has replaced another."""
        place = keys.setting, keys.channel
        self._baselines[place] = body
        kept = self._baseline_history.get(number)
        if kept is not None:
            kept.body = body
            return
        before = self._baseline_history.get(self._baseline_ids.get(place, number))
        now = self._baseline_history[number] = _Kept(t, self._case_s, body)
        if before is not None:
            before.replaced_by, before.body = now, _without_sweep(before.body)
        if keys.set_by:
            self._begun.append(now)
        self._baseline_ids[place] = number
        if len(self._baseline_history) > BASELINES:
            over = (n for n, old in self._baseline_history.items() if old.replaced_by)
            del self._baseline_history[next(over, number)]

    def _follow_time(self, kind: str, keys: _Keys) -> None:
        """What a baseline does not tell: when in the case it began.

        One that is learned follows its trial; one that is set is followed by the remark of that.
        """
        told_s = keys.at_s if keys.stimulus_s is None else keys.stimulus_s
        if told_s is None:
            return
        self._case_s = told_s
        if kind == "annotation":
            for kept in self._begun:
                kept.since_s = told_s
        self._begun.clear()

    def since(self, seq: int, limit: int) -> Sequence[Logged] | None:
        """Events after ``seq``; None: some of them are older than what is kept here."""
        if seq >= self.last_seq:
            return ()
        first = self._log[0].seq
        if seq + 1 < first:
            return None
        # The log has no gaps, so an event's place follows from its number.
        begin = seq + 1 - first
        return [self._log[i] for i in range(begin, min(begin + limit, len(self._log)))]

    def keep_waveform(self, trial: int, message: bytes) -> None:
        """A trial's binary message, which comes before the trial itself."""
        self._waveforms[trial] = message
        while len(self._waveforms) > WAVEFORMS:
            del self._waveforms[next(iter(self._waveforms))]

    def waveform(self, trial: int) -> bytes | None:
        """The binary message of one of the last trials."""
        return self._waveforms.get(trial)

    def waveforms(self) -> list[int]:
        """The trials whose messages are kept, oldest first."""
        return list(self._waveforms)

    # ------------------------------------------------------------------ what REST asks

    def trials(self, since: int, limit: int) -> list[bytes]:
        """Bodies of trials with a number above ``since``, in order."""
        numbers = sorted(self._trials)
        begin = bisect_right(numbers, since)
        return [self._trials[number] for number in numbers[begin : begin + limit]]

    def alarms(self) -> bytes:
        return json_list(self._alarms.values())

    def alarm(self, number: int) -> bytes | None:
        return self._alarms.get(number)

    def baselines(self) -> bytes:
        return json_list(self._baselines.values())

    def baseline_history(self, setting: str, channel: str) -> bytes:
        """Every baseline that stands or stood, oldest first, as a JSON list; empty: of any."""
        return json_list(
            kept.told(body)
            for kept in self._baseline_history.values()
            if _is_of(body := _without_sweep(kept.body), setting, channel)
        )

    def annotations(self) -> bytes:
        return json_list(self._annotations)

    def case_body(self) -> bytes | None:
        """The body of ``GET case``; None before the engine said."""
        if self.case is None:
            return None
        return msgspec.json.encode({**self.case, "last_seq": self.last_seq})

    def snapshot(self) -> list[bytes] | None:
        """The body of a snapshot, in pieces; None before the engine said which case it runs.

        It is megabytes: whoever copies it once too often keeps every client waiting.
        """
        case = self.case_body()
        if self.case is None or case is None:
            return None
        head = b'{"case":%b,"channels":%b,"status":%b,"alarms":%b,"baselines":%b,' % (
            case,
            msgspec.json.encode(self.case["channels"]),
            self._status,
            self.alarms(),
            self.baselines(),
        )
        pieces = [head, b'"annotations":', self.annotations(), b',"trials":[']
        for body in list(self._trials.values())[-SNAPSHOT_TRIALS:]:
            pieces += (body, b",")
        if pieces[-1] == b",":
            pieces.pop()
        pieces.append(b"]}")
        return pieces


def _without_sweep(body: bytes) -> bytes:
    """A baseline's body for its history, which shows no sweep."""
    baseline = msgspec.json.decode(body)
    return msgspec.json.encode({**baseline, "sweep_uv": None})


def _is_of(body: bytes, setting: str, channel: str) -> bool:
    keys = _keys.decode(body)
    return setting in ("", keys.setting) and channel in ("", keys.channel)
