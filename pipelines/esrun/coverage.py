"""Which share of a request its result answers.

How right the answer is does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.esrun.class_maps import Block, blocks, burnt, footprint, opened, reprojected, warped
from pipelines.esrun.features import FeatureCollection
from pipelines.esrun.tiles import Tile, near

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

NEAR = 1e-6  # degrees, about 0.1 m: what rounding of coordinates makes of one place


def of_rasters(tiles: Sequence[Tile], request: FeatureCollection) -> float:
    """Area of the valid pixels within the request over the area of the request, both on the ellipsoid.

    A request without area is points: the share of them that lie in valid pixels. What several tiles cover
    counts once. At most 1, as pixels on the edge of the request count by their centre.
    """
    wanted = whole(request)
    if wanted.area == 0:
        return _points_in(tiles, wanted)
    answered = 0.0
    for number, tile in enumerate(tiles):
        with opened(tile.path) as image:
            for window, block in blocks(image):
                valid = image.read_masks(1, window=window) > 0
                new = valid & (burnt([(wanted, 0)], block) == 0) & ~_covered(tiles[:number], block)
                answered += float((new.sum(axis=1) * pixel_areas(block)).sum())
    return min(1.0, answered / square_metres(wanted))


def _covered(tiles: Sequence[Tile], block: Block) -> np.ndarray[Any, Any]:
    """Where on a grid any tile is valid, (H, W)."""
    import numpy as np

    found = np.zeros(block.shape, dtype=bool)
    for tile in near(tiles, block):
        with opened(tile.path) as image:
            found |= warped(image, block)[1]
    return found


def pixel_areas(block: Block) -> np.ndarray[Any, Any]:
    """Square metres of a pixel in each row of a block, (H,): the block's own area, shared out.

    In degrees a pixel is the wider the nearer its row is to the equator; in a projected CRS rows are alike.
    """
    import numpy as np

    height, width = block.shape
    share = np.ones(height)
    if block.crs.is_geographic:
        latitudes = block.transform.f + (np.arange(height) + 0.5) * block.transform.e
        share = np.cos(np.radians(latitudes))
    found: np.ndarray[Any, Any] = square_metres(footprint(block)) / width * share / share.sum()
    return found


def square_metres(shape: BaseGeometry) -> float:
    """The area of polygons in lon/lat on the ellipsoid of WGS 84, their edges taken as geodesics."""
    import shapely
    from pyproj import Geod

    polygons = [one for one in shapely.get_parts(shape) if one.geom_type == "Polygon"]
    return sum(abs(Geod(ellps="WGS84").geometry_area_perimeter(_oriented(one))[0]) for one in polygons)


def _oriented(polygon: BaseGeometry) -> BaseGeometry:
    """Holes count as such if they turn the other way."""
    from shapely.geometry.polygon import orient

    return orient(polygon)


def of_features(results: FeatureCollection, request: FeatureCollection) -> float:
    """Area of the results within the request over that of the request, in degrees.

    Where either has no area: the share of the request's features that a result meets.
    """
    import shapely

    answered = whole(results)
    if answered.area and whole(request).area:
        return float(answered.intersection(whole(request)).area / whole(request).area)
    met = [shapely.dwithin(one.geometry, answered, NEAR) for one in request]
    return sum(map(bool, met)) / len(met)


def whole(features: FeatureCollection) -> BaseGeometry:
    """All shapes as one; made valid, as unions need it."""
    import shapely

    return shapely.union_all([shapely.make_valid(one.geometry) for one in features])


def _points_in(tiles: Sequence[Tile], wanted: BaseGeometry) -> float:
    """The share of points (a line's vertices) with a valid pixel in any tile."""
    import shapely

    points = shapely.get_coordinates(wanted)
    found: set[int] = set()
    for tile in tiles:
        with opened(tile.path) as image:
            moved = shapely.get_coordinates(reprojected(shapely.MultiPoint(points), image.crs))
            for number, values in enumerate(image.sample(moved, indexes=1, masked=True)):
                if not values.mask.any():
                    found.add(number)
    return len(found) / len(points)
