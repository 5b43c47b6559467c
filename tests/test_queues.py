"""Every queue has its bound, its policy and its counter, in the code, the docs and the metrics."""

from __future__ import annotations

from pathlib import Path

from monitor.acquire.epochs import WAITING_LIMIT
from monitor.acquire.stimuli import SEEN_LIMIT
from monitor.engine import explaining
from monitor.engine.server import BACKLOG_BYTES, REQUESTS
from monitor.engine.waveforms import WAITING
from monitor.gateway.app import create_app
from monitor.gateway.hub import LAG_EVENTS
from monitor.gateway.model import WAVEFORMS
from monitor.journal.epochs import QUEUE_EPOCHS
from monitor.journal.recorder import QUEUE_BYTES
from monitor.journal.writer import QUEUE_ROWS
from monitor.queues import COUNTED, QUEUES, QueueCounts
from monitor.sources.lsl_inlet import BUFFER_S, OFFSETS_HELD

CONTRACT = Path(__file__).parents[1] / "docs" / "contract.md"


def test_every_count_has_its_meaning() -> None:
    assert tuple(COUNTED) == QueueCounts.__struct_fields__
    assert len(set(COUNTED.values())) == len(COUNTED)


def test_every_counter_is_among_the_metrics(tmp_path: Path) -> None:
    text = create_app(tmp_path / "engine").state.hub.metrics.text().decode()
    counters = {counter for queue in QUEUES for counter in queue.counters}
    assert all(queue.counters for queue in QUEUES)
    for counter in counters | {f"mep_{name}" for name in COUNTED}:
        assert f"\n{counter} 0.0\n" in text, counter


def test_the_contract_lists_every_queue() -> None:
    contract = CONTRACT.read_text()
    for queue in QUEUES:
        counters = ", ".join(f"`{counter}`" for counter in queue.counters)
        assert f"| {queue.what} | {queue.bound} | {queue.policy} | {counters} |" in contract
    for name in COUNTED:
        assert f"`mep_{name}`" in contract


def test_the_bounds_are_those_of_the_code() -> None:
    assert [queue.bound for queue in QUEUES] == [
        f"{WAITING_LIMIT}",
        f"{SEEN_LIMIT}",
        f"{BUFFER_S} s",
        f"{OFFSETS_HELD}",
        f"{QUEUE_BYTES // 2**20} MiB",
        f"{QUEUE_ROWS} rows",
        f"{QUEUE_EPOCHS} epochs",
        f"{REQUESTS}",
        f"{WAITING}",
        f"{explaining.WAITING}",
        f"{BACKLOG_BYTES // 2**20} MiB",
        f"{LAG_EVENTS} behind",
        f"{WAVEFORMS} trials",
    ]
