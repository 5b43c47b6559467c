import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from monitor.config import SignalSection
from monitor.sources.base import Item
from monitor.sources.lsl import LslSource
from monitor.types import Chunk, Marker

ROOT = Path(__file__).parents[1]
FS_HZ = 1000.0


def record(folder: Path, name: str, markers: list[tuple[int, str]], seconds: float) -> Path:
    """A BrainVision recording of a ramp in two channels of 0.1 uV steps."""
    n = round(seconds * FS_HZ)
    ramp = np.column_stack([np.arange(n), -np.arange(n)]).astype("<i2")
    (folder / f"{name}.eeg").write_bytes(ramp.tobytes())
    (folder / f"{name}.vmrk").write_text(
        "BrainVision Data Exchange Marker File Version 1.0\n[Marker Infos]\n"
        + "".join(f"Mk{i}=Stimulus,{t},{at},1,0\n" for i, (at, t) in enumerate(markers, 1))
    )
    path = folder / f"{name}.vhdr"
    path.write_text(
        "BrainVision Data Exchange Header File Version 1.0\n"
        f"[Common Infos]\nDataFile={name}.eeg\nMarkerFile={name}.vmrk\nDataFormat=BINARY\n"
        "DataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=1000\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=A,,0.1,uV\nCh2=B,,0.1,uV\n"
    )
    return path


def test_the_ignored_channels_of_its_case_file_do_not_stop_it(tmp_path: Path) -> None:
    path = record(tmp_path, "ignored", [(1, "S1")], 0.1)
    np.full((100, 2), [1.0, np.nan], "<f4").tofile(tmp_path / "ignored.eeg")
    path.write_text(path.read_text().replace("INT_16", "IEEE_FLOAT_32"))
    case = tmp_path / "case.toml"
    case.write_text('[channels."B"]\nignore = true\n')
    command = [sys.executable, "-m", "monitor.sources.republish", str(path)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "channel B: NaN throughout" in refused.stderr
    done = subprocess.run(
        [*command, "--config", str(case)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "ready: ignored.vhdr\n"), done.stderr


@pytest.mark.lsl
def test_a_recording_comes_back_over_lsl_as_it_was_recorded(tmp_path: Path) -> None:
    path = record(tmp_path, "republished", [(1, "S1"), (1501, "S2"), (2501, "S3")], 3.5)
    command = [sys.executable, "-m", "monitor.sources.republish", str(path)]
    signal = SignalSection(
        predicate="name='republished'", markers_predicate="name='republished-markers'"
    )
    items: list[Item] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready: republished.vhdr\n"
            with LslSource(signal) as source:
                end_s = time.monotonic() + 60
                while child.poll() is None and time.monotonic() < end_s:
                    items += source.read(0.05)
            assert child.wait(60) == 0
        finally:
            child.kill()
    assert source.info.kind == "replay"
    assert source.info.source_id == "replay:republished.vhdr"
    assert source.info.channel_names == ("A", "B")
    chunks = [i for i in items if isinstance(i, Chunk)]
    samples = np.concatenate([c.samples_uv[:, 0] for c in chunks])
    stamps = np.concatenate([c.t_lsl for c in chunks])
    numbers = np.round(samples / 0.1).astype(int)
    np.testing.assert_array_equal(np.diff(numbers), 1)
    assert len(numbers) > 2000
    np.testing.assert_allclose(stamps - stamps[0], (numbers - numbers[0]) / FS_HZ, atol=1e-6)
    markers = {i.value: i.t_lsl for i in items if isinstance(i, Marker)}
    # Sample 2500 carries S3 (positions count from 1).
    at_s = stamps[np.searchsorted(numbers, 2500)]
    assert markers["S3"] == pytest.approx(at_s, abs=1e-6)


def test_an_unusable_recording_is_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor.sources.republish", str(tmp_path / "gone.vhdr")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path / 'gone.vhdr'}: no such file\n"
