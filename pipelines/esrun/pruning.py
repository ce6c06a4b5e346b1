"""What of a request lies in a cell, and which cells therefore go.

Making cells, and their files, do not belong here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipelines.esrun.features import FeatureCollection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Shapes = Sequence["BaseGeometry"]
SLIVER = 1e-11  # degrees, a micrometre: what a rounded coordinate leaves between two cells


def parts_of(request: FeatureCollection) -> list[BaseGeometry]:
    """The points, lines and polygons of a request one by one, mended where they cross themselves."""
    return [single for feature in request for single in singles(feature.geometry)]


def singles(shape: BaseGeometry) -> list[BaseGeometry]:
    """A shape without collections in it, nor anything empty."""
    import shapely

    whole = shape if shape.is_valid else shapely.make_valid(shape)
    if hasattr(whole, "geoms"):
        return [one for part in whole.geoms for one in singles(part)]
    return [] if whole.is_empty else [whole]


def pieces(parts: Shapes, shapes: Shapes) -> Iterator[list[BaseGeometry]]:
    """For each shape, what it holds of the ``parts``; nothing means that it misses them.

    A polygon that touches a shape along an edge or at a corner lies outside of it; a point or a line that
    touches it lies inside.

    Args:
        parts: from `parts_of`.
        shapes: cells in lon/lat, of any type.
    """
    split = [singles(shape) for shape in shapes]
    flat = [one for several in split for one in several]
    found = _meetings(parts, flat)
    start = 0
    for several in split:
        numbers = range(start, start + len(several))
        start += len(several)
        yield [
            piece
            for number in numbers
            for part, inside in found.get(number, ())
            if (piece := _piece(parts[part], flat[number], inside)) is not None
        ]


def _meetings(parts: Shapes, cells: Shapes) -> dict[int, list[tuple[int, bool]]]:
    """Number of a cell -> numbers of the parts that it touches, and whether it lies in them as a whole."""
    import shapely

    tree = shapely.STRtree(cells)
    whole = set(zip(*tree.query(parts, predicate="covers").tolist(), strict=True))
    found = defaultdict(list)
    for part, cell in sorted(zip(*tree.query(parts, predicate="intersects").tolist(), strict=True)):
        found[cell].append((part, (part, cell) in whole))
    return found


def _piece(part: BaseGeometry, cell: BaseGeometry, inside: bool) -> BaseGeometry | None:
    import shapely

    piece = cell if inside else shapely.intersection(part, cell)
    wanted = int(shapely.get_dimensions(part))
    if int(shapely.get_dimensions(cell)) < wanted:
        return None
    if wanted < 2:
        return None if piece.is_empty else piece
    return piece if 2 * piece.area > SLIVER * piece.length else None
