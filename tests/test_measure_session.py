"""A model run in kept arrays: the same answers as without them, and for two threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from monitor.load_network import WEIGHT_FOLDERS
from monitor.measure.network import EXPLAIN, EXPLANATIONS, EXTRAS, INPUT, OUTPUTS
from monitor.measure.resample import NETWORK_SAMPLES
from monitor.measure.session import MOST_BOUND, Session, UnusableModelError

MODEL = next(path for folder in WEIGHT_FOLDERS for path in folder.glob("mep_cnn.onnx")).read_bytes()
ASKED = (*OUTPUTS, *EXTRAS)
FACTOR = np.float32(0.01)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(MODEL)


def windows(count: int, seed: int = 0) -> np.ndarray:
    shape = (count, NETWORK_SAMPLES)
    return np.random.default_rng(seed).normal(0.0, 40.0, shape).astype(np.float32)


def test_it_says_what_it_takes_gives_and_carries(session: Session) -> None:
    assert session.inputs == (INPUT,)
    assert {*ASKED, *EXPLANATIONS} <= set(session.outputs)
    assert float(session.metadata["scale_uv"]) > 0


def test_answers_in_kept_arrays_are_those_of_the_session(session: Session) -> None:
    """Few windows are answered in arrays that the next call overwrites, many are not."""
    shown = windows(40)
    for count in (1, 3, 1, MOST_BOUND, 3, 40):
        kept = session.run(ASKED, shown[:count], FACTOR)
        session.run(ASKED, shown[::-1][:count], FACTOR)
        plain = session.run_with(ASKED, {INPUT: shown[:count, None] * FACTOR})
        for mine, theirs in zip(kept, plain, strict=True):
            assert mine.dtype == np.float64
            assert mine.shape == theirs.shape
            np.testing.assert_array_equal(mine, theirs)


def test_one_may_ask_for_less_than_another(session: Session) -> None:
    shown = windows(2)
    whole = session.run(ASKED, shown, FACTOR)
    [novelty] = session.run(("novelty",), shown, FACTOR)
    np.testing.assert_array_equal(novelty, whole[ASKED.index("novelty")])


def test_no_window_has_no_answers(session: Session) -> None:
    for answer in session.run(ASKED, windows(0), FACTOR):
        assert answer.shape[0] == 0


def test_any_number_of_windows_may_be_of_any_kind_of_float(session: Session) -> None:
    shown = windows(40)
    for count in (3, 40):
        wide = session.run(ASKED, shown[:count].astype(np.float64), FACTOR)
        plain = session.run(ASKED, shown[:count], FACTOR)
        for mine, theirs in zip(wide, plain, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_the_windows_are_left_as_they_were(session: Session) -> None:
    shown = windows(2)
    before = shown.copy()
    session.run(ASKED, shown, FACTOR)
    np.testing.assert_array_equal(shown, before)


def test_what_is_rarely_asked_comes_with_inputs_of_its_own(session: Session) -> None:
    inputs = {INPUT: windows(2)[:, None] * FACTOR, EXPLAIN: np.array([True])}
    embedding, saliency = session.run_with(EXPLANATIONS, inputs)
    assert embedding.shape == (2, 128)
    assert saliency.shape == (2, NETWORK_SAMPLES)
    assert saliency.any()


def test_two_threads_may_ask_at_once(session: Session) -> None:
    shown = [windows(2, seed) for seed in range(4)]
    alone = [session.run(ASKED, each, FACTOR) for each in shown]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            together = list(pool.map(lambda each: session.run(ASKED, each, FACTOR), shown))
            for one, other in zip(alone, together, strict=True):
                for mine, theirs in zip(one, other, strict=True):
                    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("model", [b"", b"no model", MODEL[: len(MODEL) // 2]])
def test_bytes_that_are_no_model_are_one_line(model: bytes) -> None:
    with pytest.raises(UnusableModelError) as caught:
        Session(model)
    assert str(caught.value)
    assert "\n" not in str(caught.value)
