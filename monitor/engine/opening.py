"""From a plan to a running case: source, network, core, journal, in this order."""

from __future__ import annotations

import gc
import hashlib
import platform
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from monitor import __version__, wire
from monitor.config import CaseConfig
from monitor.engine.case import CaseOutcome, run_case
from monitor.engine.feed import Feed, Unwatched
from monitor.engine.plan import CasePlan, LiveStreams, Recorded, Simulated
from monitor.engine.resume import NEW_CASE, Resumed, account_for_unstored, read_interrupted
from monitor.engine.selfwatch import marker_texts
from monitor.engine.server import LinkServer
from monitor.journal import database
from monitor.journal.database import DATABASE_NAME, JournalReader
from monitor.journal.epochs import EPOCHS_NAME
from monitor.journal.export import EXPORTED, export_case
from monitor.journal.recorder import XdfRecorder, free_name
from monitor.load_network import DEPLOYED_SHA256, load_network
from monitor.measure.epoch import EpochMeasurer
from monitor.measure.network import ModelFault, Network
from monitor.pipeline import Pipeline
from monitor.sources.base import Source, ignored_channels, open_recording
from monitor.track.tracker import Tracker
from monitor.types import AlarmKind, Channel, MonitorError, Notice, StreamInfo

_HEAD_BYTES = 2**20
_WARM_UP_FS_HZ = 5000.0
_WARM_UP_CHANNELS = (Channel("left", "APB", "left"), Channel("right", "APB", "right"))
_VERSIONED = ("numpy", "scipy", "numba", "onnxruntime", "pylsl")


def source_of(plan: CasePlan) -> Source:
    """The source that the plan names, not yet entered.

    Raises:
        MonitorError: no such file or scenario, or it can't be read.
    """
    signal, ignored = plan.config.signal, ignored_channels(plan.config)
    trigger = plan.config.stimulus.trigger_channel
    match plan.source:
        case Recorded(path=path, speed=speed, chunk_samples=chunk_samples):
            return open_recording(
                Path(path),
                signal,
                speed=speed,
                chunk_samples=chunk_samples,
                ignored=ignored,
                trigger_channel=trigger,
            )
        case Simulated() as wanted:
            from monitor.sources.scenario import SCENARIOS
            from monitor.sources.simulated import SimulatedCase, SimulatedSource

            if wanted.scenario not in SCENARIOS:
                known = ", ".join(SCENARIOS)
                raise MonitorError(f"scenario '{wanted.scenario}': not one of {known}")
            return SimulatedSource(
                SimulatedCase(seed=wanted.seed, scenario=SCENARIOS[wanted.scenario]),
                speed=wanted.speed,
                duration_s=wanted.duration_s,
                chunk_samples=wanted.chunk_samples,
            )
        case LiveStreams():
            # Here, not above: a replay must work on a machine that has no liblsl.
            from monitor.sources.lsl import LslSource

            return LslSource(signal, ignored, trigger)


def network_of(config: CaseConfig) -> tuple[Network | None, str]:
    """The network, or None and why it is out of use (empty: it isn't wanted).

    A network that answers its golden sweeps wrongly must not stop the monitoring: it is left out,
    with a ``model_fault``.

    Raises:
        MonitorError: the weights are missing or not the ones expected.
    """
    if not config.measure.network:
        return None, ""
    try:
        return load_network(config.measure.network_sha256 or DEPLOYED_SHA256), ""
    except ModelFault as fault:
        return None, str(fault)


def _warm_up(config: CaseConfig, network: Network | None) -> None:
    """Compile every kernel on a made-up stream, before the real one is opened.

    What an open stream sends meanwhile would wait, and be shown late once the case begins: seconds
    late where kernels come from their cache, a minute where a slow machine has to compile them.
    """
    EpochMeasurer(_WARM_UP_FS_HZ, _WARM_UP_CHANNELS, config, network).warm_up()
    Tracker(_WARM_UP_CHANNELS, config).warm_up()


