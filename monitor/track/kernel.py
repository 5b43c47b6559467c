"""The filter behind :mod:`monitor.track.estimator`: one trial of every muscle, compiled.

Written as plain loops over small arrays, in a fixed order, so that the same trials give the same
bits. The names follow the model in :mod:`monitor.track.estimator`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

ABSENT, MEASURED, CENSORED = 0, 1, 2
"""What a trial says of a muscle: nothing, an amplitude, or only that it lies below a bound."""

LOG_LOWEST, LOG_HIGHEST = math.log(1e-2), math.log(1e6)
"""Amplitudes in uV are held within these: what lies outside is none, and would leave every
hypothesis at a probability of zero."""

MEASURED_VARIANCE_MAX = 0.5

# Columns of the answer, one row a muscle, in the order of monitor.track.estimator.Estimate.
ESTIMATE, LOWER, UPPER, BELOW, SUDDEN, INTACT, LEVEL, ABSENT_SHARE, UNREST = range(9)
COLUMNS = 9

# Columns of the noise, one row a muscle: what its trials so far say of how it varies.
SQUARES, SQUARES_WEIGHT, PRODUCT, PRODUCT_WEIGHT, TAKEN = range(5)
ABSENCES, ANSWERS, SILENT, ANSWERED_IN_A_ROW, DISAGREEMENT = range(5, 10)
NOISE_COLUMNS = 10

ABSENT_PRIOR = (0.1, 10.0)
"""So many absences in so many trials: what a muscle that always answered is taken to leave out."""
HABIT_AFTER, HABIT_MOST = 2.0, 2.0
"""Absences count as the muscle's own once so many responses in a row followed, and no more than so
many at a time: of a loss that came back two are booked, however long it was."""
AT_ODDS, AT_ODDS_TRIALS = 2.0, 10.0
"""The usual variance counts for less the more a muscle's own trials are at odds with it: where they
give more than so many times as much, by half at this many times the usual variance too much in
all. A muscle under partial block is no usual one."""
UNREST_TRIALS = 8.0
"""Memory of how far trials lie off what was expected of them."""

NEGLIGIBLE = 1e-4
"""Hypotheses of less probability are left out of what is shown."""
INTERVAL_STEP = 0.004
"""Bounds of an interval are worked out so finely, in logs."""

_NOTHING_BELOW, _ALL_BELOW = -9.0, 9.0
"""So many SD from its mean less of a part lies beyond than shows in any sum."""

_TINY = 1e-300
_ROOT2 = math.sqrt(2.0)
_NORMAL_PEAK = 1.0 / math.sqrt(2.0 * math.pi)


@njit(cache=True)
def normal_cdf(z):  # type: ignore[no-untyped-def]
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-z / _ROOT2)


@njit(cache=True)
def student_peak(freedom):  # type: ignore[no-untyped-def]
    """Density at 0 of Student's t of scale 1 with so many degrees of freedom."""
    half = 0.5 * freedom
    log_peak = math.lgamma(half + 0.5) - math.lgamma(half) - 0.5 * math.log(math.pi * freedom)
    return math.exp(log_peak)


@njit(cache=True)
def read(trial, y, y_var, seen):  # type: ignore[no-untyped-def]
    """What a trial says of each muscle, into ``y``, ``y_var`` and ``seen`` (m,).

    Args:
        trial: (m, 4): :data:`ABSENT`, :data:`MEASURED` or :data:`CENSORED`; the amplitude in uV, or
            the bound that it lies below; its 95 % bounds, NaN where there are none. An amplitude
            that is no positive number says nothing.
    """
    for m in range(seen.size):
        kind, amplitude_uv = trial[m, 0], trial[m, 1]
        seen[m] = ABSENT
        if kind == ABSENT or not amplitude_uv > 0.0:
            continue
        if kind == MEASURED and amplitude_uv == math.inf:
            continue
        seen[m] = MEASURED if kind == MEASURED else CENSORED
        y[m] = min(max(math.log(amplitude_uv), LOG_LOWEST), LOG_HIGHEST)
        sd = (trial[m, 3] - trial[m, 2]) / (3.92 * amplitude_uv)
        y_var[m] = min(sd * sd, MEASURED_VARIANCE_MAX) if math.isfinite(sd) else 0.0


