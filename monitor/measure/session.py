"""How onnxruntime runs a model: on one core, in one thread, in arrays that are made once. PURE.

What the model takes and what its answers mean is :mod:`monitor.measure.network`'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from monitor.types import Float32Array, FloatArray

AnyArray = np.ndarray[Any, Any]

#: Up to so many windows at once are answered in arrays kept for that number of them.
MOST_BOUND = 32

#: What onnxruntime raises for bytes that are no model, or one that it can't run; they share no base
#: but Exception.
_REFUSALS = (
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
)


class UnusableModelError(ValueError):
    """Bytes that onnxruntime does not take for a model, or a model that it can't run."""


class Session:
    """A model ready to run, in one thread, so that the same windows give the same answers.

    Attributes:
        inputs, outputs: their names, in the file's order.
        metadata: what else the file says.
    """

    __slots__ = ("_bound", "_rest", "_session", "inputs", "metadata", "outputs")

    def __init__(self, model: bytes) -> None:
        """Take a model from the contents of its file.

        Raises:
            UnusableModelError: onnxruntime can't run it; one line.
            UnicodeDecodeError: its metadata are no text.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        # Errors alone: that the input "explain" has a default is no news.
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except _REFUSALS as error:
            raise UnusableModelError(str(error).strip().splitlines()[0]) from None
        self._session = session
        self._bound: dict[tuple[int, tuple[str, ...]], _Bound] = {}
        # The first dimension of every answer counts the windows.
        self._rest = {node.name: tuple(node.shape[1:]) for node in session.get_outputs()}
        self.inputs = tuple(node.name for node in session.get_inputs())
        self.outputs = tuple(self._rest)
        self.metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map

    def run(
        self, asked: tuple[str, ...], windows: Float32Array, factor: np.float32
    ) -> list[FloatArray]:
        """Answers to the first input: windows (k, n) times ``factor``, shown as (k, 1, n).

        Returns:
            One array (k, ...) float64 for each output ``asked`` for.
        """
        if not 0 < len(windows) <= MOST_BOUND:
            return self._run_unbound(asked, windows, factor)
        # Taken out while in use: another thread that asks meanwhile finds none, and makes its own.
        key = (len(windows), asked)
        bound = self._bound.pop(key, None)
        if bound is None:
            shapes = [(len(windows), *self._rest[name]) for name in asked]
            bound = _Bound(self._session, self.inputs[0], windows.shape, asked, shapes)
        answers = bound.run(windows, factor)
        self._bound[key] = bound
        return answers

    def run_with(self, asked: Sequence[str], inputs: dict[str, AnyArray]) -> list[Float32Array]:
        """The outputs ``asked`` for, as they come, from inputs by name: what is rarely asked."""
        return [np.asarray(answer) for answer in self._session.run(list(asked), inputs)]

    def _run_unbound(
        self, asked: tuple[str, ...], windows: Float32Array, factor: np.float32
    ) -> list[FloatArray]:
        count = len(windows)
        # A product of no rows is an error to onnxruntime: answer a flat line and keep none.
        shown = windows if count else np.zeros((1, *windows.shape[1:]), np.float32)
        scaled = (shown[:, None, :] * factor).astype(np.float32, copy=False)
        answers = self._session.run(list(asked), {self.inputs[0]: scaled})
        return [np.asarray(answer[:count], np.float64) for answer in answers]


class _Bound:
    """Arrays for so many windows, bound to the session once: no call looks names up or allocates.

    That is a seventh of the time of a single window. The answers lie in one array, one after the
    other, so that one call makes numbers of double precision of them all.
    """

    __slots__ = ("_answers", "_binding", "_held", "_places", "_session", "_shown")

    def __init__(
        self,
        session: ort.InferenceSession,
        name: str,
        shape: tuple[int, int],
        asked: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
    ) -> None:
        self._session = session
        self._shown = np.zeros((shape[0], 1, shape[1]), np.float32)
        stops = list(accumulate(prod(each) for each in shapes))
        places = [slice(stop - prod(each), stop) for stop, each in zip(stops, shapes, strict=True)]
        self._places = list(zip(places, shapes, strict=True))
        self._answers = np.zeros(stops[-1], np.float32)
        parts = [self._answers[place].reshape(each) for place, each in self._places]
        self._held = [ort.OrtValue.ortvalue_from_numpy(x) for x in (self._shown, *parts)]
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(name, self._held[0])
        for answer, value in zip(asked, self._held[1:], strict=True):
            self._binding.bind_ortvalue_output(answer, value)

    def run(self, windows: Float32Array, factor: np.float32) -> list[FloatArray]:
        """The answers asked for, each in an array of its own."""
        np.multiply(windows, factor, out=self._shown[:, 0])
        self._session.run_with_iobinding(self._binding)
        answers = self._answers.astype(np.float64)
        return [
            answers[place] if len(shape) == 1 else answers[place].reshape(shape)
            for place, shape in self._places
        ]
