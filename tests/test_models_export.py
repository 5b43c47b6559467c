"""Export: the file computes what the checkpoint does and carries what the contract asks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")
onnx = pytest.importorskip("onnx", reason="the train extra (onnx) is not installed")
pytest.importorskip("onnxscript", reason="the train extra (onnxscript) is not installed")

from onnx import TensorProto  # noqa: E402

from models.architecture import SCALE_UV  # noqa: E402
from models.compact import CompactNet  # noqa: E402
from models.dataset import WINDOW_OFFSET_MS, simulate_windows  # noqa: E402
from models.export import export, fold_batch_norm, load_checkpoint, main  # noqa: E402
from monitor.measure.network import (  # noqa: E402
    EXPLAIN,
    EXPLANATIONS,
    EXTRAS,
    OUTPUTS,
    Golden,
    Network,
    golden_to_json,
)

# torch's exporter and its copy of pytree warn about themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning:copyreg"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has seen nothing, but whose normalisations are not neutral."""
    torch.manual_seed(6)
    model = CompactNet(WINDOW_OFFSET_MS)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    path = tmp_path_factory.mktemp("export") / "checkpoint.pt"
    torch.save(
        {
            "network": "compact",
            "state": model.state_dict(),
            "window_offset_ms": WINDOW_OFFSET_MS,
            "seed": 6,
            "sweeps": 640,
            "epochs": "0 epochs",
            "training_sha256": "ab" * 32,
        },
        path,
    )
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    out = checkpoint.with_name("mep_cnn.onnx")
    assert export(checkpoint, out) == hashlib.sha256(out.read_bytes()).hexdigest()
    return out


def test_in_full_precision_the_file_answers_as_the_checkpoint_does(
    checkpoint: Path, tmp_path: Path
) -> None:
    model, _ = load_checkpoint(checkpoint)
    exact = tmp_path / "exact.onnx"
    export(checkpoint, exact, precision="fp32")
    network = Network.from_bytes(exact.read_bytes())
    windows_uv = simulate_windows(6, "test", 20).windows_uv
    with torch.no_grad():
        expected = model(torch.from_numpy(windows_uv[:, None, :] / np.float32(SCALE_UV)))
    got = network(windows_uv)
    np.testing.assert_allclose(got.amplitude_uv, expected.amplitude_uv, rtol=1e-3)
    np.testing.assert_allclose(got.onset_from_last_ms, expected.onset_ms, atol=1e-2)
    np.testing.assert_allclose(got.duration_ms, expected.duration_ms, atol=1e-2)
    np.testing.assert_allclose(got.artefact_probability, expected.artefact, atol=1e-3)
    np.testing.assert_allclose(got.response_probability, expected.response, atol=1e-3)


def test_eight_bits_lose_little(checkpoint: Path, exported: Path, tmp_path: Path) -> None:
    exact_path = tmp_path / "exact.onnx"
    export(checkpoint, exact_path, precision="fp32")
    windows_uv = simulate_windows(6, "test", 200).windows_uv
    exact = Network.from_bytes(exact_path.read_bytes())(windows_uv)
    eight = Network.from_bytes(exported.read_bytes())(windows_uv)
    assert np.median(np.abs(eight.amplitude_uv / exact.amplitude_uv - 1)) < 0.01
    assert np.median(np.abs(eight.onset_from_last_ms - exact.onset_from_last_ms)) < 0.1
    assert np.abs(eight.response_probability - exact.response_probability).max() < 0.1
    weights = [i for i in onnx.load(exported).graph.initializer if i.data_type == TensorProto.INT8]
    # Stem, reduction and five blocks; the heat maps keep their resolution.
    assert len([i for i in weights if len(i.dims) == 3]) == 7


def test_the_file_keeps_the_contract(exported: Path) -> None:
    graph = onnx.load(exported)
    assert max(o.version for o in graph.opset_import if o.domain == "") >= 17
    sweep, explain = graph.graph.input
    assert explain.name == EXPLAIN
    assert sweep.name == "sweep"
    assert [d.dim_param or d.dim_value for d in sweep.type.tensor_type.shape.dim] == [
        "batch", 1, 500
    ]  # fmt: skip
    names = tuple(node.name for node in graph.graph.output)
    assert names == (*OUTPUTS, *EXTRAS, *EXPLANATIONS)
    assert not [n for n in graph.graph.node if n.op_type in ("BatchNormalization", "Dropout")]
    assert exported.stat().st_size < 2_000_000


def test_the_metadata_says_where_it_comes_from_and_nothing_of_the_machine(
    exported: Path,
) -> None:
    graph = onnx.load(exported)
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    assert metadata.keys() == {
        "name", "version", "training_data", "training_sha256", "scale_uv", "window_offset_ms",
        "git_revision", "golden",
    }  # fmt: skip
    assert metadata["training_sha256"] == "ab" * 32
    assert "640 sweeps, seed 6" in metadata["training_data"]
    assert len(json.loads(metadata["golden"])["answers"]) == 8
    content = exported.read_bytes()
    assert str(Path(__file__).parents[1]).encode() not in content
    assert b"/tmp/" not in content
    assert b'.py"' not in content


def test_the_same_checkpoint_gives_the_same_file(checkpoint: Path, tmp_path: Path) -> None:
    hashes = {export(checkpoint, tmp_path / name) for name in ("a.onnx", "b.onnx")}
    assert len(hashes) == 1


def test_folding_leaves_no_normalisation_and_the_same_answers(checkpoint: Path) -> None:
    model, _ = load_checkpoint(checkpoint)
    sweeps = torch.randn(4, 1, 500, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = model(sweeps)
        fold_batch_norm(model)
        after = model(sweeps)
    assert not [part for part in model.modules() if isinstance(part, torch.nn.BatchNorm1d)]
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_the_command_prints_the_hash_to_deploy(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.onnx"
    main(["--checkpoint", str(checkpoint), "--out", str(out)])
    assert f'DEPLOYED_SHA256 = "{hashlib.sha256(out.read_bytes()).hexdigest()}"' in (
        capsys.readouterr().out
    )


def test_extras_are_renewed_and_nothing_else(exported: Path, tmp_path: Path) -> None:
    before, path = onnx.load(exported), tmp_path / "renewed.onnx"
    kept = Network.from_bytes(exported.read_bytes()).golden
    assert kept.extras is not None
    assert tuple(kept.extras.said) == EXTRAS
    old = Golden(kept.windows_uv, kept.answers)
    [entry] = [entry for entry in before.metadata_props if entry.key == "golden"]
    entry.value = golden_to_json(old)
    path.write_bytes(before.SerializeToString())
    main(["--renew-extras", "--out", str(path), "--seed", "6"])
    after = onnx.load(path)
    assert after.graph == before.graph
    assert path.read_bytes() == exported.read_bytes()
