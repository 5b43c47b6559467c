"""The whole chain for sweeps of one shape: cleaned, detected, timed, sized, named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from monitor.measure import artefact
from monitor.measure.amplitude import combine
from monitor.measure.clean import Cleaned, clean
from monitor.measure.decide import artefact_probability, is_response
from monitor.measure.declip import with_tops
from monitor.measure.detect import ENERGY_MS, HIDES_RATIO
from monitor.measure.fault import CLIPPED, FAULTS, faults_of
from monitor.measure.filters import band_and_smooth
from monitor.measure.morphology import morphology_of
from monitor.measure.network import ARTEFACT_TYPES, MORPHOLOGIES, Network, NetworkOutput, is_novel
from monitor.measure.plan import SweepPlan
from monitor.measure.reconcile import reconcile_onset
from monitor.measure.resample import lies_within, network_window
from monitor.measure.response import Found, Reading, Views, read_sweeps
from monitor.measure.windows import OnsetWindow
from monitor.types import Float32Array, FloatArray, Measurement, Morphology, Status

MIN_FS_HZ = 2000.0
LOW_SNR = 3.0
#: Reason of a measurement of a sweep that the network was trained on nothing like.
NOVEL = "out_of_distribution"
#: How a response that starts within so much of the blanking's end stands to the artefact's tail:
OVERLAP_MS = 15.0
#: below the first share of the tail's size its amplitude is no measurement at all, below the second
#: it is uncertain. A tail that was not explained to within the noise asks for more.
OVERLAP = {
    artefact.NO_TAIL: (0.0, 0.0),
    artefact.SUBTRACTED: (1.2, 2.0),
    artefact.PARTLY: (3.5, 10.0),
    artefact.UNEXPLAINED: (3.5, 10.0),
}


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What a caller may set; see ``[measure]`` of the case file."""

    mains_hz: float | None = None
    tkeo_k: float = 0.0


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
        network: measures along; None leaves its fields empty, and so do sweeps that end too early
            to be shown to it.
        options: mains and threshold.

    Returns:
        k measurements and the sweeps as measured, (k, n) float32 (artefact blanked, mains
        removed; as they came where they were rejected).

    Raises:
        ValueError: nothing of the sweep is left after the last pulse's artefact.
    """
    sweeps = np.ascontiguousarray(sweeps_uv, dtype=np.float64)
    if plan.search_start >= plan.n_samples:
        raise ValueError("the sweep ends within the artefact of the last pulse")
    faults = faults_of(sweeps, plan)
    if not any(faults):
        return _measured(sweeps, plan, tuple(windows), stimulus_fraction, network, options)
    results = [_REJECTED[fault] for fault in faults]
    shown = sweeps.astype(np.float32)
    good = [index for index, fault in enumerate(faults) if fault in ("", CLIPPED)]
    if good:
        seen, ranges_uv = with_tops(sweeps, faults, plan)
        theirs = tuple(windows[index] for index in good)
        measured = _measured(seen[good], plan, theirs, stimulus_fraction, network, options)
        for index, measurement in zip(good, measured[0], strict=True):
            clipped = faults[index] == CLIPPED
            results[index] = _of_clipped(measurement, ranges_uv[index]) if clipped else measurement
        shown[good] = measured[1]
        # What is shown is what was recorded: less what was put back.
        shown[good] -= (seen - sweeps)[good].astype(np.float32)
    return tuple(results), shown


def _measured(
    sweeps_uv: FloatArray,
    plan: SweepPlan,
    windows: tuple[OnsetWindow, ...],
    fraction: float,
    network: Network | None,
    options: MeasureOptions,
) -> tuple[tuple[Measurement, ...], Float32Array]:
    """:func:`measure_sweeps` of sweeps that can be measured."""
    cleaned = clean(sweeps_uv, plan, options.mains_hz)
    band, smooth = band_and_smooth(cleaned.sweeps_uv, plan)
    spans = window_spans(plan, windows)
    readings = read_sweeps(
        Views(cleaned.sweeps_uv, smooth, band), plan.frame, spans, options.tkeo_k
    )
    sights = _sights(cleaned, plan, fraction, network)
    measurements = tuple(
        [
            _with_clipping(_measurement(reading, sight, plan, fraction), sight.answer)
            for reading, sight in zip(readings, sights, strict=True)
        ]
    )
    return measurements, cleaned.sweeps_uv.astype(np.float32)


_REJECTED = {fault: Measurement(Status.REJECTED, reasons=(fault,)) for fault in FAULTS}


def _of_clipped(measurement: Measurement, range_uv: float) -> Measurement:
    """A measurement whose sweep ran out of the converter's range, ``range_uv``, for a while.

    A response is there, and at least as large as it is seen to be; nothing bounds it above. Where
    none was found the part that was cut off may have been it. A burst that leaves the range is no
    response, nor is what the network knows nothing like: cautery, as a rule, of which energy can't
    tell.
    """
    no_response = tuple(why for why in measurement.reasons if why in NO_CUT_RESPONSE)
    if no_response:
        return replace(_REJECTED["saturated"], reasons=(*no_response, "saturated"))
    if measurement.status is not Status.RESPONSE:
        return _REJECTED["saturated"]
    seen_uv = min(measurement.amplitude_raw_uv or 0.0, range_uv)
    lower_uv = min(measurement.amplitude_lower_uv or 0.0, seen_uv)
    return replace(
        measurement,
        reasons=(*measurement.reasons, "saturated"),
        amplitude_uv=max(measurement.amplitude_uv or 0.0, lower_uv),
        amplitude_raw_uv=seen_uv,
        amplitude_lower_uv=lower_uv,
        amplitude_upper_uv=None,
        amplitude_uncertain=True,
        artefact_probability=1.0,
    )


#: Artefacts that come over a sweep as a burst which energy can't tell from a response. A heart beat
#: is small enough to leave silence believable, the others cover it.
BURSTS = ("electrocautery", "electrode", "heart")
COVERING = ("electrocautery", "electrode")
#: What the network says of a clipped sweep that is not to be measured for all its energy.
NO_CUT_RESPONSE = (*COVERING, NOVEL)
#: The network's probability from which a burst is taken to be there. Of 502 recorded sweeps none
#: reaches it for what covers, and 5 artefacts of surgery without a response do for a heart beat.
BURST_PROBABILITY = 0.5
#: Under a burst the network's own word decides, and near a half it knows nothing: under cautery 5
#: of the 8 sweeps of the validation split that it gives 0.5 to 0.6 hold a response, which is the
#: share of all sweeps.
RESPONSE_PROBABILITY = 0.6
#: No response lasts so long (of 874 found on the validation split without an artefact, and of 252
#: recorded ones, none does): its energy is that of a burst, whatever the network calls it.
LASTING_MS = 65.0
LASTING = "lasting_activity"
#: The network's probability from which a top was cut off before a filter or noise rounded the edges
#: that :mod:`~monitor.measure.fault` looks for. On the validation split no response of 1292 that
#: was not cut reaches it, and none of 254 that were recorded.
CLIPPING_PROBABILITY = 0.7
_CLIPPING = ARTEFACT_TYPES.index("clipping")
_BURST_COLUMNS = [ARTEFACT_TYPES.index(kind) for kind in BURSTS]


def _with_clipping(measurement: Measurement, answer: _Answer | None) -> Measurement:
    """A response that the network sees cut off: at least so large, and nothing bounds it above."""
    seen = answer is not None and answer.clipping_probability >= CLIPPING_PROBABILITY
    if not seen or measurement.status is not Status.RESPONSE:
        return measurement
    return replace(
        measurement,
        reasons=(*measurement.reasons, "clipping"),
        amplitude_upper_uv=None,
        amplitude_uncertain=True,
    )


@lru_cache(maxsize=64)
def window_spans(
    plan: SweepPlan, windows: tuple[OnsetWindow, ...]
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Onset windows (k, 2), [start, stop) in samples; a case has the same ones at every trial."""
    known = {
        window: (
            plan.sample_at_ms(window.min_ms),
            min(plan.n_samples, plan.sample_at_ms(window.max_ms) + 1),
        )
        for window in set(windows)
    }
    spans = np.array([known[window] for window in windows], dtype=np.int64)
    spans.flags.writeable = False
    return spans


