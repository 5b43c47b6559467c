"""EDF, EDF+, BDF and BDF+: sample for sample, with triggers, gaps and truncations."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from monitor.config import SignalSection
from monitor.sources.base import open_recording
from monitor.sources.edf import EdfRecording
from monitor.sources.edf_format import read_annotations, whole_numbers
from monitor.types import Chunk, Marker, MonitorError

RECORD_S = 0.1
N = 200  # samples a record: 2000 Hz


def field(value: object, length: int) -> bytes:
    return str(value).encode("latin-1").ljust(length)


def written(
    path: Path,
    signals: Sequence[tuple[str, str, int]],
    records: Sequence[Sequence[np.ndarray | bytes]],
    *,
    bdf: bool = False,
    reserved: str = "",
    count: int | None = None,
) -> Path:
    """``signals`` are (label, unit, samples a record); physical = digital / 10."""
    high = 8_000_000 if bdf else 32_000
    low = -high
    n = len(signals)
    count = len(records) if count is None else count
    data = b"\xffBIOSEMI" if bdf else b"0".ljust(8)
    data += field("p", 80) + field("r", 80) + field("01.01.26", 8) + field("08.00.00", 8)
    data += field(256 * (n + 1), 8) + field(reserved, 44) + field(count, 8)
    data += field(RECORD_S, 8) + field(n, 4)
    for column in (
        [field(label, 16) for label, _, _ in signals],
        [field("", 80)] * n,
        [field(unit, 8) for _, unit, _ in signals],
        [field(low // 10, 8)] * n,
        [field(high // 10, 8)] * n,
        [field(low, 8)] * n,
        [field(high, 8)] * n,
        [field("", 80)] * n,
        [field(samples, 8) for _, _, samples in signals],
        [field("", 32)] * n,
    ):
        data += b"".join(column)
    for record in records:
        for part in record:
            if isinstance(part, bytes):
                data += part
            elif bdf:
                data += b"".join(struct.pack("<i", int(v))[:3] for v in part)
            else:
                data += part.astype("<i2").tobytes()
    path.write_bytes(data)
    return path


def tal(begin_s: float, *annotations: str, size: int = 120) -> bytes:
    text = f"+{begin_s:g}\x14\x14\x00" + "".join(annotations)
    return text.encode().ljust(size, b"\x00")


RAMP = [np.arange(N) + N * k for k in range(3)]


@pytest.mark.parametrize("bdf", [False, True])
@pytest.mark.parametrize(("unit", "uv"), [("uV", 1.0), ("mV", 1000.0), ("\xb5V", 1.0)])
def test_samples_at_any_place_in_microvolts(
    tmp_path: Path, bdf: bool, unit: str, uv: float
) -> None:
    path = written(
        tmp_path / f"a.{'bdf' if bdf else 'edf'}",
        [("L-APB", unit, N), ("ECG", "uV", N // 2), ("R-TA", unit, N), ("Temp", "degC", N)],
        [[ramp, ramp[::2], -ramp, ramp] for ramp in RAMP],
        bdf=bdf,
    )
    recording = EdfRecording(path)
    assert recording.info.channel_names == ("L-APB", "R-TA")
    assert recording.info.fs_hz == N / RECORD_S
    assert recording.n_samples == 3 * N
    ramp = np.arange(3 * N) / 10 * uv
    for start, stop in ((0, 3 * N), (150, 250), (N, 2 * N), (399, 401), (7, 7)):
        expected = np.stack([ramp[start:stop], -ramp[start:stop]], axis=1)
        np.testing.assert_allclose(recording.samples_uv(start, stop), expected, rtol=1e-5)
        np.testing.assert_allclose(recording.t_lsl(start, stop), np.arange(start, stop) / 2000)
    assert "ECG left out: 1000 Hz is not the rate" in recording.warnings[0]
    assert "Temp left out: 'degC' is no voltage" in recording.warnings[1]
    assert "no annotations" in recording.warnings[2]


def test_annotations_are_markers(tmp_path: Path) -> None:
    lists = [
        tal(0, "+0.05\x150.1\x14TES 400V\x14\x00"),
        tal(0.1, "+0.1\x14one\x14two\x14\x00", "nonsense\x14x\x14\x00"),
        tal(0.2, "-0.5\x14µV\x14\x00"),
    ]
    records = [[ramp, text] for ramp, text in zip(RAMP, lists, strict=True)]
    signals = [("APB", "uV", N), ("EDF Annotations", "", 60)]
    path = written(tmp_path / "a.edf", signals, records, reserved="EDF+C")
    expected = [(-0.5, "µV"), (0.05, "TES 400V"), (0.1, "one"), (0.1, "two")]
    assert [(m.t_lsl, m.value) for m in EdfRecording(path).markers] == expected
    with open_recording(path) as source:
        items = []
        while not source.exhausted:
            items += source.read(0.0)
    assert sum(isinstance(item, Marker) for item in items) == 4
    assert sum(len(item.t_lsl) for item in items if isinstance(item, Chunk)) == 3 * N


@pytest.mark.parametrize("search_bytes", [1, 2**24])
def test_rises_of_the_status_channel_are_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, search_bytes: int
) -> None:
    monkeypatch.setattr("monitor.sources.edf._SEARCH_BYTES", search_bytes)
    status = np.full(3 * N, 1 << 20)  # a bit that tells of the amplifier
    status[50:60] |= 255
    status[198:210] |= 4
    status[210:220] |= 40000
    parts = np.split(status, 3)
    path = written(
        tmp_path / "a.bdf",
        [("APB", "uV", N), ("Status", "Boolean", N)],
        [[ramp, part] for ramp, part in zip(RAMP, parts, strict=True)],
        bdf=True,
    )
    recording = EdfRecording(path)
    assert recording.info.channel_names == ("APB",)
    found = [(round(m.t_lsl * 2000), m.value) for m in recording.markers]
    assert found == [(50, 255), (198, 4), (210, 40000)]


def test_records_with_a_pause_between_them_are_segments(tmp_path: Path) -> None:
    records = [[ramp, tal(at)] for ramp, at in zip(RAMP, (0.0, 0.1, 5.0), strict=True)]
    signals = [("APB", "uV", N), ("EDF Annotations", "", 60)]
    recording = EdfRecording(written(tmp_path / "a.edf", signals, records, reserved="EDF+D"))
    assert recording.segments == [(0, 0), (2 * N, 10000)]
    np.testing.assert_allclose(recording.t_lsl(2 * N - 1, 2 * N + 1), [0.1995, 5.0])
    gapless = [[ramp, tal(at)] for ramp, at in zip(RAMP, (3.0, 3.1, 3.2), strict=True)]
    path = written(tmp_path / "b.edf", signals, gapless, reserved="EDF+D")
    assert EdfRecording(path).segments == [(0, 0)]


def test_every_truncation_gives_the_whole_records_and_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path / "a.edf", [("APB", "uV", N)], [[ramp] for ramp in RAMP])
    data = path.read_bytes()
    for size in range(0, len(data), 37):
        path.write_bytes(data[:size])
        whole = max(0, size - 512) // (2 * N)
        if whole == 0:
            with pytest.raises(MonitorError, match=r"a\.edf: "):
                EdfRecording(path)
            continue
        recording = EdfRecording(path)
        assert recording.n_samples == whole * N
        assert f"{whole} whole ones are read" in recording.warnings[0]


def test_a_recording_that_was_not_closed_is_read_to_its_end(tmp_path: Path) -> None:
    path = written(tmp_path / "a.edf", [("APB", "uV", N)], [[r] for r in RAMP], count=-1)
    recording = EdfRecording(path)
    assert recording.n_samples == 3 * N
    assert "not closed" in recording.warnings[0]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    other = tmp_path / "x.edf"
    other.write_bytes(b"BrainVision" * 100)
    with pytest.raises(MonitorError, match=r"x\.edf: neither an EDF nor a BDF file"):
        EdfRecording(other)
    good = written(tmp_path / "a.edf", [("APB", "uV", N)], [[RAMP[0]]]).read_bytes()
    for at, text, what in (
        (244, b"zero    ", "duration of a data record: 'zero'"),
        (244, b"0       ", "duration of a data record: 0 s"),
        (256 + 216, b"1.5     ", "samples of APB: 1.5 is not a whole number"),
        (256 + 96, b"degC    ", "no channel holds a voltage"),
    ):
        other.write_bytes(good[:at] + text + good[at + 8 :])
        with pytest.raises(MonitorError, match=what):
            EdfRecording(other)
    other.write_bytes(good[: 256 + 96] + b" " * 8 + good[256 + 104 :])
    assert EdfRecording(other, SignalSection(unit="mV")).n_samples == N


def test_numbers_of_three_bytes_keep_their_sign() -> None:
    values = np.array([0, 1, -1, 2**23 - 1, -(2**23)])
    raw = np.frombuffer(b"".join(struct.pack("<i", v)[:3] for v in values.tolist()), np.uint8)
    np.testing.assert_array_equal(whole_numbers(raw, 3), values)


def test_annotations_that_can_not_be_read_are_left_out() -> None:
    assert read_annotations(b"") == (None, [])
    begin_s, found = read_annotations(b"+1\x14\x14\x00?\x14lost\x14\x00+2\x14kept\x14\x00")
    assert begin_s == 1.0
    assert [one.text for one in found] == ["kept"]


@pytest.mark.parametrize("kind", ["edf", "bdf"])
def test_files_of_another_writer_read_alike(tmp_path: Path, kind: str) -> None:
    edfio = pytest.importorskip("edfio", reason="edfio writes the files of this test")
    rng = np.random.default_rng(1)
    signals = rng.normal(0, 100, (2, 10000))
    make, file = (edfio.EdfSignal, edfio.Edf) if kind == "edf" else (edfio.BdfSignal, edfio.Bdf)
    path = tmp_path / f"other.{kind}"
    file(
        [
            make(one, 5000, label=label, physical_dimension="uV")
            for one, label in zip(signals, ("L-APB", "R-APB"), strict=True)
        ],
        annotations=[edfio.EdfAnnotation(k / 4, None, f"TES {k}") for k in range(8)],
    ).write(path)
    recording = EdfRecording(path)
    assert recording.info.fs_hz == 5000.0
    np.testing.assert_allclose(recording.samples_uv(0, 10000), signals.T, atol=0.02)
    assert [(m.t_lsl, m.value) for m in recording.markers] == [
        (k / 4, f"TES {k}") for k in range(8)
    ]
    assert all(a <= b for a, b in pairwise(recording.marker_arrival_s))
