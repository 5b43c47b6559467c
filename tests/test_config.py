from __future__ import annotations

from pathlib import Path

import pytest

from monitor import config
from monitor.types import MonitorError


def test_no_file_gives_the_defaults() -> None:
    loaded = config.load(None)
    assert (loaded.epoch.pre_ms, loaded.epoch.post_ms) == (100.0, 150.0)
    assert loaded.track.alarm_percent == 50.0
    assert loaded.gateway.host == "127.0.0.1"


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(
        "[case]\nname = 'T6'\n[stimulus]\npulses_ms = [0, 4, 8]\n"
        "[channels.'L-TA']\nmuscle = 'TA'\nside = 'left'\nmin_onset_ms = 25\n"
    )
    loaded = config.load(path)
    assert loaded.case.name == "T6"
    assert loaded.stimulus.pulses_ms == (0.0, 4.0, 8.0)
    assert loaded.channels["L-TA"].min_onset_ms == 25.0


@pytest.mark.parametrize(
    ("text", "setting", "why"),
    [
        ("[epoch]\npre_ms = 'long'\n", "epoch.pre_ms", "float"),
        ("[epoch]\npost_ms = 900\n", "epoch.post_ms", "500"),
        ("[epoch]\nprems = 90\n", "epoch", "prems"),
        ("[stimulus]\npattern = '('\n", "stimulus", "regular expression"),
        ("[stimulus]\npulses_ms = [0, 4, 4]\n", "stimulus", "increase"),
        ("[stimulus]\npulses_ms = [4]\n", "stimulus", "start at 0"),
        ("[track]\nresolve_percent = 40\n", "track", "alarm_percent"),
        ("[track]\nbaseline_usable = 12\n", "track", "baseline_usable"),
        ("[measure]\nmains_hz = '55'\n", "measure.mains_hz", "55"),
        ("[gateway]\nport = 70000\n", "gateway.port", "65535"),
        ("[channels.APB]\nside = 'middle'\n", "channels[...].side", "middle"),
        ("[surprise]\n", "top level", "surprise"),
        ("[stimulus]\npulses_ms = [0, nan]\n", "stimulus.pulses_ms", "nan"),
        ("[stimulus]\noffset_ms = inf\n", "stimulus.offset_ms", "inf"),
        ("[stimulus]\npulses_ms = [0, 200]\n", "epoch.post_ms", "224"),
        ("[measure]\nblank_after_ms = 400\n", "epoch.post_ms", "420"),
        ("[epoch]\npre_ms = 20\npost_ms = 60\n", "epoch.pre_ms", "mains"),
        ("[signal]\nscale_uv = 0\n", "signal", "scale_uv"),
        ("[channels.APB]\nmin_onset_ms = 30\nmax_onset_ms = 20\n", "channels", "below"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(
    tmp_path: Path, text: str, setting: str, why: str
) -> None:
    path = tmp_path / "case.toml"
    path.write_text(text)
    with pytest.raises(MonitorError) as caught:
        config.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert setting in message
    assert why in message
    assert "\n" not in message


def test_unreadable_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"nowhere\.toml"):
        config.load(tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[case\n")
    with pytest.raises(MonitorError, match=r"broken\.toml: not a TOML file"):
        config.load(broken)


def test_a_short_epoch_is_allowed_where_there_is_no_mains_to_remove() -> None:
    data: dict[str, object] = {
        "epoch": {"pre_ms": 20.0, "post_ms": 60.0},
        "measure": {"mains_hz": "off"},
    }
    assert config.from_mapping(data, "test").epoch.pre_ms == 20.0
