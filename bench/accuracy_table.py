"""The tables of :mod:`bench.accuracy` as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.accuracy_score import (
    BANDS,
    BandScore,
    DetectionScore,
    DoubtScore,
    Labels,
    band_name,
    found_at_false_share,
)
from bench.methods.base import MethodAnswers

FALSE_SHARES = (0.01, 0.05)
#: An R2 under this is one sweep that went wild; how wild says nothing.
WORST = -9.0
Band = tuple[float, float]


def bands_of(labels: Labels) -> tuple[Band, ...]:
    """The bands of SNR, or one for all where no SNR is known."""
    return BANDS if np.isfinite(labels["snr"]).any() else ((-np.inf, np.inf),)


def onset_table(scores: Sequence[BandScore]) -> str:
    """Onset errors, a line a band and method that gives onsets; empty where nothing is known."""
    known = [s for s in scores if np.isfinite(s.mae_ms)]
    titles = (
        f"{'onset, SNR':<12}{'method':<19}{'n':>6}{'missed %':>9}{'MAE ms':>8}  {'95 %':<13}"
        f"{'common':>7}{'median':>8}{'p95':>7}{'bias':>8}{'<0.5 ms %':>10}{'<1 ms %':>8}"
    )
    lines = [
        f"{s.band:<12}{s.method:<19}{s.n:>6}{percent(s.missed):>9}{ms(s.mae_ms):>8}"
        f"  {f'{ms(s.mae_low_ms)}-{ms(s.mae_high_ms)}':<13}{ms(s.common_ms):>7}"
        f"{ms(s.median_ms):>8}{ms(s.p95_ms):>7}{s.bias_ms:>+8.2f}"
        f"{percent(s.below_half):>10}{percent(s.below_one):>8}"
        for s in known
    ]
    return _table(titles, lines, [s.band for s in known])


def amplitude_table(scores: Sequence[BandScore]) -> str:
    """Amplitude and shape, a line a band and method that gives them."""
    known = [s for s in scores if np.isfinite(s.amplitude_error) or np.isfinite(s.shape_right)]
    titles = (
        f"{'size, SNR':<12}{'method':<19}{'n':>6}{'missed %':>9}{'error %':>9}{'bias %':>8}"
        f"{'R2':>8}{'ICC':>8}{'R2 log':>8}{'ICC log':>8}{'in range %':>11}{'shape %':>9}"
    )
    lines = [
        f"{s.band:<12}{s.method:<19}{s.n:>6}{percent(s.missed):>9}"
        f"{percent(s.amplitude_error):>9}{_signed(s.amplitude_bias):>8}"
        f"{_share(s.r2):>8}{_share(s.icc):>8}{_share(s.r2_log):>8}{_share(s.icc_log):>8}"
        f"{percent(s.covered):>11}{percent(s.shape_right):>9}"
        for s in known
    ]
    return _table(titles, lines, [s.band for s in known])


def detection_table(scores: Sequence[DetectionScore]) -> str:
    """Response or not (SNR 3 and more, and none), artefact or not; a line a method that decides."""
    titles = (
        f"{'decisions':<19}{'right %':>8}{'missed':>8}{'false':>7}{'clean':>7}{'beside':>8}"
        f"{'rejected':>10}{'clean':>7}{'area':>7}{'artefact right %':>18}{'found':>7}{'false':>7}"
    )
    lines = [
        f"{s.method:<19}{percent(s.right):>8}{percent(s.missed):>8}{percent(s.false):>7}"
        f"{percent(s.false_clean):>7}{percent(s.false_beside):>8}{percent(s.rejected):>10}"
        f"{percent(s.rejected_clean):>7}{_share(s.area):>7}{percent(s.artefact_right):>18}"
        f"{percent(s.artefact_found):>7}{percent(s.artefact_false):>7}"
        for s in scores
        if np.isfinite(s.right) or np.isfinite(s.artefact_right)
    ]
    return _table(titles, lines, [""] * len(lines))


def doubt_table(scores: Sequence[DoubtScore]) -> str:
    """Errors of what a method is sure of beside those of what it marks uncertain."""
    titles = (
        f"{'doubts, SNR >= 3':<19}{'of':<18}{'n':>6}{'doubted %':>11}{'mean error, sure':>18}"
        f"{'doubted':>9}{'far off %, sure':>17}{'doubted':>9}"
    )
    lines = [
        f"{s.method:<19}{s.what:<18}{s.n:>6}{percent(s.doubted):>11}{ms(s.sure_error):>18}"
        f"{ms(s.doubted_error):>9}{percent(s.sure_far):>17}{percent(s.doubted_far):>9}"
        for s in scores
    ]
    return _table(titles, lines, [""] * len(lines))


def time_table(spent: dict[str, tuple[float, float]]) -> str:
    """Time of one sweep, alone in a call and in a call with the others of its set-up."""
    titles = f"{'time, ms a sweep':<19}{'alone, p50':>12}{'in batch':>10}"
    lines = [f"{name:<19}{alone:>12.3f}{batch:>10.3f}" for name, (batch, alone) in spent.items()]
    return _table(titles, lines, [""] * len(lines))


def detection_curve(
    answers: dict[str, MethodAnswers], labels: Labels, bands: Sequence[Band]
) -> str:
    """Share of each band's responses that is found, at the method's own limit and at 1 and 5 %."""
    names = [band_name(*band) for band in bands]
    titles = (
        f"{'found %, by SNR':<36}" + "".join(f"{name:>9}" for name in names) + f"{'false %':>9}"
    )
    absent = labels["present"] == 0.0
    lines, method_of = [], []
    for method, said in answers.items():
        if not np.isfinite(said.response).any() or not absent.any():
            continue
        inside = [_inside(labels, band) for band in bands]
        own = [float((said.response == 1.0)[band].mean()) if band.any() else np.nan
               for band in inside]  # fmt: skip
        rows = [("its own limit", [*own, float((said.response == 1.0)[absent].mean())])]
        if np.isfinite(said.score[absent]).all():
            found = [found_at_false_share(said.score, b, absent, FALSE_SHARES) for b in inside]
            for column, share in enumerate(FALSE_SHARES):
                rows.append((f"at {share:.0%} false", [*(f[column] for f in found), share]))
        for limit, values in rows:
            cells = "".join(f"{percent(value):>9}" for value in values)
            lines.append(f"{method:<19}{limit:<17}{cells}")
            method_of.append(method)
    return _table(titles, lines, method_of)


def _inside(labels: Labels, band: Band) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    inside = labels["present"] == 1.0
    if np.isfinite(band[0]) or np.isfinite(band[1]):
        inside &= (labels["snr"] >= band[0]) & (labels["snr"] < band[1])
    return np.asarray(inside)


def _table(titles: str, lines: Sequence[str], sections: Sequence[str]) -> str:
    """Titles, a rule, the lines with a gap where the section changes; empty without lines."""
    if not lines:
        return ""
    out = [titles, "-" * len(titles)]
    for number, line in enumerate(lines):
        if number and sections[number] != sections[number - 1]:
            out.append("")
        out.append(line)
    return "\n".join(out)


def ms(value: float) -> str:
    """Two digits, or - for none."""
    return f"{value:.2f}" if np.isfinite(value) else "-"


def percent(value: float) -> str:
    """A share in per cent, or - for none."""
    return f"{100 * value:.1f}" if np.isfinite(value) else "-"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}" if np.isfinite(value) else "-"


def _share(value: float) -> str:
    if value < WORST:
        return f"< {WORST:g}"
    return f"{value:.3f}" if np.isfinite(value) else "-"
