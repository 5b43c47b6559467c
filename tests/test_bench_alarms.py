"""The alarm bench: its cases, its file formats, its rules and its scores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import alarm_controls, alarm_waiting, alarms
from bench.alarm_cases import (
    COLUMNS,
    DESIGN,
    EVALUATION,
    TRUTH,
    Case,
    Loss,
    Scenario,
    read,
    simulate,
)
from bench.alarm_rules import Alarm, Ewma, InARow, Ours, percent_of_baseline
from bench.alarm_score import (
    Scored,
    confirmed_percent,
    false_percent,
    first_shown_percent,
    found_percent,
    left_out,
    lost_but_not_high,
    median_since_below,
    median_trials,
    score,
    untrue_percent,
)
from monitor.types import MonitorError

STABLE = Scenario("stable")
LOST = Scenario("lost", loss=Loss(0.9, "AH"))


def write_cases(path: Path, cases: list[Case]) -> None:
    rows: dict[str, list[object]] = {name: [] for name in (*COLUMNS, *TRUTH)}
    for case in cases:
        for t, trial in enumerate(case.trials):
            for m, muscle in enumerate(case.muscles):
                uv = case.amplitude_uv[t, m] if case.status[t][m] == "response" else None
                values = (
                    case.case, case.kind, case.time_s[t], trial, case.settings[t], muscle, uv,
                    case.snr[t, m], case.status[t][m], case.loss_start[m], case.loss_fraction[m],
                    case.focal,
                )  # fmt: skip
                for name, value in zip(rows, values, strict=True):
                    rows[name].append(value)
    pq.write_table(pa.table(rows), path)


def test_cases_hang_on_their_seed_alone() -> None:
    one, more = simulate(LOST, 1, DESIGN)[0], simulate(LOST, 3, DESIGN)[0]
    np.testing.assert_array_equal(one.amplitude_uv, more.amplitude_uv)
    other = simulate(LOST, 1, EVALUATION)[0]
    assert not np.array_equal(one.amplitude_uv, other.amplitude_uv)


def test_variability_and_fade_are_the_published_ones() -> None:
    plain = replace(STABLE, fade=0.0, outliers=0.0, weak_trials=0.0, trials=300)
    logs = [np.log(case.amplitude_uv) for case in simulate(plain, 40, DESIGN)]
    spread = np.mean([log.std(axis=0) for log in logs], axis=0)
    cv = np.sqrt(np.exp(spread**2) - 1.0)
    assert cv[[0, 2, 4]] == pytest.approx([0.48, 0.35, 0.27], abs=0.03)
    quiet = replace(plain, fade=1.0)
    falls = [
        np.log(case.amplitude_uv[-20:]).mean(axis=0) - np.log(case.amplitude_uv[:20]).mean(axis=0)
        for case in simulate(quiet, 40, DESIGN)
    ]
    hand, foot = np.exp(np.mean(falls, axis=0))[[0, 2]]
    assert hand == pytest.approx(0.81, abs=0.06)
    assert foot == pytest.approx(0.65, abs=0.06)


def test_a_loss_is_what_it_says() -> None:
    for case in simulate(LOST, 5, DESIGN):
        [m] = case.lost()
        before = case.amplitude_uv[: case.loss_start[m] - 1, m]
        after = case.amplitude_uv[case.loss_start[m] - 1 :, m]
        assert np.median(after) < 0.25 * np.median(before)
        assert case.focal


def test_muscles_may_vary_and_step_as_no_table_says() -> None:
    plain = replace(STABLE, outliers=0.0, weak_trials=0.0, fade=0.0, trials=300)
    sds = [
        np.log(case.amplitude_uv[:, :2]).std(axis=0)
        for case in simulate(replace(plain, spread=0.25), 30, DESIGN)
    ]
    assert np.log(sds).std() == pytest.approx(0.25, abs=0.08)
    [case] = simulate(replace(plain, own_steps=0.2), 1, DESIGN)
    assert case.true_share is not None
    assert np.ptp(np.log(case.true_share), axis=0).min() > 0.05
    [still] = simulate(plain, 1, DESIGN)
    assert still.true_share is not None
    np.testing.assert_allclose(still.true_share, 1.0)


def test_files_of_cases_and_alarms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = simulate(STABLE, 1, DESIGN) + simulate(LOST, 1, DESIGN)
    given, out = tmp_path / "cases.parquet", tmp_path / "alarms.parquet"
    write_cases(given, cases)
    back = read(given)
    assert [case.case for case in back] == [case.case for case in cases]
    assert Ours().alarms(back[1]) == Ours().alarms(cases[1])
    assert alarms.main(["--cases", str(given), "--out", str(out)]) == 0
    assert "found" in capsys.readouterr().out
    table = pq.read_table(out)
    assert table.column_names == [
        "case", "muscle", "trial", "kind", "priority", "state", "scope"
    ]  # fmt: skip
    assert table.num_rows > 0


def test_a_file_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    pq.write_table(pa.table({"case": ["a"]}), path)
    with pytest.raises(MonitorError, match=r"cases\.parquet: lacks the column 'kind'"):
        read(path)
    path.write_text("no parquet")
    with pytest.raises(MonitorError, match=r"cases\.parquet: not a Parquet file"):
        read(path)
    assert alarms.main(["--cases", str(path)]) == 2


def test_a_file_of_anothers_making(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The columns alone are agreed: settings of any text, NaN, a truth told on every row."""
    [case] = simulate(LOST, 1, DESIGN)
    [m] = case.lost()
    rows: dict[str, list[object]] = {name: [] for name in (*COLUMNS, *TRUTH)}
    for t, trial in enumerate(case.trials):
        for i, muscle in enumerate(case.muscles):
            status = "rejected" if t == 3 else "no_response" if i == m and t > 70 else "response"
            uv = case.amplitude_uv[t, i] if status == "response" else float("nan")
            values = ("case 7", "mine", case.time_s[t], float(trial), "C3/C4 @ 400 V, 5 x 0.5 ms",
                      f"{muscle} (x)", uv, float("nan"), status, case.loss_start[m],
                      0.9 if i == m else 0.0, True)  # fmt: skip
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
    given, out = tmp_path / "cases.parquet", tmp_path / "alarms.parquet"
    pq.write_table(pa.table(rows), given)
    [back] = read(given)
    assert (back.lost(), back.focal) == ([m], True)
    assert alarms.main(["--cases", str(given), "--out", str(out)]) == 0
    assert "mine" in capsys.readouterr().out
    found = pq.read_table(out).to_pylist()
    confirmed = [a for a in found if a["state"] == "active" and a["priority"] == "high"]
    assert {a["muscle"] for a in confirmed} == {f"{case.muscles[m]} (x)"}
    rows["status"][5] = "fine"
    pq.write_table(pa.table(rows), given)
    assert alarms.main(["--cases", str(given)]) == 2
    assert "status 'fine'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("amplitude_uv", "much", "'much': not a number"),
        ("trial", None, "trial None"),
        ("trial", "2.5", "trial '2.5'"),
    ],
)
def test_a_value_that_is_none_is_told(
    column: str, value: object, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "cases.parquet"
    write_cases(given, [steady(30)])
    table = pq.read_table(given)
    values = [None if v is None else str(v) for v in table[column].to_pylist()]
    values[7] = value if value is None else str(value)
    at = table.column_names.index(column)
    pq.write_table(table.set_column(at, column, pa.array(values, pa.string())), given)
    assert alarms.main(["--cases", str(given)]) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert "cases.parquet" in shown


@pytest.mark.parametrize(
    ("written", "focal"), [("False", False), ("True", True), ("0", False), ("1.0", True)]
)
def test_a_truth_in_words(written: str, focal: bool, tmp_path: Path) -> None:
    given = tmp_path / "cases.parquet"
    write_cases(given, [steady(30)])
    table = pq.read_table(given)
    at = table.column_names.index("focal")
    words = pa.array([written] * table.num_rows, pa.string())
    pq.write_table(table.set_column(at, "focal", words), given)
    [case] = read(given)
    assert case.focal is focal


def test_a_steady_case_is_scored_and_a_missing_folder_told_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "cases.parquet"
    write_cases(given, [steady(30)])
    assert alarms.main(["--cases", str(given), "--out", str(tmp_path / "no" / "a.parquet")]) == 2
    shown = capsys.readouterr()
    assert "there is no folder" in shown.err
    assert "false" not in shown.out
    assert alarms.main(["--cases", str(given), "--out", str(tmp_path / "a.parquet")]) == 0
    assert "EWMA" in capsys.readouterr().out


def test_ours_gives_the_same_alarms_again() -> None:
    [case] = simulate(LOST, 1, DESIGN)
    assert Ours().alarms(case) == Ours().alarms(case)


def test_every_trial_beyond_is_shown_at_once() -> None:
    assert first_shown_percent(score(Ours(), simulate(STABLE, 3, DESIGN))) == 100.0


def test_the_usual_rules() -> None:
    [case] = simulate(replace(STABLE, outliers=0.0, fade=0.0), 1, DESIGN)
    share = percent_of_baseline(case)
    assert np.isnan(share[:5]).all()
    beyond = {
        (muscle, trial)
        for m, muscle in enumerate(case.muscles)
        for t, trial in enumerate(case.trials)
        if share[t, m] <= 50.0
    }
    one, two, three = (
        [a for a in InARow(k).alarms(case) if a.state == "active"] for k in (1, 2, 3)
    )
    assert {(a.muscle, a.trial) for a in one} == beyond
    assert len(three) <= len(two) <= len(beyond)
    assert Ewma(limit=50.0).alarms(case) == []


def steady(outlier_at: int) -> Case:
    """Two muscles of one and the same amplitude, but for a single sweep."""
    [case] = simulate(replace(STABLE, trials=40, muscles=("AH",)), 1, DESIGN)
    amplitude_uv = np.full_like(case.amplitude_uv, 400.0)
    amplitude_uv[outlier_at, 0] = 20.0
    return replace(
        case, amplitude_uv=amplitude_uv, status=(("response",) * len(case.muscles),) * 40
    )


def test_rules_on_a_muscle_that_does_not_vary() -> None:
    case = steady(30)
    states = [(a.trial, a.state) for a in InARow(1).alarms(case)]
    assert states == [(31, "active"), (32, "resolved")]
    assert (31, "active") in [(a.trial, a.state) for a in Ewma().alarms(case)]
    assert not Scored(case, Ours().alarms(case)).high


def test_scores() -> None:
    [case] = simulate(LOST, 1, DESIGN)
    [m] = case.lost()
    start, muscle = case.loss_start[m], case.muscles[m]

    def scored(trial: int, priority: str = "high", state: str = "active") -> Scored:
        alarm = Alarm(case.case, muscle, trial, "amplitude_drop", priority, state, "focal")
        return Scored(case, [alarm])

    assert scored(start).confirmed_after(m) == 1
    assert scored(start + 2).confirmed_after(m) == 3
    assert scored(start - 1).confirmed_after(m) is None
    assert scored(start, "low", "unconfirmed").confirmed_after(m) is None
    assert found_percent([scored(start + 2), scored(start + 3)], 3) == 50.0
    assert false_percent([scored(1), scored(1, "medium")]) == 50.0
    assert untrue_percent([scored(start), scored(1)]) == 50.0, "lost by then, whole before"
    assert median_since_below([scored(start + 2)]) == median_trials([scored(start + 2)]) == 3.0
    assert median_since_below([Scored(case, [])]) == math.inf, "never confirmed since"


def test_an_alarm_that_stood_before_the_loss_finds_nothing() -> None:
    [case] = simulate(LOST, 1, DESIGN)
    [m] = case.lost()
    start, muscle = case.loss_start[m], case.muscles[m]

    def scored(*told: tuple[int, str]) -> Scored:
        return Scored(
            case,
            [Alarm(case.case, muscle, t, "amplitude_drop", "high", s, "focal") for t, s in told],
        )

    standing = scored((start - 2, "active"), (start, "active"))
    assert standing.losses() == []
    assert left_out([standing]) == 1
    assert math.isnan(found_percent([standing], 3))
    over = scored((start - 3, "active"), (start - 2, "resolved"), (start + 1, "active"))
    assert (over.losses(), over.confirmed_after(m)) == ([m], 2)


def test_the_row_of_an_outlier_has_one_in_a_case_as_varied_as_any() -> None:
    [case] = simulate(STABLE, 1, DESIGN)
    given = alarms.with_outlier(case, 7)
    changed = np.argwhere(given.amplitude_uv != case.amplitude_uv)
    assert changed.tolist() == [[27, 0]]
    assert given.status[27][0] == "response"
    assert given.amplitude_uv[27, 0] < 0.1 * np.median(case.amplitude_uv[:, 0])


def test_rows_with_controls_can_tell_a_loss_that_was_lowered() -> None:
    """All muscles that fall slowly and far are called global with hands as controls, and some of
    them lowered; never without controls, and no sudden loss of both legs.
    """
    cases = [alarm_controls.of_all(case, 0.6, 60.0) for case in simulate(STABLE, 8, DESIGN)]
    with_hands = score(alarm_controls.HANDS, cases)
    assert confirmed_percent(with_hands, alarm_controls.is_global, ("AH", "TA")) > 50.0
    assert confirmed_percent(with_hands, alarm_controls.is_lowered) > 0.0
    assert confirmed_percent(score(Ours(), cases), alarm_controls.is_lowered) == 0.0
    legs = simulate(replace(STABLE, loss=Loss(0.7, "AH", "legs")), 3, DESIGN)
    for _, rule in alarm_controls.PROFILES:
        assert lost_but_not_high(score(rule, legs)) == 0
    one = legs[0]
    told = [
        Alarm(one.case, one.muscles[m], 70, "amplitude_drop", "medium", "active", "global")
        for m in one.lost()
    ]
    assert lost_but_not_high([Scored(one, told)]) == 4


def test_rows_with_controls_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert alarm_controls.main(["--n", "1", "--design"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("not high: 0 of ") == 18
    assert shown.count("all muscles, ") == 10


def test_a_loss_that_nobody_repeats_becomes_high_by_time_alone() -> None:
    cases = simulate(LOST, 2, DESIGN)
    for case in cases:
        cut = alarm_waiting.never_repeated(case)
        assert cut.trials[-2:] == (max(case.loss_start), max(case.loss_start) + 1)
        assert cut.amplitude_uv.shape == (len(cut.trials), len(cut.muscles))
        [plain_s] = alarm_waiting.high_after_s(alarm_waiting.PLAIN, case)
        [ours_s] = alarm_waiting.high_after_s(alarm_waiting.LIVE, case)
        assert plain_s is not None
        assert ours_s is not None
        # 0: with the plain times a false alarm of before the loss was latched, and is high at once.
        assert 0.0 <= plain_s < ours_s <= 600.0
        assert alarm_waiting.high_after_s(Ours(), case) == [None], "no time passed"


def test_time_between_the_trials_of_a_stable_case(capsys: pytest.CaptureFixture[str]) -> None:
    alarm_waiting.print_rows(simulate(STABLE, 1, DESIGN), simulate(LOST, 1, DESIGN))
    shown = capsys.readouterr().out.splitlines()
    percent = [line.split()[-2] for line in shown[1:4]]
    assert percent == ["0.0", "100.0", "0.0"]
    assert shown[5].endswith(" s")
