"""Muscles and sides read from channel names."""

from __future__ import annotations

import pytest

from monitor.acquire.channels import muscle_and_side, resolve_channels
from monitor.config import MuscleSection
from monitor.types import Channel, MonitorError, StreamInfo


@pytest.mark.parametrize(
    ("name", "muscle", "side"),
    [
        ("L-APB", "APB", "left"),
        ("LAPB", "APB", "left"),
        ("APB_L", "APB", "left"),
        ("APBL", "APB", "left"),
        ("left APB", "APB", "left"),
        ("leftAPB", "APB", "left"),
        ("LEFTAPB", "APB", "left"),
        ("APBRight", "APB", "right"),
        ("apb.r", "APB", "right"),
        ("RFDI", "FDI", "right"),
        ("RECR", "ECR", "right"),
        ("EMG R TA", "TA", "right"),
        ("Rt. Deltoid", "DELTOID", "right"),
        ("right abductor pollicis", "abductor pollicis", "right"),
        ("RTA", "TA", "right"),
        ("rAH", "AH", "right"),
        ("RRF", "RF", "right"),
        # the muscle's own letters are no side
        ("RF", "RF", ""),
        ("TRAP", "TRAP", ""),
        ("REC", "REC", ""),
        ("SOL", "SOL", ""),
        # nothing to go by
        ("EMG 1", "EMG 1", ""),
        ("L", "L", ""),
        ("L 1", "L 1", ""),
        ("EMG", "EMG", ""),
        ("leftover", "leftover", ""),
        ("channel-7", "channel-7", ""),
        ("", "", ""),
    ],
)
def test_reads_muscle_and_side(name: str, muscle: str, side: str) -> None:
    assert muscle_and_side(name) == (muscle, side)


def stream(*names: str) -> StreamInfo:
    return StreamInfo("emg", "id", 5000.0, names, "live")


def test_the_configuration_wins_and_ignored_channels_are_left_out() -> None:
    channels, columns = resolve_channels(
        stream("trigger", "LAPB", "x7"),
        {
            "trigger": MuscleSection(ignore=True),
            "LAPB": MuscleSection(muscle="thenar"),
            "x7": MuscleSection(muscle="TA", side="right"),
        },
    )
    assert channels == (Channel("LAPB", "thenar", "left"), Channel("x7", "TA", "right"))
    assert columns == (1, 2)


def test_a_configured_channel_that_is_not_there_is_named_with_the_stream() -> None:
    with pytest.raises(MonitorError, match=r"channels\.RTA: stream 'emg' .* it has LAPB, LTA"):
        resolve_channels(stream("LAPB", "LTA"), {"RTA": MuscleSection()})


def test_two_channels_of_one_name_are_refused() -> None:
    with pytest.raises(MonitorError, match=r"'emg': two channels are called 'TA'"):
        resolve_channels(stream("TA", "AH", "TA"), {})


def test_nothing_left_to_monitor_is_refused() -> None:
    with pytest.raises(MonitorError, match=r"'emg': no channel is left"):
        resolve_channels(stream("TA"), {"TA": MuscleSection(ignore=True)})
