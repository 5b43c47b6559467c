"""Explanations: in a thread of their own, one at a time, of the right trial or why not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.engine import explaining as module
from monitor.engine.explaining import Explaining
from monitor.engine.feed import Ask
from monitor.engine.kept import KeptEpochs
from monitor.journal.epochs import EpochsWriter
from monitor.link import ReadExplanation, Reply
from monitor.measure.explain import ExplainedSweeps
from monitor.types import Epoch, Stimulus
from tests.running import wait_until
from tests.scripted_core import CHANNELS, FS_HZ, ScriptedPipeline


class Asking:
    """Asks about trials whose markers are given: ``-`` is a channel that was rejected unseen."""

    def __init__(self, folder: Path, epochs: EpochsWriter, *markers: str) -> None:
        self.pipeline = ScriptedPipeline()
        kept = KeptEpochs(folder, epochs, {})
        for trial, marker in enumerate(markers, 1):
            stimulus = Stimulus(1.0, marker, pulses_ms=(0.0, 3.0))
            samples_uv = np.zeros((len(CHANNELS), 20), np.float32)
            stored = epochs.submit(Epoch(trial, stimulus, 1.0, 0, 4, 0.25, FS_HZ, samples_uv))
            assert stored is not None
            kept.keep(trial, stored, stimulus)
        self.explaining = Explaining(self.pipeline, kept)
        self.replies: list[Reply] = []

    def ask(self, trial: int = 1, channel: str = "", *, embedding: bool = False) -> None:
        wanted = ReadExplanation(trial, channel, embedding)
        self.explaining.take(Ask(len(self.replies), wanted, self.replies.append), wanted)

    def answer(self, trial: int = 1, channel: str = "", *, embedding: bool = False) -> Any:
        """The body, or status and detail."""
        told = len(self.replies)
        self.ask(trial, channel, embedding=embedding)
        wait_until(lambda: len(self.replies) > told, "the explanation")
        reply = self.replies[-1]
        return (
            json.loads(bytes(reply.body)) if reply.status == 200 else (reply.status, reply.detail)
        )


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    with EpochsWriter(tmp_path) as epochs:
        asking = Asking(tmp_path, epochs, "100 200 300", "100 - 300", "- - -")
        with asking.explaining:
            yield asking


def test_every_muscle_is_explained_by_its_own_row(asking: Asking) -> None:
    told = asking.answer(2)
    assert told["trial"] == 2
    assert told["network"] == {"name": "scripted", "version": "1", "sha256": "5c"}
    assert (told["fs_hz"], told["window_start_ms"]) == (FS_HZ, 4.0)
    first, unseen, third = told["channels"]
    assert [c["fault"] for c in told["channels"]] == ["", "nan", ""]
    assert (first["saliency"], third["saliency"]) == ([0.0] * 500, [2.0] * 500)
    # From the first pulse, as every latency of a trial.
    assert (third["onset_ms"], third["onset_sd_ms"]) == (25.0, 0.5)
    assert (third["novelty"], third["novel"], third["embedding"]) == (None, False, None)
    assert {unseen[key] for key in ("saliency", "onset_ms", "response_probability")} == {None}


def test_one_channel_and_its_embedding(asking: Asking) -> None:
    [told] = asking.answer(2, "L-TA", embedding=True)["channels"]
    assert (told["channel"], len(told["embedding"])) == ("L-TA", 128)


@pytest.mark.parametrize(
    ("trial", "channel", "says"),
    [
        (9, "", "no waveform for trial 9"),
        (1, "none", "no channel none"),
        (2, "R-APB", "trial 2 was rejected, unseen: R-APB nan"),
        (3, "", "trial 3 was rejected, unseen: L-APB nan, R-APB nan, L-TA nan"),
    ],
)
def test_what_there_is_not_is_said(asking: Asking, trial: int, channel: str, says: str) -> None:
    assert asking.answer(trial, channel) == (404, says)


def test_a_network_that_can_t_explain_says_so(asking: Asking) -> None:
    asking.pipeline.measurer.explains = False
    assert asking.answer() == (404, "this case has no network that explains itself")


def test_more_than_can_wait_are_refused_and_the_asker_never_waits(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = threading.Event()
    asked: list[int] = []

    def slow(epoch: Epoch) -> ExplainedSweeps | None:
        asked.append(epoch.trial)
        going_on.wait(60.0)
        return None

    monkeypatch.setattr(asking.pipeline.measurer, "explain", slow)
    monkeypatch.setattr(module, "WAITING", 2)
    asking.ask()
    wait_until(lambda: asked == [1], "the first to be begun")
    for _ in range(3):
        asking.ask()
    assert [(r.status, r.detail) for r in asking.replies] == [
        (503, "too many explanations are asked for at once")
    ]
    assert (asking.explaining.refused, asking.explaining.waiting) == (1, 2)
    assert asked == [1]
    going_on.set()
    wait_until(lambda: len(asking.replies) == 4, "the others")


def test_the_disk_is_waited_for_but_not_for_ever(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def third_time(self: EpochsWriter, stored: object) -> bool:
        looks.append(1)
        return len(looks) > 2

    monkeypatch.setattr(EpochsWriter, "is_stored", third_time)
    assert asking.answer()["trial"] == 1
    monkeypatch.setattr(EpochsWriter, "is_stored", lambda self, stored: False)
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    status, detail = asking.answer()
    assert (status, "ask again" in detail) == (503, True)


def test_after_its_end_nothing_is_promised(asking: Asking) -> None:
    asking.explaining.__exit__(None, None, None)
    asking.ask()
    assert [r.status for r in asking.replies] == [503]
