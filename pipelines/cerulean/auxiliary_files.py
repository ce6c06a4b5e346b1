"""Files of auxiliary data: points of infrastructure, monthly density of ships, land.

What becomes of them in the pixels of a scene does not belong here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from pipelines.cerulean.scenes import open_picture
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    Floats = NDArray[np.float64]

POINTS = "infrastructure"  # with any of the suffixes below
DENSITY = "ship_density.tif"
LAND = "land.geojson"
MONTHS = 12

_VECTORS = (".geojson", ".gpkg", ".shp", ".csv", ".json", ".fgb", ".kml")
_RASTERS = (".tif", ".tiff", ".vrt")
_BLOCK = 1024  # rows of a raster of points that are read at once


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """What is known beside the scenes; None where there is no file.

    Attributes:
        points: (n, 2) longitudes and latitudes of offshore infrastructure.
        density: raster of ships, a band for each month.
        land: polygons.
    """

    points: Floats | None = None
    density: Path | None = None
    land: Path | None = None

    @property
    def known(self) -> list[str]:
        """Which of a tile's channels are not the same everywhere, as `coco_tiles.CHANNELS` names them."""
        here = {"distance": self.points is not None, "density": self.density is not None}
        return [name for name, known in here.items() if known]


def load(path: str | os.PathLike[str]) -> Auxiliary:
    """The auxiliary data of a folder; says on stdout what it lacks.

    Not on stderr, where an error that follows stands alone.

    Raises:
        BadInput: no such folder; see `read_points`; a density in another reference system than EPSG:4326, not
            with a band for each month, or not with north above.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise BadInput("no such folder of auxiliary data", where=folder)
    files = [folder / f"{POINTS}{suffix}" for suffix in (*_VECTORS, *_RASTERS)]
    points = next((file for file in files if file.is_file()), None)
    density, land = folder / DENSITY, folder / LAND
    found = Auxiliary(
        points=None if points is None else read_points(points),
        density=_checked(density) if density.is_file() else None,
        land=land if land.is_file() else None,
    )
    for name, known, so in (
        (files[0].name, found.points, "no distance to infrastructure"),
        (DENSITY, found.density, "no density of ships"),
        (LAND, found.land, "no land"),
    ):
        if known is None:
            click.echo(f"{folder}: no {name}, so {so} is known")
    return found


def read_points(path: str | os.PathLike[str]) -> Floats:
    """Longitudes and latitudes (n, 2) of the points in a vector file, or of a raster's pixels that are not 0.

    Of lines and polygons the middle counts. A CSV has columns such as lon and lat, or a geometry in WKT.

    Raises:
        BadInput: the file cannot be read, has no points or some that are no degrees.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput("no such file of infrastructure", where=path)
    points = _marked(path) if path.suffix.lower() in _RASTERS else _features(path)
    if len(points) == 0:
        raise BadInput("the infrastructure has no points", where=path)
    if not np.isfinite(points).all() or np.any(np.abs(points) > (360, 90)):
        raise BadInput("has points that are no longitude and latitude", where=path)
    return points


def sample_density(path: Path, month: int, lon: Floats, lat: Floats) -> Floats:
    """Ships at some places in a month, linear between the centres of cells; 0 where nothing is known.

    Args:
        month: 1 to 12.
        lon, lat: degrees, of one shape; longitudes may lie whole turns away.

    Raises:
        BadInput: see `load`.
    """
    with _opened(path) as dataset:
        grid = dataset.transform
        down = (grid.f - lat) / -grid.e
        right = (lon - grid.c) % 360 / grid.a
        inside = (down >= 0) & (down <= dataset.height) & (right <= dataset.width)
        if not inside.any():
            return np.zeros(lon.shape)
        turns = round(360 / grid.a) == dataset.width  # the last column lies beside the first
        first = max(int(np.floor(down[inside].min() - 0.5)), 0)
        last = min(int(np.floor(down[inside].max() + 1.5)), dataset.height)
        band = _rows(dataset, month, first, max(last, first + 1))
    return np.where(inside, _bilinear(band, down - first - 0.5, right - 0.5, turns), 0.0)


