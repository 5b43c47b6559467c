"""What is reported of one sweep: its reading and the network's opinion become a measurement."""

from __future__ import annotations

from math import isnan
from typing import NamedTuple

from msgspec.structs import replace

from monitor.measure import artefact
from monitor.measure.amplitude import combine
from monitor.measure.decide import EARLIEST_MS, artefact_probability, is_response
from monitor.measure.detect import ENERGY_MS, HIDES_RATIO
from monitor.measure.fault import FAULTS
from monitor.measure.morphology import morphology_of
from monitor.measure.opinion import Opinion
from monitor.measure.plan import SweepPlan
from monitor.measure.reconcile import reconcile_onset
from monitor.measure.response import Found, Reading
from monitor.types import Measurement, Status

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
#: Bursts that leave nothing believable of what they lie over.
COVERING = ("electrocautery", "electrode")
#: What the network says of a clipped sweep that is not to be measured for all its energy.
NO_CUT_RESPONSE = (*COVERING, NOVEL)
#: Under a burst the network's own word decides, and near a half it knows nothing: of the
#: sweeps of the validation split under cautery that it gives 0.5 to 0.6 as many hold a response as
#: of all sweeps.
RESPONSE_PROBABILITY = 0.6
#: A probability of the network under which it sees no response. Of 20 sweeps behind a train that
#: rings on, with the response gone, 19 lie below (``tests/test_measure_verdict.py`` makes them).
NO_RESPONSE = 0.2
#: Amplifiers and skin hiss with less; cautery is louder as a rule.
HISS_UV = 10.0
#: No response lasts so long (of 1255 on the validation split and 252 recorded ones none that has
#: no artefact beside it): its energy is that of a burst, whatever the network calls it.
LASTING_MS = 65.0
LASTING = "lasting_activity"
#: The network's probability from which a top was cut off before a filter or noise rounded the edges
#: that :mod:`~monitor.measure.fault` looks for. On the validation split 2 responses of 1292 that
#: were not cut reach it, and none of 254 that were recorded.
CLIPPING_PROBABILITY = 0.7

#: Of a sweep that could not be looked at, by its fault.
REJECTED = {fault: Measurement(Status.REJECTED, reasons=(fault,)) for fault in FAULTS}

# Members of an enumeration take their time to look up, and this is asked of every sweep.
_CANDIDATE, _MASKED, _OUTSIDE = int(Found.CANDIDATE), int(Found.MASKED), int(Found.OUTSIDE)


class Sight(NamedTuple):
    """What is known of one sweep beside its reading.

    ``tail`` and ``tail_uv``: see :class:`monitor.measure.clean.Cleaned`; ``opinion``: None where
    there is no network, or it was not shown the sweep.
    """

    noise_uv: float
    tail: int
    tail_uv: float
    opinion: Opinion | None


def measurement_of(reading: Reading, sight: Sight, plan: SweepPlan, fraction: float) -> Measurement:
    """Weigh what was read off a sweep and what the network says of it.

    Args:
        reading: of the cleaned sweep.
        sight: its noise, its artefact's tail, the network's opinion.
        plan: where its pulses lie.
        fraction: how far after sample ``plan.stimulus_index`` the first pulse lies, in samples.
    """
    found = int(reading.found)
    # Of a sweep unlike all that it was trained on the network has no opinion; nor does what was
    # measured for sweeps of the known kinds hold for it, so what is read of it is in doubt.
    told = sight.opinion
    opinion = None if told is None or told.novel else told
    ms = 1e3 / plan.fs_hz
    near = (reading.onset_sample - plan.search_start) * ms < OVERLAP_MS
    hopeless, doubtful = OVERLAP[sight.tail] if near else (0.0, 0.0)
    response = found == _CANDIDATE and _is_response(reading, opinion, plan, fraction)
    # In a tail that was not explained the network might see the tail; past one that was taken off
    # it sees more than can be read.
    small = response and reading.amplitude_uv < hopeless * sight.tail_uv
    drowned = small and (not _sizes(opinion) or sight.tail == artefact.UNEXPLAINED)
    passed = reading.passed_ratio >= HIDES_RATIO
    # What falls from the blanking's end may hide a response, and the network sees none: an absence
    # to be told, with as much as may be hidden for its bound, and not to be sure of.
    in_doubt = passed and opinion is not None and opinion.response_probability < NO_RESPONSE
    hidden = bool(reading.partly_hidden) or (passed and not in_doubt)
    masked = found == _MASKED or (hidden and not response and found != _OUTSIDE)
    burst = opinion.burst if opinion else ""
    if response and opinion is not None and not burst:
        burst = _unnamed(opinion, (reading.end_sample - reading.onset_sample) * ms)
    # The network alone can see a response under a burst; without its word there is no telling.
    covered = bool(burst) and (
        opinion is not None and opinion.response_probability < RESPONSE_PROBABILITY
        if response
        else burst in COVERING and not _is_quiet(burst, reading, sight)
    )
    if masked or drowned or covered:
        why = burst if covered else "artefact_overlap" if drowned else "masked_by_artefact"
        return Measurement(
            Status.REJECTED,
            reasons=(why,),
            noise_uv=sight.noise_uv,
            noise_source=plan.noise_source,
            response_probability=told.response_probability if told else None,
            artefact_probability=_artefact(sight),
        )
    if not response:
        return _absent(reading, sight, plan, in_doubt=in_doubt)
    overlapped = reading.amplitude_uv < doubtful * sight.tail_uv
    return _present(reading, sight, plan, fraction, burst, small=small, overlapped=overlapped)


