"""Finds streams on the network by what the operator said of them, and what a stream says of itself.

The choice between those found is :mod:`monitor.sources.streams`'s, the same as in a recording.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

from monitor.config import SignalSection
from monitor.sources.streams import StreamSummary, choose_markers, choose_signal
from monitor.types import MonitorError

Role = Literal["signal", "markers"]
Kind = Literal["live", "replay", "simulated"]

#: Streams answer within milliseconds; one that is only just starting gets so long to show up
#: before a choice counts as plain.
_SETTLE_S = 0.6
_FORMATS = ("", "float32", "double64", "string", "int32", "int16", "int8", "int64")


@dataclass(frozen=True, slots=True)
class Described:
    """What a stream's full description says: labels, units, and what kind of data it is."""

    labels: list[str]
    units: list[str]
    kind: Kind


class Network:
    """What is announced on the network: all of it, and what fits each role's predicate."""

    def __init__(self, pylsl: Any, signal: SignalSection) -> None:
        """Begin to look.

        Raises:
            MonitorError: a predicate that is none.
        """
        self._pylsl = pylsl
        self._signal = signal
        self._all = pylsl.ContinuousResolver()
        self._searches = {
            "signal": _search(pylsl, "predicate", signal.predicate) or self._all,
            "markers": _search(pylsl, "markers_predicate", signal.markers_predicate) or self._all,
        }

    def streams(self) -> list[Any]:
        """Infos of every stream announced just now, in a stable order."""
        return _distinct(self._all)

    def search_anew(self, role: Role) -> None:
        """Begin the search for one role again: on a busy machine one may miss every answer."""
        setting = "predicate" if role == "signal" else "markers_predicate"
        predicate = getattr(self._signal, setting)
        fresh = _search(self._pylsl, setting, predicate) or self._pylsl.ContinuousResolver()
        # Its end takes time that the signal may not have: elsewhere.
        before = [self._searches[role]]
        self._searches[role] = fresh
        threading.Thread(target=before.clear, name="lsl-search", daemon=True).start()

    def fitting(self, role: Role, like: Any) -> list[Any]:
        """Infos of the streams that could be ``like`` again: by the role's predicate, or without
        one by its name and type.
        """
        found = _distinct(self._searches[role])
        predicate = self._signal.predicate if role == "signal" else self._signal.markers_predicate
        if predicate:
            return found
        return [i for i in found if (i.name(), i.type()) == (like.name(), like.type())]

    def choose(self, with_markers: bool) -> tuple[Any, Any | None]:
        """The EMG stream's and the marker stream's infos, as soon as the choice is plain.

        Raises:
            MonitorError: none fits, or more than one, until ``signal.wait_s`` was over.
        """
        signal = self._signal
        where = f"LSL ({signal.lsl_scope})"
        begin_s = time.monotonic()
        while True:
            time.sleep(0.05)
            waited_s = time.monotonic() - begin_s
            if waited_s < min(_SETTLE_S, signal.wait_s):
                continue
            try:
                emg = _distinct(self._searches["signal"])
                marks = _distinct(self._searches["markers"])
                if not emg or (with_markers and not marks):
                    self._refuse_unmatched(bool(emg), where)
                chosen = emg[choose_signal([summary(i) for i in emg], signal.predicate, where)]
                if not with_markers:
                    return chosen, None
                summaries = [summary(i) for i in marks]
                return chosen, marks[choose_markers(summaries, signal.markers_predicate, where)]
            except MonitorError:
                if waited_s >= signal.wait_s:
                    raise

    def _refuse_unmatched(self, emg: bool, where: str) -> None:
        """Nothing fits a predicate, or nothing is there: say what is there instead."""
        there = [str(summary(info)) for info in self.streams()]
        listed = f"there are {', '.join(there)}" if there else "no streams at all"
        signal = self._signal
        what, predicate = ("marker", signal.markers_predicate) if emg else ("EMG", signal.predicate)
        fits = f" that fits {predicate}" if predicate else ""
        raise MonitorError(f"{where}: no {what} stream{fits}; {listed}")


def _search(pylsl: Any, setting: str, predicate: str) -> Any:
    """A resolver for what fits ``predicate``; None without one."""
    if not predicate:
        return None
    try:
        return pylsl.ContinuousResolver(pred=predicate)
    except RuntimeError:
        raise MonitorError(
            f"setting signal.{setting} {predicate!r}: not an LSL predicate "
            "(one would be name='x' and type='EMG')"
        ) from None


def _distinct(resolver: Any) -> list[Any]:
    """What a resolver has found, each stream once, in a stable order."""
    found = {info.uid(): info for info in resolver.results()}
    return sorted(found.values(), key=lambda info: (info.name(), info.source_id(), info.uid()))


def identity(info: Any) -> str:
    """What a stream keeps when its sender is started again, so that liblsl takes it up again.

    Without a source_id, nothing; nor does liblsl take up a stream of another shape.
    """
    if not info.source_id():
        return str(info.uid())
    shape = info.channel_count(), float(info.nominal_srate()), info.channel_format()
    return repr((info.name(), info.type(), info.source_id(), *shape))


def summary(info: Any) -> StreamSummary:
    """A stream's info as plain values."""
    return StreamSummary(
        name=info.name(),
        type=info.type(),
        source_id=info.source_id(),
        channels=info.channel_count(),
        fs_hz=float(info.nominal_srate()),
        format=_FORMATS[info.channel_format()],
        hostname=info.hostname(),
    )


def described(info: Any) -> Described:
    """Labels and units from ``desc/channels/channel``; the kind from ``desc/mep-monitor/kind``.

    ``info`` must be an open inlet's: those that a resolver finds have no description.
    """
    desc = ElementTree.fromstring(info.as_xml()).find("desc")
    if desc is None:
        return Described([], [], "live")
    channels = desc.findall("channels/channel")
    kind = desc.findtext("mep-monitor/kind", "")
    return Described(
        [channel.findtext("label", "") for channel in channels],
        [channel.findtext("unit", "") for channel in channels],
        "simulated" if kind == "simulated" else "replay" if kind == "replay" else "live",
    )
