"""What is reported of a sweep for all that a network may say of it."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.load_network import load_network
from monitor.measure.network import ARTEFACT_TYPES, NetworkOutput
from monitor.measure.plan import plan_sweeps
from monitor.measure.sweep import measure_sweeps
from monitor.measure.windows import any_window
from monitor.types import Measurement, Morphology, Status
from tests.test_measure_sweep import HAND, measure, sweep


class Said:
    """A network that answers every sweep alike."""

    window_offset_ms = 3.0

    def __init__(
        self,
        response: float,
        burst: str = "",
        sure: float = 0.9,
        novel: bool = False,
        onset_ms: float = 24.0,
    ):
        types = np.full((1, len(ARTEFACT_TYPES)), 0.02)
        if burst:
            types[0, ARTEFACT_TYPES.index(burst)] = sure
        self._said = NetworkOutput(
            amplitude_uv=np.array([150.0]),
            onset_from_last_ms=np.array([onset_ms]),
            duration_ms=np.array([10.0]),
            artefact_probability=np.array([0.3]),
            response_probability=np.array([response]),
            onset_sd_ms=np.array([0.5]),
            amplitude_log_sd=np.array([0.1]),
            artefact_types=types,
            severity=np.array([0.0]),
            morphology=np.array([[0.1, 0.1, 0.8]]),
            novelty=np.array([9.0 if novel else 0.1]),
        )

    def __call__(self, windows_uv: np.ndarray) -> NetworkOutput:
        return self._said


def heard(x: np.ndarray, network: Said) -> Measurement:
    plan = plan_sweeps(5000.0, x.size, 500, (0.0,))
    return measure_sweeps(x[None], plan, [HAND], 0.0, network)[0][0]  # type: ignore[arg-type]


NOTHING = sweep(amplitude_uv=0.0)
SOMETHING = sweep()


@pytest.mark.parametrize("burst", ["electrocautery", "electrode", "heart"])
def test_energy_that_the_network_calls_a_burst_is_no_response(burst: str) -> None:
    found = heard(SOMETHING, Said(0.2, burst))
    assert (found.status, found.reasons) == (Status.REJECTED, (burst,))
    assert heard(SOMETHING, Said(0.2, burst, sure=0.4)).status is Status.RESPONSE


def test_what_lasts_longer_than_any_response_is_the_networks_to_tell() -> None:
    t_ms = (np.arange(NOTHING.size) - 500) / 5.0
    lasting = NOTHING + np.where(t_ms >= 20, 300.0 * np.sin(2 * np.pi * 0.15 * t_ms), 0.0)
    found = heard(lasting, Said(0.55))
    assert (found.status, found.reasons) == (Status.REJECTED, ("lasting_activity",))
    found = heard(lasting, Said(0.95))
    assert (found.status, found.amplitude_uv) == (Status.RESPONSE, 150.0)
    assert found.amplitude_uncertain


def test_tops_that_look_cut_off_without_a_response_are_a_burst() -> None:
    found = heard(SOMETHING, Said(0.4, "clipping"))
    assert (found.status, found.reasons) == (Status.REJECTED, ("clipping",))


def test_a_response_right_behind_the_train_is_never_absent() -> None:
    """It falls from the end of the blanking on, as an artefact's tail does."""
    train = tuple(4.0 * p for p in range(6))  # the last pulse at 20 ms
    x = sweep(onset_ms=24.8, duration_ms=8, pulses_ms=train)
    found = measure(x, pulses_ms=train)
    assert (found.status, found.reasons) == (Status.REJECTED, ("masked_by_artefact",))
    plan = plan_sweeps(5000.0, x.size, 500, train)
    windows = [any_window(20.0)]
    for onset_ms, status in ((5.0, Status.RESPONSE), (24.0, Status.REJECTED)):
        sure = Said(0.99, onset_ms=onset_ms)
        told = measure_sweeps(x[None], plan, windows, 0.0, sure)[0][0]  # type: ignore[arg-type]
        assert told.status is status
        if status is Status.RESPONSE:
            assert told.amplitude_raw_uv == pytest.approx(400, rel=0.1)


@pytest.mark.parametrize(
    ("burst", "status"),
    [
        ("electrode", Status.REJECTED),
        ("electrocautery", Status.NO_RESPONSE),  # no louder than hiss
        ("heart", Status.NO_RESPONSE),
        ("mains", Status.NO_RESPONSE),
    ],
)
def test_silence_under_a_large_burst_is_not_believed(burst: str, status: Status) -> None:
    assert heard(NOTHING, Said(0.05, burst)).status is status


