"""What else is known about the sea of a scene, warped to its pixels: distance to platforms, density of ships.

How the files of such data are read stands in auxiliary_files.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.cerulean import georeference as georeferences
from pipelines.cerulean.auxiliary_files import Auxiliary, load, read_points, sample_density
from pipelines.cerulean.georeference import POLYNOMIAL, Georeference
from pipelines.cerulean.scenes import Scene, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Auxiliary", "Warp", "channels", "density_channel", "distance_channel", "load", "read_points"]

RATIO = 8  # pixels between the places at which a channel is computed
SATURATE_M = 60_000.0
DENSITY_SCALE = 100.0
FULL = 255
STRIP = 2**22  # pixels that are computed at once


@dataclass(frozen=True)
class Warp:
    """The auxiliary channels of one scene, a window at a time.

    A window's values do not depend on what the window is: all are interpolated between places that are fixed
    in the scene.
    """

    auxiliary: Auxiliary
    month: int
    shape: tuple[int, int]
    georeference: Georeference | None

    @classmethod
    def of(cls, auxiliary: Auxiliary, scene: Scene, model: str = POLYNOMIAL) -> Warp:
        """Raises BadInput: see `georeference.read`; not if there is nothing to warp."""
        empty = auxiliary.points is None and auxiliary.density is None
        place = None if empty else georeferences.read(scene.background, model)
        return cls(auxiliary, scene.month, scene.size(), place)

    def window(self, rows: slice, cols: slice) -> NDArray[np.uint8]:
        """Distance and density (2, h, w) of a window inside the scene; 255 and 0 where nothing is known."""
        found = np.zeros((2, rows.stop - rows.start, cols.stop - cols.start), np.uint8)
        found[0] = FULL
        if self.georeference is not None and self._nearest is not None:
            found[0] = _warped(self.georeference, self._nearest, SATURATE_M, RATIO, (rows, cols))
        if self.georeference is not None and self.auxiliary.density is not None:
            density = _density(self.auxiliary.density, self.month)
            found[1] = _warped(self.georeference, density, DENSITY_SCALE, RATIO, (rows, cols))
        return found

    @cached_property
    def _nearest(self) -> Callable[[Floats, Floats], Floats] | None:
        return None if self.auxiliary.points is None else _distance(self.auxiliary.points)


def channels(
    auxiliary: Auxiliary, scene: Scene, window: Window | None = None, model: str = POLYNOMIAL
) -> NDArray[np.uint8]:
    """Distance and density (2, h, w) of a scene or a window of it; for many windows, see `Warp`.

    Raises:
        BadInput: see `georeference.read`; the density's file cannot be read.
    """
    warp = Warp.of(auxiliary, scene, model)
    rows, cols = window or _whole(warp.shape)
    return warp.window(rows, cols)


def distance_channel(
    shape: tuple[int, int],
    georeference: Georeference,
    points: Floats,
    ratio: int = RATIO,
    saturate_m: float = SATURATE_M,
    window: Window | None = None,
) -> NDArray[np.uint8]:
    """How far the nearest point is, (h, w): 0 near, 255 at ``saturate_m`` metres and beyond.

    Args:
        shape: of the scene.
        points: (n, 2) longitudes and latitudes, at least one.
        ratio: pixels between the places at which the distance is computed; linear between them.
    """
    return _warped(georeference, _distance(points), saturate_m, ratio, window or _whole(shape))


def density_channel(
    shape: tuple[int, int],
    georeference: Georeference,
    path: Path,
    month: int,
    ratio: int = RATIO,
    scale: float = DENSITY_SCALE,
    window: Window | None = None,
) -> NDArray[np.uint8]:
    """How many ships there are in a month, (h, w): 0 none (or nothing known), 255 at ``scale`` and beyond.

    Args:
        shape: of the scene.
        path: raster in EPSG:4326 with a band for each month.
        ratio: pixels between the places at which the raster is sampled; linear between them.

    Raises:
        BadInput: the raster cannot be read or is of another kind.
    """
    return _warped(georeference, _density(path, month), scale, ratio, window or _whole(shape))


def _warped(
    place: Georeference,
    value: Callable[[Floats, Floats], Floats],
    full: float,
    ratio: int,
    window: Window,
) -> NDArray[np.uint8]:
    """A function of longitude and latitude in a window, in 255ths of ``full``."""
    rows, cols = window
    found = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.uint8)
    height = max(1, STRIP // max(1, found.shape[1]))
    for top in range(0, found.shape[0] if found.size else 0, height):
        strip = slice(rows.start + top, min(rows.start + top + height, rows.stop))
        down, right = _nodes(strip, ratio), _nodes(cols, ratio)
        at = np.meshgrid(down * float(ratio), right * float(ratio), indexing="ij")
        # beyond 255 at first: a line from a near place to a far one has to leave 255 where it should
        levels = np.clip(value(*place.to_lonlat(*at)) * (FULL / full), 0, 2 * FULL).astype(np.float32)
        across = _between(levels, down[0], strip, ratio).T
        between = _between(across, right[0], cols, ratio).T
        found[top : top + height] = np.rint(np.minimum(between, FULL))
    return found


def _nodes(pixels: slice, ratio: int) -> NDArray[np.int64]:
    """Numbers of the places, ``ratio`` apart, between which the centres of these pixels lie."""
    return np.arange(pixels.start // ratio, (pixels.stop - 1) // ratio + 2)


def _between(values: NDArray[np.float32], first: int, pixels: slice, ratio: int) -> NDArray[np.float32]:
    """Linear between rows of values, of which the first has the number ``first``, at the pixels' centres."""
    index, rest = np.divmod(np.arange(pixels.start, pixels.stop), ratio)
    part = ((rest + 0.5) / ratio).astype(np.float32)[:, None]
    before, after = values[index - first], values[index - first + 1]
    between: NDArray[np.float32] = before + (after - before) * part
    return between


def _distance(points: Floats) -> Callable[[Floats, Floats], Floats]:
    """Metres to the nearest of some points.

    Straight through WGS84's ellipsoid, which is 0.2 m too short at 60 km.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(_ecef(points[:, 0], points[:, 1]))

    def nearest(lon: Floats, lat: Floats) -> Floats:
        metres, _ = tree.query(_ecef(lon, lat))
        return np.asarray(metres, float)

    return nearest


def _ecef(lon: Floats, lat: Floats) -> Floats:
    """Geocentric metres (..., 3) of degrees on the ellipsoid of WGS84."""
    axis, eccentricity2 = 6378137.0, 6.69437999014e-3
    along, up = np.radians(lon), np.radians(lat)
    normal = axis / np.sqrt(1 - eccentricity2 * np.sin(up) ** 2)
    flat = normal * np.cos(up)
    return np.stack(
        [flat * np.cos(along), flat * np.sin(along), normal * (1 - eccentricity2) * np.sin(up)], -1
    )


def _density(path: Path, month: int) -> Callable[[Floats, Floats], Floats]:
    return lambda lon, lat: sample_density(path, month, lon, lat)


def _whole(shape: tuple[int, int]) -> Window:
    return slice(0, shape[0]), slice(0, shape[1])
