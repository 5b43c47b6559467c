"""Case configuration: a TOML file, checked as a whole before anything starts.

Every setting is explained in ``docs/case.toml``, which a test holds to this file. A bad value
gives one line that names the file and the setting.
"""

from __future__ import annotations

import math
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from monitor.types import MonitorError

#: What must be left of an epoch after the train and its blanking.
MIN_AFTER_TRAIN_MS = 20.0
#: Two and a half periods at 50 Hz: less signal outside the response holds no fit of the mains.
MIN_RESTING_MS = 50.0

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]

PROFILES = Path(__file__).parent / "track" / "profiles"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown names are errors, so that a typing slip is never silent."""


class CaseSection(_Section, frozen=True):
    """Who and what: shown everywhere, never interpreted."""

    name: str = "case"
    procedure: str = ""
    profile: Literal[
        "default", "supratentorial", "brainstem-facial", "spinal-cord", "spine-70", "root"
    ] = "default"


class SignalSection(_Section, frozen=True):
    """Which LSL streams, and the unit of the samples where the stream does not say."""

    predicate: str = ""
    markers_predicate: str = ""
    lsl_scope: Literal["loopback", "link", "site", "default"] = "loopback"
    unit: Literal["", "V", "mV", "uV"] = ""
    scale_uv: float | None = None
    wait_s: Positive = 5.0

    def __post_init__(self) -> None:
        if self.scale_uv == 0.0:
            raise ValueError("scale_uv must not be 0")


class StimulusSection(_Section, frozen=True):
    """What a stimulus looks like among the markers, and its train.

    ``pattern`` is searched in the marker's text (numbers are written out first); named groups
    ``setting`` and ``intensity`` are taken over. ``pulses_ms`` are the pulses of the train, from
    the first. ``offset_ms`` is added to every marker's time (a constant delay of the marker).

    With ``train_gap_ms`` each marker is one pulse: markers no further apart are one train. With
    ``trigger_channel`` a column of the signal tells of the stimuli, by its rising edges through
    ``trigger_threshold`` (in the values of that column), and no marker is one. ``cadence_s`` is
    the usual time between stimuli; where they stop coming, that is said.

    ``realign_after``: where the artefact has moved against the marker, so many trials in a row to
    one new place, latencies count from there. 0, the default, never does: those trials stay
    rejected, under a standing alarm. Of the two faults that is the safe one, because it shows. A
    case that is not measured says so on every trial; one that is measured from the wrong instant
    (an artefact taken for a response, a conditioning train for the train) looks like any other.
    """

    pattern: str = ".*"
    pulses_ms: tuple[float, ...] = (0.0,)
    offset_ms: float = 0.0
    train_gap_ms: Annotated[float, msgspec.Meta(ge=0, le=50)] = 0.0
    trigger_channel: str = ""
    trigger_threshold: float = 0.5
    trigger_min_width_ms: Annotated[float, msgspec.Meta(ge=0, le=50)] = 0.0
    cadence_s: NotNegative = 0.0
    realign_after: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        p = self.pulses_ms
        if not p or p[0] != 0.0 or any(b <= a for a, b in pairwise(p)):
            raise ValueError("pulses_ms must start at 0 and increase")
        if self.train_gap_ms and len(p) > 1:
            raise ValueError("with train_gap_ms the markers give the pulses: leave pulses_ms out")


class EpochSection(_Section, frozen=True):
    """How much signal is kept around each stimulus and how long the ring remembers."""

    pre_ms: Annotated[float, msgspec.Meta(ge=20, le=500)] = 100.0
    post_ms: Annotated[float, msgspec.Meta(ge=60, le=500)] = 150.0
    ring_s: Annotated[float, msgspec.Meta(ge=2, le=600)] = 30.0


class MeasureSection(_Section, frozen=True):
    """How a sweep becomes numbers; the defaults are what the tests calibrate."""

    mains_hz: Literal["auto", "50", "60", "off"] = "auto"
    blank_before_ms: NotNegative = 0.5
    blank_after_ms: Positive = 4.0
    tkeo_k: NotNegative = 0.0
    network: bool = True
    network_sha256: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""


class MuscleSection(_Section, frozen=True):
    """One channel: its muscle, its side and where its onset may lie (from the first pulse)."""

    muscle: str = ""
    side: Literal["", "left", "right"] = ""
    min_onset_ms: Positive | None = None
    max_onset_ms: Positive | None = None
    ignore: bool = False

    def __post_init__(self) -> None:
        low, high = self.min_onset_ms, self.max_onset_ms
        if low is not None and high is not None and low >= high:
            raise ValueError("min_onset_ms must lie below max_onset_ms")


class MuscleCriterion(_Section, frozen=True):
    """A muscle's own thresholds, in percent of baseline; None: those of the case."""

    alarm_percent: Percent | None = None
    resolve_percent: Percent | None = None


