from __future__ import annotations

import pytest

from monitor.config import MuscleSection
from monitor.measure.windows import (
    MUSCLE_GROUPS,
    UNKNOWN_WINDOW,
    OnsetWindow,
    any_window,
    onset_window,
)
from monitor.types import Channel

#: (muscle, usual onset in ms after the pulse that elicits it): DOMAIN figures.
USUAL = [("MENT", 10, 14), ("DELT", 12, 17), ("APB", 20, 26), ("QUAD", 22, 28), ("TA", 28, 38),
         ("AH", 38, 48)]  # fmt: skip


@pytest.mark.parametrize(("muscle", "low", "high"), USUAL)
def test_window_holds_the_usual_latency_with_room(muscle: str, low: float, high: float) -> None:
    window = onset_window(Channel(f"L-{muscle}", muscle, "left"), None)
    assert window.min_ms <= 0.8 * low
    assert window.max_ms >= 1.2 * high


def test_a_train_widens_the_table_and_the_file_wins() -> None:
    channel = Channel("R-APB", "APB", "right")
    plain = onset_window(channel, None)
    assert onset_window(channel, None, train_ms=16.0) == OnsetWindow(
        plain.min_ms + 8.0, plain.max_ms + 16.0
    )
    own = MuscleSection(min_onset_ms=18.0, max_onset_ms=33.0)
    assert onset_window(channel, own, train_ms=16.0) == OnsetWindow(18.0, 33.0)


def test_of_an_unknown_muscle_the_window_is_the_same_by_either_way() -> None:
    assert any_window(24.0) == onset_window(Channel("x", ""), None, train_ms=24.0)
    assert any_window() == UNKNOWN_WINDOW
    assert any_window(24.0).min_ms == UNKNOWN_WINDOW.min_ms + 24.0, "from the last pulse"


def test_unknown_muscle_may_be_any() -> None:
    assert onset_window(Channel("EMG1", "EMG1"), None) == UNKNOWN_WINDOW
    for low, high, _ in MUSCLE_GROUPS.values():
        assert UNKNOWN_WINDOW.min_ms <= low
        assert high <= UNKNOWN_WINDOW.max_ms


@pytest.mark.parametrize(
    ("muscle", "group"),
    [
        ("Abductor Hallucis", "foot"),
        ("abductor pollicis brevis", "hand"),
        ("Biceps Femoris", "thigh"),
        ("Biceps", "arm"),
        ("Extensor Digitorum Brevis", "foot"),
        ("Ext Anal Sph", "neck and trunk"),
        ("T.A.", "lower leg"),
        ("TA 2", "lower leg"),
    ],
)
def test_full_names_find_their_own_group(muscle: str, group: str) -> None:
    low, high, _ = MUSCLE_GROUPS[group]
    assert onset_window(Channel("x", muscle), None) == OnsetWindow(low, high)


@pytest.mark.parametrize("muscle", ["Abductor", "Flexor Hallucis", "EMG 3", "TAX", ""])
def test_what_is_not_a_whole_name_is_unknown(muscle: str) -> None:
    assert onset_window(Channel("x", muscle), None) == UNKNOWN_WINDOW


def test_no_name_stands_in_two_groups() -> None:
    names = [name for _, _, muscles in MUSCLE_GROUPS.values() for name in muscles]
    assert len(names) == len(set(names))
