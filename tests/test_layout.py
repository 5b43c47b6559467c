"""Where things are: a test file for every module, and no link that leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
MONITOR = ROOT / "monitor"

#: Modules without a test file of their own, and where they are tested instead.
ELSEWHERE = {
    "__main__": "test_packaging.py",  # one call
    "commands": "test_cli.py",  # what the commands do is tested by giving them
    "engine/__main__": "test_supervisor.py",  # the process that it starts
    "engine/answers": "test_engine_case.py",  # every request and act, through the engine
    "engine/counts": "test_engine_case.py",  # gathered for the beat, and read there
    "engine/feed": "test_engine_case.py",  # a protocol, and the feed that nobody watches
    "engine/seams": "test_engine_case.py",  # protocols
    "gateway/__main__": "test_gateway_app.py",  # its server carries every test there
    "gateway/bodies": "test_gateway_app.py",  # what REST answers, held against its answers
    "gateway/metrics": "test_gateway_hub.py",  # counters, read where they count
    "gateway/rest": "test_gateway_app.py",  # every call, over HTTP
    "inputs": "test_sources_input_order.py",  # values without behaviour, there and back
    "journal/__main__": "test_gateway_app.py",  # the process that makes the export's ZIP
    "sources/edf_format": "test_sources_edf.py",  # the header, read by every test of the reader
    "measure/onset_curves": "test_measure_onset.py",  # numbers, weighed there
    "track/evidence": "test_track_loss.py",  # every value that explains a loss
    "track/following": "test_track_tracker.py",  # the tracker's own book of settings
    "track/learning": "test_track_elsewhere.py",  # withheld; the rest through the tracker
    "track/kernel": "test_track_estimator.py",  # the estimator's arithmetic
    "track/loss_elsewhere": "test_track_elsewhere.py",  # what other settings do to a loss
    "track/loss_trials": "test_track_loss.py",  # the life that its trials give it
    "track/stimulation": "test_track_tiers.py",  # intensity, threshold rise, advisory signs
    "page": "test_packaging.py",  # where the page lies in checkout and wheel
    "types": "test_wire.py",  # values without behaviour, there and back
}
#: A room is more than its modules: these test one as a whole.
OF_A_ROOM = {
    "acquire_accounting",
    "acquire_trains",
    "track_elsewhere",
    "track_machine",
    "track_profiles",
    "track_tiers",
}


def modules() -> list[str]:
    found = (path.relative_to(MONITOR).with_suffix("") for path in MONITOR.rglob("*.py"))
    return sorted(path.as_posix() for path in found if path.name != "__init__")


def test_every_module_has_its_test_file() -> None:
    without = {
        module
        for module in modules()
        if not (TESTS / f"test_{module.replace('/', '_')}.py").is_file()
    }
    assert without == set(ELSEWHERE)
    for name in ELSEWHERE.values():
        assert (TESTS / name).is_file(), name


def test_every_test_file_of_a_room_has_its_module() -> None:
    named = {module.replace("/", "_") for module in modules()} | OF_A_ROOM
    rooms = {module.partition("/")[0] for module in modules() if "/" in module}
    for path in TESTS.glob("test_*.py"):
        name = path.stem.removeprefix("test_")
        if name.partition("_")[0] in rooms:
            assert any(name == n or name.startswith(f"{n}_") for n in named), path.name


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda page: page.name,
)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for link in links:
        if not re.match(r"[a-z]+:|#", link):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"
