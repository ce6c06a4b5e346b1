"""A result against labels, counted on one grid of pixels or feature by feature.

What follows from the counts (confusion.py), and who asks (evaluate.py), does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun import class_maps as maps
from pipelines.esrun import confusion
from pipelines.esrun.class_maps import BLOCK, NONE, Block, Labels
from pipelines.esrun.confusion import Confusion
from pipelines.esrun.coverage import NEAR, whole
from pipelines.esrun.features import Feature, FeatureCollection, read_features
from pipelines.esrun.scratch import Results
from pipelines.esrun.tiles import Tile, classes_on, tiles_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from pipelines.esrun.class_maps import Numbers
    from pipelines.esrun.confusion import Matrix


def compare(results: Results, labels: Labels, request: FeatureCollection) -> Confusion:
    """Predicted classes against the labels within the request; a label without a prediction is missed.

    Labels that are a raster are counted on its grid, so that the same pixels count for all results; features
    on the grid of the result's rasters, or one by one if the result has features, too: each against the first
    that meets it. A request of points has the pixels that they lie in.

    Raises:
        BadInput: no result, or no label in the request.
    """
    tiles, area, size = tiles_of(results), whole(request), len(labels.legend.labels)
    if not tiles and not results.vector.is_file():
        raise BadInput("holds neither results_raster/*.tif nor result.geojson", where=results.path)
    if tiles:
        actual = _on_own_grid(labels, area) if labels.features is None else _on_tiles(labels, area, tiles)
        counts = _by_pixel(actual, lambda block: classes_on(tiles, block, labels.legend), size)
    elif labels.features is None:
        shapes = _shapes(read_features(results.vector, need=False), labels)
        counts = _by_pixel(_on_own_grid(labels, area), lambda block: maps.burnt(shapes, block), size)
    else:
        counts = _by_feature(read_features(results.vector, need=False), labels, labels.features, area)
    if counts.sum() == 0:
        raise BadInput("has no label of a known class in the request", where=labels.path)
    return Confusion(labels.legend.labels, counts)


def _by_pixel(
    actual: Iterable[tuple[Block, Numbers]], predicted: Callable[[Block], Numbers], size: int
) -> Matrix:
    import numpy as np

    counts = np.zeros((size + 1, size), dtype=np.int64)
    for block, labelled in actual:
        if (labelled != NONE).any():
            counts += confusion.count(predicted(block), labelled, size)
    return counts


def _on_own_grid(labels: Labels, area: BaseGeometry) -> Iterator[tuple[Block, Numbers]]:
    """A raster of labels, part by part, without what lies outside of the request."""
    import numpy as np

    with maps.opened(labels.path) as image:
        for window, block in maps.blocks(image):
            if maps.footprint(block).intersects(area):
                valid = image.read_masks(1, window=window) > 0
                found = maps.numbers(image.read(1, window=window), valid, labels.legend)
                yield block, np.where(maps.burnt([(area, 0)], block) == 0, found, NONE)


def _on_tiles(labels: Labels, area: BaseGeometry, tiles: Sequence[Tile]) -> Iterator[tuple[Block, Numbers]]:
    """Features on the grid of the nearest tiles, which goes on where there is no tile."""
    import numpy as np
    import shapely

    found = _within(labels, area)
    if not found:
        return
    shapes, grids = [one.geometry for one in found], _grids(tiles)
    nearest = np.argmin([shapely.distance(shapes, outline) for _, outline in grids], axis=0)
    for place, (grid, _) in enumerate(grids):
        its = tuple(one for one, home in zip(found, nearest, strict=True) if home == place)
        near = replace(labels, features=FeatureCollection(its))
        for block in _parts(grid, [one.geometry for one in its]):
            yield block, near.numbers(block)


def _within(labels: Labels, area: BaseGeometry) -> list[Feature]:
    """The parts of labelled features that lie in the request."""
    known = (one for one in labels.features or () if labels.number(one.properties) != NONE)
    parts = ((one, _common(one.geometry, area)) for one in known)
    return [replace(one, geometry=part) for one, part in parts if not part.is_empty]


def _common(shape: BaseGeometry, area: BaseGeometry) -> BaseGeometry:
    """What a label shares with an area, without the lines and points in which areas only touch."""
    import shapely

    if shapely.get_dimensions(shape) == 0:
        points = shapely.get_parts(shape)
        return shapely.multipoints(points[shapely.dwithin(points, area, NEAR)])
    least = min(shapely.get_dimensions(shape), shapely.get_dimensions(area))
    parts = shapely.get_parts(shapely.make_valid(shape).intersection(area))
    return shapely.union_all(parts[shapely.get_dimensions(parts) >= least])


def _grids(tiles: Sequence[Tile]) -> list[tuple[Block, BaseGeometry]]:
    """The pixels of all tiles of one CRS: the grid of the first of them, and where they lie in lon/lat."""
    import shapely

    found: dict[str, list[Tile]] = {}
    for tile in tiles:
        found.setdefault(tile.block.crs.to_string(), []).append(tile)
    return [(its[0].block, shapely.union_all([one.outline for one in its])) for its in found.values()]


def _parts(grid: Block, shapes: Sequence[BaseGeometry]) -> Iterator[Block]:
    """The parts of an endless grid in which shapes (lon/lat) lie, row by row."""
    import shapely
    from affine import Affine

    if not shapes:
        return
    to_pixels = ~grid.transform
    placed = [_transformed(maps.reprojected(one, grid.crs), to_pixels) for one in shapes]
    tree = shapely.STRtree(placed)
    left, top, right, bottom = map(math.floor, shapely.total_bounds(placed))
    for row in range(top, bottom + 1, BLOCK):
        for column in range(left, right + 1, BLOCK):
            width, height = min(BLOCK, right + 1 - column), min(BLOCK, bottom + 1 - row)
            if len(tree.query(shapely.box(column, row, column + width, row + height), "intersects")):
                yield Block(grid.crs, grid.transform @ Affine.translation(column, row), (height, width))


def _transformed(shape: BaseGeometry, how: Any) -> BaseGeometry:
    from shapely.affinity import affine_transform

    return affine_transform(shape, how.to_shapely())


def _shapes(results: FeatureCollection, labels: Labels) -> list[tuple[BaseGeometry, int]]:
    """Results with a class; the later one counts where they overlap."""
    found = [(one.geometry, _predicted(one, labels)) for one in results]
    return [pair for pair in found if pair[1] != NONE]


def _by_feature(
    results: FeatureCollection, labels: Labels, features: FeatureCollection, area: BaseGeometry
) -> Matrix:
    import numpy as np
    import shapely

    tree = shapely.STRtree([one.geometry for one in results])
    pairs = []
    for label in features:
        if not shapely.dwithin(label.geometry, area, NEAR):
            continue
        met = tree.query(label.geometry, predicate="dwithin", distance=NEAR)
        first = _predicted(results.features[int(met.min())], labels) if len(met) else NONE
        pairs.append((first, labels.number(label.properties)))
    predicted, actual = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return confusion.count(predicted, actual, len(labels.legend.labels))


def _predicted(result: Feature, labels: Labels) -> int:
    found = labels.legend.index(result.properties.get(labels.legend.property_name))
    return NONE if found is None else found
