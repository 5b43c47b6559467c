"""The pure core does no I/O, starts no thread, reads no clock and draws no random number."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

MONITOR = Path(__file__).parents[1] / "monitor"
PURE = sorted(
    [MONITOR / name for name in ("types.py", "inputs.py", "pipeline.py")]
    + [path for room in ("acquire", "measure", "track") for path in (MONITOR / room).glob("*.py")]
)
ALLOWED_OUTSIDE = {
    "__future__", "base64", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib",
    "itertools", "json", "math", "msgspec", "numba", "numpy", "onnxruntime", "operator", "re",
    "scipy", "types", "typing",
}  # fmt: skip
ALLOWED_INSIDE = ("monitor.types", "monitor.inputs", "monitor.config", "monitor.acquire",
                  "monitor.measure", "monitor.track")  # fmt: skip
FORBIDDEN_CALLS = {"open", "print", "input"}
FORBIDDEN_NAMES = {"random", "default_rng", "fromfile", "tofile", "memmap", "save", "load"}


def imported(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports show where a thing comes from"
            names.append(node.module or "")
    return names


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(MONITOR)))
def test_imports_only_what_computes(path: Path) -> None:
    for name in imported(ast.parse(path.read_text())):
        if name.startswith("monitor"):
            assert name.startswith(ALLOWED_INSIDE), f"{path.name} imports {name}"
        else:
            assert name.split(".")[0] in ALLOWED_OUTSIDE, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(MONITOR)))
def test_touches_no_file_and_no_chance(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, f"{path.name} calls {node.func.id}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            inside_numpy = node.value.id in ("np", "numpy")
            assert not (inside_numpy and node.attr in FORBIDDEN_NAMES), f"{path.name}: {node.attr}"


def test_the_check_sees_the_core() -> None:
    rooms = {path.parent.name for path in PURE}
    assert {"acquire", "measure", "track"} <= rooms
    assert len(PURE) > 15


def test_rooms_depend_one_way() -> None:
    """acquire <- measure <- track may know what lies before them, never what lies after."""
    order = {"acquire": 0, "measure": 1, "track": 2}
    for path in PURE:
        own = order.get(path.parent.name)
        if own is None:
            continue
        for name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            if len(parts) > 1 and parts[0] == "monitor" and parts[1] in order:
                assert order[parts[1]] <= own, f"{path} imports {name}"
