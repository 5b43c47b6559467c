"""The alarm bench: its cases, its file formats, its rules and its scores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import alarm_waiting, alarms
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
    false_percent,
    first_shown_percent,
    found_percent,
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
    assert {(a.muscle, a.trial) for a in InARow(1).alarms(case)} == beyond
    assert len(InARow(3).alarms(case)) <= len(InARow(2).alarms(case)) <= len(beyond)
    assert Ewma(limit=50.0).alarms(case) == []


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
    assert median_since_below([scored(1)]) == math.inf, "never confirmed since"


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
