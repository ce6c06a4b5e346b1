"""How a site looks at both ends of its period: unlike its surroundings, and changed more than they are.

Reading programs' options and deciding what to do with a score do not belong here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch.coco_files import asset_path, assets, channels, frames
from pipelines.geowatch.grids import Grid, read
from pipelines.geowatch.site_areas import SiteArea

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

FEWEST_PIXELS = 12  # inside and around a site, to say anything about either
_MAD_TO_SIGMA = 1.4826  # of a normal distribution (Rousseeuw and Croux 1993)
_LEAST_SPREAD = 0.05  # added to each variance, in squared robust deviations: flat images divide by no zero


@dataclass(frozen=True)
class SiteScore:
    """Scores in [0, 1], None where too little of the site can be seen; names of the frames used."""

    site_id: str
    start_score: float | None
    end_score: float | None
    change_score: float | None
    start_frames: tuple[str, ...]
    end_frames: tuple[str, ...]


def score_site(
    dataset: Any, video: dict[str, Any], area: SiteArea, others: Sequence[BaseGeometry], count: int = 3
) -> SiteScore:
    """Score one site on its crop.

    The first and the last ``count`` frames (half of all, where there are fewer) become one composite
    each: every band of every frame in robust deviations from the frame's median, then the median over
    frames, which drops a cloud that one frame of three shows. `start_score` and `end_score` say how far
    the site stands out from a ring around it in these composites (`contrast`), `change_score` the same
    of their difference, in which the season's change of everything has little part.

    Args:
        others: footprints (longitude, latitude) that are no surroundings either: other sites.
    """
    grid = _around(area.geometry, Grid.of_video(video))
    images = frames(dataset, video["id"])
    count = min(count, len(images) // 2)
    first, last = images[:count], images[len(images) - count :]
    names = tuple(str(i.get("name")) for i in first), tuple(str(i.get("name")) for i in last)
    if count == 0:
        return SiteScore(area.site_id, None, None, None, *names)
    common = _common_channels([*first, *last])
    if not common:
        raise BadInput(f"the frames of {video['name']!r} have no channel in common", where=dataset.fpath)
    inside, ring = masks(area.geometry, grid, others)
    start, end = (composite([_pixels(dataset, i, grid, common) for i in part]) for part in (first, last))
    scores = [contrast(image, inside, ring) for image in (start, end, end - start)]
    return SiteScore(area.site_id, scores[0], scores[1], scores[2], *names)


def _around(geometry: BaseGeometry, grid: Grid) -> Grid:
    """The part of a crop that the site and its ring cover."""
    site = grid.to_pixels(geometry)
    west, north, east, south = site.buffer(_ring_width(site, grid) * 1.25).bounds
    left, top = max(0, math.floor(west)), max(0, math.floor(north))
    right, bottom = min(grid.width, math.ceil(east)), min(grid.height, math.ceil(south))
    return grid.crop(left, top, max(1, right - left), max(1, bottom - top))


def _ring_width(site: BaseGeometry, grid: Grid) -> float:
    """In pixels: half as wide as the site, at least 20 metres."""
    width: float = max(site.area**0.5 / 2, 20 / grid.gsd)
    return width


def masks(
    geometry: BaseGeometry, grid: Grid, others: Sequence[BaseGeometry] = ()
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels of the site, and of the ring around it: half as wide as the site, at least 20 metres."""
    from rasterio.features import rasterize
    from shapely import union_all

    site = grid.to_pixels(geometry)
    width = _ring_width(site, grid)
    # Pixels at the edge are mixed, most of all where 10 m were resampled to 2: they are neither.
    edge = min(5 / grid.gsd, site.area**0.5 / 8)
    around = site.buffer(width + edge).difference(site.buffer(edge))
    if others:
        around = around.difference(union_all([grid.to_pixels(other) for other in others]).buffer(edge))
    shape = (grid.height, grid.width)
    inside, ring = (
        rasterize([part], shape).astype(bool) if not part.is_empty else rasterize([site], shape) > 1
        for part in (site.buffer(-edge), around)
    )
    return inside, ring


def composite(images: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The median over frames of images (bands, height, width), each in robust deviations of its own."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pixel that no frame shows stays NaN
        levelled = []
        for image in images:
            middle = np.nanmedian(image, axis=(1, 2), keepdims=True)
            spread = np.nanmedian(np.abs(image - middle), axis=(1, 2), keepdims=True) * _MAD_TO_SIGMA
            levelled.append((image - middle) / np.maximum(spread, 1e-6))
        result: NDArray[np.float32] = np.nanmedian(np.stack(levelled), axis=0)
    return result


def contrast(image: NDArray[np.float32], inside: NDArray[np.bool_], ring: NDArray[np.bool_]) -> float | None:
    """How far the pixels of a site and of its ring lie apart: 0 not at all, 1 no overlap.

    `1 - exp(-B)` of the Bhattacharyya distance B between two normal distributions with one covariance,
    an eighth of the squared Mahalanobis distance of their means (Kailath 1967; its square root is the
    Jeffries-Matusita distance over root 2).

    Args:
        image: (bands, height, width), NaN where nothing is known.
    """
    import numpy as np

    known = np.isfinite(image).all(axis=0)
    site, around = (image[:, mask & known].astype(np.float64) for mask in (inside, ring))
    if min(site.shape[1], around.shape[1]) < FEWEST_PIXELS:
        return None
    apart = site.mean(axis=1) - around.mean(axis=1)
    # The mean of the two, not weighted by pixels: a small site must not drown in its ring.
    pooled = np.atleast_2d((np.cov(site) + np.cov(around)) / 2) + _LEAST_SPREAD * np.eye(len(apart))
    distance = float(apart @ np.linalg.solve(pooled, apart)) / 8
    return round(1.0 - float(np.exp(-distance)), 6)


def _common_channels(images: Sequence[dict[str, Any]]) -> list[str]:
    sets = [{name for asset in assets(image) for name in channels(asset)} for image in images]
    return sorted(set.intersection(*sets)) if sets else []


def _pixels(dataset: Any, image: dict[str, Any], grid: Grid, names: list[str]) -> NDArray[np.float32]:
    """The channels ``names`` of a frame on the grid: (bands, height, width)."""
    import numpy as np

    found: dict[str, NDArray[np.float32]] = {}
    for asset in assets(image):
        there = channels(asset)
        wanted = [name for name in names if name in there and name not in found]
        if wanted:
            bands = read(asset_path(dataset, asset), grid, bands=[there.index(n) + 1 for n in wanted])
            found.update(zip(wanted, bands, strict=True))
    return np.stack([found[name] for name in names])
