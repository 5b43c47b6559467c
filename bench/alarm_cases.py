"""Simulated cases for :mod:`bench.alarms`: amplitudes with a truth, made from published figures.

Trial-to-trial variability (lognormal, 30 scoliosis cases): hand 48 %, abductor hallucis 35 %,
tibialis anterior 27 %. Anaesthetic fade: hand 102, 105, 101, 86, 81 % and abductor hallucis 102,
102, 92, 71, 63 % of baseline at 2 to 6 h of anaesthesia; the whole of it is laid over the case, so
that a 4-h case meets the full depth. Partial neuromuscular block: variability 60 to 76 %.

Cases of evaluation and of design come from different seeds: :data:`EVALUATION`, :data:`DESIGN`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.types import FloatArray, MonitorError, Status

DESIGN, EVALUATION = 71_000, 520_000

CV = {"APB": 0.48, "AH": 0.35, "TA": 0.27}
MEDIAN_UV = {"APB": 900.0, "AH": 350.0, "TA": 250.0}
FADE_HOURS = np.array([2.0, 3.0, 4.0, 5.0, 6.0])
FADE = {
    "APB": np.array([1.02, 1.05, 1.01, 0.86, 0.81]),
    "AH": np.array([1.02, 1.02, 0.92, 0.71, 0.63]),
    "TA": np.array([1.02, 1.02, 0.92, 0.71, 0.63]),
}
LIKE = {
    "ADM": "APB", "FDI": "APB", "EHL": "AH", "EDB": "AH", "GAS": "TA", "QUAD": "TA",
} | {name: name for name in CV}  # fmt: skip
"""Muscles of the wider scenarios, and whose published figures stand for them."""
FLOOR_UV = 12.0
BLOCK_CV = (0.60, 0.76)

COLUMNS = ("case", "kind", "time_s", "trial", "setting", "muscle", "amplitude_uv", "snr", "status")
TRUTH = ("loss_start_trial", "loss_fraction", "focal")


@dataclass(frozen=True, slots=True)
class Loss:
    """What happens to which muscles: ``who`` is focal, bilateral or legs."""

    fraction: float
    muscle: str = "AH"
    who: str = "focal"
    ramp_min: float = 0.0
    lasts_trials: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a set of cases has in common; the defaults are the reference scenario."""

    name: str
    loss: Loss | None = None
    muscles: tuple[str, ...] = ("APB", "AH", "TA")
    trials: int = 80
    hours: float = 4.0
    correlation: float = 0.3
    fade: float = 1.0
    block: bool = False
    outliers: float = 0.01
    weak_trials: float = 0.0025
    rejects: float = 0.03
    spread: float = 0.0
    """SD, in logs, of a muscle's variability about the published one."""
    own_steps: float = 0.0
    """SD, in logs, of one lasting step of every muscle's own that is no injury, and of a drift."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One simulated case: (trials, muscles) arrays; ``loss_start`` is a trial number or -1."""

    case: str
    kind: str
    time_s: FloatArray
    trials: tuple[int, ...]
    settings: tuple[str, ...]
    muscles: tuple[str, ...]
    amplitude_uv: FloatArray
    snr: FloatArray
    status: tuple[tuple[str, ...], ...]
    loss_start: tuple[int, ...]
    loss_fraction: tuple[float, ...]
    focal: bool
    true_share: FloatArray | None = None
    """(trials, muscles) of the first ten trials' true amplitude; None of cases from outside."""

    def lost(self) -> list[int]:
        """Indices of the muscles that lose their response or part of it."""
        starts = zip(self.loss_start, self.loss_fraction, strict=True)
        return [i for i, (start, fraction) in enumerate(starts) if start >= 0 and fraction > 0]


def simulate(scenario: Scenario, n: int, seed: int) -> list[Case]:
    """``n`` cases, each with a generator of its own: the first of many are always the same."""
    return [_one(scenario, i, np.random.default_rng([seed, i])) for i in range(n)]


