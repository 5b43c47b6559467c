"""The files of a case: the contract's columns, fixed decimals, the same at every making."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from monitor.engine.case import run_case
from monitor.engine.feed import Unwatched
from monitor.journal.database import DATABASE_NAME, JournalReader, settle
from monitor.journal.epochs import EPOCHS_NAME
from monitor.journal.export import EXPORTED, export_case, zip_case
from monitor.types import MonitorError
from tests.running import CASE_ID, new_journal
from tests.scripted_core import CHANNELS, ScriptedPipeline, ScriptedSource, loss_and_recovery

CONTRACT = Path(__file__).parents[1] / "docs" / "contract.md"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen trials of three channels, a leg lost and recovered; nothing exported yet."""
    folder = new_journal(tmp_path_factory.mktemp("case"))
    items = loss_and_recovery()
    run_case(ScriptedSource(items), ScriptedPipeline(), folder, Unwatched(), case_id=CASE_ID)
    settle(folder)
    return folder


@pytest.fixture(scope="module")
def out(case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("out")
    export_case(case, target)
    return target


def columns_in_contract(file: str) -> list[str]:
    text = CONTRACT.read_text().replace("\n", " ")
    found = re.search(rf"`{re.escape(file)}`: `([^`]*)`", text)
    assert found, f"{file} is not described"
    return re.split(r",\s+", found.group(1))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("file", ["trials.csv", "alarms.csv"])
def test_columns_are_the_contracts_in_its_order(out: Path, file: str) -> None:
    header = (out / file).read_text().splitlines()[0].split(",")
    assert header == columns_in_contract(file)


def test_every_stimulus_has_a_row_for_every_channel(out: Path) -> None:
    rows = rows_of(out / "trials.csv")
    assert [(row["trial"], row["channel"]) for row in rows] == [
        (str(trial), channel.name) for trial in range(1, 17) for channel in CHANNELS
    ]


def test_numbers_have_fixed_decimals_and_nothing_is_empty(out: Path) -> None:
    lost = next(r for r in rows_of(out / "trials.csv") if r["status"] == "no_response")
    assert lost["stimulus_s"] == "10.000000"
    assert lost["amplitude_uv"] == "0.000"
    assert lost["percent_of_baseline"] == "0.0"
    assert lost["baseline_uv"] == "300.000"
    assert lost["onset_ms"] == ""
    assert lost["morphology"] == ""
    assert lost["comparable"] == "true"


def test_an_alarm_is_one_row_as_it_stands_at_last(out: Path) -> None:
    (alarm,) = rows_of(out / "alarms.csv")
    assert alarm["kind"] == "response_lost"
    assert (alarm["state"], alarm["priority"], alarm["channel"]) == ("latched", "high", "L-TA")
    assert alarm["raised_s"] == "10.000000"


def test_the_parquet_file_has_the_same_rows_with_their_types(out: Path) -> None:
    table = pq.read_table(out / "trials.parquet")
    rows = rows_of(out / "trials.csv")
    assert table.column_names == columns_in_contract("trials.csv")
    assert table.num_rows == len(rows)
    for typed, printed in zip(table.to_pylist(), rows, strict=True):
        assert typed["trial"] == int(printed["trial"])
        assert typed["comparable"] is (printed["comparable"] == "true")
        if printed["amplitude_uv"]:
            assert typed["amplitude_uv"] == pytest.approx(float(printed["amplitude_uv"]), abs=5e-4)
        else:
            assert typed["amplitude_uv"] is None


def test_the_summary_counts_what_happened(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    assert summary["stimuli"] == {"total": 16, "measured": 16}
    leg = summary["channels"][2]
    assert (leg["channel"], leg["muscle"]) == ("L-TA", "TA")
    assert leg["statuses"] == {"no_response": 3, "response": 13}
    assert leg["amplitude_median_uv"] == 300.0
    assert leg["onset_median_ms"] == 22.0
    assert leg["baselines"][0]["state"] == "frozen"
    assert leg["alarms_physiological"] == 1
    assert summary["alarms"] == {
        "total": 1,
        "by_class": {"physiological": 1},
        "by_kind": {"response_lost": 1},
        "standing": 1,
    }
    assert re.fullmatch(r"[0-9a-f]{64}", summary["fingerprint"])


def test_made_again_the_files_are_the_same_bytes(case: Path, out: Path, tmp_path: Path) -> None:
    export_case(case, tmp_path)
    for name in ("trials.csv", "alarms.csv", "summary.json"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_made_beside_the_journal_by_default(case: Path) -> None:
    export_case(case)
    assert {*EXPORTED, DATABASE_NAME, EPOCHS_NAME} == {path.name for path in case.iterdir()}


def test_a_zip_holds_the_whole_case(case: Path, tmp_path: Path) -> None:
    zip_case(case, tmp_path / "case.zip")
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        assert set(archive.namelist()) == {*EXPORTED, DATABASE_NAME, EPOCHS_NAME}
        archive.extractall(tmp_path / "out")
    with JournalReader(tmp_path / "out") as copy, JournalReader(case) as journal:
        assert copy.events() == journal.events()


def test_the_zip_process_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor.journal", str(tmp_path), str(tmp_path / "x.zip")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("no journal there\n")
    assert done.stderr.count("\n") == 1


def test_no_journal_and_no_room_are_named(case: Path, tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match="no journal there"):
        export_case(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match=r"file.*can't be written"):
        export_case(case, tmp_path / "file")