def _is_response(
    reading: Reading, opinion: Opinion | None, plan: SweepPlan, fraction: float
) -> bool:
    known, tail_like = plan.noise_source == "pre", bool(reading.tail_like)
    ratio = reading.lenient_ratio if opinion else reading.energy_ratio
    response = is_response(
        reading.passed_ratio if tail_like else ratio,
        opinion.response_probability if opinion else None,
        opinion.onset_from_last_ms if opinion else 0.0,
        noise_known=known,
        tail_like=tail_like,
        at_work=known and bool(reading.at_work),
        early=_is_early(opinion, plan),
    )
    if tail_like and opinion:
        # What the network sees further on says nothing of what falls from the blanking's end.
        ms = 1e3 / plan.fs_hz
        starts_ms = (reading.onset_sample - plan.stimulus_index - fraction) * ms
        apart_ms = abs(opinion.onset_from_last_ms + plan.last_pulse_ms - starts_ms)
        response = response and apart_ms <= ENERGY_MS
    # What lies within the noise's own peak to peak has no size, unless the network states one.
    return response and (reading.amplitude_uv > 0.0 or _sizes(opinion))


def _is_quiet(burst: str, reading: Reading, sight: Sight) -> bool:
    """Whether what is called cautery is no louder than an amplifier's own hiss, before and after.

    The network sees each sweep on a scale of its own and can't tell the two. So quiet, either
    leaves an absence believable: its bound says how large a response could have been.
    """
    stands_out = max(reading.energy_ratio, reading.lenient_ratio) >= 1.0
    return burst == "electrocautery" and not stands_out and sight.noise_uv < HISS_UV


def _is_early(opinion: Opinion | None, plan: SweepPlan) -> bool:
    if opinion is None:
        return False
    return opinion.onset_from_last_ms + plan.last_pulse_ms < EARLIEST_MS


def _unnamed(opinion: Opinion, duration_ms: float) -> str:
    """What a burst of energy is that the network gives no name, or "": it may be a response."""
    if duration_ms >= LASTING_MS:
        return LASTING
    # A response that was cut off is seen to be one; cautery has tops that look cut off as well.
    cut = opinion.clipping_probability >= CLIPPING_PROBABILITY
    return "clipping" if cut and opinion.response_probability < RESPONSE_PROBABILITY else ""


def _sizes(opinion: Opinion | None) -> bool:
    """Whether the network states an amplitude that can be weighed."""
    return opinion is not None and opinion.amplitude_log_sd is not None


def _artefact(sight: Sight) -> float | None:
    seen = sight.tail != artefact.NO_TAIL and sight.noise_uv > 0.0
    return artefact_probability(
        sight.opinion.artefact_probability if sight.opinion else None,
        sight.tail_uv / sight.noise_uv if seen else None,
    )


