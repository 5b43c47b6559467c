from __future__ import annotations

import numpy as np
import pytest

from monitor.measure.morphology import count_phases, morphology_of
from monitor.types import Morphology


@pytest.mark.parametrize(
    ("deflections", "phases", "name"),
    [
        ([], 0, None),
        ([5], 1, Morphology.MONOPHASIC),
        ([5, -4], 2, Morphology.BIPHASIC),
        ([5, -4, 3], 3, Morphology.POLYPHASIC),
        ([5, -0.5, 5], 1, Morphology.MONOPHASIC),  # a crossing too small to count
        ([5, -0.5, -4, 0.5, 0.6, -3], 2, Morphology.BIPHASIC),
        ([-5, 4, -3, 4, -5], 5, Morphology.POLYPHASIC),
    ],
)
def test_counts_only_significant_phases(
    deflections: list[float], phases: int, name: Morphology | None
) -> None:
    half = np.sin(np.linspace(0, np.pi, 20))
    sweep = 7.0 + np.concatenate([np.zeros(10), *[d * half for d in deflections], np.zeros(10)])
    found = count_phases(sweep, 7.0, 0, sweep.size, 1.0)
    assert found == phases
    assert morphology_of(found) is name
