"""The link between engine and gateway: what its frames are and mean. No I/O here.

A frame is a little-endian ``uint32`` length, one byte of kind, and that many bytes of payload.

| kind | direction | payload |
|---|---|---|
| ``HELLO`` | to the engine | :class:`Hello`: which case and the last ``seq`` that the gateway has |
| ``CASE`` | to the gateway | the body of ``GET case`` as of now; always the first frame |
| ``EVENT`` | to the gateway | :class:`monitor.wire.Envelope`, the body as it is in the journal |
| ``WAVEFORM`` | to the gateway | the live feed's binary message, *before* the trial's event |
| ``BEAT`` | to the gateway | :class:`Beat`, at least every 0.5 s from the engine's data path |
| ``REQUEST`` | to the engine | :class:`Request` |
| ``REPLY`` | to the gateway | :class:`Reply` with the request's id |
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import msgspec
import numpy as np

from monitor.queues import QueueCounts
from monitor.types import Float32Array

MAX_PAYLOAD = 64 * 2**20
"""No frame is longer; a length beyond it means that the stream is out of step."""

BEAT_INTERVAL_S = 0.25
"""The engine says at least this often that it is alive (half of what the contract asks)."""

LINK_LOST_S = 3.0
"""An engine that is silent for this long counts as lost."""

_HEADER = struct.Struct("<IB")


class LinkError(Exception):
    """The other side sent what is no frame: the connection can't be used any more."""


class FrameKind(IntEnum):
    HELLO = 1
    CASE = 2
    EVENT = 3
    WAVEFORM = 4
    BEAT = 5
    REQUEST = 6
    REPLY = 7


_KINDS = frozenset(int(kind) for kind in FrameKind)


@dataclass(frozen=True, slots=True)
class Frame:
    kind: FrameKind
    payload: bytes


def pack(kind: FrameKind, payload: bytes) -> bytes:
    """The bytes of one frame."""
    return _HEADER.pack(len(payload), kind) + payload


class FrameParser:
    """Bytes in, frames out, however they were cut on the way."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Frames completed by ``data``, in order.

        Raises:
            LinkError: an unknown kind or an impossible length; close the connection.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            length, kind = _HEADER.unpack_from(self._buffer)
            if length > MAX_PAYLOAD or kind not in _KINDS:
                raise LinkError(f"no frame: length {length}, kind {kind}")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(memoryview(self._buffer)[_HEADER.size : end])
            del self._buffer[:end]
            yield Frame(FrameKind(kind), payload)


class Hello(msgspec.Struct, frozen=True):
    """``case`` is empty on a gateway that knows none yet; ``since`` counts for that case only."""

    case: str
    since: int


class RecordCounts(msgspec.Struct, frozen=True):
    """How keeping the record went so far, in this run of the engine.

    ``slow_commits`` took over 10 ms, ``failed_commits`` were tried again, ``shown_before_durable``
    counts the times that something was shown first, ``*_shed`` were never stored (entries of the
    journal, epochs, inputs of the raw recording).
    """

    slow_commits: int = 0
    failed_commits: int = 0
    shown_before_durable: int = 0
    entries_shed: int = 0
    epochs_shed: int = 0
    inputs_shed: int = 0


class Beat(msgspec.Struct, frozen=True):
    """The engine is alive. Ages are in seconds, None before the first sample or trial."""

    seq: int
    case_s: float
    signal_age_s: float | None
    trial_age_s: float | None
    record: RecordCounts = RecordCounts()
    queues: QueueCounts = QueueCounts()


class AcknowledgeAlarm(msgspec.Struct, frozen=True, tag="acknowledge"):
    alarm_id: int
    by: str


class SetNewBaseline(msgspec.Struct, frozen=True, tag="baseline"):
    channel: str
    by: str
    reason: str
    setting: str = ""
    amplitude_uv: float | None = None
    group: tuple[str, ...] = ()
    role: str = ""
    override: bool = False


class AddAnnotation(msgspec.Struct, frozen=True, tag="annotation"):
    text: str
    by: str


class PauseAudioSignal(msgspec.Struct, frozen=True, tag="audio-pause"):
    seconds: float
    by: str


class ReportReceivers(msgspec.Struct, frozen=True, tag="receivers"):
    """Which receivers of alarms the gateway knows and which of them are lost, by name.

    ``fresh``: from a gateway that has just started and knows none. Nothing is taken from it; the
    reply's body lists those that the gateway before it knew.
    """

    known: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    fresh: bool = False


class ReadWaveform(msgspec.Struct, frozen=True, tag="waveform"):
    """A trial's samples: as measured, or raw as they came from the ring."""

    trial: int
    raw: bool = False


class ReadExplanation(msgspec.Struct, frozen=True, tag="explanation"):
    """Why the network answered a trial as it did; of one ``channel``, or of all (empty)."""

    trial: int
    channel: str = ""
    embedding: bool = False


class ReadEvents(msgspec.Struct, frozen=True, tag="events"):
    """Events with ``seq`` > ``since``, at most ``limit``, from the journal."""

    since: int
    limit: int


Operator = AcknowledgeAlarm | SetNewBaseline | AddAnnotation | PauseAudioSignal
Question = ReadWaveform | ReadExplanation | ReadEvents | ReportReceivers


class Request(msgspec.Struct, frozen=True):
    id: int
    ask: Operator | Question


class Reply(msgspec.Struct, frozen=True):
    """``status`` as in HTTP; ``detail`` says why not 200; ``body`` is what was asked for.

    For an operator's act the body is the list of events that it made, as envelopes.
    """

    id: int
    status: int = 200
    detail: str = ""
    body: msgspec.Raw = msgspec.Raw(b"null")


class WaveformHeader(msgspec.Struct, frozen=True):
    """What the samples of a binary message are."""

    case: str
    trial: int
    channels: tuple[str, ...]
    fs_hz: float
    stimulus_index: int
    n_samples: int


def pack_waveform(header: WaveformHeader, samples_uv: Float32Array) -> bytes:
    """The live feed's binary message; ``samples_uv`` is (channels, n_samples)."""
    text = msgspec.json.encode(header)
    text += b" " * (-(4 + len(text)) % 4)
    return struct.pack("<I", len(text)) + text + samples_uv.astype("<f4", copy=False).tobytes()


def unpack_waveform(message: bytes) -> tuple[WaveformHeader, Float32Array]:
    """The header and the samples (channels, n_samples) of a binary message.

    Raises:
        LinkError: not such a message.
    """
    try:
        (length,) = struct.unpack_from("<I", message)
        header = msgspec.json.decode(message[4 : 4 + length], type=WaveformHeader)
        samples = np.frombuffer(message, dtype="<f4", offset=4 + length)
        return header, samples.reshape(len(header.channels), header.n_samples)
    except (struct.error, msgspec.DecodeError, ValueError) as error:
        raise LinkError(f"no waveform: {error}") from None
