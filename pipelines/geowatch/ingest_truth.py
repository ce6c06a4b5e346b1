"""Truth for imported images: regions and sites of GeoJSON files, and what each site is on a day.

The files of IARPA models are iarpa.py's; which images there are is image_files.py's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from pipelines.errors import BadInput
from pipelines.geowatch import iarpa
from pipelines.geowatch.iarpa_check import check
from pipelines.program import read_json

IGNORE = "ignore"
_CERTAIN = ("positive_annotated", "positive_partial", "system_confirmed", "system_proposed")


def read_regions(path: Path) -> list[iarpa.Region]:
    """Region models, or plain polygons that are made ones; sorted by id.

    Raises:
        BadInput: a file is neither, or an id comes twice.
    """
    regions = []
    for file in _files(path):
        if _types(file) & {"region", "site_summary"}:
            regions.append(iarpa.read_region(file))
        else:
            regions += [
                iarpa.Region(name, geometry, *_period(properties, file))
                for name, properties, geometry in _polygons(file, ("region_id", "id", "name"))
            ]
    regions.sort(key=lambda region: region.region_id)
    for one, other in zip(regions, regions[1:], strict=False):
        if one.region_id == other.region_id:
            raise BadInput(f"has the region {one.region_id!r} twice", where=path)
    return regions


def read_sites(path: Path) -> list[iarpa.Site]:
    """Site models, or plain polygons that are made ones (without region or observations).

    Raises:
        BadInput: a file is neither.
    """
    sites = []
    for file in _files(path):
        if _types(file) & {"site", "observation"}:
            sites.append(iarpa.read_site(file))
        else:
            sites += [
                iarpa.Site(name, "", "positive_annotated", geometry, *_period(properties, file))
                for name, properties, geometry in _polygons(file, ("site_id", "id", "name"))
            ]
    return sites


def sites_of(region: iarpa.Region, sites: Sequence[iarpa.Site]) -> list[iarpa.Site]:
    """The sites in ``region``, by id; the summaries of the region where no site model says more."""
    mine = {site.site_id: site for site in sites if site.region_id == region.region_id}
    for site in sites:
        if not site.region_id and site.geometry.intersects(region.geometry):
            # It may lie in other regions too: there it is another site.
            name = f"{region.region_id}_{site.site_id}"
            mine[name] = replace(site, site_id=name, region_id=region.region_id)
    for one in region.sites:
        if one.site_id not in mine:
            period = (one.start_date, one.end_date, one.score)
            mine[one.site_id] = iarpa.Site(one.site_id, region.region_id, one.status, one.geometry, *period)
    return [mine[name] for name in sorted(mine)]


def on_day(site: iarpa.Site, day: date) -> list[tuple[str, BaseGeometry]]:
    """Category and geometry (longitude, latitude) of the site on a day; none of a negative.

    A phase lasts until the next observation. A site without observations is active from its start to its
    end.
    """
    if site.status.startswith("negative") or site.status == "system_rejected":
        return []
    if not site.status.startswith(_CERTAIN):
        return [(IGNORE, site.geometry)]
    seen = [one for one in site.observations if one.date and one.phase]
    past = [one for one in seen if one.date and one.date <= day]
    if past:
        return [(one.phase or IGNORE, one.geometry) for one in past if one.date == past[-1].date]
    if seen or (site.start_date and day < site.start_date):
        return [(iarpa.PHASES[0], site.geometry)]
    over = site.end_date is not None and day >= site.end_date
    return [(iarpa.PHASES[3 if over else 2], site.geometry)]


def _files(path: Path) -> list[Path]:
    files = iarpa.find(path)
    if not files:
        raise BadInput("holds no *.geojson", where=path)
    return files


def _types(path: Path) -> set[Any]:
    """The `type` of the features' properties, which tells models from plain GeoJSON."""
    document = read_json(path)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise BadInput("is no GeoJSON FeatureCollection", where=path)
    properties = [one.get("properties") for one in features if isinstance(one, dict)]
    return {str(one.get("type")) for one in properties if isinstance(one, dict)}


def _polygons(path: Path, keys: tuple[str, ...]) -> list[tuple[str, dict[str, Any], BaseGeometry]]:
    """Name, properties and geometry of plain polygons; unnamed ones are called after the file."""
    document = read_json(path)
    for feature in document["features"]:
        if isinstance(feature, dict):
            feature["properties"] = {"type": "polygon", **(feature.get("properties") or {})}
    check(document, "collection", path)
    found = {}
    for index, feature in enumerate(document["features"]):
        properties = feature["properties"]
        names = [str(properties[key]) for key in keys if properties.get(key)]
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", names[0] if names else f"{path.stem}_{index:04d}")
        name = f"{name}_{index:04d}" if name in found else name
        found[name] = (name, properties, iarpa.geometry_of(feature, index, path))
    return list(found.values())


def _period(properties: dict[str, Any], path: Path) -> tuple[date | None, date | None]:
    days = []
    for key in ("start_date", "end_date"):
        text = properties.get(key)
        try:
            days.append(date.fromisoformat(text) if text else None)
        except (TypeError, ValueError):
            raise BadInput(f"{key} is {text!r}, not a date YYYY-MM-DD", where=path) from None
    return days[0], days[1]
