"""Which region bounds a video of heatmaps, and which sites are given for it.

Files are read by iarpa.py; what is done with the sites does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipelines.errors import BadInput
from pipelines.geowatch import iarpa
from pipelines.geowatch.heatmaps import HeatVideo
from pipelines.geowatch.iarpa import Region, SiteSummary
from pipelines.geowatch.site_tracks import NOT_SITES

_SITE_ID = re.compile(r"([A-Z]{2}_[A-Z][0-9]{3})_[0-9]+")


@dataclass(frozen=True)
class RegionFiles:
    """The region models that the user gave, by their ids, and where."""

    path: str
    regions: Mapping[str, Region]

    @classmethod
    def of(cls, path: str | None) -> RegionFiles | None:
        """The region models of a file, folder or manifest; None without one.

        Raises:
            BadInput: a file is no region model, or two are about one region.
        """
        if path is None:
            return None
        regions: dict[str, Region] = {}
        for region in (part for file in iarpa.find(path) for part in _parts(iarpa.read_region(file))):
            if region.region_id in regions:
                raise BadInput(f"has two models of region {region.region_id!r}", where=path)
            regions[region.region_id] = region
        return cls(path, regions)


def _parts(region: Region) -> list[Region]:
    """A region model by the regions that the ids of its sites name: site validation may write one for all."""
    import shapely

    parts = [replace(region, sites=tuple(s for s in region.sites if _home(s, region) == region.region_id))]
    for region_id in sorted({_home(site, region) for site in region.sites} - {region.region_id}):
        sites = tuple(site for site in region.sites if _home(site, region) == region_id)
        where = shapely.union_all([site.geometry for site in sites])
        areas = [a for a in shapely.get_parts(region.geometry) if a.intersects(where)] or [region.geometry]
        parts.append(
            Region(region_id, shapely.union_all(areas), region.start_date, region.end_date, "", sites)
        )
    return parts


def _home(site: SiteSummary, region: Region) -> str:
    """The region that a site's id names, if it names one as `KR_R001_0003` does."""
    found = _SITE_ID.fullmatch(site.site_id)
    return found[1] if found else region.region_id


def task_of(
    video: HeatVideo, bounding: RegionFiles | None, giving: RegionFiles | None
) -> tuple[Region, list[SiteSummary] | None]:
    """The region that bounds a video, and the sites that are given for it.

    Raises:
        BadInput: no region model is about this video, or the region lies outside of it.
    """
    region = _about(video, bounding)
    giver = _about(video, giving)
    if giver is not None:
        sites = _given(video, giver)
        return region or giver, sites
    return region or _whole(video), None


def by_id(regions: Iterable[Region]) -> dict[str, Region]:
    """The regions by their ids; the crops of one that nothing bounds together make it up."""
    found: dict[str, Region] = {}
    for region in regions:
        known = found.setdefault(region.region_id, region)
        if known is not region:
            found[region.region_id] = _joined(known, region)
    return found


def _joined(one: Region, other: Region) -> Region:
    starts = [day for day in (one.start_date, other.start_date) if day is not None]
    ends = [day for day in (one.end_date, other.end_date) if day is not None]
    return replace(
        one,
        geometry=one.geometry.union(other.geometry),
        start_date=min(starts, default=None),
        end_date=max(ends, default=None),
    )


def _about(video: HeatVideo, files: RegionFiles | None) -> Region | None:
    """The region of a video, checked to lie on its images."""
    if files is None:
        return None
    region = files.regions.get(video.region_id)
    if region is None:
        raise BadInput(
            f"has no model of region {video.region_id!r}, which is in the images", where=files.path
        )
    if not region.geometry.intersects(video.grid.outline) and video.name == video.region_id:
        raise BadInput(f"region {region.region_id!r} lies outside the images of its video", where=files.path)
    return region


def _given(video: HeatVideo, region: Region) -> list[SiteSummary]:
    """The summaries for a video of a region: all; for a crop: the one of its site, if it is there."""
    return [
        site
        for site in region.sites
        if video.name in (region.region_id, site.site_id)
        and not any(word in site.status for word in NOT_SITES)
    ]


def _whole(video: HeatVideo) -> Region:
    """A region as large as the images, for a search without bounds."""
    dates = [frame.date for frame in video.frames]
    return Region(video.region_id, video.grid.outline, dates[0], dates[-1])
