"""The network's answers, a sweep at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from monitor.measure.clean import clean
from monitor.measure.network import ARTEFACT_TYPES, NOVEL, NetworkOutput
from monitor.measure.opinion import BURST_PROBABILITY, BURSTS, network_view, opinions
from monitor.measure.plan import plan_sweeps
from monitor.measure.resample import MOST_MIRRORED_MS, NETWORK_SAMPLES
from monitor.types import Morphology


def output(types: np.ndarray, **extras: np.ndarray) -> NetworkOutput:
    """Answers whose columns can be told apart."""
    rows = np.arange(len(types), dtype=np.float64)
    return NetworkOutput(
        amplitude_uv=100.0 + rows,
        onset_from_last_ms=20.0 + rows,
        duration_ms=10.0 + rows,
        artefact_probability=0.25 + 0.125 * rows,
        response_probability=0.75 - 0.125 * rows,
        artefact_types=types,
        **extras,
    )


def types(**probabilities: float) -> np.ndarray:
    return np.array([[probabilities.get(kind, 0.02) for kind in ARTEFACT_TYPES]])


def test_every_column_comes_to_its_own_sweep() -> None:
    table = np.concatenate([types(), types(clipping=0.8), types(heart=0.7)])
    shapes = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3]])
    said = opinions(
        output(
            table,
            onset_sd_ms=np.array([0.5, 0.6, 0.7]),
            amplitude_log_sd=np.array([0.1, 0.2, 0.3]),
            morphology=shapes,
            novelty=np.array([0.2, NOVEL, NOVEL + 0.1]),
        )
    )
    assert [one.amplitude_uv for one in said] == [100.0, 101.0, 102.0]
    assert [one.onset_from_last_ms for one in said] == [20.0, 21.0, 22.0]
    assert [one.duration_ms for one in said] == [10.0, 11.0, 12.0]
    assert [one.artefact_probability for one in said] == [0.25, 0.375, 0.5]
    assert [one.response_probability for one in said] == [0.75, 0.625, 0.5]
    assert [one.onset_sd_ms for one in said] == [0.5, 0.6, 0.7]
    assert [one.amplitude_log_sd for one in said] == [0.1, 0.2, 0.3]
    assert [one.novel for one in said] == [False, False, True]
    assert [one.burst for one in said] == ["", "", "heart"]
    assert [one.clipping_probability for one in said] == [0.02, 0.8, 0.02]
    assert [one.morphology for one in said] == [
        Morphology.MONOPHASIC,
        Morphology.POLYPHASIC,
        Morphology.BIPHASIC,
    ]


def test_what_the_file_does_not_state_is_not_made_up() -> None:
    plain = output(types())
    bare = NetworkOutput(*(getattr(plain, name) for name in plain.__struct_fields__[:5]))
    [said] = opinions(bare)
    assert (said.onset_sd_ms, said.amplitude_log_sd, said.morphology) == (None, None, None)
    assert (said.novel, said.burst, said.clipping_probability) == (False, "", 0.0)


@pytest.mark.parametrize("burst", BURSTS)
def test_a_burst_is_there_from_its_probability_on(burst: str) -> None:
    assert opinions(output(types(**{burst: BURST_PROBABILITY})))[0].burst == burst
    assert opinions(output(types(**{burst: BURST_PROBABILITY - 0.01})))[0].burst == ""


def test_of_several_bursts_the_likeliest_counts_and_no_other_artefact() -> None:
    said = opinions(output(types(mains=0.99, heart=0.6, electrode=0.7, electrocautery=0.65)))
    assert said[0].burst == "electrode"


def test_the_network_is_shown_what_lies_at_its_offset_after_the_last_pulse() -> None:
    network = SimpleNamespace(window_offset_ms=3.0)
    plan = plan_sweeps(5000.0, 1250, 500, (0.0, 4.0))
    x = np.random.default_rng(0).normal(0.0, 5.0, (2, 1250))
    cleaned = clean(x, plan)
    seen = network_view(cleaned, plan, 0.0, network)  # type: ignore[arg-type]
    assert seen is not None
    assert seen.shape == (2, NETWORK_SAMPLES)
    # 4 + 3 ms after sample 500, at the network's own rate: the samples themselves.
    np.testing.assert_allclose(seen, cleaned.sweeps_uv[:, 535 : 535 + NETWORK_SAMPLES], atol=1e-3)


@pytest.mark.parametrize(("missing_ms", "shown"), [(MOST_MIRRORED_MS - 1, True), (20.0, False)])
def test_a_sweep_that_ends_too_early_is_not_shown(missing_ms: float, shown: bool) -> None:
    network = SimpleNamespace(window_offset_ms=3.0)
    n = 500 + int((103.0 - missing_ms) * 5)
    plan = plan_sweeps(5000.0, n, 500)
    cleaned = clean(np.random.default_rng(0).normal(0.0, 5.0, (1, n)), plan)
    assert (network_view(cleaned, plan, 0.0, network) is not None) is shown  # type: ignore[arg-type]
