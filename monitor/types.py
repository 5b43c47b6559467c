"""The vocabulary of the monitor: what goes in, what comes out, in the field's own words.

Everything here is a frozen, slotted value; those of which a trial makes one for each muscle are
``Struct``, made and changed in a tenth of a dataclass's time, and of no concern to the garbage
collector (``gc=False``) where they hold plain values, which can't form a cycle. Units are in the
names (``_hz``, ``_ms``, ``_uv``, ``_s``); ``t_lsl`` is a time on a Lab Streaming Layer clock in
seconds; ``stimulus_s`` and ``raised_s`` are seconds since the first sample of the case. What the
core takes is :data:`monitor.inputs.Input`; what it gives is :data:`Event`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]


class MonitorError(Exception):
    """A fault that a person can mend: one line that names the file, stream or setting."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One EMG channel: its name in the stream, the muscle under it and its side."""

    name: str
    muscle: str
    side: Literal["left", "right", ""] = ""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source says of its EMG stream before the first sample."""

    name: str
    source_id: str
    fs_hz: float
    channel_names: tuple[str, ...]
    kind: Literal["live", "replay", "simulated"]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive samples of the EMG stream.

    ``samples_uv`` is (n, channels) float32 in microvolts; ``first_sample`` counts samples of the
    stream from 0 and jumps where the *source knows* that samples were lost; ``t_lsl`` is (n,)
    float64, the device's own stamp of each sample (not corrected, not smoothed).
    """

    first_sample: int
    samples_uv: Float32Array
    t_lsl: FloatArray


@dataclass(frozen=True, slots=True)
class Marker:
    """One marker as it came: its stamp on the marker stream's clock and its text or number."""

    t_lsl: float
    value: str | int


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Add ``offset_s`` to stamps of ``stream`` to get times on this machine's LSL clock."""

    stream: Literal["signal", "markers"]
    t_lsl: float
    offset_s: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: ``t_lsl`` now, on this machine's LSL clock."""

    t_lsl: float


# --------------------------------------------------------------------------- acquisition


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One stimulus (a whole train of pulses).

    ``t_lsl`` is the first pulse on the signal's clock after every correction. ``pulses_ms`` are
    the pulses' times from the first (so it starts with 0.0). ``counted_as`` is the key of the
    setting that a case counts it as (:mod:`monitor.track.settings`), empty before it does.
    """

    t_lsl: float
    marker: str
    setting: str = "default"
    intensity: float | None = None
    pulses_ms: tuple[float, ...] = (0.0,)
    counted_as: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """The samples around one stimulus.

    ``samples_uv`` is (channels, n) float32; sample ``stimulus_index`` is the last one at or before
    the first pulse, which lies ``stimulus_fraction`` (0 to 1) of a sample after it.
    """

    trial: int
    stimulus: Stimulus
    stimulus_s: float
    first_sample: int
    stimulus_index: int
    stimulus_fraction: float
    fs_hz: float
    samples_uv: Float32Array
    out_of_order: bool = False


@dataclass(frozen=True, slots=True)
class Missed:
    """A stimulus that gave no epoch, and why. It keeps its trial number and its row."""

    trial: int
    stimulus: Stimulus
    stimulus_s: float
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A technical condition that acquisition or a source found (``active``) or found gone.

    ``channel`` is empty where it concerns the whole stream; ``message`` is one line for people. A
    source doesn't know ``at_s``, the time of the case: the pipeline fills it in. ``cause`` tells
    conditions of one kind apart that come and go each for itself.
    """

    kind: AlarmKind
    active: bool
    at_s: float
    channel: str = ""
    message: str = ""
    cause: str = ""


# --------------------------------------------------------------------------- measurement


class Status(StrEnum):
    """What became of one stimulus on one channel."""

    RESPONSE = "response"
    NO_RESPONSE = "no_response"
    REJECTED = "rejected"
    LATE = "late"
    GAP = "gap"
    INCOMPLETE = "incomplete"


class Morphology(StrEnum):
    """Shape of a response by its significant phases: one, two, more."""

    MONOPHASIC = "monophasic"
    BIPHASIC = "biphasic"
    POLYPHASIC = "polyphasic"


