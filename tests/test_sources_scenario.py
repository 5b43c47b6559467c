import pytest

from monitor.sources.scenario import SCENARIOS, Loss, Scenario, scenario_named
from monitor.types import MonitorError


def test_a_loss_falls_at_once_and_recovers_in_equal_steps() -> None:
    loss = Loss({"L-TA": 0.2}, start_trial=3, lasting_trials=2, recovery_trials=4, recovered=1.0)
    shares = [loss.share("L-TA", trial) for trial in range(1, 10)]
    assert shares == pytest.approx([1, 1, 0.2, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert all(loss.share("R-TA", trial) == 1.0 for trial in range(1, 10))


def test_demo_loses_the_left_leg_recovers_and_repeats() -> None:
    demo = SCENARIOS["demo"]
    ah = [demo.share("L-AH", trial) for trial in range(1, demo.cycle_trials + 1)]
    ta = [demo.share("L-TA", trial) for trial in range(1, demo.cycle_trials + 1)]
    assert ah[:14] == [1.0] * 14
    assert ah[14:24] == [0.0] * 10
    assert ta[14:24] == pytest.approx([0.15] * 10)
    assert ah[-1] == ta[-1] == pytest.approx(0.95)
    assert ah[14:] == sorted(ah[14:])
    assert [demo.share("L-AH", demo.cycle_trials + t) for t in range(1, 41)] == ah
    for muscle in ("R-AH", "R-TA", "L-APB"):
        assert all(demo.share(muscle, trial) == 1.0 for trial in range(1, 81))


def test_stable_loses_nothing() -> None:
    assert all(SCENARIOS["stable"].share("L-AH", trial) == 1.0 for trial in range(1, 200))


def test_the_interval_may_be_changed_but_not_below_a_train() -> None:
    assert SCENARIOS["demo"].at_interval(0.5).interval_s == 0.5
    assert SCENARIOS["demo"].at_interval(0.5).interval_jitter_s == pytest.approx(0.05)
    with pytest.raises(MonitorError, match=r"interval 0\.1 s"):
        Scenario("x").at_interval(0.1)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(MonitorError, match="scenario 'war': unknown; there are demo, stable"):
        scenario_named("war")