@njit(cache=True)
def observe(  # type: ignore[no-untyped-def]
    level, cov, weights, residual, noise, offsets, moves, trial, drift, usual_variance, settings
):
    """Take one trial into the state, in place, muscle by muscle.

    Args:
        level: (2 m,) mean log-amplitude of the gradual part now, then as it was at baseline.
        cov: (2 m, 2 m) their covariance.
        weights: (m, k) probability of each sudden offset.
        residual: (m, k) last trial's deviation under each offset, for the correlation in series.
        noise: (m, :data:`NOISE_COLUMNS`) sum of squares, its weight, lagged product, its weight,
            trials taken; trials without a response that the muscle left out while it was there,
            of so many trials, those not decided yet, responses in a row since the last of them,
            and the latest trials' mean square about what was expected of them.
        offsets: (k,) sudden offsets in log units; item 0 is 0.
        moves: (k, k) probability of each move from one trial to the next, row by row.
        trial: (m, 4) as in :func:`read`.
        drift: (m, m) covariance that the time since the trial before has added to the levels.
        usual_variance: (m,) of the noise, where nothing is known of this muscle yet.
        settings: (outlier share, outlier variance, prior correlation, its weight, first trials
            without a sudden change, memory of the noise in trials, weight of ``usual_variance``
            in trials).
    """
    share, outlier_var, rho_prior, rho_weight = settings[0], settings[1], settings[2], settings[3]
    first_trials, memory, noise_weight = settings[4], settings[5], settings[6]
    n_muscles, n_offsets = weights.shape
    n_states = level.size
    inside = np.empty(n_offsets)
    outside = np.empty(n_offsets)
    moved = np.empty(n_offsets)
    before = np.empty(n_offsets)
    innovation = np.empty(n_offsets)
    column = np.empty(n_states)
    y, y_var = np.empty(n_muscles), np.empty(n_muscles)
    seen = np.empty(n_muscles, np.int64)
    read(trial, y, y_var, seen)
    for a in range(n_muscles):
        for b in range(n_muscles):
            cov[a, b] += drift[a, b]
    for m in range(n_muscles):
        if seen[m] == ABSENT:
            continue
        taken = noise[m, TAKEN]
        if taken == 0.0 and seen[m] == MEASURED:
            level[m] = y[m]
        if seen[m] == MEASURED:
            _answered(noise[m], memory)
        if taken >= first_trials:
            for j in range(n_offsets):
                total, carried = 0.0, 0.0
                for i in range(n_offsets):
                    p = weights[m, i] * moves[i, j]
                    total += p
                    carried += p * residual[m, i]
                moved[j] = total
                before[j] = carried / max(total, _TINY)
        else:
            for j in range(n_offsets):
                moved[j] = 1.0 if j == 0 else 0.0
                before[j] = residual[m, 0]
        usual = usual_variance[m]
        excess = noise[m, SQUARES] / usual - AT_ODDS * noise[m, SQUARES_WEIGHT]
        prior_weight = noise_weight / (1.0 + max(excess, 0.0) / AT_ODDS_TRIALS)
        n_noise = prior_weight + noise[m, SQUARES_WEIGHT]
        variance = (prior_weight * usual + noise[m, SQUARES]) / n_noise
        rho = (rho_weight * rho_prior + noise[m, PRODUCT]) / (rho_weight + noise[m, PRODUCT_WEIGHT])
        rho = min(max(rho, 0.0), 0.6)
        p_level = cov[m, m]
        total = _TINY
        if seen[m] == CENSORED:
            noise[m, SILENT] += 1.0
            noise[m, ANSWERED_IN_A_ROW] = 0.0
            # The variance is itself uncertain: a normal as wide as the t that this makes of it.
            spread = variance * (1.0 + 2.0 / n_noise)
            for k in range(n_offsets):
                mean = level[m] + offsets[k]
                z_in = (y[m] - mean) / math.sqrt(p_level + spread + y_var[m])
                z_out = (y[m] - mean) / math.sqrt(p_level + spread + y_var[m] + outlier_var)
                weights[m, k] = moved[k] * (
                    (1.0 - share) * normal_cdf(z_in) + share * normal_cdf(z_out)
                )
                total += weights[m, k]
            for k in range(n_offsets):
                weights[m, k] /= total
                residual[m, k] = 0.0
            noise[m, TAKEN] = taken + 1.0
            continue
        has_before = 0.0
        for k in range(n_offsets):
            if before[k] != 0.0:
                has_before = 1.0
        gain_h = 1.0 - rho * has_before
        inner = variance * (1.0 - rho * rho * has_before) + y_var[m]
        v_in = gain_h * gain_h * p_level + inner
        v_out = p_level + variance + y_var[m] + outlier_var
        # The variance was learned from so many trials: Student's t, not a normal.
        peak_in = (1.0 - share) * student_peak(n_noise) / math.sqrt(v_in)
        peak_out = share * _NORMAL_PEAK / math.sqrt(v_out)
        power, wide = -0.5 * (n_noise + 1.0), n_noise * v_in
        for k in range(n_offsets):
            plain = y[m] - level[m] - offsets[k]
            off = innovation[k] = plain - rho * before[k]
            inside[k] = moved[k] * peak_in * math.exp(power * math.log1p(off * off / wide))
            outside[k] = moved[k] * peak_out * math.exp(-0.5 * plain * plain / v_out)
            total += inside[k] + outside[k]
        gain = gain_h * p_level / v_in
        shift, square, w_in_all, squares = 0.0, 0.0, 0.0, 0.0
        product, product_weight, disagreement = 0.0, 0.0, 0.0
        for k in range(n_offsets):
            w_in = inside[k] / total
            w_out = outside[k] / total
            step = gain * innovation[k]
            shift += w_in * step
            square += w_in * step * step
            w_in_all += w_in
            # Capped: a muscle's variance is learned from its usual trials, not from its worst.
            capped = min(innovation[k] * innovation[k] / v_in, 9.0)
            squares += w_in * capped
            disagreement += (w_in + w_out) * capped
            weights[m, k] = w_in + w_out
            inside_share = w_in / max(w_in + w_out, _TINY)
            now = inside_share * (y[m] - level[m] - offsets[k] - step)
            product += w_in * now * before[k]
            product_weight += w_in * before[k] * before[k]
            residual[m, k] = now
        p_new = p_level * (1.0 - w_in_all * gain * gain_h) + max(square - shift * shift, 0.0)
        ratio = 1.0 - p_new / p_level
        for a in range(n_states):
            column[a] = cov[a, m] / p_level
        for a in range(n_states):
            level[a] += column[a] * shift
            scaled = ratio * p_level * column[a]
            for b in range(n_states):
                cov[a, b] -= scaled * column[b]
        keep = 1.0 - 1.0 / memory
        noise[m, SQUARES] = keep * noise[m, SQUARES] + squares * variance
        noise[m, SQUARES_WEIGHT] = keep * noise[m, SQUARES_WEIGHT] + w_in_all
        noise[m, PRODUCT] = keep * noise[m, PRODUCT] + product / variance
        noise[m, PRODUCT_WEIGHT] = keep * noise[m, PRODUCT_WEIGHT] + product_weight / variance
        noise[m, DISAGREEMENT] += (disagreement - noise[m, DISAGREEMENT]) / UNREST_TRIALS
        noise[m, TAKEN] = taken + 1.0


