"""What the monitor took in between its samples, in order: how a recording keeps it.

Samples, markers and clock offsets of a recording say *what* came. A case also depends on when the
monitor looked at its clock (a loss that nobody repeats rises with time), on what its operators did,
and on what came before what. So the recorder writes, for everything but samples, how many samples
the core had seen by then: fed in that order again, the core does the same again, bit for bit.

In XDF these are two more streams of the same file, which other programs may ignore: the *order*
(irregular, float64, channels ``input`` and ``samples``, stamped with the monitor's own clock) and
the *acts* (text, JSON), the commands and the source's notices in the order of their entries there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.inputs import (
    Acknowledge,
    Annotate,
    Command,
    PauseAudio,
    Resume,
    SetBaseline,
)
from monitor.types import (
    FloatArray,
    MonitorError,
    Notice,
)

#: Streams of a recording by the monitor; a reader knows it by the type of the third.
SIGNAL_ID, MARKERS_ID, ORDER_ID, ACTS_ID = 1, 2, 3, 4
ORDER_TYPE = "mep-monitor-order"
ACTS_TYPE = "mep-monitor-acts"
ORDER_LABELS = ("input", "samples")

Act = Command | Notice

_ACTS: dict[str, type[Act]] = {
    "acknowledge": Acknowledge,
    "baseline": SetBaseline,
    "annotate": Annotate,
    "pause_audio": PauseAudio,
    "resume": Resume,
    "notice": Notice,
}
_NAMES = {kind: name for name, kind in _ACTS.items()}


class InputKind(IntEnum):
    """What an entry of the order stands for; the next of its kind in the recording."""

    TICK = 0
    MARKER = 1
    SIGNAL_OFFSET = 2
    MARKERS_OFFSET = 3
    ACT = 4


@dataclass(frozen=True, slots=True, eq=False)
class InputOrder:
    """Everything but samples, in the order in which the core took it, n entries.

    Attributes:
        kinds: (n,) :class:`InputKind`.
        samples: (n,) samples of the signal that the core had seen before it.
        t_lsl: (n,) the monitor's clock: a tick's own time, of anything else the last tick's.
        acts: what the entries of kind ``ACT`` are, in order.
    """

    kinds: NDArray[np.int64]
    samples: NDArray[np.int64]
    t_lsl: FloatArray
    acts: tuple[Act, ...]

    def due_s(self) -> FloatArray:
        """When each entry is due: with the next tick, which ended the look that brought it."""
        ticks = np.flatnonzero(self.kinds == InputKind.TICK)
        if not len(ticks):
            return self.t_lsl
        following = np.searchsorted(ticks, np.arange(len(self.kinds)))
        due_s: FloatArray = self.t_lsl[ticks[np.minimum(following, len(ticks) - 1)]]
        return due_s


def encode_act(act: Act) -> str:
    """A command or notice as one line of JSON; ``act`` names its kind."""
    fields: dict[str, object] = msgspec.to_builtins(act)
    return msgspec.json.encode({"act": _NAMES[type(act)], **fields}).decode()


def decode_act(text: str) -> Act:
    """What :func:`encode_act` wrote.

    Raises:
        MonitorError: it is none of the acts known here.
    """
    try:
        fields: dict[str, object] = msgspec.json.decode(text, type=dict)
        act: Act = msgspec.convert(fields, _ACTS[str(fields.pop("act", ""))])
    except (msgspec.DecodeError, KeyError) as error:
        raise MonitorError(f"not a recorded command or notice: {error}: {text[:120]}") from None
    return act


def input_order(
    stamps_s: FloatArray, entries: NDArray[np.float64], acts: Sequence[str]
) -> InputOrder:
    """The order as its two streams have it.

    Args:
        stamps_s: (n,) stamps of the order stream.
        entries: (n, 2) its values.
        acts: the acts stream's texts; a recording that was cut off may lack the last ones, or the
            entries of the last ones: what is there of both counts.

    Raises:
        MonitorError: an act, or a kind of entry, that is not known here.
    """
    if not np.isin(entries[:, 0], list(InputKind)).all():
        raise MonitorError("an order of inputs with kinds that this version does not know")
    kinds = entries[:, 0].astype(np.int64)
    of_acts = np.flatnonzero(kinds == InputKind.ACT)
    n = int(of_acts[len(acts)]) if len(of_acts) > len(acts) else len(kinds)
    return InputOrder(
        kinds=kinds[:n],
        samples=np.maximum.accumulate(entries[:n, 1].astype(np.int64)) if n else kinds[:0],
        t_lsl=stamps_s[:n],
        acts=tuple(decode_act(text) for text in acts[: len(of_acts)]),
    )
