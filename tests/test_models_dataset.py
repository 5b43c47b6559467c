"""Windows for training are what the live path would hand the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models import dataset
from models.dataset import BLOCK_SWEEPS, WINDOW_OFFSET_MS, block_windows, simulate_windows
from models.simulator import simulate_block
from monitor.load_network import load_network
from monitor.measure import sweep as chain
from monitor.measure.network import NetworkOutput
from monitor.measure.plan import plan_sweeps
from monitor.measure.windows import UNKNOWN_WINDOW


class Listener:
    """Stands where the network stands and keeps what it is given."""

    window_offset_ms = WINDOW_OFFSET_MS

    def __call__(self, windows_uv: np.ndarray) -> NetworkOutput:
        self.windows_uv = windows_uv
        nothing = np.zeros(len(windows_uv))
        return NetworkOutput(nothing, nothing, nothing, nothing, nothing)


def test_training_sees_exactly_what_the_live_path_gives() -> None:
    for number in range(4):
        block = simulate_block(2, "training", number, 6)
        setup = block.setup
        plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
        listener = Listener()
        measured, _ = chain.measure_sweeps(
            block.sweeps_uv, plan, [UNKNOWN_WINDOW] * 6, setup.stimulus_fraction, listener
        )
        kept = [row for row, m in enumerate(measured) if m.response_probability is not None]
        assert kept
        np.testing.assert_array_equal(listener.windows_uv, block_windows(block)[kept])


def test_the_deployed_network_was_trained_for_this_window() -> None:
    assert load_network().window_offset_ms == WINDOW_OFFSET_MS


def test_windows_are_finite_and_aligned_with_their_truth() -> None:
    data = simulate_windows(4, "training", BLOCK_SWEEPS + 10)
    assert data.windows_uv.shape == (BLOCK_SWEEPS + 10, 500)
    assert np.isfinite(data.windows_uv).all()
    last = simulate_block(4, "training", 1, 10)
    np.testing.assert_array_equal(data.windows_uv[BLOCK_SWEEPS:], block_windows(last))
    np.testing.assert_allclose(data.onset_ms[BLOCK_SWEEPS:], last.truth.onset_ms, rtol=1e-6)


def test_workers_make_the_same_windows() -> None:
    one, two = (simulate_windows(4, "training", BLOCK_SWEEPS + 10, workers) for workers in (1, 2))
    np.testing.assert_allclose(one.windows_uv, two.windows_uv, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(one.onset_ms, two.onset_ms)


def test_a_strong_response_stands_in_the_window_where_its_onset_says() -> None:
    data = simulate_windows(6, "validation", 8 * BLOCK_SWEEPS)
    clear = (data.response > 0) & (data.snr > 40) & (data.artefact == 0)
    assert clear.sum() > 15
    right = 0
    for wave, onset_ms in zip(data.windows_uv[clear], data.onset_ms[clear], strict=True):
        at = int((onset_ms - WINDOW_OFFSET_MS) * 5)
        rest = wave[max(at - 40, 6) : max(at - 2, 8)]
        body = np.abs(wave[at + 1 : at + 30] - np.median(rest)).max()
        right += np.ptp(rest) < 0.5 * body
    # Hum that the cleaning left (short epochs) may cover a few.
    assert right / clear.sum() > 0.85


def test_the_hash_follows_source_seed_and_count(tmp_path: Path, monkeypatch) -> None:
    first = dataset.training_sha256(1, 100)
    assert first == dataset.training_sha256(1, 100)
    assert len({first, dataset.training_sha256(2, 100), dataset.training_sha256(1, 101)}) == 3
    folder = Path(dataset.__file__).parent
    for name in dataset.SOURCES:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    monkeypatch.setattr(dataset, "__file__", str(tmp_path / "dataset.py"))
    assert dataset.training_sha256(1, 100) == first
    source = (tmp_path / "simulator.py").read_text()
    (tmp_path / "simulator.py").write_text("# a remark\n" + source.replace("Draw a", "Draw some"))
    assert dataset.training_sha256(1, 100) == first
    (tmp_path / "simulator.py").write_text(
        source.replace("ABSENT_SHARE = 0.35", "ABSENT_SHARE = 0.36")
    )
    assert dataset.training_sha256(1, 100) != first
