"""The pause of the audible signal, and what breaks it."""

from __future__ import annotations

import pytest

from monitor.inputs import Acknowledge, PauseAudio
from monitor.types import Annotation, CaseStatus
from tests.test_track_tiers import (
    L_AH,
    R_AH,
    R_APB,
    SILENT,
    Case,
    confirmed_case,
    response,
)  # fmt: skip


def test_a_higher_priority_breaks_the_pause_and_an_equal_one_does_not() -> None:
    case = Case().baseline(20)
    case.trial({L_AH: response(45)})
    case.command(PauseAudio(120.0, "Dr A"))
    quiet = case.trial({R_AH: response(45)}, after_s=1.0)
    assert not [event for event in quiet if isinstance(event, CaseStatus)]
    broken = case.trial({R_APB: SILENT}, after_s=1.0)
    [status] = [event for event in broken if isinstance(event, CaseStatus)]
    [note] = [event for event in broken if isinstance(event, Annotation)]
    assert status.audio_paused_until_s is None
    assert (note.text, note.by) == ("audio pause broken by an alarm of medium priority", "monitor")


@pytest.mark.parametrize("seen_when", ["before the pause", "under the pause", "never"])
def test_what_no_longer_stands_holds_no_alarm_back_under_a_pause(seen_when: str) -> None:
    """A new total loss is heard, though one as high stood when the pause began, or was latched."""
    case, lost = confirmed_case()
    if seen_when == "before the pause":
        case.command(Acknowledge(lost.id, "Dr A"))
    if seen_when == "never":
        for _ in range(2):
            case.trial()
    case.command(PauseAudio(600.0, "Dr A"))
    if seen_when == "under the pause":
        case.command(Acknowledge(lost.id, "Dr A"))
    broken = case.trial({R_AH: SILENT, L_AH: 100.0 if seen_when == "never" else 5.0}, after_s=1.0)
    [status] = [event for event in broken if isinstance(event, CaseStatus)]
    assert status.audio_paused_until_s is None
