from __future__ import annotations

import numpy as np

from monitor import config
from monitor.measure.epoch import EpochMeasurer
from monitor.types import Channel, Epoch, Status, Stimulus
from tests.test_measure_sweep import sweep

CHANNELS = (Channel("L-APB", "APB", "left"), Channel("R-TA", "TA", "right"))
TRAIN = (0.0, 4.0, 8.0)


def epoch(*sweeps: np.ndarray, pulses_ms: tuple[float, ...] = (0.0,)) -> Epoch:
    stimulus = Stimulus(1.0, "stim", pulses_ms=pulses_ms)
    samples = np.stack(sweeps).astype(np.float32)
    return Epoch(1, stimulus, 1.0, 0, 500, 0.0, 5000.0, samples)


def test_each_channel_has_its_muscles_window() -> None:
    measurer = EpochMeasurer(5000.0, CHANNELS, config.CaseConfig(), None)
    found, shown = measurer.measure(epoch(sweep(onset_ms=15.5), sweep(onset_ms=15.5)))
    assert found[0].status is Status.RESPONSE  # a hand muscle may answer at 15 ms
    assert found[1].onset_ms is None or found[1].onset_ms >= 20  # a leg muscle may not
    assert shown.shape == (2, 1250)
    assert shown.dtype == np.float32


def test_settings_of_the_file_reach_the_measurement() -> None:
    data: dict[str, object] = {
        "channels": {"L-APB": {"min_onset_ms": 30.0, "max_onset_ms": 35.0}},
        "measure": {"mains_hz": "off"},
    }
    measurer = EpochMeasurer(5000.0, CHANNELS, config.from_mapping(data, "test"), None)
    found, _ = measurer.measure(epoch(sweep(onset_ms=22.0), sweep(onset_ms=30.0)))
    assert found[0].onset_ms is None or found[0].onset_ms >= 30
    assert found[1].status is Status.RESPONSE


def test_warm_up_needs_no_signal_and_changes_nothing() -> None:
    case = config.from_mapping({"stimulus": {"pulses_ms": list(TRAIN)}}, "test")
    measurer = EpochMeasurer(5000.0, CHANNELS, case, None)
    trial = epoch(sweep(onset_ms=30.0, pulses_ms=TRAIN), sweep(onset_ms=38.0), pulses_ms=TRAIN)
    before = measurer.measure(trial)[0]
    measurer.warm_up()
    assert measurer.measure(trial)[0] == before
