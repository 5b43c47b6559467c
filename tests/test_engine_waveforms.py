"""Waveforms that are asked for again: one a turn, never waiting, never the wrong samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from monitor.engine import waveforms as module
from monitor.engine.feed import Ask
from monitor.engine.kept import KeptEpochs
from monitor.engine.waveforms import Waveforms
from monitor.journal.epochs import EPOCHS_NAME, EpochsWriter
from monitor.link import ReadWaveform, Reply
from monitor.types import Epoch, Stimulus
from tests.running import wait_until
from tests.scripted_core import CHANNELS, FS_HZ, ScriptedPipeline

STIMULUS = Stimulus(1.0, "100 200 300")


class Asking:
    """Asks for waveforms of trial 5, whose samples are all 5 uV."""

    def __init__(self, folder: Path, epochs: EpochsWriter) -> None:
        kept = KeptEpochs(folder, epochs, {})
        self.waveforms = Waveforms(ScriptedPipeline(), kept)
        samples_uv = np.full((len(CHANNELS), 20), 5, np.float32)
        stored = epochs.submit(Epoch(5, STIMULUS, 1.0, 0, 4, 0.25, FS_HZ, samples_uv))
        assert stored is not None
        wait_until(lambda: epochs.is_stored(stored), "the epoch")
        kept.keep(5, stored, STIMULUS)
        self.replies: list[Reply] = []

    def ask(self, trial: int = 5, *, raw: bool = False, number: int = 1) -> None:
        wanted = ReadWaveform(trial, raw)
        self.waveforms.take(Ask(number, wanted, self.replies.append), wanted)


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    with EpochsWriter(tmp_path) as epochs:
        yield Asking(tmp_path, epochs)


@pytest.mark.parametrize(("raw", "value"), [(True, 5.0), (False, 6.0)])
def test_raw_or_measured_again(asking: Asking, raw: bool, value: float) -> None:
    asking.ask(raw=raw)
    asking.waveforms.answer_one()
    body = json.loads(bytes(asking.replies[0].body))
    assert body["stimulus_index"] == 4
    assert body["channels"] == [c.name for c in CHANNELS]
    assert body["samples_uv"] == [[value] * 20] * 3


def test_one_a_turn_in_their_order(asking: Asking) -> None:
    for number in (1, 2, 3):
        asking.ask(number=number)
    assert asking.replies == []
    asking.waveforms.answer_one()
    assert [reply.id for reply in asking.replies] == [1]
    for _ in range(3):
        asking.waveforms.answer_one()
    assert [reply.id for reply in asking.replies] == [1, 2, 3]


def test_more_than_can_wait_are_refused_at_once(asking: Asking, monkeypatch) -> None:
    monkeypatch.setattr(module, "WAITING", 2)
    for number in (1, 2, 3):
        asking.ask(number=number)
    assert [(reply.id, reply.status) for reply in asking.replies] == [(3, 503)]
    assert asking.waveforms.refused == 1


def test_one_that_is_not_on_the_disk_yet_is_not_waited_for(asking: Asking, monkeypatch) -> None:
    monkeypatch.setattr(EpochsWriter, "is_stored", lambda self, stored: False)
    asking.ask()
    asking.waveforms.answer_one()
    assert asking.replies[0].status == 503
    assert "trial 5 is not on the disk yet" in asking.replies[0].detail


def test_one_that_is_unknown_or_damaged_is_said(asking: Asking, tmp_path: Path) -> None:
    asking.ask(99)
    asking.waveforms.answer_one()
    assert (asking.replies[0].status, asking.replies[0].detail) == (404, "no waveform for trial 99")
    (tmp_path / EPOCHS_NAME).write_bytes(b"other")
    asking.ask()
    asking.waveforms.answer_one()
    assert asking.replies[1].status == 409
    assert "not the one recorded" in asking.replies[1].detail
