import numpy as np
import pytest

from monitor.config import SignalSection
from monitor.sources.units import stream_scale_uv, uv_per_unit
from monitor.types import MonitorError


@pytest.mark.parametrize(
    ("unit", "uv"),
    [
        ("V", 1e6),
        ("volts", 1e6),
        ("mV", 1e3),
        ("millivolts", 1e3),
        ("uV", 1.0),
        ("µV", 1.0),
        ("μV", 1.0),
        (" Microvolts ", 1.0),
        ("nV", 1e-3),
    ],
)
def test_spellings_of_voltage(unit: str, uv: float) -> None:
    assert uv_per_unit(unit) == uv


@pytest.mark.parametrize("unit", ["", "bpm", "MV", "g"])
def test_anything_else_is_no_voltage(unit: str) -> None:
    assert uv_per_unit(unit) is None


def test_each_channel_has_its_own_unit() -> None:
    scale = stream_scale_uv(["a", "b"], ["mV", "uV"], SignalSection(), "stream 'x'")
    np.testing.assert_array_equal(scale, [1000.0, 1.0])


def test_streams_own_unit_wins_over_the_configured_one() -> None:
    scale = stream_scale_uv(["a", "b"], ["mV", ""], SignalSection(unit="V"), "stream 'x'")
    np.testing.assert_array_equal(scale, [1e3, 1e6])


def test_configured_scale_wins_over_configured_unit() -> None:
    signal = SignalSection(unit="V", scale_uv=0.25)
    np.testing.assert_array_equal(stream_scale_uv(["a"], [""], signal, "x"), [0.25])


def test_no_unit_anywhere_is_refused_by_channel() -> None:
    with pytest.raises(MonitorError, match=r"stream 'x': no unit for b, c; set signal\.unit"):
        stream_scale_uv(["a", "b", "c"], ["uV", "", ""], SignalSection(), "stream 'x'")


def test_unit_that_is_no_voltage_is_refused() -> None:
    with pytest.raises(MonitorError, match="channel b: unit 'bpm' is not a voltage"):
        stream_scale_uv(["a", "b"], ["uV", "bpm"], SignalSection(), "stream 'x'")


@pytest.mark.parametrize("unit", ["", "bpm"])
def test_an_ignored_channel_needs_no_unit(unit: str) -> None:
    units = ["mV", unit]
    with pytest.raises(MonitorError, match=r'or leave it out: \[channels\."b"\] ignore = true'):
        stream_scale_uv(["a", "b"], units, SignalSection(), "x", frozenset({"a"}))
    scale = stream_scale_uv(["a", "b"], units, SignalSection(), "x", frozenset({"b"}))
    np.testing.assert_array_equal(scale, [1e3, 1.0])
