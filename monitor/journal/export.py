"""The files of a case, made from its journal: ``trials.csv``, ``trials.parquet``, ``alarms.csv``,
``summary.json``.

They can be made again at any time. The CSV files print fixed decimals, for people; the Parquet file
has the numbers as they were measured.
"""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.journal.database import DATABASE_NAME, JournalReader
from monitor.journal.epochs import EPOCHS_NAME
from monitor.journal.fold import Body, CaseFold, fingerprint, fold
from monitor.types import MonitorError, Status

EXPORTED = ("trials.csv", "trials.parquet", "alarms.csv", "summary.json")

_SECONDS, _UV, _MS, _RATIO, _SHARE, _PERCENT = "%.6f", "%.3f", "%.3f", "%.2f", "%.4f", "%.1f"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, how the CSV prints a number (empty: as it is), its Parquet type."""

    name: str
    printed: str
    parquet: pa.DataType


def _number(name: str, printed: str) -> Column:
    return Column(name, printed, pa.float64())


def _text(name: str) -> Column:
    return Column(name, "", pa.string())


def _whole(name: str) -> Column:
    return Column(name, "", pa.int64())


TRIAL_COLUMNS = (
    _whole("trial"),
    _number("stimulus_s", _SECONDS),
    _text("setting"),
    _text("channel"),
    _text("muscle"),
    _text("status"),
    _text("reasons"),
    _number("amplitude_uv", _UV),
    _number("amplitude_raw_uv", _UV),
    _number("amplitude_lower_uv", _UV),
    _number("amplitude_upper_uv", _UV),
    _number("onset_ms", _MS),
    _number("onset_from_last_ms", _MS),
    _number("duration_ms", _MS),
    _number("area_uv_ms", _UV),
    _whole("phases"),
    _text("morphology"),
    _number("snr", _RATIO),
    _number("response_probability", _SHARE),
    _number("artefact_probability", _SHARE),
    _number("onset_tkeo_ms", _MS),
    _number("onset_network_ms", _MS),
    _number("amplitude_network_uv", _UV),
    _number("baseline_uv", _UV),
    _number("percent_of_baseline", _PERCENT),
    Column("comparable", "", pa.bool_()),
    _text("alarm"),
)

ALARM_COLUMNS = (
    _whole("id"),
    _text("kind"),
    _text("class"),
    _text("priority"),
    _text("state"),
    _text("setting"),
    _text("channel"),
    _text("muscle"),
    _whole("trial"),
    _number("raised_s", _SECONDS),
    _number("resolved_s", _SECONDS),
    _text("acknowledged_by"),
    _number("percent_of_baseline", _PERCENT),
    _text("rule"),
)


def trial_rows(trials: Iterable[Body]) -> Iterator[Body]:
    """One row per stimulus and channel, by column name, with the values as they were measured."""
    for trial in trials:
        for channel in trial["channels"]:
            row = {column.name: channel.get(column.name) for column in TRIAL_COLUMNS}
            row["trial"] = trial["trial"]
            row["stimulus_s"] = trial["stimulus_s"]
            row["setting"] = trial["setting"]
            row["reasons"] = ";".join(channel["reasons"])
            yield row


def _printed(row: Mapping[str, Any], columns: tuple[Column, ...]) -> list[str]:
    cells = []
    for column in columns:
        value = row[column.name]
        if value is None:
            cells.append("")
        elif isinstance(value, bool):
            cells.append("true" if value else "false")
        elif column.printed:
            # Adding 0.0 turns -0.0 into 0.0, which is what it is.
            cells.append(column.printed % (float(value) + 0.0))
        else:
            cells.append(str(value))
    return cells


def _csv(rows: Iterable[Mapping[str, Any]], columns: tuple[Column, ...]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    writer.writerows(_printed(row, columns) for row in rows)
    return text.getvalue().encode("utf-8")


def _parquet(rows: list[Body]) -> bytes:
    schema = pa.schema([(column.name, column.parquet) for column in TRIAL_COLUMNS])
    table = pa.table(
        {c.name: pa.array([r[c.name] for r in rows], type=c.parquet) for c in TRIAL_COLUMNS},
        schema=schema,
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    written: bytes = sink.getvalue().to_pybytes()
    return written


def summary(case: CaseFold, meta: Mapping[str, str]) -> Body:
    """``summary.json``: the fingerprint, and the case in numbers."""
    described: Body = json.loads(meta.get("case", "{}"))
    return {
        "fingerprint": fingerprint(case),
        "case": {key: described.get(key) for key in ("id", "name", "procedure", "kind")},
        "source": json.loads(meta.get("source", "{}")),
        "started_utc": described.get("started_utc"),
        "fs_hz": described.get("fs_hz"),
        "stimuli": _stimuli(case.trials),
        "channels": [_channel(c["channel"], case) for c in described.get("channels", [])],
        "alarms": _alarm_counts(case),
        "warnings": json.loads(meta.get("warnings", "[]")),
        "recording": json.loads(meta.get("recording", "null")),
        "last_seq": case.last_seq,
        "network": described.get("network"),
        "versions": json.loads(meta.get("versions", "{}")),
    }


def _stimuli(trials: list[Body]) -> Body:
    """How the stimuli came out: measured, or why there was no epoch."""
    unmeasured = {Status.LATE.value, Status.GAP.value, Status.INCOMPLETE.value}
    outcomes: Counter[str] = Counter()
    for trial in trials:
        statuses = {channel["status"] for channel in trial["channels"]}
        outcomes[min(statuses & unmeasured) if statuses & unmeasured else "measured"] += 1
    return {"total": len(trials), **dict(sorted(outcomes.items()))}


def _channel(name: str, case: CaseFold) -> Body:
    rows = [c for trial in case.trials for c in trial["channels"] if c["channel"] == name]
    responses = [row for row in rows if row["status"] == Status.RESPONSE]
    raised = {a["id"] for a in case.alarms.values() if a["channel"] == name}
    physiological = {
        a["id"]
        for a in case.alarms.values()
        if a["channel"] == name and a["class"] == "physiological"
    }
    baselines = [b for b in case.baselines.values() if b["channel"] == name]
    return {
        "channel": name,
        "muscle": rows[0]["muscle"] if rows else "",
        "trials": len(rows),
        "statuses": dict(sorted(Counter(row["status"] for row in rows).items())),
        "reasons": dict(sorted(Counter(r for row in rows for r in row["reasons"]).items())),
        "amplitude_median_uv": _median(row["amplitude_uv"] for row in responses),
        "onset_median_ms": _median(row["onset_ms"] for row in responses),
        "baselines": [
            {key: b[key] for key in ("setting", "state", "amplitude_uv", "accepted", "responses")}
            for b in baselines
        ],
        "alarms_physiological": len(physiological),
        "alarms_technical": len(raised - physiological),
    }


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _alarm_counts(case: CaseFold) -> Body:
    alarms = list(case.alarms.values())
    return {
        "total": len(alarms),
        "by_class": dict(sorted(Counter(a["class"] for a in alarms).items())),
        "by_kind": dict(sorted(Counter(a["kind"] for a in alarms).items())),
        "standing": sum(a["state"] != "resolved" for a in alarms),
    }


def export_case(folder: Path, out: Path | None = None) -> Body:
    """Make the files of the case in ``folder``, into ``out`` or beside the journal.

    Gives the summary. Each file appears whole or not at all.

    Raises:
        MonitorError: no journal there, or ``out`` can't be written.
    """
    with JournalReader(folder) as journal:
        case = fold(journal.walk())
        meta = journal.meta
    rows = list(trial_rows(case.trials))
    alarms = [case.alarms[key] for key in sorted(case.alarms)]
    described = summary(case, meta)
    files = {
        "trials.csv": _csv(rows, TRIAL_COLUMNS),
        "trials.parquet": _parquet(rows),
        "alarms.csv": _csv(alarms, ALARM_COLUMNS),
        "summary.json": msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n",
    }
    target = folder if out is None else out
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _write(target / name, content)
    except OSError as error:
        raise MonitorError(f"{target}: can't be written: {error.strerror}") from None
    return described


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def zip_case(folder: Path, path: Path) -> None:
    """The case as one ZIP, of a running case too: its files and a consistent copy of its journal.

    Raises:
        MonitorError: no journal there, or the ZIP can't be written.
    """
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mep-export-") as scratch,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            made = Path(scratch)
            # Files and journal from the same copy: they must tell the same story.
            with JournalReader(folder) as journal:
                journal.copy_to(made / DATABASE_NAME)
            export_case(made)
            for name in (*EXPORTED, DATABASE_NAME):
                archive.write(made / name, name)
            if (folder / EPOCHS_NAME).is_file():
                archive.write(folder / EPOCHS_NAME, EPOCHS_NAME, zipfile.ZIP_STORED)
    except OSError as error:
        raise MonitorError(f"{path}: can't be written: {error.strerror}") from None
