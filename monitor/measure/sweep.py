"""The whole chain for sweeps of one shape: cleaned, detected, timed, sized, named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from monitor.measure import detect, envelope, morphology, noise, tkeo
from monitor.measure.clean import clean_sweeps
from monitor.measure.filters import (
    bandpass_sections,
    lowpass_sections,
    zero_phase,
)
from monitor.measure.network import Network, NetworkOutput
from monitor.measure.plan import SweepPlan
from monitor.measure.reconcile import reconcile_onset
from monitor.measure.resample import network_window
from monitor.measure.windows import OnsetWindow
from monitor.types import Float32Array, FloatArray, Measurement, Status

MIN_FS_HZ = 2000.0
#: Padding of the zero-phase filters: the 30 Hz corner has settled by then.
PAD_MS = 50.0
#: A response's energy may peak this long after its onset.
PEAK_AFTER_ONSET_MS = 20.0
#: The shortest response: one whose onset is masked for less than this still shows its body.
SHORTEST_RESPONSE_MS = 8.0
#: So many equal samples at the extreme of a sweep, far outside the noise, are clipping.
CLIPPED_RUN = 4
CLIPPED_SD = 10.0
LOW_SNR = 3.0

_FIELDS = (
    "found",  # 1 response, 0 none, -1 onset masked, -2 activity outside the window
    "raw_uv",
    "amplitude_uv",
    "lower_uv",
    "upper_uv",
    "onset_sample",
    "end_sample",
    "area_uv_samples",
    "phases",
    "peak_uv",
    "noise_uv",
)
_FOUND, _RAW, _AMPLITUDE, _LOWER, _UPPER, _ONSET, _END, _AREA, _PHASES, _PEAK, _NOISE = range(
    len(_FIELDS)
)


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What a caller may set; see ``[measure]`` of the case file."""

    mains_hz: float | None = None
    tkeo_k: float = 8.0


def measure_sweeps(
    sweeps_uv: Float32Array | FloatArray,
    plan: SweepPlan,
    windows: Sequence[OnsetWindow],
    stimulus_fraction: float = 0.0,
    network: Network | None = None,
    options: MeasureOptions = MeasureOptions(),
) -> tuple[tuple[Measurement, ...], Float32Array]:
    """Measure (k, n) sweeps.

    Args:
        sweeps_uv: (k, n) in microvolts; NaN where a sample is missing.
        plan: where stimulus, artefacts and noise lie.
        windows: k onset windows, from the first pulse.
        stimulus_fraction: how far after sample ``plan.stimulus_index`` the first pulse lies,
            in samples (0 to 1).
        network: measures along; None leaves its fields empty.
        options: mains and threshold.

    Returns:
        k measurements and the sweeps as measured, (k, n) float32 (artefact blanked, mains
        removed; as they came where they were rejected).

    Raises:
        ValueError: nothing of the sweep is left after the last pulse's artefact.
    """
    sweeps = np.asarray(sweeps_uv, dtype=np.float64)
    if plan.search_start >= plan.n_samples:
        raise ValueError("the sweep ends within the artefact of the last pulse")
    faults = [_fault(sweep, plan) for sweep in sweeps]
    good = [index for index, fault in enumerate(faults) if not fault]
    shown = sweeps.astype(np.float32)
    results: list[Measurement] = [
        Measurement(Status.REJECTED, reasons=(fault,)) for fault in faults
    ]
    if not good:
        return tuple(results), shown
    cleaned = clean_sweeps(sweeps[good], plan, options.mains_hz)
    shown[good] = cleaned
    fs_hz, n = plan.fs_hz, plan.n_samples
    pad = min(int(PAD_MS * fs_hz / 1e3), n - 2)
    band = zero_phase(bandpass_sections(fs_hz), cleaned, pad)
    low = lowpass_sections(fs_hz)
    smooth = cleaned if low is None else zero_phase(low, cleaned, pad)
    hull = envelope.hilbert_envelope(band)
    spans = np.empty((len(good), 2), dtype=np.int64)
    for row, index in enumerate(good):
        spans[row, 0] = plan.sample_at_ms(windows[index].min_ms)
        spans[row, 1] = min(n, plan.sample_at_ms(windows[index].max_ms) + 1)
    table = _measure(
        cleaned, smooth, band, hull, spans, plan.search_start, *plan.noise, fs_hz, options.tkeo_k
    )
    answers = _ask_network(network, cleaned, plan, stimulus_fraction)
    for row, index in enumerate(good):
        measured = _measurement(table[row], plan, spans[row], stimulus_fraction)
        if answers is not None:
            measured = _with_network(measured, answers, row, plan.last_pulse_ms)
        results[index] = measured
    return tuple(results), shown