def case_body(
    case_id: str, info: StreamInfo, config: CaseConfig, pipeline: Pipeline, network: Network | None
) -> wire.Body:
    """The body of ``GET case`` (without ``last_seq``, which the gateway knows)."""
    name = config.case.name
    if name == CaseConfig().case.name and info.kind != "live":
        name = info.name
    described = None
    if network is not None:
        described = {
            "name": network.name,
            "version": network.version,
            "sha256": network.sha256,
        }
    return {
        "id": case_id,
        "name": name,
        "procedure": config.case.procedure,
        "kind": info.kind,
        "fs_hz": info.fs_hz,
        "channels": wire.channel_list(pipeline.acquisition.channels),
        "pre_ms": config.epoch.pre_ms,
        "post_ms": config.epoch.post_ms,
        "blank_before_ms": config.measure.blank_before_ms,
        "blank_after_ms": config.measure.blank_after_ms,
        "started_utc": wire.utc_text(datetime.now(UTC)),
        "version": __version__,
        "network": described,
        "alarm_percent": config.track.alarm_percent,
        "resolve_percent": config.track.resolve_percent,
        "baseline_usable": config.track.baseline_usable,
    }


def _described(plan: CasePlan, source: Source) -> dict[str, object]:
    """The source, as the journal and the summary name it."""
    info = source.info
    described: dict[str, object] = {
        "kind": info.kind,
        "name": info.name,
        "source_id": info.source_id,
        "fs_hz": info.fs_hz,
        "channels": list(info.channel_names),
    }
    if isinstance(plan.source, Simulated):
        described |= {"scenario": plan.source.scenario, "seed": plan.source.seed}
    if isinstance(plan.source, Recorded):
        path = Path(plan.source.path)
        described["file"] = path.name
        with path.open("rb") as file:
            # The head tells recordings of one name apart: every format has its date there.
            described["head_sha256"] = hashlib.sha256(file.read(_HEAD_BYTES)).hexdigest()
    return described


def _meta(case: wire.Body, plan: CasePlan, source: Source) -> dict[str, str]:
    versions = {"mep-monitor": __version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in _VERSIONED}
    return {
        "case": wire.encode(case).decode(),
        "config": wire.encode(plan.config).decode(),
        "source": wire.encode(_described(plan, source)).decode(),
        "versions": wire.encode(versions).decode(),
        "warnings": wire.encode(list(source.warnings)).decode(),
    }


def _open_journal(
    folder: Path, plan: CasePlan, source: Source, case: wire.Body
) -> tuple[wire.Body, Resumed]:
    """Make the journal, or go on with the one that is there; gives the case as it is to be shown.

    Raises:
        MonitorError: the folder holds another case, or one that has ended.
    """
    if not (folder / DATABASE_NAME).exists():
        database.create(folder, _meta(case, plan, source))
        return case, NEW_CASE
    with JournalReader(folder) as journal:
        earlier: wire.Body = msgspec.json.decode(journal.meta["case"])
        if not plan.resume and earlier["kind"] != "live" and case["kind"] != "live":
            replaced = True
            _same_source(folder, journal, _described(plan, source))
        else:
            replaced = False
            _same_case(folder, journal, earlier, case)
            now = datetime.now(UTC)
            resumed = read_interrupted(journal, now)
    if replaced:
        # A replay or a simulation can be made again, so it may take its own kind's place.
        for name in (
            DATABASE_NAME,
            f"{DATABASE_NAME}-wal",
            f"{DATABASE_NAME}-shm",
            EPOCHS_NAME,
            *EXPORTED,
        ):
            (folder / name).unlink(missing_ok=True)
        database.create(folder, _meta(case, plan, source))
        return case, NEW_CASE
    return earlier, account_for_unstored(folder, resumed, now)


def _same_source(folder: Path, journal: JournalReader, source: dict[str, object]) -> None:
    earlier = msgspec.json.decode(journal.meta.get("source", "{}"))
    if earlier != msgspec.json.decode(wire.encode(source)):
        name = earlier.get("file") or earlier.get("name")
        raise MonitorError(f"{folder}: holds a case of another source ({name}): choose another")