class _Answer(NamedTuple):
    """The network's answer to one sweep."""

    amplitude_uv: float
    onset_from_last_ms: float
    duration_ms: float
    artefact_probability: float
    response_probability: float
    amplitude_log_sd: float | None
    onset_sd_ms: float | None
    novel: bool
    burst: str
    """One of :data:`BURSTS`, or ""."""
    morphology: Morphology | None
    clipping_probability: float


class _Sight(NamedTuple):
    """What is known of one sweep beside its reading."""

    noise_uv: float
    tail: int
    tail_uv: float
    answer: _Answer | None


def _sights(
    cleaned: Cleaned, plan: SweepPlan, fraction: float, network: Network | None
) -> Iterator[_Sight]:
    tails = zip(
        cleaned.noise_uv.tolist(), cleaned.tail.tolist(), cleaned.tail_uv.tolist(), strict=True
    )
    view = None if network is None else network_view(cleaned, plan, fraction, network)
    if network is None or view is None:
        yield from (_Sight(noise_uv, int(tail), tail_uv, None) for noise_uv, tail, tail_uv in tails)
        return
    answers = _answers(network(view))
    for (noise_uv, tail, tail_uv), answer in zip(tails, answers, strict=True):
        yield _Sight(noise_uv, int(tail), tail_uv, answer)


