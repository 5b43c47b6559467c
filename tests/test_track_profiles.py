"""Every profile that is shipped, across each of its boundaries by one per cent."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from monitor import config
from monitor.config import CaseConfig, CaseSection, TrackSection
from monitor.track.criteria import DropCriterion
from monitor.types import Baseline, BaselineState, Measurement, MonitorError, Status

PROFILES: tuple[str, ...] = get_args(get_type_hints(CaseSection)["profile"])
ALARM_PERCENT = {
    "default": 50.0,
    "supratentorial": 50.0,
    "brainstem-facial": 50.0,
    "spinal-cord": 20.0,
    "spine-70": 30.0,
    "root": 30.0,
}
BASELINE_UV = 730.0


def profile(name: str, **track: object) -> TrackSection:
    return config.from_mapping({"case": {"profile": name}, "track": track}, "test").track


def baseline(muscle: str = "APB") -> Baseline:
    return Baseline(1, "C3/C4", "e1", muscle, BaselineState.FROZEN, BASELINE_UV, 22.0, 10, 10, ())


def test_each_is_shipped_and_no_other() -> None:
    assert {path.stem for path in config.PROFILES.glob("*.toml")} == set(PROFILES)
    assert set(ALARM_PERCENT) == set(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("step", [-1.0, 0.0, 1.0])
def test_boundaries(name: str, step: float) -> None:
    track = profile(name)
    for threshold in (track.alarm_percent, track.resolve_percent):
        percent = threshold + step
        found = DropCriterion(track).compare(
            1, Measurement(Status.RESPONSE, amplitude_uv=BASELINE_UV * percent / 100), baseline()
        )
        assert found is not None
        assert found.beyond is (percent <= ALARM_PERCENT[name])
        assert found.recovered is (percent >= 60.0)
        assert found.severe is (percent <= 20.0)


@pytest.mark.parametrize("name", PROFILES)
def test_a_lost_response_is_beyond_in_all_of_them(name: str) -> None:
    gone = Measurement(Status.NO_RESPONSE, amplitude_uv=0.0)
    found = DropCriterion(profile(name)).compare(1, gone, baseline())
    assert found is not None
    assert found.beyond


def test_what_they_say_beside_the_drop() -> None:
    assert profile("spinal-cord").threshold_rise == 100.0
    assert profile("default").threshold_rise is None
    assert profile("supratentorial").controls == ("other_side",)
    assert profile("spine-70").controls == (), "hands are no control of a cervical level"


def test_the_default_profile_is_the_default_configuration() -> None:
    assert profile("default") == CaseConfig().track


def test_the_case_wins_over_its_profile() -> None:
    own = profile("spine-70", alarm_percent=40.0, muscles={"AH": {"alarm_percent": 35.0}})
    assert own.thresholds("APB") == (40.0, 60.0)
    assert own.thresholds("AH") == (35.0, 60.0)
    for percent, muscle, beyond in ((35, "AH", True), (36, "AH", False), (36, "APB", True)):
        found = DropCriterion(own).compare(
            1,
            Measurement(Status.RESPONSE, amplitude_uv=BASELINE_UV * percent / 100),
            baseline(muscle),
        )
        assert found is not None
        assert found.beyond is beyond


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('[case]\nprofile = "knee"', "case.profile"),
        ("[track]\nresolve_percent = 40.0", "track"),
        ("[track.muscles.AH]\nalarm_percent = 70.0", "track"),
        ("[track.muscles.AH]\nresolve_percent = 40.0", "track"),
        ("[track]\nunconfirmed_rise_s = [180.0, 60.0]", "track"),
        ("[track]\nescalate_s = [60.0, 60.0]", "track"),
        ('[track]\nconfirm = "sometimes"', "track.confirm"),
    ],
)
def test_what_is_wrong_is_named(text: str, setting: str, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(text)
    with pytest.raises(MonitorError, match=f"setting {setting}") as error:
        config.load(path)
    assert "\n" not in str(error.value)
