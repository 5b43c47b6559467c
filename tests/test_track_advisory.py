"""Latency and shape: what raises and ends them, to the last per cent."""

from __future__ import annotations

import pytest

from monitor.config import TrackSection
from monitor.track.advisory import (
    OF_TRIALS,
    SHAPE_SNR_MIN,
    Finding,
    Signs,
    shape_of,
)
from monitor.types import AlarmKind, Measurement, Status

SILENT = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)
RESPONSE = Measurement(Status.RESPONSE, amplitude_uv=400.0)


def onset(ms: float, uncertain: bool = False) -> Measurement:
    return Measurement(Status.RESPONSE, amplitude_uv=400.0, onset_ms=ms, onset_uncertain=uncertain)


@pytest.mark.parametrize(("ms", "raised"), [(21.8, False), (22.0, True), (22.2, True)])
def test_latency_boundary(ms: float, raised: bool) -> None:
    signs = Signs(TrackSection())
    run = [signs.take(onset(ms), 20.0, None) for _ in range(4)]
    assert run[:3] == [[], [], []]
    assert [(f.kind, f.active) for f in run[3]] == [(AlarmKind.LATENCY_SHIFT, True)] * raised


def came_and_went(signs: Signs, trials: str) -> str:
    """``+`` where the sign came, ``-`` where it went; ``1`` is a trial that shows it."""
    run = [signs.take(onset(25.0 if shown == "1" else 20.0), 20.0, None) for shown in trials]
    return "".join("+" if f and f[0].active else "-" if f else "." for f in run)


@pytest.mark.parametrize(
    ("trials", "comes"),
    [
        ("1111", "...+"),
        ("11011", "....+"),
        ("01111", "....+"),
        ("110110", "....+."),
        ("1101011011", ".........+"),
        ("10101010101", "..........."),
        ("1110000", "......."),
        ("11110000", "...+...-"),
        ("1111001000", "...+....-."),
        ("1111010101", "...+......"),
    ],
)
def test_four_of_the_last_five_trials_raise_a_sign_and_end_it(trials: str, comes: str) -> None:
    assert came_and_went(Signs(TrackSection()), trials) == comes


def test_an_uncertain_onset_or_none_says_nothing() -> None:
    signs = Signs(TrackSection())
    for measurement in (onset(40.0, uncertain=True), SILENT, RESPONSE):
        for _ in range(OF_TRIALS):
            assert signs.take(measurement, 20.0, 4.0) == []


def shaped(phases: int, snr: float = SHAPE_SNR_MIN) -> Measurement:
    return Measurement(Status.RESPONSE, amplitude_uv=1.0, phases=phases, snr=snr)


@pytest.mark.parametrize(("phases", "raised"), [(3, False), (2, True), (1, True)])
def test_lost_phases(phases: int, raised: bool) -> None:
    signs = Signs(TrackSection())
    for _ in range(3):
        assert signs.take(shaped(phases), None, 5.0) == []
    words = f"{phases} phases, 5 at baseline"
    assert signs.take(shaped(phases), None, 5.0) == (
        [Finding(AlarmKind.MORPHOLOGY_CHANGE, True, words, 3.0, "4 of 5")] if raised else []
    )


def test_the_shape_of_a_response_in_noise_says_nothing() -> None:
    signs = Signs(TrackSection())
    for snr in (SHAPE_SNR_MIN - 0.1, 3.0):
        for _ in range(OF_TRIALS):
            assert signs.take(shaped(1, snr), None, 6.0) == []
    assert shape_of(shaped(1)) == 1
    assert shape_of(Measurement(Status.RESPONSE, amplitude_uv=1.0, phases=1)) is None
