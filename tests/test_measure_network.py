"""The network as the measuring chain sees it: answers, contract, and faults found before a case."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from monitor.load_network import WEIGHT_FOLDERS
from monitor.measure.clean import clean_sweeps
from monitor.measure.network import (
    ARTEFACT_TYPES,
    EXTRAS,
    OUTPUTS,
    Golden,
    GoldenExtras,
    ModelFault,
    Network,
    golden_from_json,
    golden_to_json,
)
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import NETWORK_FS_HZ, NETWORK_SAMPLES, network_window
from monitor.types import MonitorError

MODEL = next(path for folder in WEIGHT_FOLDERS for path in folder.glob("mep_cnn.onnx")).read_bytes()
GOLDEN = {"windows_uv": base64.b64encode(bytes(2000)).decode(), "answers": [[0.0] * 5]}


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.from_bytes(MODEL)


def window(
    network: Network, onset_ms: float = 25.0, amplitude_uv: float = 800.0, seed: int = 0
) -> np.ndarray:
    """A biphasic response in noise of 5 uV, onset from the last pulse, as (500,) float32."""
    t_ms = network.window_offset_ms + np.arange(NETWORK_SAMPLES) * 1e3 / NETWORK_FS_HZ - onset_ms
    z = np.clip(t_ms / 1.2, 0, None)
    wave = (3 * z**2 - z**3) * np.exp(-z)
    noise = np.random.default_rng(seed).normal(0, 5, NETWORK_SAMPLES)
    return (amplitude_uv * wave / np.ptp(wave) + noise).astype(np.float32)


def answers(network: Network, windows_uv: np.ndarray) -> np.ndarray:
    out = network(windows_uv)
    columns = [getattr(out, name) for name in out.__struct_fields__]
    given = [column for column in columns if column is not None]
    return np.concatenate([column.reshape(len(windows_uv), -1) for column in given], axis=1)


def test_tells_a_response_from_noise_and_says_where_and_how_large(network: Network) -> None:
    out = network(np.stack([window(network), window(network, amplitude_uv=0.0)]))
    assert out.response_probability[0] > 0.8
    assert out.response_probability[1] < 0.5
    assert out.onset_from_last_ms[0] == pytest.approx(25, abs=2.0)
    assert out.amplitude_uv[0] == pytest.approx(800, rel=0.2)
    assert 5 < out.duration_ms[0] < 25


@pytest.mark.parametrize("onset_ms", [10.0, 20.0, 30.0, 45.0])
def test_onset_follows_the_response(network: Network, onset_ms: float) -> None:
    assert network(window(network, onset_ms)[None]).onset_from_last_ms[0] == pytest.approx(
        onset_ms, abs=2.5
    )


def test_ten_times_the_signal_is_ten_times_the_amplitude_and_nothing_else(
    network: Network,
) -> None:
    small = window(network)[None]
    one, ten = answers(network, small), answers(network, 10 * small)
    assert ten[0, 0] == pytest.approx(10 * one[0, 0], rel=1e-3)
    # Onset and duration, in ms: a rounding step of eight bits may fall the other way.
    np.testing.assert_allclose(ten[0, 1:3], one[0, 1:3], atol=0.1)
    np.testing.assert_allclose(ten[0, 3:], one[0, 3:], atol=1e-2)


def test_real_hand_muscles_are_answered_as_their_readers_would(
    network: Network, shared_data: Path
) -> None:
    """Continuous TMS recording with 120 uV of 60 Hz hum: RECR near 21 ms, RFDI near 28 ms."""
    folder = shared_data / "tms-brainvision"
    scale_uv = np.array([0.5, 0.5, 0.1, 0.1])
    samples_uv = np.fromfile(folder / "tms-hand.eeg", "<i2").reshape(-1, 4) * scale_uv
    markers = (folder / "tms-hand.vmrk").read_text(encoding="latin-1").splitlines()
    at = [int(line.split(",")[2]) - 1 for line in markers if "S255" in line]
    plan = plan_sweeps(5000.0, 1250, 500)
    start = 500 + network.window_offset_ms * 5
    for column, low_ms, high_ms in ((2, 18.0, 23.0), (3, 26.0, 30.0)):
        sweeps = np.stack([samples_uv[i - 500 : i + 750, column] for i in at])
        out = network(network_window(clean_sweeps(sweeps, plan), 5000.0, start))
        assert (out.response_probability > 0.5).all()
        assert np.mean(out.response_probability > 0.9) >= 0.9
        assert low_ms < np.median(out.onset_from_last_ms) < high_ms


def test_a_batch_answers_like_its_sweeps_alone_and_always_the_same(network: Network) -> None:
    windows = np.stack([window(network, 12.0 + 2 * k, 50.0 * k, seed=k) for k in range(16)])
    together = answers(network, windows)
    assert np.array_equal(together, answers(network, windows))
    alone = np.concatenate([answers(network, w[None]) for w in windows])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


def test_it_is_less_sure_of_what_drowns_in_noise(network: Network) -> None:
    clear, small = (network(window(network, amplitude_uv=uv)[None]) for uv in (800.0, 25.0))
    assert clear.onset_sd_ms is not None
    assert small.onset_sd_ms is not None
    assert clear.onset_sd_ms[0] < 0.5 * small.onset_sd_ms[0]
    assert clear.amplitude_log_sd is not None
    assert small.amplitude_log_sd is not None
    assert clear.amplitude_log_sd[0] < 0.5 * small.amplitude_log_sd[0]


def test_an_artefact_is_named_and_sized(network: Network) -> None:
    quiet = window(network)
    after_ms = np.arange(NETWORK_SAMPLES) / 5.0
    tail = 400.0 * np.exp(-after_ms / 5.0).astype(np.float32)
    out = network(np.stack([quiet, quiet + tail]))
    assert out.artefact_types is not None
    assert out.artefact_types.shape == (2, len(ARTEFACT_TYPES))
    column = ARTEFACT_TYPES.index("stimulus")
    assert out.artefact_types[0, column] < 0.5 < out.artefact_types[1, column]
    assert out.severity is not None
    assert out.severity[0] < out.severity[1]
    assert out.morphology is not None
    np.testing.assert_allclose(out.morphology.sum(axis=1), 1.0, atol=1e-5)


def test_saliency_lies_on_the_response_and_comes_only_when_asked_for(network: Network) -> None:
    windows = np.stack([window(network, onset_ms) for onset_ms in (15.0, 40.0)])
    told = network.explain(windows)
    assert told is not None
    assert told.embedding.shape == (2, 128)
    assert told.saliency.shape == (2, NETWORK_SAMPLES)
    assert (told.saliency >= 0).all()
    for row, onset_ms in enumerate((15.0, 40.0)):
        at_ms = network.window_offset_ms + told.saliency[row].argmax() / 5.0
        assert abs(at_ms - onset_ms - 5.0) < 12.0
    before = answers(network, windows)
    assert np.array_equal(before, answers(network, windows))


def test_a_file_with_the_contract_alone_serves_too() -> None:
    """The paper's network states no uncertainty and explains nothing."""
    files = [path for folder in WEIGHT_FOLDERS for path in folder.glob("paper_cnn.onnx")]
    network = Network.from_bytes(files[0].read_bytes())
    network.verify()
    out = network(window(network)[None])
    assert out.onset_from_last_ms.shape == (1,)
    assert out.onset_sd_ms is None
    assert out.novelty is None
    assert network.explain(window(network)[None]) is None


