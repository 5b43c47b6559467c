from __future__ import annotations

import numpy as np
import pytest

from monitor.measure.onset import STEP_MS
from monitor.measure.reconcile import (
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


def places(at_ms: float, sharp: float) -> tuple[np.ndarray, float]:
    """TKEO's likelihood every half millisecond from 10 ms on, highest at ``at_ms``."""
    t_ms = 10.0 + STEP_MS * np.arange(81)
    return -sharp * np.abs(t_ms - at_ms), 10.0


def test_the_sharper_opinion_draws_the_other_to_it() -> None:
    sure, _ = reconcile_onset(20.0, 21.0, 10.0, 0.1, places=places(20.0, 1.0))
    unsure, _ = reconcile_onset(20.0, 21.0, 10.0, 2.5, places=places(20.0, 8.0))
    assert sure == pytest.approx(21.0, abs=0.3)
    assert unsure == pytest.approx(20.0, abs=0.3)
    vague, _ = reconcile_onset(20.0, 21.0, 10.0, 2.5, places=places(20.0, 0.1))
    assert 20.3 < vague <= 21.0


def test_apart_a_sure_network_decides_and_the_onset_is_uncertain() -> None:
    apart = 20.0 + DISAGREE_MS + 0.1
    onset, uncertain = reconcile_onset(20.0, apart, 50.0, 0.2, places=places(20.0, 1.0))
    assert onset == pytest.approx(apart, abs=0.3)
    assert uncertain


def test_a_place_that_tkeo_did_not_weigh() -> None:
    """After the strongest energy, or before the window: the network's."""
    outside = 10.0 + 81 * STEP_MS
    weighed = places(20.0, 1.0)
    assert reconcile_onset(20.0, outside, 50.0, 0.2, places=weighed) == (outside, True)


def test_a_network_that_is_unsure_says_so() -> None:
    sd_ms = UNCERTAIN_SD_MS + 0.1
    onset, uncertain = reconcile_onset(20.0, 20.5, 10.0, sd_ms, places=places(20.0, 2.0))
    assert uncertain
    assert onset is not None
    assert 19.8 < onset < 20.5


def test_what_the_network_was_not_trained_on_is_tkeos() -> None:
    weighed = places(24.0, 2.0)
    assert reconcile_onset(20.0, 30.0, 10.0, 0.1, True, weighed) == (20.0, True)
    assert reconcile_onset(20.0, 20.5, 10.0, 0.1, True, weighed) == (20.0, False)


def test_an_onset_by_threshold_goes_by_snr() -> None:
    nothing = (np.empty(0), 10.0)
    for weighed in (None, nothing):
        onset, _ = reconcile_onset(20.0, 21.0, TKEO_SNR, 0.3, places=weighed)
        assert onset == 20.0


def test_no_snr_is_no_error() -> None:
    assert reconcile_onset(20.0, 21.0, None) == (20.0, False)
    outside = 10.0 + 81 * STEP_MS
    assert reconcile_onset(20.0, outside, None, 0.2, places=places(20.0, 1.0))[0] == outside
