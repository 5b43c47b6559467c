"""Checkpoint -> ONNX file with everything it needs to be used rightly: ``python -m models.export``.

Batch normalisation is folded into the convolutions. Of the deployed network the convolutions up to
the heat maps are quantised: weights to int8 a filter, activations to uint8 with ranges taken from
training sweeps, in reduced range, so that a processor without VNNI does not saturate; the rest, and
the whole of the paper's network, stays float32. The explaining part (saliency) goes into a branch
that runs only when the input ``explain`` says so; left out, as on the way of a trial, it is false.
The metadata carries the scale, the window, what the training data follow from, and golden sweeps
with the answers that onnxruntime gave on the machine that exported them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.architecture import SCALE_UV, MepCnn
from models.architecture import Answers as PaperAnswers
from models.compact import Answers as CompactAnswers
from models.compact import CompactNet
from models.dataset import block_windows, simulate_windows
from models.explaining import branch_off
from models.simulator import simulate_block
from models.train import CHECKPOINTS, STAGES, read_checkpoint
from monitor.measure.network import (
    EXTRAS,
    INPUT,
    OUTPUTS,
    Golden,
    GoldenExtras,
    Network,
    golden_from_json,
    golden_to_json,
)
from monitor.measure.resample import NETWORK_SAMPLES
from monitor.types import Float32Array, FloatArray

OPSET = 18
#: Network -> (name of its file, version, precision).
FILES = {"compact": ("mep_cnn", "3.1.0", "int8"), "paper": ("paper_cnn", "1.1.0", "fp32")}
WEIGHTS = Path("models/weights")
#: Golden sweeps: so many clear responses of the validation split, and a flat line.
GOLDEN_SWEEPS = 7
GOLDEN_SNR = 8.0
#: Sweeps of the validation split that those for the extra outputs are taken from.
GOLDEN_EXTRAS_FROM = 800
#: The ranges of the activations are taken from so many set-ups of the training split, so many
#: sweeps of each, less the rarest values on each side (%): one wild sweep would coarsen all steps.
CALIBRATION_BLOCKS, CALIBRATION_SWEEPS = 150, 4
CALIBRATION_PERCENTILE = 99.999
#: A convolution with at most so many filters (the heat maps' positions need the resolution) stays
#: float32.
FLOAT_FILTERS = 16


def load_checkpoint(path: Path) -> tuple[CompactNet | MepCnn, dict[str, Any]]:
    """The trained network, in evaluation mode, and the rest of its checkpoint."""
    model, checkpoint = read_checkpoint(path)
    return model.eval(), checkpoint


def fold_batch_norm(model: nn.Module) -> None:
    """Fold every batch normalisation into the convolution before it, in place."""
    for part in model.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for index in range(len(part) - 1):
            convolution, norm = part[index], part[index + 1]
            if isinstance(convolution, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d):
                part[index] = fuse_conv_bn_eval(convolution, norm)
                part[index + 1] = nn.Identity()


def output_names(model: CompactNet | MepCnn) -> tuple[str, ...]:
    """Names of a network's outputs, in order."""
    answers = CompactAnswers if isinstance(model, CompactNet) else PaperAnswers
    return answers._fields


