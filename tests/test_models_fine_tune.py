"""Fine-tuning: one's own sweeps are read as the monitor reads them, and teach something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra (torch) is not installed")
pytest.importorskip("onnx", reason="the train extra (onnx) is not installed")
pytest.importorskip("onnxscript", reason="the train extra (onnxscript) is not installed")

from models import fine_tune as module  # noqa: E402
from models.dataset import simulate_windows  # noqa: E402
from models.fine_tune import (  # noqa: E402
    CHECKPOINT,
    adapt,
    errors,
    fine_tune,
    leave_one_out,
    read_folder,
)
from models.site import write_site  # noqa: E402
from monitor.measure.network import Network  # noqa: E402
from monitor.types import MonitorError  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning:copyreg"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(folder, seed=3, subjects=3, count=80)
    return folder


def test_windows_and_labels_come_from_every_file(site: Path) -> None:
    own = read_folder(site)
    assert own.windows_uv.shape == (240, 500)
    assert len(set(own.subject)) == 3
    timed = np.isfinite(own.onset_ms)
    assert np.array_equal(timed, own.present > 0)
    # A subject's latencies lie within their own range.
    for subject in set(own.subject):
        assert np.ptp(own.onset_ms[timed & (own.subject == subject)]) < 12.0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"sweeps_uv": np.zeros((2, 500)), "fs_hz": 5e3}, "onset_ms, stimulus_index missing"),
        (
            {
                "sweeps_uv": np.zeros((2, 500)),
                "fs_hz": 5e3,
                "stimulus_index": 0,
                "onset_ms": np.zeros(3),
            },
            "sweeps_uv",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(MonitorError, match=message) as caught:
        read_folder(tmp_path)
    assert "bad.npz" in str(caught.value)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"no \.npz file of labelled sweeps"):
        read_folder(tmp_path)


def test_fitting_lowers_the_loss_on_sweeps_of_the_site(site: Path) -> None:
    own = read_folder(site)
    rehearsal = simulate_windows(3, "training", 512)
    model = module._load(CHECKPOINT)
    sweeps, targets = module.sweeps_of(own.windows_uv), module._targets(own)
    with torch.no_grad():
        before = module._own_loss(model, sweeps, targets)
    adapt(model, own, rehearsal, steps=40, seed=1)
    with torch.no_grad():
        after = module._own_loss(model, sweeps, targets)
    assert float(after) < float(before) - 0.1


def test_what_is_not_known_teaches_nothing(site: Path) -> None:
    own = read_folder(site)
    unknown = np.full(len(own.onset_ms), np.nan)
    blank = module.Labelled(own.windows_uv, unknown, unknown, unknown, own.subject)
    model = module._load(CHECKPOINT)
    loss = module._own_loss(model, module.sweeps_of(own.windows_uv[:8]), module._targets(blank))
    assert float(loss) == 0.0
    assert np.isnan(errors(model, blank).onset_mae_ms)


def test_the_file_and_its_card_come_with_before_and_after(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REHEARSED", 256)
    out = tmp_path / "own.onnx"
    sha256 = fine_tune(site, out, steps=3)
    network = Network.from_bytes(out.read_bytes())
    network.verify()
    assert network.sha256 == sha256
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert sha256 in card
    assert "Not a medical device" in card
    assert card.count("after, held out") == 3


def test_each_subject_is_held_out_once(site: Path) -> None:
    rehearsal = simulate_windows(3, "training", 256)
    held = leave_one_out(read_folder(site), rehearsal, steps=2, seed=1)
    assert [before.n for _, before, _ in held] == [80, 80, 80]
    assert len({subject for subject, _, _ in held}) == 3
