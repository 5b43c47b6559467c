"""The baselines of a case: what its trials teach, what a loss withholds, what operators set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count

from monitor.config import TrackSection
from monitor.inputs import ResumedBaseline, SetBaseline
from monitor.track.advisory import Signs
from monitor.track.alarms import AlarmBook, CommandRefused
from monitor.track.baseline import is_accepted
from monitor.track.criteria import Comparison
from monitor.track.following import Following
from monitor.track.loss import Loss
from monitor.track.settings import KnownSettings
from monitor.track.stronger import HeldBack
from monitor.types import (
    AlarmCondition,
    AlarmKind,
    Annotation,
    Baseline,
    BaselineState,
    Channel,
    Epoch,
    Event,
    Float32Array,
    Measurement,
    Stimulus,
)

#: From this many trials beyond the criterion in one loss a baseline that learns takes in no more of
#: them: one may be chance, and to leave it out would raise the baseline of a muscle that varies.
REPEATED_TRIALS = 2

OF_A_BASELINE = "baseline of"
"""So begins what the record says of one that is set anew: no remark of the case."""

_HELD_AGAINST_IT = (
    AlarmKind.BASELINE_UNRELIABLE,
    AlarmKind.LATENCY_SHIFT,
    AlarmKind.MORPHOLOGY_CHANGE,
)


class CaseBaselines:
    """Every setting of a case with what it remembers, by key in the order in which they came."""

    def __init__(
        self,
        channels: tuple[Channel, ...],
        track: TrackSection,
        alarms: AlarmBook,
        known: KnownSettings,
    ) -> None:
        self._channels = channels
        self._names = {channel.name for channel in channels}
        self._track = track
        self._alarms = alarms
        self._known = known
        self._settings: dict[str, Following] = {}
        self._held_back = HeldBack(channels, track)
        self._ids = count(1)
        self._stimulated = False

    @property
    def settings(self) -> Mapping[str, Following]:
        """By key; grows as stimuli of new settings come."""
        return self._settings

    def number_after(self, baselines: int) -> None:
        """So many baselines were numbered in an earlier run of the case."""
        self._ids = count(baselines + 1)

    def inherit(self, i: int, was: ResumedBaseline) -> Baseline:
        """The baseline of channel ``i`` goes on as an earlier run of the case left it."""
        following = self.named(was.setting)
        now = following.learners[i].inherit(was)
        following.overridden[i] = frozenset(was.overrode)
        following.baseline_changed(i, now, inherited=True)
        self._keep(following)
        return now

    def _keep(self, following: Following) -> None:
        """A setting that has a baseline is not to lose its stimuli to another near to it."""
        if following.is_usable:
            self._known.has_baseline(following.setting.key)

    def stimulus(self, given: Stimulus) -> tuple[Stimulus, Following]:
        """The stimulus, counted as of a setting, and what that setting remembers."""
        self._stimulated = True
        counted = self._known.counted(given)
        return counted, self.named(counted.counted_as)

    def learn(
        self,
        epoch: Epoch,
        key: str,
        measurements: tuple[Measurement, ...],
        sweeps_uv: Float32Array,
        comparisons: list[Comparison | None],
    ) -> tuple[list[Baseline], list[AlarmCondition]]:
        """The baselines that changed, and what their becoming (un)usable did to conditions."""
        baselines: list[Baseline] = []
        alarms: list[AlarmCondition] = []
        alarms += self._released(epoch.stimulus_s)
        following = self._settings[key]
        for i in following.learning:
            learner = following.learners[i]
            if not is_accepted(measurements[i]):
                continue
            held_back, changes = self._hold_back(epoch, key, i, measurements[i])
            alarms += changes
            if held_back:
                continue
            comparison = comparisons[i]
            loss = self._alarms.loss(key, learner.channel.name)
            repeated = loss is not None and loss.beyond.trials >= REPEATED_TRIALS
            if repeated and comparison is not None and comparison.beyond:
                continue
            alarms += self._withheld(epoch, key, following, i)
            if i in following.withheld:
                continue
            was_unreliable = learner.state is BaselineState.UNRELIABLE
            changed = learner.accept(epoch.trial, measurements[i], sweeps_uv[i])
            if changed is not None:
                baselines.append(changed)
                following.baseline_changed(i, changed)
                self._keep(following)
            now = learner.current
            is_unreliable = now is not None and now.state is BaselineState.UNRELIABLE
            alarm = None
            if now is not None and is_unreliable and not was_unreliable:
                alarm = self._alarms.simple.raise_(
                    AlarmKind.BASELINE_UNRELIABLE,
                    epoch.stimulus_s,
                    _why_unreliable(now, self._track.baseline_spread_max),
                    setting=key,
                    channel=learner.channel,
                    trial=epoch.trial,
                )
            elif was_unreliable and not is_unreliable:
                alarm = self._alarms.simple.resolve(
                    AlarmKind.BASELINE_UNRELIABLE,
                    epoch.stimulus_s,
                    setting=key,
                    channel=learner.channel.name,
                )
            alarms += [alarm] if alarm else []
        return baselines, alarms

    def _withheld(
        self, epoch: Epoch, key: str, following: Following, i: int
    ) -> list[AlarmCondition]:
        """Keep ``following.withheld`` for a channel; what that did to conditions.

        A muscle that is down or lost gives no baseline under another setting either: what it gives
        would be taken for whole, and nothing would be left to alarm on.
        """
        channel, at_s = self._channels[i], epoch.stimulus_s
        loss = self._withholding(key, following, i)
        if loss is None:
            return []
        following.withheld.add(i)
        if following.baselines[i] is not None:
            return []
        condition = loss.condition
        changed = self._alarms.simple.raise_(
            AlarmKind.BASELINE_UNRELIABLE,
            at_s,
            f"baseline withheld: alarm {condition.id} stands under {condition.setting}",
            setting=key,
            channel=channel,
            trial=epoch.trial,
        )
        return [changed] if changed else []

    def _released(self, at_s: float) -> list[AlarmCondition]:
        """Every baseline whose loss is over is no longer withheld, whatever is stimulated."""
        found: list[AlarmCondition | None] = []
        for key, following in self._settings.items():
            for i in sorted(following.withheld):
                if self._withholding(key, following, i) is not None:
                    continue
                following.withheld.discard(i)
                channel, now = self._channels[i], following.learners[i].current
                kind = AlarmKind.BASELINE_UNRELIABLE
                if now is not None and now.state is BaselineState.UNRELIABLE:
                    why = _why_unreliable(now, self._track.baseline_spread_max)
                    found.append(
                        self._alarms.simple.raise_(kind, at_s, why, setting=key, channel=channel)
                    )
                else:
                    found.append(
                        self._alarms.simple.resolve(kind, at_s, setting=key, channel=channel.name)
                    )
        return [condition for condition in found if condition is not None]

    def _withholding(self, key: str, following: Following, i: int) -> Loss | None:
        """The loss under another setting for which channel ``i`` learns no baseline of this."""
        overridden = following.overridden.get(i, frozenset())
        return self._lost_elsewhere(key, self._channels[i].name, overridden)

    def _hold_back(
        self, epoch: Epoch, key: str, i: int, measurement: Measurement
    ) -> tuple[bool, list[AlarmCondition]]:
        """Whether a channel gave too little for such a stimulus; what that did to conditions.

        A loss that stands under another setting withholds the baseline by itself.
        """
        following, channel = self._settings[key], self._channels[i]
        if self._withholding(key, following, i) is not None:
            return False, []
        kind, was_shown = AlarmKind.BASELINE_UNRELIABLE, self._held_back.is_shown(key, i)
        why = self._held_back.take(following, i, measurement, self._settings)
        changed = None
        if why and self._held_back.is_shown(key, i):
            changed = self._alarms.simple.raise_(
                kind, epoch.stimulus_s, why, setting=key, channel=channel, trial=epoch.trial
            )
        elif was_shown and following.learners[i].state is not BaselineState.UNRELIABLE:
            changed = self._alarms.simple.resolve(
                kind, epoch.stimulus_s, setting=key, channel=channel.name
            )
        return bool(why), [changed] if changed else []

    def meant(self, command: SetBaseline) -> list[tuple[Following, int]]:
        """The settings and channels that a command concerns, at least one.

        A value may be given for a setting ahead of the first stimulus of all: a case that is taken
        up again starts with the baselines that it had. Later a setting without a stimulus is a
        slip of the pen.

        Raises:
            CommandRefused: it has no reason or no role, a value that is none, names what is not
                there, or a loss stands and it has no ``override``.
        """
        if not command.reason.strip():
            raise CommandRefused("reason: a new baseline needs one", "invalid")
        if not command.role.strip():
            raise CommandRefused("role: a new baseline needs the role of who sets it", "invalid")
        value_uv = command.amplitude_uv
        if value_uv is not None and not (math.isfinite(value_uv) and value_uv > 0):
            raise CommandRefused("amplitude_uv: must be greater than 0", "invalid")
        meant = (*command.group, *([command.channel] if command.channel else []))
        if value_uv is not None and not meant:
            raise CommandRefused(
                "channel: a value is of a muscle or a group, not of all", "invalid"
            )
        for name in meant:
            if name not in self._names:
                raise CommandRefused(f"there is no channel {name!r}", "unknown")
        settings = [command.setting] if command.setting else list(self._settings)
        if not settings:
            raise CommandRefused("no stimulus yet: name the setting", "not_now")
        if value_uv is not None and len(settings) > 1:
            raise CommandRefused(
                f"setting: a value is of one setting; there are {', '.join(settings)}", "invalid"
            )
        ahead = command.setting and command.setting not in self._settings
        if ahead and (value_uv is None or self._stimulated):
            raise CommandRefused(f"no stimulus yet of setting {command.setting!r}", "unknown")
        names = meant or tuple(c.name for c in self._channels)
        for setting in settings:
            for name in names:
                loss = self._alarms.loss(setting, name) or self._lost_elsewhere(setting, name)
                if loss is not None and not command.override:
                    raise CommandRefused(
                        f"alarm {loss.condition.id} stands on {name}: override is needed", "not_now"
                    )
        return [
            (self.named(setting), i)
            for setting in settings
            for i, channel in enumerate(self._channels)
            if channel.name in names
        ]

    def set_anew(
        self, following: Following, i: int, command: SetBaseline, case_s: float
    ) -> list[Event]:
        learner = following.learners[i]
        before = learner.current
        standing = tuple(loss.condition.id for loss in self._alarms.losses(learner.channel.name))
        by, why, role = command.by, command.reason, command.role
        if command.amplitude_uv is None:
            now = learner.learn_again(by, why, role, standing)
        else:
            now = learner.set_value(command.amplitude_uv, by, why, role, standing)
        following.baseline_changed(i, now)
        self._keep(following)
        following.signs[i] = Signs(self._track)
        following.overridden[i] = frozenset(standing)
        text = (
            f"{OF_A_BASELINE} {now.channel} ({now.setting}) was {_in_words(before)}, "
            f"is {_in_words(now)}: {command.reason} [{command.role}]"
        )
        if standing:
            text += f", over alarm {', '.join(str(id_) for id_ in standing)}"
        events: list[Event] = [now, Annotation(case_s, text, command.by)]
        # What was held against the baseline before says nothing of this one.
        for kind in _HELD_AGAINST_IT:
            gone = self._alarms.simple.resolve(
                kind, case_s, setting=now.setting, channel=now.channel
            )
            events += [gone] if gone else []
        return events

    def _lost_elsewhere(
        self, setting: str, name: str, overridden: frozenset[int] = frozenset()
    ) -> Loss | None:
        """A loss standing on a channel under another setting, latched ones being over."""
        return next(
            (
                loss
                for loss in self._alarms.losses(name)
                if loss.condition.setting != setting
                and not loss.is_latched
                and loss.condition.id not in overridden
            ),
            None,
        )

    def named(self, key: str) -> Following:
        """What the setting of a key remembers; a new one has nothing yet."""
        following = self._settings.get(key)
        if following is None:
            following = self._settings[key] = Following(
                self._known[key], self._channels, self._track, self._ids
            )
        return following


def _why_unreliable(baseline: Baseline, spread_max: float) -> str:
    n = baseline.accepted
    if baseline.responses == 0:
        return f"no response in {n} trials: no baseline"
    if baseline.spread is not None and baseline.spread > spread_max:
        return (
            f"amplitudes vary too much (upper quartile {baseline.spread:.1f} times the lower): "
            "no baseline"
        )
    return f"a response in only {baseline.responses} of {n} trials: no baseline"


def _in_words(baseline: Baseline | None) -> str:
    if baseline is None:
        return "not begun"
    if baseline.amplitude_uv is None:
        return f"{baseline.state.value} (baseline {baseline.id})"
    return f"{baseline.amplitude_uv:g} uV (baseline {baseline.id})"
