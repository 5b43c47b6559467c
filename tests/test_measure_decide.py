from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measure.decide import SURE_RATIO, evidence, is_response
from monitor.measure.detect import CANDIDATE_RATIO

ratios = st.floats(CANDIDATE_RATIO, 50.0)
probabilities = st.floats(0.0, 1.0)


@given(ratios)
def test_without_a_network_the_threshold_decides(ratio: float) -> None:
    assert is_response(ratio, None) is (ratio > 1.0)


@given(ratios, ratios, probabilities, probabilities)
def test_more_energy_and_more_probability_never_turn_a_response_into_none(
    ratio: float, other: float, p: float, q: float
) -> None:
    low, high = sorted((ratio, other))
    less, more = sorted((p, q))
    assert evidence(low, less) <= evidence(high, more)
    assert is_response(low, less) <= is_response(high, more)


@given(ratios, probabilities)
def test_in_a_disturbed_sweep_the_network_may_only_object(ratio: float, p: float) -> None:
    disturbed = is_response(ratio, p, undisturbed=False)
    assert disturbed == (ratio > 1.0 and is_response(ratio, p))


@given(st.floats(SURE_RATIO, 1e6), probabilities)
def test_clear_energy_is_not_talked_away(ratio: float, p: float) -> None:
    assert is_response(ratio, p)


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
