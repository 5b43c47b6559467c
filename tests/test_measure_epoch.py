from __future__ import annotations

import subprocess
import sys

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


NEW_KERNELS = """
import sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from monitor import config
from monitor.measure.epoch import EpochMeasurer
from tests.test_measure_epoch import CHANNELS, epoch
from tests.test_measure_sweep import sweep

def compiled():
    of_monitor = [m for name, m in sys.modules.items() if name.startswith("monitor.")]
    kernels = [k for m in of_monitor for k in vars(m).values() if isinstance(k, Dispatcher)]
    return {(k.py_func.__module__, k.py_func.__name__, *k.signatures) for k in kernels}

measurer = EpochMeasurer(5000.0, CHANNELS, config.CaseConfig(), None)
measurer.warm_up()
warm = compiled()
rng = np.random.default_rng(1)
t = (np.arange(1250) - 500) / 5.0
whole, hiss = sweep(onset_ms=25.0), rng.normal(0.0, 3.0, 1250)
for x in (
    whole,
    hiss,
    0.0 * hiss,
    np.nan * hiss,
    np.clip(3.0 * whole, -400.0, 400.0),
    700.0 * hiss,
    whole + 500.0 * np.sin(0.1 * np.pi * t),
    np.where((t > 60.0) & (t < 110.0), 1.0, 30.0) * hiss + whole,
    whole + np.where(t > 0.0, 9000.0 * np.exp(-np.maximum(t, 0.0) / 8.0), 0.0),
    whole + 20.0 * t,
):
    measurer.measure(epoch(x, whole))
print(sorted(name for _, name, *_ in compiled() - warm))
"""


def test_no_kernel_is_left_to_be_compiled_by_a_trial() -> None:
    """Compiling takes a slow machine seconds: the first cautery would be the last thing shown."""
    # In a process of its own: in this one, other tests have compiled what they needed.
    done = subprocess.run([sys.executable, "-c", NEW_KERNELS], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr
