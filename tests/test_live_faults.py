"""A real source in a process of its own that is stopped, killed and restarted: each is named.

The whole data path behind real LSL, with baselines learned before the fault, so that a loss could
be found where there is none.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import CaseConfig, from_mapping
from monitor.pipeline import Pipeline
from monitor.sources.lsl import LslSource
from monitor.track.kinds import ALARM_TABLE
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Baseline,
    Chunk,
    Epoch,
    Event,
    Marker,
    Trial,
)
from tests.test_sources_lsl import emg, only, stim, streams

pytestmark = pytest.mark.lsl

ROOT = Path(__file__).parents[1]
#: Many times what anything takes on an idle machine.
PATIENCE_S = 60.0


@contextmanager
def outlet(name: str, source_id: str) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable, "-m", "monitor.sources.outlet", "--scenario", "stable", "--name", name,
        "--source-id", source_id, "--fs", "2000", "--interval", "0.5",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    with child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline().startswith("ready")
            yield child
        finally:
            child.kill()


def case(name: str) -> CaseConfig:
    return from_mapping(
        {
            "signal": {
                "predicate": f"name='{name}'",
                "markers_predicate": f"name='{name}-markers'",
            },
            "stimulus": {
                "pattern": r"TES (?P<setting>\S+) (?P<intensity>[\d.]+)V",
                "pulses_ms": [0.0, 4.0, 8.0, 12.0, 16.0],
            },
            "measure": {"network": False},
            "track": {"baseline_usable": 2, "baseline_frozen": 3},
        },
        "test",
    )


class Case:
    """The data path on a live source, with everything that it said."""

    def __init__(self, source: LslSource, config: CaseConfig) -> None:
        self.source = source
        self.pipeline = Pipeline(source.info, config, None)
        self.pipeline.measurer.warm_up()
        self.events: list[Event] = []

    def follow(self, seconds: float, until: AlarmState | None = None) -> None:
        """For so long, or until ``signal_stalled`` is in that state."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for item in self.source.read(0.05):
                self.events += self.pipeline.feed(item)
            if until is not None and self.stalls()[-1:] == [until]:
                return
        assert until is None, f"no signal_stalled {until} in {seconds} s: {self.said()}"

    def learn(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while sum(isinstance(e, Trial) for e in self.events) < 4:
            assert time.monotonic() < end
            self.follow(0.2)
        assert any(isinstance(e, Baseline) for e in self.events)

    def alarms(self) -> list[AlarmCondition]:
        return [e for e in self.events if isinstance(e, AlarmCondition)]

    def said(self) -> list[str]:
        return [f"{a.state} {a.kind}: {a.evidence.get('message')}" for a in self.alarms()]

    def trials(self) -> list[Trial]:
        return [e for e in self.events if isinstance(e, Trial)]

    def stalls(self) -> list[AlarmState]:
        return [a.state for a in self.alarms() if a.kind is AlarmKind.SIGNAL_STALLED]

    def close(self) -> None:
        """Every stimulus has its row, every row its status, and nothing looks like a loss."""
        self.events += self.pipeline.finish()
        tally = self.pipeline.acquisition.tally
        trials = [e for e in self.events if isinstance(e, Trial)]
        assert tally.seen == len(trials) == self.pipeline.acquisition.stimuli.matched
        assert tally.seen == tally.delivered + tally.gap + tally.late + tally.incomplete
        assert tally.delivered == sum(t.epoch is not None for t in trials)
        losses = [a for a in self.alarms() if a.alarm_class is AlarmClass.PHYSIOLOGICAL]
        assert losses == []


def test_a_source_that_is_stopped_is_stalled_and_its_return_is_announced() -> None:
    name = f"stop-{os.getpid()}"
    with outlet(name, name) as child, LslSource(case(name).signal) as source:
        following = Case(source, case(name))
        following.learn()
        child.send_signal(signal.SIGSTOP)
        # How soon it is told is the core's to say (test_acquire_stall); here: that it is.
        following.follow(PATIENCE_S, AlarmState.ACTIVE)
        following.follow(1.0)
        child.send_signal(signal.SIGCONT)
        following.follow(PATIENCE_S, AlarmState.RESOLVED)
        following.follow(1.5)
        following.close()
    assert [following.stalls()[0], following.stalls()[-1]] == [
        AlarmState.ACTIVE,
        AlarmState.RESOLVED,
    ]
    # It goes on where it stopped: LSL handed over everything, so nothing was lost.
    assert AlarmKind.SIGNAL_GAP not in {a.kind for a in following.alarms()}


def test_a_source_that_is_killed_and_restarted_leaves_a_gap_with_its_length() -> None:
    name = f"kill-{os.getpid()}"
    with outlet(name, name) as child, LslSource(case(name).signal) as source:
        following = Case(source, case(name))
        following.learn()
        child.kill()
        child.wait()
        following.follow(PATIENCE_S, AlarmState.ACTIVE)
        with outlet(name, name):
            following.follow(PATIENCE_S, AlarmState.RESOLVED)
            following.follow(2.0)
            following.close()
    gaps = [a for a in following.alarms() if a.kind is AlarmKind.SIGNAL_GAP]
    assert [g.state for g in gaps] == [AlarmState.ACTIVE, AlarmState.RESOLVED]
    assert "samples are missing" in str(gaps[0].evidence["message"])
    assert any(
        t.epoch is not None and t.stimulus_s > gaps[0].raised_s
        for t in following.events
        if isinstance(t, Trial)
    )


def test_a_source_that_returns_under_another_id_goes_on_as_the_same_case() -> None:
    name = f"new-{os.getpid()}"
    with outlet(name, name) as child, LslSource(case(name).signal) as source:
        following = Case(source, case(name))
        following.learn()
        trials = len(following.trials())
        child.kill()
        child.wait()
        following.follow(PATIENCE_S, AlarmState.ACTIVE)
        with outlet(name, f"{name}-other"):
            following.follow(PATIENCE_S, AlarmState.RESOLVED)
            end = time.monotonic() + PATIENCE_S
            while sum(t.epoch is not None for t in following.trials()[trials:]) < 2:
                assert time.monotonic() < end, following.said()
                following.follow(0.2)
            following.close()
    kinds = {a.kind for a in following.alarms()}
    assert AlarmKind.SIGNAL_GAP in kinds
    assert AlarmKind.CLOCK_FAULT not in kinds, "one machine, one clock"


class Ramp:
    """A ramp over real LSL through the whole data path; its samples say where they are from."""

    def __init__(self, source: LslSource, name: str) -> None:
        config = from_mapping(
            {"stimulus": {"pattern": "^TES"}, "measure": {"network": False}}, name
        )
        self.source = source
        self.pipeline = Pipeline(source.info, config, None)
        self.pipeline.measurer.warm_up()
        self.events: list[Event] = []
        self.chunks: list[Chunk] = []
        self.markers: list[Marker] = []

    def follow(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end
            for item in self.source.read(0.05):
                if isinstance(item, Chunk):
                    self.chunks.append(item)
                elif isinstance(item, Marker):
                    self.markers.append(item)
                self.events += self.pipeline.feed(item)

    def epochs(self) -> list[Epoch]:
        return [e.epoch for e in self.events if isinstance(e, Trial) and e.epoch is not None]

    def kinds(self) -> set[AlarmKind]:
        return {e.kind for e in self.events if isinstance(e, AlarmCondition)}

    def close(self) -> None:
        """Every stimulus is accounted for, and every epoch holds the samples of its own moment."""
        self.events += self.pipeline.finish()
        tally = self.pipeline.acquisition.tally
        assert tally.seen == sum(isinstance(e, Trial) for e in self.events)
        assert tally.seen == tally.delivered + tally.gap + tally.late + tally.incomplete
        assert not {ALARM_TABLE[kind].alarm_class for kind in self.kinds()} - {AlarmClass.TECHNICAL}
        stamps = np.concatenate([chunk.t_lsl for chunk in self.chunks])
        values = np.concatenate([chunk.samples_uv[:, 0] for chunk in self.chunks])
        for epoch in self.epochs():
            nearest = values[np.argmin(np.abs(stamps - epoch.stimulus.t_lsl))]
            found = epoch.samples_uv[0, epoch.stimulus_index] + epoch.stimulus_fraction
            assert abs(found - nearest) <= 1.0, "within a sample of where it belongs"


def markers_of(name: str, **changes: Any) -> dict[str, Any]:
    # Ten a second, of which each tenth is a stimulus.
    return stim(f"{name}-stim", values=["TES 1", *["rest"] * 9], **changes)


def test_a_rate_that_drifts_from_nominal_is_followed() -> None:
    name = f"drift-{os.getpid()}"
    with (
        streams(emg(name, drift=0.003), markers_of(name)),
        LslSource(only(name, f"{name}-stim")) as source,
    ):
        ramp = Ramp(source, name)
        ramp.follow(lambda: len(ramp.epochs()) >= 5)
        ramp.close()
    assert not ramp.kinds() & {AlarmKind.SIGNAL_GAP, AlarmKind.CLOCK_FAULT}


@pytest.mark.parametrize(
    ("step_s", "kind"), [(-5.0, AlarmKind.CLOCK_FAULT), (2.0, AlarmKind.SIGNAL_GAP)]
)
def test_a_clock_that_is_stepped_is_named_and_the_case_goes_on(
    step_s: float, kind: AlarmKind
) -> None:
    name = f"step{step_s:+g}-{os.getpid()}"
    stepping = {"step_s": step_s, "step_after_s": 3.0}
    with (
        streams(emg(name, **stepping), markers_of(name, **stepping)),
        LslSource(only(name, f"{name}-stim")) as source,
    ):
        ramp = Ramp(source, name)

        def resolved() -> bool:
            states = [
                e.state for e in ramp.events if isinstance(e, AlarmCondition) and e.kind is kind
            ]
            return AlarmState.RESOLVED in states

        ramp.follow(resolved)
        before = len(ramp.epochs())
        ramp.follow(lambda: len(ramp.epochs()) >= before + 2)
        ramp.close()
    # A marker of the new time that comes before it shows in the samples is accounted for, no more.
    times = [epoch.stimulus_s for epoch in ramp.epochs()]
    assert times == sorted(times), "the case's time does not go back"
