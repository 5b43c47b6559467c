from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measure.amplitude import combine

sizes = st.floats(0.5, 1e4)


@given(sizes, st.floats(0.0, 50.0), st.none() | sizes, st.none() | st.floats(0.01, 2.0))
def test_the_bounds_hold_the_amplitude(
    read_uv: float, sd_uv: float, network_uv: float | None, log_sd: float | None
) -> None:
    found = combine(read_uv, sd_uv, network_uv, log_sd)
    assert 0.0 <= found.lower_uv <= found.uv <= found.upper_uv
    if network_uv is None or log_sd is None:
        assert found.uv == read_uv
        assert found.agreed
    else:
        low, high = sorted((read_uv, network_uv))
        assert low * (1 - 1e-9) <= found.uv <= high * (1 + 1e-9)


@given(sizes, sizes, st.floats(0.05, 1.0), st.floats(0.01, 10.0), st.floats(0.1, 100.0))
def test_another_unit_changes_nothing_else(
    read_uv: float, network_uv: float, log_sd: float, sd_uv: float, unit: float
) -> None:
    one = combine(read_uv, sd_uv, network_uv, log_sd)
    other = combine(unit * read_uv, unit * sd_uv, unit * network_uv, log_sd)
    if one.agreed == other.agreed:  # rounding may tip what lies on the edge
        assert other.uv == pytest.approx(unit * one.uv)
        assert other.upper_uv == pytest.approx(unit * one.upper_uv)


def test_noise_moves_the_weight_to_the_network() -> None:
    clear, faint = combine(100.0, 0.5, 110.0, 0.15), combine(100.0, 30.0, 110.0, 0.15)
    assert clear.uv == pytest.approx(100.0, rel=0.01)
    assert faint.uv == pytest.approx(110.0, rel=0.02)


def test_two_that_cannot_both_be_right_are_said_and_neither_is_hidden() -> None:
    found = combine(400.0, 3.0, 60.0, 0.1)
    assert not found.agreed
    assert found.uv == 400.0
    assert found.lower_uv <= 60.0
    assert combine(400.0, 3.0, 380.0, 0.1).agreed
