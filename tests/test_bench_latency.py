"""What the latency benchmark counts, and what it counts apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bench.latency_client import Arrival, arrival, print_arrivals
from monitor.wire import utc_text

READY_LSL, UTC_LESS_LSL, POST_S = 100.0, 1.7e9, 0.15


def message(kind: str, stimulus_lsl: float | None, late_s: float) -> dict[str, Any]:
    end_lsl = (stimulus_lsl or 0.0) + POST_S
    raised = end_lsl + late_s - 0.002 if kind == "alarm" else None
    timing = {
        "stimulus": stimulus_lsl,
        "epoch_complete": end_lsl + late_s - 0.004,
        "measured": end_lsl + late_s - 0.003,
        "raised": raised,
    }
    sent = utc_text(datetime.fromtimestamp(end_lsl + late_s - 0.001 + UTC_LESS_LSL, UTC))
    body = {"trial": 1, "kind": "response_lost", "state": "active", "timing": timing}
    return {"type": kind, "sent": sent, "body": body}


def arrived(kind: str, stimulus_lsl: float | None, late_s: float) -> Arrival | None:
    now_lsl = (stimulus_lsl or 0.0) + POST_S + late_s
    told = message(kind, stimulus_lsl, late_s)
    return arrival(told, 7, READY_LSL, now_lsl, UTC_LESS_LSL, POST_S)


def test_the_way_of_an_alarm() -> None:
    came = arrived("alarm", 101.0, 0.012)
    assert came is not None
    assert (came.what, came.trial, came.starting) == ("alarm response_lost active", 7, False)
    assert came.at_ms == pytest.approx((8.0, 9.0, 10.0, 11.0, 12.0), abs=1e-2)
    assert str(came).endswith("in hand 8.0, measured 9.0, raised 10.0, sent 11.0, client 12.0 ms")
    trial = arrived("trial", 101.0, 0.012)
    assert "raised" not in str(trial)


def test_what_no_trial_brought_has_no_latency() -> None:
    assert arrived("alarm", None, 0.0) is None
    assert arrived("baseline", 101.0, 0.0) is None


def test_what_waited_for_the_start_counts_apart_for_alarms_as_for_trials(
    capsys: pytest.CaptureFixture[str],
) -> None:
    came = [arrived(kind, 99.0, 0.4) for kind in ("trial", "alarm", "alarm")]
    came += [arrived(kind, 101.0, 0.008) for kind in ("trial", "alarm")]
    print_arrivals([a for a in came if a is not None])
    lines = capsys.readouterr().out.splitlines()
    begins = [line for line in lines if line.startswith("start-up")]
    assert [line.split()[-5:-3] for line in begins] == [["1", "400.000"], ["2", "400.000"]]
    alarms = next(line for line in lines if line.startswith("epoch end -> alarm"))
    assert "8.000" in alarms
    assert alarms.endswith("p99 <= 50: yes")
