"""Projections with a pixel size, and shapes between lon/lat and their pixels.

Reading and resampling rasters does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import Transformer
    from shapely.geometry.base import BaseGeometry

Bounds = tuple[int, int, int, int]
LONLAT = "EPSG:4326"


@dataclass(frozen=True)
class Projection:
    """A CRS with the size of a pixel in its units; pixel coordinates are CRS coordinates over the resolution.

    Attributes:
        crs: as in "EPSG:32613".
        x_resolution: units of the CRS per pixel, eastward positive.
        y_resolution: the same southward: negative for north-up images.
    """

    crs: str
    x_resolution: float
    y_resolution: float

    def __post_init__(self) -> None:
        if not _known(self.crs):
            raise BadInput(f"crs: {self.crs!r} is no coordinate reference system", hint="such as EPSG:32613")
        for name in ("x_resolution", "y_resolution"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise BadInput(f"{name}: {value!r} is no number")
            if value == 0:
                raise BadInput(f"{name}: must not be 0")

    def transform(self, bounds: Bounds) -> Affine:
        """Pixel (column, row) of an image with these ``bounds`` -> CRS coordinates."""
        from affine import Affine

        x, y = self.x_resolution, self.y_resolution
        return Affine(x, 0, bounds[0] * x, 0, y, bounds[1] * y)

    def to_json(self) -> dict[str, Any]:
        """As rslearn writes it."""
        return {"crs": self.crs, "x_resolution": self.x_resolution, "y_resolution": self.y_resolution}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Projection:
        """Raises BadInput: a key is missing, is not known, or has a value that cannot be."""
        keys = {"crs", "x_resolution", "y_resolution"}
        if not isinstance(data, Mapping) or set(data) != keys:
            raise BadInput(f"a projection has crs, x_resolution and y_resolution, not {data!r}")
        return cls(str(data["crs"]), data["x_resolution"], data["y_resolution"])


@dataclass(frozen=True)
class Placed:
    """A shape in the pixel coordinates of a projection."""

    projection: Projection
    shape: BaseGeometry

    def lonlat(self) -> BaseGeometry:
        return to_lonlat(self.shape, self.projection)

    def bounds(self) -> Bounds:
        """The pixels that the shape touches: floor of the minimum, ceiling of the maximum."""
        return pixel_bounds(self.shape.bounds)


def pixel_bounds(bounds: tuple[float, float, float, float], slack: float = 1e-6) -> Bounds:
    """Whole pixels round ``bounds``; ``slack`` of a pixel is rounding of the projection, not area.

    >>> pixel_bounds((-3.5, 0.0000001, 2.0, 4.9999999))
    (-4, 0, 2, 5)
    """
    left, top, right, bottom = bounds
    return (
        math.floor(left + slack), math.floor(top + slack),
        math.ceil(right - slack), math.ceil(bottom - slack),
    )  # fmt: skip


def utm_projection(shape: BaseGeometry, x_resolution: float = 10, y_resolution: float = -10) -> Projection:
    """The UTM zone (WGS 84) of the centroid of a shape in lon/lat.

    Zones are 6 degrees wide, without the exceptions round Norway and Svalbard.
    """
    centre = shape.centroid
    zone = min(60, int((centre.x + 180) // 6) + 1)
    return Projection(f"EPSG:{(32600 if centre.y >= 0 else 32700) + zone}", x_resolution, y_resolution)


def to_pixels(shape: BaseGeometry, projection: Projection) -> BaseGeometry:
    """A shape in lon/lat (EPSG:4326) in the pixels of ``projection``, vertex by vertex."""
    import shapely

    forward = transformer(LONLAT, projection.crs)

    def move(points: Any) -> Any:
        x, y = forward.transform(points[:, 0], points[:, 1])
        points = points.copy()
        points[:, 0], points[:, 1] = x / projection.x_resolution, y / projection.y_resolution
        return points

    return shapely.transform(shape, move)


def to_lonlat(shape: BaseGeometry, projection: Projection) -> BaseGeometry:
    """A shape in the pixels of ``projection`` in lon/lat (EPSG:4326), vertex by vertex."""
    import shapely

    back = transformer(projection.crs, LONLAT)

    def move(points: Any) -> Any:
        x, y = back.transform(points[:, 0] * projection.x_resolution, points[:, 1] * projection.y_resolution)
        points = points.copy()
        points[:, 0], points[:, 1] = x, y
        return points

    return shapely.transform(shape, move)


@lru_cache(maxsize=256)
def transformer(source: str, target: str) -> Transformer:
    """Coordinates of one CRS, x before y, into another; made once."""
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=256)
def _known(crs: str) -> bool:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        CRS.from_user_input(crs)
    except CRSError:
        return False
    return True
