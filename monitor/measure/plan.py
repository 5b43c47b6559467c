"""Where everything lies in a sweep: computed once for sweeps of one shape, used for every trial."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import Literal, NamedTuple

import numpy as np

from monitor.measure.artefact import TailFits, plan_tail
from monitor.measure.hum import HumFits, plan_hum
from monitor.types import FloatArray

IntArray = np.ndarray[tuple[int, int], np.dtype[np.int64]]

#: A response is over by then (late polyphasic parts of leg muscles reach 60 ms, foot 80): what lies
#: outside serves as the sample of mains and drift. From the last pulse.
RESPONSE_END_MS = 80.0
#: Low edge of the detection band. A sweep whose noise is known from its last 20 ms alone says
#: nothing of slower activity, so none of it counts as a response there.
DETECTION_LOW_HZ = 30.0
DETECTION_LOW_HZ_TAIL = 30.0
#: The resting level is the median of so much before the stimulus.
LEVEL_MS = 50.0
#: Samples beyond a blank whose mean is the end of the line drawn through it.
BLANK_REACH_MS = 0.4
#: Kept clear of the stimulus, before it.
GUARD_MS = 1.0
#: Noise is estimated on at most this much, the part next to the stimulus.
NOISE_SPAN_MS = 100.0
#: Less than this before the stimulus is not a sample of noise: the sweep's end is taken instead.
MIN_NOISE_MS = 15.0
#: The clean part must hold this many periods of the mains for a fit.
MIN_MAINS_PERIODS = 2.5
#: The mains is removed where it holds this share of the clean part's variance
#: (noise alone: under 0.08 in 99 % of sweeps of 5 to 10 periods).
MIN_MAINS_SHARE = 0.15
MAINS_HARMONICS = 7

MAINS_CHOICES_HZ = (50.0, 60.0)


class MainsFits(NamedTuple):
    """Least-squares fits of drift, and of each mains frequency with its harmonics beside it.

    The clean part is everything before sample ``before`` and from sample ``after`` on, m samples.
    ``drift`` (3, m) is an orthonormal basis of what is slow there, ``basis`` (f, p, m) of the
    mains at ``hz`` (f,), orthogonal to the drift; ``waves`` (f, p, n) are the same waves over the
    whole sweep, without the drift in them. ``min_share``: of the clean part's variance.
    """

    before: int
    after: int
    hz: FloatArray
    min_share: float
    drift: FloatArray
    basis: FloatArray
    waves: FloatArray


class Frame(NamedTuple):
    """Indices for kernels. ``blanks`` (p, 2); ``blank_reach``: see ``artefact.blank``."""

    fs_hz: float
    search_start: int
    noise_start: int
    noise_stop: int
    level_start: int
    blanks: IntArray
    blank_reach: int


@dataclass(frozen=True, slots=True, eq=False)
class SweepPlan:
    """Indices and fits for sweeps of one shape. All ranges are [start, stop) in samples.

    ``blanks``: one range a pulse, merged where they touch; ``noise``: the range that noise is
    estimated on and ``noise_source``, where it lies; ``last_pulse_ms``: from the first;
    ``search_start``: first sample after the last blank; ``band_low_hz``: low edge of the detection
    band. ``frame``, ``mains``, ``hum`` (for want of a clean part before the stimulus) and ``tail``:
    the same and the fits, as the kernels take them.
    """

    fs_hz: float
    n_samples: int
    stimulus_index: int
    pulses_ms: tuple[float, ...]
    blanks: tuple[tuple[int, int], ...]
    search_start: int
    noise: tuple[int, int]
    noise_source: Literal["pre", "tail"]
    band_low_hz: float
    frame: Frame
    mains: MainsFits
    hum: HumFits
    tail: TailFits

    @property
    def last_pulse_ms(self) -> float:
        return self.pulses_ms[-1]

    def sample_at_ms(self, latency_ms: float) -> int:
        """Index of the first sample at or after ``latency_ms`` from the stimulus sample."""
        return self.stimulus_index + ceil(latency_ms * self.fs_hz / 1e3 - 1e-9)


@lru_cache(maxsize=32)
def plan_sweeps(
    fs_hz: float,
    n_samples: int,
    stimulus_index: int,
    pulses_ms: tuple[float, ...] = (0.0,),
    blank_before_ms: float = 0.5,
    blank_after_ms: float = 4.0,
) -> SweepPlan:
    """Plan for sweeps of ``n_samples`` at ``fs_hz`` with the first pulse at ``stimulus_index``."""
    per_ms = fs_hz / 1e3
    blanks: list[tuple[int, int]] = []
    for pulse_ms in pulses_ms:
        at = stimulus_index + pulse_ms * per_ms
        start = max(0, floor(at - blank_before_ms * per_ms))
        # One sample more: the pulse lies anywhere within a sample of its index.
        stop = min(n_samples, ceil(at + blank_after_ms * per_ms) + 1)
        if blanks and start <= blanks[-1][1]:
            blanks[-1] = (blanks[-1][0], max(stop, blanks[-1][1]))
        elif start < stop:
            blanks.append((start, stop))
    before = max(0, floor(stimulus_index - GUARD_MS * per_ms))
    after = min(n_samples, ceil(stimulus_index + (pulses_ms[-1] + RESPONSE_END_MS) * per_ms))
    (start, stop), source = _noise_range(before, after, n_samples, per_ms, blanks)
    search_start = blanks[-1][1] if blanks else stimulus_index
    mains = _mains_fits(n_samples, fs_hz, before, after)
    return SweepPlan(
        fs_hz=fs_hz,
        n_samples=n_samples,
        stimulus_index=stimulus_index,
        pulses_ms=pulses_ms,
        blanks=tuple(blanks),
        search_start=search_start,
        noise=(start, stop),
        noise_source=source,
        band_low_hz=DETECTION_LOW_HZ if source == "pre" else DETECTION_LOW_HZ_TAIL,
        frame=Frame(
            fs_hz=fs_hz,
            search_start=search_start,
            noise_start=start,
            noise_stop=stop,
            level_start=max(start, stop - int(LEVEL_MS * per_ms)) if source == "pre" else start,
            blanks=np.array(blanks, dtype=np.int64).reshape(-1, 2),
            blank_reach=max(1, int(BLANK_REACH_MS * per_ms)),
        ),
        mains=mains,
        hum=plan_hum(fs_hz, n_samples, search_start, MAINS_CHOICES_HZ, needed=not mains.hz.size),
        tail=plan_tail(
            fs_hz,
            n_samples,
            stimulus_index + pulses_ms[-1] * per_ms,
            search_start,
            single=len(pulses_ms) == 1,
        ),
    )


def _noise_range(
    before: int, after: int, n_samples: int, per_ms: float, blanks: list[tuple[int, int]]
) -> tuple[tuple[int, int], Literal["pre", "tail"]]:
    if before >= MIN_NOISE_MS * per_ms:
        return (max(0, before - floor(NOISE_SPAN_MS * per_ms)), before), "pre"
    # No usable part before the stimulus: the end of the sweep, where the response is over; a sweep
    # that ends sooner gives its last quarter, and the result says where its noise comes from.
    start = after if n_samples - after >= MIN_NOISE_MS * per_ms else n_samples - n_samples // 4
    start = max(start, blanks[-1][1] if blanks else 0)
    return (min(start, n_samples - 1), n_samples), "tail"


def _drift_terms(n_samples: int, fs_hz: float) -> FloatArray:
    """Offset, slope, curvature: fitted beside the mains so that drift is not taken for mains."""
    position = np.linspace(-1.0, 1.0, n_samples)
    return np.stack([np.ones(n_samples), position, position**2 - 1 / 3])


def _mains_fits(n_samples: int, fs_hz: float, before: int, after: int) -> MainsFits:
    clean = np.concatenate([np.arange(before), np.arange(after, n_samples)])
    t_s = np.arange(n_samples) / fs_hz
    drift = _orthonormal(_drift_terms(n_samples, fs_hz)[:, clean])[0]
    frequencies, bases, all_waves = [], [], []
    # From one side alone the fit would extrapolate: ``hum`` sees to such sweeps.
    for mains_hz in MAINS_CHOICES_HZ if before else ():
        if clean.size / fs_hz < MIN_MAINS_PERIODS / mains_hz:
            continue
        orders = [h for h in range(1, MAINS_HARMONICS + 1) if h * mains_hz < 0.45 * fs_hz]
        phase = 2 * np.pi * mains_hz * np.outer(orders, t_s)
        waves = np.concatenate([np.cos(phase), np.sin(phase)])
        beside = waves[:, clean] - (waves[:, clean] @ drift.T) @ drift
        basis, mixture = _orthonormal(beside)
        frequencies.append(mains_hz)
        bases.append(basis)
        all_waves.append(mixture @ waves)
    terms = 2 * MAINS_HARMONICS
    shape = (len(bases), terms)
    return MainsFits(
        before=before,
        after=after,
        hz=np.array(frequencies, dtype=np.float64),
        min_share=MIN_MAINS_SHARE,
        drift=drift,
        basis=np.ascontiguousarray(np.array(bases).reshape(*shape, clean.size)),
        waves=np.ascontiguousarray(np.array(all_waves).reshape(*shape, n_samples)),
    )


def _orthonormal(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Orthonormal rows that span ``rows`` (p, m), and the (p, p) mixture that makes them of it."""
    left, size, _ = np.linalg.svd(rows, full_matrices=False)
    # A direction that the rows don't really have (two waves alike on few samples) is left out.
    scale = np.where(size > 1e-6 * size.max(initial=0.0), 1.0 / np.maximum(size, 1e-300), 0.0)
    mixture = (left * scale).T
    return np.ascontiguousarray(mixture @ rows), mixture
