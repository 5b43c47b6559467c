"""Learning a baseline: when it becomes usable, freezes or is not to be had; setting it by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import count
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import TrackSection
from monitor.track.baseline import BaselineLearner, is_accepted
from monitor.types import Baseline, BaselineState, Channel, Measurement, Status

N_SAMPLES = 6
SILENT = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)


def response(amplitude_uv: float, onset_ms: float | None = 22.0) -> Measurement:
    return Measurement(Status.RESPONSE, amplitude_uv=amplitude_uv, onset_ms=onset_ms)


def learner(**settings: float) -> BaselineLearner:
    track = TrackSection(**settings)  # type: ignore[arg-type]
    return BaselineLearner("C3/C4", Channel("e1", "APB", "left"), track, count(1))


def sweep(level_uv: float) -> np.ndarray:
    return np.full(N_SAMPLES, level_uv, np.float32)


def learn(subject: BaselineLearner, letters: Iterable[str]) -> list[BaselineState]:
    """R: a response of 100 uV, N: none. The state after each trial."""
    states = []
    for trial, letter in enumerate(letters, start=1):
        subject.accept(trial, response(100.0) if letter == "R" else SILENT, sweep(1.0))
        states.append(subject.state)
    return states


L, U, F, X = (
    BaselineState.LEARNING,
    BaselineState.USABLE,
    BaselineState.FROZEN,
    BaselineState.UNRELIABLE,
)


@pytest.mark.parametrize(
    ("letters", "states"),
    [
        ("RRRRR", [L] * 4 + [U]),
        ("RRRRRRRRRR", [L] * 4 + [U] * 5 + [F]),
        ("RRRRRRRRRRNNNN", [L] * 4 + [U] * 5 + [F] * 5),
        # 5 of 6 is 83 %, 5 of 7 only 71 %
        ("RRNRRR", [L] * 5 + [U]),
        ("RRNRNRR", [L] * 7),
        # exactly 80 % is enough: 8 of 10
        ("NNRRRRRRRR", [L] * 9 + [U]),
        ("NNNRRRRRRR", [L] * 9 + [X]),
        ("NNNNNNNNNN", [L] * 9 + [X]),
        # once usable, responses that vanish don't withdraw it
        ("RRRRRNNNNNNNN", [L] * 4 + [U] * 9),
        # unreliable, then 8 responses among the last 10 trials
        ("NNNNNNNNNN" + "RRRRRRR", [L] * 9 + [X] * 8),
        ("NNNNNNNNNN" + "RRRRRRRR", [L] * 9 + [X] * 8 + [U]),
        ("NNNNNNNNNN" + "RRRRRRRRRR", [L] * 9 + [X] * 8 + [U] * 2 + [F]),
    ],
)
def test_states(letters: str, states: list[BaselineState]) -> None:
    assert learn(learner(), letters) == states[: len(letters)]


def test_settings_move_the_numbers() -> None:
    few = learner(baseline_usable=2, baseline_frozen=3)
    assert learn(few, "RRR") == [L, U, F]
    at_once = learner(baseline_usable=1, baseline_frozen=1)
    assert learn(at_once, "R") == [F]
    # ten of twelve trials is above 80 %: the window must have room for it
    ten = learner(baseline_usable=10, baseline_frozen=10)
    assert learn(ten, "NRRRRRRNRRRR")[-1] is F
    strict = learner(baseline_response_share=1.0)
    assert learn(strict, "NRRRRRRRRR")[-1] is X


def test_amplitudes_that_vary_too_much_make_no_baseline() -> None:
    subject = learner()
    for trial in range(1, 11):
        subject.accept(trial, response(100.0 if trial % 2 else 500.0), sweep(1.0))
    assert (subject.state, subject.current.spread if subject.current else None) == (X, 5.0)
    steady = learner()
    for trial in range(1, 6):
        steady.accept(trial, response(100.0 if trial % 2 else 390.0), sweep(1.0))
    assert (steady.state, steady.current.spread if steady.current else None) == (U, 3.9)


def test_median_of_amplitude_onset_and_sweep() -> None:
    subject = learner()
    shown: list[Baseline | None] = []
    for trial, (uv, onset_ms) in enumerate(
        [(100.0, 20.0), (900.0, 21.0), (200.0, None), (300.0, 30.0), (250.0, 22.0)], start=3
    ):
        shown.append(subject.accept(trial, response(uv, onset_ms), sweep(uv)))
    baseline = shown[-1]
    assert baseline is not None
    assert (baseline.amplitude_uv, baseline.onset_ms) == (250.0, 21.5)
    assert (baseline.accepted, baseline.responses, baseline.trials) == (5, 5, (3, 4, 5, 6, 7))
    assert baseline.sweep_uv is not None
    assert baseline.sweep_uv.dtype == np.float32
    np.testing.assert_array_equal(baseline.sweep_uv, sweep(250.0))
    assert [b.amplitude_uv for b in shown[:-1] if b] == [None] * 4


def test_silent_trials_count_but_add_nothing_to_the_median() -> None:
    subject = learner()
    for trial in range(1, 5):
        subject.accept(trial, response(100.0), sweep(100.0))
    subject.accept(5, SILENT, sweep(-9999.0))
    subject.accept(6, response(100.0), sweep(100.0))
    baseline = subject.usable
    assert baseline is not None
    assert baseline.sweep_uv is not None
    assert (baseline.amplitude_uv, baseline.accepted, baseline.responses) == (100.0, 6, 5)
    np.testing.assert_array_equal(baseline.sweep_uv, sweep(100.0))


def test_a_response_of_no_amplitude_counts_as_none() -> None:
    subject = learner()
    for trial in range(1, 11):
        subject.accept(trial, response(0.0), sweep(0.0))
    assert subject.state is X


def test_the_sweep_is_copied() -> None:
    subject = learner(baseline_usable=1, baseline_frozen=2)
    reused = sweep(1.0)
    subject.accept(1, response(100.0), reused)
    reused[:] = 77.0
    subject.accept(2, response(100.0), sweep(1.0))
    assert subject.usable is not None
    assert subject.usable.sweep_uv is not None
    np.testing.assert_array_equal(subject.usable.sweep_uv, sweep(1.0))


def test_a_muscle_that_never_answers_says_so_once() -> None:
    subject = learner()
    shown = [subject.accept(trial, SILENT, sweep(0.0)) for trial in range(1, 31)]
    assert all(shown[:10])
    assert not any(shown[10:])
    last = shown[9]
    assert last is not None
    assert (last.state, last.accepted, last.responses) == (X, 10, 0)


def test_silent_trials_of_a_usable_baseline_are_told_with_the_next_response() -> None:
    subject = learner()
    learn(subject, "RRRRR")
    assert [subject.accept(trial, SILENT, sweep(0.0)) for trial in (6, 7, 8)] == [None] * 3
    told = subject.accept(9, response(100.0), sweep(1.0))
    assert told is not None
    assert (told.state, told.accepted, told.responses) == (U, 9, 6)
    assert told.trials == (1, 2, 3, 4, 5, 9)


def test_an_operator_gives_the_value() -> None:
    subject = learner()
    learn(subject, "RRRRR")
    given_ = subject.set_value(640.0, "Dr A", "wash-out over")
    assert (given_.state, given_.amplitude_uv, given_.id) == (F, 640.0, 2)
    assert (given_.set_by, given_.reason) == ("Dr A", "wash-out over")
    assert (given_.responses, given_.trials, given_.sweep_uv) == (0, (), None)
    assert subject.usable is given_


def test_an_operator_has_it_learned_again() -> None:
    subject = learner()
    learn(subject, "RRRRRRRRRR")
    again = subject.learn_again("Dr A", "repositioned")
    assert (again.state, again.id, again.accepted) == (L, 2, 0)
    assert learn(subject, "RRRRR") == [L] * 4 + [U]
    assert subject.usable is not None
    assert (subject.usable.id, subject.usable.set_by) == (2, "Dr A")


@pytest.mark.parametrize(
    ("measurement", "accepted"),
    [
        (response(1.0), True),
        (SILENT, True),
        (Measurement(Status.NO_RESPONSE), True),
        (Measurement(Status.RESPONSE), False),
        (Measurement(Status.REJECTED, ("nan",)), False),
        (Measurement(Status.LATE), False),
        (Measurement(Status.GAP), False),
        (Measurement(Status.INCOMPLETE), False),
    ],
)
def test_accepted_trials(measurement: Measurement, accepted: bool) -> None:
    assert is_accepted(measurement) is accepted


def expected(amplitudes: list[float | None]) -> tuple[BaselineState, float | None]:
    """The rules written out plainly, over the whole history at once."""
    for end in range(1, len(amplitudes) + 1):
        start = max(0, end - 10)
        window = amplitudes[start:end]
        if sum(a is not None for a in window) * 10 >= 8 * len(window) and (
            sum(a is not None for a in window) >= 5
        ):
            rest = [a for a in amplitudes[start:] if a is not None]
            used = rest[: max(10, sum(a is not None for a in window))]
            return (F if len(rest) >= 10 else U), median(used)
    return (X if len(amplitudes) >= 10 else L), None


@given(st.lists(st.none() | st.floats(1.0, 5000.0), max_size=40))
def test_learning_agrees_with_the_rules_written_out(amplitudes: list[float | None]) -> None:
    subject = learner(baseline_spread_max=math.inf)
    for trial, uv in enumerate(amplitudes):
        subject.accept(trial, SILENT if uv is None else response(uv), sweep(1.0))
    state, amplitude_uv = expected(amplitudes)
    assert subject.state is state
    assert (subject.usable.amplitude_uv if subject.usable else None) == amplitude_uv
