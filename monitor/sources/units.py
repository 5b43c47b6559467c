"""Microvolts from the many ways in which streams and files write a unit."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import NDArray

from monitor.config import SignalSection
from monitor.types import FloatArray, MonitorError

#: Lower-case spellings. Both signs for micro (U+00B5, U+03BC) are in use.
_UV_PER_UNIT: dict[str, float] = {
    spelling: uv
    for uv, spellings in (
        (1e6, ("v", "volt", "volts")),
        (1e3, ("mv", "millivolt", "millivolts")),
        (1.0, ("uv", "µv", "μv", "microvolt", "microvolts")),
        (1e-3, ("nv", "nanovolt", "nanovolts")),
    )
    for spelling in spellings
}


def uv_per_unit(unit: str) -> float | None:
    """Microvolts in one ``unit`` (``V``, ``mV``, ``µV``, ``microvolts`` ...); None if no voltage.

    ``MV`` is refused: read as millivolts or megavolts it would be wrong by nine decades.
    """
    text = unit.strip()
    if text == "MV":
        return None
    return _UV_PER_UNIT.get(text.lower())


def stream_scale_uv(
    channel_names: Sequence[str],
    units: Sequence[str],
    signal: SignalSection,
    where: str,
    ignored: Set[str] = frozenset(),
    trigger_channel: str = "",
) -> FloatArray:
    """Microvolts per raw count of every channel, (channels,).

    A stream's own unit wins; ``scale_uv``, then ``unit`` of the case file stand in where the
    stream gives none. ``ignored`` channels need no unit; without one they are passed on as counts.
    The trigger channel needs none either: it is taken as it comes.

    Raises:
        MonitorError: a channel has neither, or its unit is no voltage. ``where`` names the stream.
    """
    fallback = signal.scale_uv if signal.scale_uv is not None else uv_per_unit(signal.unit)
    scale: list[float] = []
    nameless: list[str] = []
    for name, unit in zip(channel_names, units, strict=True):
        own = uv_per_unit(unit)
        if name == trigger_channel:
            scale.append(1.0 if own is None else own)
            continue
        if own is None and unit.strip():
            if fallback is None and name not in ignored:
                raise MonitorError(
                    f"{where}: channel {name}: unit {unit.strip()!r} is not a voltage; "
                    f"set signal.unit or signal.scale_uv, or leave it out: {ignore_setting(name)}"
                )
            own = fallback
        elif own is None and fallback is None and name not in ignored:
            nameless.append(name)
        scale.append(own if own is not None else fallback if fallback is not None else 1.0)
    if nameless:
        raise MonitorError(
            f"{where}: no unit for {', '.join(nameless)}; "
            'set signal.unit ("V", "mV", "uV") or signal.scale_uv, or leave it out: '
            f"{ignore_setting(nameless[0])}"
        )
    return np.asarray(scale, dtype=np.float64)


def refuse_nan_channels(
    channel_names: Sequence[str], silent: NDArray[np.bool_], where: str, ignored: Set[str]
) -> None:
    """Nothing can be measured on a channel that is NaN throughout (``silent``, (channels,)).

    Raises:
        MonitorError: there is one that isn't ignored. ``where`` names the stream.
    """
    nan = [n for n, no in zip(channel_names, silent, strict=True) if no and n not in ignored]
    if nan:
        raise MonitorError(
            f"{where}: channel {', '.join(nan)}: NaN throughout; "
            f"leave it out: {ignore_setting(nan[0])}"
        )


def ignore_setting(channel: str) -> str:
    """The lines of a case file that leave ``channel`` out, as one."""
    return f'[channels."{channel}"] ignore = true'
