"""What goes into the core: samples, markers and time, and the commands that people give a case.

Operators' acts are commands, and so is the going on of a case whose engine died: :class:`Resume`
hands over what stood. Everything that the core knows came in through :data:`Input`, in the order in
which it happened.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.types import AlarmCondition, BaselineState, Chunk, ClockOffset, Marker, Notice, Tick

# --------------------------------------------------------------------------- operators


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """An operator has seen an alarm. It never clears the condition.

    ``alarm`` is the condition's (kind, setting, channel) where the command comes from a recording:
    conditions of the engine itself are numbered too, so the same one may have another number now.
    """

    alarm_id: int
    by: str
    t_lsl: float = 0.0
    alarm: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class SetBaseline:
    """An operator sets the baseline anew, for one channel, a ``group`` or (both empty) for all.

    ``by``, ``role`` and ``reason`` are asked for: it is refused without.

    ``amplitude_uv`` given: that value. Not given: learn again from the next accepted trials. While
    a loss stands on a channel its baseline is left alone unless ``override`` is given.
    """

    channel: str
    by: str
    reason: str
    setting: str = ""
    amplitude_uv: float | None = None
    t_lsl: float = 0.0
    group: tuple[str, ...] = ()
    role: str = ""
    override: bool = False


@dataclass(frozen=True, slots=True)
class Annotate:
    """A remark for the record: incision, screw, bolus, pressure."""

    text: str
    by: str
    t_lsl: float = 0.0


@dataclass(frozen=True, slots=True)
class PauseAudio:
    """Silence the audible signal for ``seconds``; 0 ends a pause."""

    seconds: float
    by: str
    t_lsl: float = 0.0


# --------------------------------------------------------------------------- a case that goes on


@dataclass(frozen=True, slots=True)
class ResumedResponse:
    """What a baseline that was still learning had from one response."""

    trial: int
    amplitude_uv: float
    onset_ms: float | None = None
    phases: int | None = None
    floor_uv: float | None = None


@dataclass(frozen=True, slots=True)
class ResumedBaseline:
    """A baseline of an earlier run, without its sweep; ``learned`` from, where it is not frozen.

    One without a value is learned (again) because an operator, ``set_by``, asked for that.
    """

    id: int
    setting: str
    channel: str
    state: BaselineState
    amplitude_uv: float | None
    onset_ms: float | None = None
    accepted: int = 0
    responses: int = 0
    trials: tuple[int, ...] = ()
    set_by: str = ""
    reason: str = ""
    spread: float | None = None
    floor_uv: float | None = None
    phases: float | None = None
    learned: tuple[ResumedResponse, ...] = ()
    role: str = ""
    before_uv: float | None = None
    overrode: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ResumedAlarm:
    """A condition of an earlier run that stood when its engine died.

    ``alone_since_s``: the last comparable trial, where nobody has repeated it; ``high_since_s``:
    since when it is high and nobody has acknowledged it. Both are seconds of the *new* run, so
    negative. ``acknowledged``: one that stands acknowledged, as it was when somebody took it.
    """

    condition: AlarmCondition
    alone_since_s: float | None = None
    high_since_s: float | None = None
    acknowledged: AlarmCondition | None = None


@dataclass(frozen=True, slots=True)
class ResumedRemark:
    """A remark of an earlier run; ``at_s`` in seconds of the *new* run, so negative."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Resume:
    """The case goes on after its engine died: the first command of the new run, where it is given.

    Numbers go on after ``trials``, ``alarms`` and ``baseline_ids``.
    """

    trials: int
    alarms: int
    baseline_ids: int
    baselines: tuple[ResumedBaseline, ...]
    standing: tuple[ResumedAlarm, ...]
    by: str = "monitor"
    t_lsl: float = 0.0
    remarks: tuple[ResumedRemark, ...] = ()


Command = Acknowledge | SetBaseline | Annotate | PauseAudio | Resume
Input = Chunk | Marker | ClockOffset | Tick | Notice | Command
