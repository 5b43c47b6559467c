"""The median of a few sweeps, kept up as they come. PURE."""

from __future__ import annotations

import numpy as np
from numba import njit

from monitor.types import Float32Array


class MedianSweep:
    """The sample by sample median of the sweeps taken so far, which hold no NaN.

    The samples are kept in order, so that a sweep more costs one pass and no sorting.
    """

    def __init__(self) -> None:
        self._ordered = np.empty((0, 0), np.float32)
        self._n = 0

    def take(self, sweep_uv: Float32Array) -> None:
        """One sweep (n,) float32, n alike in all; it is not kept."""
        if self._n == self._ordered.shape[0]:
            room = np.empty((max(2 * self._n, 16), sweep_uv.size), np.float32)
            room[: self._n] = self._ordered[: self._n] if self._n else 0.0
            self._ordered = room
        _insert(self._ordered, self._n, np.ascontiguousarray(sweep_uv, np.float32))
        self._n += 1

    def median(self) -> Float32Array:
        """(n,) float32, a new array.

        Raises:
            ValueError: no sweep was taken.
        """
        if not self._n:
            raise ValueError("no sweep was taken: there is no median")
        low, high = self._ordered[(self._n - 1) // 2], self._ordered[self._n // 2]
        median_uv: Float32Array = (low + high) * np.float32(0.5)
        return median_uv


@njit(cache=True)
def _insert(ordered, n, sweep):  # type: ignore[no-untyped-def]
    """Each sample of ``sweep`` into its place among the first ``n`` rows, in order."""
    ordered[n] = sweep
    for row in range(n - 1, -1, -1):
        for i in range(sweep.size):
            low, high = ordered[row, i], ordered[row + 1, i]
            ordered[row, i] = min(low, high)
            ordered[row + 1, i] = max(low, high)
