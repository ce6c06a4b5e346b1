"""Where a made-up scene lies: a rotated, slightly bent swath, told by ground control points as in Sentinel-1.

Fitting a georeference to such points belongs to georeference.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PIXEL = 80.0  # metres: real pixels are of 10 m, of which an overview takes every eighth
_LINES, _SAMPLES = 10, 21  # ground control points down and across: about 210, as real scenes have
_BENT, _SKEWED = 0.02, 0.01  # of the scene's side: how far from straight it is, by second and third degree


@dataclass(frozen=True)
class Swath:
    """The ground under a scene.

    Attributes:
        height, width: of the scene in pixels.
        lon, lat: of its middle, degrees.
        heading: radians by which it is turned clockwise.
    """

    height: int
    width: int
    lon: float
    lat: float
    heading: float

    def to_lonlat(self, rows: Array, cols: Array) -> tuple[Array, Array]:
        """Degrees of places in pixels (0, 0 is the outer corner of the first pixel), in their shape."""
        from pyproj import Transformer

        across = np.asarray(cols, np.float64) / self.width - 0.5
        down = np.asarray(rows, np.float64) / self.height - 0.5
        wide, high = self.width * PIXEL, self.height * PIXEL
        right = wide * (across + _BENT * (across * across + across * down) + _SKEWED * across**3)
        up = -high * (down + _BENT * (down * down - across * across) + _SKEWED * down**3)
        cosine, sine = np.cos(self.heading), np.sin(self.heading)
        local = f"+proj=aeqd +lon_0={self.lon} +lat_0={self.lat} +datum=WGS84"
        move = Transformer.from_crs(local, "EPSG:4326", always_xy=True)
        return move.transform(right * cosine + up * sine, up * cosine - right * sine)

    def control_points(self) -> list[tuple[float, float, float, float]]:
        """(row, column, longitude, latitude) of the ground control points, row by row."""
        rows = np.linspace(0, self.height, _LINES)
        cols = np.linspace(0, self.width, _SAMPLES)
        down, across = (side.ravel() for side in np.meshgrid(rows, cols, indexing="ij"))
        lon, lat = self.to_lonlat(down, across)
        return list(zip(*(side.tolist() for side in (down, across, lon, lat)), strict=True))
