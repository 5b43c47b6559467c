import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from monitor.config import SignalSection
from monitor.sources.base import Item
from monitor.sources.lsl import LslSource
from monitor.sources.scenario import SCENARIOS
from monitor.sources.simulated import SimulatedCase
from monitor.types import Chunk, Marker

ROOT = Path(__file__).parents[1]
NAME = "outlet-test"


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "monitor.sources.outlet", "--name", NAME, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.lsl
def test_the_simulated_case_arrives_sample_by_sample_and_stops_when_told() -> None:
    signal = SignalSection(predicate=f"name='{NAME}'", markers_predicate=f"name='{NAME}-markers'")
    with start("--seed", "5", "--fs", "2000", "--interval", "0.4") as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline().startswith(f"ready: {NAME} and {NAME}-markers")
            items: list[Item] = []
            with LslSource(signal) as source:
                assert source.info.kind == "simulated"
                assert source.info.source_id == f"{NAME}-demo-5"
                end_s = time.monotonic() + 1.0
                while time.monotonic() < end_s:
                    items += source.read(0.1)
            child.terminate()
            assert child.wait(60) == 0
        finally:
            child.kill()

    case = SimulatedCase(5, 2000.0, SCENARIOS["demo"].at_interval(0.4))
    assert source.info.channel_names == case.channel_names
    whole = case.next_block(2000 * 60)
    chunks = [i for i in items if isinstance(i, Chunk)]
    samples = np.concatenate([c.samples_uv for c in chunks])
    stamps = np.concatenate([c.t_lsl for c in chunks])
    # The receiver joined somewhere in the case: find where, then everything must be equal.
    (places,) = np.nonzero((whole.samples_uv == samples[0]).all(axis=1))
    assert len(places) == 1
    first = int(places[0])
    np.testing.assert_array_equal(samples, whole.samples_uv[first : first + len(samples)])
    begin_s = stamps[0] - first / 2000.0
    np.testing.assert_allclose(stamps, begin_s + (first + np.arange(len(samples))) / 2000.0)
    truth = np.array([t.stimulus_s for t in whole.stimuli])
    markers = [i for i in items if isinstance(i, Marker)]
    assert markers
    for marker in markers:
        assert marker.value == "TES C1C2 400V"
        assert np.abs(truth - (marker.t_lsl - begin_s)).min() < 1e-6


@pytest.mark.lsl
def test_it_ends_by_itself_after_its_duration() -> None:
    with start("--duration", "0.2") as child:
        assert child.wait(60) == 0


@pytest.mark.lsl
def test_it_dies_with_its_parent() -> None:
    """A parent in between starts the outlet and is killed outright."""
    code = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'monitor.sources.outlet', '--name', 'outlet-orphan']\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        status = Path(f"/proc/{int(parent.stdout.readline())}/stat")
        parent.kill()
        parent.wait()
        end_s = time.monotonic() + 60
        while running(status) and time.monotonic() < end_s:
            time.sleep(0.05)
    assert not running(status)


def running(status: Path) -> bool:
    """A process that is there and isn't a zombie waiting for somebody to look."""
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "war"], "scenario 'war': unknown"),
        (["--fs", "100"], "fs 100 Hz"),
        (["--interval", "0"], "interval 0 s"),
    ],
)
def test_bad_arguments_are_one_line_and_status_2(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "monitor.sources.outlet", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
