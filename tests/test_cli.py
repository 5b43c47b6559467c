"""The commands: exit codes, one line for what a person can mend, and no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import __version__
from monitor.supervisor import listening
from tests.running import new_journal

NO_NETWORK = "[measure]\nnetwork = false\n"


def mep_monitor(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "monitor", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a person is told by a command that could not do its work."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("mep-monitor: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_version_and_commands() -> None:
    assert mep_monitor("--version").stdout == f"mep-monitor {__version__}\n"
    listed = mep_monitor("--help").stdout
    commands = re.findall(r"^  ([a-z]+)  ", listed, re.M)
    assert commands == ["demo", "run", "replay", "watch", "doctor", "export"]
    assert "Not a medical device" in " ".join(listed.split())


def test_a_replay_prints_a_table_and_leaves_its_files(tmp_path: Path, shared_data: Path) -> None:
    recording = shared_data / "tms-brainvision" / "tms-hand.vhdr"
    config = tmp_path / "case.toml"
    config.write_text(NO_NETWORK + '[stimulus]\npattern = "no such"\n')
    done = mep_monitor(
        "replay", recording, "--config", config, "--stimulus", "S255", "--out", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"RFDI +FDI +20 +20 +0 ", done.stdout)
    assert f"files: {tmp_path / 'out'}" in done.stdout
    assert (tmp_path / "out" / "trials.csv").read_text().count("\n") == 81
    again = mep_monitor("export", tmp_path / "out", "--out", tmp_path / "again")
    assert again.returncode == 0
    for name in ("trials.csv", "alarms.csv", "summary.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "missing.vhdr"], "missing.vhdr: no such file"),
        (["replay", "case.toml"], "case.toml: .toml can't be read"),
        (["replay", "x.vhdr", "--speed", "fast"], "--speed fast: give 'max'"),
        (["replay", "x.vhdr", "--speed", "0"], "--speed 0: give 'max'"),
        (["replay", "x.vhdr", "--lsl", "--speed", "2"], "--speed can't be given"),
        (["replay", "x.vhdr", "--stimulus", "("], "stimulus"),
        (["replay", "x.vhdr", "--config", "none.toml"], "none.toml: can't be read"),
        (["run", "--config", "wrong.toml"], "wrong.toml: setting"),
        (["run", "--lsl-scope", "moon"], "signal.lsl_scope"),
        (["export", "."], "no journal there"),
        (["watch", "ftp://x"], "not the address of a monitor"),
        (["watch", "127.0.0.1:9"], "no monitor answers there"),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    tmp_path: Path, monkeypatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "case.toml").write_text(NO_NETWORK)
    (tmp_path / "wrong.toml").write_text("[stimulus]\npatern = 'x'\n")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    assert says in one_line(mep_monitor(*arguments))


@pytest.mark.parametrize("command", [["demo"], ["run"], ["replay", "x.vhdr", "--serve"]])
def test_a_taken_port_is_one_line_and_nothing_is_started(tmp_path: Path, command) -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        told = one_line(mep_monitor(*command, "--port", port, "--out", tmp_path / "out"))
    assert f"port {port} on 127.0.0.1" in told
    assert not (tmp_path / "out").exists()


def test_an_unknown_option_is_a_usage_error() -> None:
    done = mep_monitor("run", "--nonsense")
    assert done.returncode == 2
    assert "--nonsense" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_liblsl_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "pylsl.py").write_text("raise RuntimeError('LSL binary library file not found')")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = mep_monitor("run", "--port", 0, "--out", tmp_path / "out", PYTHONPATH=path)
    lines = [line for line in done.stderr.splitlines() if "page is not built" not in line]
    assert done.returncode == 2
    assert len(lines) == 1
    assert "liblsl can't be loaded (pylsl): LSL binary library file not found" in lines[0]


def test_a_journal_without_a_case_can_be_exported(tmp_path: Path) -> None:
    done = mep_monitor("export", new_journal(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "stimuli: 0 total" in done.stdout
