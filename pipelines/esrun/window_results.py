"""The outputs of a partition's windows, and which feature of the request each window is for.

What is made of them does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset
from pipelines.esrun.features import Feature, FeatureCollection, collection, read_features
from pipelines.esrun.projection import LONLAT, Projection, to_lonlat
from pipelines.esrun.scratch import OUTPUT_LAYER, Part
from pipelines.program import read_json

if TYPE_CHECKING:
    from shapely import STRtree

WINDOW = "oe_window_"  # properties of a feature that describe its window


@dataclass(frozen=True)
class WindowResult:
    """What inference wrote for a window.

    Attributes:
        request: the feature that the window was made for.
        folder: of the window's layer `output`.
    """

    name: str
    request: Feature
    folder: Path

    @property
    def is_there(self) -> bool:
        return (self.folder / "completed").exists()

    def rasters(self) -> list[Path]:
        """A file for each band set.

        Raises:
            BadInput: there is none.
        """
        found = sorted(self.folder.glob("*/geotiff.tif"))
        if not found:
            raise BadInput(
                "holds no <bands>/geotiff.tif, though inference has completed it", where=self.folder
            )
        return found

    def features(self) -> FeatureCollection:
        """Features in lon/lat, also from a file in pixels as rslearn writes it.

        Raises:
            BadInput: there is no data.geojson, or none that can be read.
        """
        path = self.folder / "data.geojson"
        data = read_json(path)
        said = data.get("properties") if isinstance(data, Mapping) else None
        if not isinstance(said, Mapping) or said.get("crs") in (None, LONLAT):
            return read_features(path, need=False)
        return _from_pixels(data, Projection.from_json(said), path)


def window_results(part: Part, source: Dataset, output: Dataset) -> list[WindowResult]:
    """The windows of a partition in the order of its windows.geojson.

    Args:
        source: the dataset that holds the windows.
        output: the one that holds their layer `output`; may be the same.
    """
    asked = _Asked(read_features(part.request))
    windows = {window.name: window for window in source.windows([part.group])}
    found = []
    for feature in read_features(part.windows, need=False):
        name = str(feature.named("window_name"))
        if name in windows:
            folder = output.layer_dpath(windows[name], OUTPUT_LAYER)
        else:
            folder = output.path / "windows" / part.group / name
        found.append(WindowResult(name, asked.request_of(feature), folder))
    return found


@dataclass(frozen=True)
class _Asked:
    """The features of a request, to be found again from their windows."""

    features: FeatureCollection
    alike: dict[str, list[Feature]] = field(default_factory=dict)

    @cached_property
    def _groups(self) -> dict[str, tuple[list[Feature], STRtree]]:
        from shapely import STRtree

        found: dict[str, list[Feature]] = {}
        for feature in self.features:
            found.setdefault(_words(feature), []).append(feature)
        return {words: (some, STRtree([one.geometry for one in some])) for words, some in found.items()}

    def request_of(self, window: Feature) -> Feature:
        """Of the features that say what the window says, the one in its middle; without one, the window."""
        own = {key: value for key, value in window.properties.items() if not key.startswith(WINDOW)}
        window = Feature(window.geometry, own, window.id)
        some, tree = self._groups.get(_words(window), ([], None))
        if tree is None or not some:
            return window
        near = sorted(tree.query(window.geometry, predicate="intersects").tolist()) or range(len(some))
        number = min(near, key=lambda one: _distance(window, some[one]))
        return some[number]


def _distance(window: Feature, feature: Feature) -> tuple[bool, float]:
    """Degrees between the middles; features that only touch a window come last."""
    shape = feature.geometry
    touches = shape.area > 0 and shape.intersection(window.geometry).area == 0
    return touches, shape.centroid.distance(window.geometry.centroid)


def _words(feature: Feature) -> str:
    return repr((feature.id, sorted((key, repr(value)) for key, value in feature.properties.items())))


def _from_pixels(data: Mapping[str, Any], projection: Projection, path: Path) -> FeatureCollection:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    def moved() -> Iterator[Feature]:
        for item in data["features"]:
            geometry = to_lonlat(shape(item["geometry"]), projection)
            yield Feature(geometry, item.get("properties") or {}, item.get("id"))

    try:
        return collection(moved())
    except (ShapelyError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"has features that cannot be read ({error})", where=path) from None