def _one(scenario: Scenario, number: int, rng: np.random.Generator) -> Case:
    t, sides = scenario.trials, ("L", "R")
    muscles = tuple(f"{side}-{muscle}" for muscle in scenario.muscles for side in sides)
    kinds = [LIKE[name[2:]] for name in muscles]
    m = len(muscles)
    step_s = scenario.hours * 3600.0 / t
    time_s = 60.0 + step_s * (np.arange(t) + rng.uniform(-0.2, 0.2, t))
    sigma = np.array([np.sqrt(np.log1p(CV[kind] ** 2)) for kind in kinds])
    if scenario.spread:
        sigma = sigma * np.exp(rng.normal(0.0, scenario.spread, m))
    log_uv = np.log([MEDIAN_UV[kind] for kind in kinds]) + rng.normal(0.0, 0.4, m)
    gradual = scenario.fade * rng.uniform(0.8, 1.2) * _fade(kinds, time_s / time_s[-1])
    if scenario.own_steps:
        gradual = gradual + _own_steps(scenario.own_steps, t, m, rng)
    noise_scale = np.ones(t)
    if scenario.block:
        depth, noise_scale = _block(t, sigma, rng)
        gradual = gradual + depth[:, None]
    noise = np.empty((t, m))
    fresh = rng.normal(size=(t, m))
    rho = scenario.correlation
    noise[0] = fresh[0]
    for i in range(1, t):
        noise[i] = rho * noise[i - 1] + np.sqrt(1.0 - rho * rho) * fresh[i]
    y = log_uv + gradual + noise * sigma * noise_scale[:, None]
    y += _outliers(scenario, t, m, rng)
    amplitude_uv = np.exp(y)
    true_share = np.exp(gradual - gradual[:10].mean(axis=0))
    starts, fractions = [-1] * m, [0.0] * m
    if scenario.loss is not None:
        start = int(rng.integers(25, max(26, min(t - 15, 65))))
        remaining = _remaining(scenario.loss, start, time_s)
        for i in _who(scenario.loss, muscles, rng):
            amplitude_uv[:, i] *= remaining
            true_share[:, i] *= remaining
            starts[i], fractions[i] = start + 1, scenario.loss.fraction
    rejected = rng.random((t, m)) < scenario.rejects
    status = tuple(
        tuple(
            "rejected" if bad else "no_response" if uv < FLOOR_UV else "response"
            for bad, uv in zip(bad_row, uv_row, strict=True)
        )
        for bad_row, uv_row in zip(rejected, amplitude_uv, strict=True)
    )
    return Case(
        case=f"{scenario.name}-{number:05d}",
        kind=scenario.name,
        time_s=time_s,
        trials=tuple(range(1, t + 1)),
        settings=("C3/C4",) * t,
        muscles=muscles,
        amplitude_uv=amplitude_uv,
        snr=amplitude_uv / 2.0 / 4.0,
        status=status,
        loss_start=tuple(starts),
        loss_fraction=tuple(fractions),
        focal=scenario.loss is not None and scenario.loss.who == "focal",
        true_share=true_share,
    )


def _fade(kinds: list[str], share: FloatArray) -> FloatArray:
    """(trials, muscles) log of the fade, 0 at the start of the case."""
    hours = FADE_HOURS[0] + share * (FADE_HOURS[-1] - FADE_HOURS[0])
    curves = [np.log(np.interp(hours, FADE_HOURS, FADE[kind] / FADE[kind][0])) for kind in kinds]
    return np.column_stack(curves)


def _own_steps(sd: float, t: int, m: int, rng: np.random.Generator) -> FloatArray:
    """(trials, muscles) log of what muscles do on their own: a walk, and a step after trial 12."""
    walk = np.cumsum(rng.normal(0.0, 0.75 * sd / np.sqrt(t), (t, m)), axis=0)
    after = np.arange(t)[:, None] >= rng.integers(12, max(13, t - 5), m)
    return walk + np.where(after, rng.normal(0.0, sd, m), 0.0)