def test_the_input_is_left_as_it_was(network: Network) -> None:
    windows = window(network)[None]
    before = windows.copy()
    network(windows)
    assert np.array_equal(windows, before)


def test_a_flat_line_and_no_muscle_at_all_have_answers(network: Network) -> None:
    flat = answers(network, np.zeros((1, NETWORK_SAMPLES), np.float32))
    assert np.isfinite(flat).all()
    assert flat[0, 0] < 1.0
    assert network(np.empty((0, NETWORK_SAMPLES), np.float32)).onset_from_last_ms.shape == (0,)


@pytest.mark.parametrize("shape", [(500,), (2, 499), (1, 1, 500)])
def test_another_shape_is_refused(network: Network, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="windows"):
        network(np.zeros(shape, np.float32))


def test_its_golden_sweeps_are_answered_rightly(network: Network) -> None:
    network.verify()


@pytest.mark.parametrize(
    ("column", "off"), [(0, 20.0), (1, 0.5), (2, -0.5), (3, 0.05), (4, -0.05), (1, np.nan)]
)
def test_a_wrong_golden_answer_is_a_fault_that_names_it(column: int, off: float) -> None:
    network = Network.from_bytes(MODEL)
    expected = network.golden.answers.copy()
    expected[2, column] += off
    network.golden = Golden(network.golden.windows_uv, expected)
    with pytest.raises(ModelFault, match=f"golden sweep 2 gives {OUTPUTS[column]}") as caught:
        network.verify()
    assert isinstance(caught.value, MonitorError)
    assert "\n" not in str(caught.value)


