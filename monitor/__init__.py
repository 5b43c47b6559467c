"""mep-monitor: real-time intraoperative monitoring of motor evoked potentials.

Not a medical device. See ``docs/`` for the contract and the data path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.analysis import analyse

__all__ = ["__version__", "analyse"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Imported when asked for: `import monitor` stays quick, and a command can pin the number of
    # threads before numpy and Numba read it.
    if name == "analyse":
        from monitor.environment import prepare

        prepare()
        from monitor.analysis import analyse

        return analyse
    raise AttributeError(f"module 'monitor' has no attribute {name!r}")
