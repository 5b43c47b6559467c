"""The order of a recording's inputs: what is written is what is read, however much there is."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.inputs import (
    Acknowledge,
    Annotate,
    PauseAudio,
    Resume,
    ResumedAlarm,
    ResumedBaseline,
    ResumedResponse,
    SetBaseline,
)
from monitor.sources.input_order import (
    Act,
    InputKind,
    InputOrder,
    decode_act,
    encode_act,
    input_order,
)
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    BaselineState,
    MonitorError,
    Notice,
    Priority,
)

RESUME = Resume(
    trials=13,
    alarms=1,
    baseline_ids=3,
    baselines=(
        ResumedBaseline(
            3,
            "C3/C4",
            "L-TA",
            BaselineState.USABLE,
            0.1 + 0.2,
            trials=(1,),
            phases=3.5,
            learned=(ResumedResponse(1, 0.3, 22.0, 4, None),),
        ),
    ),
    standing=(
        ResumedAlarm(
            AlarmCondition(
                1,
                AlarmKind.RESPONSE_LOST,
                AlarmClass.PHYSIOLOGICAL,
                Priority.HIGH,
                AlarmState.ACTIVE,
                10.0,
                evidence={"trials": "11, 12", "gradual": False, "upper_uv": None},
            ),
            high_since_s=-12.5,
        ),
    ),
)
ACTS: list[Act] = [
    Acknowledge(3, "XY", 12.5, ("response_lost", "C3/C4 @ 400", "L-TA")),
    Acknowledge(4, "XY"),
    SetBaseline(
        "", "XY", "new position", "C3/C4 @ 400", 0.1 + 0.2, 1e-9, ("L-TA", "R-TA"), "surgeon", True
    ),
    Annotate('Schraube "links"\n', "Ünal", 5.0),
    PauseAudio(60.0, "XY", 6.0),
    RESUME,
    Notice(AlarmKind.STIMULUS_MISSING, True, 0.0, message="the marker stream is gone"),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
def test_an_act_is_one_line_and_comes_back_as_it_was(act: Act) -> None:
    line = encode_act(act)
    assert "\n" not in line
    assert decode_act(line) == act


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"act": "reboot"}', '{"act": "annotate"}'])
def test_what_is_no_act_is_named(text: str) -> None:
    with pytest.raises(MonitorError, match="not a recorded command or notice"):
        decode_act(text)


def order_of(*entries: tuple[InputKind, int, float], acts: int = 0) -> InputOrder:
    values = np.array([entry[:2] for entry in entries], np.float64).reshape(-1, 2)
    stamps = np.array([entry[2] for entry in entries])
    return input_order(stamps, values, [encode_act(Annotate(f"{i}", "XY")) for i in range(acts)])


def test_everything_is_due_with_the_tick_that_follows_it() -> None:
    order = order_of(
        (InputKind.MARKER, 10, 0.0),
        (InputKind.TICK, 10, 1.0),
        (InputKind.SIGNAL_OFFSET, 20, 1.0),
        (InputKind.ACT, 30, 1.0),
        (InputKind.TICK, 30, 2.0),
        (InputKind.MARKER, 40, 2.0),
        acts=1,
    )
    assert order.due_s().tolist() == [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    assert order_of((InputKind.MARKER, 1, 7.0)).due_s().tolist() == [7.0]
    assert order_of().due_s().tolist() == []


def test_of_a_recording_that_was_cut_off_what_is_whole_counts() -> None:
    entries = [(InputKind.ACT, k, float(k)) for k in range(3)]
    without_texts = order_of((InputKind.TICK, 0, 0.0), *entries, acts=1)
    assert without_texts.kinds.tolist() == [InputKind.TICK, InputKind.ACT]
    assert len(without_texts.acts) == 1
    without_entries = order_of(entries[0], acts=3)
    assert without_entries.acts == (Annotate("0", "XY"),)


def test_an_entry_of_another_version_is_refused() -> None:
    with pytest.raises(MonitorError, match="kinds that this version does not know"):
        input_order(np.zeros(1), np.array([[9.0, 0.0]]), [])
    with pytest.raises(MonitorError, match="kinds that this version does not know"):
        input_order(np.zeros(1), np.array([[np.nan, 0.0]]), [])
