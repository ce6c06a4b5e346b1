"""Where no slick may be reported: outside a scene, in nodata and beside it, on land and near it.

What polygons there are does not belong here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.cerulean.planes import Plane, polygons_of
from pipelines.cerulean.scenes import NODATA, Scene, opened
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

NODATA_MARGIN, LAND_MARGIN = 500.0, 1000.0  # metres
SMALLEST = 64  # pixels: fewer dark ones together are speckle, no nodata
LARGEST_RATIO, CELLS = 8, 2048  # nodata is drawn in squares of so many pixels; so many of them along a side
STRIP = 64  # rows of squares looked at together
METRES_A_DEGREE = 110_000.0
DETAIL = 16  # corners in a quarter of a circle around a margin, which is so up to 0.12 % too narrow
COAST = 1.0  # metres more around land, of which long sides are drawn with straight pieces
WIDER = 1.002  # makes good for that, and for what the plane is off


@dataclass(frozen=True)
class Zones:
    """The scene and what is excluded of it, in metres of a plane, margins included.

    Attributes:
        shape: height and width of the scene in pixels.
    """

    shape: tuple[int, int]
    scene: BaseGeometry
    nodata: BaseGeometry
    land: BaseGeometry

    def shares(self, geometry: BaseGeometry) -> dict[str, float]:
        """Which shares of the area of a geometry lie outside, in nodata and on land."""
        area = geometry.area or 1.0
        return {
            "outside": 1 - geometry.intersection(self.scene).area / area,
            "nodata": geometry.intersection(self.nodata).area / area,
            "land": geometry.intersection(self.land).area / area,
        }

    def cut(self, geometry: BaseGeometry) -> BaseGeometry:
        """What of a geometry may be reported."""
        left = geometry if self.scene.contains(geometry) else geometry.intersection(self.scene)
        for zone in (self.nodata, self.land):
            if left.intersects(zone):
                left = left.difference(zone)
        return polygons_of(left)


def zones_of(
    scene: Scene,
    plane: Plane,
    land: Path | None = None,
    nodata_margin: float = NODATA_MARGIN,
    land_margin: float = LAND_MARGIN,
) -> Zones:
    """The zones of a scene.

    Args:
        land: vector file of polygons; None: no land is known.
        nodata_margin, land_margin: metres around both that are excluded, too.

    Raises:
        BadInput: pictures or the file of land cannot be read.
    """
    import shapely

    height, width = scene.size()
    outline = shapely.box(0, 0, width, height)
    found = Zones(
        (height, width),
        plane.from_pixels(outline),
        _widened(polygons_of(plane.from_pixels(nodata_outline(scene))), nodata_margin),
        _land(plane, (height, width), land, land_margin),
    )
    for zone in (found.scene, found.nodata, found.land):
        shapely.prepare(zone)
    return found


def nodata_outline(scene: Scene) -> BaseGeometry:
    """Where the VV picture holds nothing (value 0), in pixels: areas of at least `SMALLEST` pixels.

    In large scenes squares of pixels are drawn: all that hold a pixel of such an area.
    """
    import shapely

    from pipelines.cerulean.polygons import outline

    height, width = scene.size()
    ratio = min(max(max(height, width) // CELLS, 1), LARGEST_RATIO)
    drawn = shapely.transform(outline(_empty_squares(scene, ratio)), lambda points: points * ratio)
    return polygons_of(drawn.intersection(shapely.box(0, 0, width, height)))


def _empty_squares(scene: Scene, ratio: int) -> NDArray[np.bool_]:
    """For each square of ``ratio`` by ``ratio`` pixels, whether a large area of nodata has one of them.

    Strips overlap: around each pixel of a large area there are `SMALLEST` connected ones of it in one strip.
    """
    with opened(scene) as vv:
        height, width = vv.shape
        across = math.ceil(width / ratio)
        squares = np.zeros((math.ceil(height / ratio), across), bool)
        for top in range(0, height, STRIP * ratio):
            pixels = vv.read(slice(top, min(top + STRIP * ratio + SMALLEST - 1, height)), slice(0, width))
            down = math.ceil(len(pixels) / ratio)
            padded = np.zeros((down * ratio, across * ratio), bool)
            padded[: len(pixels), :width] = _large(pixels == NODATA)
            first = top // ratio
            squares[first : first + down] |= padded.reshape(down, ratio, across, ratio).any((1, 3))
    return squares


def _large(empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of areas (connected also at corners) of at least `SMALLEST` of them."""
    from scipy import ndimage

    if not empty.any():
        return empty
    labels, _ = ndimage.label(empty, np.ones((3, 3), bool))
    enough = np.bincount(labels.ravel()) >= SMALLEST
    enough[0] = False
    found: NDArray[np.bool_] = enough[labels]
    return found


def _land(plane: Plane, shape: tuple[int, int], path: Path | None, margin: float) -> BaseGeometry:
    import shapely

    if path is None:
        return shapely.Polygon()
    bounds = plane.georeference.bounds(slice(0, shape[0]), slice(0, shape[1]))
    around = 1.5 * margin + 1000
    tall = around / METRES_A_DEGREE
    wide = tall / max(math.cos(math.radians(max(abs(bounds[1]), abs(bounds[3])))), 0.01)
    box = shapely.box(bounds[0] - wide, bounds[1] - tall, bounds[2] + wide, bounds[3] + tall)
    parts = [part.intersection(box) for part in _near(path, box)]
    clipped = polygons_of(shapely.union_all(parts)) if parts else shapely.Polygon()
    return _widened(polygons_of(plane.from_lonlat(shapely.segmentize(clipped, 0.01))), margin + COAST)


def _near(path: Path, box: BaseGeometry) -> list[BaseGeometry]:
    """The land around a box in degrees, which may reach beyond the antimeridian."""
    import shapely

    found = []
    for turn in (-360, 0, 360):
        west, south, east, north = box.bounds
        west, east = max(west - turn, -180.0), min(east - turn, 180.0)
        if west < east:
            one = _read(path, (west, max(south, -90.0), east, min(north, 90.0)))
            found.extend(shapely.transform(one, lambda points, turn=turn: points + (turn, 0)))
    return found


def _read(path: Path, bounds: tuple[float, float, float, float]) -> Any:
    """Polygons (an array of them, in degrees) of a vector file that meet a box in degrees."""
    import pyogrio  # type: ignore[import-untyped]
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError  # type: ignore[import-untyped]
    from pyproj import CRS, Transformer

    try:
        info = pyogrio.read_info(path)
        crs = CRS.from_user_input(info["crs"] or "EPSG:4326")
        back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        there = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform_bounds(*bounds)
        _, _, made, _ = pyogrio.raw.read(path, columns=[], bbox=there)
    except (DataSourceError, DataLayerError, OSError, ValueError) as error:
        raise BadInput(f"cannot be read as polygons of land ({error})", where=path) from None
    shapes = shapely.from_wkb(made)
    if len(shapes) and not np.isin(shapely.get_type_id(shapes), (3, 6, 7)).all():
        raise BadInput("holds something else than polygons of land", where=path)
    moved = shapely.transform(shapes, lambda points: np.column_stack(back.transform(*points.T)))
    return shapely.make_valid(moved)


def _widened(geometry: BaseGeometry, margin: float) -> BaseGeometry:
    return geometry.buffer(margin * WIDER, quad_segs=DETAIL) if margin > 0 else geometry
