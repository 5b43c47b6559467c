"""Each technical condition of the closed list, from what causes it, through the public door.

A case of three muscles that answer well gets a fault of the signal, the markers, the clock or a
process. Whatever the fault: it is told, as a technical condition in words; nothing physiological is
raised, no row says 0 % of baseline, and no stimulus goes without a row on every muscle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import from_mapping
from monitor.engine.opening import network_of
from monitor.engine.resume import Resumed
from monitor.engine.selfwatch import GATEWAY_LOST_S, SelfWatch
from monitor.inputs import Input
from monitor.link import ReportReceivers
from monitor.load_network import WEIGHT_FOLDERS, load_network
from monitor.measure.network import ModelFault
from monitor.pipeline import Pipeline
from monitor.track.kinds import ALARM_TABLE
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Chunk,
    Event,
    Float32Array,
    FloatArray,
    Marker,
    Notice,
    Status,
    StreamInfo,
    Tick,
    Trial,
)
from tests.test_measure_alignment import PRE_MS, epoch

FS_HZ = 5000.0
SECOND = int(FS_HZ)
AT = 2000 + int(PRE_MS * FS_HZ / 1e3)
"""The stimulus's sample in its second."""
CHANNELS = ("L-APB", "R-APB", "L-ADM")
TRIALS = 12
LIMIT_UV = 3200.0
"""Of the amplifier."""

K = AlarmKind
Change = Callable[[Float32Array], None]


@dataclass
class Case:
    """A case fed second by second, with a stimulus in each unless told otherwise."""

    config: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    seconds: int = 0
    sample: int = 0
    step_s: float = 0.0

    def __post_init__(self) -> None:
        stimulus = {"pattern": r"S(?: (?P<intensity>\S+)V)?"} | self.config.get("stimulus", {})
        config = {"measure": {"network": False}} | self.config | {"stimulus": stimulus}
        stream = StreamInfo("emg", "id", FS_HZ, CHANNELS, "live")
        self.pipeline = Pipeline(stream, from_mapping(config, "test"), None)
        self.rng = np.random.default_rng(7)

    def feed(self, *items: Input) -> None:
        for item in items:
            self.events += self.pipeline.feed(item)

    def second(
        self,
        change: Change | None = None,
        *,
        marker: str | None = "S 400V",
        **shape: float | None,
    ) -> None:
        """A second of signal; ``change`` does to its samples (n, channels) what the fault does."""
        samples = self.rng.normal(0, 4.0, (SECOND, len(CHANNELS))).astype(np.float32)
        if marker is not None:
            sweep = epoch(self.seconds + 1, **shape).samples_uv  # type: ignore[arg-type]
            samples[2000 : 2000 + sweep.shape[1]] = sweep.T
        if change is not None:
            change(samples)
        t_lsl = self.stamps()
        self.feed(Chunk(self.sample, samples, t_lsl))
        if marker is not None:
            self.feed(Marker(float(t_lsl[AT]), marker))
        self.feed(Tick(float(t_lsl[-1])))
        self.seconds += 1
        self.sample += SECOND

    def stamps(self) -> FloatArray:
        return self.seconds + np.arange(SECOND) / FS_HZ + self.step_s

    def well(self, trials: int = TRIALS) -> Case:
        for _ in range(trials):
            self.second()
        return self

    @property
    def now_lsl(self) -> float:
        return self.seconds + self.step_s

    def silence(self, seconds: int) -> None:
        """Time passes and no sample comes."""
        for tick in range(10 * seconds):
            self.feed(Tick(self.now_lsl + tick / 10))


def flat(samples: Float32Array) -> None:
    samples[:, 0] = 0.0


def clipped(*channels: int, begin: int) -> Change:
    """High-frequency current far over what the amplifier takes, from a sample on."""

    def clip(samples: Float32Array) -> None:
        for c in channels:
            noise_uv = np.random.default_rng(c).normal(0.0, 6000.0, SECOND - begin)
            samples[begin:, c] = np.clip(noise_uv, -LIMIT_UV, LIMIT_UV)

    return clip


def unreadable(*channels: int) -> Change:
    def spoil(samples: Float32Array) -> None:
        samples[:, list(channels)] = np.nan

    return spoil


def silent_left_hand(samples: Float32Array) -> None:
    """The first channel has the artefact and never a response."""
    samples[AT + 40 :, 0] = np.random.default_rng(3).normal(0, 4.0, SECOND - AT - 40)


