"""The pause of the audible signal: limited in time, and broken by an alarm of a higher priority."""

from __future__ import annotations

from monitor.inputs import PauseAudio
from monitor.track.alarms import SOUNDING, AlarmBook, CommandRefused
from monitor.track.case import CaseLife
from monitor.track.loss import higher
from monitor.types import AlarmCondition, Annotation, Event, Priority

AUDIO_PAUSE_MAX_S = 600.0
"""A pause is limited: one without an end would be the signal switched off."""


class AudioPause:
    """What the audio of a case is paused over.

    That is what stood then and has stood ever since, unacknowledged, at its priority of then.
    """

    def __init__(self, case: CaseLife, alarms: AlarmBook) -> None:
        self._case = case
        self._alarms = alarms
        self._over: dict[int, Priority] = {}

    def begin(self, command: PauseAudio, at_s: float) -> list[Event]:
        """An operator pauses the audio, or ends the pause (0 seconds).

        Raises:
            CommandRefused: for longer than :data:`AUDIO_PAUSE_MAX_S`; nothing has changed.
        """
        seconds = command.seconds
        if not 0 <= seconds <= AUDIO_PAUSE_MAX_S:
            raise CommandRefused(f"seconds: must lie within 0 and {AUDIO_PAUSE_MAX_S:g}", "invalid")
        statuses = self._case.pause_audio(seconds, at_s)
        self._over = self._alarms.sounding
        text = f"audio paused for {seconds:g} s" if seconds else "audio pause ended"
        return [*statuses, Annotation(at_s, text, command.by)]

    def acknowledged(self, alarm_id: int) -> None:
        """Somebody has seen an alarm: should it sound again, it is a new one to the pause."""
        self._over.pop(alarm_id, None)

    def broken_by(self, changed: list[AlarmCondition], at_s: float) -> list[Event]:
        """A condition that changed and is higher than all that it was paused over ends it."""
        if not self._case.is_audio_paused:
            return []
        sounding = self._alarms.sounding
        self._over = {id_: p for id_, p in self._over.items() if id_ in sounding}
        over = self._over.values()
        new = [
            c.priority
            for c in changed
            if c.state in SOUNDING and all(_is_higher(c.priority, than) for than in over)
        ]
        if not new:
            return []
        text = f"audio pause broken by an alarm of {new[0].value} priority"
        return [*self._case.pause_audio(0.0, at_s), Annotation(at_s, text, "monitor")]


def _is_higher(a: Priority, b: Priority) -> bool:
    return a is not b and higher(a, b) is a
