"""Every kind of alarm condition: its class, its priority, its meaning; and how one is made.

:data:`ALARM_TABLE` is the one closed list, after IEC 60601-1-8 (no conformity is claimed);
:class:`NewConditions` is the only place that makes conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from monitor.track.evidence import Evidence
from monitor.types import AlarmClass, AlarmCondition, AlarmKind, AlarmState, Channel, Priority


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """What is fixed for a kind: class, default priority and its meaning in one line.

    Of the physiological kinds ``priority`` is that of the confirmed condition; an unconfirmed one
    starts lower.
    """

    alarm_class: AlarmClass
    priority: Priority
    meaning: str


def _physiological(priority: Priority, meaning: str) -> AlarmEntry:
    return AlarmEntry(AlarmClass.PHYSIOLOGICAL, priority, meaning)


def _technical(priority: Priority, meaning: str) -> AlarmEntry:
    return AlarmEntry(AlarmClass.TECHNICAL, priority, meaning)


_K, _P = AlarmKind, Priority

ALARM_TABLE: Mapping[AlarmKind, AlarmEntry] = MappingProxyType(
    {
        _K.AMPLITUDE_DROP: _physiological(_P.HIGH, "the response fell below the criterion"),
        _K.RESPONSE_LOST: _physiological(_P.HIGH, "a muscle with a baseline no longer responds"),
        _K.LATENCY_SHIFT: _physiological(_P.LOW, "the response comes later than at baseline"),
        _K.THRESHOLD_RISE: _physiological(_P.MEDIUM, "a response takes more stimulus than before"),
        _K.MORPHOLOGY_CHANGE: _physiological(_P.LOW, "the response has lost phases"),
        _K.SIGNAL_STALLED: _technical(_P.HIGH, "no samples arrive: nothing is being monitored"),
        _K.SIGNAL_GAP: _technical(_P.LOW, "samples were lost"),
        _K.CLOCK_FAULT: _technical(_P.MEDIUM, "the signal's time stamps can't be trusted"),
        _K.LEAD_OFF: _technical(_P.MEDIUM, "an electrode is off"),
        _K.SATURATED: _technical(_P.LOW, "the amplifier is at its limit"),
        _K.ELECTROCAUTERY: _technical(_P.LOW, "electrocautery covers the signal"),
        _K.STIMULUS_MISSING: _technical(_P.MEDIUM, "no stimulus where one was due"),
        _K.STIMULUS_MISALIGNED: _technical(_P.MEDIUM, "artefact and stimulus marker moved apart"),
        _K.STIMULUS_NOT_DELIVERED: _technical(_P.MEDIUM, "a marker without a stimulus artefact"),
        _K.NOT_COMPARABLE: _technical(_P.LOW, "trials don't match the baseline's stimulation"),
        _K.BASELINE_UNRELIABLE: _technical(_P.LOW, "too few responses for a baseline"),
        _K.NOT_MEASURABLE: _technical(_P.MEDIUM, "trials of this muscle can't be measured"),
        _K.REJECTS_IN_A_ROW: _technical(_P.MEDIUM, "trials are rejected on every muscle"),
        _K.RECORDING_FAULT: _technical(_P.HIGH, "the case is not being recorded safely"),
        _K.MODEL_FAULT: _technical(_P.MEDIUM, "the network gives wrong answers and is out of use"),
        _K.RECEIVER_LOST: _technical(_P.HIGH, "a receiver of alarms no longer confirms them"),
        _K.GATEWAY_LOST: _technical(_P.HIGH, "displays are cut off from the engine"),
        _K.ENGINE_RESTARTED: _technical(_P.MEDIUM, "the engine was restarted during the case"),
        _K.ESCALATION_EXHAUSTED: _technical(_P.HIGH, "an alarm was passed on and none took it"),
    }
)


class NewConditions:
    """Makes the conditions of a case. Ids count from 1 and are never used twice."""

    def __init__(self) -> None:
        self.last_id = 0

    def make(
        self,
        kind: AlarmKind,
        at_s: float,
        setting: str,
        channel: Channel,
        rule: str,
        evidence: Evidence,
        trial: int | None = None,
        priority: Priority | None = None,
    ) -> AlarmCondition:
        """An active condition raised at ``at_s``; ``priority`` where it is not the table's."""
        self.last_id += 1
        entry = ALARM_TABLE[kind]
        return AlarmCondition(
            id=self.last_id,
            kind=kind,
            alarm_class=entry.alarm_class,
            priority=entry.priority if priority is None else priority,
            state=AlarmState.ACTIVE,
            raised_s=at_s,
            setting=setting,
            channel=channel.name,
            muscle=channel.muscle,
            trial=trial,
            rule=rule,
            evidence=evidence,
        )