# ---------------------------------------------------------------- the faults, each of one kind


def signal_stalled(case: Case) -> None:
    case.well().silence(4)


def signal_gap(case: Case) -> None:
    case.well()
    case.sample += SECOND // 4
    case.step_s += 0.25
    case.second()


def clock_fault(case: Case) -> None:
    case.well()
    case.step_s -= 3.0
    case.second()


def lead_off(case: Case) -> None:
    case.well()
    case.second(flat)


def lead_that_hangs_loose(case: Case) -> None:
    """Open: the amplifier's own noise and nothing else."""

    def quiet(samples: Float32Array) -> None:
        samples[:, 0] = np.random.default_rng(1).normal(0.0, 0.5, SECOND)

    case.well()
    case.second(quiet)


def lead_that_picks_up_hum(case: Case) -> None:
    def hum(samples: Float32Array) -> None:
        noise_uv = np.random.default_rng(1).normal(0.0, 4.0, SECOND)
        samples[:, 0] = 2000.0 * np.sin(2.0 * np.pi * 50.0 * np.arange(SECOND) / FS_HZ) + noise_uv

    case.well()
    case.second(hum)


def saturated(case: Case) -> None:
    case.well()
    case.second(clipped(0, begin=AT + 100))


def hum_over_everything(case: Case) -> None:
    """An electrode that came loose: hum far over the amplifier's limit, all along."""

    def hum(samples: Float32Array) -> None:
        volts = 9000.0 * np.sin(2.0 * np.pi * 50.0 * np.arange(SECOND) / FS_HZ)
        samples[:, 0] = np.clip(volts, -LIMIT_UV, LIMIT_UV)

    case.well()
    case.second(hum)


def electrocautery(case: Case) -> None:
    case.well()
    case.second(clipped(0, 1, 2, begin=0))


def stimulus_missing(case: Case) -> None:
    case.well()
    for _ in range(3):
        case.second(marker=None)


def stimulus_misaligned(case: Case) -> None:
    case.well()
    case.second(artefact_ms=-14.0)


def stimulus_not_delivered(case: Case) -> None:
    case.well()
    case.second(response_uv=0.0, artefact_ms=None)


def not_comparable(case: Case) -> None:
    case.well()
    case.second(marker="S 500V", response_uv=100.0)


def baseline_unreliable(case: Case) -> None:
    for _ in range(TRIALS):
        case.second(silent_left_hand)


def not_measurable(case: Case) -> None:
    case.well()
    for _ in range(2):
        case.second(unreadable(0))


def noise_over_one_muscle(case: Case) -> None:
    def noise(samples: Float32Array) -> None:
        samples[:, 0] = np.random.default_rng(1).normal(0.0, 300.0, SECOND)

    case.well()
    for _ in range(2):
        case.second(noise)


def noise_that_no_amplifier_limits(case: Case) -> None:
    def noise(samples: Float32Array) -> None:
        samples[:, :2] = np.random.default_rng(1).normal(0.0, 2000.0, (SECOND, 2))

    case.well()
    case.second(noise)


def rejects_in_a_row(case: Case) -> None:
    case.well()
    for _ in range(3):
        case.second(unreadable(0, 1, 2))


def recording_fault(case: Case) -> None:
    case.well().feed(*SelfWatch().look(0.0, 0.0, "the journal was not stored for 2 s", 1, True))


def model_fault(case: Case, folder: Path) -> None:
    model = bytearray(network_bytes())
    # Of its first golden sweep: the answer to it is then another than the file states.
    at = model.index(b"windows_uv") + 1000
    model[at : at + 400] = b"A" * 400
    (folder / "damaged.onnx").write_bytes(model)
    with pytest.raises(ModelFault) as fault:
        load_network(hashlib.sha256(model).hexdigest(), (folder,))
    case.well().feed(Notice(K.MODEL_FAULT, True, 0.0, message=str(fault.value)))


def network_bytes() -> bytes:
    network, _ = network_of(from_mapping({}, "test"))
    assert network is not None
    for folder in WEIGHT_FOLDERS:
        for path in folder.glob("*.onnx"):
            if hashlib.sha256(path.read_bytes()).hexdigest() == network.sha256:
                return path.read_bytes()
    raise AssertionError("the network that was loaded is somewhere")


