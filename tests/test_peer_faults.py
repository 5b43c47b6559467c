"""Each fault of another system that concerns this one, as a test that passes here.

The faults were found in mne-lsl 1.14, pyxdf 1.17, BioSPPy, timeflux, py_neuromodulation and pybci.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monitor.acquire.acquisition import Acquisition
from monitor.config import CaseConfig, from_mapping
from monitor.measure import tkeo
from monitor.measure.plan import plan_sweeps
from monitor.measure.sweep import measure_sweeps
from monitor.measure.windows import OnsetWindow
from monitor.pipeline import Pipeline
from monitor.sources.lsl import LslSource
from monitor.sources.replay import timeline
from monitor.sources.xdf import XdfRecording
from monitor.sources.xdf_file import XdfFile
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    Chunk,
    ClockOffset,
    Epoch,
    Event,
    FloatArray,
    Marker,
    Missed,
    Status,
    StreamInfo,
    Tick,
    Trial,
)
from tests.test_live_faults import ROOT, Ramp, markers_of
from tests.test_sources_lsl import emg, only, streams
from tests.xdf_writer import XdfWriter

FS_HZ = 5000.0
STREAM = StreamInfo("emg", "id", FS_HZ, ("L-APB", "R-APB"), "live")
CONFIG = from_mapping(
    {
        "epoch": {"pre_ms": 50.0, "post_ms": 100.0, "ring_s": 10.0},
        "measure": {"network": False},
    },
    "test",
)


def chunk(first: int, n: int, lost_s: float = 0.0) -> Chunk:
    """Samples that hold their own number, ``lost_s`` later by their stamps."""
    number = np.arange(first, first + n)
    samples = np.stack([number % 2**16, -(number % 2**16)], axis=1).astype(np.float32)
    return Chunk(first, samples, number / FS_HZ + lost_s)


def acquired(items: list[Chunk | Marker | ClockOffset | Tick]) -> list[Epoch | Missed]:
    core = Acquisition(STREAM, CONFIG)
    out: list[Epoch | Missed] = []
    for item in items:
        out += core.feed(item)
    return [*out, *core.finish()]


def own_samples(epoch: Epoch | Missed) -> bool:
    assert isinstance(epoch, Epoch)
    at = round(epoch.stimulus.t_lsl * FS_HZ) - epoch.stimulus_index
    expected = np.arange(at, at + epoch.samples_uv.shape[1]) % 2**16
    return np.array_equal(epoch.samples_uv[0], expected.astype(np.float32))


# ----------------------------------------------------------------- mne-lsl


@pytest.mark.parametrize("events", [2, 3, 8])
def test_mne_lsl_several_events_in_one_poll_each_get_their_own_data(events: int) -> None:
    """There: with a reject threshold the rejected one is delivered with another's data, and three
    kill the stream. Here the whole signal and every event come at once, one trial is bad.
    """
    times = [0.2 + 0.3 * k for k in range(events)]
    whole = chunk(0, int((0.5 + 0.3 * events) * FS_HZ))
    bad = int(times[1] * FS_HZ)
    whole.samples_uv[bad + 100 : bad + 200] = np.nan
    pipeline = Pipeline(STREAM, CONFIG, None)
    out: list[Event] = []
    for t in times:
        out += pipeline.feed(Marker(t, f"S{t}"))
    out += pipeline.feed(whole)
    trials = [e for e in out if isinstance(e, Trial)]
    assert [t.stimulus.marker for t in trials] == [f"S{t}" for t in times]
    for k, trial in enumerate(trials):
        assert trial.epoch is not None
        rejected = {row.measurement.status for row in trial.channels} == {Status.REJECTED}
        assert rejected == (k == 1)
        assert k == 1 or own_samples(trial.epoch)
    assert trials[1].channels[0].measurement.reasons == ("nan",)


def test_mne_lsl_an_epoch_over_a_hole_in_the_stamps_is_a_gap_not_stitched() -> None:
    hole_s = 0.4
    out = acquired(
        [
            Marker(0.95, "before"),
            Marker(1.5, "after"),
            chunk(0, 5000),
            chunk(5000, 5000, hole_s),
        ]
    )
    assert isinstance(out[0], Missed)
    assert out[0].status is Status.GAP
    assert "gap" in out[0].reason
    after = out[1]
    assert isinstance(after, Epoch)
    # 1.5 s lies 0.1 s after the hole's end: all of it is from there.
    assert after.samples_uv[0, after.stimulus_index] == 1.1 * FS_HZ


def test_mne_lsl_a_marker_that_comes_late_finds_its_data_in_the_ring() -> None:
    chunks = [chunk(k * 500, 500) for k in range(60)]
    (out,) = acquired([*chunks, Marker(1.0, "late by 5 s")])
    assert own_samples(out)


@pytest.mark.parametrize("code", [40000, 2**31 - 1, -25536, -1, 0])
def test_mne_lsl_codes_and_strings_stay_what_they_are(code: int) -> None:
    (number,) = acquired([Marker(0.5, code), chunk(0, 5000)])
    assert number.stimulus.marker == str(code)
    (text,) = acquired([Marker(0.5, "TES C3/C4 400 V"), chunk(0, 5000)])
    assert text.stimulus.marker == "TES C3/C4 400 V"


@pytest.mark.parametrize("stall_s", [0.3, 4.0])
def test_mne_lsl_a_source_that_stalls_is_flagged_within_a_quarter_second(stall_s: float) -> None:
    pipeline = Pipeline(STREAM, CONFIG, None)
    out: list[Event] = []
    for k in range(20):
        out += pipeline.feed(chunk(k * 100, 100))
        out += pipeline.feed(Tick(0.02 * (k + 1)))
    silent_from_s = 0.4
    for k in range(round(stall_s / 0.01)):
        out += pipeline.feed(Tick(silent_from_s + 0.01 * (k + 1)))
    (alarm,) = [e for e in out if isinstance(e, AlarmCondition)]
    assert alarm.kind is AlarmKind.SIGNAL_STALLED
    assert alarm.raised_s - silent_from_s <= 0.27


@pytest.mark.lsl
def test_mne_lsl_another_reader_of_the_marker_stream_takes_none_away() -> None:
    """There: another consumer of the marker stream makes epochs disappear."""
    name = f"shared-{os.getpid()}"
    reader = [sys.executable, "-c", READER, f"{name}-stim"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        streams(emg(name), markers_of(name)),
        LslSource(only(name, f"{name}-stim")) as source,
        subprocess.Popen(reader, stdout=subprocess.PIPE, text=True, env=environment) as other,
    ):
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "reading\n"
            ramp = Ramp(source, name)
            ramp.follow(lambda: len(ramp.epochs()) >= 3)
            # The other has had them too: it says so after its twentieth.
            assert other.stdout.readline() == "20 markers\n"
        finally:
            other.kill()
        ramp.close()
    stamps = [marker.t_lsl for marker in ramp.markers]
    np.testing.assert_allclose(np.diff(stamps), 0.1, atol=1e-6)


READER = """
import sys
from monitor.sources.lsl_library import configure
pylsl = configure("loopback")
(found,) = pylsl.resolve_byprop("name", sys.argv[1], 1, 60.0)
inlet = pylsl.StreamInlet(found)
inlet.open_stream(60.0)
print("reading", flush=True)
for _ in range(20):
    inlet.pull_sample(60.0)
