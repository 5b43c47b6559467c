"""Who takes the alarms: a delivery counts when the receiver's application confirms it.

A client of the live feed that has confirmed an event is a receiver from then on. It is *lost* where
its connection ends without leave-taking and it does not come back, or where it no longer confirms
what it is sent; it is back with its next confirmation. The engine raises ``receiver_lost`` of it.
Time is an argument here.
"""

from __future__ import annotations

from collections.abc import Iterable

AWAY_S = 5.0
"""A page that is loaded again, or a network that stutters, is back within this time."""

SILENT_S = 10.0
"""What was sent this long ago and is not confirmed has not arrived where it is seen."""

RECEIVERS = 64
"""So many are followed by name; who comes when they are all taken is served and not missed."""


class Connection:
    """One connection of a receiver: what it was sent and what it confirmed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.confirms = False
        self._sent = 0
        self._waits_since_s: float | None = None

    def sent(self, seq: int, now_s: float) -> None:
        """An event went out."""
        self._sent = max(self._sent, seq)
        if self._waits_since_s is None:
            self._waits_since_s = now_s

    def confirmed(self, seq: int, now_s: float) -> None:
        """Everything up to ``seq`` has been taken."""
        self.confirms = True
        self._waits_since_s = None if seq >= self._sent else now_s

    def is_silent(self, now_s: float) -> bool:
        """It leaves unconfirmed what it was sent some time ago."""
        return self._waits_since_s is not None and now_s - self._waits_since_s > SILENT_S


class Receivers:
    """Every receiver of a case, by name: those that are there and those that are lost."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._gone_s: dict[str, float] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """All that confirmed and did not take leave."""
        there = {c.name for c in self._connections if c.confirms}
        return tuple(sorted(there | self._gone_s.keys()))

    def expect(self, names: Iterable[str], now_s: float) -> None:
        """Receivers of the gateway that was here before; they should be back soon."""
        for name in names:
            self._gone_s.setdefault(name, now_s)

    def come(self, name: str) -> Connection:
        """A client has connected; it is no receiver before it confirms."""
        connection = Connection(name)
        self._connections.add(connection)
        return connection

    def confirmed(self, connection: Connection, seq: int, now_s: float) -> None:
        """It confirms; a lost receiver of that name is back."""
        known = self.known
        if connection.name not in known and len(known) >= RECEIVERS:
            return
        connection.confirmed(seq, now_s)
        self._gone_s.pop(connection.name, None)

    def go(self, connection: Connection, now_s: float, *, took_leave: bool) -> None:
        """Its connection has ended."""
        self._connections.discard(connection)
        name = connection.name
        if took_leave:
            self._gone_s.pop(name, None)
        elif connection.confirms and not self._others(name):
            self._gone_s[name] = now_s

    def lost(self, now_s: float) -> tuple[str, ...]:
        """The names of those that are lost."""
        gone = {name for name, since_s in self._gone_s.items() if now_s - since_s > AWAY_S}
        there = [c for c in self._connections if c.confirms]
        heard = {c.name for c in there if not c.is_silent(now_s)}
        return tuple(sorted(gone | ({c.name for c in there} - heard)))

    def _others(self, name: str) -> bool:
        return any(c.name == name and c.confirms for c in self._connections)
