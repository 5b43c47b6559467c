"""The evaluation's arithmetic, and that the deployed network helps where it is meant to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.evaluate import Answered, Row, answer_split, band_line, detection_table, main, report
from monitor.load_network import DEPLOYED_SHA256, load_network

CARD = Path(__file__).parents[1] / "models" / "weights" / "mep_cnn.md"


@pytest.fixture(scope="module")
def answered() -> Answered:
    return answer_split(load_network(), "validation", 77, 3200)


def known(**rows: Row) -> Answered:
    """Four responses of SNR 4 and two sweeps without, one of them with an artefact."""
    nothing = np.full(2, np.nan)
    return Answered(
        response=np.array([True] * 4 + [False] * 2),
        artefact=np.array([False] * 5 + [True]),
        snr=np.concatenate([np.full(4, 4.0), nothing]),
        onset_ms=np.concatenate([[10.0, 20.0, 30.0, 40.0], nothing]),
        amplitude_uv=np.concatenate([[100.0, 200.0, 300.0, 400.0], nothing]),
        rows=rows,
        response_probability=np.array([0.99, 0.93, 0.6, 0.1, 0.7, 0.96]),
        artefact_found=np.array([False] * 6),
    )


def test_a_line_holds_the_errors_that_a_hand_works_out() -> None:
    row = Row(
        found=np.array([True, True, True, False, True, True]),
        onset_ms=np.array([10.2, 19.2, 33.0, np.nan, 5.0, 5.0]),
        amplitude_uv=np.array([110.0, 160.0, 300.0, 0.0, 9.0, 9.0]),
    )
    cells = [cell.strip() for cell in band_line(known(x=row), "x", 3.0, 5.0).strip("| ").split("|")]
    assert cells[:4] == ["3-5", "x", "4", "25.0"]
    assert cells[4] == "1.33"  # (0.2 + 0.8 + 3.0) / 3
    assert cells[5] == "0.80"
    assert cells[7] == "+0.80"  # (0.2 - 0.8 + 3.0) / 3
    assert cells[8:10] == ["33", "67"]
    assert cells[10:12] == ["10.0", "+0.0"]


def test_a_band_with_nothing_found_claims_nothing() -> None:
    row = Row(np.zeros(6, bool), np.full(6, np.nan), np.zeros(6))
    line = band_line(known(x=row), "x", 3.0, 5.0)
    assert "100.0" in line
    assert line.count(" - ") == 9
    assert " 0 |" in band_line(known(x=row), "x", 10.0, np.inf)


def test_misses_and_false_responses_are_counted_apart() -> None:
    row = Row(np.array([True, False, False, False, False, True]), np.zeros(6), np.zeros(6))
    table = detection_table(known(tkeo=row))
    cells = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in table[2:]}
    assert [c.strip() for c in cells["tkeo"]] == ["-", "75.0", "-", "-", "0.0", "100.0"]
    assert [c.strip() for c in cells["network, p >= 0.5"]][1] == "25.0"
    assert [c.strip() for c in cells["network, p >= 0.9"]][4:] == ["0.0", "100.0"]


def onset_mae_ms(answered: Answered, method: str, low: float, high: float) -> float:
    row = answered.rows[method]
    hit = answered.response & row.found & (answered.snr >= low) & (answered.snr < high)
    assert hit.sum() >= 25
    return float(np.abs(row.onset_ms - answered.onset_ms)[hit].mean())


def test_on_the_same_sweeps_of_low_snr_the_networks_onset_is_clearly_better(
    answered: Answered,
) -> None:
    alone_ms = onset_mae_ms(answered, "tkeo", 1.5, 5.0)
    assert onset_mae_ms(answered, "same", 1.5, 5.0) < 0.8 * alone_ms
    assert onset_mae_ms(answered, "deployed", 1.5, 5.0) < alone_ms


def test_the_networks_opinion_helps_the_detector(answered: Answered) -> None:
    """Together: fewer missed at an SNR of 3 and more, at about as many false responses."""
    absent, clear = ~answered.response, answered.response & (answered.snr >= 3)
    alone, together = answered.rows["tkeo"].found, answered.rows["deployed"].found
    assert (~together)[clear].mean() < (~alone)[clear].mean()
    # Of a thousand absent sweeps: two standard errors.
    assert together[absent].mean() <= alone[absent].mean() + 0.014


def test_the_report_holds_every_band_and_method(answered: Answered) -> None:
    text = report(answered)
    for band in ("1.5-3", "3-5", "5-10", "> 10"):
        for method in ("tkeo", "network", "same", "deployed"):
            assert f"| {band} | {method} |" in text
    assert "nan" not in text


def test_the_command_prints_the_deployed_network(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--sweeps", "64"])
    out = capsys.readouterr().out
    assert DEPLOYED_SHA256 in out
    assert "split test" in out


def test_the_card_is_that_of_the_deployed_network() -> None:
    card = CARD.read_text(encoding="utf-8")
    assert DEPLOYED_SHA256 in card
    assert "Not a medical device" in card