def _bilinear(band: Floats, down: Floats, right: Floats, turns: bool) -> Floats:
    """Values between the centres of cells; those at the edge hold beyond it, or begin anew where it turns."""
    row, col = np.floor(down).astype(int), np.floor(right).astype(int)
    below, beyond = down - row, right - col

    def at(rows: NDArray[np.int_], cols: NDArray[np.int_]) -> Floats:
        cols = cols % band.shape[1] if turns else np.clip(cols, 0, band.shape[1] - 1)
        found: Floats = band[np.clip(rows, 0, band.shape[0] - 1), cols]
        return found

    upper = at(row, col) * (1 - beyond) + at(row, col + 1) * beyond
    lower = at(row + 1, col) * (1 - beyond) + at(row + 1, col + 1) * beyond
    return np.asarray(upper * (1 - below) + lower * below)


def _rows(dataset: DatasetReader, month: int, first: int, last: int) -> Floats:
    """Rows of a month's band; 0 where it knows nothing."""
    from rasterio.windows import Window

    part = Window(0, first, dataset.width, last - first)
    values = dataset.read(month, window=part, masked=True).astype(float).filled(0.0)
    return np.asarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))


def _checked(path: Path) -> Path:
    with _opened(path):
        return path


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    """The raster of ship density.

    Raises:
        BadInput: it cannot be read, has not a band for each month, or no north above in EPSG:4326.
    """
    with open_picture(path) as dataset:
        if dataset.count != MONTHS:
            raise BadInput(f"has {dataset.count} bands, not one for each of {MONTHS} months", where=path)
        if dataset.crs is None or dataset.crs.to_epsg() != 4326:
            raise BadInput("is not in EPSG:4326", where=path)
        grid = dataset.transform
        if grid.b or grid.d or grid.a <= 0 or grid.e >= 0:
            raise BadInput("its first row is not the northern one, or it is turned", where=path)
        yield dataset


def _features(path: Path) -> Floats:
    """Points of a vector file, in its order."""
    import pyogrio  # type: ignore[import-untyped]
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError  # type: ignore[import-untyped]

    columns = {}
    if path.suffix.lower() == ".csv":
        columns = {"X_POSSIBLE_NAMES": "lon,long,longitude,x", "Y_POSSIBLE_NAMES": "lat,latitude,y"}
    try:
        meta, _, found, _ = pyogrio.raw.read(path, columns=[], **columns)
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise BadInput(f"has no points that can be read ({error})", where=path) from None
    if found is None:
        raise BadInput("has no geometry", where=path, hint="columns lon and lat in a CSV")
    shapes = shapely.get_parts(shapely.from_wkb(found[[one is not None for one in found]]))
    shapes = shapes[~shapely.is_empty(shapes)]
    points = shapely.get_coordinates(shapely.centroid(shapes))
    return _degrees(points, meta["crs"])


def _marked(path: Path) -> Floats:
    """Centres of the pixels of a raster that are neither 0 nor nodata, row by row."""
    import rasterio.transform

    with open_picture(path) as dataset:
        if dataset.crs is None:
            raise BadInput("has no reference system", where=path)
        found = [np.zeros((0, 2))]
        for top in range(0, dataset.height, _BLOCK):
            height = min(_BLOCK, dataset.height - top)
            values = dataset.read(1, window=((top, top + height), (0, dataset.width)), masked=True)
            rows, cols = np.nonzero(np.nan_to_num(values.filled(0)))
            found.append(np.stack(rasterio.transform.xy(dataset.transform, rows + top, cols), axis=1))
        return _degrees(np.concatenate(found), dataset.crs.to_wkt())


def _degrees(points: Floats, crs: str | None) -> Floats:
    """Longitudes and latitudes of points in a reference system; without one, they are taken for them."""
    from pyproj import CRS, Transformer

    if crs is None or len(points) == 0 or CRS.from_user_input(crs).to_epsg() == 4326:
        return points
    change = Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)
    return np.stack(change.transform(points[:, 0], points[:, 1]), axis=1)
