"""GeoJSON in lon/lat: features, collections of them, and the time that a feature asks for.

What a request or an annotation means beyond that does not belong here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.program import read_json, write_json

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

TimeRange = tuple[datetime, datetime]
PREFIXES = ("oe_", "es_")  # the newer first


@dataclass(frozen=True)
class Feature:
    """A shape in lon/lat (EPSG:4326) and what is said of it.

    Attributes:
        id: the feature's id in its file, if any.
    """

    geometry: BaseGeometry
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | int | None = None

    @property
    def time_range(self) -> TimeRange | None:
        """Start and end, in UTC if they do not say; None where the feature has neither."""
        start, end = self.named("start_time"), self.named("end_time")
        return None if start is None or end is None else (_time(start), _time(end))

    def named(self, name: str) -> Any:
        """The property `oe_<name>`, or `es_<name>` as older files have it."""
        return next((self.properties[p + name] for p in PREFIXES if p + name in self.properties), None)

    def to_json(self) -> dict[str, Any]:
        from shapely.geometry import mapping

        found = {"type": "Feature", "geometry": mapping(self.geometry), "properties": dict(self.properties)}
        return found if self.id is None else {**found, "id": self.id}


@dataclass(frozen=True)
class FeatureCollection:
    """Features in the order of their file."""

    features: tuple[Feature, ...] = ()

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def __len__(self) -> int:
        return len(self.features)

    def to_json(self) -> dict[str, Any]:
        return {"type": "FeatureCollection", "features": [one.to_json() for one in self.features]}


def collection(features: Iterable[Feature]) -> FeatureCollection:
    return FeatureCollection(tuple(features))


def read_features(path: str | os.PathLike[str], need: bool = True) -> FeatureCollection:
    """The features of a GeoJSON file.

    Args:
        need: whether a file without features is an error.

    Raises:
        BadInput: no such file, no GeoJSON, no features, a ring that is not closed, coordinates that are not
            lon/lat, a shape across the antimeridian, a start after its end.
    """
    data = read_json(path)
    if isinstance(data, Mapping) and data.get("type") == "Feature":
        data = {"type": "FeatureCollection", "features": [data]}
    if not isinstance(data, Mapping) or data.get("type") != "FeatureCollection":
        raise BadInput("is no GeoJSON FeatureCollection", where=path)
    listed = data.get("features")
    if not isinstance(listed, list) or (need and not listed):
        raise BadInput("has no features", where=path)
    return collection(_feature(item, number, path) for number, item in enumerate(listed))


def write_features(path: str | os.PathLike[str], features: FeatureCollection) -> None:
    """Write them as GeoJSON, whole or not at all, with sorted keys."""
    write_json(path, features.to_json())


def _feature(item: Any, number: int, path: str | os.PathLike[str]) -> Feature:
    place = f"feature {number}"
    if not isinstance(item, Mapping) or not isinstance(item.get("geometry"), Mapping):
        raise BadInput(f"{place} has no geometry", where=path)
    properties = item.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise BadInput(f"{place}: properties are {properties!r}, not a mapping", where=path)
    for key, value in properties.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"{place}: {key} is {value}, which JSON has not", where=path, hint="use null")
    found = Feature(_shape(item["geometry"], place, path), dict(properties), item.get("id"))
    try:
        span = found.time_range
    except ValueError as error:
        raise BadInput(f"{place}: {error}", where=path) from None
    if span is not None and span[0] > span[1]:
        raise BadInput(
            f"{place} starts at {span[0].isoformat()}, after its end at {span[1].isoformat()}", where=path
        )
    return found


def _shape(geometry: Mapping[str, Any], place: str, path: str | os.PathLike[str]) -> BaseGeometry:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    _check_rings(geometry, place, path)
    try:
        found = shape(geometry)
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise BadInput(f"{place}: its geometry cannot be read ({error})", where=path) from None
    if found.is_empty:
        raise BadInput(f"{place} has an empty geometry", where=path)
    west, south, east, north = found.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise BadInput(f"{place} lies at {found.bounds}, which is not lon/lat in degrees", where=path)
    if east - west > 180:
        raise BadInput(
            f"{place} spans {east - west:.6g} degrees of longitude: does it cross the antimeridian?",
            where=path, hint="cut it at 180 degrees into two features",
        )  # fmt: skip
    return found


def _check_rings(geometry: Mapping[str, Any], place: str, path: str | os.PathLike[str]) -> None:
    """Shapely closes an open ring in silence; an open one is more often a cut file."""
    kind, points = geometry.get("type"), geometry.get("coordinates")
    polygons = {"Polygon": [points], "MultiPolygon": points}.get(str(kind))
    for ring in (ring for polygon in _listed(polygons) for ring in _listed(polygon)):
        if isinstance(ring, list) and (len(ring) < 4 or ring[0] != ring[-1]):
            raise BadInput(f"{place}: a ring of its {kind} is not closed", where=path)
    for part in _listed(geometry.get("geometries")):
        if isinstance(part, Mapping):
            _check_rings(part, place, path)


def _listed(value: Any) -> list[Any]:
    """A list as it is; anything else, which shapely complains of, as an empty one."""
    return value if isinstance(value, list) else []


def _time(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"{text!r} is no ISO date") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