def receiver_lost(case: Case) -> None:
    watch = SelfWatch()
    watch.receivers(ReportReceivers(("desk", "wall"), ("wall",)))
    case.well().feed(watch.receivers_lost(0.0))


def gateway_lost(case: Case) -> None:
    watch = SelfWatch()
    notices = watch.look(0.0, 0.0, "", 1, True) + watch.look(1.0, 0.0, "", 0, True)
    notices += watch.look(1.1 + GATEWAY_LOST_S, 0.0, "", 0, True)
    case.well().feed(*notices)


def engine_restarted(case: Case) -> None:
    resumed = Resumed(last_seq=7, trials=3)
    case.feed(resumed.command(), *resumed.notices())
    case.well()


def escalation_exhausted(case: Case) -> None:
    case.well()
    for minute in range(1, 12):
        case.feed(Tick(case.now_lsl + 60.0 * minute))


TECHNICAL = [k for k, entry in ALARM_TABLE.items() if entry.alarm_class is AlarmClass.TECHNICAL]
FAULTS: list[tuple[AlarmKind, Callable[..., None]]] = [
    *((kind, globals()[kind.value]) for kind in TECHNICAL),
    (K.LEAD_OFF, lead_that_hangs_loose),
    (K.LEAD_OFF, lead_that_picks_up_hum),
    (K.SATURATED, hum_over_everything),
    (K.NOT_MEASURABLE, noise_over_one_muscle),
    (K.ELECTROCAUTERY, noise_that_no_amplifier_limits),
]
"""A fault of each kind, and others that came to light as a loss once."""
CONFIGS: dict[AlarmKind, dict[str, Any]] = {
    K.STIMULUS_MISSING: {"stimulus": {"cadence_s": 1.0}},
}
ALSO = {
    K.ESCALATION_EXHAUSTED: {K.SIGNAL_STALLED},
    K.REJECTS_IN_A_ROW: {K.NOT_MEASURABLE},
}
"""What else the same fault is, beside its kind."""


@pytest.fixture(params=FAULTS, ids=lambda fault: fault[1].__name__)
def fault(request: pytest.FixtureRequest) -> tuple[AlarmKind, Callable[..., None]]:
    found: tuple[AlarmKind, Callable[..., None]] = request.param
    return found


@pytest.fixture
def kind(fault: tuple[AlarmKind, Callable[..., None]]) -> AlarmKind:
    return fault[0]


@pytest.fixture
def case(fault: tuple[AlarmKind, Callable[..., None]], tmp_path: Path) -> Case:
    kind, cause = fault
    played = Case(CONFIGS.get(kind, {}))
    cause(played, *([tmp_path] if kind is K.MODEL_FAULT else []))
    return played


def alarms(case: Case) -> list[AlarmCondition]:
    return [event for event in case.events if isinstance(event, AlarmCondition)]


def test_it_is_told_at_once_as_a_technical_condition_in_words(case: Case, kind: AlarmKind) -> None:
    told = [alarm for alarm in alarms(case) if alarm.kind is kind]
    assert told, "never silence"
    assert (told[0].state, told[0].alarm_class) == (AlarmState.ACTIVE, AlarmClass.TECHNICAL)
    assert told[0].priority is ALARM_TABLE[kind].priority
    assert told[0].evidence["message"]
    assert {alarm.kind for alarm in alarms(case)} == {kind} | ALSO.get(kind, set())


def test_it_is_no_loss_and_no_percent(case: Case) -> None:
    assert {alarm.alarm_class for alarm in alarms(case)} == {AlarmClass.TECHNICAL}
    trials = [event for event in case.events if isinstance(event, Trial)]
    for row in [row for trial in trials for row in trial.channels]:
        assert row.percent_of_baseline is None or row.percent_of_baseline > 60.0
        assert not row.alarm


def test_every_stimulus_has_its_rows_and_what_was_not_measured_says_why(case: Case) -> None:
    case.events += case.pipeline.finish()
    trials = [event for event in case.events if isinstance(event, Trial)]
    assert len(trials) == case.pipeline.acquisition.tally.seen >= TRIALS
    for trial in trials:
        assert [row.channel for row in trial.channels] == list(CHANNELS)
        for row in trial.channels:
            judged = row.measurement.status in (Status.RESPONSE, Status.NO_RESPONSE)
            assert judged or row.measurement.reasons
