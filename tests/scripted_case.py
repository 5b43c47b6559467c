"""A scripted case: eight muscles, electrocautery once, a loss at the left leg, recovery.

Everything follows from the trial's number; there is no clock and no network here. The events are
those of :mod:`monitor.types`, as the engine makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from msgspec import structs

from monitor.link import SetNewBaseline
from monitor.types import (
    AlarmClass,
    AlarmCondition,
    AlarmKind,
    AlarmState,
    Annotation,
    Baseline,
    BaselineState,
    CaseStatus,
    Channel,
    ChannelTrial,
    Event,
    Float32Array,
    Measurement,
    Priority,
    Scope,
    Status,
    Stimulus,
    Trial,
)

FS_HZ = 5000.0
STIMULUS_INDEX = 500
N_SAMPLES = 1250
SETTING = "C3-C4"
INTENSITY_V = 450.0
#: What baselines and alarms belong to.
KEY = f"{SETTING} @ {INTENSITY_V:g}"
PULSES_MS = (0.0, 2.0, 4.0, 6.0, 8.0)
TRIAL_EVERY_S = 15.0

# muscle: baseline amplitude in uV, onset in ms, duration in ms
MUSCLES = {
    "APB": (820.0, 24.1, 18.0),
    "ADM": (560.0, 23.4, 17.0),
    "TA": (410.0, 33.2, 24.0),
    "AH": (280.0, 42.5, 22.0),
}
CHANNELS = tuple(
    channel
    for muscle in MUSCLES
    for channel in (Channel(f"L{muscle}", muscle, "left"), Channel(f"R{muscle}", muscle, "right"))
)

USABLE, FROZEN = 5, 10
CAUTERY = 18  # the trial that electrocautery spoils on the left hand
LOST = range(25, 37)  # the trials in which the left leg is lost
LEFT_LEG = {"LTA": 1, "LAH": 2}  # channel: id of its alarm


@dataclass
class ScriptedCase:
    """The case as it stands; :meth:`trial` is the next stimulus."""

    trials: list[Trial] = field(default_factory=list)
    alarms: dict[int, AlarmCondition] = field(default_factory=dict)
    baselines: dict[str, Baseline] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)
    status: CaseStatus = field(default_factory=lambda: CaseStatus(0.0, "running"))
    set_anew: int = 0

    @property
    def case_s(self) -> float:
        """Two seconds after the last stimulus."""
        return TRIAL_EVERY_S * len(self.trials) + 2.0

    def trial(self) -> list[Event]:
        """The next stimulus and what comes of it; the trial itself is first."""
        n = len(self.trials) + 1
        stimulus_s = TRIAL_EVERY_S * n
        rows = tuple(self._row(n, channel) for channel in CHANNELS)
        stimulus = Stimulus(stimulus_s, SETTING, SETTING, INTENSITY_V, PULSES_MS)
        sweeps_uv = np.stack([sweep(n, row) for row in rows])
        self.trials.append(Trial(n, stimulus, stimulus_s, rows, sweeps_uv=sweeps_uv))
        return [self.trials[-1], *self._baselines(n), *self._alarms(n, stimulus_s + 0.2)]

    def annotate(self, text: str, by: str) -> Annotation:
        """An operator's remark."""
        self.annotations.append(Annotation(self.case_s, text, by))
        return self.annotations[-1]

    def pause_audio(self, seconds: float) -> CaseStatus:
        """The audible signal is silent for ``seconds`` from now; 0 ends the pause."""
        until_s = self.case_s + seconds if seconds else None
        self.status = CaseStatus(self.case_s, "running", audio_paused_until_s=until_s)
        return self.status

    def set_baseline(self, ask: SetNewBaseline) -> list[Baseline]:
        """Baselines set anew, each with a number of its own, over what stands on the muscles."""
        made = []
        for name in ask.group:
            was = self.baselines[name]
            standing = [a for a in self.alarms.values() if a.channel == name]
            given = ask.amplitude_uv is not None
            self.set_anew += 1
            self.baselines[name] = replace(
                was,
                id=len(CHANNELS) + self.set_anew,
                state=BaselineState.FROZEN if given else BaselineState.LEARNING,
                amplitude_uv=ask.amplitude_uv,
                accepted=0,
                responses=0,
                trials=(),
                sweep_uv=None,
                set_by=ask.by,
                reason=ask.reason,
                role=ask.role,
                before_uv=was.amplitude_uv,
                overrode=tuple(a.id for a in standing if a.state is not AlarmState.RESOLVED),
            )
            made.append(self.baselines[name])
        return made

    def acknowledge(self, alarm_id: int, by: str) -> AlarmCondition:
        """Somebody has seen the alarm. Raises KeyError where there is none."""
        was = self.alarms[alarm_id]
        latched = was.state is AlarmState.LATCHED
        state = AlarmState.RESOLVED if latched else AlarmState.ACKNOWLEDGED
        seen = structs.replace(was, state=state, acknowledged_by=by, acknowledged_s=self.case_s)
        self.alarms[alarm_id] = seen
        return seen

    def _row(self, n: int, channel: Channel) -> ChannelTrial:
        amplitude_uv, onset_ms, duration_ms = MUSCLES[channel.muscle]
        scatter = float(np.random.default_rng([n, CHANNELS.index(channel)]).standard_normal())
        share = float(np.exp(0.16 * scatter)) * remaining(n, channel.name)
        if n == CAUTERY and channel.name in {"LAPB", "LADM"}:
            measured = Measurement(Status.REJECTED, ("electrocautery",), snr=0.9)
        elif share < 0.08:
            measured = Measurement(
                Status.NO_RESPONSE, amplitude_uv=0.0, amplitude_upper_uv=18.0, snr=1.5
            )
        else:
            measured = Measurement(
                Status.RESPONSE,
                amplitude_uv=amplitude_uv * share,
                onset_ms=onset_ms + 0.2 * scatter,
                duration_ms=duration_ms,
                snr=30.0,
            )
        row = ChannelTrial(channel.name, channel.muscle, channel.side, measured)
        if n <= USABLE or measured.amplitude_uv is None:
            return row
        percent = 100.0 * measured.amplitude_uv / amplitude_uv
        return structs.replace(
            row, baseline_uv=amplitude_uv, percent_of_baseline=percent, comparable=True
        )

    def _baselines(self, n: int) -> list[Baseline]:
        if n > FROZEN:
            return []
        usable = n >= USABLE
        learned = BaselineState.FROZEN if n == FROZEN else BaselineState.USABLE
        for i, channel in enumerate(CHANNELS):
            amplitude_uv, onset_ms, _ = MUSCLES[channel.muscle]
            typical = self.trials[-1].channels[i]
            typical = structs.replace(
                typical, measurement=Measurement(Status.RESPONSE, (), amplitude_uv)
            )
            self.baselines[channel.name] = Baseline(
                id=i + 1,
                setting=KEY,
                channel=channel.name,
                muscle=channel.muscle,
                state=learned if usable else BaselineState.LEARNING,
                amplitude_uv=amplitude_uv if usable else None,
                onset_ms=onset_ms if usable else None,
                accepted=n,
                responses=n,
                trials=tuple(range(1, n + 1)),
                sweep_uv=sweep(0, typical, noise_uv=2.0) if usable else None,
            )
        return list(self.baselines.values())

    def _alarms(self, n: int, at_s: float) -> list[AlarmCondition]:
        changed = []
        for row in self.trials[-1].channels:
            alarm = self._alarm(n, row, at_s) if row.channel in LEFT_LEG else None
            if alarm is not None:
                self.alarms[alarm.id] = alarm
                changed.append(alarm)
        return changed

    def _alarm(self, n: int, row: ChannelTrial, at_s: float) -> AlarmCondition | None:
        alarm_id = LEFT_LEG[row.channel]
        if n == LOST[0]:
            return AlarmCondition(
                id=alarm_id,
                kind=AlarmKind.AMPLITUDE_DROP,
                alarm_class=AlarmClass.PHYSIOLOGICAL,
                priority=Priority.LOW,
                state=AlarmState.UNCONFIRMED,
                raised_s=at_s,
                setting=KEY,
                channel=row.channel,
                muscle=row.muscle,
                trial=n,
                percent_of_baseline=row.percent_of_baseline,
                baseline_uv=row.baseline_uv,
                amplitude_uv=row.measurement.amplitude_uv,
                scope=Scope.FOCAL,
                rule="one comparable trial at 50 % of baseline or less",
            )
        if n == LOST[1]:
            return structs.replace(
                self.alarms[alarm_id],
                priority=Priority.HIGH,
                state=AlarmState.ACTIVE,
                trial=n,
                percent_of_baseline=row.percent_of_baseline,
                amplitude_uv=row.measurement.amplitude_uv,
                rule="two comparable trials in a row at 50 % of baseline or less",
                evidence={
                    "threshold_percent": 50.0,
                    "recovery_percent": 60.0,
                    "n_of_k": "2 of 2",
                    "trials": f"{n - 1}, {n}",
                    "trials_beyond": 2,
                    "baseline_id": 5,
                    "baseline_uv": row.baseline_uv,
                    "baseline_responses": 10,
                    "baseline_accepted": 10,
                    "baseline_set_by": "",
                    "noted": "Bolus propofol (3 min before)",
                    "model": "scripted 1 5c5c",
                    "estimate_percent": 27.0,
                    "estimate_lower_percent": 19.0,
                    "estimate_upper_percent": 36.0,
                    "probability_below": 0.998,
                    "scope_evidence": "the others are intact",
                },
            )
        if n == LOST[-1] + 2:
            seen = self.alarms[alarm_id].acknowledged_s is not None
            state = AlarmState.RESOLVED if seen else AlarmState.LATCHED
            return structs.replace(self.alarms[alarm_id], state=state, resolved_s=at_s)
        return None