def _fault(sweep_uv: FloatArray, plan: SweepPlan) -> str:
    """Why a sweep can't be measured at all; empty where it can."""
    if not np.isfinite(sweep_uv).all():
        return "nan"
    start, stop = plan.noise
    rest = sweep_uv[plan.search_start :]
    low, high = rest.min(), rest.max()
    if low == high and np.ptp(sweep_uv[start:stop]) == 0.0:
        return "flat_line"
    for extreme in (low, high):
        if _longest_run(rest, extreme) >= CLIPPED_RUN:
            away = abs(extreme - np.median(rest))
            if away > CLIPPED_SD * max(noise.robust_sd(sweep_uv[start:stop]), 1e-9):
                return "saturated"
    return ""


@njit(cache=True)
def _longest_run(values, level):  # type: ignore[no-untyped-def]
    longest = 0
    run = 0
    for value in values:
        run = run + 1 if value == level else 0
        longest = max(longest, run)
    return longest


@njit(cache=True)
def _measure(  # type: ignore[no-untyped-def]
    cleaned, smooth, band, hull, spans, search_start, noise_start, noise_stop, fs_hz, tkeo_k
):
    k, n = cleaned.shape
    per_ms = fs_hz / 1e3
    width = max(2, int(detect.ENERGY_MS * per_ms))
    run = max(3, int(tkeo.RUN_MS * per_ms + 0.5))
    quiet = max(3, int(envelope.QUIET_MS * per_ms + 0.5))
    out = np.full((k, len(_FIELDS)), np.nan)
    for c in range(k):
        row = out[c]
        window_start, window_stop = spans[c, 0], spans[c, 1]
        start = max(search_start, window_start)
        band_sd = noise.robust_sd(band[c, noise_start:noise_stop])
        smooth_sd = noise.resting_sd(smooth[c, noise_start:noise_stop])
        row[_NOISE] = noise.resting_sd(cleaned[c, noise_start:noise_stop])
        if start >= window_stop or start >= n - width:
            row[_FOUND] = -1.0
            continue
        energy = detect.running_rms(band[c], width)
        stop = min(n, window_stop + int(PEAK_AFTER_ONSET_MS * per_ms))
        best, limit, masked = detect.find_burst(
            band[c], energy, start, stop - width, noise_start, noise_stop, band_sd, fs_hz
        )
        hidden = search_start - window_start
        if best < 0 or (masked and hidden > 0):
            partly_hidden = hidden > SHORTEST_RESPONSE_MS * per_ms
            row[_FOUND] = -1.0 if masked or partly_hidden else 0.0
            row[_RAW] = np.ptp(cleaned[c, start:stop])
            row[_AMPLITUDE], row[_LOWER] = 0.0, 0.0
            # A sine of this RMS would just have been found; 2 sqrt(2) is its peak to peak.
            row[_UPPER] = 2.0 * np.sqrt(2.0) * limit
            continue
        _time_and_size(
            row,
            cleaned[c],
            smooth[c],
            band[c],
            hull[c],
            start,
            n,
            best,
            width,
            run,
            quiet,
            noise_start,
            noise_stop,
            smooth_sd,
            fs_hz,
            tkeo_k,
        )
        if row[_FOUND] == 0.0:
            row[_UPPER] = 2.0 * np.sqrt(2.0) * limit
        elif row[_ONSET] > window_stop + per_ms:
            row[_FOUND] = -2.0
    return out


@njit(cache=True)
def _time_and_size(  # type: ignore[no-untyped-def]
    row,
    cleaned,
    smooth,
    band,
    hull,
    start,
    n,
    best,
    width,
    run,
    quiet,
    noise_start,
    noise_stop,
    smooth_sd,
    fs_hz,
    tkeo_k,
):
    per_ms = fs_hz / 1e3
    psi = tkeo.smoothed_energy(band, max(3, int(tkeo.SMOOTH_MS * per_ms + 0.5) | 1))
    rest = psi[noise_start:noise_stop]
    peak = best
    for i in range(best, min(best + width, n)):
        if psi[i] > psi[peak]:
            peak = i
    threshold = max(rest.mean() + tkeo_k * rest.std(), tkeo.PEAK_SHARE * psi[peak])
    threshold = min(threshold, 0.5 * psi[peak])
    breaks = int(tkeo.BREAK_MS * per_ms)
    coarse = tkeo.onset_before(psi, threshold, start, peak, run, breaks)
    if coarse < 0:
        coarse = max(start, min(best, peak))
    hull_peak = coarse
    for i in range(coarse, min(best + width, n)):
        if hull[i] > hull[hull_peak]:
            hull_peak = i
    limit = max(
        envelope.END_SHARE * hull[hull_peak],
        hull[noise_start:noise_stop].mean() + envelope.END_SD * hull[noise_start:noise_stop].std(),
    )
    limit = min(limit, 0.5 * hull[hull_peak])
    end = envelope.return_to_baseline(hull, hull_peak, n, limit, quiet)
    end = envelope.tail_of(smooth, hull_peak, end, smooth_sd, fs_hz)
    onset = tkeo.foot_of(smooth, coarse, start, max(end, coarse + 2), smooth_sd, fs_hz)
    first = max(0, int(onset))
    last = min(n, max(end, first + run) + 1)
    level_from = max(0, first - int(5.0 * per_ms))
    level = np.median(smooth[level_from : first + 1])
    raw = np.ptp(cleaned[first:last])
    amplitude = noise.corrected_amplitude(np.ptp(smooth[first:last]), smooth_sd)
    largest = 0.0
    area = 0.0
    for i in range(first, last):
        value = abs(smooth[i] - level)
        largest = max(largest, value)
        area += value
    # What lies within the noise's own peak to peak is no response, whatever its energy.
    row[_FOUND] = 1.0 if amplitude > 0.0 else 0.0
    row[_RAW] = raw
    row[_AMPLITUDE] = amplitude
    row[_LOWER] = max(0.0, amplitude - noise.INTERVAL_SD * smooth_sd)
    row[_UPPER] = amplitude + noise.INTERVAL_SD * smooth_sd
    row[_ONSET] = onset
    row[_END] = float(last - 1)
    row[_AREA] = area
    row[_PHASES] = morphology.count_phases(
        smooth,
        level,
        first,
        last,
        max(morphology.PHASE_SHARE * largest, morphology.PHASE_SD * smooth_sd),
    )
    row[_PEAK] = largest


