"""Whether a stream is there: told once a change, and never back before it is."""

from __future__ import annotations

import pytest

from monitor.sources.lsl_presence import SILENT_S, Presence, differs, misfit, several
from monitor.sources.streams import StreamSummary
from monitor.types import AlarmKind

EMG = StreamSummary("amp", "EMG", "amp-1", 8, 5000.0, "float32")
STIM = StreamSummary("stim", "Markers", "stim-1", 1, 0.0, "string")
THERE, NOT_THERE = frozenset({"me"}), frozenset({"another"})


def signal() -> Presence:
    return Presence("signal", "me", EMG, 0.0)


def gone(presence: Presence) -> Presence:
    assert presence.observe(5.0, heard=False, visible=NOT_THERE) is not None
    assert presence.is_gone
    return presence


def test_silent_alone_or_unannounced_alone_is_not_gone() -> None:
    presence = signal()
    assert presence.observe(9.0, heard=False, visible=THERE) is None
    assert presence.observe(9.1, heard=True, visible=NOT_THERE) is None
    assert presence.observe(9.1 + SILENT_S, heard=False, visible=None) is None
    assert not presence.is_gone


def test_gone_is_told_once_and_so_is_its_return() -> None:
    presence = signal()
    presence.observe(1.0, heard=True, visible=NOT_THERE)
    told = presence.observe(1.1 + SILENT_S, heard=False, visible=None)
    assert told is not None
    assert (told.kind, told.active, told.cause) == (AlarmKind.SIGNAL_STALLED, True, "")
    assert told.message == "the EMG stream 'amp' is gone"
    assert presence.observe(3.0, heard=False, visible=NOT_THERE) is None
    back = presence.observe(4.0, heard=True, visible=None)
    assert back is not None
    assert (back.active, back.message) == (False, "the EMG stream 'amp' is back")
    assert presence.observe(4.1, heard=True, visible=THERE) is None


def test_what_broke_off_for_good_is_gone_whatever_is_announced() -> None:
    assert signal().observe(5.0, heard=False, visible=THERE, for_good=True) is not None


def test_a_signal_that_is_announced_again_is_not_back_before_it_sends() -> None:
    presence = gone(signal())
    assert presence.observe(6.0, heard=False, visible=THERE) is None
    assert presence.observe(60.0, heard=False, visible=THERE) is None
    assert presence.is_gone
    assert presence.observe(61.0, heard=True, visible=None) is not None


def test_a_marker_stream_that_is_announced_again_is_back_though_it_says_nothing() -> None:
    presence = gone(Presence("markers", "me", STIM, 0.0))
    back = presence.observe(6.0, heard=False, visible=THERE)
    assert back is not None
    assert (back.kind, back.cause) == (AlarmKind.STIMULUS_MISSING, "stream")
    assert not presence.is_gone


def test_who_takes_its_place_is_told_and_is_it_from_then_on() -> None:
    presence = gone(Presence("markers", "me", STIM, 0.0))
    presence.became("another", StreamSummary("stim", "Markers", "stim-2", 1, 0.0, "string"))
    back = presence.observe(6.0, heard=False, visible=None)
    assert back is not None
    assert "is back as name='stim' (type 'Markers', source_id 'stim-2'" in back.message
    assert presence.observe(20.0, heard=False, visible=THERE) is not None, "the first one is not it"


def test_why_nobody_takes_its_place_is_told_when_that_changes() -> None:
    presence = signal()
    assert presence.explain("nothing is wrong") is None
    gone(presence)
    why = presence.explain("two fit")
    assert why is not None
    assert (why.active, why.message) == (True, "the EMG stream 'amp' is gone; two fit")
    assert presence.explain("two fit") is None
    again = presence.explain("")
    assert again is not None
    assert again.message == "the EMG stream 'amp' is gone"


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (StreamSummary("other", "EMG", "x", 8, 5000.0, "double64"), ""),
        (StreamSummary("amp", "EMG", "x", 9, 5000.0, "float32"), "9 channels instead of 8"),
        (StreamSummary("amp", "EMG", "x", 8, 5001.0, "float32"), "5001 Hz instead of 5000"),
        (StreamSummary("amp", "EMG", "x", 8, 0.0, "float32"), "of another sort"),
        (StreamSummary("amp", "EMG", "x", 8, 5000.0, "string"), "of another sort"),
    ],
)
def test_what_can_not_go_on_for_a_signal(now: StreamSummary, why: str) -> None:
    assert why in misfit(EMG, now)
    assert bool(misfit(EMG, now)) == bool(why)


def test_markers_may_come_in_any_format() -> None:
    assert misfit(STIM, StreamSummary("stim", "Markers", "x", 2, 0.0, "int32")) == ""
    assert "of another sort" in misfit(STIM, EMG)


def test_a_recording_does_not_go_on_for_a_device() -> None:
    assert differs(("live", ("A",)), ("live", ["A"])) == ""
    assert differs(("live", ("A",)), ("replay", ("A",))) == "its data are replay, not live"
    assert differs(("live", ("A",)), ("live", ("B",))) == "its channels have other names"
    assert several([EMG, STIM]).startswith("2 streams fit, and none is taken: name='amp'")
