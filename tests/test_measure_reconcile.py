from __future__ import annotations

import pytest

from monitor.measure.reconcile import (
    AVERAGED_MS,
    DISAGREE_MS,
    NETWORK_SNR,
    TKEO_SNR,
    UNCERTAIN_SD_MS,
    reconcile_onset,
)


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


def test_close_together_they_are_averaged_by_their_uncertainties() -> None:
    sure, _ = reconcile_onset(20.0, 21.0, 10.0, network_sd_ms=0.1)
    unsure, _ = reconcile_onset(20.0, 21.0, 10.0, network_sd_ms=2.5)
    assert sure == pytest.approx(21.0, abs=0.01)
    assert 20.0 < unsure < 20.7
    noisy, _ = reconcile_onset(20.0, 21.0, 3.0, network_sd_ms=0.5)
    clear, _ = reconcile_onset(20.0, 21.0, 100.0, network_sd_ms=0.5)
    assert clear < noisy < 21.0


def test_apart_the_network_decides_and_the_onset_is_uncertain() -> None:
    assert reconcile_onset(20.0, 20.1 + AVERAGED_MS, 50.0, 0.2) == (20.1 + AVERAGED_MS, False)
    assert reconcile_onset(20.0, 20.1 + DISAGREE_MS, 50.0, 0.2) == (20.1 + DISAGREE_MS, True)


def test_a_network_that_is_unsure_says_so() -> None:
    onset, uncertain = reconcile_onset(20.0, 20.5, 10.0, network_sd_ms=UNCERTAIN_SD_MS + 0.1)
    assert uncertain
    assert 20.0 < onset < 20.5


def test_what_the_network_was_not_trained_on_is_tkeos() -> None:
    assert reconcile_onset(20.0, 30.0, 10.0, 0.1, novel=True) == (20.0, True)
    assert reconcile_onset(20.0, 20.5, 10.0, 0.1, novel=True) == (20.0, False)


def test_no_snr_is_no_error() -> None:
    onset, _ = reconcile_onset(20.0, 21.0, None, network_sd_ms=0.3)
    assert onset == pytest.approx(20.5)
