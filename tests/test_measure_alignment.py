"""The artefact's place against its marker, and what follows when it moves or is gone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.measure.alignment import (
    DETACHED,
    LEARNED_FROM,
    UNVERIFIED_AFTER,
    Alignment,
    AlignmentWatch,
    find_artefacts,
    set_aside,
    set_detached_aside,
)
from monitor.types import AlarmKind, Epoch, Measurement, Status, Stimulus

PRE_MS, POST_MS = 100, 150


def epoch(
    seed: int = 1,
    *,
    artefact_ms: float | None = 0.0,
    artefact_uv: float = 3000.0,
    response_uv: float = 1000.0,
    noise_uv: float = 4.0,
    fs_hz: float = 5000.0,
    channels: int = 3,
    fraction: float = 0.0,
    setting: str = "default",
) -> Epoch:
    rng = np.random.default_rng(seed)
    index = int(PRE_MS * fs_hz / 1e3)
    n = index + int(POST_MS * fs_hz / 1e3)
    t_ms = (np.arange(n) - index) * 1e3 / fs_hz - fraction * 1e3 / fs_hz
    x = rng.normal(0, noise_uv, (channels, n))
    for c in range(channels):
        since = t_ms - 22 - 3 * c
        wave = np.sin(2 * np.pi * since / 10) * np.exp(-(((since - 8) / 5) ** 2))
        x[c] += response_uv * np.where(since > 0, wave, 0.0)
        if artefact_ms is not None:
            after = t_ms - artefact_ms
            decay = np.exp(-np.maximum(after, 0.0) / 0.5)
            x[c] += artefact_uv * np.where(after >= 0, decay, 0.0)
    stimulus = Stimulus(1.0 * seed, "S", setting)
    return Epoch(seed, stimulus, float(seed), 0, index, fraction, fs_hz, x.astype(np.float32))


def learned(**changes: float) -> AlignmentWatch:
    watch = AlignmentWatch()
    for seed in range(LEARNED_FROM):
        assert watch.look(epoch(seed, **changes), answered=True) is Alignment.UNKNOWN  # type: ignore[arg-type]
    return watch


@pytest.mark.parametrize("fs_hz", [2000.0, 5000.0, 20000.0])
@pytest.mark.parametrize("place_ms", [-20.0, 0.0, 3.0, 30.0])
def test_the_place_is_found_to_a_sample_at_any_rate(fs_hz: float, place_ms: float) -> None:
    found = find_artefacts(epoch(artefact_ms=place_ms, fs_hz=fs_hz, response_uv=0.0))
    np.testing.assert_allclose(found.place_ms, place_ms, atol=1.1e3 / fs_hz)


@pytest.mark.parametrize("response_uv", [50.0, 500.0, 5000.0])
def test_a_response_is_no_artefact(response_uv: float) -> None:
    found = find_artefacts(epoch(artefact_ms=None, response_uv=response_uv, noise_uv=2.0))
    assert np.isnan(found.place_ms).all()


@pytest.mark.parametrize("noise_uv", [0.0, 1.0, 20.0])
def test_noise_is_no_artefact(noise_uv: float) -> None:
    for seed in range(30):
        found = find_artefacts(
            epoch(seed, artefact_ms=None, response_uv=0.0, noise_uv=noise_uv, channels=8)
        )
        assert np.isnan(found.place_ms).all()


def test_within_a_millisecond_all_is_well() -> None:
    watch = learned()
    for seed, moved_ms in enumerate((0.0, 0.8, -0.8), 10):
        assert watch.look(epoch(seed, artefact_ms=moved_ms), answered=True) is Alignment.ALIGNED
    assert watch.take_notices() == []


@pytest.mark.parametrize("moved_ms", [-12.0, -2.0, 2.0, 12.0])
def test_an_artefact_that_moved_is_misaligned_until_it_is_back(moved_ms: float) -> None:
    watch = learned()
    moved = epoch(10, artefact_ms=moved_ms)
    assert watch.look(moved, answered=True) is Alignment.MISALIGNED
    (notice,) = watch.take_notices()
    assert (notice.kind, notice.active) == (AlarmKind.STIMULUS_MISALIGNED, True)
    assert f"{abs(moved_ms):.0f} ms {'after' if moved_ms > 0 else 'before'}" in notice.message
    assert watch.look(epoch(11), answered=True) is Alignment.ALIGNED
    assert [n.active for n in watch.take_notices()] == [False]


def test_an_artefact_gone_from_every_channel_was_not_delivered() -> None:
    watch = learned()
    silent = epoch(10, artefact_ms=None, response_uv=0.0)
    assert watch.look(silent, answered=False) is Alignment.NOT_DELIVERED
    (notice,) = watch.take_notices()
    assert (notice.kind, notice.active) == (AlarmKind.STIMULUS_NOT_DELIVERED, True)
    assert watch.look(epoch(11), answered=True) is Alignment.ALIGNED
    assert [n.active for n in watch.take_notices()] == [False]


def test_a_muscle_that_answers_was_stimulated_whatever_the_artefact_says() -> None:
    watch = learned()
    assert watch.look(epoch(10, artefact_ms=None), answered=True) is Alignment.UNKNOWN
    assert watch.take_notices() == []


def test_a_real_loss_with_its_artefact_is_left_to_the_criterion() -> None:
    watch = learned()
    assert watch.look(epoch(10, response_uv=0.0), answered=False) is Alignment.ALIGNED


def test_a_weaker_artefact_is_still_there_and_one_channel_is_enough() -> None:
    watch = learned()
    weak = epoch(10, artefact_uv=900.0, response_uv=0.0)
    assert watch.look(weak, answered=False) is Alignment.ALIGNED
    one = epoch(11, artefact_ms=None, response_uv=0.0)
    one.samples_uv[2] = weak.samples_uv[2]
    assert watch.look(one, answered=False) is Alignment.ALIGNED


def test_noise_that_would_cover_the_artefact_leaves_it_open() -> None:
    watch = learned()
    noisy = epoch(10, artefact_ms=None, response_uv=0.0, noise_uv=400.0)
    assert watch.look(noisy, answered=False) is Alignment.UNKNOWN
    assert watch.take_notices() == []


def test_missing_samples_judge_nothing() -> None:
    watch = learned()
    holes = epoch(10, artefact_ms=None, response_uv=0.0)
    holes.samples_uv[:] = np.nan
    assert watch.look(holes, answered=False) is Alignment.UNKNOWN


def test_a_constant_delay_is_said_with_its_correction_and_sets_nothing_aside() -> None:
    watch = learned(artefact_ms=15.0)
    (notice,) = watch.take_notices()
    assert notice.kind is AlarmKind.STIMULUS_MISALIGNED
    assert "set stimulus.offset_ms to correct it by +15 ms" in notice.message
    assert watch.look(epoch(9, artefact_ms=15.0), answered=True) is Alignment.ALIGNED
    # What lies so far from the marker might be a response: its absence hides no loss.
    gone = epoch(10, artefact_ms=None, response_uv=0.0)
    assert watch.look(gone, answered=False) is Alignment.UNKNOWN


def test_each_setting_has_an_artefact_of_its_own() -> None:
    watch = learned()
    other = epoch(10, artefact_ms=None, response_uv=0.0, setting="other")
    assert watch.look(other, answered=False) is Alignment.UNKNOWN


def test_never_seen_is_said_once_after_some_trials_or_at_the_end() -> None:
    watch = AlignmentWatch()
    assert not watch.unverified(ended=True)  # no trial, nothing to say
    said = []
    for seed in range(UNVERIFIED_AFTER + 2):
        watch.look(epoch(seed, artefact_ms=None), answered=True)
        said.append(watch.unverified())
    assert said.index(True) == UNVERIFIED_AFTER - 1
    assert said.count(True) == 1
    short = AlignmentWatch()
    short.look(epoch(1, artefact_ms=None), answered=True)
    assert short.unverified(ended=True)
    assert not learned().unverified(ended=True)


def test_what_is_set_aside_is_rejected_and_keeps_its_figures() -> None:
    measured = Measurement(Status.NO_RESPONSE, ("low_snr",), amplitude_uv=0.0, snr=1.0)
    aside = set_aside(measured, Alignment.NOT_DELIVERED)
    assert aside.status is Status.REJECTED
    assert aside.reasons == ("low_snr", "stimulus_not_delivered")
    assert aside.snr == 1.0


def watching(realign_after: int, **changes: float) -> AlignmentWatch:
    watch = AlignmentWatch(realign_after)
    for seed in range(LEARNED_FROM):
        watch.look(epoch(seed, **changes), answered=True)  # type: ignore[arg-type]
    watch.take_notices()
    return watch


@pytest.mark.parametrize("moved_ms", [-30.0, -1.6, 1.6, 12.0])
def test_at_one_new_place_for_so_many_trials_it_is_realigned_under_a_new_alarm(
    moved_ms: float,
) -> None:
    watch = watching(4)
    for seed in range(10, 13):
        moved = epoch(seed, artefact_ms=moved_ms)
        assert watch.look(moved, answered=True) is Alignment.MISALIGNED
        assert watch.take_realigned() is None
    assert [n.active for n in watch.take_notices()] == [True]
    # The last of them is still rejected: it was cut around its marker.
    assert watch.look(epoch(13, artefact_ms=moved_ms), answered=True) is Alignment.MISALIGNED
    realigned = watch.take_realigned()
    assert realigned is not None
    assert realigned.moved_ms == pytest.approx(moved_ms, abs=0.2)
    assert watch.take_realigned() is None
    over, new = watch.take_notices()
    assert (over.active, new.active) == (False, True)
    assert (
        f"moved by {realigned.moved_ms:+.1f} ms against the marker: after trial 13" in new.message
    )
    # What follows is cut around the artefact, and the alarm stands on.
    assert watch.look(epoch(14), answered=True) is Alignment.ALIGNED
    assert watch.take_notices() == []


def test_by_default_it_is_never_realigned() -> None:
    watch = learned()
    for seed in range(10, 40):
        moved = epoch(seed, artefact_ms=12.0)
        assert watch.look(moved, answered=True) is Alignment.MISALIGNED
        assert watch.take_realigned() is None
    (notice,) = watch.take_notices()
    assert "such trials are rejected (see stimulus.realign_after)" in notice.message


@pytest.mark.parametrize(
    "between",
    [
        epoch(90),  # back in its place
        epoch(91, artefact_ms=16.0),  # elsewhere
        epoch(92, artefact_ms=None, response_uv=0.0),  # not delivered
    ],
    ids=["aligned", "elsewhere", "gone"],
)
def test_only_trials_in_a_row_at_the_same_place_count(between: Epoch) -> None:
    watch = watching(3)
    for seed in range(10, 20, 2):
        watch.look(epoch(seed, artefact_ms=12.0), answered=True)
        watch.look(epoch(seed + 1, artefact_ms=12.0), answered=True)
        watch.look(between, answered=False)
        assert watch.take_realigned() is None


def test_trials_that_tell_nothing_and_those_out_of_order_do_not_count() -> None:
    watch = watching(2)
    watch.look(epoch(10, artefact_ms=12.0), answered=True)
    watch.look(epoch(11, artefact_ms=None, noise_uv=400.0), answered=False)
    late = replace(epoch(12, artefact_ms=12.0), out_of_order=True)
    watch.look(late, answered=True)
    assert watch.take_realigned() is None
    watch.look(epoch(13, artefact_ms=12.0), answered=True)
    assert watch.take_realigned() is not None


def test_a_train_that_another_was_put_ahead_of_has_not_moved() -> None:
    """A zero at the other's artefact would leave its own to be taken for a response."""
    watch = watching(2)
    for seed in range(10, 20):
        both = epoch(seed, artefact_ms=-40.0)
        both.samples_uv[:] += epoch(seed, response_uv=0.0, noise_uv=0.0).samples_uv
        assert watch.look(both, answered=True) is not Alignment.NOT_DELIVERED
        assert watch.take_realigned() is None


