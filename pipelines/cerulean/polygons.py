"""Outlines of masks, in pixels of a scene and on the earth.

Which masks are drawn does not belong here, nor how outlines of neighbouring tiles are joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.cerulean.planes import STEP, polygons_of

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

DECIMALS = 7  # of a degree: 11 mm


class ToLonLat(Protocol):
    """What turns pixels of a scene into degrees: `georeference.Georeference`."""

    def to_lonlat(self, rows: NDArray[np.float64], cols: NDArray[np.float64], /) -> tuple[NDArray, NDArray]:
        """Longitude and latitude; (0, 0) is the outer corner of the first pixel."""
        ...


def outline(mask: NDArray[np.bool_], row: int = 0, col: int = 0) -> Polygon | MultiPolygon:
    """The edges of the pixels in ``mask``, (height, width): valid, x the column, y the row, whole numbers.

    Pixels that touch at a corner belong together; as no valid polygon can be as thin as that, such parts are
    polygons of their own in a MultiPolygon. A mask without a pixel gives an empty Polygon.

    Args:
        row, col: where the mask's first pixel stands in the scene.
    """
    import shapely
    from rasterio.features import shapes
    from rasterio.transform import Affine

    drawn = shapes(mask.astype(np.uint8), mask=mask, connectivity=8, transform=Affine.translation(col, row))
    return polygons_of(*(shapely.geometry.shape(one) for one, _ in drawn))


def on_earth(geometry: Polygon | MultiPolygon, georeference: ToLonLat) -> Polygon | MultiPolygon:
    """``geometry`` in pixels of a scene as longitudes and latitudes (EPSG:4326), valid.

    Shells run against the clock and what crosses the antimeridian is parted there, as GeoJSON (RFC 7946)
    has them. Long edges get further corners, and coordinates are rounded to `DECIMALS`.
    """
    import shapely

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = georeference.to_lonlat(points[:, 1], points[:, 0])
        return np.round(np.column_stack([lon, lat]), DECIMALS)

    whole = polygons_of(shapely.transform(shapely.segmentize(geometry, STEP), moved))
    return shapely.orient_polygons(_parted(whole))


def _parted(geometry: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    """The same with no longitude beyond 180 degrees."""
    import shapely

    west, _, east, _ = geometry.bounds
    if geometry.is_empty or -180 <= west <= east <= 180:
        return geometry
    parts = []
    for turn in (-360, 0, 360):
        part = geometry.intersection(shapely.box(turn - 180, -90, turn + 180, 90))
        parts.append(shapely.transform(part, lambda at, turn=turn: np.round(at - (turn, 0), DECIMALS)))
    return polygons_of(*parts)
