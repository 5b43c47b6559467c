"""Sweeps of the second opinion: reproducible, readable, and what their labels say they are."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.accuracy_file import read_sweeps
from bench.second_opinion import disturbances, motor_units, sets, setups, templates
from bench.second_opinion.__main__ import FAMILIES, main, write_sets

Arrays = dict[str, NDArray[Any]]
SETUP = setups.Setup(5000.0, 50.0, 150.0, (0.0, 3.0, 6.0), 50.0, True)


def make(family: str, count: int, artefact_share: float, seed: int = 5) -> Arrays:
    made = FAMILIES[family]
    rng = np.random.default_rng(seed)
    return sets.make_set(rng, count, made.response, artefact_share, made.NOISE_SD_UV)


@pytest.fixture(scope="module", params=list(FAMILIES))
def mixed(request: pytest.FixtureRequest) -> Arrays:
    """Both families, with artefacts."""
    return make(request.param, 360, 0.35)


def rows_of(arrays: Arrays) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Of each row: times from the first pulse, the sweep, the noiseless one; NaN cut off."""
    found = []
    for row, sweep in enumerate(arrays["sweeps_uv"]):
        samples = int(np.isfinite(sweep).sum())
        t_ms = (np.arange(samples) - arrays["stimulus_index"][row]) / arrays["fs_hz"][row] * 1e3
        found.append((t_ms, sweep[:samples], arrays["noiseless_uv"][row, :samples]))
    return found


def test_nothing_is_taken_from_what_it_is_to_judge() -> None:
    files = list(Path(sets.__file__).parent.glob("*.py"))
    assert len(files) > 5
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                assert not name.startswith(("models", "monitor.measure")), path.name


def test_the_command_writes_four_files_that_the_bench_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--out", str(tmp_path / "new"), "--n", "40", "--seed", "3"])
    paths = sorted((tmp_path / "new").iterdir())
    assert [path.name for path in paths] == [
        f"{family}_{share}.npz" for family in ("templates", "units") for share in ("clean", "mixed")
    ]
    assert sorted(capsys.readouterr().out.split()) == [str(path) for path in paths]
    for path in paths:
        data = read_sweeps(path)
        with np.load(path) as stored:
            assert data.size == 40
            for name in ("onset_ms", "amplitude_uv", "present", "snr", "duration_ms", "morphology"):
                np.testing.assert_array_equal(data.labels[name], stored[name])
            np.testing.assert_array_equal(data.labels["artefact"] == 1.0, stored["artefact"] != "")
            assert data.labels["artefact"].any() == ("mixed" in path.name)
            for group in data.groups:
                for sweep, row in zip(group.sweeps_uv, group.rows, strict=True):
                    assert group.stimulus_index == stored["stimulus_index"][row]
                    np.testing.assert_array_equal(sweep, stored["sweeps_uv"][row, : sweep.size])
                    assert np.isnan(stored["sweeps_uv"][row, sweep.size :]).all()
            for name, there in data.artefact_types.items():
                np.testing.assert_array_equal(there, stored["artefact"] == name)


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        (tmp_path / name).mkdir()
        write_sets(tmp_path / name, seed, 12)
    first = {path.name: dict(np.load(path)) for path in (tmp_path / "a").iterdir()}
    for name, arrays in first.items():
        again, other = (dict(np.load(tmp_path / folder / name)) for folder in "bc")
        assert list(arrays) == list(again)
        for key, values in arrays.items():
            np.testing.assert_array_equal(values, again[key], err_msg=key)
        assert not np.isin(arrays["noise_sd_uv"], other["noise_sd_uv"]).any()
    # No file is another one's start under other artefacts.
    drawn = np.concatenate([arrays["noise_sd_uv"] for arrays in first.values()])
    assert np.unique(drawn).size == drawn.size


def test_no_sweep_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--n", "0"])
    assert list(tmp_path.iterdir()) == []


