"""REST under ``/api/v1``: reads from the read model, acts through the engine."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from monitor.gateway.bodies import (
    AcknowledgeBody,
    AlarmBody,
    AliveBody,
    AnnotationBody,
    AudioPauseBody,
    BaselineBody,
    CaseBody,
    ExplanationBody,
    NewAnnotationBody,
    NewBaselineBody,
    PastBaselineBody,
    Problem,
    ReadyBody,
    StatusBody,
    TrialBody,
    WaveformBody,
)
from monitor.gateway.engine_link import EngineUnreachable
from monitor.gateway.hub import Hub
from monitor.gateway.model import json_list
from monitor.link import (
    AcknowledgeAlarm,
    AddAnnotation,
    Operator,
    PauseAudioSignal,
    Question,
    ReadExplanation,
    ReadWaveform,
    SetNewBaseline,
    unpack_waveform,
)
from monitor.wire import Envelope, encode

EXPORT_TIMEOUT_S = 120.0
_AT_ONCE = 50
#: What can go wrong where the engine is asked for something of a trial.
_ASKED = (404, 409, 422, 503)


class _Json(Response):
    """JSON that is encoded already."""

    media_type = "application/json"


def _answers(model: Any, *problems: int) -> dict[int | str, dict[str, Any]]:
    described: dict[int | str, dict[str, Any]] = {200: {"model": model}}
    return described | {code: {"model": Problem} for code in (403, *problems)}


def rest_router(hub: Hub, folder: Path | None) -> APIRouter:
    """The routes; ``folder`` is the case folder, for ``export`` (None: it is not to be had)."""
    router = APIRouter(prefix="/api/v1")
    model = hub.model
    exporting = asyncio.Lock()

    @router.get("/case", responses=_answers(CaseBody, 503))
    async def case() -> Response:
        """What is being monitored."""
        return _Json(_known(model.case_body()))

    @router.get("/trials", responses=_answers(list[TrialBody], 422))
    async def trials(
        since: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    ) -> Response:
        """Trials with a number above ``since``."""
        found = model.trials(since, limit)
        return StreamingResponse(in_turns(found), media_type=_Json.media_type)

    @router.get("/trials/{number}/waveform", responses=_answers(WaveformBody, *_ASKED))
    async def waveform(number: int, raw: bool = False) -> Response:
        """A trial's samples as measured, or raw as they came from the ring."""
        kept = None if raw else model.waveform(number)
        if kept is not None:
            header, samples_uv = unpack_waveform(kept)
            body = {
                "fs_hz": header.fs_hz,
                "stimulus_index": header.stimulus_index,
                "channels": header.channels,
                "samples_uv": samples_uv.astype(np.float64),
            }
            return _Json(encode(body))
        return _Json(await _ask(hub, ReadWaveform(number, raw)))

    @router.get("/trials/{number}/explanation", responses=_answers(ExplanationBody, *_ASKED))
    async def explanation(number: int, channel: str = "", embedding: bool = False) -> Response:
        """What of a trial's sweeps spoke to the network for a response, and how sure it is."""
        return _Json(await _ask(hub, ReadExplanation(number, channel, embedding)))

    @router.get("/alarms", responses=_answers(list[AlarmBody]))
    async def alarms() -> Response:
        """Every alarm of the case as it stands now."""
        return _Json(model.alarms())

    @router.post("/alarms/{number}/acknowledge", responses=_answers(AlarmBody, 404, 409, 422, 503))
    async def acknowledge(number: int, body: AcknowledgeBody) -> Response:
        """Somebody has seen this alarm. It never clears the condition."""
        made = await _act(hub, AcknowledgeAlarm(number, body.by))
        told = [bytes(e.body) for e in made if e.type == "alarm"]
        return _Json(told[-1] if told else _found(model.alarm(number), f"no alarm {number}"))

    @router.get("/baselines", responses=_answers(list[BaselineBody]))
    async def baselines() -> Response:
        """The baselines as they stand now."""
        return _Json(model.baselines())

    @router.get("/baselines/history", responses=_answers(list[PastBaselineBody], 422))
    async def baseline_history(setting: str = "", channel: str = "") -> Response:
        """Every baseline that stands or stood, oldest first; of a setting or channel, or of all."""
        return _Json(model.baseline_history(setting, channel))

    @router.post("/baselines", responses=_answers(list[BaselineBody], 404, 409, 422, 503))
    async def set_baseline(body: NewBaselineBody) -> Response:
        """Set the baseline of one muscle, or of all, anew; gives those that changed."""
        made = await _act(hub, SetNewBaseline(**body.model_dump()))
        return _Json(json_list(bytes(e.body) for e in made if e.type == "baseline"))

    @router.get("/annotations", responses=_answers(list[AnnotationBody]))
    async def annotations() -> Response:
        """The remarks in the record, oldest first."""
        return _Json(model.annotations())

    @router.post("/annotations", responses=_answers(AnnotationBody, 409, 422, 503))
    async def annotate(body: NewAnnotationBody) -> Response:
        """Put a remark into the record."""
        made = await _act(hub, AddAnnotation(body.text, body.by))
        return _Json(_made(made, "annotation"))

    @router.post("/audio-pause", responses=_answers(StatusBody, 409, 422, 503))
    async def audio_pause(body: AudioPauseBody) -> Response:
        """Silence the audible signal for a while; 0 seconds ends the pause."""
        made = await _act(hub, PauseAudioSignal(body.seconds, body.by))
        return _Json(_made(made, "status"))

    @router.get(
        "/export",
        response_class=FileResponse,
        responses={
            200: {"content": {"application/zip": {}}},
            409: {"model": Problem},
            503: {"model": Problem},
        },
    )
    async def export() -> Response:
        """The case as a ZIP of its files, as it stands now."""
        _known(model.case_body())
        if folder is None:
            raise HTTPException(409, "this gateway has no case folder")
        async with exporting:
            path = await _zip(folder)
        name = f"{model.case_id}.zip"
        return FileResponse(
            path,
            media_type="application/zip",
            filename=name,
            background=BackgroundTask(_remove, path),
        )

    @router.get("/healthz", responses=_answers(AliveBody))
    async def healthz() -> Response:
        """This process answers."""
        return _Json(b'{"alive":true}')

    @router.get("/readyz", responses=_answers(ReadyBody, 503))
    async def readyz() -> Response:
        """The engine is linked, its kernels compiled and its network warm."""
        if not hub.link.up:
            raise HTTPException(503, "the engine is not ready")
        return _Json(b'{"ready":true}')

    @router.get(
        "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
    )
    async def metrics() -> Response:
        """Prometheus text."""
        return Response(hub.metrics.text(), media_type="text/plain; version=0.0.4")

    return router


