"""Scores of :mod:`bench.accuracy`: errors by band of SNR, agreement, detection.

Errors are over the responses that a method found (it gave an onset and did not deny a response);
what it missed is counted beside them. So that a method does not look better for answering the easy
sweeps alone, ``common_ms`` is its error on those that *ours as deployed* found, and found itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.methods.base import FloatArray, MethodAnswers

BoolArray = NDArray[np.bool_]
Labels = dict[str, FloatArray]

#: SNR = peak |noiseless response| over the noise's SD. The last band sums up the two before it.
BANDS = ((1.5, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, np.inf), (5.0, np.inf))
#: Present or absent is scored from this SNR on; below it a detection curve says what is found.
SCORED_SNR = 3.0
RESAMPLES = 400
#: Under this an amplitude's logarithm says nothing.
LEAST_UV = 1.0


def band_name(low: float, high: float) -> str:
    """As the tables show it."""
    if not np.isfinite(low):
        return "all"
    if (low, high) == BANDS[-1]:
        return ">= 5"
    return f"{low:g}-{high:g}" if np.isfinite(high) else f"> {low:g}"


def r_squared(truth: FloatArray, answer: FloatArray) -> float:
    """Share of the variance of ``truth`` that ``answer`` explains, no line fitted; NaN under 2."""
    if truth.size < 2 or np.ptp(truth) == 0:
        return np.nan
    return float(1 - np.square(answer - truth).sum() / np.square(truth - truth.mean()).sum())


def icc_2_1(ratings: FloatArray) -> float:
    """Intraclass correlation ICC(2,1) of (n targets, k raters): absolute agreement, one rating.

    Two-way random effects (Shrout and Fleiss, Psychol Bull 86:420, 1979). NaN for under 2 targets.
    """
    n, k = ratings.shape
    if n < 2:
        return np.nan
    middle = ratings.mean()
    rows = k * np.square(ratings.mean(axis=1) - middle).sum() / (n - 1)
    columns = n * np.square(ratings.mean(axis=0) - middle).sum() / (k - 1)
    rest = np.square(
        ratings - ratings.mean(axis=1, keepdims=True) - ratings.mean(axis=0) + middle
    ).sum() / ((n - 1) * (k - 1))
    below = rows + (k - 1) * rest + k * (columns - rest) / n
    return float((rows - rest) / below) if below > 0 else np.nan


def bootstrap_mean(values: FloatArray, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean, by resampling; NaN for under 2 values."""
    if values.size < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, values.size, values.size)].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class BandScore:
    """A method on the responses of one band; NaN where it does not answer.

    Errors in ms; ``below_*``, ``missed``, ``shape_right`` as shares; ``amplitude_bias``: median of
    answer over truth, less 1; ``covered``: truths inside the method's 95 % amplitude range.
    """

    method: str
    band: str
    n: int
    missed: float
    mae_ms: float
    mae_low_ms: float
    mae_high_ms: float
    common_ms: float
    median_ms: float
    p95_ms: float
    bias_ms: float
    below_half: float
    below_one: float
    amplitude_bias: float
    amplitude_error: float
    r2: float
    icc: float
    r2_log: float
    icc_log: float
    covered: float
    shape_right: float