def _measurement(
    row: FloatArray,
    plan: SweepPlan,
    span: np.ndarray[tuple[int], np.dtype[np.int64]],
    fraction: float,
) -> Measurement:
    found = int(row[_FOUND])
    noise_uv = float(row[_NOISE])
    source = plan.noise_source
    if found == -1:
        return Measurement(
            Status.REJECTED,
            reasons=("masked_by_artefact",),
            noise_uv=noise_uv,
            noise_source=source,
        )
    if found in (0, -2):
        # Activity that starts after the window is somebody's, but not this stimulus's answer.
        return Measurement(
            Status.NO_RESPONSE,
            reasons=("activity_outside_window",) if found == -2 else (),
            amplitude_uv=0.0,
            amplitude_raw_uv=float(row[_RAW]),
            amplitude_lower_uv=0.0,
            amplitude_upper_uv=float(row[_UPPER]),
            noise_uv=noise_uv,
            noise_source=source,
        )
    ms = 1e3 / plan.fs_hz
    onset_ms = float((row[_ONSET] - plan.stimulus_index - fraction) * ms)
    snr = float(row[_PEAK] / noise_uv) if noise_uv > 0 else None
    phases = int(row[_PHASES])
    return Measurement(
        Status.RESPONSE,
        reasons=("low_snr",) if snr is not None and snr < LOW_SNR else (),
        amplitude_uv=float(row[_AMPLITUDE]),
        amplitude_raw_uv=float(row[_RAW]),
        amplitude_lower_uv=float(row[_LOWER]),
        amplitude_upper_uv=float(row[_UPPER]),
        onset_ms=onset_ms,
        onset_from_last_ms=onset_ms - plan.last_pulse_ms,
        duration_ms=float((row[_END] - row[_ONSET]) * ms),
        area_uv_ms=float(row[_AREA] * ms),
        phases=phases,
        morphology=morphology.morphology_of(phases),
        snr=snr,
        noise_uv=noise_uv,
        noise_source=source,
        onset_tkeo_ms=onset_ms,
    )


def _ask_network(
    network: Network | None, cleaned: FloatArray, plan: SweepPlan, fraction: float
) -> NetworkOutput | None:
    if network is None:
        return None
    at_ms = plan.last_pulse_ms + network.window_offset_ms
    start = plan.stimulus_index + fraction + at_ms * plan.fs_hz / 1e3
    return network(network_window(cleaned, plan.fs_hz, start))


def _with_network(
    measured: Measurement, answers: NetworkOutput, row: int, last_pulse_ms: float
) -> Measurement:
    """Add the network's figures; its onset and duration only where there is a response to time."""
    artefact = float(answers.artefact_probability[row])
    response = float(answers.response_probability[row])
    if measured.status is not Status.RESPONSE:
        return replace(measured, response_probability=response, artefact_probability=artefact)
    network_ms = float(answers.onset_from_last_ms[row]) + last_pulse_ms
    onset_ms, uncertain = reconcile_onset(measured.onset_tkeo_ms, network_ms, measured.snr)
    return replace(
        measured,
        onset_ms=onset_ms,
        onset_from_last_ms=None if onset_ms is None else onset_ms - last_pulse_ms,
        response_probability=response,
        artefact_probability=artefact,
        onset_network_ms=network_ms,
        amplitude_network_uv=float(answers.amplitude_uv[row]),
        duration_network_ms=float(answers.duration_ms[row]),
        onset_uncertain=uncertain,
    )