def _absent(reading: Reading, sight: Sight, plan: SweepPlan, *, in_doubt: bool) -> Measurement:
    """No response: how large one could have been, and what speaks against believing it.

    ``in_doubt``: it may lie in what falls from the blanking's end.
    """
    told = sight.opinion
    novel = told is not None and told.novel
    # Activity that starts after the window is somebody's, but not this stimulus's answer.
    outside = int(reading.found) == _OUTSIDE and reading.energy_ratio > 1.0
    missable_uv = reading.missable_uv * max(1.0, reading.passed_ratio if in_doubt else 0.0)
    unexplained = sight.tail == artefact.UNEXPLAINED and sight.tail_uv > reading.missable_uv
    overlapped = in_doubt or unexplained
    reasons = ["activity_outside_window"] if outside else []
    if overlapped:
        reasons.append("artefact_overlap")
    if novel:
        reasons.append(NOVEL)
    return Measurement(
        Status.NO_RESPONSE,
        reasons=tuple(reasons),
        amplitude_uv=0.0,
        amplitude_raw_uv=reading.searched_uv,
        amplitude_lower_uv=0.0,
        amplitude_upper_uv=missable_uv,
        noise_uv=sight.noise_uv,
        noise_source=plan.noise_source,
        response_probability=told.response_probability if told else None,
        artefact_probability=_artefact(sight),
        amplitude_uncertain=overlapped or novel,
    )


def _present(
    reading: Reading,
    sight: Sight,
    plan: SweepPlan,
    fraction: float,
    burst: str,
    *,
    small: bool,
    overlapped: bool,
) -> Measurement:
    """A response: when, how large, of what shape; the network's figures beside its own.

    Args:
        reading, sight, plan, fraction: as of :func:`measurement_of`.
        burst: what lies over it, "" for nothing.
        small: too small beside the artefact's tail to be read, so the network's to size.
        overlapped: near enough to it to be in doubt.
    """
    told = sight.opinion
    novel = told is not None and told.novel
    opinion = None if novel else told
    ms, last_ms = 1e3 / plan.fs_hz, plan.last_pulse_ms
    tkeo_ms = (reading.onset_sample - plan.stimulus_index - fraction) * ms
    snr = reading.peak_uv / sight.noise_uv if sight.noise_uv > 0 else None
    onset_ms: float | None = tkeo_ms
    network_ms, onset_uncertain = None, False
    if told:
        network_ms = told.onset_from_last_ms + last_ms
        first_ms = (reading.first_place - plan.stimulus_index - fraction) * ms
        onset_ms, onset_uncertain = reconcile_onset(
            tkeo_ms, network_ms, snr, told.onset_sd_ms, novel, (reading.places, first_ms)
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
    cut = told is not None and told.clipping_probability >= CLIPPING_PROBABILITY
    if cut:
        doubts.append("clipping")
    phases = int(reading.phases)
    silent_until = reading.silent_until
    return Measurement(
        Status.RESPONSE,
        reasons=tuple(doubts),
        amplitude_uv=amplitude.uv,
        amplitude_raw_uv=reading.raw_uv,
        amplitude_lower_uv=amplitude.lower_uv,
        # Of a response that was cut off it is known that it was at least so large: no more.
        amplitude_upper_uv=None if cut else amplitude.upper_uv,
        onset_ms=onset_ms,
        onset_from_last_ms=None if onset_ms is None else onset_ms - last_ms,
        duration_ms=(reading.end_sample - reading.onset_sample) * ms,
        area_uv_ms=reading.area_uv_samples * ms,
        phases=phases,
        # Counted phases are those above the noise; the network knows how many hide in it.
        morphology=(opinion.morphology if opinion else None) or morphology_of(phases),
        snr=snr,
        noise_uv=sight.noise_uv,
        noise_source=plan.noise_source,
        response_probability=told.response_probability if told else None,
        artefact_probability=_artefact(sight),
        # What a burst's energy tells is when the burst began.
        onset_tkeo_ms=None if burst else tkeo_ms,
        onset_network_ms=network_ms,
        amplitude_network_uv=told.amplitude_uv if told else None,
        duration_network_ms=told.duration_ms if told else None,
        onset_uncertain=onset_uncertain,
        amplitude_uncertain=(overlapped or bool(burst) or not amplitude.agreed or novel or cut),
        silent_period_ms=(
            None if isnan(silent_until) else (silent_until - reading.onset_sample) * ms
        ),
    )


def of_clipped(measurement: Measurement, range_uv: float) -> Measurement:
    """A measurement whose sweep ran out of the converter's range, ``range_uv``, for a while.

    A response is there, and at least as large as it is seen to be; nothing bounds it above. Where
    none was found the part that was cut off may have been it. A burst that leaves the range is no
    response, nor is what the network knows nothing like: cautery, as a rule, of which energy can't
    tell.
    """
    no_response = tuple(why for why in measurement.reasons if why in NO_CUT_RESPONSE)
    if no_response:
        return replace(REJECTED["saturated"], reasons=(*no_response, "saturated"))
    if measurement.status is not Status.RESPONSE:
        return REJECTED["saturated"]
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
