"""Which stimuli are of one setting, and which is as strong as another."""

from __future__ import annotations

import pytest

from monitor.track.settings import KnownSettings, Setting
from monitor.types import Stimulus

M = "C3/C4"


@pytest.mark.parametrize(
    "setting",
    [
        Setting(M),
        Setting(M, 400.0),
        Setting(M, 12.5, 5, 4.0),
        Setting(M, None, 1),
        Setting("", 0.0),
        Setting("a @ b x c"),
    ],
)
def test_a_key_is_read_as_it_was_written(setting: Setting) -> None:
    assert Setting.read(setting.key) == setting


def test_keys_as_the_contract_has_them() -> None:
    keys = [Setting(M).key, Setting(M, 400.0).key, Setting(M, 400.0, 5, 4.0).key]
    assert keys == ["C3/C4", "C3/C4 @ 400", "C3/C4 @ 400 x 5 / 4 ms"]
    assert Setting.read("C3/C4 @ +-") == Setting("C3/C4 @ +-"), "no number is a name"


def test_a_read_back_that_jitters_is_one_setting_and_does_not_creep() -> None:
    known = KnownSettings()
    volts = [400.0, 400.2, 399.6, 404.0, 404.1, 408.0, 396.0, 395.9]
    keys = [known.counted(Stimulus(0.0, "", M, v)).counted_as for v in volts]
    a, b, c = "C3/C4 @ 400", "C3/C4 @ 404.1", "C3/C4 @ 395.9"
    assert keys == [a, a, a, a, b, b, a, c]
    assert known.counted(Stimulus(0.0, "", M, 403.0)).counted_as == a, "the first, not the nearest"
    assert known.counted(Stimulus(0.0, "", M)).counted_as == M
    assert known.counted(Stimulus(0.0, "", "C4/C3", 400.0)).counted_as == "C4/C3 @ 400"


def test_a_stray_stimulus_takes_nothing_from_the_setting_that_has_a_baseline() -> None:
    known = KnownSettings()

    def counted(volts: float) -> str:
        return known.counted(Stimulus(0.0, "", M, volts)).counted_as

    stray, setting = counted(404.2), counted(400.0)
    assert stray != setting
    assert counted(402.5) == stray, "the first, none having a baseline"
    known.has_baseline(setting)
    assert [counted(volts) for volts in (402.5, 404.0, 404.2)] == [setting, setting, stray]
    known.has_baseline(stray)
    assert counted(402.5) == setting, "the first that had one"


def test_a_train_is_of_the_setting_only_where_the_markers_tell_it() -> None:
    five, jittered = (0.0, 4.0, 8.0, 12.0, 16.0), (0.0, 4.1, 8.0, 12.2, 16.4)
    trains = [five, jittered, (0.0,), (0.0, 3.0, 6.0, 9.0, 12.0)]
    keys = [
        [known.counted(Stimulus(0.0, "", M, 400.0, p)).counted_as for p in trains]
        for known in (KnownSettings(), KnownSettings(trains=True))
    ]
    assert keys[0] == ["C3/C4 @ 400"] * 4
    train = "C3/C4 @ 400 x 5 / 4 ms"
    assert keys[1] == [train, train, "C3/C4 @ 400 x 1", "C3/C4 @ 400 x 5 / 3 ms"]


def test_a_setting_named_ahead_of_its_stimuli_is_theirs() -> None:
    known = KnownSettings()
    assert known["C3/C4 @ 400"] == Setting(M, 400.0)
    assert known.counted(Stimulus(0.0, "", M, 401.0)).counted_as == "C3/C4 @ 400"


@pytest.mark.parametrize(
    ("one", "other", "strong"),
    [
        (Setting(M, 450.0), Setting(M, 400.0), True),
        (Setting(M, 397.0), Setting(M, 400.0), True),
        (Setting(M, 390.0), Setting(M, 400.0), False),
        (Setting("C4/C3", 450.0), Setting(M, 400.0), False),
        (Setting(M), Setting(M), True),
        (Setting(M), Setting(M, 400.0), False),
        (Setting(M, 450.0), Setting(M), False),
        (Setting(M, 400.0, 5, 4.0), Setting(M, 400.0, 1), True),
        (Setting(M, 450.0, 1), Setting(M, 400.0, 5, 4.0), False),
        (Setting(M, 450.0, 6, 4.0), Setting(M, 400.0, 5, 4.0), True),
        (Setting(M, 450.0, 5, 2.0), Setting(M, 400.0, 5, 4.0), False),
        (Setting(M, 450.0, 5, 4.0), Setting(M, 400.0), False),
    ],
)
def test_as_strong(one: Setting, other: Setting, strong: bool) -> None:
    assert one.is_as_strong_as(other) is strong
