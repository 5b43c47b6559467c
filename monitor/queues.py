"""Every queue of the monitor: how much it holds, what gives way when it is full, what counts it.

``docs/contract.md`` has this list and ``GET /api/v1/metrics`` its counters; tests hold them, and
the bounds, to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import msgspec


class QueueCounts(msgspec.Struct, frozen=True):
    """What the engine counts at its queues, and of what they took; since it was started."""

    stimuli_seen: int = 0
    stimuli_delivered: int = 0
    stimuli_gap: int = 0
    stimuli_late: int = 0
    stimuli_incomplete: int = 0
    stimuli_waiting: int = 0
    stimuli_crowded_out: int = 0
    stimuli_duplicate: int = 0
    late_pulses: int = 0
    marker_texts_merged: int = 0
    samples_missing: int = 0
    samples_left_out: int = 0
    clock_offsets_shed: int = 0
    raw_waiting: int = 0
    journal_waiting: int = 0
    epochs_waiting: int = 0
    requests_refused: int = 0
    waveforms_refused: int = 0
    explanations_refused: int = 0
    link_backlog_bytes: int = 0
    gateways_cut_off: int = 0


COUNTED = MappingProxyType(
    {
        "stimuli_seen": "Stimuli: the sum of the next five",
        "stimuli_delivered": "Stimuli that gave an epoch",
        "stimuli_gap": "Stimuli whose epoch spans a gap",
        "stimuli_late": "Stimuli whose samples had left the ring",
        "stimuli_incomplete": "Stimuli whose samples never came",
        "stimuli_waiting": "Stimuli that wait for their samples",
        "stimuli_crowded_out": "Of the incomplete ones, those that gave way to newer ones",
        "stimuli_duplicate": "Stimulus markers that said again what had been said",
        "late_pulses": "Pulses that came after their train had been measured",
        "marker_texts_merged": "Markers whose texts are no longer told apart",
        "samples_missing": "Samples that never came, by their stamps or counter",
        "samples_left_out": "Samples without a finite stamp",
        "clock_offsets_shed": "Clock offsets that gave way to newer ones",
        "raw_waiting": "Inputs that wait to be recorded",
        "journal_waiting": "Rows that wait for the journal",
        "epochs_waiting": "Epochs that wait for epochs.bin",
        "requests_refused": "Requests for the data path that found its queue full",
        "waveforms_refused": "Waveforms that were asked for while too many others were",
        "explanations_refused": "Explanations that were asked for while too many others were",
        "link_backlog_bytes": "Bytes that the slowest gateway has not taken yet",
        "gateways_cut_off": "Gateways disconnected because they fell behind",
    }
)
"""What each count is; the metric is its name with ``mep_`` in front."""


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue: ``policy`` is what happens when it is full, ``counters`` the metrics that tell."""

    what: str
    bound: str
    policy: str
    counters: tuple[str, ...]


QUEUES = (
    Queue(
        "stimuli that wait for their samples",
        "256",
        "the oldest is given up as `incomplete`",
        ("mep_stimuli_crowded_out", "mep_stimuli_waiting"),
    ),
    Queue(
        "marker texts told apart",
        "64",
        "further texts count as one, `(others)`",
        ("mep_marker_texts_merged",),
    ),
    Queue(
        "a stream's samples in liblsl",
        "360 s",
        "the oldest give way; their stamps show the hole (`signal_gap`)",
        ("mep_samples_missing",),
    ),
    Queue("a stream's clock offsets", "64", "the oldest gives way", ("mep_clock_offsets_shed",)),
    Queue(
        "the raw recorder (`--record`)",
        "256 MiB",
        "the newest is shed, under `recording_fault`",
        ("mep_record_inputs_shed", "mep_raw_waiting"),
    ),
    Queue(
        "the journal",
        "100000 rows",
        "the newest is shed, under `recording_fault`; a replay that nobody watches waits",
        ("mep_record_entries_shed", "mep_journal_waiting"),
    ),
    Queue(
        "`epochs.bin`",
        "64 epochs",
        "the newest is shed (`waveform: null`), under `recording_fault`; such a replay waits",
        ("mep_record_epochs_shed", "mep_epochs_waiting"),
    ),
    Queue(
        "requests to the data path", "64", "the newest is answered 503", ("mep_requests_refused",)
    ),
    Queue(
        "waveforms asked for again", "16", "the newest is answered 503", ("mep_waveforms_refused",)
    ),
    Queue(
        "explanations asked for",
        "4",
        "the newest is answered 503",
        ("mep_explanations_refused",),
    ),
    Queue(
        "the engine's link to a gateway",
        "16 MiB",
        "the gateway is disconnected and comes back by `since`",
        ("mep_gateways_cut_off", "mep_link_backlog_bytes"),
    ),
    Queue(
        "a client's events",
        "1000 behind",
        "the client is disconnected (1013) and comes back by `since`",
        ("mep_clients_disconnected_slow_total",),
    ),
    Queue(
        "a client's waveforms",
        "16 trials",
        "the oldest is dropped; events go first",
        ("mep_waveforms_dropped_total",),
    ),
)
