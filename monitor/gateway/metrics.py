"""What the gateway counts, as Prometheus text."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """Counters of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter("mep_events", "Events taken from the engine", registry=self.registry)
        self.waveforms_dropped = Counter(
            "mep_waveforms_dropped",
            "Waveforms that a client went without, being late",
            registry=self.registry,
        )
        self.disconnected_slow = Counter(
            "mep_clients_disconnected_slow",
            "Clients disconnected because they fell behind",
            registry=self.registry,
        )
        self.confirmed = Counter(
            "mep_events_confirmed", "Confirmations received from clients", registry=self.registry
        )

    def gauge(self, name: str, description: str, value: Callable[[], float]) -> None:
        """A figure that is read when somebody asks."""
        Gauge(name, description, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        return generate_latest(self.registry)
