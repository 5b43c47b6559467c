"""``mep-monitor fine-tune``: hands labelled sweeps to the training code, where there is any.

Training needs the checkout (:mod:`models` is no part of the installed package) and PyTorch; both
are asked for here, in one line, before anything is read.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from monitor.types import MonitorError

CHECKOUT = Path(__file__).parents[1]
NEEDED = ("torch", "onnx", "onnxscript")


def fine_tune(data: Path, out: Path, steps: int, checkout: Path = CHECKOUT) -> str:
    """Fit the deployed network to the labelled ``.npz`` files of ``data``; see models.fine_tune.

    Returns:
        The SHA-256 of the new file, which a case file names to use it.

    Raises:
        MonitorError: no checkout, no training packages, or sweeps that can't be used.
    """
    if out.suffix != ".onnx":
        raise MonitorError(f"{out}: the network's file must end in .onnx")
    if not (checkout / "models" / "fine_tune.py").is_file():
        raise MonitorError("fine-tune: needs a checkout of mep-monitor (a wheel has no models)")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MonitorError(
            f"fine-tune: {', '.join(missing)} missing; pip install -e '.[train]' in the checkout"
        )
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    training = importlib.import_module("models.fine_tune")
    return str(training.fine_tune(data, out, steps))
