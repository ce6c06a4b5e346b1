"""Rasters on one grid as one, without seams where they overlap: a pixel is taken from where it lies deepest.

Which rasters, and what is made of their values, does not belong here.

A network sees less round a pixel the nearer the pixel lies to the edge of its window. So each pixel is taken
from the window whose nearest edge is farthest; of equals (beside the edge of everything they are equals) from
the one that reaches farther along the other axis, then from the one further up, then left. With windows that
overlap by twice the reach of the network, the mosaic is what a single window would have given. A mosaic keeps
the bounds of its windows in a tag: mosaics of mosaics are then the same as one of all windows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.projection import Bounds

if TYPE_CHECKING:
    import numpy as np
    from affine import Affine
    from shapely import STRtree

WINDOWS_TAG = "KWDAG_WINDOWS"
ALIGNED = 3  # decimals of a pixel; what is nearer to another grid than that lies on it


@dataclass(frozen=True, order=True)
class Grid:
    """What rasters must share to be put side by side pixel by pixel.

    Attributes:
        crs: as WKT.
        resolution: x and y, in units of the CRS per pixel.
        shift: of the pixels' corners against multiples of the resolution, in pixels, 0 to 1.
        nodata: the number in letters, which sort and equal each other: "255.0", "nan" or "None".
        bands: their names, or "" each.
    """

    name: str
    crs: str
    resolution: tuple[float, float]
    shift: tuple[float, float]
    dtype: str
    nodata: str
    bands: tuple[str, ...]

    def transform(self, bounds: Bounds) -> Affine:
        """Pixel (column, row) of a raster with these ``bounds`` -> CRS coordinates."""
        from affine import Affine

        (x, y), (right, down) = self.resolution, self.shift
        return Affine(x, 0, (bounds[0] + right) * x, 0, y, (bounds[1] + down) * y)


@dataclass(frozen=True)
class Source:
    """A raster file: its grid, its bounds in pixels of it, and those of the windows that it was made of."""

    path: Path
    grid: Grid
    bounds: Bounds
    windows: tuple[Bounds, ...]

    def read(self, area: Bounds) -> np.ndarray:
        """Pixels (bands, rows, columns) of an ``area`` inside the bounds."""
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        left, top, right, bottom = area
        window = Window(left - self.bounds[0], top - self.bounds[1], right - left, bottom - top)
        try:
            with rasterio.open(self.path) as dataset:
                found: np.ndarray = dataset.read(window=window)
        except RasterioError as error:
            raise BadInput(f"cannot be read ({error})", where=self.path) from None
        return found


def read_source(path: Path) -> Source:
    """Raises BadInput: no raster, one that is turned, or one without a place on earth."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as dataset:
            crs, transform, tags = dataset.crs, dataset.transform, dataset.tags()
            size, dtype, nodata = (dataset.width, dataset.height), dataset.dtypes[0], dataset.nodata
            bands = tuple(name or "" for name in dataset.descriptions)
    except RasterioError as error:
        raise BadInput(f"is no raster that can be read ({error})", where=path) from None
    if crs is None or transform.b or transform.d:
        raise BadInput("is not georeferenced along the axes of a CRS", where=path)
    left, right = _corner(transform.c / transform.a)
    top, down = _corner(transform.f / transform.e)
    grid = Grid(
        _name(crs), crs.to_wkt(), (transform.a, transform.e), (right, down), dtype, repr(nodata), bands
    )
    bounds = (left, top, left + size[0], top + size[1])
    windows = [tuple(one) for one in json.loads(tags.get(WINDOWS_TAG, "[]"))] or [bounds]
    return Source(path, grid, bounds, tuple(windows))


def by_grid(sources: Iterable[Source]) -> Iterator[tuple[Grid, list[Source]]]:
    """Grids in order, each with its sources in theirs."""
    found: dict[Grid, list[Source]] = {}
    for source in sources:
        found.setdefault(source.grid, []).append(source)
    yield from sorted(found.items(), key=lambda item: item[0])


