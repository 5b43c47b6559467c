"""Why the network answered a trial as it did, for whoever asks: saliency, and its embedding.

That is no part of a trial's way, so a thread of its own computes it, one request at a time and a
few waiting at most; the data path only hands the request on.
"""

from __future__ import annotations

import queue
import threading
import time
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from monitor import wire
from monitor.engine.feed import Ask
from monitor.engine.kept import NOT_YET, KeptEpochs, NotKeptError
from monitor.engine.seams import CasePipeline
from monitor.link import ReadExplanation, Reply
from monitor.measure.explain import ExplainedSweeps
from monitor.measure.network import is_novel
from monitor.types import Channel, Epoch, FloatArray

WAITING = 4
"""Requests that wait for their turn; one more is answered 503 at once."""

PATIENCE_S = 1.0
"""How long a trial's epoch is waited for where it is not on the disk yet."""

_LOOK_AGAIN_S = 0.02
_CLOSE_S = 5.0
_SALIENCY_DECIMALS = 3
"""Saliency is some units high: what lies below is not seen on any display."""


class Explaining:
    """Answers requests from its own thread; a context manager.

    ``refused`` counts the requests that found too many others waiting.
    """

    def __init__(self, pipeline: CasePipeline, kept: KeptEpochs) -> None:
        self._pipeline = pipeline
        self._kept = kept
        self._asked: queue.Queue[tuple[Ask, ReadExplanation] | None] = queue.Queue()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="explaining", daemon=True)
        self.refused = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._asked.put(None)
        self._thread.join(_CLOSE_S)

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return self._asked.qsize()

    def take(self, ask: Ask, wanted: ReadExplanation) -> None:
        """Queue a request, or refuse it where too many wait. Never blocks."""
        if not self._thread.is_alive():
            ask.answer(Reply(ask.id, 503, "explanations are out of order"))
        elif self.waiting < WAITING:
            self._asked.put((ask, wanted))
        else:
            self.refused += 1
            ask.answer(Reply(ask.id, 503, "too many explanations are asked for at once"))

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None and not self._leaving.is_set():
            ask, wanted = asked
            try:
                body = self._explain(wanted)
            except NotKeptError as why:
                ask.answer(Reply(ask.id, why.status, str(why)))
            else:
                ask.answer(Reply(ask.id, body=msgspec.Raw(body)))

    def _explain(self, wanted: ReadExplanation) -> bytes:
        """The body of ``GET trials/{n}/explanation``.

        Raises:
            NotKeptError: it can't be had, and why.
        """
        channels = self._pipeline.acquisition.channels
        if wanted.channel and wanted.channel not in {channel.name for channel in channels}:
            raise NotKeptError(404, f"no channel {wanted.channel}")
        epoch = self._epoch(wanted.trial)
        told = self._pipeline.measurer.explain(epoch)
        if told is None:
            raise NotKeptError(404, "this case has no network that explains itself")
        body = explanation_body(epoch, channels, told, embedding=wanted.embedding)
        if wanted.channel:
            body["channels"] = [c for c in body["channels"] if c["channel"] == wanted.channel]
        if all(c["fault"] for c in body["channels"]):
            named = ", ".join(f"{c['channel']} {c['fault']}" for c in body["channels"])
            raise NotKeptError(404, f"trial {wanted.trial} was rejected, unseen: {named}")
        return wire.encode(body)

    def _epoch(self, trial: int) -> Epoch:
        """The epoch, which a display may ask for before the disk has it."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._kept.read(trial)
            except NotKeptError as why:
                if why.status != NOT_YET or time.monotonic() > until:
                    raise
                if self._leaving.wait(_LOOK_AGAIN_S):
                    raise


def explanation_body(
    epoch: Epoch, channels: tuple[Channel, ...], told: ExplainedSweeps, *, embedding: bool
) -> wire.Body:
    """What ``docs/contract.md`` says of an explanation, as plain values."""
    rows = {index: row for row, index in enumerate(told.shown)}
    saliency = np.round(told.why.saliency.astype(np.float64), _SALIENCY_DECIMALS)
    onset_ms = told.said.onset_from_last_ms + epoch.stimulus.pulses_ms[-1]
    sd_ms, novelty = told.said.onset_sd_ms, told.said.novelty
    described = []
    for index, channel in enumerate(channels):
        row = rows.get(index)
        described.append(
            {
                "channel": channel.name,
                "muscle": channel.muscle,
                "side": channel.side,
                "fault": told.faults[index],
                "response_probability": _at(told.said.response_probability, row),
                "onset_ms": _at(onset_ms, row),
                "onset_sd_ms": _at(sd_ms, row),
                "novelty": _at(novelty, row),
                "novel": is_novel(_at(novelty, row)),
                "saliency": None if row is None else saliency[row],
                "embedding": told.why.embedding[row] if embedding and row is not None else None,
            }
        )
    return {
        "trial": epoch.trial,
        "network": told.network._asdict(),
        "fs_hz": told.fs_hz,
        "window_start_ms": told.window_start_ms,
        "channels": described,
    }


def _at(values: FloatArray | None, row: int | None) -> float | None:
    return None if values is None or row is None else float(values[row])
