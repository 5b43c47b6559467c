"""What the case as a whole is doing, and the pause of its audible signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.types import CaseStatus


@dataclass(slots=True)
class CaseLife:
    """``waiting`` for the first stimulus, ``running``, ``stalled`` without samples, ``ended``.

    Every method returns the statuses that follow, none where nothing changed. The first of a case
    is ``waiting`` at 0 s, whatever comes first, so that the record is the same however the signal
    is cut into chunks.
    """

    _stimulated: bool = False
    _stalled: bool = False
    _ended: bool = False
    _audio_paused_until_s: float | None = None
    _told: tuple[str, float | None] | None = None

    def begun(self) -> list[CaseStatus]:
        """Something came in."""
        return [] if self._told else self._tell(0.0)

    def stimulus(self, at_s: float) -> list[CaseStatus]:
        """A stimulus was given."""
        begun = self.begun()
        self._stimulated = True
        return begun + self._tell(at_s)

    def stall(self, stalled: bool, at_s: float, message: str) -> list[CaseStatus]:
        """The signal stopped (``stalled``) or goes on."""
        begun = self.begun()
        self._stalled = stalled
        return begun + self._tell(at_s, message)

    def pause_audio(self, seconds: float, at_s: float) -> list[CaseStatus]:
        """An operator silences the audible signal for ``seconds``; 0 ends the pause."""
        begun = self.begun()
        self._audio_paused_until_s = at_s + seconds if seconds > 0 else None
        return begun + self._tell(at_s)

    @property
    def is_audio_paused(self) -> bool:
        return self._audio_paused_until_s is not None

    def tick(self, at_s: float) -> list[CaseStatus]:
        """Time passed; a pause that is over ends."""
        begun = self.begun()
        until_s = self._audio_paused_until_s
        if until_s is not None and at_s >= until_s:
            self._audio_paused_until_s = None
        return begun + self._tell(at_s)

    def finish(self, at_s: float) -> list[CaseStatus]:
        """The case is closed."""
        begun = self.begun()
        self._ended = True
        return begun + self._tell(at_s)

    @property
    def _state(self) -> Literal["waiting", "running", "stalled", "ended"]:
        if self._ended:
            return "ended"
        if self._stalled:
            return "stalled"
        return "running" if self._stimulated else "waiting"

    def _tell(self, at_s: float, message: str = "") -> list[CaseStatus]:
        state, until_s = self._state, self._audio_paused_until_s
        if self._told == (state, until_s):
            return []
        self._told = (state, until_s)
        return [CaseStatus(at_s, state, message, until_s)]
