"""What gateways ask of the engine: operators' acts are carried out now, what takes time waits."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from monitor import wire
from monitor.engine.explaining import Explaining
from monitor.engine.feed import Ask, Feed
from monitor.engine.waveforms import Waveforms
from monitor.link import Operator, ReadExplanation, ReadWaveform, Reply, ReportReceivers
from monitor.track.alarms import CommandRefused

_HTTP_STATUS = {"unknown": 404, "not_now": 409, "invalid": 422}


class Answers:
    """Answers every request of a feed, from the data path.

    ``operate`` carries an act out and gives the events that it made, encoded, or raises
    ``CommandRefused``; ``receivers`` takes a report of them and gives those that were known.
    """

    def __init__(
        self,
        feed: Feed,
        waveforms: Waveforms,
        explaining: Explaining,
        operate: Callable[[Operator], bytes],
        receivers: Callable[[ReportReceivers], tuple[str, ...]],
    ) -> None:
        self._feed = feed
        self._waveforms = waveforms
        self._explaining = explaining
        self._operate = operate
        self._receivers = receivers

    def turn(self) -> None:
        """Operators are all answered now; of the waveforms, one a turn."""
        for ask in self._feed.take_requests():
            match ask.ask:
                case ReadWaveform() as wanted:
                    self._waveforms.take(ask, wanted)
                case ReadExplanation() as wanted:
                    self._explaining.take(ask, wanted)
                case ReportReceivers() as report:
                    known = wire.encode(self._receivers(report))
                    ask.answer(Reply(ask.id, body=msgspec.Raw(known)))
                case act:
                    self._act(ask, act)
        self._waveforms.answer_one()

    def _act(self, ask: Ask, act: Operator) -> None:
        try:
            body = self._operate(act)
        except CommandRefused as refused:
            ask.answer(Reply(ask.id, _HTTP_STATUS[refused.cause], str(refused)))
        else:
            ask.answer(Reply(ask.id, body=msgspec.Raw(body)))
