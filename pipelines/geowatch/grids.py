"""Pixel grids on the ground: where a pixel is, and geometries from longitude and latitude to pixels and back.

What lies on a grid (heatmaps, sites, truth) does not belong here; pixels are read in `pixels.py`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch.pixels import opened, read

if TYPE_CHECKING:
    import numpy as np
    from affine import Affine
    from shapely.geometry.base import BaseGeometry

__all__ = ["LONLAT", "Grid", "crs_name", "gsd", "opened", "read", "reproject", "utm"]

LONLAT = "EPSG:4326"
_GSD = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(?:GSD)?\s*", re.IGNORECASE)


def gsd(text: str | float) -> float:
    """A ground sample distance in metres per pixel.

    >>> gsd("10GSD"), gsd(" 0.5 gsd"), gsd(4)
    (10.0, 0.5, 4.0)
    """
    found = _GSD.fullmatch(str(text))
    if found is None or float(found[1]) <= 0:
        raise BadInput(f"{text!r} is not a ground sample distance", hint="write it as 10GSD")
    return float(found[1])


@dataclass(frozen=True)
class Grid:
    """A north-up rectangle of pixels.

    Attributes:
        crs: such as `EPSG:32652`, in metres unless the data came in degrees.
        transform: a, b, c, d, e, f of x = a col + b row + c, y = d col + e row + f; (0, 0) is the outer
            corner of the first pixel.
        width, height: in pixels.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @classmethod
    def of_video(cls, video: Mapping[str, Any], where: str | None = None) -> Grid:
        """The grid of video space, from the keys `crs`, `transform`, `width`, `height` of a kwcoco video.

        Args:
            where: the dataset, for messages.

        Raises:
            BadInput: a key is missing or no such thing.
        """
        name = f"video {video.get('name', video.get('id'))!r}"
        missing = [key for key in ("crs", "transform", "width", "height") if key not in video]
        if missing:
            raise BadInput(f"{name} has no {missing[0]!r}, so its place on the ground is unknown", where)
        size = video["width"], video["height"]
        return cls._checked(video["crs"], video["transform"], *size, name, where)

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> Grid:
        """The grid of a GeoTIFF.

        Raises:
            BadInput: it cannot be opened, or has no CRS or transform.
        """
        with opened(path) as image:
            if image.crs is None:
                raise BadInput("has no coordinate reference system", where=path)
            if image.transform.is_identity:
                raise BadInput("has no geotransform", where=path)
            return cls._checked(
                crs_name(image.crs), image.transform[:6], image.width, image.height, os.fspath(path)
            )

    @classmethod
    def _checked(
        cls, crs: Any, transform: Sequence[float], width: int, height: int, name: str,
        where: str | None = None,
    ) -> Grid:  # fmt: skip
        import rasterio
        from rasterio.crs import CRS
        from rasterio.errors import CRSError

        try:
            with rasterio.Env():  # outside of one PROJ complains on stderr as well
                CRS.from_user_input(crs)
            a, b, c, d, e, f = (float(number) for number in transform)
        except (CRSError, TypeError, ValueError):
            raise BadInput(
                f"{name} has an unusable crs or transform ({crs!r}, {transform!r})", where
            ) from None
        if a * e - b * d == 0 or width < 1 or height < 1:
            raise BadInput(f"{name} has no area (transform {transform!r}, {width} x {height} pixels)", where)
        return cls(str(crs), (a, b, c, d, e, f), int(width), int(height))

    @property
    def affine(self) -> Affine:
        """The transform as the object that rasterio and kwimage take."""
        from affine import Affine

        return Affine(*self.transform)

    @property
    def gsd(self) -> float:
        """Metres per pixel: the square root of a pixel's area (of its size at the centre, if in degrees)."""
        a, b, _, d, e, _ = self.transform
        return math.sqrt(abs(a * e - b * d)) * self._metres_per_unit()

    def _metres_per_unit(self) -> float:
        from rasterio.crs import CRS

        crs = CRS.from_user_input(self.crs)
        if not crs.is_geographic:
            return float(crs.linear_units_factor[1])
        _, south, _, north = self.bounds
        degree = math.pi / 180 * 6_371_008.8  # mean radius of the Earth (IUGG)
        return degree * math.sqrt(math.cos(math.radians((south + north) / 2)))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in the units of the CRS."""
        corners = [
            self.affine @ corner
            for corner in ((0, 0), (self.width, 0), (0, self.height), (self.width, self.height))
        ]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def outline(self) -> BaseGeometry:
        """The bounds as a polygon in longitude and latitude."""
        from shapely.geometry import Polygon

        return self.to_lonlat(
            Polygon([(0, 0), (self.width, 0), (self.width, self.height), (0, self.height)]).segmentize(
                max(self.width, self.height) / 8
            )
        )

    def at_gsd(self, metres: float | str) -> Grid:
        """The same ground from the same corner in pixels of ``metres``; the last ones may hang over."""
        scale = gsd(metres) / self.gsd
        if math.isclose(scale, 1.0, rel_tol=1e-9):
            return self
        a, b, c, d, e, f = self.transform
        # A hair less than a whole pixel too many is rounding, not ground.
        width, height = (max(1, math.ceil(size / scale - 1e-6)) for size in (self.width, self.height))
        return replace(
            self, transform=(a * scale, b * scale, c, d * scale, e * scale, f), width=width, height=height
        )

    def crop(self, col: int, row: int, width: int, height: int) -> Grid:
        """The part from pixel (col, row); it may reach beyond this grid, also to negative pixels."""
        x, y = self.affine @ (col, row)
        a, b, _, d, e, _ = self.transform
        return replace(self, transform=(a, b, x, d, e, y), width=width, height=height)

    def to_pixels(self, geometry: BaseGeometry, crs: str = LONLAT) -> BaseGeometry:
        """``geometry`` (x, y in ``crs``) in continuous pixels (col, row) of this grid."""
        from shapely.affinity import affine_transform

        a, b, c, d, e, f = (~self.affine)[:6]
        return affine_transform(reproject(geometry, crs, self.crs), [a, b, d, e, c, f])

    def to_lonlat(self, geometry: BaseGeometry) -> BaseGeometry:
        """``geometry`` in pixels (col, row) of this grid, as longitude and latitude."""
        from shapely.affinity import affine_transform

        a, b, c, d, e, f = self.transform
        return reproject(affine_transform(geometry, [a, b, d, e, c, f]), self.crs, LONLAT)


def reproject(geometry: BaseGeometry, source: str, target: str) -> BaseGeometry:
    """``geometry`` from one CRS to another, always x (longitude) before y (latitude)."""
    if source == target:
        return geometry
    import numpy as np
    import shapely
    from pyproj import Transformer

    move = Transformer.from_crs(source, target, always_xy=True)

    def moved(points: np.ndarray) -> np.ndarray:
        return np.column_stack(move.transform(points[:, 0], points[:, 1]))

    return shapely.transform(shapely.force_2d(geometry), moved)


def utm(longitude: float, latitude: float) -> str:
    """The CRS of the UTM zone of a point (WGS 84), without the exceptions of Norway and Svalbard.

    >>> utm(127.0, 37.5), utm(-69.0, -18.0)
    ('EPSG:32652', 'EPSG:32719')
    """
    zone = int((longitude + 180) // 6) % 60 + 1
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def crs_name(crs: Any) -> str:
    """`EPSG:...` where the CRS has a code, else its WKT."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())