def network_view(
    cleaned: Cleaned, plan: SweepPlan, fraction: float, network: Network
) -> Float32Array | None:
    """What the network is shown of cleaned sweeps: (k, 500) float32 in uV.

    None where they end too early for it: they are measured without the network.
    """
    at_ms = plan.last_pulse_ms + network.window_offset_ms
    start = plan.stimulus_index + fraction + at_ms * plan.fs_hz / 1e3
    if not lies_within(plan.n_samples, plan.fs_hz, start):
        return None
    return network_window(cleaned.sweeps_uv, plan.fs_hz, start)


def _answers(output: NetworkOutput) -> Iterator[_Answer]:
    columns = (
        output.amplitude_uv,
        output.onset_from_last_ms,
        output.duration_ms,
        output.artefact_probability,
        output.response_probability,
    )
    count = len(output.amplitude_uv)
    novelty = _stated(output.novelty, count)
    rows = zip(
        *(column.tolist() for column in columns),
        _stated(output.amplitude_log_sd, count),
        _stated(output.onset_sd_ms, count),
        map(is_novel, novelty),
        _bursts(output.artefact_types, count),
        _shapes(output.morphology, count),
        _clippings(output.artefact_types, count),
        strict=True,
    )
    return (_Answer(*row) for row in rows)


def _bursts(artefact_types: FloatArray | None, count: int) -> list[str]:
    """The likeliest burst of each sweep, or "" where none is likely enough."""
    if artefact_types is None:
        return [""] * count
    return [_burst(probabilities) for probabilities in artefact_types.tolist()]


def _burst(probabilities: list[float]) -> str:
    likeliest = max(_BURST_COLUMNS, key=probabilities.__getitem__)
    return ARTEFACT_TYPES[likeliest] if probabilities[likeliest] >= BURST_PROBABILITY else ""


def _unnamed(opinion: _Answer, duration_ms: float) -> str:
    """What a burst of energy is that the network gives no name, or "": it may be a response."""
    if duration_ms >= LASTING_MS:
        return LASTING
    # A response that was cut off is seen to be one; cautery has tops that look cut off as well.
    cut = opinion.clipping_probability >= CLIPPING_PROBABILITY
    return "clipping" if cut and opinion.response_probability < RESPONSE_PROBABILITY else ""