def test_truth_is_read_off_the_noiseless_sweep(mixed: Arrays) -> None:
    seen = 0
    for row, (t_ms, _, noiseless_uv) in enumerate(rows_of(mixed)):
        if mixed["present"][row] == 0.0:
            assert not noiseless_uv.any()
            for name in ("onset_ms", "amplitude_uv", "snr", "duration_ms", "morphology"):
                assert np.isnan(mixed[name][row])
            continue
        seen += 1
        size_uv = np.abs(noiseless_uv)
        beyond_ms = t_ms[size_uv > 0.05 * size_uv.max()]
        assert mixed["onset_ms"][row] == pytest.approx(beyond_ms[0])
        assert mixed["duration_ms"][row] == pytest.approx(beyond_ms[-1] - beyond_ms[0])
        assert mixed["amplitude_uv"][row] == pytest.approx(
            noiseless_uv.max() - noiseless_uv.min(), rel=1e-5
        )
        assert mixed["snr"][row] * mixed["noise_sd_uv"][row] == pytest.approx(
            size_uv.max(), rel=1e-5
        )
        assert size_uv.max() <= 5000.1
        begin_ms, one, five, ten = (
            mixed[f"onset_{name}_ms"][row] for name in ("begin", "1", "5", "10")
        )
        assert begin_ms - 3.0 <= one <= five == mixed["onset_ms"][row] <= ten
        assert begin_ms - 1.2 <= five
        # A response lies behind the train, and before the sweep's end.
        assert begin_ms >= np.nanmax(mixed["pulses_ms"][row]) + 4.0
        assert beyond_ms[0] < 75.0
    assert seen > 200


def test_noise_has_the_deviation_that_it_is_labelled_with(mixed: Arrays) -> None:
    ratios = []
    for row, (t_ms, sweep_uv, noiseless_uv) in enumerate(rows_of(mixed)):
        if mixed["artefact"][row] == "":
            apart = (t_ms < 0) | (t_ms > np.nanmax(mixed["pulses_ms"][row]) + 10.0)
            ratios.append((sweep_uv - noiseless_uv)[apart].std() / mixed["noise_sd_uv"][row])
    assert len(ratios) > 200
    assert np.median(ratios) == pytest.approx(1.0, abs=0.03)
    assert 0.7 < min(ratios) < max(ratios) < 1.3


def test_artefacts_stand_where_they_are_labelled_and_nowhere_else(mixed: Arrays) -> None:
    """Beyond 4 ms after each pulse, where the short artefacts of the pulses are over."""
    kinds = set()
    for row, (t_ms, sweep_uv, noiseless_uv) in enumerate(rows_of(mixed)):
        pulses_ms = mixed["pulses_ms"][row]
        apart = (t_ms < 0) | (t_ms > np.nanmax(pulses_ms) + 5.0)
        kind = str(mixed["artefact"][row])
        kinds.add(kind)
        left = np.abs(sweep_uv - noiseless_uv)[apart].max() / mixed["noise_sd_uv"][row]
        if kind == "clipping":
            assert (np.abs(sweep_uv) == np.abs(sweep_uv).max()).sum() > 2
        else:
            assert (left > 6.0) == (kind != ""), (kind, left)
        assert mixed["artefact_types"][row].sum() == (kind != "")
    assert kinds == {*disturbances.ARTEFACTS, ""}
    assert np.mean(mixed["artefact"] != "") == pytest.approx(0.35, abs=0.08)


def test_a_clean_set_has_no_artefact() -> None:
    assert (make("templates", 60, 0.0)["artefact"] == "").all()


