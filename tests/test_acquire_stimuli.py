"""Which markers are stimuli, and what they say."""

from __future__ import annotations

import pytest

from monitor.acquire.stimuli import OTHERS, SEEN_LIMIT, StimulusReader
from monitor.config import StimulusSection
from monitor.types import AlarmKind, Marker


def reader(pattern: str = ".*", offset_ms: float = 0.0) -> StimulusReader:
    return StimulusReader(StimulusSection(pattern=pattern, offset_ms=offset_ms))


def test_text_and_numbers_are_searched_and_the_rest_is_counted() -> None:
    read = reader(r"S255|^42$")
    values: list[str | int] = ["Stimulus/S255", "S254", 42, 142, "42"]
    found = [read.read(Marker(float(t), v), 0.0, 0.0)[0] is not None for t, v in enumerate(values)]
    assert found == [True, False, True, False, True]
    assert read.matched == 3
    assert read.seen_markers == {"Stimulus/S255": 1, "S254": 1, "42": 2, "142": 1}


def test_setting_and_intensity_come_from_the_named_groups() -> None:
    read = reader(r"TES (?P<setting>\S+)( (?P<intensity>\S+)V)?")
    full, _ = read.read(Marker(1.0, "TES C3/C4 350V"), 0.0, 0.0)
    bare, _ = read.read(Marker(2.0, "TES C1/C2"), 0.0, 0.0)
    assert full is not None
    assert bare is not None
    assert (full.setting, full.intensity) == ("C3/C4", 350.0)
    assert (bare.setting, bare.intensity) == ("C1/C2", None)


def test_without_a_setting_it_is_the_default_one() -> None:
    stimulus, _ = reader(r"x(?P<setting>y)?").read(Marker(1.0, "x"), 0.0, 0.0)
    assert stimulus is not None
    assert stimulus.setting == "default"


@pytest.mark.parametrize("written", ["loud", "nan", "inf", "1e999"])
def test_a_bad_intensity_is_a_notice_and_the_stimulus_stands(written: str) -> None:
    read = reader(r"TES (?P<intensity>\S+)")
    stimulus, notice = read.read(Marker(1.0, f"TES {written}"), 0.0, 7.0)
    assert stimulus is not None
    assert stimulus.intensity is None
    assert notice is not None
    assert (notice.kind, notice.active, notice.at_s) == (AlarmKind.NOT_COMPARABLE, True, 7.0)
    assert written in notice.message

    again = read.read(Marker(2.0, f"TES {written}"), 0.0, 8.0)[1]
    assert again is None  # said once
    gone = read.read(Marker(3.0, "TES 300"), 0.0, 9.0)[1]
    assert gone is not None
    assert not gone.active


def test_corrections_and_offset_add_up() -> None:
    stimulus, _ = reader(offset_ms=-2.5).read(Marker(10.0, "x"), 0.25, 0.0)
    assert stimulus is not None
    assert stimulus.t_lsl == pytest.approx(10.2475, abs=1e-12)


def test_the_same_stamp_and_text_twice_is_one_stimulus() -> None:
    read = reader()
    sent = [Marker(1.0, "a"), Marker(1.0, "a"), Marker(1.0, "b"), Marker(2.0, "a")]
    # A better clock offset in between makes no second stimulus of it.
    found = [read.read(marker, 0.001 * i, 0.0)[0] for i, marker in enumerate(sent)]
    assert [stimulus is not None for stimulus in found] == [True, False, True, True]
    assert (read.matched, read.duplicates) == (3, 1)


def test_counts_of_texts_are_bounded() -> None:
    read = reader("nothing")
    for i in range(1000):
        read.read(Marker(float(i), f"text {i}"), 0.0, 0.0)
    assert len(read.seen_markers) == SEEN_LIMIT + 1
    assert read.seen_markers[OTHERS] == 1000 - SEEN_LIMIT
    assert read.matched == 0
