"""Where the generated regions lie: real farmland in ten UTM zones of both hemispheres.

What stands on the ground there is invented in scenes.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.geowatch.grids import LONLAT, Grid, reproject, utm

VIDEO_GSD = 10.0  # metres per pixel of video space, the resolution of Sentinel-2


@dataclass(frozen=True)
class Place:
    """A two-letter country, the number of the region there, and its centre in degrees."""

    country: str
    number: int
    longitude: float
    latitude: float

    @property
    def region_id(self) -> str:
        """Such as `KR_R001`."""
        return f"{self.country}_R{self.number:03d}"

    @property
    def southern(self) -> bool:
        """Whether summer is in January."""
        return self.latitude < 0


_CENTRES = (
    ("KR", 127.02, 37.21),
    ("BR", -47.35, -22.61),
    ("US", -96.21, 41.37),
    ("AU", 148.62, -33.28),
    ("DE", 11.83, 51.42),
    ("CL", -71.41, -34.52),
    ("IN", 77.02, 28.61),
    ("ZA", 28.39, -26.08),
    ("FR", 1.62, 47.93),
    ("NZ", 171.62, -43.91),
)


def place(index: int) -> Place:
    """The place of the region ``index`` (from 0); after the last country the first has a second region."""
    round_, country = divmod(index, len(_CENTRES))
    name, longitude, latitude = _CENTRES[country]
    # A quarter of a degree is more than 20 km: regions of one country do not overlap.
    return Place(name, round_ + 1, longitude, latitude + 0.25 * round_)


def video_grid(where: Place, size: int, rng: np.random.Generator) -> Grid:
    """``size`` x ``size`` pixels of 10 m around a point within 2 km of the centre, corner on whole 10 m."""
    from shapely.geometry import Point

    crs = utm(where.longitude, where.latitude)
    centre = reproject(Point(where.longitude, where.latitude), LONLAT, crs)
    shift = rng.uniform(-2000, 2000, 2) - size * VIDEO_GSD / 2 * np.array([1, -1])
    west, north = (
        VIDEO_GSD * round(value / VIDEO_GSD) for value in (centre.x + shift[0], centre.y + shift[1])
    )
    return Grid(crs, (VIDEO_GSD, 0.0, west, 0.0, -VIDEO_GSD, north), size, size)


def sensor_grid(video: Grid, gsd: float) -> Grid:
    """The pixels of ``gsd`` metres that cover ``video``, on the sensor's own raster.

    Its corners lie on whole multiples of the pixel, as those of real products: 3 m pixels do not start
    where 10 m pixels do.
    """
    west, south, east, north = video.bounds
    first, last = int(west // gsd), int(-(-east // gsd))
    top, bottom = int(-(-north // gsd)), int(south // gsd)
    return Grid(video.crs, (gsd, 0.0, first * gsd, 0.0, -gsd, top * gsd), last - first, top - bottom)
