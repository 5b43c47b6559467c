"""Shared by all tests: one thread a library that computes, no time limit per example."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.environment import prepare

# Before numpy is imported: threads, and compiled kernels that belong to these very sources.
prepare()
# Children inherit it: no test meets the LSL streams of anything else on this machine.
os.environ.setdefault("MEP_MONITOR_LSL_SESSION", f"test-{os.getpid()}")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# A shared machine stalls now and then; a property that is slow once is not wrong. A red run is to
# be about the change that it ran on: its examples are the same every time. `make explore` seeks
# others.
settings.register_profile("monitor", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("monitor")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The real recordings beside the checkout; skips where they are not."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the recordings in ../shared/data are not here")
    return SHARED_DATA
