"""Takes a picture of the page with a high alarm on it: ``python -m bench.screenshot OUT.png``.

With ``--url`` of a page that is running; otherwise it starts ``mep-monitor demo`` and stops it
afterwards. Needs the development dependencies and Debian's Chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STOP_PATIENCE_S = 15


@contextmanager
def demo() -> Iterator[str]:
    """A simulated case in a process of its own; gives the address that it prints."""
    command = [sys.executable, "-m", "monitor", "demo", "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if found := re.search(r"http://\S+", line):
                # Read on, or the child would block once the pipe is full.
                threading.Thread(target=child.stdout.read, daemon=True).start()
                yield found.group()
                return
        raise SystemExit(f"{' '.join(command)}: printed no address")
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def take(url: str, out: Path, size: tuple[int, int], wait_for: str, timeout_s: float) -> None:
    """Open the page, wait until ``wait_for`` (a CSS selector) is there, and save what it shows."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS
        )
        page = chromium.new_page(viewport={"width": size[0], "height": size[1]})
        page.goto(url)
        try:
            page.wait_for_selector(wait_for, timeout=timeout_s * 1000)
        except Error as error:
            raise SystemExit(f"{url}: {error.message.splitlines()[0]}") from None
        page.wait_for_timeout(800)
        page.screenshot(path=out)
        chromium.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.screenshot", description=__doc__)
    parser.add_argument("out", type=Path, help="PNG file to write")
    parser.add_argument("--url", help="a page that is running already")
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT in pixels")
    parser.add_argument(
        "--wait-for", default=".cell[data-priority=high]", help="CSS selector to wait for"
    )
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds to wait for it")
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    with nullcontext(options.url) if options.url else demo() as url:
        take(url, options.out, (int(width), int(height)), options.wait_for, options.timeout)
    print(options.out)


if __name__ == "__main__":
    main()