def test_it_may_move_again_and_the_corrections_add_up() -> None:
    watch = watching(2)
    for seed in (10, 11):
        watch.look(epoch(seed, artefact_ms=12.0), answered=True)
    assert watch.take_realigned() is not None
    for seed in (12, 13):
        assert watch.look(epoch(seed, artefact_ms=-5.0), answered=True) is Alignment.MISALIGNED
    assert watch.take_realigned() is not None
    assert "every marker is corrected by +7.0 ms" in watch.take_notices()[-1].message


def without(*channels: int, share: float = 0.0, others: float = 1.0) -> Epoch:
    """A trial whose artefact is left on some channels at a share of its size."""
    whole = epoch(20, artefact_uv=3000.0 * others, response_uv=0.0)
    bare = epoch(20, artefact_uv=3000.0 * share, response_uv=0.0)
    samples_uv = whole.samples_uv.copy()
    samples_uv[list(channels)] = bare.samples_uv[list(channels)]
    return replace(whole, samples_uv=samples_uv)


@pytest.mark.parametrize(
    ("trial", "detached"),
    [
        (without(), set()),
        (without(1), {1}),
        (without(0, 2), {0, 2}),
        (without(1, share=0.15), {1}),
        (without(1, share=0.3), set()),
        # weaker on all of them: a weaker stimulus
        (without(1, share=0.1, others=0.4), set()),
        (without(1, share=0.1, others=0.6), {1}),
    ],
)
def test_a_channel_that_alone_has_lost_its_artefact(trial: Epoch, detached: set[int]) -> None:
    watch = learned()
    assert watch.look(trial, answered=False) is Alignment.ALIGNED
    assert watch.detached == detached
    watch.look(epoch(21), answered=True)
    assert watch.detached == set()


def test_only_a_missing_response_is_set_aside_for_it() -> None:
    silent = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0, noise_uv=2.0)
    heard = Measurement(Status.RESPONSE, amplitude_uv=300.0)
    first, *others = set_detached_aside((silent, heard, silent), frozenset({0, 1}))
    assert (first.status, first.reasons) == (Status.REJECTED, (DETACHED,))
    assert (first.amplitude_uv, first.noise_uv) == (None, 2.0)
    assert others == [heard, silent]