@njit(cache=True)
def _answered(noise, memory):  # type: ignore[no-untyped-def]
    """A muscle showed a response; in a row they make what it left out before a habit."""
    keep = 1.0 - 1.0 / memory
    noise[ABSENCES] *= keep
    noise[ANSWERS] = keep * noise[ANSWERS] + 1.0
    noise[ANSWERED_IN_A_ROW] += 1.0
    if noise[ANSWERED_IN_A_ROW] >= HABIT_AFTER:
        silent = min(noise[SILENT], HABIT_MOST)
        noise[ABSENCES] += silent
        noise[ANSWERS] += silent
        noise[SILENT] = 0.0


@njit(cache=True)
def keep_level(level, cov, m):  # type: ignore[no-untyped-def]
    """The level of muscle ``m`` now is the one at its baseline, in place."""
    at = level.size // 2 + m
    level[at] = level[m]
    for a in range(level.size):
        cov[at, a] = cov[m, a]
    for a in range(level.size):
        cov[a, at] = cov[a, m]
    cov[at, at] = cov[m, m]


_CDF_STEP = 1.0 / 64.0
_CDF = np.array(
    [0.5 * math.erfc(-(k * _CDF_STEP + _NOTHING_BELOW) / _ROOT2) for k in range(18 * 64 + 2)]
)
_CDF_ERROR = 1e-5
"""More than a line between two of these is off by: the step squared, by an eighth of the greatest
slope of the density, 0.242."""