def test_a_response_under_a_burst_is_read_by_the_network_and_doubted() -> None:
    found = heard(SOMETHING, Said(0.95, "electrode"))
    assert found.status is Status.RESPONSE
    assert found.amplitude_uv == 150.0
    assert found.amplitude_lower_uv == pytest.approx(150 * np.exp(-0.196))
    assert found.amplitude_upper_uv == pytest.approx(150 * np.exp(0.196))
    assert found.onset_ms == 24.0
    assert found.amplitude_uncertain
    assert found.onset_uncertain
    assert "electrode" in found.reasons


def test_of_a_sweep_unlike_all_that_it_knows_the_network_is_not_asked() -> None:
    found = heard(SOMETHING, Said(0.2, "electrode", novel=True))
    assert found.status is Status.RESPONSE
    assert found.amplitude_uv == pytest.approx(400, rel=0.04)
    assert found.morphology is Morphology.BIPHASIC, "as counted"
    assert (found.reasons, found.amplitude_uncertain) == (("out_of_distribution",), True)


def test_silence_unlike_all_that_the_network_knows_is_doubted_too() -> None:
    found = heard(NOTHING, Said(0.2, "electrode", novel=True))
    assert (found.status, found.reasons) == (Status.NO_RESPONSE, ("out_of_distribution",))
    assert found.amplitude_uncertain


def test_a_tone_instead_of_a_response_is_not_one_beyond_doubt() -> None:
    """45 ms of 400 Hz: no muscle does that, and the deployed network has seen nothing like it."""
    t_ms = (np.arange(NOTHING.size) - 500) / 5.0
    tone = np.where((t_ms >= 15) & (t_ms < 60), 700.0 * np.sin(2 * np.pi * 0.4 * t_ms), 0.0)
    found = heard(NOTHING + tone, load_network())  # type: ignore[arg-type]
    assert found.status is Status.REJECTED or found.amplitude_uncertain
    assert "out_of_distribution" in found.reasons


def test_the_shape_is_the_networks_where_it_states_one() -> None:
    assert heard(SOMETHING, Said(0.99)).morphology is Morphology.POLYPHASIC


def test_a_tail_that_was_subtracted_is_an_artefact_that_was_seen() -> None:
    t_ms = (np.arange(SOMETHING.size) - 500) / 5.0
    tail = np.where(t_ms >= 0, 2000.0 * np.exp(-np.maximum(t_ms, 0.0) / 8.0), 0.0)
    alone = heard(SOMETHING, Said(0.99)).artefact_probability
    assert alone is not None
    assert alone < 0.3
    for found in (heard(SOMETHING + tail, Said(0.99)), measure(SOMETHING + tail)):
        assert found.artefact_probability == pytest.approx(1.0, abs=0.01)
    assert measure(SOMETHING).artefact_probability is None


def test_of_a_response_within_the_noise_the_network_states_the_size() -> None:
    faint = sweep(amplitude_uv=8.0, duration_ms=9.0, phases=3)
    alone, told = measure(faint), heard(faint, Said(0.999))
    assert alone.status is Status.NO_RESPONSE
    assert told.status is Status.RESPONSE
    assert told.amplitude_uv == pytest.approx(150.0, rel=0.02)


def test_a_response_no_larger_than_the_tail_taken_off_is_the_networks_to_size() -> None:
    t_ms = (np.arange(1250) - 500) / 5.0
    tail = np.where(t_ms >= 0, 2000.0 * np.exp(-np.maximum(t_ms, 0.0) / 3.0), 0.0)
    early = sweep(onset_ms=13.5, amplitude_uv=150.0) + tail
    alone, told = measure(early), heard(early, Said(0.99))
    assert (alone.status, alone.reasons) == (Status.REJECTED, ("artefact_overlap",))
    assert told.status is Status.RESPONSE
    assert told.amplitude_uv == 150.0
    assert told.amplitude_uncertain


CUT = np.clip(sweep(amplitude_uv=4000.0), -1200, 1200)


