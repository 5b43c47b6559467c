"""From a stream's channel names to muscles and sides. PURE.

Names in the field join a side and a muscle in every order: ``L-APB``, ``LAPB``, ``APB_L``,
``left APB``, ``EMG RFDI``. What is not recognised keeps its name as its muscle and no side: a wrong
guess of the side would be worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from monitor.config import MuscleSection
from monitor.types import Channel, MonitorError, StreamInfo

Side = Literal["left", "right", ""]

_SIDE_WORDS: dict[str, Side] = {
    "l": "left",
    "lt": "left",
    "left": "left",
    "r": "right",
    "rt": "right",
    "right": "right",
}

# Needed only where side and muscle are written as one word ("RECR" is right ECR, but "RF" is the
# rectus femoris): names and abbreviations in use for muscles that are monitored, head to foot.
_MUSCLES = """
    OOC OCULI OOR ORIS MENT MENTALIS NAS NASALIS MAS MASSETER TEMP FRONT TONGUE CRICO VOC VOCALIS
    SCM PHARYNX TRAP TRAPEZIUS
    DEL DELT DELTOID BIC BICEPS BB TRI TRIC TRICEPS BR BRACH FCR FCU FDS FDP ECR ECU EDC EIP FLEX
    EXT APB ADM ADQ FDI OPP THENAR HYPO
    ICM INTERCOST RECTUS RA OBL PARA PSP
    ILIO ILIOPSOAS PSOAS ADD ADDUCTOR SAR QUAD QUADS RF VL VM VMO VAST HAM HAMS BF GLUT GMAX GMED
    TFL TA TIB TP PER PL PERONEUS GAS GASTROC GC GM GL SOL SOLEUS EHL EDB AH AHB FHB FHL ADH
    SPH SPHINCTER EAS ANAL
"""
_ABBREVIATIONS = frozenset(_MUSCLES.split())

_SEPARATORS = re.compile(r"[\s_\-./:,()\[\]]+")
_SIDE_PREFIX = re.compile(r"(left|right|Left|Right)(?=[A-Z])|(LEFT|RIGHT)(?=[A-Z]{2})")
_SIDE_SUFFIX = re.compile(r"(?<=[a-zA-Z0-9])(Left|Right|LEFT|RIGHT)$")


def muscle_and_side(name: str) -> tuple[str, Side]:
    """Read a channel's name.

    Returns:
        The muscle and its side; ``(name, "")`` where no side can be read from the name.
    """
    spaced = _SIDE_SUFFIX.sub(r" \1", _split_side_prefix(name.strip()))
    words = [word for word in _SEPARATORS.split(spaced) if word]
    if len(words) > 1 and words[0].upper() == "EMG":
        words = words[1:]
    for at in (0, -1):
        side = _SIDE_WORDS.get(words[at].lower(), "") if words else ""
        rest = words[1:] if at == 0 else words[:-1]
        if side and re.search("[A-Za-z]{2}", " ".join(rest)):
            return _muscle(rest), side
    if len(words) == 1:
        return _one_word(words[0], name)
    return name, ""


def _split_side_prefix(name: str) -> str:
    """'LeftAPB' and 'leftAPB' become 'Left APB'; 'leftover' and 'Lefty' stay."""
    match = _SIDE_PREFIX.match(name)
    return f"{match[0]} {name[match.end() :]}" if match else name


def _muscle(words: list[str]) -> str:
    return " ".join(word.upper() if word.upper() in _ABBREVIATIONS else word for word in words)


def _one_word(word: str, name: str) -> tuple[str, Side]:
    upper = word.upper()
    if upper in _ABBREVIATIONS:
        return upper, ""
    for letter, rest in ((upper[:1], upper[1:]), (upper[-1:], upper[:-1])):
        if letter in ("L", "R") and rest in _ABBREVIATIONS:
            return rest, _SIDE_WORDS[letter.lower()]
    return name, ""


def resolve_channels(
    stream: StreamInfo, sections: Mapping[str, MuscleSection], trigger_channel: str = ""
) -> tuple[tuple[Channel, ...], tuple[int, ...]]:
    """Name the channels of a stream; ``sections`` (``[channels.NAME]``) win over the names.

    ``trigger_channel`` is no EMG channel.

    Returns:
        The channels in stream order without the ignored ones, and their columns in the samples.

    Raises:
        MonitorError: a section names a channel that the stream lacks, two channels share a name,
            or none is left.
    """
    names = stream.channel_names
    for name in sections:
        if name not in names:
            raise MonitorError(
                f"setting channels.{name}: stream '{stream.name}' has no such channel; "
                f"it has {', '.join(names) or 'none'}"
            )
    if trigger_channel and trigger_channel not in names:
        raise MonitorError(
            f"setting stimulus.trigger_channel: stream '{stream.name}' has no channel "
            f"'{trigger_channel}'; it has {', '.join(names) or 'none'}"
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise MonitorError(f"stream '{stream.name}': two channels are called '{twice}'")
    channels: list[Channel] = []
    columns: list[int] = []
    for column, name in enumerate(names):
        section = sections.get(name, MuscleSection())
        if section.ignore or name == trigger_channel:
            continue
        muscle, side = muscle_and_side(name)
        channels.append(Channel(name, section.muscle or muscle, section.side or side))
        columns.append(column)
    if not channels:
        raise MonitorError(f"stream '{stream.name}': no channel is left to monitor")
    return tuple(channels), tuple(columns)
