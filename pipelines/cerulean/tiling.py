"""Square tiles of a scene: which there are, and what of each lies in the scene.

Reading and writing pixels does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.errors import BadInput

SMALLEST = 32  # a U-Net halves a tile several times


@dataclass(frozen=True)
class Tile:
    """One tile of a scene, in pixels.

    Attributes:
        index: its number in the scene, row by row, from 0; that of its file.
        row, col: its upper left corner in the scene; negative where a tile set begins before the scene.
        height, width: its size, padding included.
    """

    index: int
    row: int
    col: int
    height: int
    width: int

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of a scene of that size which the tile holds."""
        return (
            slice(max(self.row, 0), max(min(self.row + self.height, height), 0)),
            slice(max(self.col, 0), max(min(self.col + self.width, width), 0)),
        )

    def placed(self, height: int, width: int) -> tuple[slice, slice]:
        """Where in the tile these rows and columns stand; the rest is padding."""
        rows, cols = self.inside(height, width)
        return (
            slice(rows.start - self.row, rows.stop - self.row),
            slice(cols.start - self.col, cols.stop - self.col),
        )


def check_length(length: int) -> int:
    """Raises BadInput: neither 0 (the whole scene) nor `SMALLEST` or more."""
    if length != 0 and length < SMALLEST:
        raise BadInput(f"is {length}, less than {SMALLEST}", where="tile_length", hint="0 is the whole scene")
    return length


def tiles(height: int, width: int, length: int, offset: float = 0.0) -> Iterator[Tile]:
    """The tiles that cover a scene, row by row; those at the right and lower edge reach beyond it.

    Args:
        height, width: of the scene.
        length: of a tile's side; 0 makes the whole scene one tile.
        offset: part of a tile, in [0, 1), by which the grid begins before the scene in both directions.

    Raises:
        BadInput: see `check_length`.

    >>> [(one.row, one.col) for one in tiles(40, 70, 32)]
    [(0, 0), (0, 32), (0, 64), (32, 0), (32, 32), (32, 64)]
    >>> [(one.row, one.col) for one in tiles(40, 40, 32, offset=0.5)]
    [(-16, -16), (-16, 16), (16, -16), (16, 16)]
    """
    if check_length(length) == 0:
        yield Tile(0, 0, 0, height, width)
        return
    before = -round(offset * length)
    index = 0
    for row in range(before, height, length):
        for col in range(before, width, length):
            yield Tile(index, row, col, length, length)
            index += 1
