"""The accuracy bench: its scores against worked examples, the files that it reads, its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import accuracy, accuracy_table
from bench.accuracy_file import read_sweeps
from bench.accuracy_profile import classes, profile
from bench.accuracy_score import (
    BANDS,
    band_score,
    bootstrap_mean,
    curve_area,
    detection_score,
    doubt_scores,
    found_at_false_share,
    icc_2_1,
    r_squared,
)
from bench.accuracy_sets import Group, labelled, real_sets, simulated_set
from bench.accuracy_targets import targets_of
from bench.methods.base import BIPHASIC, MONOPHASIC, MethodAnswers
from bench.methods.ours import Deployed
from monitor.types import MonitorError

#: Six targets, four judges: table 2 of Shrout and Fleiss, Psychol Bull 86:420 (1979).
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


# ------------------------------------------------------------------------------------- scores


def test_icc_is_that_of_the_textbook() -> None:
    assert icc_2_1(SHROUT_FLEISS) == pytest.approx(0.29, abs=0.005)


def test_icc_asks_for_absolute_agreement() -> None:
    truth = np.linspace(0.0, 10.0, 50)
    assert icc_2_1(np.stack([truth, truth], axis=1)) == pytest.approx(1.0)
    assert icc_2_1(np.stack([truth, truth + 5.0], axis=1)) < 0.5
    assert np.isnan(icc_2_1(np.ones((1, 2))))


def test_r_squared_fits_no_line() -> None:
    truth = np.array([1.0, 2.0, 3.0])
    assert r_squared(truth, truth) == 1.0
    assert r_squared(truth, np.full(3, 2.0)) == 0.0
    assert r_squared(truth, 2 * truth) == pytest.approx(1 - 14 / 2)
    assert np.isnan(r_squared(truth[:1], truth[:1]))


def test_the_bootstrap_holds_the_mean() -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(60):
        low, high = bootstrap_mean(rng.normal(3.0, 1.0, 60))
        hits += low < 3.0 < high
    assert 50 <= hits <= 60
    low, high = bootstrap_mean(rng.normal(3.0, 1.0, 400))
    assert high - low == pytest.approx(4 * 1.0 / 20, rel=0.3)


def labels() -> dict[str, np.ndarray]:
    """Four responses (SNR 4, 4, 20, 20) and two sweeps without."""
    return {
        "present": np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]),
        "snr": np.array([4.0, 4.0, 20.0, 20.0, np.nan, np.nan]),
        "onset_ms": np.array([20.0, 20.0, 20.0, 20.0, np.nan, np.nan]),
        "amplitude_uv": np.array([50.0, 60.0, 100.0, 200.0, np.nan, np.nan]),
        "morphology": np.array([1.0, 2.0, 2.0, 2.0, np.nan, np.nan]),
        "artefact": np.array([0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        "duration_ms": np.full(6, np.nan),
        "subject": np.full(6, np.nan),
    }


def said() -> MethodAnswers:
    """Misses the first response, rejects the second, sees one that is not there."""
    nan = np.nan
    return MethodAnswers.of(
        6,
        response=np.array([0.0, nan, 1.0, 1.0, 1.0, 0.0]),
        onset_ms=np.array([nan, nan, 20.4, 21.2, 30.0, nan]),
        amplitude_uv=np.array([0.0, nan, 110.0, 180.0, 30.0, 0.0]),
        amplitude_lower_uv=np.array([nan, nan, 105.0, 150.0, nan, nan]),
        amplitude_upper_uv=np.array([nan, nan, 115.0, 210.0, nan, nan]),
        morphology=np.array([nan, nan, BIPHASIC, MONOPHASIC, nan, nan]),
        artefact=np.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0]),
    )


def test_a_band_is_scored_over_what_was_found_with_misses_beside() -> None:
    high = band_score("m", said(), labels(), (10.0, np.inf), np.ones(6, bool))
    assert (high.n, high.missed) == (2, 0.0)
    assert high.mae_ms == pytest.approx(0.8)
    assert high.bias_ms == pytest.approx(0.8)
    assert (high.below_half, high.below_one) == (0.5, 0.5)
    assert high.amplitude_error == pytest.approx(0.1)
    assert high.amplitude_bias == pytest.approx(0.0)
    assert high.covered == 0.5
    assert high.shape_right == 0.5
    low = band_score("m", said(), labels(), (3.0, 5.0), np.ones(6, bool))
    assert (low.n, low.missed) == (2, 1.0)
    assert np.isnan(low.mae_ms)


def test_the_common_error_is_over_what_the_reference_found_too() -> None:
    common = np.array([False, False, True, False, False, False])
    score = band_score("m", said(), labels(), (10.0, np.inf), common)
    assert score.common_ms == pytest.approx(0.4)


def test_decisions_count_a_rejected_response_as_missed() -> None:
    found = detection_score("m", said(), labels())
    assert found.n == 6
    assert found.right == pytest.approx(3 / 6)
    assert found.missed == pytest.approx(2 / 4)
    assert found.false == 0.5
    assert (found.false_clean, found.false_beside) == (1.0, 0.0)
    assert found.rejected == pytest.approx(1 / 6)
    assert found.artefact_right == pytest.approx(4 / 6)
    assert (found.artefact_found, found.artefact_false) == (0.5, 0.25)


def test_weak_responses_are_left_to_the_curve() -> None:
    known = labels()
    known["snr"][:2] = 2.0
    found = detection_score("m", said(), known)
    assert found.n == 4
    assert found.missed == 0.0


def test_a_method_that_always_answers_decides_nothing() -> None:
    found = detection_score("m", MethodAnswers.of(6, onset_ms=np.full(6, 20.0)), labels())
    assert np.isnan(found.right)
    assert np.isnan(found.artefact_right)


def test_the_area_is_how_often_a_response_outscores() -> None:
    score = np.array([1.0, 3.0, 2.0, 2.0])
    present = np.array([True, True, False, False])
    assert curve_area(score, present, ~present) == pytest.approx(0.5)
    assert curve_area(np.array([3.0, 2.0, 2.0, 1.0]), present, ~present) == pytest.approx(3.5 / 4)


def test_found_at_a_share_of_false_responses() -> None:
    score = np.concatenate([np.arange(100.0), np.array([95.5, 98.5, 200.0])])
    present = np.arange(103) >= 100
    found = found_at_false_share(score, present, ~present, (0.01, 0.05))
    np.testing.assert_allclose(found, [2 / 3, 1.0])


# -------------------------------------------------------------------------------------- files


def arrays() -> dict[str, Any]:
    return {
        "sweeps_uv": np.random.default_rng(1).normal(size=(4, 600)),
        "fs_hz": np.array(5000.0),
        "stimulus_index": np.array(200),
    }


def test_a_file_is_read_with_what_it_knows(tmp_path: Path) -> None:
    given = arrays() | {
        "onset_ms": np.array([20.0, np.nan, 22.0, 23.0]),
        "morphology": np.array(["biphasic", "", "monophasic", "polyphasic"]),
        "subject": np.array(["b", "a", "b", "a"]),
        "artefact": np.array([False, True, False, True]),
        "pulses_ms": np.array([0.0, 2.0]),
        "remark": np.array("left alone"),
    }
    np.savez(tmp_path / "x.npz", **given)
    data = read_sweeps(tmp_path / "x.npz")
    assert (data.size, len(data.groups)) == (4, 1)
    assert data.groups[0].pulses_ms == (0.0, 2.0)
    np.testing.assert_array_equal(data.labels["present"], [1, 0, 1, 1])
    np.testing.assert_array_equal(data.labels["morphology"], [2, np.nan, 1, 3])
    np.testing.assert_array_equal(data.labels["subject"], [1, 0, 1, 0])
    np.testing.assert_array_equal(data.labels["artefact"], [0, 1, 0, 1])
    assert np.isnan(data.labels["snr"]).all()


def test_shapes_as_phases_and_artefacts_by_name(tmp_path: Path) -> None:
    given = arrays() | {
        "morphology": np.array([0, 1, 5, 2]),
        "artefact": np.array(["", "mains", "none", "heart"]),
        "pulses_ms": np.array(0.0),
        "artefact_types": np.array([[0, 0], [1, 0], [0, 0], [1, 1]]),
        "artefact_type_names": np.array(["mains", "heart"]),
    }
    np.savez(tmp_path / "x.npz", **given)
    data = read_sweeps(tmp_path / "x.npz")
    np.testing.assert_array_equal(data.labels["morphology"], [np.nan, 1, 3, 2])
    np.testing.assert_array_equal(data.labels["artefact"], [0, 1, 0, 1])
    assert data.groups[0].pulses_ms == (0.0,)
    np.testing.assert_array_equal(data.artefact_types["mains"], [False, True, False, True])
    np.testing.assert_array_equal(data.artefact_types["heart"], [False, False, False, True])


@pytest.mark.parametrize("left", ["onset_ms", "amplitude_uv", "duration_ms", "morphology"])
def test_any_label_of_a_response_tells_that_there_is_one(tmp_path: Path, left: str) -> None:
    known = {
        "onset_ms": np.array([20.0, np.nan, 0.0]),
        "amplitude_uv": np.array([50.0, np.nan, 0.0]),
        "duration_ms": np.array([9.0, np.nan, 0.0]),
        "morphology": np.array([b"Biphasic", b"", b"none"]),
    }
    sweeps = np.ones((3, 300))
    np.savez(
        tmp_path / "x.npz",
        sweeps_uv=sweeps,
        fs_hz=3000,
        stimulus_index=[100],
        **{left: known[left]},
    )
    labels = read_sweeps(tmp_path / "x.npz").labels
    np.testing.assert_array_equal(labels["present"], [1.0, 0.0, 0.0])


def test_set_ups_of_one_file_are_kept_apart(tmp_path: Path) -> None:
    given = arrays()
    given["sweeps_uv"][2, 500:] = np.nan
    given["fs_hz"] = np.array([5000.0, 5000.0, 3000.0, 5000.0])
    given["stimulus_index"] = np.array([200, 200, 100, 200])
    given["pulses_ms"] = np.array([[0, np.nan], [0, 3], [0, np.nan], [0, np.nan]])
    np.savez_compressed(tmp_path / "x.npz", **given)
    data = read_sweeps(tmp_path / "x.npz")
    found = {(g.fs_hz, g.sweeps_uv.shape, g.pulses_ms, tuple(g.rows)) for g in data.groups}
    assert found == {
        (5000.0, (2, 600), (0.0,), (0, 3)),
        (5000.0, (1, 600), (0.0, 3.0), (1,)),
        (3000.0, (1, 500), (0.0,), (2,)),
    }
    spread = data.of_group([group.fs_hz for group in data.groups])
    np.testing.assert_array_equal(spread, given["fs_hz"])


BAD = {
    "sweeps_uv": [np.zeros(600), np.zeros((0, 600)), np.full((4, 600), "x"),
                  np.full((4, 600), np.nan)],
    "fs_hz": [np.array(0.0), np.array([1.0, 2.0]), np.array(np.nan), np.array("fast")],
    "stimulus_index": [np.array(600), np.array(-1), np.array(0.5), np.zeros((2, 2))],
    "onset_ms": [np.zeros(3), np.array(["a"] * 4)],
    "morphology": [np.array(["square"] * 4)],
    "present": [np.array([0.0, 1.0, 2.0, 1.0])],
    "pulses_ms": [np.array([1.0, 2.0]), np.array([0.0, 3.0, 2.0]), np.zeros((3, 1)),
                  np.full((4, 1), np.nan)],
    "snr": [np.array([object()] * 4)],
    "artefact_types": [np.zeros((4, 3)), np.zeros(4)],
    "artefact_type_names": [np.zeros(2)],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_wrong_array_is_named_in_one_line(tmp_path: Path, name: str, value: np.ndarray) -> None:
    types = {"artefact_types": np.zeros((4, 2)), "artefact_type_names": np.array(["a", "b"])}
    np.savez(tmp_path / "x.npz", **(arrays() | types | {name: value}))
    with pytest.raises(MonitorError, match=f"array {name} ") as error:
        read_sweeps(tmp_path / "x.npz")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["sweeps_uv", "fs_hz", "stimulus_index"])
def test_a_missing_array_is_named(tmp_path: Path, name: str) -> None:
    given = arrays()
    del given[name]
    np.savez(tmp_path / "x.npz", **given)
    with pytest.raises(MonitorError, match=f"array {name} is missing"):
        read_sweeps(tmp_path / "x.npz")


def test_what_is_no_npz_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(4))
    (tmp_path / "text.npz").write_text("nothing")
    whole = tmp_path / "cut.npz"
    np.savez(whole, **arrays())
    whole.write_bytes(whole.read_bytes()[:2000])
    for name in ("one.npy", "text.npz", "cut.npz", "absent.npz"):
        with pytest.raises(MonitorError, match=name):
            read_sweeps(tmp_path / name)


# --------------------------------------------------------------------------------- sets, tables


def test_a_simulated_set_counts_onsets_from_the_first_pulse_and_its_sample() -> None:
    data = simulated_set("test", 1, 150)
    assert data.size == 150
    assert [len(group.rows) for group in data.groups] == [64, 64, 22]
    there = data.labels["present"] == 1
    last_ms = data.of_group([group.pulses_ms[-1] for group in data.groups])
    since_last = (data.labels["onset_ms"] - last_ms)[there]
    assert since_last.min() > 7.9
    assert since_last.max() < 50.6
    assert set(np.unique(data.labels["morphology"][there])) <= {1.0, 2.0, 3.0}
    assert np.isnan(data.labels["onset_ms"][~there]).all()


def test_labels_are_those_that_the_tables_know() -> None:
    group = Group(np.zeros((2, 500)), 5000.0, 100, (0.0,), np.arange(2))
    with pytest.raises(ValueError, match="latency"):
        labelled("x", [group], latency=np.zeros(2))


def test_the_recorded_sets_are_what_their_sources_say(shared_data: Path) -> None:
    sets = {data.name: data for data in real_sets(shared_data)}
    assert {name: data.size for name, data in sets.items()} == {
        "mepfeatx": 232,
        "dbs-artefact": 190,
        "tms-brainvision": 80,
        "dimep": 5,
    }
    assert (sets["dbs-artefact"].labels["present"] == 0).all()
    assert sets["tms-brainvision"].labels["present"].sum() == 40
    hand = sets["mepfeatx"].labels
    assert np.nanmin(hand["onset_ms"]) > 15
    assert np.isnan(hand["onset_ms"][hand["present"] == 0]).all()


def test_no_recorded_set_where_there_is_none(tmp_path: Path) -> None:
    assert real_sets(tmp_path) == []


def test_the_tables_of_a_file_come_out_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = simulated_set("validation", 3, 40)
    group = data.groups[0]
    np.savez(
        tmp_path / "x.npz",
        sweeps_uv=group.sweeps_uv,
        fs_hz=group.fs_hz,
        stimulus_index=group.stimulus_index,
        pulses_ms=np.array(group.pulses_ms),
        **{name: data.labels[name] for name in ("onset_ms", "amplitude_uv", "present", "snr")},
    )
    accuracy.main(["--sweeps", str(tmp_path / "x.npz"), "--paper", str(tmp_path / "none.onnx")])
    out = capsys.readouterr().out
    assert "none.onnx: not there" in out
    assert "x.npz: 40 sweeps" in out
    for title in ("onset, SNR", "size, SNR", "decisions", "found %, by SNR", "time, ms a sweep"):
        assert title in out
    for method in ("ours, deployed", "ours, network", "DELMEP", "Bigoni", "template"):
        assert method in out


def test_a_bad_file_ends_in_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **(arrays() | {"fs_hz": np.array(-1.0)}))
    with pytest.raises(SystemExit, match="array fs_hz "):
        accuracy.main(["--sweeps", str(tmp_path / "x.npz")])


def test_a_method_that_refuses_is_named() -> None:
    slow = labelled("slow", [Group(np.zeros((1, 400)), 1000.0, 100, (0.0,), np.arange(1))])
    answers, _, refused = accuracy.answer_all([Deployed()], slow)
    assert not answers
    assert refused[0].startswith("ours, deployed refuses 1 of slow: fs_hz is 1000")


def test_the_profile_shows_one_cause_at_a_time() -> None:
    data = simulated_set("validation", 5, 256)
    parts = dict(classes(data))
    alone = [members for title, members in parts.items() if title.startswith("only ")]
    clean = parts["no artefact"]
    assert (np.sum(alone, axis=0) <= 1).all()
    assert not (np.sum(alone, axis=0).astype(bool) & clean).any()
    rates = [members for title, members in parts.items() if title.startswith("fs kHz")]
    np.testing.assert_array_equal(np.sum(rates, axis=0), clean)
    perfect = MethodAnswers.of(
        data.size, response=data.labels["present"], onset_ms=data.labels["onset_ms"] + 0.25
    )
    table = profile("perfect", perfect, data).splitlines()
    whole = table[2].split()
    assert whole[0] == "all"
    assert whole[2:5] == ["0.0", "0.25", "0.25"]


def test_a_perfect_method_meets_what_is_asked() -> None:
    data = simulated_set("validation", 5, 256)
    known = data.labels
    perfect = MethodAnswers.of(
        data.size,
        response=known["present"],
        onset_ms=known["onset_ms"],
        amplitude_uv=known["amplitude_uv"],
        morphology=known["morphology"],
        artefact=known["artefact"],
    )
    asked = list(targets_of(data, perfect, perfect))
    assert len(asked) == 20
    assert all(target.met for target in asked)
    blind = MethodAnswers.of(data.size, response=np.zeros(data.size))
    missed = [t for t in targets_of(data, blind, blind) if not t.met]
    # It rejects nothing, and that is all.
    assert len(missed) == 19
    assert missed[0].line().endswith("<= 0.4  NO")


def test_what_is_asked_of_the_recorded_sets(shared_data: Path) -> None:
    asked = {}
    for data in real_sets(shared_data):
        known = data.labels
        said = MethodAnswers.of(
            data.size,
            response=known["present"],
            amplitude_uv=1.02 * known["amplitude_uv"],
            amplitude_raw_uv=1.02 * known["amplitude_uv"],
        )
        asked |= {target.what: target for target in targets_of(data, said, said)}
    assert len(asked) == 6
    assert [what for what, target in asked.items() if not target.met] == [
        "mepfeatx: raw amplitude, median error %"
    ]


def test_home_is_one_pulse_without_artefact() -> None:
    sweeps, rows = np.zeros((5, 900)), np.arange(10)
    data = labelled(
        "x",
        [
            Group(sweeps, 5000.0, 200, (0.0,), rows[:5]),
            Group(sweeps, 5000.0, 200, (0.0, 3.0), rows[5:]),
        ],
        present=np.array([1.0, 1.0, 1.0, 1.0, 0.0] * 2),
        onset_ms=np.array([20.0, 9.0, 20.0, 20.0, np.nan] * 2),
        duration_ms=np.array([15.0, 15.0, 30.0, 15.0, np.nan] * 2),
        artefact=np.array([0.0, 0.0, 0.0, 1.0, 0.0] * 2),
    )
    present = accuracy.home_ground(data)["present"]
    np.testing.assert_array_equal(np.isfinite(present), [True] + 9 * [False])


def test_a_method_that_refuses_one_set_up_answers_the_others() -> None:
    sweeps = np.random.default_rng(2).normal(size=(2, 900))
    rows = np.arange(4)
    data = labelled(
        "mixed",
        [
            Group(sweeps, 1000.0, 300, (0.0,), rows[:2]),
            Group(sweeps, 5000.0, 300, (0.0,), rows[2:]),
        ],
        present=np.zeros(4),
    )
    answers, spent, refused = accuracy.answer_all([Deployed()], data)
    response = answers["ours, deployed"].response
    np.testing.assert_array_equal(np.isfinite(response), [False, False, True, True])
    assert len(refused) == 1
    assert refused[0].startswith("ours, deployed refuses 2 of mixed")
    assert min(spent["ours, deployed"]) > 0


def test_doubts_are_held_against_errors() -> None:
    answers = MethodAnswers.of(
        6,
        response=np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0]),
        onset_ms=np.array([20.5, 26.0, 20.5, 20.0, 9.0, np.nan]),
        onset_uncertain=np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]),
    )
    (doubt,) = doubt_scores("m", answers, labels())
    assert doubt.n == 4
    assert doubt.doubted == 0.5
    assert doubt.sure_error == pytest.approx(0.25)
    assert doubt.doubted_error == pytest.approx(3.25)
    assert (doubt.sure_far, doubt.doubted_far) == (0.0, 0.5)
    assert doubt_scores("m", MethodAnswers.of(6), labels()) == []


def test_a_file_without_labels_gives_no_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arrays()
    given["sweeps_uv"][1, 300] = np.nan
    np.savez(tmp_path / "x.npz", **given)
    accuracy.main(["--sweeps", str(tmp_path / "x.npz"), "--paper", str(tmp_path / "none.onnx")])
    assert "x.npz: 4 sweeps, 0 responses, 0 without" in capsys.readouterr().out


def test_bands_are_one_where_no_snr_is_known() -> None:
    known = labels()
    assert accuracy_table.bands_of(known) == BANDS
    known["snr"][:] = np.nan
    assert accuracy_table.bands_of(known) == ((-np.inf, np.inf),)
