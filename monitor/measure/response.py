"""One sweep, cleaned and filtered: is there a response, where, how large, of what shape?"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit

from monitor.measure import detect, envelope, morphology, noise, silence, tkeo
from monitor.measure.onset import STEP_MS, onset_place
from monitor.measure.plan import Frame
from monitor.types import FloatArray

#: A response's energy may peak this long after its onset.
PEAK_AFTER_ONSET_MS = 20.0
#: Towards the sweep's end the band's filter, which has nothing to go on, makes noise swell: at
#: 22 kHz to three times its SD in the last 2 ms, to 1.1 times 8 ms before the end. No energy is
#: sought there (nor in more than a quarter of what can be searched).
FILTER_END_MS = 8.0
#: The shortest response: one whose onset is masked for less than this still shows its body.
SHORTEST_RESPONSE_MS = 8.0
#: The envelope is followed for so long from the onset, first for the shorter time.
USUAL_RESPONSE_MS = 35.0
LONGEST_RESPONSE_MS = 100.0


class Found(IntEnum):
    """What the sweep shows."""

    NOTHING = 0
    CANDIDATE = 1  # activity that may be a response: its energy ratio says how likely
    MASKED = -1  # the artefact hides the onset
    OUTSIDE = -2  # activity that begins after the window


class Reading(NamedTuple):
    """What is read off one sweep; all but ``places`` are the table's columns; NaN: not read.

    ``found`` is a :class:`Found`. ``energy_ratio``: the strongest stretch over the detector's
    threshold, ``lenient_ratio``: over what it would be without a burst that came once in the noise;
    ``passed_ratio``: the same of what was passed over for the artefact's tail, 0 for nothing, and
    ``tail_like``: 1 where that is all that stands out, so what is read is of it;
    ``at_work``: 1 where a candidate lies in the activity of the muscle itself;
    ``missable_uv``: the largest peak to peak that it could have missed; ``searched_uv``: the plain
    peak to peak of all that was searched; ``partly_hidden``: 1 where the artefact covers so much of
    the window that an absence can't be told. ``raw_uv``: the plain peak to peak of the response,
    ``amplitude_uv`` without the noise's share (0: nothing beside it). ``onset_sample`` (a fraction
    counts), ``end_sample`` and ``silent_until`` in samples of the sweep; ``peak_uv``:
    largest deflection from the resting level; ``smooth_sd_uv``: noise SD behind the amplitude's
    low-pass; ``onset_sd_samples``: SD of the onset by its own likelihood. ``places`` (m,): the log
    likelihood of an onset at ``first_place`` (a sample) and every ``onset.STEP_MS`` after it, up to
    a constant; empty where a threshold found the onset, or none was looked for.
    """

    found: float
    energy_ratio: float
    lenient_ratio: float
    passed_ratio: float
    tail_like: float
    at_work: float
    missable_uv: float
    searched_uv: float
    partly_hidden: float
    raw_uv: float
    amplitude_uv: float
    onset_sample: float
    end_sample: float
    area_uv_samples: float
    phases: float
    peak_uv: float
    smooth_sd_uv: float
    silent_until: float
    onset_sd_samples: float
    first_place: float
    place_count: float
    places: FloatArray


(_FOUND, _RATIO, _LENIENT, _PASSED, _TAIL_LIKE, _AT_WORK, _MISSABLE, _SEARCHED, _HIDDEN, _RAW,
 _AMPLITUDE, _ONSET, _END, _AREA, _PHASES, _PEAK, _SD, _SILENT, _ONSET_SD, _FIRST, _PLACES,
 _COLUMNS,
) = range(len(Reading._fields))  # fmt: skip
_NOTHING, _CANDIDATE = float(Found.NOTHING), float(Found.CANDIDATE)
_MASKED, _OUTSIDE = float(Found.MASKED), float(Found.OUTSIDE)


class Views(NamedTuple):
    """One set of sweeps as the stages see it, each (k, n) float64.

    ``cleaned``: without artefact and mains; ``smooth``: behind the amplitude's low-pass; ``band``:
    in the detection band.
    """

    cleaned: FloatArray
    smooth: FloatArray
    band: FloatArray


def read_sweeps(
    views: Views,
    frame: Frame,
    spans: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    tkeo_k: float,
) -> list[Reading]:
    """Read k sweeps.

    Args:
        views: the sweeps.
        frame: where stimulus, artefacts and noise lie.
        spans: (k, 2) onset windows [start, stop) in samples.
        tkeo_k: threshold of the onset, in SD of the energy before the stimulus; 0: no threshold,
            the onset is the likeliest change point (:mod:`monitor.measure.onset`).
    """
    count, n = views.band.shape
    table = np.full((count, _COLUMNS), np.nan)
    step = STEP_MS * frame.fs_hz / 1e3
    places = np.empty((count, int((n - frame.search_start) / step) + 1))
    _read(views, frame, spans, tkeo_k, envelope.hilbert_taps(frame.fs_hz), table, places)
    rows = zip(table.tolist(), places, strict=True)
    return [Reading._make((*row, at[: int(row[_PLACES])])) for row, at in rows]


@njit(cache=True)
def _read(views, frame, spans, tkeo_k, taps, table, places):  # type: ignore[no-untyped-def]
    n = views.band.shape[1]
    per_ms = frame.fs_hz / 1e3
    width = detect.energy_width(frame.fs_hz)
    scratch = np.empty(n)
    for k in range(views.band.shape[0]):
        row, band = table[k], views.band[k]
        row[_PLACES] = 0.0
        window_start, window_stop = spans[k, 0], spans[k, 1]
        start = max(frame.search_start, window_start)
        if start >= window_stop or start >= n - width:
            row[_FOUND] = _MASKED
            continue
        band_sd = noise.robust_sd(band[frame.noise_start : frame.noise_stop], scratch)
        if frame.noise_start > frame.search_start:
            # Noise from the sweep's end alone says little of what goes on before it: the middle
            # half of everything after the stimulus, of which a response is the smaller part.
            band_sd = max(band_sd, noise.robust_sd(band[frame.search_start :], scratch))
        swell = min(int(FILTER_END_MS * per_ms), (n - start) // 4)
        stop = min(n - swell, window_stop + int(PEAK_AFTER_ONSET_MS * per_ms))
        best, energy, limit, lenient, masked, passed, tail_like = detect.find_burst(
            band, start, stop - width, band_sd, frame
        )
        row[_RATIO] = energy / limit if limit > 0.0 else 0.0
        row[_LENIENT] = energy / lenient if lenient > 0.0 else 0.0
        row[_PASSED] = passed / limit if limit > 0.0 else 0.0
        row[_TAIL_LIKE] = 1.0 if tail_like else 0.0
        hidden = frame.search_start - window_start
        # A sine of this RMS would just have been found; 2 sqrt(2) is its peak to peak.
        row[_MISSABLE] = 2.0 * np.sqrt(2.0) * limit
        row[_SEARCHED] = noise.extent(views.cleaned[k, start:stop])
        row[_HIDDEN] = 1.0 if hidden > SHORTEST_RESPONSE_MS * per_ms else 0.0
        if masked and hidden > 0:
            row[_FOUND] = _MASKED
            continue
        found = passed if tail_like else energy
        if best < 0 or limit == 0.0 or found < detect.CANDIDATE_RATIO * lenient:
            row[_FOUND] = _NOTHING
            continue
        resting = band[frame.noise_start : frame.noise_stop]
        row[_AT_WORK] = 1.0 if detect.is_at_work(resting, band_sd, frame.fs_hz) else 0.0
        smooth = views.smooth[k]
        smooth_sd = noise.resting_sd(smooth[frame.noise_start : frame.noise_stop], scratch)
        onset, row[_ONSET_SD], row[_PLACES], end = _time(
            band, smooth, start, best, band_sd, smooth_sd, frame, tkeo_k, taps, places[k]
        )
        row[_FIRST] = start
        _size(row, views.cleaned[k], smooth, onset, end, smooth_sd, frame)
        if onset > window_stop + per_ms:
            # What lies within the noise's own peak to peak is no activity, whatever its energy.
            row[_FOUND] = _OUTSIDE if row[_AMPLITUDE] > 0.0 else _NOTHING
        else:
            row[_SILENT] = silence.silent_until(band, int(row[_END]), frame)


@njit(cache=True)
def _time(  # type: ignore[no-untyped-def]
    band, smooth, start, best, band_sd, smooth_sd, frame, tkeo_k, taps, places
):
    """Onset (fractional), its SD, how many ``places`` were weighed, and end.

    Of the response that holds the stretch from ``best`` on; the SD is NaN where a threshold found
    the onset.
    """
    n = band.size
    per_ms = frame.fs_hz / 1e3
    width = detect.energy_width(frame.fs_hz)
    run = max(3, int(tkeo.RUN_MS * per_ms + 0.5))
    place, place_sd, count = np.nan, np.nan, 0
    if tkeo_k > 0.0:
        coarse = tkeo.onset_over(band, start, best, best + width, run, frame, tkeo_k)
    else:
        place, place_sd, count = onset_place(
            band,
            smooth,
            start,
            best + width,
            frame.noise_start,
            frame.noise_stop,
            frame.fs_hz,
            places,
        )
        coarse = min(max(start, int(place)), n - 1)
    last = min(n, max(best + width, coarse + int(USUAL_RESPONSE_MS * per_ms)))
    hull = envelope.hilbert_envelope(band, coarse, last, taps)
    hull_peak = coarse
    for i in range(coarse, min(best + width, last)):
        if hull[i] > hull[hull_peak]:
            hull_peak = i
    noisy = (envelope.RAYLEIGH_MEAN + envelope.END_SD * envelope.RAYLEIGH_SD) * band_sd
    limit = min(max(envelope.END_SHARE * hull[hull_peak], noisy), 0.5 * hull[hull_peak])
    quiet = max(3, int(envelope.QUIET_MS * per_ms + 0.5))
    end = envelope.return_to_baseline(hull, hull_peak, last, limit, quiet)
    if end + quiet > last and last < n:
        last = min(n, coarse + int(LONGEST_RESPONSE_MS * per_ms))
        hull = envelope.hilbert_envelope(band, coarse, last, taps)
        end = envelope.return_to_baseline(hull, hull_peak, last, limit, quiet)
    end = envelope.tail_of(smooth, hull_peak, end, smooth_sd, frame.fs_hz)
    foot = tkeo.foot_of(smooth, coarse, start, max(end, coarse + 2), smooth_sd, frame.fs_hz)
    # A foot is seen where the response stands high above the noise.
    seen = 1.0
    if tkeo_k <= 0.0 and band_sd > 0.0:
        low, high = tkeo.FOOT_SEEN_SD
        seen = min(max((hull[hull_peak] / band_sd - low) / (high - low), 0.0), 1.0)
    onset = foot if seen == 1.0 else seen * foot + (1.0 - seen) * place
    first = max(0, int(onset))
    return onset, place_sd, float(count), min(n, max(end, first + run) + 1)


@njit(cache=True)
def _size(row, cleaned, smooth, onset, end, smooth_sd, frame):  # type: ignore[no-untyped-def]
    """Amplitude, area and phases of the response in [onset, end)."""
    first = max(0, int(onset))
    level_from = max(0, first - int(5.0 * frame.fs_hz / 1e3))
    level = noise.median(smooth[level_from : first + 1])
    amplitude = noise.corrected_amplitude(noise.extent(smooth[first:end]), smooth_sd)
    largest = 0.0
    area = 0.0
    for i in range(first, end):
        value = abs(smooth[i] - level)
        largest = max(largest, value)
        area += value
    row[_FOUND] = _CANDIDATE
    row[_RAW] = noise.extent(cleaned[first:end])
    row[_AMPLITUDE] = amplitude
    row[_ONSET] = onset
    row[_END] = float(end - 1)
    row[_AREA] = area
    counts = max(morphology.PHASE_SHARE * largest, morphology.PHASE_SD * smooth_sd)
    row[_PHASES] = morphology.count_phases(smooth, level, first, end, counts)
    row[_PEAK] = largest
    row[_SD] = smooth_sd