def _block(t: int, sigma: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(trials,) log-depth of a partial block, alike in all muscles, and the noise's growth."""
    start, length = int(rng.integers(20, max(21, t - 30))), int(rng.integers(10, 25))
    ramp = int(rng.integers(2, 6))
    i = np.arange(t)
    share = np.clip((i - start) / ramp, 0, 1) * np.clip((start + length - i) / ramp, 0, 1)
    wanted = np.sqrt(np.log1p(rng.uniform(*BLOCK_CV) ** 2))
    return share * np.log(rng.uniform(0.45, 0.8)), 1.0 + share * (wanted / sigma.mean() - 1.0)


def _outliers(scenario: Scenario, t: int, m: int, rng: np.random.Generator) -> FloatArray:
    """(trials, muscles) log factors: single sweeps far off, and trials weak on every muscle."""
    low = rng.uniform(np.log(0.05), np.log(0.4), (t, m))
    high = rng.uniform(np.log(2.5), np.log(6.0), (t, m))
    single = np.where(rng.random((t, m)) < 0.5, low, high)
    factor = np.where(rng.random((t, m)) < scenario.outliers, single, 0.0)
    weak = rng.random(t) < scenario.weak_trials
    return factor + np.where(weak, rng.uniform(np.log(0.1), np.log(0.5), t), 0.0)[:, None]


def _remaining(loss: Loss, start: int, time_s: FloatArray) -> FloatArray:
    """(trials,) share of the amplitude that is left."""
    since_min = (time_s - time_s[start]) / 60.0
    step_min = (time_s[-1] - time_s[0]) / (time_s.size - 1) / 60.0
    # A slow loss has begun by its first trial, which shows the first step of it.
    done = (
        np.clip((since_min + step_min) / loss.ramp_min, 0.0, 1.0)
        if loss.ramp_min
        else np.ones(time_s.size)
    )
    index = np.arange(time_s.size)
    during = index >= start
    if loss.lasts_trials is not None:
        during &= index < start + loss.lasts_trials
    return np.where(during, 1.0 - loss.fraction * done, 1.0)


def _who(loss: Loss, muscles: tuple[str, ...], rng: np.random.Generator) -> list[int]:
    """Indices of the affected muscles."""
    if loss.who == "legs":
        return [i for i, name in enumerate(muscles) if LIKE[name[2:]] != "APB"]
    both = [i for i, name in enumerate(muscles) if name.endswith(f"-{loss.muscle}")]
    return both if loss.who == "bilateral" else [both[int(rng.integers(len(both)))]]


def wider(scenario: Scenario, n_muscles: int) -> Scenario:
    """The scenario with ``n_muscles`` channels (6 to 18, even), a third of each kind."""
    names = ("APB", "AH", "TA", "ADM", "EHL", "GAS", "FDI", "EDB", "QUAD")
    return replace(scenario, muscles=names[: n_muscles // 2])


def read(path: Path) -> list[Case]:
    """Cases given from outside, a row a trial and muscle.

    A row that is not there, or a response without an amplitude, was not measured. Of a muscle that
    loses nothing ``loss_start_trial`` is negative or ``loss_fraction`` 0 (or either is missing).

    Raises:
        MonitorError: the file can't be read, lacks a column, has a status that is none, a value
            that should be a number and is not, or a row without its trial.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise MonitorError(f"{path}: not a Parquet file: {error}") from None
    missing = [name for name in (*COLUMNS, *TRUTH) if name not in table.column_names]
    if missing:
        raise MonitorError(f"{path}: lacks the column {missing[0]!r}")
    columns = {name: table[name].to_pylist() for name in (*COLUMNS, *TRUTH)}
    rows: dict[str, list[int]] = {}
    for i, case in enumerate(columns["case"]):
        rows.setdefault(str(case), []).append(i)
    try:
        return [_read_one(case, at, columns) for case, at in rows.items()]
    except MonitorError as error:
        raise MonitorError(f"{path}: {error}") from None


def _read_one(case: str, rows: list[int], columns: dict[str, list[object]]) -> Case:
    muscles = tuple(dict.fromkeys(str(columns["muscle"][i]) for i in rows))
    trial_of = {i: _trial(columns["trial"][i]) for i in rows}
    trials = sorted(set(trial_of.values()))
    place = {trial: t for t, trial in enumerate(trials)}
    m_of = {name: m for m, name in enumerate(muscles)}
    shape = (len(trials), len(muscles))
    amplitude_uv, snr, time_s = np.zeros(shape), np.zeros(shape), np.zeros(shape[0])
    # A row that is not there was not measured.
    status = [["rejected"] * len(muscles) for _ in trials]
    settings = [""] * len(trials)
    starts, fractions = [-1] * len(muscles), [0.0] * len(muscles)
    for i in rows:
        t, m = place[trial_of[i]], m_of[str(columns["muscle"][i])]
        amplitude_uv[t, m] = _number(columns["amplitude_uv"][i])
        snr[t, m] = _number(columns["snr"][i])
        time_s[t] = _number(columns["time_s"][i])
        status[t][m] = _status(columns["status"][i], amplitude_uv[t, m])
        settings[t] = str(columns["setting"][i])
        starts[m] = max(starts[m], int(_number(columns["loss_start_trial"][i], -1.0)))
        fractions[m] = max(fractions[m], _number(columns["loss_fraction"][i]))
    return Case(
        case=case,
        kind=str(columns["kind"][rows[0]]),
        time_s=time_s,
        trials=tuple(trials),
        settings=tuple(settings),
        muscles=muscles,
        amplitude_uv=amplitude_uv,
        snr=snr,
        status=tuple(tuple(row) for row in status),
        loss_start=tuple(starts),
        loss_fraction=tuple(fractions),
        focal=any(_truth(columns["focal"][i]) for i in rows),
    )


def _number(value: object, missing: float = 0.0) -> float:
    """A column's number or truth value; ``missing`` for none and NaN."""
    if value is None:
        return missing
    try:
        number = float(value) if isinstance(value, bool | int) else float(str(value))
    except ValueError:
        raise MonitorError(f"{value!r}: not a number") from None
    return missing if np.isnan(number) else number


def _trial(value: object) -> int:
    number = _number(value, math.nan)
    if not math.isfinite(number) or number != int(number):
        raise MonitorError(f"trial {value!r}: a row needs the number of its trial")
    return int(number)


def _truth(value: object) -> bool:
    """A truth value as it is written: true, "True", 1; missing is false."""
    text = str(value).strip().lower()
    if text in ("true", "yes"):
        return True
    return text not in ("false", "no", "") and _number(value) != 0.0


def _status(value: object, amplitude_uv: float) -> str:
    status = str(value)
    if status not in set(Status):
        raise MonitorError(f"status {status!r}: there are {', '.join(Status)}")
    return "rejected" if status == "response" and amplitude_uv <= 0.0 else status
