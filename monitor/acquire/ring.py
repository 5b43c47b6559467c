"""The ring: the last seconds of the signal at a counter that only grows. PURE.

Sample ``k`` of the case lies in row ``k % capacity`` until ``capacity`` more have come; then it is
gone. Nothing is ever moved: an append costs its own samples and no more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.types import Float32Array, FloatArray


class Ring:
    """Preallocated signal and stamps.

    Args:
        capacity: samples that are remembered.
        n_channels: channels of the stream.

    Attributes:
        capacity: as given.
        counter: samples appended since the start; sample ``counter - 1`` is the newest.
    """

    __slots__ = ("_samples_uv", "_t_lsl", "capacity", "counter")

    def __init__(self, capacity: int, n_channels: int) -> None:
        self.capacity = capacity
        self.counter = 0
        self._samples_uv: Float32Array = np.zeros((capacity, n_channels), dtype=np.float32)
        self._t_lsl: FloatArray = np.zeros(capacity, dtype=np.float64)

    @property
    def oldest(self) -> int:
        """Counter of the oldest sample that is still here (``counter`` while empty)."""
        return max(0, self.counter - self.capacity)

    def append(self, samples_uv: Float32Array, t_lsl: FloatArray) -> None:
        """Take samples (n, channels) in uV and their stamps (n,) in s, over the oldest ones."""
        n = len(samples_uv)
        if n > self.capacity:
            surplus = n - self.capacity
            self.counter += surplus
            samples_uv, t_lsl, n = samples_uv[surplus:], t_lsl[surplus:], self.capacity
        row = self.counter % self.capacity
        fits = self.capacity - row
        if n <= fits:
            self._samples_uv[row : row + n] = samples_uv
            self._t_lsl[row : row + n] = t_lsl
        else:
            self._samples_uv[row:] = samples_uv[:fits]
            self._samples_uv[: n - fits] = samples_uv[fits:]
            self._t_lsl[row:] = t_lsl[:fits]
            self._t_lsl[: n - fits] = t_lsl[fits:]
        self.counter += n

    def stamps(self, first: int, end: int) -> FloatArray:
        """Stamps (end - first,) in s of samples ``first`` to ``end`` (exclusive).

        A view where the stretch lies in one piece, valid until the next append; else a copy.

        Raises:
            IndexError: a sample of the stretch is gone or has not come.
        """
        self._check(first, end)
        row = first % self.capacity
        fits = self.capacity - row
        n = end - first
        if n <= fits:
            return self._t_lsl[row : row + n]
        return np.concatenate((self._t_lsl[row:], self._t_lsl[: n - fits]))

    def sweeps(self, first: int, end: int, columns: Sequence[int]) -> Float32Array:
        """Copy samples ``first`` to ``end`` (exclusive) of the ``columns`` out of the ring.

        Returns:
            (columns, end - first) float32 in uV, C-contiguous and the caller's own.

        Raises:
            IndexError: a sample of the stretch is gone or has not come.
        """
        self._check(first, end)
        row = first % self.capacity
        n = end - first
        fits = min(n, self.capacity - row)
        sweeps_uv: Float32Array = np.empty((len(columns), n), dtype=np.float32)
        for channel, column in enumerate(columns):
            sweeps_uv[channel, :fits] = self._samples_uv[row : row + fits, column]
            sweeps_uv[channel, fits:] = self._samples_uv[: n - fits, column]
        return sweeps_uv

    def _check(self, first: int, end: int) -> None:
        if not self.oldest <= first <= end <= self.counter:
            raise IndexError(
                f"samples {first} to {end} asked for, {self.oldest} to {self.counter} are here"
            )