def _same_case(folder: Path, journal: JournalReader, earlier: wire.Body, case: wire.Body) -> None:
    for key in ("kind", "fs_hz", "channels"):
        if earlier[key] != case[key]:
            raise MonitorError(
                f"{folder}: holds another case (its {key} differs): choose another folder"
            )
    last = journal.last_status()
    if last is not None and last["state"] == "ended":
        raise MonitorError(f"{folder}: holds a case that has ended: choose another folder")


@contextmanager
def _feed_of(plan: CasePlan, case: wire.Body, folder: Path) -> Iterator[Feed]:
    if not plan.socket:
        yield Unwatched()
        return
    server: AbstractContextManager[Feed] = LinkServer(Path(plan.socket), case, folder)
    with server as feed:
        yield feed


def _recorder_of(plan: CasePlan, source: Source) -> AbstractContextManager[XdfRecorder | None]:
    """The recorder that the plan asks for; a case that is taken up again gets a file of its own."""
    if not plan.record:
        return nullcontext()
    path = Path(plan.record)
    return XdfRecorder(free_name(path) if plan.resume else path, source.info)


def run_plan(
    plan: CasePlan,
    stop: Callable[[], bool] = lambda: False,
    ready: Callable[[wire.Body], None] = lambda case: None,
) -> tuple[wire.Body, CaseOutcome]:
    """Run a whole case and leave its files; gives its summary and how it went.

    ``ready`` is called with the case's description when kernels and network are warm and the
    journal is open, before the first sample is taken.

    Raises:
        MonitorError: anything that a person can mend, before or during the case.
    """
    folder = Path(plan.folder)
    with database.case_folder(folder), ExitStack() as opened:
        wanted = source_of(plan)
        network, model_fault = network_of(plan.config)
        _warm_up(plan.config, network)
        source = opened.enter_context(wanted)
        pipeline = Pipeline(source.info, plan.config, network)
        # Its own plans and windows, and the network on so many channels: kernels are there by now.
        pipeline.measurer.warm_up()
        pipeline.tracker.warm_up()
        case_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        case = case_body(case_id, source.info, plan.config, pipeline, network)
        case, resumed = _open_journal(folder, plan, source, case)
        # What was made so far stays: the collector need not look at it during the case.
        gc.collect()
        gc.freeze()
        # The recorder is left last: what it could not write is said when all else is done.
        with _recorder_of(plan, source) as recorder:
            with _feed_of(plan, case, folder) as feed:
                ready(case)
                outcome = run_case(
                    source,
                    pipeline,
                    folder,
                    feed,
                    case_id=case["id"],
                    resumed=resumed,
                    notices=_model_notices(model_fault),
                    real_time=isinstance(plan.source, LiveStreams),
                    stop=stop,
                    recorder=recorder,
                )
            database.settle(folder, {"recording": wire.encode(outcome.record).decode()})
            if isinstance(plan.source, Recorded) and not stop():
                _refuse_unmatched(plan, pipeline)
            return export_case(folder), outcome


def _model_notices(fault: str) -> list[Notice]:
    if not fault:
        return []
    return [Notice(AlarmKind.MODEL_FAULT, active=True, at_s=0.0, message=fault)]


def _refuse_unmatched(plan: CasePlan, pipeline: Pipeline) -> None:
    """A recording that was replayed to its end without a stimulus was replayed in vain."""
    stimuli = pipeline.acquisition.stimuli
    if stimuli.matched:
        return
    where = Path(plan.source.path) if isinstance(plan.source, Recorded) else "recording"
    if trigger := plan.config.stimulus.trigger_channel:
        raise MonitorError(
            f"{where}: channel '{trigger}' (stimulus.trigger_channel) has no rising edge through "
            f"{plan.config.stimulus.trigger_threshold:g} (stimulus.trigger_threshold)"
        )
    if not stimuli.seen_markers:
        raise MonitorError(f"{where}: holds no markers, so there is no stimulus to measure")
    raise MonitorError(
        f"{where}: no marker matches stimulus pattern '{plan.config.stimulus.pattern}'; "
        f"there are: {marker_texts(stimuli.seen_markers)}"
    )