def remaining(n: int, channel: str) -> float:
    """The share of the muscle's motor units that still answers in trial ``n``."""
    if channel not in LEFT_LEG or n not in LOST:
        return 1.0
    return 0.04 if channel == "LAH" and n > LOST[2] else 0.28


def sweep(n: int, row: ChannelTrial, noise_uv: float = 8.0) -> Float32Array:
    """One sweep as measured: noise, the artefact blanked, a polyphasic answer. (n_samples,) uV."""
    rng = np.random.default_rng([n, 7, len(row.channel), ord(row.channel[-1])])
    uv = noise_uv * np.convolve(rng.standard_normal(N_SAMPLES), np.ones(5) / 5**0.5, "same")
    ms = (np.arange(N_SAMPLES) - STIMULUS_INDEX) / FS_HZ * 1000.0
    if row.measurement.status is Status.REJECTED:
        uv += 900.0 * np.sin(ms * 2.1) * np.sin(ms * 0.37)
    elif row.measurement.amplitude_uv:
        _, onset_ms, duration_ms = MUSCLES[row.muscle]
        phase = np.clip((ms - onset_ms) / duration_ms, 0.0, 1.0)
        shape = np.sin(np.pi * phase) ** 2 * np.sin(2.0 * np.pi * 2.2 * phase**0.8)
        uv += row.measurement.amplitude_uv * shape / np.ptp(shape)
    uv[(ms > -0.5) & (ms < PULSES_MS[-1] + 4.0)] = 0.0
    return uv.astype(np.float32)
