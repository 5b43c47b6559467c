"""What is wrong with a recording, a line for each kind: a ruined file doesn't give thousands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class _Damage:
    """The first chunk with this fault, where reading went on (None: nowhere), and how many more."""

    at: int
    resumed: int | None
    more: int = 0


class DamageLog:
    """Faults of a file, in the order in which their kinds were met."""

    def __init__(self) -> None:
        #: By the fault and whether reading went on.
        self._damages: dict[tuple[str, bool], _Damage] = {}

    def note(self, fault: str, at: int, resumed: int | None) -> None:
        """The chunk at byte ``at`` has this fault; reading goes on at ``resumed``, if anywhere."""
        kind = fault, resumed is not None
        if kind in self._damages:
            self._damages[kind].more += 1
        else:
            self._damages[kind] = _Damage(at, resumed)

    @property
    def first(self) -> tuple[int, str] | None:
        """Byte and fault of the first chunk that was left out; None where none was."""
        for (fault, _), damage in self._damages.items():
            return damage.at, fault
        return None

    def lines(self, size: int) -> Iterator[str]:
        """A line for each kind; ``size`` is the file's, in bytes."""
        for (fault, _), damage in self._damages.items():
            then = (
                f"reading went on at byte {damage.resumed}"
                if damage.resumed is not None
                else f"the rest, to the end of the file at byte {size}, is lost"
            )
            more = f" ({damage.more} more like it)" if damage.more else ""
            yield f"byte {damage.at}: {fault}; left out; {then}{more}"