async def in_turns(bodies: Sequence[bytes]) -> AsyncIterator[bytes]:
    """A long JSON list, piece by piece: between two of them an alarm can go out."""
    yield b"["
    for begin in range(0, len(bodies), _AT_ONCE):
        await asyncio.sleep(0)
        piece = b",".join(bodies[begin : begin + _AT_ONCE])
        yield piece if begin == 0 else b"," + piece
    yield b"]"


def _known(body: bytes | None) -> bytes:
    if body is None:
        raise HTTPException(503, "the engine is not reachable")
    return body


def _found(body: bytes | None, missing: str) -> bytes:
    if body is None:
        raise HTTPException(404, missing)
    return body


async def _ask(hub: Hub, ask: Operator | Question) -> bytes:
    try:
        reply = await hub.link.ask(ask)
    except EngineUnreachable as error:
        raise HTTPException(503, str(error)) from None
    if reply.status != 200:
        raise HTTPException(reply.status, reply.detail)
    return bytes(reply.body)


async def _act(hub: Hub, act: Operator) -> list[Envelope]:
    """An operator's act; the events that it made."""
    return msgspec.json.decode(await _ask(hub, act), type=list[Envelope])


def _made(events: list[Envelope], kind: str) -> bytes:
    bodies = [bytes(e.body) for e in events if e.type == kind]
    if not bodies:
        raise HTTPException(409, f"nothing changed: no {kind} came of it")
    return bodies[-1]


async def _zip(folder: Path) -> Path:
    """Made by a process of its own: the gateway never opens the live journal, nor waits for it."""
    descriptor, name = tempfile.mkstemp(suffix=".zip", prefix="mep-")
    os.close(descriptor)
    path = Path(name)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor.journal", str(folder), str(path),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, said = await asyncio.wait_for(process.communicate(), EXPORT_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        _remove(path)
        raise HTTPException(503, "export: took too long") from None
    if process.returncode != 0:
        _remove(path)
        raise HTTPException(503, f"export: {said.decode(errors='replace').strip()}")
    return path


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
