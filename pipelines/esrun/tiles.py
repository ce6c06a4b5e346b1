"""The rasters of a combined result: where they lie, and what they say on any grid.

What is made of it does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.esrun.class_maps import NONE, Block, footprint, numbers, opened, warped
from pipelines.esrun.colours import Legend
from pipelines.esrun.scratch import Results

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from pipelines.esrun.class_maps import Numbers


@dataclass(frozen=True)
class Tile:
    """A raster.

    Attributes:
        block: all of its grid.
        outline: of it in lon/lat.
    """

    path: Path
    block: Block
    outline: BaseGeometry


def read_tiles(paths: Iterable[Path]) -> list[Tile]:
    """Raises BadInput: one cannot be opened, or has no CRS."""
    found = []
    for path in paths:
        with opened(path) as image:
            block = Block.of(image)
        found.append(Tile(path, block, footprint(block)))
    return found


def tiles_of(results: Results) -> list[Tile]:
    """In order of their names; none if the result has features. Raises as `read_tiles`."""
    return read_tiles(sorted(results.rasters.glob("*.tif")))


def near(tiles: Sequence[Tile], block: Block) -> list[Tile]:
    """Those that may have pixels on a grid."""
    here = footprint(block)
    return [tile for tile in tiles if tile.outline.intersects(here)]


def classes_on(tiles: Sequence[Tile], block: Block, legend: Legend) -> Numbers:
    """Class numbers on a grid, (H, W), by the nearest pixel; the first tile that has a class counts."""
    import numpy as np

    found = np.full(block.shape, NONE, dtype=np.int16)
    for tile in near(tiles, block):
        with opened(tile.path) as image:
            found = np.where(found == NONE, numbers(*warped(image, block), legend), found)
    return found
