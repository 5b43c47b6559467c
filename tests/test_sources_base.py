from pathlib import Path

import pytest

from monitor.config import from_mapping
from monitor.sources.base import READABLE, ignored_channels, open_recording
from monitor.types import MonitorError


@pytest.mark.parametrize("name", ["case.gdf", "case.cnt", "case.txt", "case"])
def test_a_file_of_another_kind_names_what_can_be_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"anything")
    with pytest.raises(MonitorError) as error:
        open_recording(path)
    assert str(path) in str(error.value)
    assert all(suffix in str(error.value) for suffix in READABLE)


@pytest.mark.parametrize("suffix", READABLE)
def test_a_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MonitorError, match="no such file"):
        open_recording(tmp_path / f"gone{suffix}")
    assert not (tmp_path / f"gone{suffix}").exists()


@pytest.mark.parametrize("suffix", READABLE)
def test_a_file_of_rubbish_is_one_clear_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(MonitorError) as error:
        open_recording(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_the_case_file_says_which_channels_nobody_looks_at() -> None:
    sections = {"T": {"ignore": True}, "L-APB": {"muscle": "APB"}, "ECG": {"ignore": True}}
    assert ignored_channels(from_mapping({"channels": sections}, "case.toml")) == {"T", "ECG"}
