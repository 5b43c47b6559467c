"""The documentation says what the code does: settings, files, commands, alarm kinds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
import typer.main

from monitor import config
from monitor.cli import app
from monitor.journal.export import ALARM_COLUMNS, TRIAL_COLUMNS
from monitor.types import AlarmKind

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CASE = (DOCS / "case.toml").read_text()


def sections() -> list[tuple[str, type[msgspec.Struct]]]:
    found = [(f.name, f.type) for f in msgspec.structs.fields(config.CaseConfig)]
    return [(n, t) for n, t in found if isinstance(t, type) and issubclass(t, msgspec.Struct)]


def test_the_example_case_is_valid_and_shows_the_defaults() -> None:
    example = config.load(DOCS / "case.toml")
    plain = msgspec.to_builtins(config.CaseConfig())
    shown = msgspec.to_builtins(example)
    assert shown == plain


@pytest.mark.parametrize(("section", "kind"), sections())
def test_every_setting_is_explained_in_the_example(section: str, kind: type) -> None:
    part = CASE.split(f"[{section}]")[1].split("\n[")[0]
    for field in msgspec.structs.fields(kind):
        explained = rf"^(# )?{field.name} = .*#.+$"
        if field.name == "pattern":  # its own line is full: the lines above explain it
            explained = r"^# Searched in each marker's text[\s\S]+?^pattern = "
        line = re.search(explained, part, re.MULTILINE)
        assert line, f"docs/case.toml does not explain [{section}] {field.name}"


def test_every_channel_setting_is_explained() -> None:
    part = CASE[CASE.index('# [channels."L-APB"]') :].replace("# ", "", 1).replace("\n# ", "\n")
    shown = config.from_mapping(tomllib.loads(part), "docs/case.toml").channels["L-APB"]
    assert shown.muscle == "APB"
    for field in msgspec.structs.fields(config.MuscleSection):
        assert f"\n{field.name} = " in part


def test_the_contract_lists_every_column() -> None:
    contract = re.sub(r"\s+", " ", (DOCS / "contract.md").read_text())
    assert ", ".join(column.name for column in TRIAL_COLUMNS) in contract
    assert ", ".join(column.name for column in ALARM_COLUMNS) in contract


def test_the_contract_lists_every_alarm_kind() -> None:
    contract = (DOCS / "contract.md").read_text()
    for kind in AlarmKind:
        assert f"`{kind.value}`" in contract


def test_the_readme_names_every_command_and_no_other() -> None:
    listed = {command.name or "" for command in typer.main.get_group(app).commands.values()}
    readme = (ROOT / "README.md").read_text()
    assert {"demo", "run", "replay", "watch"} <= listed
    for command in listed:
        assert f"mep-monitor {command}" in readme, command
    for command in re.findall(r"(?:^|`)mep-monitor ([a-z-]+)", readme, re.MULTILINE):
        assert command in listed, command


def test_versions_agree() -> None:
    import monitor

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == monitor.__version__
    assert f"## {monitor.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_no_lock_file_holds_an_address() -> None:
    locks = [*ROOT.glob("*.lock"), ROOT / "monitor" / "dashboard" / "package-lock.json"]
    assert len(locks) == 3
    for lock in locks:
        assert "://" not in lock.read_text(), lock.name
