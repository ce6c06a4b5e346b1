"""Where the pixels of a scene lie on earth: models fitted to ground control points, and how well they fit.

Pixel coordinates are those of GDAL: (0, 0) is the corner of the first pixel, its centre is (0.5, 0.5).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadInput

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import ArrayLike, NDArray
    from rasterio.control import GroundControlPoint

    Floats = NDArray[np.float64]
    Mapping = Callable[[Floats, Floats], tuple[Floats, Floats]]

MODELS = ("affine", "polynomial", "tps")
POLYNOMIAL = "polynomial"

_DEGREES = {"affine": 1, "polynomial": 2}
_NEEDED = {"affine": 3, "polynomial": 6, "tps": 4}  # of tps, one more than needed: one is left out
_STEPS = 60  # of the search for an inverse
_CLOSE = 1e-7  # pixels
_ALONG = 9  # points along a side of a window; sides are curved


@dataclass(frozen=True, eq=False)
class Georeference:
    """From pixels to degrees (EPSG:4326) and back.

    Attributes:
        model: one of `MODELS`.
        points: the ground control points, (n, 4): row, col, lon, lat.
        forward: the fitted model.
        affine: the best affine fit (degree 1), with which the way back is sought.
    """

    model: str
    points: Floats
    forward: Mapping
    affine: _Polynomial

    def to_lonlat(self, rows: ArrayLike, cols: ArrayLike) -> tuple[Floats, Floats]:
        """Longitude and latitude of pixel coordinates.

        In a scene that crosses the antimeridian longitudes go on beyond 180 degrees (or -180).
        """
        rows, cols = np.broadcast_arrays(np.asarray(rows, float), np.asarray(cols, float))
        return self.forward(rows, cols)

    def from_lonlat(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """Row and column of degrees, to 1e-6 of a pixel; NaN where the model has no inverse, far outside.

        Sought by steps of the affine model, each along what the full model is still off.
        """
        lon, lat = np.broadcast_arrays(np.asarray(lon, float), np.asarray(lat, float))
        lon = _beside(lon, self.points[0, 2])
        rows, cols = self._back(lon, lat)
        for _ in range(_STEPS):
            with np.errstate(over="ignore", invalid="ignore"):
                found = self.forward(rows, cols)
                aim, now = self._back(lon, lat), self._back(*found)
                down, right = aim[0] - now[0], aim[1] - now[1]
                rows, cols = rows + down, cols + right
                off = np.hypot(down, right)
            if not np.any(off > _CLOSE):
                break
        lost = ~(off <= _CLOSE)
        return np.where(lost, np.nan, rows), np.where(lost, np.nan, cols)

    @cached_property
    def residuals_m(self) -> tuple[float, float]:
        """Mean and largest distance, in metres, of the points from where the model puts them.

        For tps, which meets every point, each is put by a model fitted to all others; one whose others lie
        on a line, so that no model fits them, does not count.
        """
        from pyproj import Geod

        rows, cols, lon, lat = self.points.T
        put = self.to_lonlat(rows, cols) if self.model != "tps" else _left_out(self.points)
        known = np.isfinite(put[0])
        _, _, off = Geod(ellps="WGS84").inv(lon[known], lat[known], put[0][known], put[1][known])
        return float(np.mean(off)), float(np.max(off))

    @cached_property
    def transform(self) -> Affine:
        """The best affine fit, from (column, row) to (lon, lat)."""
        from affine import Affine

        at = [np.array(self.affine(np.array(float(row)), np.array(float(col)))) for row, col in _CORNERS]
        right, down = at[1] - at[0], at[2] - at[0]
        return Affine(right[0], down[0], at[0][0], right[1], down[1], at[0][1])

    def bounds(self, rows: slice, cols: slice) -> tuple[float, float, float, float]:
        """West, south, east and north of a window of pixels."""
        down, right = np.linspace(rows.start, rows.stop, _ALONG), np.linspace(cols.start, cols.stop, _ALONG)
        top, left = np.full(_ALONG, rows.start), np.full(_ALONG, cols.start)
        bottom, end = np.full(_ALONG, rows.stop), np.full(_ALONG, cols.stop)
        lon, lat = self.to_lonlat(
            np.concatenate([top, bottom, down, down]), np.concatenate([right, right, left, end])
        )
        return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())

    def _back(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Row and column by the affine model alone."""
        back = ~self.transform
        return back.d * lon + back.e * lat + back.f, back.a * lon + back.b * lat + back.c


_CORNERS = ((0, 0), (0, 1), (1, 0))  # row, col


def read(path: Path, model: str = POLYNOMIAL) -> Georeference:
    """The georeference of a picture with ground control points (those of a PNG lie in .aux.xml beside it).

    Raises:
        BadInput: see `fit`; no points; points in a reference system that is unknown.
    """
    import rasterio
    from pyproj import CRS, Transformer
    from rasterio.control import GroundControlPoint
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                points, crs = dataset.gcps
    except RasterioIOError as error:
        raise BadInput(f"is no picture that can be read ({error})", where=path) from None
    if not points:
        raise BadInput(
            "has no ground control points", where=path, hint=f"GDAL keeps them in {Path(path).name}.aux.xml"
        )
    if crs is None:
        raise BadInput("its ground control points have no reference system", where=path)
    if crs.to_epsg() != 4326:
        change = Transformer.from_crs(CRS.from_wkt(crs.to_wkt()), "EPSG:4326", always_xy=True).transform
        moved = [(one.row, one.col, *change(one.x, one.y)) for one in points]
        points = [GroundControlPoint(row=row, col=col, x=lon, y=lat) for row, col, lon, lat in moved]
    return fit(points, model, where=path)


