"""Which receivers are lost: gone without leave, or there and silent."""

from __future__ import annotations

from monitor.gateway.receivers import AWAY_S, RECEIVERS, SILENT_S, Receivers

GRACE_S = AWAY_S + 0.1


def test_who_never_confirmed_is_no_receiver() -> None:
    receivers = Receivers()
    viewer = receivers.come("wall")
    viewer.sent(1, 0.0)
    assert receivers.known == ()
    receivers.go(viewer, 1.0, took_leave=False)
    assert receivers.lost(1000.0) == ()


def test_one_that_goes_is_lost_until_it_is_back() -> None:
    receivers = Receivers()
    display = receivers.come("desk")
    receivers.confirmed(display, 1, 0.0)
    assert (receivers.known, receivers.lost(0.0)) == (("desk",), ())
    receivers.go(display, 10.0, took_leave=False)
    assert receivers.lost(10.0 + AWAY_S) == ()
    assert receivers.lost(10.0 + GRACE_S) == ("desk",)
    again = receivers.come("desk")
    assert receivers.lost(20.0) == ("desk",), "connected is not received"
    receivers.confirmed(again, 2, 20.0)
    assert receivers.lost(1000.0) == ()


def test_leave_taking_is_no_loss_and_ends_one() -> None:
    receivers = Receivers()
    display = receivers.come("desk")
    receivers.confirmed(display, 1, 0.0)
    receivers.go(display, 1.0, took_leave=True)
    assert (receivers.known, receivers.lost(1000.0)) == ((), ())
    lost = receivers.come("desk")
    receivers.confirmed(lost, 1, 0.0)
    receivers.go(lost, 1.0, took_leave=False)
    assert receivers.lost(1000.0) == ("desk",)
    receivers.go(receivers.come("desk"), 1001.0, took_leave=True)
    assert receivers.lost(2000.0) == ()


def test_a_second_page_of_the_same_name_keeps_it_there() -> None:
    receivers = Receivers()
    one, two = receivers.come("desk"), receivers.come("desk")
    for page in (one, two):
        receivers.confirmed(page, 1, 0.0)
    receivers.go(one, 1.0, took_leave=False)
    assert receivers.lost(100.0) == ()
    receivers.go(two, 100.0, took_leave=False)
    assert receivers.lost(100.0 + GRACE_S) == ("desk",)


def test_one_that_is_there_and_no_longer_confirms_is_lost() -> None:
    receivers = Receivers()
    display = receivers.come("desk")
    display.sent(1, 0.0)
    receivers.confirmed(display, 1, 0.5)
    assert receivers.lost(1000.0) == (), "nothing was sent that it could confirm"
    display.sent(2, 1000.0)
    display.sent(3, 1005.0)
    assert receivers.lost(1000.0 + SILENT_S) == ()
    assert receivers.lost(1000.1 + SILENT_S) == ("desk",)
    receivers.confirmed(display, 2, 1020.0)
    assert receivers.lost(1020.0 + SILENT_S) == (), "late, but it moves"
    assert receivers.lost(1020.1 + SILENT_S) == ("desk",)
    receivers.confirmed(display, 3, 1031.0)
    assert receivers.lost(2000.0) == ()


def test_those_of_the_gateway_before_are_expected_back() -> None:
    receivers = Receivers()
    receivers.expect(("desk", "wall"), 0.0)
    receivers.confirmed(receivers.come("wall"), 9, 1.0)
    assert receivers.known == ("desk", "wall")
    assert receivers.lost(GRACE_S) == ("desk",)


def test_there_is_a_bound_to_those_that_are_followed() -> None:
    receivers = Receivers()
    for i in range(RECEIVERS + 5):
        receivers.confirmed(receivers.come(f"display {i}"), 1, 0.0)
    assert len(receivers.known) == RECEIVERS
    assert f"display {RECEIVERS}" not in receivers.known
