"""Events as JSON: complete, deterministic, and what the OpenAPI models say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import numpy as np
import pytest

from monitor import wire
from monitor.gateway.bodies import (
    AlarmBody,
    AnnotationBody,
    BaselineBody,
    ChannelTrialBody,
    StatusBody,
    TrialBody,
)
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    BaselineState,
    CaseStatus,
    ChannelTrial,
    Measurement,
    Morphology,
    Priority,
    Status,
    Stimulus,
    Trial,
)

MEASURED = Measurement(
    Status.RESPONSE,
    amplitude_uv=123.456,
    onset_ms=22.5,
    phases=3,
    morphology=Morphology.POLYPHASIC,
    snr=float("nan"),
    noise_source="pre",
)
TRIAL = Trial(
    7,
    Stimulus(12.5, "TES C1C2 400V", "C1C2", 400.0, (0.0, 4.0)),
    3.25,
    (ChannelTrial("L-TA", "TA", "left", MEASURED, 200.0, 61.7, True, ""),),
)
ALARM = AlarmCondition(
    3,
    AlarmKind.RESPONSE_LOST,
    AlarmClass.PHYSIOLOGICAL,
    Priority.HIGH,
    AlarmState.ACTIVE,
    3.25,
    evidence={"threshold_percent": 50.0, "n": 2, "told": True, "who": None},
)
BASELINE = Baseline(
    1, "C1C2", "L-TA", "TA", BaselineState.FROZEN, 200.0, 30.0, 10, 10, (1, 2),
    sweep_uv=np.array([0.1, np.nan, 1.006], np.float32),
)  # fmt: skip
STORED = wire.StoredEpoch(4096, (1, 1250), "ab" * 32, 5000.0, 500, 0.25)


def decoded(event: object, *more: object) -> dict[str, object]:
    return json.loads(wire.encode(wire.event_body(event, *more)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "kind", "model"),
    [
        (TRIAL, "trial", TrialBody),
        (ALARM, "alarm", AlarmBody),
        (BASELINE, "baseline", BaselineBody),
        (Annotation(1.0, "incision", "XY"), "annotation", AnnotationBody),
        (CaseStatus(1.0, "running"), "status", StatusBody),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_event_has_the_body_that_openapi_describes(event, kind, model) -> None:
    body = decoded(event, wire.Timing(1.0, 2.0), STORED)
    assert wire.event_type(event) == kind
    model.model_validate(body)
    described = {f.alias or name for name, f in model.model_fields.items()}
    assert set(body) == described


def test_a_channel_has_every_field_of_the_measurement() -> None:
    row = decoded(TRIAL)["channels"][0]
    for name in wire.MEASUREMENT_FIELDS:
        assert name in row
    assert set(row) == set(ChannelTrialBody.model_fields)


def test_nan_is_null_and_names_are_the_contracts() -> None:
    body = decoded(TRIAL)
    assert body["channels"][0]["snr"] is None
    assert body["pulses_ms"] == [0.0, 4.0]
    assert body["intensity"] == 400.0
    assert body["waveform"] is None
    assert decoded(ALARM)["class"] == "physiological"
    assert "alarm_class" not in decoded(ALARM)


def test_sweeps_are_given_to_a_hundredth_of_a_microvolt() -> None:
    assert decoded(BASELINE)["sweep_uv"] == [0.1, None, 1.01]
    assert decoded(replace(BASELINE, sweep_uv=None))["sweep_uv"] is None


def test_timing_and_the_stored_epoch_belong_to_a_trial() -> None:
    body = decoded(TRIAL, wire.Timing(stimulus=1.5, measured=2.5), STORED)
    assert body["timing"] == {
        "stimulus": 1.5, "epoch_complete": None, "measured": 2.5, "raised": None,
    }  # fmt: skip
    assert body["waveform"]["offset"] == 4096
    assert body["waveform"]["shape"] == [1, 1250]


def test_same_event_same_bytes() -> None:
    again = replace(TRIAL, channels=tuple(TRIAL.channels))
    assert wire.encode(wire.event_body(TRIAL)) == wire.encode(wire.event_body(again))


def test_numpy_values_are_plain_numbers() -> None:
    value = {"a": np.float32(0.5), "b": np.int64(3), "c": np.arange(2), "d": np.bool_(True)}
    assert json.loads(wire.encode(value)) == {"a": 0.5, "b": 3, "c": [0, 1], "d": True}
    with pytest.raises(NotImplementedError, match="no JSON form for object"):
        wire.encode(object())


def test_utc_text_has_microseconds_and_a_z() -> None:
    moment = datetime(2026, 1, 5, 9, 0, 0, 5, timezone(timedelta(hours=1)))
    assert wire.utc_text(moment) == "2026-01-05T08:00:00.000005Z"
    assert datetime.fromisoformat(wire.utc_text(moment)) == moment.astimezone(UTC)


def test_an_envelope_passes_its_body_on_untouched() -> None:
    body = b'{"z":1,"a":  [1.50]}'
    sent = msgspec.json.encode(wire.Envelope(1, "t", "trial", msgspec.Raw(body)))
    assert bytes(msgspec.json.decode(sent, type=wire.Envelope).body) == body


@pytest.mark.parametrize(
    "alarm",
    [
        ALARM,
        msgspec.structs.replace(
            ALARM, resolved_s=3.5, acknowledged_by="XY", acknowledged_s=0.1 + 0.2
        ),
        msgspec.structs.replace(
            ALARM, evidence={"message": "m", "n": 2, "share": 0.5, "gone": True, "at": None}
        ),
    ],
)
def test_an_alarm_is_read_back_as_it_was(alarm: AlarmCondition) -> None:
    body = wire.encode(wire.event_body(alarm, wire.Timing(raised=1.0)))
    assert wire.read_alarm(body) == alarm
