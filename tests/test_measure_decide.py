from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measure.decide import (
    EARLY_FLOOR,
    FLOOR,
    LATEST_MS,
    SURE_RATIO,
    TAIL_SHOWS_SD,
    UNKNOWN_FLOOR,
    artefact_probability,
    is_response,
    log_odds,
)
from monitor.measure.detect import CANDIDATE_RATIO

ratios = st.floats(CANDIDATE_RATIO, 50.0)
probabilities = st.floats(0.0, 1.0)
onsets = st.floats(5.0, 75.0)


@given(ratios, onsets, st.booleans())
def test_without_a_network_the_threshold_decides(
    ratio: float, onset_ms: float, noise_known: bool
) -> None:
    assert is_response(ratio, None, onset_ms, noise_known=noise_known) is (ratio > 1.0)


@given(ratios, ratios, probabilities, probabilities, st.booleans())
def test_more_energy_and_more_probability_never_turn_a_response_into_none(
    ratio: float, other: float, p: float, q: float, noise_known: bool
) -> None:
    low, high = sorted((ratio, other))
    less, more = sorted((p, q))
    assert log_odds(low, less) <= log_odds(high, more)
    weak = is_response(low, less, noise_known=noise_known)
    assert weak <= is_response(high, more, noise_known=noise_known)


@given(ratios, probabilities)
def test_noise_that_is_not_known_only_takes_away(ratio: float, p: float) -> None:
    assert is_response(ratio, p, noise_known=False) <= is_response(ratio, p)


@given(st.floats(SURE_RATIO, 1e6), probabilities, onsets)
def test_clear_energy_is_not_talked_away(ratio: float, p: float, onset_ms: float) -> None:
    assert is_response(ratio, p, onset_ms)


@given(ratios, probabilities)
def test_in_a_muscle_at_work_the_energy_has_to_pass_its_own_threshold(
    ratio: float, p: float
) -> None:
    assert is_response(ratio, p, at_work=True) == (ratio >= 1.0 and is_response(ratio, p))


@given(st.floats(SURE_RATIO, 1e6))
def test_of_what_falls_like_a_tail_the_network_alone_can_tell(ratio: float) -> None:
    assert not is_response(ratio, 0.5, tail_like=True)
    assert not is_response(ratio, None, tail_like=True)
    assert is_response(ratio, 0.99, tail_like=True)


@given(ratios, probabilities, onsets, onsets)
def test_an_onset_later_than_any_muscle_counts_against_it(
    ratio: float, p: float, onset_ms: float, other_ms: float
) -> None:
    early, late = sorted((onset_ms, other_ms))
    assert log_odds(ratio, p, late) <= log_odds(ratio, p, early)
    if late <= LATEST_MS:
        assert log_odds(ratio, p, late) == log_odds(ratio, p, early)


@pytest.mark.parametrize(("ratio", "p", "expected"), [
    (0.9, 0.99, True),  # faint, but the network knows it
    (0.9, 0.5, False),
    (1.2, 0.02, False),  # a little too much energy, of a shape that no response has
    (1.2, 0.9, True),
])  # fmt: skip
def test_near_the_threshold_the_network_tips_the_scale(
    ratio: float, p: float, expected: bool
) -> None:
    assert is_response(ratio, p) is expected
    assert is_response(ratio, None) is (ratio > 1.0)


@pytest.mark.parametrize(("floor", "noise_known"), [(FLOOR, True), (UNKNOWN_FLOOR, False)])
def test_under_its_floor_the_networks_word_is_not_enough(floor: float, noise_known: bool) -> None:
    for ratio, expected in ((floor - 0.01, False), (floor + 0.01, True)):
        assert is_response(ratio, 0.999, noise_known=noise_known) is expected


def test_where_the_network_sees_what_the_pulse_left_the_energy_must_do_without_it() -> None:
    for ratio, expected in ((EARLY_FLOOR - 0.01, False), (EARLY_FLOOR + 0.01, True)):
        assert is_response(ratio, 0.999, early=True) is expected
        assert is_response(ratio, 0.999, early=False)


def test_an_artefact_is_there_unless_neither_the_network_nor_the_tail_shows_one() -> None:
    assert artefact_probability(None, None) is None
    alone = artefact_probability(0.3, None)
    assert alone is not None
    assert 0.15 < alone < 0.3
    assert artefact_probability(None, TAIL_SHOWS_SD) == pytest.approx(0.5)
    assert artefact_probability(0.3, 10 * TAIL_SHOWS_SD) == pytest.approx(1.0, abs=0.01)
    assert artefact_probability(0.3, 0.1 * TAIL_SHOWS_SD) == pytest.approx(alone, abs=0.01)


@given(probabilities, probabilities, st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_more_of_an_artefact_is_never_less_probable(
    p: float, q: float, tail_sd: float, other_sd: float
) -> None:
    (less, more), (small, large) = sorted((p, q)), sorted((tail_sd, other_sd))
    weak, strong = artefact_probability(less, small), artefact_probability(more, large)
    assert weak is not None
    assert strong is not None
    assert 0.0 <= weak <= strong + 1e-12 <= 1.0 + 1e-9
