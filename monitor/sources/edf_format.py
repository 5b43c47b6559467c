"""The headers of EDF, EDF+, BDF and BDF+ files, and their annotations; bytes in, values out.

After Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+: doi 10.1016/s1388-2457(03)00123-8) and
BioSemi's description of BDF (24-bit samples, a ``Status`` channel with the triggers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.types import MonitorError

FIXED_BYTES = 256
SIGNAL_BYTES = 256


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: ``offset`` is where its samples begin in a data record, in samples."""

    label: str
    dimension: str
    physical_min: float
    physical_max: float
    digital_min: int
    digital_max: int
    samples: int
    offset: int

    @property
    def is_annotations(self) -> bool:
        return self.label in ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the data records.

    ``records`` is -1 where the recording was not closed; ``continuous`` is False for EDF+D, whose
    records say themselves when they begin.
    """

    sample_bytes: int
    header_bytes: int
    reserved: str
    records: int
    record_s: float
    signals: tuple[Signal, ...]

    @property
    def continuous(self) -> bool:
        return not self.reserved.startswith(("EDF+D", "BDF+D"))

    @property
    def record_samples(self) -> int:
        """Samples of all signals in a data record."""
        return sum(signal.samples for signal in self.signals)


def read_header(data: bytes, where: str) -> Header:
    """Read the header at the start of ``data``.

    Raises:
        MonitorError: it is no EDF or BDF header; the line names ``where`` and the field.
    """
    if data[:8] == b"0       ":
        sample_bytes = 2
    elif data[:8] == b"\xffBIOSEMI":
        sample_bytes = 3
    else:
        raise MonitorError(f"{where}: neither an EDF nor a BDF file (see its first 8 bytes)")
    fixed = _Fields(data[:FIXED_BYTES], where)
    n = fixed.whole(252, 4, "number of signals")
    if not 0 < n < 4096 or len(data) < FIXED_BYTES + n * SIGNAL_BYTES:
        raise MonitorError(f"{where}: the header ends too soon for {n} signals")
    own = _Fields(data[FIXED_BYTES : FIXED_BYTES + n * SIGNAL_BYTES], where)
    signals: list[Signal] = []
    offset = 0
    for k in range(n):
        label = own.text(16 * k, 16)
        at = n * 96  # after labels and transducers
        samples = own.whole(n * 216 + 8 * k, 8, f"samples of {label}")
        if samples < 0:
            raise MonitorError(f"{where}: signal {label}: {samples} samples in a record")
        signals.append(
            Signal(
                label=label,
                dimension=own.text(at + 8 * k, 8),
                physical_min=own.number(n * 104 + 8 * k, 8, f"physical minimum of {label}"),
                physical_max=own.number(n * 112 + 8 * k, 8, f"physical maximum of {label}"),
                digital_min=own.whole(n * 120 + 8 * k, 8, f"digital minimum of {label}"),
                digital_max=own.whole(n * 128 + 8 * k, 8, f"digital maximum of {label}"),
                samples=samples,
                offset=offset,
            )
        )
        offset += samples
    return Header(
        sample_bytes=sample_bytes,
        header_bytes=FIXED_BYTES + n * SIGNAL_BYTES,
        reserved=fixed.text(192, 44),
        records=fixed.whole(236, 8, "number of data records"),
        record_s=fixed.number(244, 8, "duration of a data record"),
        signals=tuple(signals),
    )


class _Fields:
    """Blank-padded text fields at fixed places."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._where = where

    def text(self, at: int, length: int) -> str:
        raw = self._data[at : at + length]
        # EDF is ASCII; a micro sign in a unit is what files in use break that with.
        return raw.decode("latin-1").strip(" \x00")

    def number(self, at: int, length: int, what: str) -> float:
        text = self.text(at, length)
        try:
            return float(text.replace(",", "."))
        except ValueError:
            raise MonitorError(f"{self._where}: {what}: {text!r} is not a number") from None

    def whole(self, at: int, length: int, what: str) -> int:
        value = self.number(at, length, what)
        if not value.is_integer():
            raise MonitorError(f"{self._where}: {what}: {value:g} is not a whole number")
        return int(value)


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation; ``onset_s`` counts from the start of the file."""

    onset_s: float
    text: str


def read_annotations(data: bytes) -> tuple[float | None, list[Annotation]]:
    """The time-stamped annotation lists of one data record.

    A list is ``onset [0x15 duration] 0x14 text 0x14 text 0x14 ... 0x00``. The record's first one
    has an empty text and tells when the record begins. A list that can't be read is left out.

    Returns:
        When the record begins (s; None where it does not say) and the annotations with a text.
    """
    begin_s: float | None = None
    found: list[Annotation] = []
    for k, piece in enumerate(part for part in data.split(b"\x00") if part):
        times, *texts = piece.split(b"\x14")
        try:
            onset_s = float(times.split(b"\x15")[0])
        except ValueError:
            continue
        if k == 0 and texts and not texts[0]:
            begin_s = onset_s
        found += [Annotation(onset_s, t.decode("utf-8", "replace")) for t in texts if t]
    return begin_s, found


def whole_numbers(raw: np.ndarray, sample_bytes: int) -> np.ndarray:
    """Little-endian two's-complement samples of 2 or 3 bytes as int32.

    Args:
        raw: (..., n * sample_bytes) uint8.
    """
    if sample_bytes == 2:
        return np.ascontiguousarray(raw).view("<i2").astype(np.int32)
    padded = np.zeros((*raw.shape[:-1], raw.shape[-1] // 3, 4), dtype=np.uint8)
    padded[..., 1:] = raw.reshape(*raw.shape[:-1], -1, 3)
    # The sample lies in the upper three bytes: the shift brings its sign along.
    numbers: np.ndarray = padded.view("<i4")[..., 0] >> 8
    return numbers
