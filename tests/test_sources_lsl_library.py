import subprocess
import sys
from pathlib import Path

import pytest

from monitor.sources.lsl_library import configure, settings
from monitor.types import MonitorError

ROOT = Path(__file__).parents[1]


def test_loopback_names_no_other_machine() -> None:
    text = settings("loopback")
    assert "ResolveScope = machine" in text
    assert "ListenAddress = 127.0.0.1" in text
    assert "KnownPeers = {127.0.0.1}" in text
    assert "IPv6 = disable" in text
    for group in ("Link", "Site", "Organization", "Global"):
        assert f"{group}Addresses = {{}}" in text


def test_a_session_keeps_cases_on_one_machine_apart() -> None:
    assert "SessionID = theatre-2" in settings("loopback", "theatre-2").partition("[lab]")[2]
    assert "SessionID" not in settings("loopback")


def test_default_leaves_liblsl_to_its_own_file() -> None:
    assert settings("default", "theatre-2") == ""


def test_repeating_is_fine_and_another_scope_is_refused() -> None:
    assert configure("loopback") is configure("loopback")
    with pytest.raises(MonitorError, match=r"lsl_scope site: .* already uses LSL with scope loop"):
        configure("site")


def test_no_liblsl_is_one_clear_line() -> None:
    code = (
        "import sys; sys.modules['pylsl'] = None\n"
        "from monitor.sources.lsl_library import configure\n"
        "from monitor.types import MonitorError\n"
        "try: configure('loopback')\n"
        "except MonitorError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("liblsl can't be loaded (pylsl): ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
