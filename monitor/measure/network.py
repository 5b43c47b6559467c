"""The network that measures along: one batch a trial, muscles in channel order. PURE.

The model comes in as bytes (:mod:`monitor.load_network` reads the file);
:mod:`monitor.measure.session` runs it. The file carries what it needs to be used rightly: its
scale, where its window starts, and a few *golden* sweeps with the answers that they gave where it
was exported. A processor or a runtime that answers them otherwise is found before a case starts.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from monitor.measure.resample import NETWORK_SAMPLES
from monitor.measure.session import Session, UnusableModelError
from monitor.types import Float32Array, FloatArray, MonitorError, Morphology

INPUT = "sweep"
OUTPUTS = ("amplitude_uv", "onset_ms", "duration_ms", "artefact", "response")
#: What a file may give beside them: uncertainties, artefacts by type, shape, novelty.
EXTRAS = (
    "onset_sd_ms",
    "amplitude_log_sd",
    "artefact_types",
    "severity",
    "morphology",
    "novelty",
)
#: What it may give on request: input and outputs of the explaining part of the graph.
EXPLAIN = "explain"
EXPLANATIONS = ("embedding", "saliency")
#: Columns of ``artefact_types`` (the simulator's order) and of ``morphology``.
ARTEFACT_TYPES = (
    "stimulus",
    "mains",
    "background_emg",
    "electrocautery",
    "electrode",
    "clipping",
    "heart",
)
MORPHOLOGIES = (Morphology.MONOPHASIC, Morphology.BIPHASIC, Morphology.POLYPHASIC)
#: A window whose ``novelty`` is above this is unlike what the network was trained on: 1 is the
#: 99.5th percentile of the simulator's validation split, of which two in a thousand are above 1.1.
NOVEL = 1.1
#: How far a golden answer may be off. Between processors a value may fall to the other side of a
#: rounding step of the eight-bit part; a saturating kernel or a mixed-up output is off by more.
AMPLITUDE_TOLERANCE = 0.02
LATENCY_TOLERANCE_MS = 0.25
PROBABILITY_TOLERANCE = 0.02
#: Of the extras: a share of the answer and so much more, in each one's own unit.
EXTRA_SHARE, EXTRA_FLOOR = 0.1, 0.05


class ModelFault(MonitorError):
    """The network's file can't be used, or it answers its own golden sweeps wrongly."""


class NetworkOutput(Struct, frozen=True, eq=False):
    """Answers for k windows, each (k,) float64.

    ``onset_from_last_ms`` counts from the last pulse; ``amplitude_uv`` is peak to peak. Amplitude,
    onset and duration mean something only where there is a response.

    The rest is None where the file does not give it. ``onset_sd_ms`` and ``amplitude_log_sd`` (of
    the natural logarithm) are one standard deviation, calibrated on the validation split.
    ``artefact_types`` (k, 7) are probabilities in the order of :data:`ARTEFACT_TYPES`;
    ``severity`` is the artefact's size over that of what is to be measured; ``morphology`` (k, 3)
    are probabilities in the order of :data:`MORPHOLOGIES`; ``novelty`` above :data:`NOVEL` marks a
    window unlike all that the network was trained on: what it says of it is uncertain.
    """

    amplitude_uv: FloatArray
    onset_from_last_ms: FloatArray
    duration_ms: FloatArray
    artefact_probability: FloatArray
    response_probability: FloatArray
    onset_sd_ms: FloatArray | None = None
    amplitude_log_sd: FloatArray | None = None
    artefact_types: FloatArray | None = None
    severity: FloatArray | None = None
    morphology: FloatArray | None = None
    novelty: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """On request, for k windows: ``embedding`` (k, 128) and ``saliency`` (k, 500), both >= 0.

    Saliency is Grad-CAM of the answer "response", step by step: what of the window speaks for it.
    """

    embedding: Float32Array
    saliency: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class GoldenExtras:
    """Windows (h, 500) in uV and what each extra output, by its name, said of them: (h,) or (h, m).

    They are others than those of the answers: an artefact's type shows in a sweep with an artefact,
    whose onset may be anywhere.
    """

    windows_uv: Float32Array
    said: dict[str, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """Windows (g, 500) in uV and the answers to them, (g, 5) in the order of :data:`OUTPUTS`.

    ``extras`` is None in a file from before they were checked, or one that gives none.
    """

    windows_uv: Float32Array
    answers: FloatArray
    extras: GoldenExtras | None = None


class Network:
    """A network ready to run. Build it with :meth:`from_bytes`.

    Attributes:
        name: the model's name, version: its version.
        sha256: of the file, in hex.
        scale_uv: what microvolts are divided by before the network.
        window_offset_ms: where the window of 500 samples starts, from the last pulse.
        golden: sweeps with known answers.
    """

    __slots__ = (
        "_asked",
        "_explains",
        "_factor",
        "_session",
        "golden",
        "name",
        "scale_uv",
        "sha256",
        "version",
        "window_offset_ms",
    )

    def __init__(
        self,
        session: Session,
        *,
        name: str,
        version: str,
        sha256: str,
        scale_uv: float,
        window_offset_ms: float,
        golden: Golden,
    ) -> None:
        self._session = session
        self._asked = (*OUTPUTS, *(extra for extra in EXTRAS if extra in session.outputs))
        self._explains = set(session.outputs).issuperset(EXPLANATIONS)
        self.name = name
        self.version = version
        self.sha256 = sha256
        self.scale_uv = scale_uv
        self._factor = np.float32(1.0 / scale_uv)
        self.window_offset_ms = window_offset_ms
        self.golden = golden

    @classmethod
    def from_bytes(cls, model: bytes) -> Network:
        """Build a network from the contents of its file.

        Raises:
            ModelFault: not an ONNX model, other inputs or outputs than the contract's, or metadata
                that is missing or can't be read.
        """
        sha256 = hashlib.sha256(model).hexdigest()
        try:
            session = Session(model)
            if session.inputs != (INPUT,) or set(OUTPUTS) - set(session.outputs):
                raise ModelFault(
                    f"network {sha256[:12]}: takes {', '.join(session.inputs)} and gives "
                    f"{', '.join(session.outputs)}, expected {INPUT} and {', '.join(OUTPUTS)}"
                )
            metadata = session.metadata
            return cls(
                session,
                name=metadata["name"],
                version=metadata["version"],
                sha256=sha256,
                scale_uv=float(metadata["scale_uv"]),
                window_offset_ms=float(metadata["window_offset_ms"]),
                golden=golden_from_json(metadata["golden"]),
            )
        except UnusableModelError as error:
            raise ModelFault(f"network {sha256[:12]}: not a usable ONNX model: {error}") from None
        except KeyError as error:
            raise ModelFault(f"network {sha256[:12]}: metadata {error} is missing") from None
        except ValueError as error:
            # Bytes that are no text raise UnicodeDecodeError, a ValueError.
            raise ModelFault(f"network {sha256[:12]}: metadata can't be read: {error}") from None

    def __call__(self, windows_uv: Float32Array) -> NetworkOutput:
        """Answer k windows at once.

        Args:
            windows_uv: (k, 500) float32 in uV, as ``resample.network_window`` gives them.

        Raises:
            ValueError: another shape.
        """
        _check_shape(windows_uv)
        values = self._session.run(self._asked, windows_uv, self._factor)
        plain = len(OUTPUTS)
        extras = dict(zip(self._asked[plain:], values[plain:], strict=True))
        return NetworkOutput(*(value.reshape(-1) for value in values[:plain]), **extras)

    def explain(self, windows_uv: Float32Array) -> Explanation | None:
        """Say what of k windows speaks for a response; None where the file can't.

        Not on the way of a trial: it is computed only when asked for.

        Raises:
            ValueError: another shape than (k, 500).
        """
        _check_shape(windows_uv)
        if not self._explains:
            return None
        sweep = windows_uv[:, None, :].astype(np.float32, copy=False) * self._factor
        asked = {INPUT: sweep, EXPLAIN: np.array([True])}
        return Explanation(*self._session.run_with(EXPLANATIONS, asked))

    def verify(self) -> None:
        """Answer the golden sweeps and compare. Call it once, before a case starts.

        Raises:
            ModelFault: an answer lies outside the tolerance.
        """
        got = self(self.golden.windows_uv)
        table = np.stack(
            [
                got.amplitude_uv,
                got.onset_from_last_ms,
                got.duration_ms,
                got.artefact_probability,
                got.response_probability,
            ],
            axis=1,
        )
        expected = self.golden.answers
        allowed = np.empty_like(expected)
        allowed[:, 0] = AMPLITUDE_TOLERANCE * np.maximum(expected[:, 0], 1.0)
        allowed[:, 1:3] = LATENCY_TOLERANCE_MS
        allowed[:, 3:] = PROBABILITY_TOLERANCE
        # Written so that a NaN counts as wrong.
        wrong = np.argwhere(~(np.abs(table - expected) <= allowed))
        if wrong.size:
            row, column = wrong[0]
            raise ModelFault(
                f"network {self.name} {self.version} {self.sha256[:12]}: golden sweep {row} gives "
                f"{OUTPUTS[column]} {table[row, column]:.6g}, not {expected[row, column]:.6g}"
            )
        if self.golden.extras is not None:
            self._verify_extras(self.golden.extras)

    def _verify_extras(self, extras: GoldenExtras) -> None:
        got = self(extras.windows_uv)
        for name, expected in extras.said.items():
            answer = getattr(got, name)
            if answer is None or answer.shape != expected.shape:
                raise ModelFault(f"network {self.sha256[:12]}: golden {name} fits no output")
            allowed = EXTRA_SHARE * np.abs(expected) + EXTRA_FLOOR
            wrong = np.argwhere(~(np.abs(answer - expected) <= allowed))
            if wrong.size:
                at = tuple(wrong[0])
                raise ModelFault(
                    f"network {self.name} {self.version} {self.sha256[:12]}: golden sweep {at[0]} "
                    f"of the extras gives {name} {answer[at]:.6g}, not {expected[at]:.6g}"
                )


def _check_shape(windows_uv: Float32Array) -> None:
    if windows_uv.ndim != 2 or windows_uv.shape[1] != NETWORK_SAMPLES:
        raise ValueError(f"expected (k, {NETWORK_SAMPLES}) windows, got {windows_uv.shape}")


def is_novel(novelty: float | None) -> bool:
    """Whether a window is unlike all that the network was trained on; None: it does not say."""
    return novelty is not None and novelty > NOVEL


def golden_to_json(golden: Golden) -> str:
    """Write golden sweeps as text: base64 of little-endian float32, answers as numbers."""
    text: dict[str, object] = {
        "windows_uv": _packed(golden.windows_uv),
        "answers": golden.answers.tolist(),
    }
    if golden.extras is not None:
        said = {name: values.tolist() for name, values in golden.extras.said.items()}
        text["extras"] = {"windows_uv": _packed(golden.extras.windows_uv), "said": said}
    return json.dumps(text)


def golden_from_json(text: str) -> Golden:
    """Read what :func:`golden_to_json` wrote.

    Raises:
        ValueError: not that.
    """
    decoded = json.loads(text)
    if not isinstance(decoded, dict) or not {"windows_uv", "answers"} <= decoded.keys():
        raise ValueError("golden sweeps need windows_uv and answers")
    windows_uv = _unpacked(decoded["windows_uv"])
    answers = np.asarray(decoded["answers"], dtype=np.float64)
    if windows_uv.shape[0] == 0 or answers.shape != (windows_uv.shape[0], len(OUTPUTS)):
        raise ValueError(f"{windows_uv.shape[0]} golden sweeps with answers {answers.shape}")
    extras = decoded.get("extras")
    return Golden(windows_uv, answers, None if extras is None else _extras(extras))


def _extras(decoded: object) -> GoldenExtras:
    if not isinstance(decoded, dict) or not isinstance(decoded.get("said"), dict):
        raise ValueError("golden extras need windows_uv and said")
    windows_uv = _unpacked(decoded.get("windows_uv"))
    said = {name: np.asarray(given, np.float64) for name, given in decoded["said"].items()}
    for name, values in said.items():
        if name not in EXTRAS or values.shape[:1] != windows_uv.shape[:1]:
            raise ValueError(f"{len(windows_uv)} golden extras with {name} {values.shape}")
    return GoldenExtras(windows_uv, said)


def _packed(windows_uv: Float32Array) -> str:
    return base64.b64encode(windows_uv.astype("<f4").tobytes()).decode("ascii")


def _unpacked(text: object) -> Float32Array:
    if not isinstance(text, str):
        raise ValueError("golden sweeps are text")
    raw = base64.b64decode(text, validate=True)
    return np.frombuffer(raw, "<f4").astype(np.float32).reshape(-1, NETWORK_SAMPLES)
