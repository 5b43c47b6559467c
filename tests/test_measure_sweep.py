"""The whole chain on sweeps whose truth is known, and on the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io as sio
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.load_network import load_network
from monitor.measure.plan import plan_sweeps
from monitor.measure.sweep import measure_sweeps
from monitor.measure.windows import OnsetWindow, any_window
from monitor.types import Measurement, Morphology, Status

HAND = OnsetWindow(13, 40)


def sweep(
    fs_hz: float = 5000.0,
    onset_ms: float = 22.0,
    amplitude_uv: float = 400.0,
    duration_ms: float = 12.0,
    noise_uv: float = 3.0,
    pulses_ms: tuple[float, ...] = (0.0,),
    seed: int = 0,
    phases: int = 2,
    pre_ms: float = 100.0,
    fraction: float = 0.0,
) -> np.ndarray:
    """One sweep in uV: artefact at each pulse, a response of ``phases`` half waves, noise."""
    index = int(pre_ms * fs_hz / 1e3)
    n = index + int(0.15 * fs_hz)
    t_ms = (np.arange(n) - index - fraction) * 1e3 / fs_hz
    out = np.random.default_rng(seed).normal(0, noise_uv, n)
    for pulse_ms in pulses_ms:
        since = t_ms - pulse_ms
        out += np.where(since >= 0, 3000 * np.exp(-since / 0.4) * np.cos(since * 4), 0.0)
    inside = (t_ms >= onset_ms) & (t_ms < onset_ms + duration_ms)
    wave = np.sin(np.pi * phases * (t_ms - onset_ms) / duration_ms)
    return out + np.where(inside, amplitude_uv * wave / (1 if phases == 1 else 2), 0.0)


def measure(x: np.ndarray, window: OnsetWindow = HAND, **plan: object) -> Measurement:
    fs_hz = float(plan.pop("fs_hz", 5000.0))  # type: ignore[arg-type]
    index = int(float(plan.pop("pre_ms", 100.0)) * fs_hz / 1e3)  # type: ignore[arg-type]
    pulses = plan.pop("pulses_ms", (0.0,))
    fraction = float(plan.pop("fraction", 0.0))  # type: ignore[arg-type]
    made = plan_sweeps(fs_hz, x.size, index, pulses)  # type: ignore[arg-type]
    return measure_sweeps(x[None], made, [window], fraction)[0][0]


@pytest.mark.parametrize("fs_hz", [2000.0, 3000.0, 5000.0, 10000.0, 22000.0])
@pytest.mark.parametrize("onset_ms", [16.0, 22.0, 31.5])
def test_a_clear_response_is_measured_at_any_rate(fs_hz: float, onset_ms: float) -> None:
    found = measure(sweep(fs_hz, onset_ms=onset_ms), fs_hz=fs_hz)
    assert found.status is Status.RESPONSE
    assert found.onset_ms == pytest.approx(onset_ms, abs=0.5)
    assert found.amplitude_uv == pytest.approx(400, rel=0.04)
    assert found.duration_ms == pytest.approx(12, abs=2.5)
    assert found.morphology is Morphology.BIPHASIC
    assert found.snr == pytest.approx(200 / 3, rel=0.25)
    assert found.noise_source == "pre"
    if fs_hz >= 3000:  # at 2 kHz a sample may miss the peak by 3 %
        assert found.amplitude_lower_uv < 400 < found.amplitude_upper_uv  # type: ignore[operator]


@pytest.mark.parametrize(
    ("phases", "name"),
    [(1, Morphology.MONOPHASIC), (2, Morphology.BIPHASIC), (4, Morphology.POLYPHASIC)],
)
def test_shape_is_named(phases: int, name: Morphology) -> None:
    found = measure(sweep(phases=phases, duration_ms=5.0 * phases))
    assert found.phases == phases
    assert found.morphology is name


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.75])
def test_a_fraction_of_a_sample_counts(fraction: float) -> None:
    onsets = [
        measure(
            sweep(2000.0, seed=seed, fraction=fraction, noise_uv=1.0),
            fs_hz=2000.0,
            fraction=fraction,
        ).onset_ms
        for seed in range(12)
    ]
    assert np.median(np.array(onsets, dtype=float)) == pytest.approx(22.15, abs=0.2)


def test_latency_counts_from_the_first_pulse_and_from_the_last() -> None:
    train = (0.0, 4.0, 8.0, 12.0, 16.0)
    found = measure(sweep(onset_ms=38.0, pulses_ms=train), OnsetWindow(13, 56), pulses_ms=train)
    assert found.onset_ms == pytest.approx(38, abs=0.5)
    assert found.onset_from_last_ms == pytest.approx(22, abs=0.5)


def test_an_answer_inside_the_train_is_masked_never_absent() -> None:
    train = tuple(4.0 * p for p in range(9))  # the last pulse at 32 ms
    found = measure(
        sweep(onset_ms=12.0, duration_ms=14, pulses_ms=train), OnsetWindow(6, 24), pulses_ms=train
    )
    assert found.status is Status.REJECTED
    assert found.reasons == ("masked_by_artefact",)
    assert found.amplitude_uv is None
    begins_inside = measure(
        sweep(onset_ms=30.0, duration_ms=22, pulses_ms=train), OnsetWindow(13, 70), pulses_ms=train
    )
    assert begins_inside.status is Status.REJECTED


def test_no_response_reads_zero_with_the_largest_that_could_be_missed() -> None:
    found = measure(sweep(amplitude_uv=0.0))
    assert found.status is Status.NO_RESPONSE
    assert found.amplitude_uv == 0.0
    assert found.amplitude_raw_uv is not None
    assert found.amplitude_raw_uv > 10  # the noise, which a plain reading would report
    assert found.amplitude_upper_uv is not None
    assert 3 < found.amplitude_upper_uv < 40
    assert found.onset_ms is None
    loud = measure(sweep(amplitude_uv=2 * found.amplitude_upper_uv))
    assert loud.status is Status.RESPONSE


@pytest.mark.parametrize("fs_hz", [5000.0, 22000.0])
@pytest.mark.parametrize("post_ms", [60, 70])
def test_noise_at_the_end_of_a_short_sweep_is_no_response(fs_hz: float, post_ms: int) -> None:
    index = int(0.1 * fs_hz)
    n = index + int(post_ms * fs_hz / 1e3)
    noise_uv = np.random.default_rng(1).normal(0.0, 3.0, (200, n))
    found = measure_sweeps(noise_uv, plan_sweeps(fs_hz, n, index, (0.0,)), [any_window()] * 200)[0]
    assert sum(m.status is not Status.NO_RESPONSE for m in found) <= 3


def test_activity_after_the_window_is_not_the_answer() -> None:
    found = measure(sweep(onset_ms=52.0), OnsetWindow(13, 40))
    assert found.status is Status.NO_RESPONSE
    assert found.reasons in ((), ("activity_outside_window",))


def test_some_nan_rejects_the_sweep_and_the_rest_goes_on() -> None:
    sweeps = np.stack([sweep(seed=s) for s in range(3)])
    sweeps[1, 700] = np.nan
    found, shown = measure_sweeps(sweeps, plan_sweeps(5000.0, 1250, 500), [HAND] * 3)
    assert [m.status for m in found] == [Status.RESPONSE, Status.REJECTED, Status.RESPONSE]
    assert found[1].reasons == ("nan",)
    assert np.isnan(shown[1, 700])


def test_a_flat_line_is_rejected_be_it_from_the_stimulus_on() -> None:
    assert measure(np.zeros(1250)).reasons == ("flat_line",)
    lost = sweep()
    lost[490:] = lost[490]
    assert measure(lost).reasons == ("flat_line",)


def test_a_response_cut_off_at_its_top_is_one_and_at_least_so_large() -> None:
    found = measure(np.clip(sweep(amplitude_uv=4000.0), -1200, 1200))
    assert found.status is Status.RESPONSE
    assert "saturated" in found.reasons
    assert found.amplitude_uncertain
    assert found.amplitude_uv == pytest.approx(4000, rel=0.05)
    assert found.amplitude_raw_uv == 2400.0
    assert found.amplitude_lower_uv == 2400.0
    assert found.amplitude_upper_uv is None
    assert found.artefact_probability == 1.0
    assert found.onset_ms == pytest.approx(22, abs=0.5)


def test_what_is_shown_of_a_cut_response_is_what_was_recorded() -> None:
    cut = np.clip(sweep(amplitude_uv=4000.0), -1200, 1200)
    _, shown = measure_sweeps(cut[None], plan_sweeps(5000.0, 1250, 500), [HAND])
    assert np.ptp(shown[0, 505:]) == pytest.approx(2400, rel=0.01)


def test_where_no_response_was_found_in_a_clipped_sweep_there_may_have_been_one() -> None:
    x = sweep(amplitude_uv=0.0, noise_uv=1.0)
    x[900:930] += 500 * np.sin(np.arange(30) / 30 * np.pi)
    late = np.clip(x, -300, 300)
    assert measure(late).reasons == ("saturated",)
    assert measure(late).status is Status.REJECTED


def test_a_blocked_amplifier_is_rejected() -> None:
    blocked = sweep()
    blocked[600:750] = 5000.0
    assert measure(blocked).reasons == ("saturated",)


@settings(max_examples=25)
@given(
    count=st.integers(1, 8),
    split=st.integers(0, 8),
    seed=st.integers(0, 1000),
    amplitude_uv=st.sampled_from([0.0, 12.0, 60.0, 3000.0]),
)
def test_alone_or_together_the_same_bits(
    count: int, split: int, seed: int, amplitude_uv: float
) -> None:
    sweeps = np.stack([sweep(seed=seed + s, amplitude_uv=amplitude_uv) for s in range(count)])
    plan = plan_sweeps(5000.0, 1250, 500)
    together = measure_sweeps(sweeps, plan, [HAND] * count)[0]
    alone = tuple(measure_sweeps(x[None], plan, [HAND])[0][0] for x in sweeps)
    assert together == alone
    before = sweeps.copy()
    measure_sweeps(sweeps[: max(1, split)], plan, [HAND] * max(1, min(split, count)))
    np.testing.assert_array_equal(sweeps, before)


@settings(max_examples=20)
@given(scale=st.floats(0.2, 50), seed=st.integers(0, 100))
def test_twice_the_signal_is_twice_the_amplitude(scale: float, seed: int) -> None:
    one = measure(sweep(seed=seed))
    other = measure(scale * sweep(seed=seed))
    assert one.amplitude_uv is not None
    assert other.amplitude_uv == pytest.approx(scale * one.amplitude_uv, rel=1e-6)
    assert other.onset_ms == pytest.approx(one.onset_ms, abs=1e-6)


def test_polarity_does_not_matter() -> None:
    one, other = measure(sweep()), measure(-sweep())
    assert other.amplitude_uv == pytest.approx(one.amplitude_uv)
    assert other.onset_ms == pytest.approx(one.onset_ms)


def test_a_recorded_muscle_at_work_rarely_answers_between_the_pulses(shared_data: Path) -> None:
    """10 uV of activity in both wrist extensors; a window every 200 ms, clear of any pulse."""
    folder = shared_data / "tms-brainvision"
    raw = np.fromfile(folder / "tms-hand.eeg", "<i2").reshape(-1, 4) * [0.5, 0.5, 0.1, 0.1]
    marks = (folder / "tms-hand.vmrk").read_text(encoding="utf-8").splitlines()
    pulses = np.array([int(m.split(",")[2]) for m in marks if m.startswith("Mk") and "S255" in m])
    starts = [
        at
        for at in range(100, len(raw) - 1500, 1000)
        if not ((at < pulses + 2500) & (at + 1500 > pulses - 50)).any()
    ]
    sweeps = np.concatenate([[raw[at : at + 1500, c] for at in starts] for c in (0, 2)])
    plan = plan_sweeps(5000.0, 1500, 500, (0.0,))
    windows = [any_window()] * len(sweeps)
    found = measure_sweeps(sweeps, plan, windows, 0.0, load_network())[0]
    assert len(found) > 300
    assert np.mean([m.status is Status.RESPONSE for m in found]) < 0.05


def test_mepfeatx_amplitudes_and_presence(shared_data: Path) -> None:
    """Against the source package's own features: FDI and tibialis anterior, 3 kHz."""
    window = OnsetWindow(6, 70)
    agree, errors = [], []
    for name in ("ID01", "ID02", "ID04", "ID05"):
        x = sio.loadmat(shared_data / "mepfeatx" / f"{name}.mat")["meps"].T
        lines = (shared_data / "mepfeatx" / f"{name}_features.csv").read_text().splitlines()
        column = [c.strip('"') for c in lines[0].split(",")].index("Amplitude")
        reference = np.array([float(line.split(",")[column].strip('"')) for line in lines[1:]])
        found, _ = measure_sweeps(x, plan_sweeps(3000.0, x.shape[1], 150), [window] * len(x))
        for m, truth in zip(found, reference, strict=True):
            agree.append((m.status is Status.RESPONSE) == (truth > 0))
            if m.status is Status.RESPONSE and truth > 0:
                errors.append(abs(m.amplitude_raw_uv / truth - 1))  # type: ignore[operator]
    assert np.mean(agree) >= 0.97
    assert np.median(errors) < 0.01
