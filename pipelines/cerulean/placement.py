"""How many polygons lie where none may lie, or twice: counted anew, not as `merge` says.

Taking such polygons away is the business of exclusions.py and joining.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.cerulean.evaluation_scenes import Found
    from pipelines.cerulean.scenes import Scene

DUPLICATE_IOU = 0.2  # two polygons that are more alike are one slick
INSIDE = 0.5  # share of a polygon inside a surer one above which it is part of it
_TINY = 1e-6  # of a pixel's area
_SHARE = 0.001  # of a polygon's area: edges that were cut along a margin lie on it, but for rounding


def misplaced(
    polygons: Sequence[Found],
    scene: Scene,
    model: str,
    land: Path | None,
    nodata_margin: float = 500.0,
    land_margin: float = 1000.0,
) -> Mapping[str, int | None]:
    """How many polygons reach outside of the scene, into nodata or onto land.

    Args:
        model: name of the scene's georeference.
        land: a file of polygons; None makes that count None.
        nodata_margin, land_margin: metres around nodata and land that belong to them.
    """
    from pipelines.cerulean import exclusions, georeference
    from pipelines.cerulean.planes import Plane, polygons_of

    counts = {"outside": 0, "nodata": 0, "land": 0}
    if polygons:
        plane = Plane.of(georeference.read(scene.background, model), scene.size())
        zones = exclusions.zones_of(scene, plane, land, nodata_margin, land_margin)
        for one in polygons:
            shares = zones.shares(polygons_of(plane.from_lonlat(one.lonlat)))
            for zone in counts:
                counts[zone] += shares[zone] > _SHARE
    return {
        "polygons_outside": counts["outside"],
        "polygons_in_nodata": counts["nodata"],
        "polygons_on_land": None if land is None else counts["land"],
    }


def duplicated(polygons: Sequence[Found]) -> int:
    """How many are found a second time: the less sure one of two that are more than `DUPLICATE_IOU` alike,
    or one that lies more than `INSIDE` in a surer one. Of equally sure ones the later one counts.
    """
    import numpy as np
    import shapely

    order = sorted(polygons, key=lambda one: -one.score)
    shapes = np.array([one.pixels for one in order], dtype=object)
    pairs = shapely.STRtree(shapes).query(shapes, predicate="intersects").T.tolist()
    again = set()
    for less, surer in pairs:
        if surer < less:
            common = shapes[less].intersection(shapes[surer]).area
            either = shapes[less].area + shapes[surer].area - common
            if common > DUPLICATE_IOU * either + _TINY or common > INSIDE * shapes[less].area + _TINY:
                again.add(less)
    return len(again)
