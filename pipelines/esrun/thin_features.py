"""Points and lines of a request in the cells of partitions: each goes to one cell, as what it is.

Cells of areas do not belong here: see pruning.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipelines.esrun.features import Feature, FeatureCollection, collection
from pipelines.esrun.pruning import SLIVER, singles

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Cell = tuple[int, int]  # number of a partition, and of a feature in it
Origins = tuple[int, ...]  # numbers of the request's features that a cell was made of


def handed_out(
    partitions: Sequence[FeatureCollection], request: FeatureCollection
) -> list[FeatureCollection]:
    """Partitions in which cells of points and lines are these points and lines.

    A window in the middle of a cell would show none of its points. So a cell of a feature without area
    becomes the points of that feature that lie in it, one by one, and its lines, cut, with the cell's
    properties. Where cells share a point, on their border or where they overlap, the first has it. A cell
    that has none goes. Features with an area, or that a partitioner hands on as they are, stay.

    Args:
        partitions: of a partitioner; a cell belongs to the feature whose properties and id it has.
    """
    origins = _Origins(request)
    cells: dict[Origins, list[Cell]] = defaultdict(list)
    for number, part in enumerate(partitions):
        for place, feature in enumerate(part):
            if found := origins.thin(feature):
                cells[found].append((number, place))
    held: dict[Cell, list[BaseGeometry]] = {cell: [] for several in cells.values() for cell in several}
    for found, several in cells.items():
        held |= _shared_out(origins.shapes(found), several, partitions)
    return [
        collection(
            one for place, feature in enumerate(part) for one in _instead(feature, held.get((number, place)))
        )
        for number, part in enumerate(partitions)
    ]


def _instead(cell: Feature, held: Sequence[BaseGeometry] | None) -> list[Feature]:
    return [cell] if held is None else [Feature(shape, cell.properties, cell.id) for shape in held]


class _Origins:
    """Finds the features of a request that a cell was made of."""

    def __init__(self, request: FeatureCollection):
        self.features = request.features
        self.by_properties: dict[int, list[int]] = defaultdict(list)
        for number, feature in enumerate(request):
            self.by_properties[id(feature.properties)].append(number)

    def thin(self, cell: Feature) -> Origins:
        """Features without area; none where the cell has another origin, or is one of them itself."""
        from shapely import get_dimensions

        if get_dimensions(cell.geometry) == 1:
            return ()  # a line that was cut with its cell
        found = self.by_properties.get(id(cell.properties)) or [
            number
            for number, one in enumerate(self.features)
            if one.id == cell.id and one.properties == cell.properties
        ]
        shapes = [self.features[number].geometry for number in found]
        stays = any(get_dimensions(shape) > 1 or shape is cell.geometry for shape in shapes)
        return () if stays else tuple(found)

    def shapes(self, found: Origins) -> list[BaseGeometry]:
        return [one for number in found for one in singles(self.features[number].geometry)]


def _shared_out(
    parts: Sequence[BaseGeometry], cells: Sequence[Cell], partitions: Sequence[FeatureCollection]
) -> dict[Cell, list[BaseGeometry]]:
    """What each cell gets of points and lines."""
    import shapely

    shapes = [partitions[number].features[place].geometry for number, place in cells]
    # a point that rounding has put beside its cell, by less than the grid allows for, is still in it
    meetings = shapely.STRtree(shapes).query(parts, predicate="dwithin", distance=2 * SLIVER).tolist()
    met: dict[int, list[int]] = defaultdict(list)
    for part, cell in sorted(zip(*meetings, strict=True)):
        met[part].append(cell)
    found: dict[Cell, list[BaseGeometry]] = defaultdict(list)
    for part, numbers in met.items():
        for number, piece in _pieces(parts[part], numbers, shapes):
            found[cells[number]].append(piece)
    return found


def _pieces(
    part: BaseGeometry, numbers: Sequence[int], cells: Sequence[BaseGeometry]
) -> Iterator[tuple[int, BaseGeometry]]:
    """What each cell that a point or a line meets gets of it."""
    if part.length <= SLIVER:
        yield numbers[0], part
        return
    rest = part
    for number in numbers:
        piece = rest if cells[number].covers(rest) else _line(rest.intersection(cells[number]))
        if piece.length > SLIVER:
            yield number, piece
            rest = rest.difference(cells[number])


def _line(shape: BaseGeometry) -> BaseGeometry:
    """Without the points at which a line only touched a cell."""
    from shapely.geometry import MultiLineString

    lines = [one for one in singles(shape) if one.length > 0]
    return lines[0] if len(lines) == 1 else MultiLineString(lines)
