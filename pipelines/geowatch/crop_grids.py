"""Where a crop lies: the box around a site, with context, on pixels that all crops of a region share.

Pixels and files do not belong here.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch.grids import Grid, gsd
from pipelines.geowatch.site_areas import SiteArea

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_SIZE = re.compile(r"\s*(\d+)\s*[x,]\s*(\d+)\s*@\s*(\S+)\s*", re.IGNORECASE)
_ROUNDING = 1e-6  # pixels


def ground_size(text: str) -> tuple[float, float]:
    """Width and height in metres of a size such as `128x128@10GSD`.

    >>> ground_size("128x64@10GSD")
    (1280.0, 640.0)
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise BadInput(f"{text!r} is not a size on the ground", hint="write it as 128x128@10GSD")
    metres = gsd(found[3])
    return int(found[1]) * metres, int(found[2]) * metres


def crop_grid(
    geometry: BaseGeometry,
    source: Grid,
    target_gsd: float,
    context_factor: float = 1.0,
    minimum_size: tuple[float, float] = (0.0, 0.0),
) -> Grid:
    """The pixels of ``target_gsd`` metres around a site.

    Args:
        geometry: the site in longitude and latitude.
        source: the video that is cropped; the crop keeps its CRS, and pixel corners at whole multiples
            of ``target_gsd`` from its corner, so that crops of neighbouring sites fit each other.
        context_factor: the sides of the site's bounding box are multiplied by it.
        minimum_size: width and height in metres.

    Returns:
        A grid that may reach beyond ``source``.
    """
    fine = source.at_gsd(target_gsd)
    west, north, east, south = fine.to_pixels(geometry).bounds
    col, width = _span(west, east, context_factor, minimum_size[0] / target_gsd)
    row, height = _span(north, south, context_factor, minimum_size[1] / target_gsd)
    return fine.crop(col, row, width, height)


def _span(low: float, high: float, factor: float, least: float) -> tuple[int, int]:
    """First pixel and count of the pixels that cover the widened span, at least ``least`` of them."""
    middle, half = (low + high) / 2, max((high - low) * factor, least, 1.0) / 2
    first = math.floor(middle - half + _ROUNDING)
    # As many pixels for a given size wherever it lies: a minimum size of 320 pixels is 320, not 321.
    count = math.ceil(2 * half - _ROUNDING)
    if (high - low) * factor > least:
        count = math.ceil(middle + half - _ROUNDING) - first
    return first, count


def source_video(dataset: Any, area: SiteArea) -> dict[str, Any] | None:
    """The video to crop a site from: that of its region, else the one that covers most of it.

    None where no video shows any of it.
    """
    videos = [dataset.index.videos[number] for number in sorted(dataset.index.videos)]
    named = [video for video in videos if video["name"] == area.region_id]
    return _covering(named, area) or _covering(videos, area)


def _covering(videos: list[dict[str, Any]], area: SiteArea) -> dict[str, Any] | None:
    """The video that shows most of a site, the first of equals; None where none shows any of it."""
    shown = [Grid.of_video(video).outline.intersection(area.geometry).area for video in videos]
    return videos[shown.index(max(shown))] if any(shown) else None
