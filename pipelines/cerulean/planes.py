"""A plane in metres around a scene, and the ways there from pixels and from degrees.

The fit of pixels to degrees stands in georeference.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pyproj import Transformer
    from shapely import MultiPolygon, Polygon
    from shapely.geometry.base import BaseGeometry

    from pipelines.cerulean.georeference import Georeference

STEP = 32  # pixels between corners of a long edge: the sides of pixels are bent on earth


@dataclass(frozen=True, eq=False)
class Plane:
    """The azimuthal equidistant projection of WGS84 around the middle of a scene.

    Of a distance within 200 km of the middle it is off by less than 0.02 %.

    Attributes:
        lon: longitude of the middle, in degrees; those of what comes back are within 180 of it.
    """

    georeference: Georeference
    lon: float
    transformer: Transformer

    @classmethod
    def of(cls, georeference: Georeference, shape: tuple[int, int]) -> Plane:
        """The plane of a scene of ``shape`` (height, width)."""
        from pyproj import Transformer

        lon, lat = (float(one) for one in georeference.to_lonlat(shape[0] / 2, shape[1] / 2))
        plane = f"+proj=aeqd +lon_0={lon!r} +lat_0={lat!r} +datum=WGS84 +units=m"
        return cls(georeference, lon, Transformer.from_crs("EPSG:4326", plane, always_xy=True))

    def from_pixels(self, geometry: BaseGeometry) -> BaseGeometry:
        """``geometry`` (x the column, y the row of the scene) in metres; long edges get further corners."""
        import shapely

        def moved(points: Any) -> Any:
            return self._forward(*self.georeference.to_lonlat(points[:, 1], points[:, 0]))

        return shapely.transform(shapely.segmentize(geometry, STEP), moved)

    def to_pixels(self, geometry: BaseGeometry) -> BaseGeometry:
        """``geometry`` in metres as x the column, y the row; not for what lies far outside the scene."""
        import shapely

        def moved(points: Any) -> Any:
            lon, lat = self.transformer.transform(points[:, 0], points[:, 1], direction="INVERSE")
            rows, cols = self.georeference.from_lonlat(lon, lat)
            return np.column_stack([cols, rows])

        return shapely.transform(geometry, moved)

    def from_lonlat(self, geometry: BaseGeometry) -> BaseGeometry:
        """``geometry`` (x longitude, y latitude) in metres."""
        import shapely

        return shapely.transform(geometry, lambda points: self._forward(points[:, 0], points[:, 1]))

    def _forward(self, lon: Any, lat: Any) -> Any:
        return np.column_stack(self.transformer.transform(lon, lat))


def polygons_of(*geometries: BaseGeometry) -> Polygon | MultiPolygon:
    """The polygons among geometries and in them, made valid: a Polygon (empty if there are none) or several.

    >>> import shapely
    >>> polygons_of(shapely.from_wkt("GEOMETRYCOLLECTION (POINT (0 0), POLYGON ((0 0, 1 0, 1 1, 0 0)))")).wkt
    'POLYGON ((0 0, 1 0, 1 1, 0 0))'
    """
    import shapely

    valid = shapely.make_valid(np.array(geometries, dtype=object))
    parts = shapely.get_parts(shapely.get_parts(valid))
    found = [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]
    if not found:
        return shapely.Polygon()
    return found[0] if len(found) == 1 else shapely.MultiPolygon(found)