def band_score(
    method: str,
    answers: MethodAnswers,
    labels: Labels,
    band: tuple[float, float],
    common: BoolArray,
    title: str = "",
) -> BandScore:
    """Score one method on one band; sets without SNR have one band, ``(-inf, inf)``.

    Args:
        method: its name.
        answers: to all n sweeps.
        labels: of all n sweeps.
        band: of SNR, [low, high).
        common: (n,) which responses the method of reference found.
        title: of the line; the band's name where there is none.
    """
    low, high = band
    inside = labels["present"] == 1.0
    if np.isfinite(low) or np.isfinite(high):
        inside &= (labels["snr"] >= low) & (labels["snr"] < high)
    decides = np.isfinite(answers.onset_ms).any()
    found = answers.found() if decides else answers.response == 1.0
    hit = inside & found
    error_ms = (answers.onset_ms - labels["onset_ms"])[hit & np.isfinite(labels["onset_ms"])]
    error_ms = error_ms[np.isfinite(error_ms)]
    size_ms = np.abs(error_ms)
    shared = hit & common & np.isfinite(labels["onset_ms"])
    shared_ms = np.abs(answers.onset_ms - labels["onset_ms"])[shared]
    mae_low_ms, mae_high_ms = bootstrap_mean(size_ms)
    known = np.isfinite(labels["amplitude_uv"])
    sized = hit & known & np.isfinite(answers.amplitude_uv)
    truth_uv = labels["amplitude_uv"][sized]
    answer_uv = answers.amplitude_uv[sized]
    logs = np.log(np.maximum(np.stack([truth_uv, answer_uv], axis=1), LEAST_UV))
    ratio = answer_uv / truth_uv - 1.0
    ranged = hit & known & np.isfinite(answers.amplitude_lower_uv)
    covered = (answers.amplitude_lower_uv <= labels["amplitude_uv"]) & (
        labels["amplitude_uv"] <= answers.amplitude_upper_uv
    )
    shaped = hit & np.isfinite(labels["morphology"])
    gives_shapes = np.isfinite(answers.morphology).any()
    return BandScore(
        method=method,
        band=title or band_name(low, high),
        n=int(inside.sum()),
        missed=_share(~found[inside]),
        mae_ms=_mean(size_ms),
        mae_low_ms=mae_low_ms,
        mae_high_ms=mae_high_ms,
        common_ms=_mean(shared_ms[np.isfinite(shared_ms)]),
        median_ms=_quantile(size_ms, 0.5),
        p95_ms=_quantile(size_ms, 0.95),
        bias_ms=_mean(error_ms),
        below_half=_share(size_ms < 0.5),
        below_one=_share(size_ms < 1.0),
        amplitude_bias=_quantile(ratio, 0.5),
        amplitude_error=_quantile(np.abs(ratio), 0.5),
        r2=r_squared(truth_uv, answer_uv),
        icc=icc_2_1(np.stack([truth_uv, answer_uv], axis=1)),
        r2_log=r_squared(logs[:, 0], logs[:, 1]),
        icc_log=icc_2_1(logs),
        covered=_share(covered[ranged]),
        shape_right=_share((answers.morphology == labels["morphology"])[shaped])
        if gives_shapes
        else np.nan,
    )


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Present or absent, artefact or not. Shares; NaN where the method does not decide.

    ``right``: over responses of SNR 3 and more and absent ones, a rejected sweep counting as a
    response that was not found and as none that was falsely seen; ``rejected``: of all;
    ``false_clean``, ``false_beside``: responses seen on absent sweeps without and with artefact;
    ``area``: under the curve of detection against false responses, SNR 3 and more.
    """

    method: str
    n: int
    right: float
    missed: float
    false: float
    false_clean: float
    false_beside: float
    rejected: float
    rejected_clean: float
    area: float
    artefact_right: float
    artefact_found: float
    artefact_false: float


def detection_score(method: str, answers: MethodAnswers, labels: Labels) -> DetectionScore:
    """Score a method's decisions on a whole set."""
    absent = labels["present"] == 0.0
    present = (labels["present"] == 1.0) & ~(labels["snr"] < SCORED_SNR)
    decides = np.isfinite(answers.response).any()
    said = answers.response == 1.0
    rejected = np.isnan(answers.response)
    artefact, clean = labels["artefact"] == 1.0, labels["artefact"] == 0.0
    sees = np.isfinite(answers.artefact).any() and (artefact | clean).any()
    seen = answers.artefact == 1.0
    right = np.where(present, said, ~said)[present | absent]
    labelled = artefact | clean
    nan = np.nan
    return DetectionScore(
        method=method,
        n=int((present | absent).sum()),
        right=_share(right) if decides else nan,
        missed=_share(~said[present]) if decides else nan,
        false=_share(said[absent]) if decides else nan,
        false_clean=_share(said[absent & clean]) if decides else nan,
        false_beside=_share(said[absent & artefact]) if decides else nan,
        rejected=_share(rejected) if decides else nan,
        rejected_clean=_share(rejected[clean]) if decides else nan,
        area=curve_area(answers.score, present, absent),
        artefact_right=_share((seen == artefact)[labelled]) if sees else nan,
        artefact_found=_share(seen[artefact]) if sees else nan,
        artefact_false=_share(seen[clean]) if sees else nan,
    )


