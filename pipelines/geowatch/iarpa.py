"""IARPA region and site models: GeoJSON files read and written with validation.

How sites are found, matched or drawn does not belong here; `iarpa_schema.json` says what a file may hold.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from typing import Any

from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from pipelines.errors import BadInput
from pipelines.geowatch.iarpa_check import check
from pipelines.geowatch.iarpa_manifest import find, read_manifest, write_manifest
from pipelines.geowatch.iarpa_models import ORIGINATOR, PHASES, Observation, Region, Site, SiteSummary
from pipelines.program import read_json, write_json

__all__ = [
    "PHASES",
    "Observation",
    "Region",
    "Site",
    "SiteSummary",
    "find",
    "geometry_of",
    "read_manifest",
    "read_region",
    "read_site",
    "write_manifest",
    "write_region",
    "write_site",
]

DECIMALS = 8  # of a degree: a millimetre
Name = str | os.PathLike[str]


def read_region(path: Name) -> Region:
    """The region model in ``path``.

    Raises:
        BadInput: it is no region model; names the file, the feature and the key.
    """
    features = _features(path, "region")
    heads, rest = _split(features, "region")
    head = _only(heads, path, "region")
    sites = tuple(sorted((_summary(f, i, path) for i, f in rest), key=lambda site: site.site_id))
    for one, other in zip(sites, sites[1:], strict=False):
        if one.site_id == other.site_id:
            raise BadInput(f"has two site summaries {one.site_id!r}", where=path)
    properties = head["properties"]
    start, end = _period(properties, 0, path)
    return Region(
        properties["region_id"], geometry_of(head, 0, path), start, end, properties.get("mgrs") or "", sites
    )


def write_region(path: Name, region: Region) -> None:
    """Write a region model, whole or not at all.

    Raises:
        BadInput: it would not be a valid one.
    """
    head = {
        "type": "region",
        "region_id": region.region_id,
        "version": "2.4.3",
        "mgrs": region.mgrs,
        **_dates(region),
        "originator": ORIGINATOR,
        "model_content": "annotation",
        "comments": "",
    }
    summaries = [
        _feature(site.geometry, {"type": "site_summary", **_common(site), "mgrs": region.mgrs})
        for site in sorted(region.sites, key=lambda site: site.site_id)
    ]
    _write(path, "region", [_feature(region.geometry, head), *summaries])


def read_site(path: Name) -> Site:
    """The site model in ``path``.

    Raises:
        BadInput: it is no site model; names the file, the feature and the key.
    """
    features = _features(path, "site")
    heads, rest = _split(features, "site")
    head = _only(heads, path, "site")
    observations = [one for i, feature in rest for one in _observations(feature, i, path)]
    observations.sort(key=lambda one: one.date or date.min)
    properties = head["properties"]
    start, end = _period(properties, 0, path)
    return Site(
        site_id=properties["site_id"],
        region_id=properties.get("region_id") or properties["site_id"].rpartition("_")[0],
        status=properties["status"],
        geometry=geometry_of(head, 0, path),
        start_date=start,
        end_date=end,
        score=_score(properties),
        observations=tuple(observations),
        mgrs=properties.get("mgrs") or "",
        originator=properties.get("originator") or ORIGINATOR,
    )


def write_site(path: Name, site: Site) -> None:
    """Write a site model, whole or not at all.

    Raises:
        BadInput: it would not be a valid one.
    """
    head = {"type": "site", **_common(site), "region_id": site.region_id, "mgrs": site.mgrs}
    observations = [
        _feature(
            one.geometry,
            {
                "type": "observation",
                "observation_date": one.date.isoformat() if one.date else None,
                "source": one.source,
                "sensor_name": one.sensor_name,
                "current_phase": one.phase,
                "is_occluded": one.is_occluded,
                "is_site_boundary": one.is_site_boundary,
                "score": one.score,
            },
        )
        for one in sorted(site.observations, key=lambda one: one.date or date.min)
    ]
    _write(path, "site", [_feature(site.geometry, head), *observations])


def _features(path: Name, kind: str) -> list[dict[str, Any]]:
    document = read_json(path)
    check(document, kind, path)
    features: list[dict[str, Any]] = document["features"]
    return features


Numbered = list[tuple[int, dict[str, Any]]]


def _split(features: Sequence[dict[str, Any]], kind: str) -> tuple[Numbered, Numbered]:
    """The features of type ``kind`` and the others, each with its place in the file."""
    numbered = list(enumerate(features))
    heads = [pair for pair in numbered if pair[1]["properties"]["type"] == kind]
    return heads, [pair for pair in numbered if pair not in heads]


def _only(heads: Numbered, path: Name, kind: str) -> dict[str, Any]:
    if len(heads) != 1:
        raise BadInput(f"has {len(heads)} features of type {kind!r} instead of one", where=path)
    return heads[0][1]


def _summary(feature: dict[str, Any], index: int, path: Name) -> SiteSummary:
    properties = feature["properties"]
    start, end = _period(properties, index, path)
    return SiteSummary(
        properties["site_id"],
        properties["status"],
        geometry_of(feature, index, path),
        start,
        end,
        _score(properties),
        properties.get("originator") or ORIGINATOR,
    )


def _observations(feature: dict[str, Any], index: int, path: Name) -> list[Observation]:
    """One observation, or one per polygon where the phases of its polygons differ."""
    properties = feature["properties"]
    geometry = geometry_of(feature, index, path)
    phases = [text if text in PHASES else None for text in _parts(properties.get("current_phase"))]
    parts = [geometry] * len(phases[:1])
    if len(set(phases)) > 1:
        parts = list(getattr(geometry, "geoms", [geometry]))
        if len(parts) != len(phases):
            raise BadInput(f"feature {index} has {len(phases)} phases, {len(parts)} polygons", where=path)
    return [
        Observation(
            date=_date(properties["observation_date"]),
            phase=phase,
            geometry=part,
            source=properties.get("source"),
            sensor_name=properties.get("sensor_name"),
            score=_score(properties),
            is_occluded=_flag(properties.get("is_occluded")),
            is_site_boundary=_flag(properties.get("is_site_boundary")),
        )
        for part, phase in zip(parts, phases, strict=False)
    ]


def _parts(text: str | None) -> list[str]:
    """IARPA's truth writes one value per polygon, with commas."""
    return [part.strip() for part in (text or "").split(",")]


