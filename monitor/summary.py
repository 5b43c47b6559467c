"""A closed case as a table in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_NUMBERS = ("trials", "resp.", "none", "uV", "onset ms", "alarms", "tech.")


def print_summary(summary: dict[str, Any], folder: Path | None) -> None:
    """A channel a row: responses and none, median amplitude and onset, alarms; then the files."""
    console = Console()
    # Names come from files and streams: as Text, their brackets are no markup.
    title = Text(f"{summary['case']['name']} ({summary['case']['kind']})")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("channel", "muscle"):
        table.add_column(heading, overflow="fold")
    for heading in _NUMBERS:
        table.add_column(heading, justify="right", no_wrap=True)
    for channel in summary["channels"]:
        statuses = channel["statuses"]
        table.add_row(
            Text(channel["channel"]),
            Text(channel["muscle"]),
            str(channel["trials"]),
            str(statuses.get("response", 0)),
            str(statuses.get("no_response", 0)),
            _cell(channel["amplitude_median_uv"], 0),
            _cell(channel["onset_median_ms"], 1),
            str(channel["alarms_physiological"]),
            str(channel["alarms_technical"]),
        )
    console.print(table)
    stimuli = ", ".join(f"{count} {name}" for name, count in summary["stimuli"].items())
    console.print(f"stimuli: {stimuli}", highlight=False, markup=False)
    for warning in summary["warnings"]:
        console.print(f"note: {warning}", highlight=False, markup=False)
    if folder is not None:
        console.print(f"files: {folder}", highlight=False, markup=False, soft_wrap=True)


def _cell(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"
