import numpy as np
import pytest

from monitor.sources.streams import (
    StreamSummary,
    channel_names,
    choose_markers,
    choose_signal,
    marker_value,
    matches,
)
from monitor.types import MonitorError

EMG = StreamSummary("amp", "EMG", "emg1", 8, 5000.0, "float32", "theatre")
SECOND = StreamSummary("amp2", "EMG", "emg2", 4, 5000.0, "int16", "theatre")
EEG = StreamSummary("cap", "EEG", "eeg1", 32, 500.0, "float32")
MARKERS = StreamSummary("stim", "Markers", "m1", 1, 0.0, "string")
EVENTS = StreamSummary("events", "Events", "m2", 1, 0.0, "int32")


def test_type_emg_is_taken_before_any_other_signal() -> None:
    assert choose_signal([EEG, MARKERS, EMG], "", "here") == 2


def test_the_only_signal_is_taken_whatever_its_type() -> None:
    assert choose_signal([MARKERS, EEG], "", "here") == 1


def test_two_emg_streams_are_an_error_that_says_how_to_choose() -> None:
    with pytest.raises(MonitorError) as error:
        choose_signal([EMG, SECOND], "", "here")
    text = str(error.value)
    assert "2 streams could be the EMG stream" in text
    assert "name='amp' (type 'EMG', source_id 'emg1', 8 x float32, 5000 Hz, host theatre)" in text
    assert "--signal \"source_id='emg1'\"" in text
    assert "\n" not in text


def test_no_signal_lists_what_there_is() -> None:
    with pytest.raises(MonitorError, match="here: no EMG stream; there are name='stim'"):
        choose_signal([MARKERS], "", "here")
    with pytest.raises(MonitorError, match="no streams at all"):
        choose_signal([], "", "here")


def test_a_predicate_takes_any_signal() -> None:
    assert choose_signal([EEG], "type='EEG'", "here") == 0


def test_marker_type_is_taken_before_other_irregular_streams() -> None:
    assert choose_markers([EMG, EVENTS, MARKERS], "", "here") == 2
    assert choose_markers([EMG, EVENTS], "", "here") == 1


def test_two_marker_streams_are_an_error() -> None:
    other = StreamSummary("other", "Markers", "", 1, 0.0, "string")
    with pytest.raises(MonitorError, match=r"2 streams could be the marker stream.*--markers"):
        choose_markers([other, MARKERS], "", "here")


def test_predicates_of_recordings() -> None:
    assert matches(EMG, "amp")
    assert matches(EMG, "type='EMG'")
    assert matches(EMG, "type='EMG' and source_id=\"emg1\"")
    assert not matches(EMG, "type='EMG' and name='amp2'")
    assert matches(
        StreamSummary("this and that", "EMG", "", 1, 1.0, "int8"), "name='this and that'"
    )


def test_a_predicate_that_only_lsl_understands_is_refused() -> None:
    with pytest.raises(MonitorError, match="for a recording write name="):
        matches(EMG, "channel_count=8")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("S255", "S255"),
        (b"TES \xc2\xb5", "TES µ"),
        (b"\xff", "\ufffd"),
        (np.int32(7), 7),
        (np.int64(2**60 + 1), 2**60 + 1),
        (np.float64(3.0), 3),
        (2.5, "2.5"),
        (float("nan"), "nan"),
    ],
)
def test_marker_values(raw: object, value: str | int) -> None:
    got = marker_value(raw)
    assert got == value
    assert type(got) is type(value)


def test_channels_get_distinct_names() -> None:
    assert channel_names(["APB", "", "APB"], 4) == ("APB", "ch2", "APB-2", "ch4")
