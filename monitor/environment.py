"""What must be set before numpy, Numba and onnxruntime are imported, here and in every child."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def prepare() -> None:
    """One thread for arithmetic, and a folder for compiled kernels that this user can write.

    A second thread would only add jitter, and sums in another order.
    """
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    if "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache())


def kernel_cache() -> Path:
    """``$XDG_CACHE_HOME/mep-monitor/numba/<sources>``, or a folder of this user's own.

    Numba renews a kernel when its own file changes, but not when a kernel that it calls does, in
    another file. So each state of the sources has a folder of its own: a stale kernel would
    measure wrongly and say nothing.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    wanted = Path(home) / "mep-monitor" / "numba"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError:
        wanted = Path(tempfile.gettempdir()) / f"mep-monitor-{os.getuid()}" / "numba"
    if wanted.exists() and not os.access(wanted, os.W_OK | os.X_OK):
        wanted = Path(tempfile.gettempdir()) / f"mep-monitor-{os.getuid()}" / "numba"
    return wanted / _state_of_sources()


def _state_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        source = path.read_bytes()
        if b"njit" in source:
            digest.update(source)
    return digest.hexdigest()[:16]