def test_bands_of_snr_have_equal_shares_and_three_of_ten_no_response() -> None:
    arrays = make("templates", 1200, 0.0)
    assert np.mean(arrays["present"] == 0.0) == pytest.approx(0.3, abs=0.04)
    snr = arrays["snr"][arrays["present"] == 1.0]
    counts = [((snr >= low) & (snr < high)).sum() for low, high in sets.BANDS]
    assert sum(counts) == snr.size
    np.testing.assert_allclose(np.array(counts) / snr.size, 0.25, atol=0.05)
    # Log-uniform inside each band.
    places = np.concatenate(
        [
            np.log(snr[(snr >= low) & (snr < high)] / low) / np.log(high / low)
            for low, high in sets.BANDS
        ]
    )
    np.testing.assert_allclose(np.quantile(places, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.06)


@pytest.mark.parametrize("kind", sorted(disturbances.ADDED))
def test_an_artefact_grows_with_the_noise(kind: str) -> None:
    """Sizes are in its SD, but for a residue, which meets the amplifier's limit."""
    one, ten = (
        disturbances.ADDED[kind](np.random.default_rng(9), SETUP, sd_uv) for sd_uv in (1.0, 10.0)
    )
    assert one.shape == (SETUP.samples,)
    assert np.abs(one).max() > 5.0
    np.testing.assert_allclose(ten, np.clip(10.0 * one, ten.min(), ten.max()), rtol=1e-9)


def test_pulses_leave_a_short_artefact_and_a_residue_a_long_one() -> None:
    t_ms = SETUP.times_ms
    late = t_ms >= SETUP.pulses_ms[-1] + disturbances.RESIDUE_AT_MS
    for seed in range(20):
        short, long = (
            disturbances.pulse_artefacts(np.random.default_rng(seed), SETUP, 10.0, residue=residue)
            for residue in (False, True)
        )
        assert not short[t_ms < -1e-6].any()
        assert np.abs(short[late]).max() < 10.0 < 50.0 < np.abs(long[late]).max()
        assert np.abs(short).max() > 20.0


def test_an_unknown_artefact_is_refused() -> None:
    with pytest.raises(KeyError):
        disturbances.add_artefact(np.random.default_rng(0), "rain", SETUP.times_ms, SETUP, 1.0, 1.0)


def test_coloured_noise_has_its_colour() -> None:
    rng = np.random.default_rng(4)
    power = sum(
        np.abs(np.fft.rfft(disturbances.coloured(rng, 4000, 4000.0, 1.0, 2.0, 4000.0))) ** 2
        for _ in range(20)
    )
    low, high = np.mean(power[20:40]), np.mean(power[200:400])  # type: ignore[index]
    assert low / high == pytest.approx(10.0, rel=0.35)


@pytest.mark.parametrize("shape", range(motor_units.SHAPES))
def test_a_motor_units_potential_begins_at_its_lead_and_ends(shape: int) -> None:
    s = np.linspace(-20.0, 30.0, 5001)
    potential = motor_units.unit(shape, s)
    assert np.abs(potential).max() == pytest.approx(1.0, abs=0.2)
    assert np.abs(potential[s < -motor_units.LEAD]).max() < 0.12
    assert np.abs(potential[s > 12.0]).max() < 0.01
    if shape < 3:
        # Derivatives of a Gaussian: odd ones, and the second.
        sign = 1.0 if shape == 1 else -1.0
        np.testing.assert_allclose(motor_units.unit(shape, -s), sign * potential, atol=1e-12)


def test_a_template_is_zero_up_to_its_onset_and_does_not_jump() -> None:
    for seed in range(30):
        x = templates.response(np.random.default_rng(seed), SETUP, 20.0)
        peak = np.abs(x).max()
        assert not x[SETUP.times_ms <= 20.0].any()
        assert np.abs(np.diff(x[SETUP.times_ms < 20.6])).max() < 0.5 * peak
        assert peak > 0.0


def test_phases_are_lobes_of_some_size() -> None:
    t = np.arange(1000) / 1000.0
    wave = np.where(t < 0.5, np.sin(2 * np.pi * 4 * t), 0.05 * np.sin(2 * np.pi * 4 * t))
    assert sets.phases_of(wave, 0.10) == 4
    assert sets.phases_of(wave, 0.01) == 8
    assert np.isnan(sets.first_beyond_ms(wave, 2.0, t))
