"""Puts the part of a graph that only explains into a branch that runs on request.

onnxruntime computes every node of a graph, whichever outputs are asked for. An ``If`` on an input
with a default of false costs next to nothing where it is not asked, and keeps one file, one hash.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from monitor.measure.network import EXPLAIN


def branch_off(model: onnx.ModelProto, output: str, width: int) -> onnx.ModelProto:
    """Move what only ``output`` needs into a branch under the input :data:`EXPLAIN`.

    Args:
        model: its graph in topological order; not changed.
        output: name of one of its outputs, (batch, ``width``) float32.
        width: of that output; it is (0, ``width``) where nobody asked.

    Returns:
        A new model whose ``EXPLAIN`` input is a (1,) bool that may be left out.
    """
    done = onnx.ModelProto()
    done.CopyFrom(model)
    graph = done.graph
    others = {value.name for value in graph.output if value.name != output}
    needed = _needed(graph, others)
    alone = [node for node in graph.node if not needed.intersection(node.output)]
    kept = [node for node in graph.node if needed.intersection(node.output)]
    inner = f"{output}_asked"
    for node in alone:
        node.output[:] = [inner if name == output else name for name in node.output]
    asked = helper.make_graph(
        alone, "asked", [], [helper.make_tensor_value_info(inner, TensorProto.FLOAT, None)]
    )
    nothing = f"{output}_not_asked"
    empty = numpy_helper.from_array(np.zeros((0, width), np.float32))
    idle = helper.make_graph(
        [helper.make_node("Constant", [], [nothing], value=empty)],
        "idle",
        [],
        [helper.make_tensor_value_info(nothing, TensorProto.FLOAT, None)],
    )
    choice = helper.make_node(
        "If", [EXPLAIN], [output], name=f"{output}_on_request", then_branch=asked, else_branch=idle
    )
    nodes = [_copy(node) for node in kept] + [choice]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(EXPLAIN, TensorProto.BOOL, [1]))
    graph.initializer.append(numpy_helper.from_array(np.array([False]), EXPLAIN))
    for value in graph.output:
        if value.name == output:
            value.CopyFrom(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", width]))
    inside = {name for node in alone for name in node.output}
    described = [value for value in graph.value_info if value.name not in inside]
    del graph.value_info[:]
    graph.value_info.extend(described)
    return done


def _needed(graph: onnx.GraphProto, outputs: set[str]) -> set[str]:
    """Names of all values that the outputs follow from."""
    needed = set(outputs)
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
    return needed


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    return copied
