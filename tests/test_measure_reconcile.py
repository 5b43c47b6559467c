from __future__ import annotations

import pytest

from monitor.measure.reconcile import DISAGREE_MS, NETWORK_SNR, TKEO_SNR, reconcile_onset


def test_each_is_trusted_where_it_is_good() -> None:
    assert reconcile_onset(20.0, 21.0, NETWORK_SNR - 1) == (21.0, False)
    assert reconcile_onset(20.0, 21.0, TKEO_SNR + 1) == (20.0, False)
    middle, uncertain = reconcile_onset(20.0, 21.0, (NETWORK_SNR + TKEO_SNR) / 2)
    assert middle == pytest.approx(20.5)
    assert not uncertain


def test_disagreement_is_said() -> None:
    onset, uncertain = reconcile_onset(20.0, 20.0 + DISAGREE_MS + 0.1, 30.0)
    assert (onset, uncertain) == (20.0, True)
    onset, uncertain = reconcile_onset(20.0, 20.0 + DISAGREE_MS + 0.1, 1.0)
    assert uncertain
    assert onset == pytest.approx(20.0 + DISAGREE_MS + 0.1)
    onset, _ = reconcile_onset(20.0, 20.0 + DISAGREE_MS + 0.1, TKEO_SNR - 0.1)
    assert onset == pytest.approx(20.0 + DISAGREE_MS + 0.1)


def test_one_alone_is_taken() -> None:
    assert reconcile_onset(20.0, None, 9.0) == (20.0, False)
    assert reconcile_onset(None, 21.0, 9.0) == (21.0, True)
    assert reconcile_onset(None, None, None) == (None, True)
