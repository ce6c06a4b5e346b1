"""Outlines of masks, in pixels of a scene and on the earth.

Which masks are drawn does not belong here, nor how outlines of neighbouring tiles are joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon
    from shapely.geometry.base import BaseGeometry

DECIMALS = 7  # of a degree: 11 mm
STEP = 32  # pixels between corners of a long edge, which a bent georeference does not leave straight


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
    return _joined([shapely.geometry.shape(one) for one, _ in drawn])


def on_earth(geometry: Polygon | MultiPolygon, georeference: ToLonLat) -> Polygon | MultiPolygon:
    """``geometry`` in pixels of a scene as longitudes and latitudes (EPSG:4326), valid.

    Shells run against the clock, as GeoJSON (RFC 7946) has them. Long edges get further corners,
    and coordinates are rounded to `DECIMALS`.
    """
    import shapely

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = georeference.to_lonlat(points[:, 1], points[:, 0])
        return np.round(np.column_stack([lon, lat]), DECIMALS)

    return shapely.orient_polygons(_joined([shapely.transform(shapely.segmentize(geometry, STEP), moved)]))


def _joined(geometries: list[BaseGeometry]) -> Polygon | MultiPolygon:
    """The polygons among them and in them, made valid."""
    import shapely

    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(np.array(geometries, dtype=object))))
    polygons = [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]
    if not polygons:
        return shapely.Polygon()
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
