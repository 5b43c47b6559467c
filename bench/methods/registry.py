"""All methods of the comparison, in the order in which the tables show them."""

from __future__ import annotations

from pathlib import Path

from bench.methods.base import Cleaned, Method
from bench.methods.bigoni import Bigoni
from bench.methods.delmep import Delmep, load_layers
from bench.methods.ours import NETWORK, TKEO_ONSET, Deployed, NetworkAlone
from bench.methods.template import Template
from bench.methods.thresholds import INDEX, ThresholdLatency
from bench.methods.tkeo_hilbert import TkeoHilbert
from monitor.load_network import load_network
from monitor.measure.network import Network
from monitor.types import MonitorError

#: Where the CNN paper's network lies when it was trained.
PAPER_NETWORK = Path(__file__).parents[2] / "models" / "weights" / "paper_cnn.onnx"


def published(cleaned: bool = True) -> list[Method]:
    """The published methods; ``cleaned``: behind our removal of artefact and mains."""
    bare: list[Method] = [
        TkeoHilbert(),
        Delmep(load_layers()),
        *(ThresholdLatency(name) for name in INDEX),
        Bigoni(),
        Template(),
    ]
    return [Cleaned(method) for method in bare] if cleaned else bare


def paper_network(path: Path) -> Method:
    """The CNN paper's network, or any other file with the contract.

    Raises:
        MonitorError: no such file, or one that can't be used.
    """
    if not path.is_file():
        raise MonitorError(f"{path.name}: not there; the CNN paper's network is left out")
    network = Network.from_bytes(path.read_bytes())
    network.verify()
    return NetworkAlone(network, "CNN paper's")


def methods(paper: Path = PAPER_NETWORK, cleaned: bool = True) -> tuple[list[Method], list[str]]:
    """Every method that can run here, and a line for each that can't."""
    found: list[Method] = [
        Deployed(),
        Deployed(TKEO_ONSET, tkeo_onset=True),
        NetworkAlone(load_network(), NETWORK),
    ]
    missing = []
    try:
        found.append(paper_network(paper))
    except MonitorError as error:
        missing.append(str(error))
    return found + published(cleaned), missing