def damaged(output: str, factor: float) -> bytes:
    """The deployed file with one output multiplied by a factor."""
    onnx = pytest.importorskip("onnx", reason="the train extra (onnx) is not installed")
    file = onnx.load_from_string(MODEL)
    for node in file.graph.node:
        node.output[:] = [f"{name}_right" if name == output else name for name in node.output]
    by = onnx.numpy_helper.from_array(np.float32(factor), "factor")
    file.graph.initializer.append(by)
    file.graph.node.append(onnx.helper.make_node("Mul", [f"{output}_right", "factor"], [output]))
    return bytes(file.SerializeToString())


@pytest.mark.parametrize("output", EXTRAS)
@pytest.mark.parametrize("factor", [0.01, 0.5])
def test_an_output_that_is_off_by_a_factor_is_a_fault(output: str, factor: float) -> None:
    network = Network.from_bytes(damaged(output, factor))
    with pytest.raises(ModelFault, match=f"of the extras gives {output}"):
        network.verify()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"novelty": np.full(1, np.nan)}, "gives novelty"),
        ({"morphology": np.zeros((1, 2))}, "fits no output"),
    ],
)
def test_a_wrong_golden_extra_is_a_fault(said: dict[str, np.ndarray], why: str) -> None:
    network = Network.from_bytes(MODEL)
    extras = GoldenExtras(window(network)[None], said)
    network.golden = Golden(network.golden.windows_uv, network.golden.answers, extras)
    with pytest.raises(ModelFault, match=why):
        network.verify()


def test_a_file_from_before_the_extras_were_checked_still_loads() -> None:
    text = json.loads(golden_to_json(Network.from_bytes(MODEL).golden))
    del text["extras"]
    assert golden_from_json(json.dumps(text)).extras is None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"", "not a usable ONNX model"),
        (b"no model", "not a usable ONNX model"),
        (MODEL[: len(MODEL) // 2], "not a usable ONNX model"),
        (MODEL.replace(b"duration_ms", b"duration_us"), "expected sweep and amplitude_uv"),
        (MODEL.replace(b"scale_uv", b"scale_uw"), "'scale_uv' is missing"),
        (MODEL.replace(b'"answers"', b'"anzwers"'), "can't be read: golden sweeps need"),
        (MODEL.replace(b'"said"', b'"sead"'), "can't be read: golden extras need"),
        (MODEL.replace(b"no real recording", b"no real \xff\xfeecordin"), "can't be read"),
    ],
    ids=["empty", "not onnx", "cut", "outputs", "metadata", "golden", "extras", "no text"],
)
def test_an_unusable_file_is_one_clear_line(model: bytes, message: str) -> None:
    with pytest.raises(ModelFault, match=message) as caught:
        Network.from_bytes(model)
    assert "\n" not in str(caught.value)


def test_golden_sweeps_survive_writing_and_reading() -> None:
    rng = np.random.default_rng(5)
    golden = Golden(rng.normal(0, 9, (3, 500)).astype(np.float32), rng.normal(0, 9, (3, 5)))
    back = golden_from_json(golden_to_json(golden))
    assert np.array_equal(back.windows_uv, golden.windows_uv)
    assert np.array_equal(back.answers, golden.answers)
    assert back.extras is None
    said = {"novelty": rng.normal(0, 1, 3), "morphology": rng.normal(0, 1, (3, 3))}
    extras = GoldenExtras(golden.windows_uv, said)
    kept = golden_from_json(
        golden_to_json(Golden(golden.windows_uv, golden.answers, extras))
    ).extras
    assert kept is not None
    assert np.array_equal(kept.windows_uv, golden.windows_uv)
    assert kept.said.keys() == said.keys()
    assert all(np.array_equal(kept.said[name], said[name]) for name in said)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"windows_uv": "!", "answers": []}',
        '{"windows_uv": "", "answers": []}',
        json.dumps({"windows_uv": "AAAA", "answers": [[0] * 5]}),
        json.dumps(GOLDEN | {"extras": []}),
        json.dumps(GOLDEN | {"extras": {"windows_uv": 3, "said": {}}}),
        json.dumps(GOLDEN | {"extras": {"windows_uv": "", "said": {"novelty": [1.0]}}}),
        json.dumps(GOLDEN | {"extras": {"windows_uv": "", "said": {"weather": []}}}),
    ],
)
def test_golden_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (json, base64 and numpy each have their own)
        golden_from_json(text)
