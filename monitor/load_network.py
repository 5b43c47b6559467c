"""Find the network's file, make sure that it is the right one, and make it ready."""

from __future__ import annotations

import hashlib
from pathlib import Path

from monitor.measure.network import Network
from monitor.types import MonitorError

#: The network that the monitor runs. ``python -m models.export`` prints the value for a new one.
DEPLOYED_SHA256 = "f3e55ef84f2b7dd27190940259db2aafd75a9a8b80ff378a2162938f43dfea66"

PACKAGE = Path(__file__).parent
#: In a checkout the weights lie beside the package; a wheel carries them inside it.
WEIGHT_FOLDERS = (PACKAGE.parent / "models" / "weights", PACKAGE / "weights")


def load_network(
    sha256: str = DEPLOYED_SHA256, folders: tuple[Path, ...] = WEIGHT_FOLDERS
) -> Network:
    """Load the network whose file has this SHA-256, and check its golden sweeps.

    Args:
        sha256: of the file, in hex.
        folders: where to look for ``*.onnx``, the first that holds it counts.

    Raises:
        MonitorError: no file with this hash, a file that can't be read, or (``ModelFault``) one
            that answers its own golden sweeps wrongly on this machine.
    """
    seen: list[str] = []
    for folder in folders:
        for path in sorted(folder.glob("*.onnx")):
            try:
                model = path.read_bytes()
            except OSError as error:
                raise MonitorError(f"{path}: can't be read: {error}") from None
            found = hashlib.sha256(model).hexdigest()
            if found == sha256:
                network = Network.from_bytes(model)
                network.verify()
                return network
            seen.append(f"{path} has {found[:12]}")
    where = "; ".join(seen) if seen else f"no *.onnx in {' or '.join(map(str, folders))}"
    raise MonitorError(f"network {sha256[:12]} not found: {where}")