def to_onnx(model: CompactNet | MepCnn) -> onnx.ModelProto:
    """The graph alone, without metadata; the batch is free."""
    fold_batch_norm(model)
    program = torch.onnx.export(
        model,
        (torch.zeros(2, 1, NETWORK_SAMPLES),),
        input_names=[INPUT],
        output_names=list(output_names(model)),
        dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    graph = program.model_proto
    _forget_origin(graph)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _first_convolution(graph: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in graph.graph.node if node.op_type == "Conv")


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Windows of the training split, in batches."""

    def __init__(self, seed: int) -> None:
        blocks = (
            simulate_block(seed, "training", number, CALIBRATION_SWEEPS)
            for number in range(CALIBRATION_BLOCKS)
        )
        windows_uv = np.concatenate([block_windows(block) for block in blocks])
        sweeps = windows_uv[:, None, :] * np.float32(1.0 / SCALE_UV)
        self._batches = iter(np.array_split(sweeps, len(sweeps) // 50))

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantise(graph: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The same graph with its convolutions, but the heat maps', in eight bits."""
    filters = {i.name: i.dims[0] for i in graph.graph.initializer if i.dims}
    large = [
        node.name
        for node in graph.graph.node
        if node.op_type == "Conv"
        and (filters[node.input[1]] > FLOAT_FILTERS or node is _first_convolution(graph))
    ]
    # What is rectified right behind a convolution is rounded once, not before and after.
    convolved = {node.output[0] for node in graph.graph.node if node.name in large}
    large += [
        node.name
        for node in graph.graph.node
        if node.op_type == "Relu" and node.input[0] in convolved
    ]
    with tempfile.TemporaryDirectory() as scratch:
        plain, prepared, done = (Path(scratch, f"{name}.onnx") for name in "abc")
        onnx.save(graph, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        with contextlib.redirect_stdout(io.StringIO()):  # it tells of its histograms
            quantize_static(
                prepared,
                done,
                _Calibration(seed),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=large,
                calibrate_method=CalibrationMethod.Percentile,
                extra_options={"CalibPercentile": CALIBRATION_PERCENTILE},
            )
        quantised = onnx.load(done)
    del quantised.metadata_props[:]
    _forget_origin(quantised)
    return quantised


def _forget_origin(graph: onnx.ModelProto) -> None:
    """Drop the exporter's notes (stack traces, paths): the file depends on the weights alone."""
    parts = graph.graph
    for noted in (
        graph,
        parts,
        *parts.node,
        *parts.input,
        *parts.output,
        *parts.value_info,
        *parts.initializer,
    ):
        noted.ClearField("metadata_props")
        noted.ClearField("doc_string")


def golden_sweeps(graph: onnx.ModelProto, seed: int) -> Golden:
    """Windows of the validation split, and a flat line, with onnxruntime's answers to them.

    Clear responses alone: where an onset drowns in noise, another processor's rounding may well
    move it by more than a wrong kernel would elsewhere.
    """
    data = simulate_windows(seed, "validation", 32 * GOLDEN_SWEEPS)
    clear = (data.response > 0) & (data.snr > GOLDEN_SNR) & (data.artefact == 0)
    windows_uv = np.zeros((GOLDEN_SWEEPS + 1, NETWORK_SAMPLES), np.float32)
    windows_uv[:-1] = data.windows_uv[clear][:GOLDEN_SWEEPS]
    said = _said(graph, windows_uv, OUTPUTS)
    return Golden(windows_uv, np.stack([said[n] for n in OUTPUTS], 1), golden_extras(graph, seed))


def golden_extras(graph: onnx.ModelProto, seed: int) -> GoldenExtras | None:
    """Windows that make the extra outputs speak; None of a graph that has none.

    Of each column of each output the one that gives it its largest value: an output that is lost,
    mixed up or off by a factor then differs.
    """
    given = {node.name for node in graph.graph.output}
    names = [name for name in EXTRAS if name in given]
    if not names:
        return None
    windows_uv = simulate_windows(seed, "validation", GOLDEN_EXTRAS_FROM).windows_uv
    said = _said(graph, windows_uv, names)
    columns = np.concatenate([said[name].reshape(len(windows_uv), -1) for name in names], axis=1)
    chosen = windows_uv[np.unique(columns.argmax(axis=0))]
    return GoldenExtras(chosen, _said(graph, chosen, names))


def _said(
    graph: onnx.ModelProto, windows_uv: Float32Array, names: Sequence[str]
) -> dict[str, FloatArray]:
    """onnxruntime's answers to windows in uV, by name."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    # The monitor multiplies by the inverse, so that is what the answers must come from.
    sweep = windows_uv[:, None, :] * np.float32(1.0 / SCALE_UV)
    answers = session.run(list(names), {INPUT: sweep})
    return {name: np.asarray(a, np.float64) for name, a in zip(names, answers, strict=True)}


def renew_extras(path: Path, seed: int) -> str:
    """Give an exported file golden sweeps for its extra outputs; return its new SHA-256.

    Nothing else of it changes: the graph, the weights and the golden answers stay.
    """
    graph = onnx.load(path)
    [golden] = [entry for entry in graph.metadata_props if entry.key == "golden"]
    kept = golden_from_json(golden.value)
    golden.value = golden_to_json(replace(kept, extras=golden_extras(graph, seed)))
    return _written(graph, path)


def export(checkpoint_path: Path, out: Path, precision: str | None = None) -> str:
    """Write the file in ``precision`` (int8 or fp32; None: the network's own); return its SHA-256.

    The file is loaded back and its golden sweeps are checked before the hash is given out.
    """
    model, checkpoint = load_checkpoint(checkpoint_path)
    return write_file(model, checkpoint, out, precision)


def write_file(
    model: CompactNet | MepCnn, checkpoint: dict[str, Any], out: Path, precision: str | None = None
) -> str:
    """:func:`export` of a network in memory; ``checkpoint`` says what it was trained on."""
    name, version, usual = FILES[checkpoint["network"]]
    graph = to_onnx(model)
    if (precision or usual) == "int8":
        graph = quantise(graph, checkpoint["seed"])
    if isinstance(model, CompactNet):
        graph = branch_off(graph, "saliency", NETWORK_SAMPLES)
        onnx.checker.check_model(graph, full_check=True)
    metadata = {
        "name": name,
        "version": version,
        "training_data": (
            f"models.simulator, split training, {checkpoint['sweeps']} sweeps, "
            f"seed {checkpoint['seed']}, {checkpoint['epochs']}"
        ),
        "training_sha256": checkpoint["training_sha256"],
        "scale_uv": repr(SCALE_UV),
        "window_offset_ms": repr(float(model.window_offset_ms)),
        "git_revision": _git_revision(),
        "golden": golden_to_json(golden_sweeps(graph, checkpoint["seed"])),
    }
    for key, value in metadata.items():
        graph.metadata_props.add(key=key, value=value)
    return _written(graph, out)


def _written(graph: onnx.ModelProto, out: Path) -> str:
    encoded = graph.SerializeToString()
    Network.from_bytes(encoded).verify()
    out.write_bytes(encoded)
    return hashlib.sha256(encoded).hexdigest()


def _git_revision() -> str:
    """Commit that the file was exported from; "unknown" where there is none."""
    asked = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.export", description=__doc__)
    parser.add_argument("--network", choices=tuple(STAGES), default="compact")
    parser.add_argument("--checkpoint", type=Path, help="default out/<network>.pt")
    parser.add_argument("--out", type=Path, help="default: its place in models/weights")
    parser.add_argument("--precision", choices=("int8", "fp32"))
    parser.add_argument(
        "--renew-extras",
        action="store_true",
        help="only give the file golden sweeps for its extra outputs; needs no checkpoint",
    )
    parser.add_argument("--seed", type=int, default=2026, help="of --renew-extras' sweeps")
    options = parser.parse_args(arguments)
    checkpoint = options.checkpoint or CHECKPOINTS / f"{options.network}.pt"
    out = options.out or WEIGHTS / f"{FILES[options.network][0]}.onnx"
    if options.renew_extras:
        sha256 = renew_extras(out, options.seed)
    else:
        sha256 = export(checkpoint, out, options.precision)
    print(f"{out}: {out.stat().st_size} bytes")
    print(f'DEPLOYED_SHA256 = "{sha256}"')


if __name__ == "__main__":
    main()