class Measurement(Struct, frozen=True, gc=False):
    """What was measured on one sweep. ``None``: not measured.

    Latencies count from the first pulse (``onset_from_last_ms`` from the last). ``amplitude_uv`` is
    peak to peak, corrected for the noise floor, and lies within ``amplitude_lower_uv`` to
    ``amplitude_upper_uv`` (95 %); ``amplitude_raw_uv`` is the plain maximum minus minimum. Where
    there is no response ``amplitude_uv`` is 0 and the upper bound says how large a response could
    have been missed. ``snr`` is peak |response| over the noise SD. Of a response whose tops the
    converter cut off (``saturated`` or ``clipping`` in ``reasons``) no upper bound is known.
    ``artefact_probability`` is the network's, raised by the stimulus artefact's tail, which it does
    not get to see, and 1 where the converter was out of range. ``onset_uncertain`` concerns the
    latency alone. ``amplitude_uncertain`` says that the amplitude (or the absence of a response)
    rests on a doubtful sweep, with the doubt among ``reasons``: such a trial neither confirms a
    change nor clears one. ``silent_period_ms`` runs from the response's onset to the return of
    background activity; None without such activity.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    amplitude_uv: float | None = None
    amplitude_raw_uv: float | None = None
    amplitude_lower_uv: float | None = None
    amplitude_upper_uv: float | None = None
    onset_ms: float | None = None
    onset_from_last_ms: float | None = None
    duration_ms: float | None = None
    area_uv_ms: float | None = None
    phases: int | None = None
    morphology: Morphology | None = None
    snr: float | None = None
    noise_uv: float | None = None
    noise_source: Literal["pre", "tail", ""] = ""
    response_probability: float | None = None
    artefact_probability: float | None = None
    onset_tkeo_ms: float | None = None
    onset_network_ms: float | None = None
    amplitude_network_uv: float | None = None
    duration_network_ms: float | None = None
    onset_uncertain: bool = False
    amplitude_uncertain: bool = False
    silent_period_ms: float | None = None


# --------------------------------------------------------------------------- tracking


class ChannelTrial(Struct, frozen=True, gc=False):
    """One row of ``trials.csv``: a channel's measurement, and where it stands to its baseline."""

    channel: str
    muscle: str
    side: str
    measurement: Measurement
    baseline_uv: float | None = None
    percent_of_baseline: float | None = None
    comparable: bool = False
    alarm: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One stimulus, accounted for on every channel.

    ``sweeps_uv`` (channels, n) float32 are the sweeps as measured (artefact blanked, mains
    removed), None where there was no epoch; ``epoch`` is what came out of the ring.
    """

    trial: int
    stimulus: Stimulus
    stimulus_s: float
    channels: tuple[ChannelTrial, ...]
    epoch: Epoch | None = None
    sweeps_uv: Float32Array | None = None


class BaselineState(StrEnum):
    """Learning until enough responses were seen; usable; frozen; or not to be had."""

    LEARNING = "learning"
    USABLE = "usable"
    FROZEN = "frozen"
    UNRELIABLE = "unreliable"


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """The baseline of one muscle under one stimulation setting.

    ``sweep_uv`` (n,) float32 is the median of the accepted sweeps, for display. ``spread``: upper
    over lower quartile of the responses' amplitudes. ``floor_uv``: the smallest response that these
    trials would have shown. ``phases``: the median of their numbers of phases.

    Of one that an operator set: ``set_by`` whom, in which ``role``, for which ``reason``, the value
    until then (``before_uv``), the losses by id that stood and were overridden (``overrode``).
    """

    id: int
    setting: str
    channel: str
    muscle: str
    state: BaselineState
    amplitude_uv: float | None
    onset_ms: float | None
    accepted: int
    responses: int
    trials: tuple[int, ...]
    set_by: str = ""
    reason: str = ""
    sweep_uv: Float32Array | None = None
    spread: float | None = None
    floor_uv: float | None = None
    phases: float | None = None
    role: str = ""
    before_uv: float | None = None
    overrode: tuple[int, ...] = ()


class AlarmKind(StrEnum):
    """Every alarm condition there is: a closed list; :mod:`monitor.track.kinds` has its table."""

    AMPLITUDE_DROP = "amplitude_drop"
    RESPONSE_LOST = "response_lost"
    LATENCY_SHIFT = "latency_shift"
    THRESHOLD_RISE = "threshold_rise"
    MORPHOLOGY_CHANGE = "morphology_change"
    SIGNAL_STALLED = "signal_stalled"
    SIGNAL_GAP = "signal_gap"
    CLOCK_FAULT = "clock_fault"
    LEAD_OFF = "lead_off"
    SATURATED = "saturated"
    ELECTROCAUTERY = "electrocautery"
    STIMULUS_MISSING = "stimulus_missing"
    STIMULUS_MISALIGNED = "stimulus_misaligned"
    STIMULUS_NOT_DELIVERED = "stimulus_not_delivered"
    NOT_COMPARABLE = "not_comparable"
    BASELINE_UNRELIABLE = "baseline_unreliable"
    NOT_MEASURABLE = "not_measurable"
    REJECTS_IN_A_ROW = "rejects_in_a_row"
    RECORDING_FAULT = "recording_fault"
    MODEL_FAULT = "model_fault"
    RECEIVER_LOST = "receiver_lost"
    GATEWAY_LOST = "gateway_lost"
    ENGINE_RESTARTED = "engine_restarted"
    ESCALATION_EXHAUSTED = "escalation_exhausted"


class AlarmClass(StrEnum):
    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class Priority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class AlarmState(StrEnum):
    """Life of an alarm condition (after IEC 60601-1-8; no conformity is claimed).

    unconfirmed -> active -> (gone) -> latched until seen, or resolved; acknowledged: stands, seen.
    """

    UNCONFIRMED = "unconfirmed"
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"
    RESOLVED = "resolved"


class Scope(StrEnum):
    FOCAL = "focal"
    GLOBAL = "global"
    INDETERMINATE = "indeterminate"


class AlarmCondition(Struct, frozen=True):
    """One alarm condition as it stands now; each change is a new value with the same ``id``.

    ``evidence`` explains it in plain values (rule, threshold, n of k, baseline used, trials).
    ``setting``, ``channel`` and ``muscle`` are empty where the condition concerns the whole case.
    """

    id: int
    kind: AlarmKind
    alarm_class: AlarmClass
    priority: Priority
    state: AlarmState
    raised_s: float
    setting: str = ""
    channel: str = ""
    muscle: str = ""
    trial: int | None = None
    percent_of_baseline: float | None = None
    baseline_uv: float | None = None
    amplitude_uv: float | None = None
    scope: Scope = Scope.INDETERMINATE
    rule: str = ""
    evidence: dict[str, str | int | float | bool | None] = {}
    resolved_s: float | None = None
    acknowledged_by: str = ""
    acknowledged_s: float | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark in the record: an operator's, or the monitor's own (``by="monitor"``)."""

    at_s: float
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class CaseStatus:
    """What the case is doing, whenever that changes."""

    at_s: float
    state: Literal["waiting", "running", "stalled", "ended"]
    message: str = ""
    audio_paused_until_s: float | None = None


Event = Trial | AlarmCondition | Baseline | Annotation | CaseStatus