def _clippings(artefact_types: FloatArray | None, count: int) -> list[float]:
    """The probability that each sweep was cut off; 0 where the network's file states none."""
    return [0.0] * count if artefact_types is None else artefact_types[:, _CLIPPING].tolist()


def _shapes(morphology: FloatArray | None, count: int) -> list[Morphology | None]:
    """The likeliest shape of each sweep; None where the network's file states none."""
    if morphology is None:
        return [None] * count
    return [MORPHOLOGIES[row.index(max(row))] for row in morphology.tolist()]


def _stated(values: FloatArray | None, count: int) -> list[float | None]:
    """A column of the network's answer; None throughout where its file does not state it."""
    return [None] * count if values is None else values.tolist()


def _measurement(reading: Reading, sight: _Sight, plan: SweepPlan, fraction: float) -> Measurement:
    """What is reported of one sweep; the network's figures only where there is what they time."""
    found = int(reading.found)
    answer = sight.answer
    response_probability = answer.response_probability if answer else None
    seen = sight.tail != artefact.NO_TAIL and sight.noise_uv > 0.0
    artefacts = artefact_probability(
        answer.artefact_probability if answer else None,
        sight.tail_uv / sight.noise_uv if seen else None,
    )
    ms = 1e3 / plan.fs_hz
    near = (reading.onset_sample - plan.search_start) * ms < OVERLAP_MS
    hopeless, doubtful = ((share * sight.tail_uv if near else 0.0) for share in OVERLAP[sight.tail])
    # Of a sweep unlike all that it was trained on the network has no opinion; nor does what was
    # measured for sweeps of the known kinds hold for it, so what is read of it is in doubt.
    novel = answer is not None and answer.novel
    opinion = None if novel else answer
    tail_like = bool(reading.tail_like)
    ratio = reading.lenient_ratio if opinion else reading.energy_ratio
    response = found == Found.CANDIDATE and is_response(
        reading.passed_ratio if tail_like else ratio,
        opinion.response_probability if opinion else None,
        opinion.onset_from_last_ms if opinion else 0.0,
        noise_known=plan.noise_source == "pre",
        tail_like=tail_like,
        at_work=plan.noise_source == "pre" and bool(reading.at_work),
    )
    if tail_like and opinion:
        # What the network sees further on says nothing of what falls from the blanking's end.
        starts_ms = (reading.onset_sample - plan.stimulus_index - fraction) * ms
        apart_ms = abs(opinion.onset_from_last_ms + plan.last_pulse_ms - starts_ms)
        response = response and apart_ms <= ENERGY_MS
    # What lies within the noise's own peak to peak has no size, unless the network states one.
    sized = opinion is not None and opinion.amplitude_log_sd is not None
    response = response and (reading.amplitude_uv > 0.0 or sized)
    # In a tail that was not explained the network might see the tail; past one that was taken off
    # it sees more than can be read.
    small = response and reading.amplitude_uv < hopeless
    drowned = small and not (sized and sight.tail != artefact.UNEXPLAINED)
    hidden = bool(reading.partly_hidden) or reading.passed_ratio >= HIDES_RATIO
    masked = found == Found.MASKED or (hidden and not response and found != Found.OUTSIDE)
    burst = opinion.burst if opinion else ""
    if response and opinion is not None and not burst:
        burst = _unnamed(opinion, (reading.end_sample - reading.onset_sample) * ms)
    # The network alone can see a response under a burst; without its word there is no telling.
    covered = bool(burst) and (
        opinion is not None and opinion.response_probability < RESPONSE_PROBABILITY
        if response
        else burst in COVERING
    )
    if masked or drowned or covered:
        why = burst if covered else "artefact_overlap" if drowned else "masked_by_artefact"
        return Measurement(
            Status.REJECTED,
            reasons=(why,),
            noise_uv=sight.noise_uv,
            noise_source=plan.noise_source,
            response_probability=response_probability,
            artefact_probability=artefacts,
        )
    if not response:
        # Activity that starts after the window is somebody's, but not this stimulus's answer.
        reasons = (
            ("activity_outside_window",)
            if found == Found.OUTSIDE and reading.energy_ratio > 1.0
            else ()
        )
        overlapped = sight.tail == artefact.UNEXPLAINED and sight.tail_uv > reading.missable_uv
        if overlapped:
            reasons = (*reasons, "artefact_overlap")
        return Measurement(
            Status.NO_RESPONSE,
            reasons=(*reasons, NOVEL) if novel else reasons,
            amplitude_uv=0.0,
            amplitude_raw_uv=reading.searched_uv,
            amplitude_lower_uv=0.0,
            amplitude_upper_uv=reading.missable_uv,
            noise_uv=sight.noise_uv,
            noise_source=plan.noise_source,
            response_probability=response_probability,
            artefact_probability=artefacts,
            amplitude_uncertain=overlapped or novel,
        )
    overlapped = reading.amplitude_uv < doubtful
    tkeo_ms = (reading.onset_sample - plan.stimulus_index - fraction) * ms
    snr = reading.peak_uv / sight.noise_uv if sight.noise_uv > 0 else None
    onset_ms: float | None = tkeo_ms
    network_ms, onset_uncertain = None, False
    if answer:
        network_ms = answer.onset_from_last_ms + plan.last_pulse_ms
        first_ms = (reading.first_place - plan.stimulus_index - fraction) * ms
        onset_ms, onset_uncertain = reconcile_onset(
            tkeo_ms, network_ms, snr, answer.onset_sd_ms, answer.novel, (reading.places, first_ms)
        )
        if burst:
            onset_ms, onset_uncertain = network_ms, True
    amplitude = combine(
        reading.amplitude_uv,
        reading.smooth_sd_uv,
        opinion.amplitude_uv if opinion else None,
        opinion.amplitude_log_sd if opinion else None,
        burst=bool(burst) or small or reading.amplitude_uv == 0.0,
    )
    doubts = ["low_snr"] if snr is not None and snr < LOW_SNR else []
    if overlapped:
        doubts.append("artefact_overlap")
    if burst:
        doubts.append(burst)
    if not amplitude.agreed:
        doubts.append("amplitude_disagreement")
    if novel:
        doubts.append(NOVEL)
    phases = int(reading.phases)
    silent_until = reading.silent_until
    return Measurement(
        Status.RESPONSE,
        reasons=tuple(doubts),
        amplitude_uv=amplitude.uv,
        amplitude_raw_uv=reading.raw_uv,
        amplitude_lower_uv=amplitude.lower_uv,
        amplitude_upper_uv=amplitude.upper_uv,
        onset_ms=onset_ms,
        onset_from_last_ms=None if onset_ms is None else onset_ms - plan.last_pulse_ms,
        duration_ms=(reading.end_sample - reading.onset_sample) * ms,
        area_uv_ms=reading.area_uv_samples * ms,
        phases=phases,
        # Counted phases are those above the noise; the network knows how many hide in it.
        morphology=(opinion.morphology if opinion else None) or morphology_of(phases),
        snr=snr,
        noise_uv=sight.noise_uv,
        noise_source=plan.noise_source,
        response_probability=response_probability,
        artefact_probability=artefacts,
        # What a burst's energy tells is when the burst began.
        onset_tkeo_ms=None if burst else tkeo_ms,
        onset_network_ms=network_ms,
        amplitude_network_uv=answer.amplitude_uv if answer else None,
        duration_network_ms=answer.duration_ms if answer else None,
        onset_uncertain=onset_uncertain,
        amplitude_uncertain=overlapped or bool(burst) or not amplitude.agreed or novel,
        silent_period_ms=(
            None if isnan(silent_until) else (silent_until - reading.onset_sample) * ms
        ),
    )
