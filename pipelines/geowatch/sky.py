"""What comes between a sensor and the ground: clouds with their shadows, haze, and pixels without data.

The ground itself is landscape.py's and rendering.py's.
"""

from __future__ import annotations

import numpy as np

from pipelines.geowatch.landscape import Noise
from pipelines.geowatch.scenes import Acquisition

Bounds = tuple[float, float, float, float]  # west, south, east, north in metres
_CLOUD = np.array([7200.0, 7000.0, 6900.0, 7300.0])  # reflectance times 10,000 of blue, green, red, nir
_HAZE = np.array([260.0, 190.0, 130.0, 60.0])  # at its strongest
_SHADOW_OFFSET = (-170.0, 240.0)  # metres from a cloud to its shadow, in the north
OPAQUE = 0.5  # from this opacity on, the ground cannot be told


class Clouds:
    """The clouds of one acquisition: they cover ``shot.clouds`` of the region within ``bounds``."""

    def __init__(self, shot: Acquisition, bounds: Bounds):
        rng = np.random.default_rng([shot.seed, 1])
        self.billows, self.curls = Noise(bounds, 330.0, rng), Noise(bounds, 70.0, rng)
        west, south, east, north = bounds
        # On a raster of its own, so that every sensor sees the same clouds.
        spots = np.meshgrid(np.linspace(west, east, 64), np.linspace(south, north, 64))
        self.edge = np.quantile(self._height(*spots), 1 - shot.clouds)

    def _height(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self.billows.at(x, y) + 0.35 * self.curls.at(x, y)

    def opacity(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """At points in metres, 0 to 1; OPAQUE at the edge."""
        return np.clip((self._height(x, y) - self.edge) / 0.7 + OPAQUE, 0, 1)


def over(
    ground: np.ndarray, shot: Acquisition, x: np.ndarray, y: np.ndarray, bounds: Bounds, southern: bool
) -> tuple[np.ndarray, np.ndarray]:
    """``ground`` (h, w, 4) as seen through the sky of ``shot``, and the opacity of its clouds (h, w)."""
    rng = np.random.default_rng([shot.seed, 2])
    seen = ground * rng.normal(1, 0.02, 4) + _HAZE * rng.uniform(0, 1) ** 2
    if shot.clouds == 0:
        return seen, np.zeros(x.shape)
    clouds = Clouds(shot, bounds)
    east, north = _SHADOW_OFFSET[0], _SHADOW_OFFSET[1] * (-1 if southern else 1)
    seen = seen * (1 - 0.5 * clouds.opacity(x - east, y - north)[..., None])
    cover = clouds.opacity(x, y)
    bright = _CLOUD * (1 + 0.05 * clouds.curls.at(x, y))[..., None]
    return seen + cover[..., None] * (bright - seen), cover


def missing(shot: Acquisition, x: np.ndarray, y: np.ndarray, bounds: Bounds) -> np.ndarray:
    """Which points (bool, in the shape of ``x``) have no data: beyond the swath's edge, or in a stripe."""
    west, south, east, north = bounds
    rng = np.random.default_rng([shot.seed, 3])
    # Along the track, tilted by the orbit's inclination; a sun-synchronous one runs about 10 degrees off.
    tilt = np.radians(10 + rng.normal(0, 1))
    along = (x - (west + east) / 2) * np.cos(tilt) + (y - (south + north) / 2) * np.sin(tilt)
    lost = np.zeros(x.shape, dtype=bool)
    if shot.swath > 0:
        side = rng.choice([-1, 1])
        lost |= side * along > (0.5 - shot.swath) * (east - west)
    if shot.stripes:
        lost |= (along + rng.uniform(0, 260)) % 260 < 18  # metres: a gap between detectors, at their pitch
    return lost
