"""What the case as a whole is doing."""

from __future__ import annotations

from monitor.track.case import CaseLife
from monitor.types import CaseStatus


def test_a_case_waits_runs_stalls_goes_on_and_ends() -> None:
    case = CaseLife()
    assert case.tick(3.0) == [CaseStatus(0.0, "waiting")]
    assert case.tick(4.0) == []
    assert case.stimulus(5.0) == [CaseStatus(5.0, "running")]
    assert case.stimulus(6.0) == []
    assert case.stall(True, 7.0, "no samples") == [CaseStatus(7.0, "stalled", "no samples")]
    assert case.stall(True, 7.5, "no samples") == []
    assert case.stimulus(7.6) == []
    assert case.stall(False, 8.0, "") == [CaseStatus(8.0, "running")]
    assert case.finish(9.0) == [CaseStatus(9.0, "ended")]
    assert case.finish(9.0) == []


def test_it_begins_waiting_whatever_comes_first() -> None:
    waiting = CaseStatus(0.0, "waiting")
    assert CaseLife().begun() == [waiting]
    assert CaseLife().stimulus(2.0) == [waiting, CaseStatus(2.0, "running")]
    assert CaseLife().stall(True, 2.0, "x") == [waiting, CaseStatus(2.0, "stalled", "x")]
    assert CaseLife().finish(0.0) == [waiting, CaseStatus(0.0, "ended")]


def test_a_stall_before_the_first_stimulus_goes_back_to_waiting() -> None:
    case = CaseLife()
    case.stall(True, 1.0, "")
    assert case.stall(False, 2.0, "") == [CaseStatus(2.0, "waiting")]


def test_an_audio_pause_ends_by_itself() -> None:
    case = CaseLife()
    case.stimulus(1.0)
    assert case.pause_audio(60.0, 10.0) == [CaseStatus(10.0, "running", "", 70.0)]
    assert case.tick(69.9) == []
    assert case.stall(True, 69.95, "x") == [CaseStatus(69.95, "stalled", "x", 70.0)]
    assert case.tick(70.0) == [CaseStatus(70.0, "stalled")]


def test_an_audio_pause_is_lengthened_and_ended_by_hand() -> None:
    case = CaseLife()
    case.pause_audio(60.0, 10.0)
    assert case.pause_audio(60.0, 20.0) == [CaseStatus(20.0, "waiting", "", 80.0)]
    assert case.pause_audio(0.0, 30.0) == [CaseStatus(30.0, "waiting")]
    assert case.pause_audio(0.0, 31.0) == []