def _flag(value: bool | str | None) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    return "true" in value.lower()


def _score(properties: dict[str, Any]) -> float:
    score = properties.get("score")
    return 1.0 if score is None else float(score)


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _period(properties: dict[str, Any], index: int, path: Name) -> tuple[date | None, date | None]:
    start, end = _date(properties["start_date"]), _date(properties["end_date"])
    if start and end and end < start:
        raise BadInput(f"feature {index} ends ({end}) before it starts ({start})", where=path)
    return start, end


def geometry_of(feature: dict[str, Any], index: int, path: Name) -> BaseGeometry:
    """The polygons of the feature ``index`` of a file, mended where a ring crosses itself.

    Raises:
        BadInput: they cover nothing.
    """
    import shapely
    from shapely.geometry import MultiPolygon

    geometry = shape(feature["geometry"])
    if not geometry.is_valid:
        parts = getattr(shapely.make_valid(geometry), "geoms", [shapely.make_valid(geometry)])
        polygons = [one for part in parts for one in getattr(part, "geoms", [part]) if one.area > 0]
        geometry = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
    if geometry.area == 0:
        raise BadInput(f"feature {index} has a geometry without area", where=path)
    return geometry


def _common(site: SiteSummary | Site) -> dict[str, Any]:
    return {
        "site_id": site.site_id,
        "version": "2.0.1",
        "status": site.status,
        **_dates(site),
        "score": site.score,
        "originator": site.originator,
        "model_content": "proposed" if site.status.startswith("system") else "annotation",
        "validated": "False",
    }


def _dates(item: Region | SiteSummary | Site) -> dict[str, str | None]:
    return {
        "start_date": item.start_date.isoformat() if item.start_date else None,
        "end_date": item.end_date.isoformat() if item.end_date else None,
    }


def _feature(geometry: BaseGeometry, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": _rounded(mapping(geometry)), "properties": properties}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def _write(path: Name, kind: str, features: list[dict[str, Any]]) -> None:
    document = {"type": "FeatureCollection", "features": features}
    check(document, kind, path)
    write_json(path, document)
