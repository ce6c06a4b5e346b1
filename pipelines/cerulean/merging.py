"""From the polygons of a scene's tiles to those of the scene: the steps, in their order.

How polygons are joined and what is excluded stands in joining.py and exclusions.py, files in merge_files.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.cerulean.instances import FULL
from pipelines.cerulean.joining import Slick, groups, join, together, without_copies
from pipelines.cerulean.planes import Plane, polygons_of
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from pipelines.cerulean.exclusions import Zones

#: What is counted: instances read; regions without a strong pixel; those mostly in a zone, by zone; those of
#: which a part was cut; those joined to another; copies of another class; polygons that are left.
COUNTED = ("read", "weak", "outside", "nodata", "land", "cut", "joined", "duplicated", "polygons")
MOST = 0.5  # share of a region in excluded zones beyond which it goes
ROUNDED = 1e-3  # share of a region that is no cut: the rim of a scene is drawn with straight pieces
SHRED = 0.5  # pixels: what is left of a cut polygon has to be as large; a whole pixel is, however rounded


@dataclass(frozen=True)
class Rules:
    """Distances in metres, thresholds as shares; None leaves a step out.

    Attributes:
        strong_thresh, trim_thresh: see `hysteresis.hysteresis`; its regions are those of the tiles.
        poly_nms_thresh: see `joining.without_copies`.
    """

    join_distance: float = 1000.0
    closing: float = 500.0
    poly_nms_thresh: float | None = 0.2
    nodata_margin: float = 500.0
    land_margin: float = 1000.0
    strong_thresh: float | None = None
    trim_thresh: float | None = None
    across_classes: bool = False


@dataclass(frozen=True)
class Chances:
    """Where the probabilities of a scene are: a raster, and the names of its bands."""

    raster: Path
    classes: Sequence[str]


def merged(
    found: Sequence[Slick], plane: Plane, zones: Zones, rules: Rules, chances: Chances
) -> tuple[list[Slick], dict[str, int]]:
    """The slicks of a scene and how many of what there were (see `COUNTED`).

    Args:
        found: the instances of its tiles, in pixels of the scene.

    Returns:
        Slicks in pixels of the scene, surest first.

    Raises:
        BadInput: rules ask for probabilities that cannot be read.
    """
    counts = Counter(read=len(found))
    regions = _regions(found, rules, chances, counts)
    allowed = list(_allowed(regions, plane, zones, counts))
    joined = join(allowed, rules.join_distance, rules.closing, rules.across_classes)
    counts["joined"] = len(allowed) - len(joined)
    cut = [_with(one, zones.cut(one.geometry)) for one in joined]  # closing may have led over a border
    kept, copies = without_copies([one for one in cut if not one.geometry.is_empty], rules.poly_nms_thresh)
    counts["duplicated"] = len(copies)
    final = [_with(one, _in_pixels(one.geometry, plane, zones)) for one in kept]
    final = [one for one in final if not one.geometry.is_empty]
    counts["polygons"] = len(final)
    return final, {name: counts[name] for name in COUNTED}


def _regions(found: Sequence[Slick], rules: Rules, chances: Chances, counts: Counter[str]) -> list[Slick]:
    """Instances of one class that overlap or touch, also over the seams of tiles, as one region each.

    In pixels, where what two tiles share is the same to the last bit.
    """
    import shapely

    regions = []
    for group in groups(found, 0.0):
        shape = polygons_of(shapely.union_all([one.geometry for one in group]))
        if rules.strong_thresh is not None or rules.trim_thresh is not None:
            shape = _strong(shape, group[0].name, rules, chances)
        if shape.is_empty:
            counts["weak"] += 1
        else:
            regions.append(together(group, shape))
    return regions


def _strong(shape: BaseGeometry, name: str, rules: Rules, chances: Chances) -> BaseGeometry:
    """What hysteresis leaves of a region, by the probabilities of its class."""
    import rasterio
    from rasterio.errors import RasterioIOError
    from rasterio.features import geometry_mask
    from rasterio.transform import Affine
    from rasterio.windows import Window

    from pipelines.cerulean.hysteresis import hysteresis
    from pipelines.cerulean.polygons import outline

    left, top = (int(np.floor(one)) for one in shape.bounds[:2])
    right, bottom = (int(np.ceil(one)) for one in shape.bounds[2:])
    try:
        with rasterio.open(chances.raster) as raster:
            left, top = max(left, 0), max(top, 0)
            right, bottom = min(right, raster.width), min(bottom, raster.height)
            if right <= left or bottom <= top:
                return shape  # all of it lies outside, which is counted elsewhere
            band = list(chances.classes).index(name) + 1
            values = raster.read(band, window=Window(left, top, right - left, bottom - top))
    except RasterioIOError as error:
        raise BadInput(f"cannot be read ({error})", where=chances.raster) from None
    inside = geometry_mask([shape], values.shape, Affine.translation(left, top), invert=True)
    known = np.where(inside, values / np.float32(FULL), np.float32(-1))
    return outline(hysteresis(known, 0.0, rules.strong_thresh, rules.trim_thresh) > 0, top, left)


def _allowed(regions: Sequence[Slick], plane: Plane, zones: Zones, counts: Counter[str]) -> list[Slick]:
    """In metres, without what lies in excluded zones; those that mostly do go."""
    found = []
    for region in regions:
        shape = polygons_of(plane.from_pixels(region.geometry))
        left = zones.cut(shape)
        if left.area < (1 - MOST) * shape.area:
            shares = zones.shares(shape)
            counts[max(shares, key=lambda name: shares[name])] += 1
            continue
        counts["cut"] += int(left.area < shape.area * (1 - ROUNDED))
        found.append(_with(region, left))
    return found


def _in_pixels(geometry: BaseGeometry, plane: Plane, zones: Zones) -> BaseGeometry:
    """Back in pixels, to a thousandth of one, nowhere beyond the scene and without shreds."""
    import shapely

    height, width = zones.shape
    shape = polygons_of(plane.to_pixels(geometry)).intersection(shapely.box(0, 0, width, height))
    shape = polygons_of(shapely.transform(shape, lambda points: np.round(points, 3)))
    parts = [part for part in shapely.get_parts(shape) if part.area >= SHRED]
    return polygons_of(shapely.union_all(parts)) if parts else shapely.Polygon()


def _with(slick: Slick, geometry: BaseGeometry) -> Slick:
    return together([slick], geometry)