@dataclass(frozen=True, slots=True)
class DoubtScore:
    """What a method's own doubts are worth, over the responses of SNR 3 and more that it found.

    ``doubted``: share marked uncertain; error of the others and of those, in ms or as a share of
    the truth: the mean, and the share off by more than ``far``.
    """

    method: str
    what: str
    n: int
    doubted: float
    sure_error: float
    doubted_error: float
    sure_far: float
    doubted_far: float


#: An onset this far off, in ms, and an amplitude by this share, would mislead.
FAR_ONSET_MS = 3.0
FAR_AMPLITUDE = 0.25


def doubt_scores(method: str, answers: MethodAnswers, labels: Labels) -> list[DoubtScore]:
    """Onset and amplitude, sure and doubted; empty for methods that never doubt."""
    strong = (labels["present"] == 1.0) & ~(labels["snr"] < SCORED_SNR) & answers.found()
    onset_ms = np.abs(answers.onset_ms - labels["onset_ms"])
    # Labelled 0 where there is no response, it is no measure of an error.
    known_uv = np.where(labels["amplitude_uv"] > 0.0, labels["amplitude_uv"], np.nan)
    size = np.abs(answers.amplitude_uv / known_uv - 1.0)
    found = []
    for what, error, doubt, far in (
        ("onset, ms", onset_ms, answers.onset_uncertain, FAR_ONSET_MS),
        ("amplitude, share", size, answers.amplitude_uncertain, FAR_AMPLITUDE),
    ):
        known = strong & np.isfinite(error) & np.isfinite(doubt)
        if not known.any():
            continue
        sure, doubted = error[known & (doubt == 0.0)], error[known & (doubt == 1.0)]
        found.append(
            DoubtScore(
                method=method,
                what=what,
                n=int(known.sum()),
                doubted=doubted.size / int(known.sum()),
                sure_error=_mean(sure),
                doubted_error=_mean(doubted),
                sure_far=_share(sure > far),
                doubted_far=_share(doubted > far),
            )
        )
    return found


def curve_area(score: FloatArray, present: BoolArray, absent: BoolArray) -> float:
    """Area under the detection curve: how often a response outscores an absent sweep."""
    ones, zeros = score[present & np.isfinite(score)], score[absent & np.isfinite(score)]
    if ones.size == 0 or zeros.size == 0:
        return np.nan
    order = np.sort(zeros)
    below = np.searchsorted(order, ones, "left")
    upto = np.searchsorted(order, ones, "right")
    return float((below + upto).mean() / (2 * zeros.size))


def found_at_false_share(
    score: FloatArray, present: BoolArray, absent: BoolArray, false_shares: Sequence[float]
) -> FloatArray:
    """Share of the responses found where so many of the absent sweeps are called responses."""
    limits = np.quantile(score[absent], 1.0 - np.asarray(false_shares))
    return np.array([_share(score[present] > limit) for limit in limits])


def _share(which: NDArray[np.generic]) -> float:
    return float(which.mean()) if which.size else np.nan


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else np.nan


def _quantile(values: FloatArray, q: float) -> float:
    return float(np.quantile(values, q)) if values.size else np.nan
