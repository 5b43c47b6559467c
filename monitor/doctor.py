"""``mep-monitor doctor``: is everything here that a case needs?"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from monitor import __version__
from monitor.config import CaseConfig, MeasureSection
from monitor.page import PAGE_MISSING, page_is_built
from monitor.supervisor import listening
from monitor.types import MonitorError

PACKAGES = ("numpy", "scipy", "numba", "onnxruntime", "pylsl", "fastapi", "uvicorn", "websockets")

LSL_PORTS = (
    "LSL's data ports listen on all interfaces, whatever lsl_scope says (it limits discovery): "
    "on a shared network a firewall must close 16572-16604, TCP and UDP"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. Only ``fail`` stops a case from working."""

    level: Literal["ok", "note", "fail"]
    subject: str
    message: str


def examine(config: CaseConfig) -> Iterator[Finding]:
    """Look at everything, one finding a thing; nothing stops at the first fault."""
    yield Finding("ok", "mep-monitor", f"{__version__}, Python {platform.python_version()}")
    yield from (_package(name) for name in PACKAGES)
    yield _checked("liblsl", _lsl)
    yield Finding("note", "LSL ports", LSL_PORTS)
    yield _checked("network", lambda: _network(config.measure))
    yield _threads()
    yield _checked("kernel cache", _kernel_cache)
    if page_is_built():
        yield Finding("ok", "page", "built")
    else:
        yield Finding("note", "page", PAGE_MISSING)
    yield _checked("port", lambda: _port(config.gateway.host, config.gateway.port))


def _checked(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", subject, look())
    except MonitorError as error:
        return Finding("fail", subject, str(error))


def _package(name: str) -> Finding:
    try:
        return Finding("ok", name, version(name))
    except PackageNotFoundError:
        return Finding("fail", name, "not installed")


def _lsl() -> str:
    from monitor.sources.lsl_library import configure

    pylsl = configure("loopback")
    number = int(pylsl.library_version())
    return f"liblsl {number // 100}.{number % 100}"


def _network(measure: MeasureSection) -> str:
    from monitor.load_network import DEPLOYED_SHA256, load_network

    if not measure.network:
        return "not wanted (measure.network)"
    network = load_network(measure.network_sha256 or DEPLOYED_SHA256)
    return f"{network.name} {network.version}, sha256 {network.sha256[:12]}, golden sweeps right"


def _threads() -> Finding:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    more = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name, "1") != "1"]
    if more:
        return Finding("note", "threads", f"{', '.join(more)}: one thread has less jitter")
    return Finding("ok", "threads", "arithmetic on one thread")


def _kernel_cache() -> str:
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MonitorError(f"{folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise MonitorError(f"{folder}: can't be written, kernels would be compiled at each start")
    return str(folder)


def _port(host: str, port: int) -> str:
    with listening(host, port):
        return f"{port} on {host} is free"