print("20 markers", flush=True)
"""


# ----------------------------------------------------------------- pybci, timeflux


def test_pybci_epochs_that_overlap_are_all_delivered() -> None:
    times = [0.5 + 0.01 * k for k in range(20)]
    out = acquired([*(Marker(t, "S") for t in times), chunk(0, 10000)])
    assert len(out) == 20
    assert all(own_samples(epoch) for epoch in out)


def test_timeflux_the_clock_offset_is_followed_not_taken_once() -> None:
    items: list[Chunk | Marker | ClockOffset | Tick] = [chunk(0, 5000)]
    items += [ClockOffset("markers", 0.9, 0.0), Marker(0.5, "first")]
    items += [ClockOffset("markers", 1.0, 0.1), Marker(0.6, "second"), chunk(5000, 5000)]
    out = acquired(items)
    assert [round(o.stimulus.t_lsl, 6) for o in out] == [0.5, 0.7]
    assert all(own_samples(epoch) for epoch in out)


def test_timeflux_stamps_are_not_rounded() -> None:
    """There: to a millisecond, which drops 4 of 5 samples at 5 kHz."""
    outcomes = acquired([Marker(0.5 + 0.3 / FS_HZ, "S"), chunk(0, 5000)])
    (epoch,) = outcomes
    assert isinstance(epoch, Epoch)
    assert epoch.samples_uv.shape[1] == 750
    np.testing.assert_array_equal(np.diff(epoch.samples_uv[0]), 1.0)
    assert epoch.stimulus_fraction == pytest.approx(0.3, abs=0.01)


def test_timeflux_stamps_are_not_dejittered_behind_ones_back(tmp_path: Path) -> None:
    """There: ``dejitter=False`` is ignored. Here the core gets every stamp as it was recorded."""
    stamps = 50.0 + np.arange(400) / 1000.0 + np.random.default_rng(1).uniform(0, 3e-4, 400)
    xdf = XdfWriter()
    xdf.stream(1, "amp", "EMG", 2, 1000.0, "float32", ("L", "R"), ("uV", "uV"))
    xdf.samples(1, stamps, np.zeros((400, 2)))
    path = tmp_path / "a.xdf"
    path.write_bytes(xdf.data)
    items = [item for _, item in timeline(XdfRecording(path, CaseConfig().signal), 33)]
    given = np.concatenate([item.t_lsl for item in items if isinstance(item, Chunk)])
    np.testing.assert_array_equal(given, stamps)


def test_py_neuromodulation_a_signal_that_stands_still_is_not_one_that_has_stopped() -> None:
    """There: a stall is two equal buffers and a second's sleep. A flat line that comes is no stall,
    and one that has stopped is, whatever it looked like.
    """
    pipeline = Pipeline(STREAM, CONFIG, None)
    flat = np.zeros((100, 2), np.float32)
    out: list[Event] = []
    for k in range(100):
        stamps = (100 * k + np.arange(100)) / FS_HZ
        out += pipeline.feed(Chunk(100 * k, flat, stamps))
        out += pipeline.feed(Tick(0.02 * (k + 1)))
    assert not any(isinstance(e, AlarmCondition) for e in out)
    for k in range(30):
        out += pipeline.feed(Tick(2.0 + 0.01 * (k + 1)))
    (alarm,) = [e for e in out if isinstance(e, AlarmCondition)]
    assert alarm.kind is AlarmKind.SIGNAL_STALLED


# ----------------------------------------------------------------- pyxdf


def recording(n_chunks: int = 2) -> XdfWriter:
    xdf = XdfWriter()
    xdf.stream(1, "amp", "EMG", 2, 1000.0, "float32", ("L", "R"), ("uV", "uV"))
    for k in range(n_chunks):
        stamps = 50.0 + 0.1 * k + np.arange(100) / 1000.0
        xdf.samples(1, stamps, np.arange(200).reshape(100, 2) + 1000 * k)
    return xdf


@pytest.mark.parametrize("cut", [1, 4, 8, 12, 20])
def test_pyxdf_a_file_cut_inside_a_sample_keeps_the_whole_ones_and_invents_none(
    tmp_path: Path, cut: int
) -> None:
    """There: cut in the last sample, stale bytes; 12 bytes earlier, 99 whole samples lost."""
    xdf = recording()
    ends = xdf.sample_ends[1]
    path = tmp_path / "cut.xdf"
    path.write_bytes(xdf.data[: ends[-1] - cut])
    with XdfFile(path) as file:
        whole = sum(end <= ends[-1] - cut for end in ends)
        np.testing.assert_array_equal(
            file.read(1).values,
            np.concatenate([np.arange(200), np.arange(200) + 1000]).reshape(-1, 2)[:whole],
        )
        assert f"ends at byte {ends[-1] - cut}" in file.warnings[-1]


def test_pyxdf_a_file_cut_inside_a_clock_offset_is_read(tmp_path: Path) -> None:
    xdf = recording()
    whole = len(xdf.data)
    xdf.offset(1, 50.0, 0.1)
    for cut in range(1, len(xdf.data) - whole):
        path = tmp_path / "cut.xdf"
        path.write_bytes(xdf.data[:-cut])
        with XdfFile(path) as file:
            assert file.n_samples(1) == 200
            assert len(file.clock_offsets(1)[0]) == 0
            assert len(file.warnings) == 1


def test_pyxdf_a_replay_knows_no_later_clock_offset(tmp_path: Path) -> None:
    """There: the fit uses the whole file, and a replay of its stamps flatters real time."""

    def replayed(offsets: list[tuple[float, float]]) -> list[object]:
        xdf = recording(20)
        xdf.stream(2, "stim", "Markers", 1, 0.0, "string")
        xdf.samples(2, [50.55], [["S"]])
        for at_s, offset_s in offsets:
            xdf.offset(1, at_s, offset_s)
        path = tmp_path / "a.xdf"
        path.write_bytes(xdf.data)
        items = timeline(XdfRecording(path, CaseConfig().signal), 20)
        before = [item for _, item in items if not isinstance(item, Tick)][:30]
        return [
            (item.first_sample, item.t_lsl.tolist()) if isinstance(item, Chunk) else item
            for item in before
        ]

    # An offset measured at 51.5 s leaves no trace in what comes before.
    known = [(50.0, 0.001)]
    assert replayed(known) == replayed([*known, (51.5, 0.0013)])


# ----------------------------------------------------------------- detectors


def test_biosppy_a_lone_spike_does_not_win_over_the_burst() -> None:
    """There: the run counter is never reset, so a spike at 10 wins over a burst at 200."""
    x = np.random.default_rng(1).normal(0, 0.1, 400)
    x[10] = 50.0
    x[200:260] += 20.0 * np.sin(np.arange(60))
    psi = tkeo.smoothed_energy(x, 3)
    onset = tkeo.onset_before(psi, 5.0, 0, int(np.argmax(psi[150:])) + 150, 5, 25)
    assert 190 <= onset <= 205


def sweep(response_uv: float) -> FloatArray:
    t_ms = (np.arange(1250) - 500) / 5.0
    since = t_ms - 22
    wave = np.where((since > 0) & (since < 12), np.sin(2 * np.pi * since / 12), 0.0)
    return np.random.default_rng(3).normal(0, 3, 1250) + response_uv * wave


def test_delmep_no_response_is_an_answer_and_amplitude_is_kept() -> None:
    plan = plan_sweeps(FS_HZ, 1250, 500)
    window = OnsetWindow(13.0, 40.0)
    sweeps = np.stack([sweep(0.0), sweep(100.0), sweep(1000.0)])
    (none, small, large), _ = measure_sweeps(sweeps, plan, [window] * 3)
    assert none.status is Status.NO_RESPONSE
    assert none.onset_ms is None
    assert small.amplitude_uv == pytest.approx(200, rel=0.1)
    assert large.amplitude_uv == pytest.approx(2000, rel=0.05)


def test_bigoni_the_input_is_left_as_it_is_and_the_order_of_calls_does_not_matter() -> None:
    plan = plan_sweeps(FS_HZ, 1250, 500)
    window = [OnsetWindow(13.0, 40.0)]
    one, other = sweep(80.0)[None], sweep(-500.0)[None]
    before = one.copy()
    first, _ = measure_sweeps(one, plan, window)
    measure_sweeps(other, plan, window)
    again, _ = measure_sweeps(one, plan, window)
    np.testing.assert_array_equal(one, before)
    assert again == first
