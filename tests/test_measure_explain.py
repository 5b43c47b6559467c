"""What is explained is what was answered: the same windows, in the same order, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from monitor import config
from monitor.load_network import load_network
from monitor.measure.epoch import EpochMeasurer
from monitor.measure.explain import ExplainedSweeps
from monitor.measure.network import Explanation, Network, NetworkOutput
from monitor.types import Channel, Epoch, Float32Array, Status, Stimulus
from tests.test_measure_sweep import sweep

CHANNELS = tuple(Channel(f"e{i}", "APB", "left") for i in range(4))
TRAIN = (0.0, 4.0, 8.0)
STIMULUS = Stimulus(1.0, "stim", pulses_ms=TRAIN)


class Watched:
    """The deployed network; keeps every batch that it is shown."""

    def __init__(self) -> None:
        network = load_network()
        self._network = network
        self.name, self.version, self.sha256 = network.name, network.version, network.sha256
        self.window_offset_ms = network.window_offset_ms
        self.answered: list[Float32Array] = []
        self.explained: list[Float32Array] = []

    def __call__(self, windows_uv: Float32Array) -> NetworkOutput:
        self.answered.append(windows_uv.copy())
        return self._network(windows_uv)

    def explain(self, windows_uv: Float32Array) -> Explanation | None:
        self.explained.append(windows_uv.copy())
        return self._network.explain(windows_uv)


@pytest.fixture
def network() -> Watched:
    return Watched()


def measurer(network: object) -> EpochMeasurer:
    case = config.from_mapping({"stimulus": {"pulses_ms": list(TRAIN)}}, "test")
    return EpochMeasurer(5000.0, CHANNELS, case, network)  # type: ignore[arg-type]


def epoch(fraction: float = 0.4) -> Epoch:
    """A hum of 50 Hz, a missing sample, a clear response, silence."""
    hum = 40.0 * np.sin(2 * np.pi * 50.0 * np.arange(1250) / 5000.0)
    sweeps = [sweep(onset_ms=onset_ms, pulses_ms=TRAIN) for onset_ms in (25.0, 30.0, 35.0)]
    sweeps.append(sweep(amplitude_uv=0.0, pulses_ms=TRAIN))
    sweeps[0] = sweeps[0] + hum
    sweeps[1][600] = np.nan
    samples_uv = np.stack(sweeps).astype(np.float32)
    return Epoch(1, STIMULUS, 1.0, 0, 500, fraction, 5000.0, samples_uv)


def explained(network: object, of: Epoch) -> ExplainedSweeps:
    told = measurer(network).explain(of)
    assert told is not None
    return told


def test_the_network_is_asked_about_just_what_it_was_shown(network: Watched) -> None:
    measurements, _ = measurer(network).measure(epoch())
    told = explained(network, epoch())
    assert [m.status is Status.REJECTED for m in measurements] == [False, True, False, False]
    assert (told.faults, told.shown) == (("", "nan", "", ""), (0, 2, 3))
    [shown] = network.explained
    assert all(np.array_equal(shown, windows) for windows in network.answered)
    assert [m.response_probability for m in measurements if m.status is not Status.REJECTED] == (
        told.said.response_probability.tolist()
    )


def test_saliency_lies_where_the_response_is(network: Watched) -> None:
    told = explained(network, epoch())
    assert (told.why.saliency.shape, told.why.embedding.shape) == ((3, 500), (3, 128))
    assert told.window_start_ms == TRAIN[-1] + network.window_offset_ms
    for row, onset_ms in ((0, 25.0), (1, 35.0)):
        at_ms = told.window_start_ms + told.why.saliency[row].argmax() * 1e3 / told.fs_hz
        assert onset_ms - 8.0 < at_ms < onset_ms + 20.0
    # Its sum is what the answer rests on: of silence there is less.
    assert told.why.saliency[2].sum() < 0.5 * told.why.saliency[1].sum()


def test_an_epoch_that_no_network_saw_has_nothing_to_explain(network: Watched) -> None:
    missing = np.full((4, 1250), np.nan, np.float32)
    told = explained(network, Epoch(1, STIMULUS, 1.0, 0, 500, 0.0, 5000.0, missing))
    assert (told.faults, told.shown) == (("nan",) * 4, ())
    assert len(told.why.saliency) == len(told.said.response_probability) == 0
    assert network.explained == []


def test_without_a_network_or_with_one_that_can_t_there_is_none(
    network: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measurer(None).explain(epoch()) is None
    monkeypatch.setattr(Network, "explain", lambda self, windows_uv: None)
    assert measurer(network).explain(epoch()) is None


def test_an_epoch_too_short_for_the_network_has_nothing_to_explain(network: Watched) -> None:
    case = config.from_mapping(
        {"stimulus": {"pulses_ms": list(TRAIN)}, "epoch": {"post_ms": 80.0}}, "test"
    )
    short = EpochMeasurer(5000.0, CHANNELS, case, network)  # type: ignore[arg-type]
    of = Epoch(1, STIMULUS, 1.0, 0, 500, 0.4, 5000.0, epoch().samples_uv[:, :900].copy())
    assert short.explain(of) is None
    assert (network.answered, network.explained) == ([], [])
