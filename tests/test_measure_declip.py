import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measure.declip import restore_tops
from monitor.measure.fault import CLIPPED, faults_of
from monitor.measure.plan import plan_sweeps

FS_HZ = 5000.0
PLAN = plan_sweeps(FS_HZ, 1250, 500)
T_MS = (np.arange(1250) - 500) / FS_HZ * 1e3


def response(peak_uv: float, onset_ms: float = 25.0, duration_ms: float = 20.0) -> np.ndarray:
    inside = (onset_ms < T_MS) & (onset_ms + duration_ms > T_MS)
    wave = np.sin(2 * np.pi * (T_MS - onset_ms) / duration_ms)
    return np.asarray(peak_uv * np.where(inside, wave, 0.0))


def noise(seed: int = 0, sd_uv: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, sd_uv, 1250)


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("sides", [(True, False), (False, True), (True, True)])
def test_tops_come_back_nearer_to_the_truth(share: float, sides: tuple[bool, bool]) -> None:
    whole = response(400.0) + noise()
    level = share * 400.0
    cut = np.clip(whole, -level if sides[0] else -np.inf, level if sides[1] else np.inf)
    assert faults_of(cut[None], PLAN) == [CLIPPED]
    restored, range_uv = restore_tops(cut, PLAN)
    assert range_uv == np.ptp(cut[505:])
    lost_uv = np.ptp(whole) - np.ptp(cut)
    assert abs(np.ptp(restored) - np.ptp(whole)) < 0.3 * lost_uv + 5 * 3.0


@given(seed=st.integers(0, 1000), share=st.floats(0.3, 0.95), duration_ms=st.floats(6.0, 40.0))
def test_only_what_was_cut_changes_and_only_outward(
    seed: int, share: float, duration_ms: float
) -> None:
    whole = response(400.0, duration_ms=duration_ms) + noise(seed)
    cut = np.clip(whole, -400.0 * share, 400.0 * share)
    before = cut.copy()
    restored, range_uv = restore_tops(cut, PLAN)
    assert np.array_equal(cut, before)
    changed = restored != cut
    assert np.all(np.abs(cut[changed]) == 400.0 * share)
    assert np.all((restored - cut)[changed] * np.sign(cut[changed]) > 0.0)
    assert np.abs(restored - cut).max() <= range_uv * (1.0 + 1e-9)


def test_a_cut_without_both_flanks_stays_as_it_was() -> None:
    """Behind the blanking, or at the sweep's end, one slope is missing."""
    cut = noise()
    cut[PLAN.search_start : PLAN.search_start + 20] = 900.0
    assert np.array_equal(restore_tops(cut, PLAN)[0], cut)


def test_a_parabola_comes_back_exactly() -> None:
    whole = noise(sd_uv=1e-9)
    at = np.abs(T_MS - 40.0) < 10.0
    whole[at] += 400.0 * (1.0 - ((T_MS[at] - 40.0) / 10.0) ** 2)
    restored, _ = restore_tops(np.minimum(whole, 250.0), PLAN)
    assert restored == pytest.approx(whole, abs=1e-6)
