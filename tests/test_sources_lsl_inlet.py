"""An open stream's clock: measured in the background, its queue bounded and counted."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from monitor.config import SignalSection
from monitor.sources import lsl_inlet
from monitor.sources.lsl_inlet import OFFSETS_HELD, ClockWatch, NoConnection, SignalInlet
from monitor.sources.lsl_library import configure
from monitor.sources.outlet import emg_outlet
from monitor.types import StreamInfo
from tests.running import wait_until


class Lost(RuntimeError):
    pass


class TookTooLong(RuntimeError):
    """As pylsl has it: no relation of Python's own TimeoutError."""


class FakeLsl:
    """As much of pylsl as a clock needs."""

    class util:
        LostError = Lost
        TimeoutError = TookTooLong

    @staticmethod
    def local_clock() -> float:
        return 100.0


class FakeInlet:
    """Answers with 0, 1, 2 ... until ``last``; then it does not, or is ``lost``.

    Every question but the ``unanswered`` first ones.
    """

    def __init__(
        self,
        last: int,
        *,
        lost: bool = False,
        unanswered: int = 0,
        fails: type[Exception] = TookTooLong,
    ) -> None:
        self.asked = -unanswered
        self._fails = fails
        self._last = last
        self._lost = lost
        self._never = threading.Event()

    def time_correction(self, timeout: float) -> float:
        self.asked += 1
        if not 0 < self.asked <= self._last:
            if self._lost:
                raise Lost
            self._never.wait(0.01)
            raise self._fails
        return float(self.asked - 1)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lsl_inlet, "CLOCK_INTERVAL_S", 0.0)


def test_offsets_come_in_order_and_the_latest_is_known() -> None:
    inlet = FakeInlet(3)
    watch = ClockWatch(FakeLsl, "markers", inlet)
    wait_until(lambda: inlet.asked > 3, "three answers")
    assert [(o.stream, o.offset_s) for o in watch.take()] == [
        ("markers", 0.0),
        ("markers", 1.0),
        ("markers", 2.0),
    ]
    assert (watch.latest_s, watch.shed, watch.take()) == (2.0, 0, [])
    watch.stop()


@pytest.mark.parametrize("fails", [TookTooLong, RuntimeError, ValueError])
def test_a_question_that_is_not_answered_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, fails: type[Exception]
) -> None:
    monkeypatch.setattr(lsl_inlet, "CLOCK_RETRY_S", 0.0)
    inlet = FakeInlet(1, unanswered=3, fails=fails)
    watch = ClockWatch(FakeLsl, "signal", inlet)
    assert watch.wait_first(10.0)
    wait_until(lambda: inlet.asked > 3, "it to go on asking")
    watch.stop()


def test_a_full_queue_sheds_the_oldest_and_counts_it() -> None:
    inlet = FakeInlet(OFFSETS_HELD + 5)
    watch = ClockWatch(FakeLsl, "signal", inlet)
    wait_until(lambda: inlet.asked > OFFSETS_HELD + 5, "more than there is room for")
    taken = [offset.offset_s for offset in watch.take()]
    assert taken == [float(k) for k in range(5, OFFSETS_HELD + 5)]
    assert watch.shed == 5
    watch.stop()


def test_a_stream_that_broke_off_for_good_is_known_by_its_clock() -> None:
    watch = ClockWatch(FakeLsl, "signal", FakeInlet(1, lost=True))
    wait_until(lambda: watch.lost, "the loss")
    assert watch.wait_first(0.0)
    watch.stop()


@pytest.mark.lsl
def test_another_clock_is_carried_on_upon_the_first_one() -> None:
    pylsl: Any = configure("loopback")
    name = "inlet-shift"
    outlet = emg_outlet(pylsl, StreamInfo(name, "id", 2000.0, ("A", "B"), "live"))
    (found,) = pylsl.resolve_byprop("name", name, 1, 10.0)
    inlet = SignalInlet(pylsl, found, SignalSection(), frozenset(), "")
    try:
        inlet.wait_clock(20.0)
        (first, *_) = inlet.take_offsets()
        inlet.shift_s = 1000.0
        outlet.push_chunk([[1.0, 2.0], [3.0, 4.0]], 50.0)
        samples: list[list[float]] = []
        t_lsl: list[float] = []
        while len(samples) < 2:  # They may come one by one; the test's own limit ends it.
            pulled = inlet.pull(1.0)
            if pulled is not None:
                samples += pulled[0].tolist()
                t_lsl += pulled[1].tolist()
        assert samples == [[1.0, 2.0], [3.0, 4.0]]
        assert t_lsl[-1] == pytest.approx(1050.0)
        # The same moment on this machine's clock, whichever axis it is told on.
        assert t_lsl[-1] + inlet.offset_s == pytest.approx(50.0 + first.offset_s, abs=0.01)
    finally:
        inlet.close()


@pytest.mark.lsl
def test_a_stream_that_is_announced_and_can_not_be_reached_is_named() -> None:
    pylsl: Any = configure("loopback")
    nobody = pylsl.StreamInfo("inlet-nobody", "EMG", 1, 2000.0, "float32", "")
    with pytest.raises(NoConnection, match=r"'inlet-nobody': found, but no connection within 0\.2"):
        SignalInlet(pylsl, nobody, SignalSection(wait_s=0.2), frozenset(), "")
