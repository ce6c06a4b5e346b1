"""Sites of a video: their outlines from heat or from given sites, their period, phases and scores.

Array work is in tracking.py and phases.py, reading in heatmaps.py; no file is written here.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipelines.geowatch import grids, heatmaps, tracking
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.heatmaps import HeatVideo
from pipelines.geowatch.iarpa import Observation, Region, Site, SiteSummary
from pipelines.geowatch.phases import active_score, phases_of, phases_without_classes
from pipelines.geowatch.tracking import Aggregation

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

#: Sites with these statuses are given for the record, not to be looked for.
NOT_SITES = ("negative", "ignore", "rejected", "excluded")


@dataclass(frozen=True)
class Tracking:
    """The parameters of a tracker; areas in square metres, lengths of time in days.

    Attributes:
        boundary_behavior: what happens at the region's boundary: `drop` keeps sites that touch the region
            as they are, `clip` cuts them there; either drops the others.
        boundaries_as: what given sites are: `polys` (the outlines), `bounds` (where to look), `none`.
    """

    thresh: float = 0.2
    time_thresh: float = 1.0
    aggregation: Aggregation = Aggregation()
    morph_kernel: int = 3
    min_area_square_meters: float | None = None
    max_area_square_meters: float | None = None
    response_thresh: float | None = None
    poly_merge_method: str = "v2"
    polygon_simplify_tolerance: float | None = None
    time_split_thresh: float | None = None
    boundary_behavior: str = "drop"
    boundaries_as: str = "polys"
    use_viterbi: bool = False
    smoothing: int = 0
    site_score_thresh: float | None = None
    time_pad_before: float = 0.0
    time_pad_after: float = 0.0


def find_sites(
    video: HeatVideo, how: Tracking, region: Region, given: Sequence[SiteSummary] | None = None
) -> list[Site]:
    """The sites of a video; those that were found, not given, have no id yet (see `numbered`).

    Args:
        region: its geometry bounds the search.
        given: with `boundaries_as` polys these are tracked and keep their ids.
    """
    if given is not None and how.boundaries_as == "polys":
        return list(_tracked(video, how, region, given))
    bounds = None if given is None or how.boundaries_as == "none" else [site.geometry for site in given]
    return list(_tracked(video, how, region, outlined(video, how, region, bounds)))


def numbered(sites: Sequence[Site]) -> list[Site]:
    """The sites by id; those without get `<region id>_0001`, ... by start date, then in the order given.

    Over all videos of a region, which may be crops of single sites.
    """
    numbers: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))
    named = [
        site
        if site.site_id
        else replace(site, site_id=f"{site.region_id}_{next(numbers[site.region_id]):04d}")
        for site in sorted(sites, key=lambda site: site.start_date or date.min)
    ]
    return sorted(named, key=lambda site: site.site_id)


def outlined(
    video: HeatVideo, how: Tracking, region: Region, bounds: Sequence[BaseGeometry] | None = None
) -> list[SiteSummary]:
    """Outlines of the aggregated heat that pass the thresholds."""
    import numpy as np

    grid = video.grid
    heat = np.full((grid.height, grid.width), np.nan, np.float32)
    for rows, cols, stack in heatmaps.blocks(video):
        heat[rows, cols] = tracking.aggregate(stack, video.timestamps, how.aggregation)
    mask = tracking.hard_mask(heat, how.thresh, how.morph_kernel)
    if bounds is not None:
        mask &= _inside(bounds, video)
    pieces = tracking.outlines(mask, grid, how.polygon_simplify_tolerance, how.poly_merge_method)
    sites = []
    for piece in _within(pieces, region, grid, how):
        outline = grids.reproject(piece, grid.crs, grids.LONLAT)
        response = _mean_under(heat, outline, video)
        if response >= (how.response_thresh or -math.inf):
            sites.append(SiteSummary("", "system_confirmed", outline))
    return sites


def _within(
    pieces: Iterable[BaseGeometry], region: Region, grid: Grid, how: Tracking
) -> Iterator[BaseGeometry]:
    """The pieces (in the CRS of the grid) in the region and of an area within the limits."""
    import shapely

    square_metres = tracking.metres_per_unit(grid) ** 2
    smallest, largest = how.min_area_square_meters or 0.0, how.max_area_square_meters or math.inf
    boundary = grids.reproject(region.geometry, grids.LONLAT, grid.crs)
    shapely.prepare(boundary)
    for piece in pieces:
        if not boundary.intersects(piece):
            continue
        parts = [piece]
        if how.boundary_behavior == "clip":
            parts = [part for part in shapely.get_parts(boundary.intersection(piece)) if part.area > 0]
        yield from (part for part in parts if smallest <= part.area * square_metres <= largest)


def _inside(bounds: Sequence[BaseGeometry], video: HeatVideo) -> np.ndarray:
    import numpy as np

    mask = np.zeros((video.grid.height, video.grid.width), bool)
    for geometry in bounds:
        place = heatmaps.footprint(geometry, video.grid)
        if place is not None:
            height, width = place.mask.shape
            mask[place.row : place.row + height, place.col : place.col + width] |= place.mask
    return mask


def _mean_under(heat: np.ndarray, outline: BaseGeometry, video: HeatVideo) -> float:
    """Mean of what is not NaN under an outline; -inf where nothing is."""
    import numpy as np

    place = heatmaps.footprint(outline, video.grid)
    if place is None:
        return -math.inf
    height, width = place.mask.shape
    values = heat[place.row : place.row + height, place.col : place.col + width][place.mask]
    values = values[~np.isnan(values)]
    return float(values.mean(dtype=np.float64)) if values.size else -math.inf


def _tracked(
    video: HeatVideo, how: Tracking, region: Region, outlines: Sequence[SiteSummary]
) -> Iterator[Site]:
    """The outlines that are on at some time, each as often as it is (see `tracking.spans`)."""
    places = [heatmaps.footprint(outline.geometry, video.grid) for outline in outlines]
    means, known = heatmaps.series(video, places)
    for outline, heat, share in zip(outlines, means, known, strict=True):
        scores = heat[:, 0] if heat.shape[1] == 1 else active_score(heat)
        on = tracking.on_frames(scores, how.thresh, how.time_thresh)
        # A given site keeps its id, so it cannot become two.
        split = None if outline.site_id else how.time_split_thresh
        for span in tracking.spans(scores, on, split):
            site = _site(video, how, region, outline, heat, share, span)
            if site.score >= (how.site_score_thresh or 0.0):
                yield site


def _site(
    video: HeatVideo,
    how: Tracking,
    region: Region,
    outline: SiteSummary,
    heat: np.ndarray,
    share: np.ndarray,
    span: tuple[int, int],
) -> Site:
    """One site with an observation for every frame of its padded period that has data."""
    import numpy as np

    first, last = span
    dates = [frame.date for frame in video.frames]
    start = max(dates[0], dates[first] - timedelta(days=how.time_pad_before))
    end = min(dates[-1], dates[last] + timedelta(days=how.time_pad_after))
    scores = heat[:, 0] if heat.shape[1] == 1 else active_score(heat)
    phases = _phases(heat, how, span)
    observations = tuple(
        Observation(
            date=frame.date,
            phase=phases[t],
            geometry=outline.geometry,
            source=frame.image_name,
            sensor_name=frame.sensor,
            score=_rounded(scores[t]),
            is_occluded=bool(share[t] < 0.5),
            is_site_boundary=True,
        )
        for t, frame in enumerate(video.frames)
        if start <= frame.date <= end and share[t] > 0
    )
    within = scores[first : last + 1]
    score = _rounded(within[~np.isnan(within)].mean())
    return Site(
        outline.site_id, region.region_id, "system_confirmed", outline.geometry, start, end, score,
        observations, region.mgrs,
    )  # fmt: skip


def _phases(heat: np.ndarray, how: Tracking, span: tuple[int, int]) -> list[str]:
    """A phase per frame: from the classes over the whole video, or around the span if there are none."""
    if heat.shape[1] > 1:
        return phases_of(heat, how.smoothing, how.use_viterbi)
    first, last = span
    within = phases_without_classes(last - first + 1)
    return ["No Activity"] * first + within + ["Post Construction"] * (len(heat) - last - 1)


def _rounded(score: float) -> float:
    """To 6 decimals, which do not depend on the order of a sum, and into 0..1."""
    return min(1.0, max(0.0, round(float(score), 6)))
