"""The bodies of ``docs/contract.md`` as models: what OpenAPI describes and what requests must be.

Answers are not made from these: they are the engine's own bytes. A test holds both to each other.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from monitor.types import (
    AlarmClass,
    AlarmKind,
    AlarmState,
    BaselineState,
    Morphology,
    Priority,
    Scope,
    Status,
)

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Side = Literal["left", "right", ""]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Body):
    """Any error."""

    detail: str


class ChannelBody(_Body):
    channel: str
    muscle: str
    side: Side


class NetworkBody(_Body):
    name: str
    version: str
    sha256: str


class CaseBody(_Body):
    id: str
    name: str
    procedure: str
    kind: Literal["live", "replay", "simulated"]
    fs_hz: float
    channels: list[ChannelBody]
    pre_ms: float
    post_ms: float
    blank_before_ms: float
    blank_after_ms: float
    started_utc: str
    version: str
    network: NetworkBody | None
    alarm_percent: float
    resolve_percent: float
    baseline_usable: int
    last_seq: int


class TimingBody(_Body):
    """Seconds on the monitoring machine's LSL clock; null where it does not apply."""

    stimulus: float | None
    epoch_complete: float | None
    measured: float | None
    raised: float | None


class StoredEpochBody(_Body):
    """Where the raw epoch lies in ``epochs.bin``."""

    offset: int
    shape: tuple[int, int]
    sha256: str
    fs_hz: float
    stimulus_index: int
    stimulus_fraction: float


class ChannelTrialBody(_Body):
    channel: str
    muscle: str
    side: Side
    status: Status
    reasons: list[str]
    amplitude_uv: float | None
    amplitude_raw_uv: float | None
    amplitude_lower_uv: float | None
    amplitude_upper_uv: float | None
    onset_ms: float | None
    onset_from_last_ms: float | None
    duration_ms: float | None
    area_uv_ms: float | None
    phases: int | None
    morphology: Morphology | None
    snr: float | None
    noise_uv: float | None
    noise_source: Literal["pre", "tail", ""]
    response_probability: float | None
    artefact_probability: float | None
    onset_tkeo_ms: float | None
    onset_network_ms: float | None
    amplitude_network_uv: float | None
    duration_network_ms: float | None
    onset_uncertain: bool
    amplitude_uncertain: bool
    silent_period_ms: float | None
    baseline_uv: float | None
    percent_of_baseline: float | None
    comparable: bool
    alarm: str


class TrialBody(_Body):
    trial: int
    stimulus_s: float
    setting: str
    intensity: float | None
    pulses_ms: list[float]
    marker: str
    channels: list[ChannelTrialBody]
    timing: TimingBody
    waveform: StoredEpochBody | None


class AlarmBody(_Body):
    id: int
    kind: AlarmKind
    alarm_class: AlarmClass = Field(alias="class")
    priority: Priority
    state: AlarmState
    setting: str
    channel: str
    muscle: str
    trial: int | None
    percent_of_baseline: float | None
    baseline_uv: float | None
    amplitude_uv: float | None
    scope: Scope
    rule: str
    evidence: dict[str, str | int | float | bool | None]
    raised_s: float
    resolved_s: float | None
    acknowledged_by: str
    acknowledged_s: float | None
    timing: TimingBody


class BaselineBody(_Body):
    id: int
    setting: str
    channel: str
    muscle: str
    state: BaselineState
    amplitude_uv: float | None
    onset_ms: float | None
    accepted: int
    responses: int
    trials: list[int]
    set_by: str
    reason: str
    spread: float | None
    floor_uv: float | None
    phases: float | None
    sweep_uv: list[float | None] | None
    role: str = ""
    before_uv: float | None = None
    overrode: list[int] = []


class PastBaselineBody(_Body):
    """A baseline that stands (``until`` null) or stood, without its sweep.

    ``since`` and ``until`` are UTC: when it began, to be learned or as given, and when another took
    its place, an operator's or one learned anew after a restart of the engine; ``since_s`` and
    ``until_s`` the same in seconds of the case.
    """

    since: str
    since_s: float
    until: str | None
    until_s: float | None
    baseline: BaselineBody


class AnnotationBody(_Body):
    at_s: float
    text: str
    by: str


class StatusBody(_Body):
    at_s: float
    state: Literal["waiting", "running", "stalled", "ended"]
    message: str
    audio_paused_until_s: float | None


class SnapshotBody(_Body):
    """The first message of a live feed that was opened without ``since``."""

    case: CaseBody
    channels: list[ChannelBody]
    status: StatusBody | None
    alarms: list[AlarmBody]
    baselines: list[BaselineBody]
    annotations: list[AnnotationBody]
    trials: list[TrialBody]


class WaveformBody(_Body):
    fs_hz: float
    stimulus_index: int
    channels: list[str]
    samples_uv: list[list[float | None]]


class ExplainedChannelBody(_Body):
    """``saliency``: 500 steps, at least 0, what of the sweep spoke for a response.

    ``fault``: why the network was not shown this sweep; the rest is null then. ``onset_ms`` (from
    the first pulse) with its SD means something where there is a response. ``embedding``: 128
    numbers where they were asked for.
    """

    channel: str
    muscle: str
    side: Side
    fault: Literal["", "nan", "flat_line", "saturated"]
    response_probability: float | None
    onset_ms: float | None
    onset_sd_ms: float | None
    novelty: float | None
    novel: bool
    saliency: list[float] | None
    embedding: list[float] | None


class ExplanationBody(_Body):
    """``saliency`` starts ``window_start_ms`` after the first pulse, in steps of 1 / ``fs_hz``."""

    trial: int
    network: NetworkBody
    fs_hz: float
    window_start_ms: float
    channels: list[ExplainedChannelBody]


class AcknowledgeBody(_Body):
    by: Name


class NewBaselineBody(_Body):
    """``channel`` and ``group`` empty: all; ``amplitude_uv`` null: learn again; ``role``: whose.

    ``override``: although a loss stands on the channel; the loss stays in the record.
    """

    channel: str = ""
    by: Name
    reason: Text
    setting: str = ""
    amplitude_uv: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    group: tuple[str, ...] = ()
    role: Name
    override: bool = False


class NewAnnotationBody(_Body):
    text: Text
    by: Name


class AudioPauseBody(_Body):
    """``seconds`` 0 ends the pause; ten minutes is the longest."""

    seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 120.0
    by: Name


class AliveBody(_Body):
    alive: Literal[True]


class ReadyBody(_Body):
    ready: Literal[True]