class TrackSection(_Section, frozen=True):
    """Baseline, criteria and the life of alarms; the profile's values hold unless given here."""

    baseline_usable: Annotated[int, msgspec.Meta(ge=1)] = 5
    baseline_frozen: Annotated[int, msgspec.Meta(ge=1)] = 10
    baseline_response_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    baseline_spread_max: Annotated[float, msgspec.Meta(gt=1)] = 4.0
    alarm_percent: Annotated[float, msgspec.Meta(gt=0, lt=100)] = 50.0
    resolve_percent: Percent = 60.0
    muscles: dict[str, MuscleCriterion] = {}
    controls: tuple[str, ...] = ()
    threshold_rise: Positive | None = None
    latency_percent: Positive = 10.0
    profile_version: Annotated[int, msgspec.Meta(ge=1)] = 1
    confirm: Literal["estimator", "in_a_row"] = "estimator"
    confirm_probability: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.9
    confirm_in_a_row: Annotated[int, msgspec.Meta(ge=2, le=10)] = 2
    unconfirmed_rise_s: tuple[Positive, Positive] = (60.0, 180.0)
    unconfirmed_rise_intervals: tuple[NotNegative, NotNegative] = (1.5, 3.0)
    usual_interval_max_s: Positive = 200.0
    escalate_s: tuple[Positive, ...] = (120.0, 300.0, 600.0)

    def __post_init__(self) -> None:
        if self.resolve_percent < self.alarm_percent:
            raise ValueError("resolve_percent must not lie below alarm_percent")
        for name, own in self.muscles.items():
            alarm, resolve = self.thresholds(name)
            if resolve < alarm:
                raise ValueError(f"muscles.{name}: resolve_percent below alarm_percent")
            if own.alarm_percent == 100.0:
                raise ValueError(f"muscles.{name}: alarm_percent must be less than 100")
        if self.baseline_frozen < self.baseline_usable:
            raise ValueError("baseline_frozen must not lie below baseline_usable")
        for setting in ("unconfirmed_rise_s", "escalate_s"):
            if any(b <= a for a, b in pairwise(getattr(self, setting))):
                raise ValueError(f"{setting} must increase")

    def thresholds(self, muscle: str) -> tuple[float, float]:
        """Percent of baseline at which a muscle alarms, and from which on that is over."""
        own = self.muscles.get(muscle, MuscleCriterion())
        alarm = self.alarm_percent if own.alarm_percent is None else own.alarm_percent
        resolve = self.resolve_percent if own.resolve_percent is None else own.resolve_percent
        return alarm, resolve


class GatewaySection(_Section, frozen=True):
    """Where the page and the API are served. Bound to this machine unless told otherwise."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8731


class CaseConfig(_Section, frozen=True):
    """The whole file."""

    case: CaseSection = CaseSection()
    signal: SignalSection = SignalSection()
    stimulus: StimulusSection = StimulusSection()
    epoch: EpochSection = EpochSection()
    measure: MeasureSection = MeasureSection()
    track: TrackSection = TrackSection()
    gateway: GatewaySection = GatewaySection()
    channels: dict[str, MuscleSection] = {}

    def __post_init__(self) -> None:
        epoch, measure = self.epoch, self.measure
        last_ms = self.stimulus.pulses_ms[-1]
        needed_ms = last_ms + measure.blank_after_ms + MIN_AFTER_TRAIN_MS
        if epoch.post_ms < needed_ms:
            raise ValueError(
                f"epoch.post_ms is {epoch.post_ms:g}: the train, the blanking and "
                f"{MIN_AFTER_TRAIN_MS:g} ms for a response need {needed_ms:g}"
            )
        resting_ms = epoch.pre_ms - 1.0 + max(0.0, epoch.post_ms - last_ms - 80.0)
        if measure.mains_hz != "off" and resting_ms < MIN_RESTING_MS:
            raise ValueError(
                f"epoch.pre_ms and epoch.post_ms leave {resting_ms:g} ms of rest around the "
                f"response; the mains can be removed from {MIN_RESTING_MS:g} ms on "
                '(or measure.mains_hz = "off")'
            )


def load(path: Path | None) -> CaseConfig:
    """Read a case file; ``None`` gives the defaults.

    Raises:
        MonitorError: the file can't be read, is not TOML, or a setting is wrong or unknown.
    """
    if path is None:
        return CaseConfig()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MonitorError(f"{path}: can't be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise MonitorError(f"{path}: not a TOML file: {error}") from None
    return from_mapping(data, str(path))


def from_mapping(data: dict[str, object], where: str) -> CaseConfig:
    """Check a decoded file; ``where`` names it in the message.

    The criteria of the profile that it names (``[case] profile``) hold where ``[track]`` says
    nothing else.

    Raises:
        MonitorError: a setting is wrong or unknown.
    """
    _refuse_not_finite(data, "", where)
    try:
        case = msgspec.convert(data, CaseConfig)
        criteria = tomllib.loads((PROFILES / f"{case.case.profile}.toml").read_text("utf-8"))
        track = criteria["track"] | {"profile_version": criteria["version"]}
        given = data.get("track", {})
        assert isinstance(given, dict)  # or the conversion above had failed
        return msgspec.convert({**data, "track": track | given}, CaseConfig)
    except msgspec.ValidationError as error:
        text = str(error)
        message, _, at = text.partition(" - at `$.")
        setting = at.rstrip("`")
        raise MonitorError(f"{where}: setting {setting or '(top level)'}: {message}") from None


def _refuse_not_finite(value: object, setting: str, where: str) -> None:
    """TOML has nan and inf; no setting has a use for them."""
    if isinstance(value, dict):
        for name, part in value.items():
            _refuse_not_finite(part, f"{setting}.{name}" if setting else str(name), where)
    elif isinstance(value, list):
        for part in value:
            _refuse_not_finite(part, setting, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise MonitorError(f"{where}: setting {setting}: {value} is not a number to work with")