@pytest.mark.parametrize("response", [0.2, 0.95])
@pytest.mark.parametrize("burst", ["electrocautery", "electrode"])
def test_a_burst_that_leaves_the_range_is_no_response(burst: str, response: float) -> None:
    found = heard(CUT, Said(response, burst))
    assert (found.status, found.reasons) == (Status.REJECTED, (burst, "saturated"))
    assert found.amplitude_uv is None


def test_a_clipped_sweep_unlike_all_that_the_network_knows_is_no_response() -> None:
    found = heard(CUT, Said(0.95, novel=True))
    assert found.status is Status.REJECTED
    assert found.reasons == ("out_of_distribution", "saturated")


def test_a_top_cut_off_before_a_filter_is_the_networks_to_see() -> None:
    found = heard(SOMETHING, Said(0.99, "clipping", sure=0.8))
    assert found.status is Status.RESPONSE
    assert found.reasons[-1] == "clipping"
    assert found.amplitude_uncertain
    assert found.amplitude_lower_uv is not None
    assert found.amplitude_upper_uv is None
    assert "clipping" not in heard(SOMETHING, Said(0.99, "clipping", sure=0.5)).reasons
    assert heard(NOTHING, Said(0.05, "clipping", sure=0.8)).status is Status.NO_RESPONSE


def test_the_network_sees_a_cut_response_with_its_top() -> None:
    cut = np.clip(sweep(amplitude_uv=120.0), -40, 40)
    found = heard(cut, Said(0.99))
    assert found.amplitude_network_uv == 150.0
    assert found.amplitude_lower_uv is not None
    assert found.amplitude_lower_uv <= 80 < (found.amplitude_uv or 0.0)


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 20_000.0])
def test_an_amplifiers_hiss_is_no_cautery(fs_hz: float) -> None:
    """White up to half the rate, where nothing before it filtered."""
    pre = int(0.1 * fs_hz)
    hiss = 3.0 * np.random.default_rng(3).standard_normal((200, int(0.25 * fs_hz)))
    found, _ = measure_sweeps(
        hiss,
        plan_sweeps(fs_hz, hiss.shape[1], pre, (0.0,)),
        [any_window()] * len(hiss),
        0.0,
        load_network(),
    )
    statuses = [m.status for m in found]
    assert statuses.count(Status.REJECTED) <= 2
    assert statuses.count(Status.NO_RESPONSE) >= 196


def test_cautery_that_starts_late_or_is_loud_still_covers_silence() -> None:
    loud = 20.0 * np.random.default_rng(4).standard_normal(1250)
    quiet = NOTHING.copy()
    late = np.arange(quiet.size) > 620
    quiet[late] += 40.0 * np.random.default_rng(5).standard_normal(int(late.sum()))
    for x in (loud, quiet):
        assert heard(x, Said(0.05, "electrocautery")).status is Status.REJECTED


def test_a_response_lost_in_a_train_that_rings_on_is_told_with_its_bound() -> None:
    """Rejected, a total loss would never be told: only that the muscle can't be measured."""
    fs_hz, pulses_ms = 5000.0, (0.0, 4.0, 8.0, 12.0, 16.0)
    t_ms = (np.arange(1250) - 500) / fs_hz * 1e3
    since_ms = np.maximum(t_ms - pulses_ms[-1], 0.0)
    ring = 200.0 * np.exp(-since_ms / 4.0) * np.sin(2 * np.pi * 0.18 * since_ms)
    answer = 300.0 * np.sin((t_ms - 32.0) * np.pi / 6.0) * ((t_ms > 32.0) & (t_ms < 44.0))
    hiss = 3.0 * np.random.default_rng(6).standard_normal((20, t_ms.size))
    plan = plan_sweeps(fs_hz, t_ms.size, 500, pulses_ms)
    windows = [HAND] * len(hiss)
    there, _ = measure_sweeps(hiss + ring + answer, plan, windows, 0.0, load_network())
    lost, _ = measure_sweeps(hiss + ring, plan, windows, 0.0, load_network())
    assert all(m.status is Status.RESPONSE for m in there)
    least_uv = min(m.amplitude_uv or 0.0 for m in there)
    told = [m for m in lost if m.status is Status.NO_RESPONSE]
    assert len(told) >= 15
    for m in told:
        assert m.amplitude_uncertain
        assert m.reasons == ("artefact_overlap",)
        assert 0.0 < (m.amplitude_upper_uv or 0.0) <= 0.5 * least_uv