def fit(
    gcps: Sequence[GroundControlPoint], model: str = POLYNOMIAL, where: Path | None = None
) -> Georeference:
    """Fit a model to ground control points in EPSG:4326: x is longitude, y latitude.

    Args:
        model: `affine`, `polynomial` (of the second degree; both least squares) or `tps` (thin plate spline
            through all points: Duchon 1977).
        where: the file that an error is to name.

    Raises:
        BadInput: no such model, too few points for it, points on a line, or no degrees.
    """
    if model not in MODELS:
        raise BadInput(f"no model {model!r}", where="georeference", hint=f"one of {', '.join(MODELS)}")
    points = np.array([(one.row, one.col, one.x, one.y) for one in gcps], float).reshape(-1, 4)
    if len(points) < _NEEDED[model]:
        text = f"has {len(points)} ground control points, {model} needs {_NEEDED[model]}"
        raise BadInput(text, where=where)
    if (
        not np.isfinite(points).all()
        or np.any(np.abs(points[:, 2]) > 360)
        or np.any(np.abs(points[:, 3]) > 90)
    ):
        raise BadInput("has ground control points that are no degrees", where=where)
    points[:, 2] = _beside(points[:, 2], points[0, 2])
    affine = _Polynomial.fitted(points, 1, where)
    if model == "tps":
        return Georeference(model, points, _Spline.fitted(points, where), affine)
    return Georeference(model, points, _Polynomial.fitted(points, _DEGREES[model], where), affine)


@dataclass(frozen=True, eq=False)
class _Polynomial:
    """Longitude and latitude as polynomials of row and column, which are centred and scaled first.

    Every pixel is computed alone, with the same result whatever others are computed with it.
    """

    centre: Floats
    scale: Floats
    coefficients: Floats  # (terms, 2)
    degree: int

    @classmethod
    def fitted(cls, points: Floats, degree: int, where: Path | None) -> _Polynomial:
        pixels, degrees = points[:, :2], points[:, 2:]
        centre, scale = pixels.mean(axis=0), np.maximum(np.ptp(pixels, axis=0) / 2, 1.0)
        scaled = (pixels - centre) / scale
        terms = np.stack(_terms(scaled[:, 0], scaled[:, 1], degree), axis=1)
        coefficients, _, rank, _ = np.linalg.lstsq(terms, degrees, rcond=1e-9)
        if rank < terms.shape[1]:
            raise BadInput("its ground control points lie on a line or on few of them", where=where)
        return cls(centre, scale, np.asarray(coefficients, float), degree)

    def __call__(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        down, right = (rows - self.centre[0]) / self.scale[0], (cols - self.centre[1]) / self.scale[1]
        lon, lat = np.zeros(rows.shape), np.zeros(rows.shape)
        for term, (to_lon, to_lat) in zip(_terms(down, right, self.degree), self.coefficients, strict=True):
            lon += to_lon * term
            lat += to_lat * term
        return lon, lat


@dataclass(frozen=True, eq=False)
class _Spline:
    """Thin plate splines of longitude and latitude over row and column."""

    through: Any  # scipy's RBFInterpolator

    @classmethod
    def fitted(cls, points: Floats, where: Path | None) -> _Spline:
        from scipy.interpolate import RBFInterpolator

        if len(np.unique(points[:, :2], axis=0)) < len(points):
            raise BadInput("two of its ground control points lie on one pixel", where=where)
        return cls(RBFInterpolator(points[:, :2], points[:, 2:], kernel="thin_plate_spline"))

    def __call__(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        pixels = np.stack([rows.ravel(), cols.ravel()], axis=1)
        found = self.through(pixels) if len(pixels) else np.zeros((0, 2))
        return found[:, 0].reshape(rows.shape), found[:, 1].reshape(rows.shape)


def _terms(down: Floats, right: Floats, degree: int) -> list[Floats]:
    terms = [np.ones_like(down), down, right]
    return terms if degree == 1 else [*terms, down * down, down * right, right * right]


def _left_out(points: Floats) -> tuple[Floats, Floats]:
    """Where splines through all points but one put that one; NaN where the others lie on a line."""
    lon, lat = np.full((2, len(points)), np.nan)
    for index, one in enumerate(points):
        with contextlib.suppress(np.linalg.LinAlgError):
            spline = _Spline.fitted(np.delete(points, index, axis=0), None)
            lon[index : index + 1], lat[index : index + 1] = spline(one[:1], one[1:2])
    return lon, lat


def _beside(lon: Floats, near: float) -> Floats:
    """Longitudes with whole turns added, so that none is more than 180 degrees from ``near``."""
    return np.asarray(lon - 360 * np.round((lon - near) / 360))
