"""``from monitor import analyse``: the same code as live, with its errors said plainly."""

from __future__ import annotations

import numpy as np
import pytest

from monitor import analyse
from monitor.types import Status
from tests.test_measure_sweep import sweep


def test_measures_sweeps_in_order_with_the_network() -> None:
    found = analyse(np.stack([sweep(), sweep(amplitude_uv=0.0), sweep(onset_ms=35)]), 5000, 500)
    assert [m.status for m in found] == [Status.RESPONSE, Status.NO_RESPONSE, Status.RESPONSE]
    assert found[0].onset_ms == pytest.approx(22, abs=0.6)
    assert found[0].onset_network_ms is not None
    assert found[0].response_probability is not None
    assert found[0].response_probability > 0.5 > found[1].response_probability  # type: ignore[operator]


def test_a_single_sweep_and_a_sweep_without_a_rest_before_it() -> None:
    assert len(analyse(sweep(), 5000, 500)) == 1
    x = sweep(noise_uv=1.0)[500:]
    found = analyse(np.concatenate([x, sweep(amplitude_uv=0.0, noise_uv=1.0)[:500]]), 5000, 0)[0]
    assert found.status is Status.RESPONSE
    assert found.noise_source == "tail"


def test_of_no_sweep_there_is_no_measurement() -> None:
    assert analyse(np.zeros((0, 1250)), 5000, 500) == []


def test_the_same_call_gives_the_same_bits_and_alone_nearly_so() -> None:
    made = np.stack([sweep(amplitude_uv=60.0 * (1 + s), seed=s) for s in range(12)])
    together = analyse(made, 5000, 500)
    assert together == analyse(made, 5000, 500)
    for x, among in zip(made, together, strict=True):
        alone = analyse(x, 5000, 500)[0]
        assert (alone.status, alone.reasons) == (among.status, among.reasons)
        for figure in ("amplitude_uv", "onset_ms", "response_probability", "snr"):
            assert getattr(alone, figure) == pytest.approx(getattr(among, figure), rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"fs_hz": 1000}, "2000"),
        ({"stimulus_index": 2000}, "outside"),
        ({"stimulus_index": -1}, "outside"),
        ({"stimulus_index": 1200}, "20 ms"),
        ({"pulses_ms": (4.0,)}, "start at 0"),
        ({"pulses_ms": (0.0, 4.0, 4.0)}, "increase"),
        ({"pulses_ms": ()}, "start at 0"),
        ({"pulses_ms": (0.0, float("nan"))}, "finite"),
        ({"pulses_ms": (0.0, float("inf"))}, "finite"),
        ({"fs_hz": float("inf")}, "finite"),
        ({"fs_hz": float("nan")}, "finite"),
        ({"sweeps_uv": np.zeros((0, 1250)), "fs_hz": 1000}, "2000"),
        ({"mains_hz": 55}, "55"),
        ({"sweeps_uv": np.zeros((2, 3, 1250))}, "n_sweeps"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: dict[str, object], why: str) -> None:
    call: dict[str, object] = {"sweeps_uv": sweep()[None], "fs_hz": 5000, "stimulus_index": 500}
    with pytest.raises(ValueError, match=why):
        analyse(**(call | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(("after_ms", "asked"), [(60, False), (87, False), (90, True), (150, True)])
@pytest.mark.parametrize("fs_hz", [2000, 5000])
def test_a_sweep_that_ends_before_the_networks_window_is_measured_all_the_same(
    after_ms: int, asked: bool, fs_hz: int
) -> None:
    made = [sweep(fs_hz, amplitude_uv=a, seed=s) for a in (0.0, 400.0) for s in range(4)]
    found = analyse(np.stack(made)[:, : (100 + after_ms) * fs_hz // 1000], fs_hz, fs_hz // 10)
    assert [m.status for m in found] == [Status.NO_RESPONSE] * 4 + [Status.RESPONSE] * 4
    for m in found:
        assert m.reasons == ()
        assert not m.amplitude_uncertain
        assert (m.response_probability is not None) is asked
    assert [m.amplitude_uv for m in found[4:]] == pytest.approx([400.0] * 4, rel=0.05)
