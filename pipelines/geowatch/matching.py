"""Which proposed site is which true one: footprints and periods compared, then assigned one to one.

Reading sites and turning matches into metrics do not belong here.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

    from pipelines.geowatch.iarpa import Region, Site

MIN_TEMPORAL_IOT = 0.2
MIN_TEMPORAL_IOP = 0.1
ACTIVE_PHASES = ("Site Preparation", "Active Construction")
POST = "Post Construction"
_BUSY = (None, "No Activity", POST, *ACTIVE_PHASES)
# An IoU of exactly one half must not fail because of the last digits of a projection.
_ROUNDING = 1e-6
_TINY = 1e-12  # at any threshold a pair must have something in common
_STEP = 0.01  # degrees between points of an edge that is projected


@dataclass(frozen=True)
class Period:
    """Calendar days, both ends included."""

    first: datetime.date
    last: datetime.date

    @property
    def days(self) -> int:
        """Length in days, at least one."""
        return (self.last - self.first).days + 1

    def overlap(self, other: Period) -> int:
        """Days in both, 0 where they are apart."""
        return max(0, (min(self.last, other.last) - max(self.first, other.first)).days + 1)


@dataclass(frozen=True, eq=False)
class Presence:
    """A site as matching sees it.

    Attributes:
        footprint: union of its outlines, in square metres of an equal-area projection.
        slices: the outline at each observation, by date.
        period: when it is active.
    """

    site_id: str
    status: str
    footprint: BaseGeometry
    slices: tuple[tuple[datetime.date, BaseGeometry], ...]
    period: Period


def equal_area_crs(region: Region) -> str:
    """A Lambert azimuthal equal-area projection about the region's centre, in metres."""
    centre = region.geometry.centroid
    return f"+proj=laea +lat_0={centre.y:.6f} +lon_0={centre.x:.6f} +datum=WGS84 +units=m +no_defs"


def presence(site: Site, region: Region, crs: str, *, is_truth: bool) -> Presence | None:
    """The site within the region and its period, or None if it has no part in either.

    The active period of a true site runs from its first observation in Site Preparation or Active
    Construction to its first Post Construction; that of a proposal from its start to its end date.
    """
    if not site.geometry.intersects(region.geometry):
        return None
    by_date = dated_phases(site, region)
    period = _period(site, region, by_date if is_truth else {})
    if period is None:
        return None
    outlines = {
        day: union([in_metres(item.geometry, crs) for item in site.observations if item.date == day])
        for day in by_date
    }
    footprint = union([*outlines.values()] or [in_metres(site.geometry, crs)])
    return Presence(site.site_id, site.status, footprint, tuple(outlines.items()), period)


def dated_phases(site: Site, region: Region) -> dict[datetime.date, str | None]:
    """The phase on each day of observation within the region's period, by date.

    Where parts of a site differ the busier one counts, so it is finished when all of it is.
    """
    phases: dict[datetime.date, str | None] = {}
    for item in site.observations:
        if item.date is not None and _within(item.date, region):
            phases[item.date] = max(phases.get(item.date), item.phase, key=_BUSY.index)
    return dict(sorted(phases.items()))


def similarities(
    truths: Sequence[Presence], proposals: Sequence[Presence], *, rho: float | None = None
) -> np.ndarray:
    """How alike each true site and each proposal are: float64 (truths, proposals) in 0..1.

    Without ``rho`` it is the IoU of the two footprints. With it, the largest IoU that at least the share
    ``rho`` of the truth's observations reach, each against the proposal's latest outline of that day
    (tau and rho of the IARPA SMART metrics framework). It is 0 where the periods overlap in less than
    20 percent of the truth's days or less than 10 percent of the proposal's (the framework's defaults).
    """
    import numpy as np
    import shapely

    alike = np.zeros((len(truths), len(proposals)))
    if not truths or not proposals:
        return alike
    tree = shapely.STRtree([proposal.footprint for proposal in proposals])
    pairs = tree.query([truth.footprint for truth in truths], predicate="intersects")
    for i, j in sorted(pairs.T.tolist()):
        truth, proposal = truths[i], proposals[j]
        if not _overlap_in_time(truth.period, proposal.period):
            continue
        if rho is None or not truth.slices:
            alike[i, j] = iou(truth.footprint, proposal.footprint)
        else:
            alike[i, j] = _reached(truth, proposal, rho)
    return alike


def assign(alike: np.ndarray, tau: float) -> list[tuple[int, int]]:
    """The one-to-one matching of rows and columns that are at least ``tau`` alike.

    As many pairs as can be, and of such matchings the one whose similarities sum to most.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    possible = alike >= max(tau - _ROUNDING, _TINY)
    # One more pair outweighs any gain in similarity: gains sum to at most min(shape).
    worth = np.where(possible, min(alike.shape, default=0) + 1 + alike, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if possible[i, j]]


def iou(a: BaseGeometry, b: BaseGeometry) -> float:
    """Area of the intersection over area of the union; 0 if neither has area."""
    common = a.intersection(b).area
    whole = a.area + b.area - common
    return common / whole if whole > 0 else 0.0


def reached(alike: np.ndarray, tau: float) -> set[int]:
    """The columns with a similarity of at least ``tau`` to any row."""
    return {j for j, column in enumerate(alike.T) if (column >= max(tau - _ROUNDING, _TINY)).any()}


def in_metres(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """``geometry`` (longitude and latitude) in ``crs``; long edges stay straight in degrees."""
    import shapely

    from pipelines.geowatch.grids import LONLAT, reproject

    return shapely.make_valid(reproject(shapely.segmentize(geometry, _STEP), LONLAT, crs))


def union(outlines: Sequence[BaseGeometry]) -> BaseGeometry:
    """All of them as one geometry; empty for none."""
    import shapely

    return shapely.union_all(outlines)


def _reached(truth: Presence, proposal: Presence, rho: float) -> float:
    """The IoU that the share ``rho`` of the truth's observations reach or exceed."""
    values = sorted((iou(outline, _outline(proposal, day)) for day, outline in truth.slices), reverse=True)
    return values[max(0, math.ceil(rho * len(values)) - 1)]


def _outline(proposal: Presence, day: datetime.date) -> BaseGeometry:
    """The latest outline at ``day``, else the first."""
    if not proposal.slices:
        return proposal.footprint
    before = [outline for date, outline in proposal.slices if date <= day]
    return before[-1] if before else proposal.slices[0][1]


def _overlap_in_time(truth: Period, proposal: Period) -> bool:
    days = truth.overlap(proposal)
    return days >= MIN_TEMPORAL_IOT * truth.days and days >= MIN_TEMPORAL_IOP * proposal.days and days > 0


def _period(site: Site, region: Region, phases: Mapping[datetime.date, str | None]) -> Period | None:
    active = [day for day, phase in phases.items() if phase in ACTIVE_PHASES]
    ended = [day for day, phase in phases.items() if active and day > active[0] and phase == POST]
    starts = (active[0] if active else site.start_date, region.start_date)
    ends = (ended[0] if ended else None if active else site.end_date, region.end_date)
    first = max((day for day in starts if day is not None), default=datetime.date.min)
    last = min((day for day in ends if day is not None), default=datetime.date.max)
    return Period(first, last) if first <= last else None


def _within(day: datetime.date, region: Region) -> bool:
    return (region.start_date is None or region.start_date <= day) and (
        region.end_date is None or day <= region.end_date
    )
