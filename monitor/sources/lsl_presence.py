"""Whether a stream is there, and who could be it again: decisions from what is seen, no I/O."""

from __future__ import annotations

from collections.abc import Sequence, Set

from monitor.sources.lsl_find import Role
from monitor.sources.streams import StreamSummary
from monitor.types import AlarmKind, Notice

#: How long a stream must be silent, and announced by nobody, before it counts as gone.
SILENT_S = 1.0

_WHAT = {
    "signal": ("EMG", AlarmKind.SIGNAL_STALLED, ""),
    "markers": ("marker", AlarmKind.STIMULUS_MISSING, "stream"),
}


class Presence:
    """Whether one of the streams is there: silent *and* no longer announced means that it is gone.

    A signal is back when samples come, so that its alarm never ends before they do; a marker stream
    when it is announced, since it may have nothing to say.
    """

    def __init__(self, role: Role, identity: str, stream: StreamSummary, now_s: float) -> None:
        """``identity``: what :func:`monitor.sources.lsl_find.identity` says of it."""
        self._role = role
        what, self._kind, self._cause = _WHAT[role]
        self._what = f"the {what} stream {stream.name!r}"
        self._heard_s = now_s
        self._visible = True
        self._gone = False
        self._why = ""
        self._identity = identity
        self.stream = stream
        self._as = ""

    @property
    def is_gone(self) -> bool:
        return self._gone

    def became(self, identity: str, stream: StreamSummary) -> None:
        """From now on it is this stream."""
        self._identity = identity
        self.stream = stream
        self._visible = True
        self._as = f" as {stream}"

    def observe(
        self, now_s: float, *, heard: bool, visible: Set[str] | None, for_good: bool = False
    ) -> Notice | None:
        """Tell of a change.

        Args:
            now_s: the monotonic clock.
            heard: something has just come from it.
            visible: identities of all announced streams; None where nobody has looked.
            for_good: liblsl can't find it again by itself.
        """
        if heard:
            self._heard_s = now_s
        if visible is not None:
            self._visible = self._identity in visible
        lost = for_good or not self._visible
        if self._gone:
            gone = not heard and (self._role == "signal" or lost)
        else:
            gone = now_s - self._heard_s > SILENT_S and lost
        if gone == self._gone:
            return None
        self._gone = gone
        self._why = ""
        notice = self._notice("gone" if gone else f"back{self._as}")
        self._as = ""
        return notice

    def explain(self, why: str) -> Notice | None:
        """Why nobody has taken its place, for people; None where that was said already."""
        if not self._gone or why == self._why:
            return None
        self._why = why
        return self._notice(f"gone; {why}" if why else "gone")

    def _notice(self, state: str) -> Notice:
        message = f"{self._what} is {state}"
        return Notice(self._kind, self._gone, 0.0, message=message, cause=self._cause)


def misfit(was: StreamSummary, now: StreamSummary) -> str:
    """Why ``now`` can't go on for ``was``, as far as its announcement tells; empty: it may."""
    if (was.fs_hz > 0) != (now.fs_hz > 0):
        return "it is of another sort"
    if was.fs_hz <= 0:
        return ""
    if was.channels != now.channels:
        return f"it has {now.channels} channels instead of {was.channels}"
    if was.fs_hz != now.fs_hz:
        return f"it has {now.fs_hz:g} Hz instead of {was.fs_hz:g}"
    return "" if now.format != "string" else "it is of another sort"


def differs(was: tuple[str, Sequence[str]], now: tuple[str, Sequence[str]]) -> str:
    """The same, from the descriptions: (kind of data, names of the channels)."""
    if was[0] != now[0]:
        return f"its data are {now[0]}, not {was[0]}"
    if list(was[1]) != list(now[1]):
        return "its channels have other names"
    return ""


def not_taken(stream: StreamSummary, why: str) -> str:
    """Said of the one stream that fits, and yet is not it."""
    return f"{stream} fits, but {why}: start the monitor anew to use it"


def several(streams: Sequence[StreamSummary]) -> str:
    """Said where more than one could be it."""
    return f"{len(streams)} streams fit, and none is taken: {', '.join(map(str, streams))}"
