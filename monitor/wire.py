"""Events as JSON: the bodies that ``docs/contract.md`` describes, made from the frozen types.

The engine encodes each event once. The same bytes go into the journal, over the link and to every
client; a replay from the journal sends them as they were stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.track.criteria import setting_key
from monitor.types import (
    AlarmCondition,
    Annotation,
    Baseline,
    CaseStatus,
    Channel,
    ChannelTrial,
    Event,
    Measurement,
    Trial,
)

VERSION = 1

EventType = Literal["trial", "alarm", "baseline", "annotation", "status"]
Body = dict[str, Any]

MEASUREMENT_FIELDS = Measurement.__struct_fields__

_SWEEP_DECIMALS = 2
"""A sweep for display is given to 0.01 uV: float32 noise below that would only cost bytes."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When things happened, in seconds on this machine's LSL clock; None: does not apply."""

    stimulus: float | None = None
    epoch_complete: float | None = None
    measured: float | None = None
    raised: float | None = None


NO_TIMING = Timing()


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """Where a trial's raw epoch lies in ``epochs.bin`` and what it takes to measure it again.

    ``offset`` is in bytes, ``shape`` is (channels, n).
    """

    offset: int
    shape: tuple[int, int]
    sha256: str
    fs_hz: float
    stimulus_index: int
    stimulus_fraction: float


class Envelope(msgspec.Struct, frozen=True):
    """One event on its way: ``body`` is JSON that nobody needs to decode in order to pass it on."""

    seq: int
    t: str
    type: str
    body: msgspec.Raw


def _plain(value: object) -> object:
    """Numpy's own scalars and arrays, as JSON has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise NotImplementedError(f"no JSON form for {type(value).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def encode(value: object) -> bytes:
    """JSON bytes. Keys keep their order, NaN and infinity become null: same value, same bytes."""
    return _encoder.encode(value)


def utc_text(moment: datetime) -> str:
    """A moment as the feed writes it: UTC to the microsecond with a ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_type(event: Event) -> EventType:
    """The feed's name for this kind of event."""
    match event:
        case Trial():
            return "trial"
        case AlarmCondition():
            return "alarm"
        case Baseline():
            return "baseline"
        case Annotation():
            return "annotation"
        case CaseStatus():
            return "status"


def event_body(event: Event, timing: Timing = NO_TIMING, stored: StoredEpoch | None = None) -> Body:
    """The body of an event, as plain values in the contract's order.

    Args:
        timing: for trials and alarms; not used otherwise.
        stored: for trials, where the raw epoch went.
    """
    match event:
        case Trial():
            return _trial(event, timing, stored)
        case AlarmCondition():
            return _alarm(event, timing)
        case Baseline():
            return _baseline(event)
        case Annotation():
            return {"at_s": event.at_s, "text": event.text, "by": event.by}
        case CaseStatus():
            return {
                "at_s": event.at_s,
                "state": event.state,
                "message": event.message,
                "audio_paused_until_s": event.audio_paused_until_s,
            }


def channel_list(channels: tuple[Channel, ...]) -> list[Body]:
    """The channels of a case, as ``case`` and ``snapshot`` give them."""
    return [{"channel": c.name, "muscle": c.muscle, "side": c.side} for c in channels]


def _trial(event: Trial, timing: Timing, stored: StoredEpoch | None) -> Body:
    stimulus = event.stimulus
    return {
        "trial": event.trial,
        "stimulus_s": event.stimulus_s,
        "setting": setting_key(stimulus),
        "intensity": stimulus.intensity,
        "pulses_ms": stimulus.pulses_ms,
        "marker": stimulus.marker,
        "channels": [_channel_trial(row) for row in event.channels],
        "timing": timing,
        "waveform": stored,
    }


def _channel_trial(row: ChannelTrial) -> Body:
    body: Body = {"channel": row.channel, "muscle": row.muscle, "side": row.side}
    for name in MEASUREMENT_FIELDS:
        body[name] = getattr(row.measurement, name)
    body["baseline_uv"] = row.baseline_uv
    body["percent_of_baseline"] = row.percent_of_baseline
    body["comparable"] = row.comparable
    body["alarm"] = row.alarm
    return body


def _alarm(event: AlarmCondition, timing: Timing) -> Body:
    return {
        "id": event.id,
        "kind": event.kind,
        "class": event.alarm_class,
        "priority": event.priority,
        "state": event.state,
        "setting": event.setting,
        "channel": event.channel,
        "muscle": event.muscle,
        "trial": event.trial,
        "percent_of_baseline": event.percent_of_baseline,
        "baseline_uv": event.baseline_uv,
        "amplitude_uv": event.amplitude_uv,
        "scope": event.scope,
        "rule": event.rule,
        "evidence": event.evidence,
        "raised_s": event.raised_s,
        "resolved_s": event.resolved_s,
        "acknowledged_by": event.acknowledged_by,
        "acknowledged_s": event.acknowledged_s,
        "timing": timing,
    }


def read_alarm(body: bytes) -> AlarmCondition:
    """The condition that an alarm's body describes, as :func:`event_body` took it."""
    fields: dict[str, object] = msgspec.json.decode(body, type=dict)
    fields["alarm_class"] = fields.pop("class")
    fields.pop("timing", None)
    return msgspec.convert(fields, AlarmCondition)


def _baseline(event: Baseline) -> Body:
    return {
        "id": event.id,
        "setting": event.setting,
        "channel": event.channel,
        "muscle": event.muscle,
        "state": event.state,
        "amplitude_uv": event.amplitude_uv,
        "onset_ms": event.onset_ms,
        "accepted": event.accepted,
        "responses": event.responses,
        "trials": event.trials,
        "set_by": event.set_by,
        "reason": event.reason,
        "role": event.role,
        "before_uv": event.before_uv,
        "overrode": event.overrode,
        "spread": event.spread,
        "floor_uv": event.floor_uv,
        "phases": event.phases,
        "sweep_uv": None if event.sweep_uv is None else _sweep(event.sweep_uv),
    }


def _sweep(sweep_uv: NDArray[np.float32]) -> list[float]:
    rounded: list[float] = np.round(sweep_uv.astype(np.float64), _SWEEP_DECIMALS).tolist()
    return rounded
