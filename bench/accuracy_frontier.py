"""How far any method could get: ``python -m bench.accuracy_frontier``.

An oracle that is told what no method can know, the exact noiseless shape of the response in each
sweep and the spectrum of the sweep's noise, and has only to find whether and when it came (8-50 ms
after the last pulse, of any size): a matched filter after whitening. With Gaussian noise of that
spectrum nothing detects better or times closer (Van Trees, Detection, Estimation and Modulation
Theory, part I). A method that has to find the shape as well will be worse; what the oracle misses
can't be reached. Sweeps without a response are searched for the shape of another sweep of their
set-up.

Artefact and mains are removed as for every method, slow drift by a 10 Hz high-pass; it works at
2 to 4 kHz, where the responses have their energy.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.accuracy import SEED
from bench.accuracy_score import BANDS, SCORED_SNR, band_name

# bench.accuracy pins the threads before numpy is imported.
# isort: split
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import butter, correlate, lfilter, resample_poly, sosfiltfilt

from models.responses import ONSET_RANGE_MS
from models.simulator import BLOCK_SWEEPS, Block, simulate_block
from monitor.measure.plan import plan_sweeps

FloatArray = NDArray[np.float64]

HIGHPASS_HZ = 10.0
LEAST_FS_HZ = 2000.0
#: Of the autoregressive model of the noise; 4 to 8 make no difference.
ORDER = 6
FALSE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Found:
    """The oracle's best match in a sweep: its score in noise SD and how far off in time."""

    present: bool
    artefact: bool
    snr: float
    score: float
    error_ms: float


def whitening(noise_uv: FloatArray) -> tuple[FloatArray, float]:
    """Prediction-error filter (ORDER + 1,) of a stretch of noise, and the SD of what it leaves.

    Yule-Walker, with a little white noise added so that a flat stretch has a filter too.
    """
    x = noise_uv - noise_uv.mean()
    lags = np.array([x[: x.size - k] @ x[k:] for k in range(ORDER + 1)]) / x.size
    lags[0] = lags[0] * 1.0001 + 1e-12
    coefficients = solve_toeplitz(lags[:-1], lags[1:])
    power = lags[0] - coefficients @ lags[1:]
    return np.concatenate([[1.0], -coefficients]), float(np.sqrt(max(power, 1e-12)))


def best_match(
    sweep_uv: FloatArray, shape_uv: FloatArray, noise_uv: FloatArray, lags: range
) -> tuple[float, float]:
    """Score in SD and lag in samples (interpolated) of the best match of a shape of any size.

    Args:
        sweep_uv, shape_uv: (n,) each, the shape where it is at lag 0.
        noise_uv: the sweep's noise, told.
        lags: allowed, in samples.
    """
    taps, sd = whitening(noise_uv)
    white, wanted = lfilter(taps, [1.0], sweep_uv), lfilter(taps, [1.0], shape_uv)
    size = float(np.linalg.norm(wanted))
    if size == 0.0:
        return 0.0, np.nan
    out = correlate(white, wanted, mode="full", method="fft")[wanted.size - 1 + np.array(lags)]
    out = out / (size * sd)
    at = int(np.argmax(out))
    shift = 0.0
    if 0 < at < out.size - 1:
        before, here, after = out[at - 1 : at + 2]
        curve = before - 2 * here + after
        shift = 0.5 * float((before - after) / curve) if curve < 0 else 0.0
    return float(out[at]), lags[at] + shift


def oracle(block: Block) -> Iterator[Found]:
    """Answer every sweep of a block that has, or can borrow, a shape."""
    setup, truth = block.setup, block.truth
    plan = plan_sweeps(setup.fs_hz, setup.n_samples, setup.stimulus_index, setup.pulses_ms)
    shapes = np.flatnonzero(truth.response)
    if shapes.size == 0:
        return
    fold = max(1, int(setup.fs_hz // LEAST_FS_HZ))
    per_ms = setup.fs_hz / fold / 1e3
    high = butter(2, HIGHPASS_HZ, "highpass", fs=setup.fs_hz, output="sos")
    level = np.median(block.cleaned_uv[:, slice(*plan.noise)], axis=1, keepdims=True)
    sweeps, responses = (
        resample_poly(sosfiltfilt(high, uv, axis=1), 1, fold, axis=1)
        for uv in (block.cleaned_uv - level, block.response_uv)
    )
    # What the blanking took is not there to be matched.
    seen = slice(-(-plan.search_start // fold), None)
    for row, sweep in enumerate(sweeps):
        present = bool(truth.response[row])
        lent = row if present else int(shapes[row % shapes.size])
        noise = sweep - responses[row]
        first, last = ((edge - truth.onset_ms[lent]) * per_ms for edge in ONSET_RANGE_MS)
        score, lag = best_match(
            sweep[seen],
            responses[lent][seen],
            noise,
            range(int(np.ceil(first)), int(last) + 1),
        )
        snr = float(truth.snr[row])
        yield Found(present, bool(truth.artefact[row]), snr, score, lag / per_ms)


def best_share_right(present: FloatArray, absent: FloatArray) -> float:
    """Largest share of right decisions that any limit on the score gives."""
    limits = np.concatenate([present, absent, [np.inf]])
    ordered_present, ordered_absent = np.sort(present), np.sort(absent)
    found = present.size - np.searchsorted(ordered_present, limits, "left")
    passed = np.searchsorted(ordered_absent, limits, "left")
    return float((found + passed).max() / (present.size + absent.size))


def report(found: Sequence[Found], title: str) -> str:
    """Detection at 1 % false responses, and the onset errors of what was detected."""
    absent = np.array([f.score for f in found if not f.present])
    limit = float(np.quantile(absent, 1 - FALSE_SHARE))
    titles = (
        f"{title:<24}{'n':>6}{'found %':>9}{'MAE ms':>8}{'median':>8}{'p95':>7}"
        f"{'<0.5 ms %':>11}   at {FALSE_SHARE:.0%} false of {absent.size}: {limit:.1f} SD"
    )
    lines = [titles, "-" * len(titles)]
    for low, high in BANDS:
        inside = [f for f in found if f.present and low <= f.snr < high]
        errors = np.abs([f.error_ms for f in inside if f.score > limit])
        if errors.size:
            share = 100 * errors.size / len(inside)
            lines.append(
                f"SNR {band_name(low, high):<20}{len(inside):>6}{share:>9.1f}"
                f"{errors.mean():>8.2f}{np.median(errors):>8.2f}{np.quantile(errors, 0.95):>7.2f}"
                f"{100 * (errors < 0.5).mean():>11.1f}"
            )
    strong = np.array([f.score for f in found if f.present and f.snr >= SCORED_SNR])
    right = 100 * best_share_right(strong, absent)
    lines.append(f"present or absent, SNR 3 and more, at the best of all limits: {right:.1f} %")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy_frontier", description=__doc__)
    parser.add_argument("--n", type=int, default=6400)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    found: list[Found] = []
    for number, first in enumerate(range(0, options.n, BLOCK_SWEEPS)):
        count = min(BLOCK_SWEEPS, options.n - first)
        found += oracle(simulate_block(options.seed, "test", number, count))
    print(report([f for f in found if not f.artefact], "oracle, no artefact"))
    print()
    print(report(found, "oracle, all sweeps"))


if __name__ == "__main__":
    main()
