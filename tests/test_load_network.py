"""Which file is loaded, and that no other is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from monitor.load_network import DEPLOYED_SHA256, WEIGHT_FOLDERS, load_network
from monitor.measure.network import ModelFault
from monitor.types import MonitorError

WEIGHTS = next(path for folder in WEIGHT_FOLDERS for path in folder.glob("mep_cnn.onnx"))


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    return text


def test_the_deployed_hash_is_that_of_the_weights() -> None:
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == DEPLOYED_SHA256


def test_loads_the_deployed_network() -> None:
    network = load_network()
    assert network.sha256 == DEPLOYED_SHA256
    assert network.name == "mep_cnn"
    assert network.window_offset_ms > 0


def test_the_second_folder_serves_where_the_first_has_none(tmp_path: Path) -> None:
    packaged = tmp_path / "weights"
    packaged.mkdir()
    (packaged / "copy.onnx").write_bytes(WEIGHTS.read_bytes())
    network = load_network(folders=(tmp_path / "nowhere", packaged))
    assert network.sha256 == DEPLOYED_SHA256


def test_a_changed_file_is_not_loaded(tmp_path: Path) -> None:
    model = bytearray(WEIGHTS.read_bytes())
    model[len(model) // 3] ^= 1
    (tmp_path / "mep_cnn.onnx").write_bytes(model)
    with pytest.raises(MonitorError, match="not found") as caught:
        load_network(folders=(tmp_path,))
    text = one_line(caught.value)
    assert DEPLOYED_SHA256[:12] in text
    assert str(tmp_path / "mep_cnn.onnx") in text


def test_no_file_at_all_names_the_folders(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"no \*\.onnx in") as caught:
        load_network(folders=(tmp_path / "a", tmp_path / "b"))
    assert str(tmp_path / "b") in one_line(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "mep_cnn.onnx").mkdir()
    with pytest.raises(MonitorError, match=r"mep_cnn\.onnx: can't be read"):
        load_network(folders=(tmp_path,))


def test_a_network_that_answers_its_golden_sweeps_wrongly_is_a_fault(tmp_path: Path) -> None:
    """A weight is changed and the changed file asked for: the hash fits, the answers don't."""
    model = WEIGHTS.read_bytes()
    # First where the layer is used, then its name again and the weights behind it.
    at = model.index(b"dense.weight", model.index(b"dense.weight") + 1) + 1000
    wrong = model[:at] + bytes(4000) + model[at + 4000 :]
    (tmp_path / "mep_cnn.onnx").write_bytes(wrong)
    with pytest.raises(ModelFault, match="golden sweep"):
        load_network(hashlib.sha256(wrong).hexdigest(), (tmp_path,))
