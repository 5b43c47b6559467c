"""The explaining branch: same answers, and computed only when asked for."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

onnx = pytest.importorskip("onnx", reason="the train extra (onnx) is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from models.explaining import branch_off  # noqa: E402
from monitor.measure.network import EXPLAIN  # noqa: E402


def model():
    """``y = relu(x)``, ``saliency = (y + 1) * 2``."""
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Add", ["y", "one"], ["more"]),
        helper.make_node("Mul", ["more", "two"], ["saliency"]),
    ]
    constants = [numpy_helper.from_array(np.float32(v), n) for v, n in ((1.0, "one"), (2.0, "two"))]
    shape = ["n", 3]
    values = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"}
    values["s"] = helper.make_tensor_value_info("saliency", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [values["x"]], [values["y"], values["s"]], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def session(proto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def test_nobody_asks_and_nothing_comes() -> None:
    plain = model()
    before = plain.SerializeToString()
    made = branch_off(plain, "saliency", 3)
    assert plain.SerializeToString() == before
    onnx.checker.check_model(made, full_check=True)
    run = session(made)
    assert [node.name for node in run.get_inputs()] == ["x"]
    x = np.array([[-1.0, 2.0, 3.0]], np.float32)
    y, saliency = run.run(["y", "saliency"], {"x": x})
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    assert saliency.shape == (0, 3)


def test_on_request_it_is_what_the_graph_computed() -> None:
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    expected = session(model()).run(["saliency"], {"x": x})[0]
    got = session(branch_off(model(), "saliency", 3)).run(
        ["saliency"], {"x": x, EXPLAIN: np.array([True])}
    )[0]
    np.testing.assert_array_equal(got, expected)


def test_what_only_explains_leaves_the_main_graph() -> None:
    made = branch_off(model(), "saliency", 3)
    assert [node.op_type for node in made.graph.node] == ["Relu", "If"]