@njit(cache=True)
def _is_below(x, share, n, w, offsets, sds):  # type: ignore[no-untyped-def]
    """Whether less than ``share`` of the mixture of ``n`` parts lies below ``x``, seen from where
    they are offset from. Where a table of the distribution can't tell it is worked out.
    """
    total = 0.0
    for k in range(n):
        z = (x - offsets[k]) / sds[k]
        if z < _NOTHING_BELOW:
            continue
        if z > _ALL_BELOW:
            total += w[k]
        else:
            at = (z - _NOTHING_BELOW) * (1.0 / _CDF_STEP)
            i = int(at)
            total += w[k] * (_CDF[i] + (at - i) * (_CDF[i + 1] - _CDF[i]))
        if total >= share + _CDF_ERROR:
            return False
    if total < share - _CDF_ERROR:
        return True
    total = 0.0
    for k in range(n):
        z = (x - offsets[k]) / sds[k]
        if z < _NOTHING_BELOW:
            continue
        total += w[k] if z > _ALL_BELOW else w[k] * normal_cdf(z)
        if total >= share:
            return False
    return True


@njit(cache=True)
def _percent(log_share):  # type: ignore[no-untyped-def]
    return round(100.0 * math.exp(min(log_share, 5.0)), 2)


@njit(cache=True)
def judge(  # type: ignore[no-untyped-def]
    level, cov, weights, noise, offsets, widths, wanted, criterion, room, answer
):
    """Where each muscle stands against its baseline, into ``answer`` (m, :data:`COLUMNS`).

    Args:
        level: (2 m,), cov: (2 m, 2 m), weights: (m, k), noise: (m, :data:`NOISE_COLUMNS`),
            offsets: (k,): the state.
        widths: (k,) variance of a true step about the offset that stands for it; the interval
            needs it, being wider than the gaps between the offsets.
        wanted: (m,) 0 without a baseline, 1 for all but the interval, which takes the most time
            (NaN then), 2 for all.
        criterion: (m,) log of the share of baseline at which to alarm.
        room: a step of the criterion's size counts as below the criterion until the estimate is
            this far above it, in logs; and counts as one from ``room[1]`` beyond the criterion on.
        answer: (m, :data:`COLUMNS`), percents of baseline to a hundredth and probabilities to a
            millionth, so that what lies on a threshold does not hang on the last bit.
    """
    n_muscles = weights.shape[0]
    part_w, part_offset = np.empty(offsets.size), np.empty(offsets.size)
    part_sd = np.empty(offsets.size)
    for m in range(n_muscles):
        if wanted[m] == 0:
            continue
        recovery, sudden = criterion[m] + room[0], criterion[m] - room[1]
        at = n_muscles + m
        sd = math.sqrt(max(cov[m, m] + cov[at, at] - 2.0 * cov[m, at], 1e-6))
        mean = level[m] - level[at]
        below, gone, intact, expected = 0.0, 0.0, 0.0, 0.0
        for k in range(offsets.size):
            w = weights[m, k]
            expected += w * offsets[k]
            if w <= NEGLIGIBLE:
                continue
            if offsets[k] <= sudden:
                below += w * normal_cdf((recovery - mean - offsets[k]) / sd)
                gone += w
            else:
                below += w * normal_cdf((criterion[m] - mean - offsets[k]) / sd)
                if offsets[k] > -0.2:
                    intact += w
        answer[m, ESTIMATE] = _percent(mean + expected)
        answer[m, BELOW] = round(below, 6)
        answer[m, SUDDEN] = round(gone, 6)
        answer[m, INTACT] = round(intact, 6)
        answer[m, LEVEL] = _percent(mean)
        answers = noise[m, ANSWERS] + ABSENT_PRIOR[1]
        answer[m, ABSENT_SHARE] = round((noise[m, ABSENCES] + ABSENT_PRIOR[0]) / answers, 6)
        answer[m, UNREST] = round(noise[m, DISAGREEMENT], 6)
        answer[m, LOWER] = answer[m, UPPER] = math.nan
        if wanted[m] < 2:
            continue
        n = 0
        for k in range(offsets.size):
            if weights[m, k] > NEGLIGIBLE:
                part_w[n], part_offset[n] = weights[m, k], offsets[k]
                part_sd[n] = math.sqrt(sd * sd + widths[k])
                n += 1
        for c, share, z in ((LOWER, 0.025, -1.96), (UPPER, 0.975, 1.96)):
            # The mixture's quantile lies among those of its parts.
            a, b = math.inf, -math.inf
            for k in range(n):
                part = mean + part_offset[k] + z * part_sd[k]
                a, b = min(a, part), max(b, part)
            while b - a > INTERVAL_STEP:
                middle = 0.5 * (a + b)
                if _is_below(middle - mean, share, n, part_w, part_offset, part_sd):
                    a = middle
                else:
                    b = middle
            answer[m, c] = _percent(0.5 * (a + b))
