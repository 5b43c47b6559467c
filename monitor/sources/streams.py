"""Which of the streams that are there is the EMG and which are the markers; shared by LSL and XDF.

The rule errs towards asking: where the choice isn't plain, the error lists what was found and says
how to choose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.types import MonitorError

_MARKER_TYPES = ("markers", "marker")
_CLAUSE = re.compile(r"""\s*(name|type|source_id|hostname)\s*=\s*(?:'([^']*)'|"([^"]*)")\s*""")


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """What a stream says of itself. ``format`` is LSL's name of it: ``float32``, ``string`` ..."""

    name: str
    type: str
    source_id: str
    channels: int
    fs_hz: float
    format: str
    hostname: str = ""

    def __str__(self) -> str:
        rate = f"{self.fs_hz:g} Hz" if self.fs_hz > 0 else "irregular"
        host = f", host {self.hostname}" if self.hostname else ""
        return (
            f"name='{self.name}' (type '{self.type}', source_id '{self.source_id}', "
            f"{self.channels} x {self.format}, {rate}{host})"
        )


def matches(stream: StreamSummary, predicate: str) -> bool:
    """Whether a stream fits ``name='x' and type='y'`` (or is named exactly ``predicate``).

    Raises:
        MonitorError: a predicate that a recording can't answer.
    """
    if "=" not in predicate:
        return stream.name == predicate
    for clause in re.split(r"\band\b(?=\s*\w+\s*=)", predicate):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise MonitorError(
                f"predicate {predicate!r}: for a recording write name='...', type='...' or "
                "source_id='...', joined by and"
            )
        key, single, double = match.groups()
        if getattr(stream, key) != (single if single is not None else double):
            return False
    return True


def choose_signal(streams: Sequence[StreamSummary], predicate: str, where: str) -> int:
    """Index of the EMG stream: of type EMG or, without a predicate, the only regular numeric one.

    Args:
        streams: without a predicate, all there are; with one, those that fit it.
        predicate: as the operator gave it, or empty.
        where: names the place in the message: a file, or the network that was searched.

    Raises:
        MonitorError: none fits, or more than one.
    """
    usable = [i for i, s in enumerate(streams) if s.format != "string" and s.fs_hz > 0]
    emg = [i for i in usable if streams[i].type.lower() == "emg"]
    found = usable if predicate else emg or usable
    if len(found) == 1:
        return found[0]
    what = f"EMG stream that fits {predicate}" if predicate else "EMG stream"
    raise _unclear(what, found, streams, where, "--signal")


def choose_markers(streams: Sequence[StreamSummary], predicate: str, where: str) -> int:
    """Index of the marker stream: irregular, of type Markers (or, if there is none, of any type).

    Args and Raises as for :func:`choose_signal`.
    """
    usable = [i for i, s in enumerate(streams) if s.fs_hz <= 0 and s.channels > 0]
    typed = [i for i in usable if streams[i].type.lower() in _MARKER_TYPES]
    plain = [i for i in usable if streams[i].format == "string" or "int" in streams[i].format]
    found = usable if predicate else typed or plain
    if len(found) == 1:
        return found[0]
    what = f"marker stream that fits {predicate}" if predicate else "marker stream"
    raise _unclear(what, found, streams, where, "--markers")


def _unclear(
    what: str, found: Sequence[int], streams: Sequence[StreamSummary], where: str, flag: str
) -> MonitorError:
    if found:
        listed = [streams[i] for i in found]
        hint = f'; choose one: {flag} "{_key(listed[0])}"'
        return MonitorError(
            f"{where}: {len(found)} streams could be the {what}: "
            f"{', '.join(map(str, listed))}{hint}"
        )
    there = f"there are {', '.join(map(str, streams))}" if streams else "no streams at all"
    return MonitorError(f"{where}: no {what}; {there}")


def _key(stream: StreamSummary) -> str:
    return f"source_id='{stream.source_id}'" if stream.source_id else f"name='{stream.name}'"


def marker_value(value: Any) -> str | int:
    """A marker as text or a whole number; any other number is written out.

    Takes what LSL and XDF give: str, UTF-8 bytes, a Python or a numpy number.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return value
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and not number.is_integer():
        return repr(number)
    return int(number)


def channel_names(labels: Sequence[str], count: int) -> tuple[str, ...]:
    """``count`` different names: the labels where there are any, else ``ch1``, ``ch2`` ..."""
    names: list[str] = []
    for i in range(count):
        label = labels[i].strip() if i < len(labels) else ""
        name = base = label or f"ch{i + 1}"
        repeat = 2
        while name in names:
            name, repeat = f"{base}-{repeat}", repeat + 1
        names.append(name)
    return tuple(names)
