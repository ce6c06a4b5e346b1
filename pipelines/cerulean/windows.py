"""Overlapping windows over a scene, and how what was predicted in them becomes one map.

What predicts, and where maps are written, does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.geowatch.windows import ramp, starts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 128  # rows that are given back at once, and a side of a block in the files they are written to


def corners(height: int, width: int, window: int, overlap: float) -> list[list[tuple[int, int]]]:
    """Upper left pixels (row, col) of windows that cover a scene, a list for each row of them.

    The last ones are moved back inside; only in a scene smaller than a window does one reach beyond it.

    Args:
        overlap: share of a window that the next one covers again, at least 0 and below 1.

    >>> corners(8, 6, 4, 0.5)
    [[(0, 0), (0, 2)], [(2, 0), (2, 2)], [(4, 0), (4, 2)]]
    """
    cols = starts(width, window, overlap)
    return [[(row, col) for col in cols] for row in starts(height, window, overlap)]


class Blend:
    """The mean of overlapping windows, in which a window weighs the less the nearer its rim is.

    Windows come row by row. Memory is (count + 1, window + 2 * BLOCK, width) float32 whatever the height.

    Args:
        count: maps in a window.
        height, width: of the scene; what of a window lies beyond it is left out.
        window, overlap: as in `corners`.
    """

    def __init__(self, count: int, height: int, width: int, window: int, overlap: float):
        import numpy as np

        self._height, self._width, self._top = height, width, 0
        # A ring of rows: as it is a multiple of BLOCK, a block of rows never lies over its end.
        self._rows = (math.ceil(min(window, height) / BLOCK) + 1) * BLOCK
        self._sums = np.zeros((count, self._rows, width), np.float32)
        self._weights = np.zeros((self._rows, width), np.float32)
        self._ramp = ramp(window, overlap)[:, None] * ramp(window, overlap)

    def add(self, row: int, col: int, maps: NDArray[np.float32] | None) -> None:
        """Blend in ``maps`` (count, window, window), None for zeros, whose first pixel is (row, col).

        Raises:
            ValueError: its rows were given back already, or those before them were not.
        """
        window = len(self._ramp)
        bottom = min(row + window, self._height)
        if row < self._top or bottom > self._top + self._rows:
            raise ValueError(f"rows {row} to {bottom} while those from {self._top} on are held")
        cols = slice(col, min(col + window, self._width))
        first = row
        while first < bottom:
            place = first % self._rows
            count = min(bottom - first, self._rows - place)
            part = (slice(first - row, first - row + count), slice(0, cols.stop - col))
            held = (slice(place, place + count), cols)
            if maps is not None:
                self._sums[(slice(None), *held)] += maps[(slice(None), *part)] * self._ramp[part]
            self._weights[held] += self._ramp[part]
            first += count

    def finished(self, until: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First row and maps (count, rows, width) of what no window from row ``until`` on will change.

        Each is given once; all but the last at the scene's end are BLOCK rows high.
        """
        while self._top < self._height:
            bottom = min(self._top + BLOCK, self._height)
            if bottom > until:
                return
            place = slice(self._top % self._rows, self._top % self._rows + bottom - self._top)
            maps = self._sums[:, place] / self._weights[place]
            self._sums[:, place] = 0
            self._weights[place] = 0
            top, self._top = self._top, bottom
            yield top, maps