@dataclass(frozen=True)
class Mosaic:
    """Sources of one grid as one raster."""

    sources: Sequence[Source]

    @property
    def bounds(self) -> Bounds:
        lefts, tops, rights, bottoms = zip(*(source.bounds for source in self.sources), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    @cached_property
    def _pieces(self) -> list[tuple[Bounds, int]]:
        """Windows with the number of their source, the first in the order of equals."""
        pieces = ((window, n) for n, source in enumerate(self.sources) for window in source.windows)
        return sorted(
            pieces, key=lambda piece: (piece[0][1], piece[0][0], piece[0][3], piece[0][2], piece[1])
        )

    @cached_property
    def _tree(self) -> STRtree:
        import numpy as np
        from shapely import STRtree, box

        inner = [_common(window, self.sources[n].bounds) for window, n in self._pieces]
        return STRtree(box(*np.array(inner, dtype=float).T))

    def _meeting(self, area: Bounds) -> list[tuple[Bounds, int, Bounds]]:
        """Windows that have pixels in ``area``, the numbers of their sources, and the pixels' bounds."""
        from shapely import box

        found = (self._pieces[n] for n in sorted(self._tree.query(box(*area)).tolist()))
        parts = ((window, n, _common(_common(window, self.sources[n].bounds), area)) for window, n in found)
        return [(window, n, part) for window, n, part in parts if part[0] < part[2] and part[1] < part[3]]

    def windows(self, area: Bounds) -> list[Bounds]:
        """Whole bounds of the windows with pixels in ``area``, sorted."""
        return sorted({window for window, _, _ in self._meeting(area)})

    def read(self, area: Bounds) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (bands, rows, columns) of ``area``, and where (rows, columns) a window has them."""
        import numpy as np

        grid, (left, top, right, bottom) = self.sources[0].grid, area
        values = np.zeros((len(grid.bands), bottom - top, right - left), grid.dtype)
        depths = np.zeros(values.shape[1:], np.int64)

        @lru_cache(maxsize=16)
        def pixels(number: int) -> tuple[np.ndarray, Bounds]:
            part = _common(self.sources[number].bounds, area)
            return self.sources[number].read(part), part

        for window, number, part in self._meeting(area):
            place = _slices(part, area)
            depth = _depth(window, part)
            deeper = depth > depths[place]
            if deeper.any():
                read, bounds = pixels(number)
                np.copyto(values[:, *place], read[:, *_slices(part, bounds)], where=deeper)
                np.copyto(depths[place], depth, where=deeper)
        return values, depths > 0


def _depth(window: Bounds, part: Bounds) -> np.ndarray:
    """A number for each pixel of ``part`` that grows with its distances to the edges of ``window``.

    First with the one to the nearest edge, then with that along the other axis; always above 0.
    """
    import numpy as np

    rows, columns = np.arange(part[1], part[3]), np.arange(part[0], part[2])
    down = np.minimum(rows - window[1] + 1, window[3] - rows)
    across = np.minimum(columns - window[0] + 1, window[2] - columns)
    nearest = np.minimum.outer(down, across).astype(np.int64)
    return (nearest << 32) + np.maximum.outer(down, across)


def _slices(part: Bounds, area: Bounds) -> tuple[slice, slice]:
    return slice(part[1] - area[1], part[3] - area[1]), slice(part[0] - area[0], part[2] - area[0])


def _common(one: Bounds, other: Bounds) -> Bounds:
    """The intersection; left >= right or top >= bottom where there is none."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def _corner(position: float) -> tuple[int, float]:
    """A corner in pixels as a whole number, and the rest in 0 to 1."""
    shift = round(position % 1, ALIGNED) % 1
    return round(position - shift), shift


def _name(crs: Any) -> str:
    """`epsg32613`; of a CRS without a number, letters that stand for its definition."""
    number = crs.to_epsg()
    digest = hashlib.sha256(crs.to_wkt().encode()).hexdigest()
    return f"crs{digest[:8]}" if number is None else f"epsg{number}"
