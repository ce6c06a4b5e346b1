"""What `merge` has found in scenes, and the layers of these scenes, read as slicks to compare.

Comparing them does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cerulean import records
from pipelines.cerulean.classes import IDS
from pipelines.cerulean.instance_metrics import Case
from pipelines.cerulean.matching import IGNORED, Instance, cropped
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from pipelines.cerulean.scenes import Scene

RECORD = "merge.json"


@dataclass(frozen=True)
class Found:
    """A polygon of a scene.

    Attributes:
        name: of its class.
        score: higher is surer.
        lonlat: in longitude and latitude (EPSG:4326).
        pixels: the same in the scene's pixels: x is the column, y the row, integers are corners.
    """

    name: str
    score: float
    lonlat: BaseGeometry
    pixels: BaseGeometry


@dataclass(frozen=True)
class Merged:
    """What a folder of `merge` holds.

    Attributes:
        classes: the model's, background first.
        numbers: for each id of `CLASSES`, the number of its class in ``classes``; `IGNORED`: does not count.
        scenes: the record of each scene, by its id.
        georeference: name of the model by which the polygons were placed.
        counts: what merge counted: polygons that it took away, and why.
    """

    folder: Path
    classes: tuple[str, ...]
    numbers: tuple[int, ...]
    scenes: Mapping[str, Mapping[str, Any]]
    georeference: str
    counts: Mapping[str, Any]


def read_merged(folder: str | Path, ignore_dropped: bool = True) -> Merged:
    """The record in a folder of `merge`.

    Args:
        ignore_dropped: true slicks of classes that the model leaves out don't count; else they are sea.

    Raises:
        BadInput: see `records.read`.
    """
    path = Path(folder) / RECORD
    record = records.read(path, {"folder": str}, "merge")
    classes, numbers = tuple(record["classes"]), list(record["numbers"])
    dropped = {IDS[name] for name in record["dropped"]}
    scenes = {one["id"]: one for one in record["scenes"]}
    if ignore_dropped:
        numbers = [IGNORED if place in dropped else number for place, number in enumerate(numbers)]
    model, counts = str(record.get("georeference", "polynomial")), record.get("counts", {})
    return Merged(Path(folder), classes, tuple(numbers), scenes, model, counts)


def chosen(merged: Merged, scene_list: str | None) -> list[Scene]:
    """The scenes to compare: all, or those of a list, which may lie elsewhere; by id.

    Raises:
        BadInput: a scene is missing, or the list holds one in which nothing was searched.
    """
    from pipelines.cerulean.scenes import from_line, read_list

    if scene_list is None:
        found = [from_line(str(one["folder"])) for one in merged.scenes.values()]
    else:
        found = read_list(scene_list)
        for scene in found:
            if scene.id not in merged.scenes:
                raise BadInput(f"lists {scene.id}, which {merged.folder / RECORD} does not", where=scene_list)
    return sorted(found, key=lambda scene: scene.id)


def read_case(merged: Merged, scene: Scene, polygons: Sequence[Found]) -> Case:
    """The layers of a scene and its polygons.

    Raises:
        BadInput: see `layers.read_cropped`; the scene has another size than it had.
    """
    from pipelines.cerulean.layers import read_cropped

    shape = scene.size()
    record = merged.scenes[scene.id]
    before = record.get("height", shape[0]), record.get("width", shape[1])
    if before != shape:
        sizes = f"is {shape[0]} x {shape[1]} pixels, but was {before[0]} x {before[1]}"
        raise BadInput(f"{sizes} when slicks were searched", where=scene.background)
    layers = []
    for path in scene.layers:
        layer = read_cropped(path, shape)
        layers.append(Instance(merged.numbers[layer.number], 1.0, layer.row, layer.col, layer.mask))
    found = [burnt(one.pixels, shape, merged.classes.index(one.name), one.score) for one in polygons]
    return Case(scene.id, shape, layers, found)


def read_polygons(merged: Merged, scene_id: str) -> list[Found]:
    """The polygons of a scene, in their file's order.

    Raises:
        BadInput: the file is missing, or a feature has no geometry, score or class of the model.
    """
    path = merged.folder / f"{scene_id}.geojson"
    features = enumerate(records.read_features(path), 1)
    return [_found(feature, merged.classes, path, place) for place, feature in features]


def burnt(geometry: BaseGeometry, shape: tuple[int, int], number: int, score: float) -> Instance:
    """The pixels of a scene (height, width) whose centres lie in ``geometry`` (in its pixels)."""
    import numpy as np
    from affine import Affine
    from rasterio.features import rasterize

    if geometry.is_empty:
        return Instance(number, score, 0, 0, np.zeros((0, 0), bool))
    west, south, east, north = geometry.bounds
    left, top = max(math.floor(west), 0), max(math.floor(south), 0)
    right, bottom = min(math.ceil(east), shape[1]), min(math.ceil(north), shape[0])
    if left >= right or top >= bottom:
        return Instance(number, score, 0, 0, np.zeros((0, 0), bool))
    mask = rasterize(
        [geometry],
        out_shape=(bottom - top, right - left),
        transform=Affine.translation(left, top),
        dtype="uint8",
    )
    return cropped(number, score, mask.astype(bool), top, left)


def _found(feature: Any, classes: Sequence[str], path: Path, place: int) -> Found:
    import shapely

    try:
        properties = feature["properties"]
        name, score = properties["class"], float(properties["score"])
        lonlat, pixels = _polygon(feature["geometry"]), _polygon(feature["pixels"])
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BadInput(f"feature {place} is no polygon of merge ({reason})", where=path) from None
    if name not in classes[1:]:
        hint = f"of {', '.join(classes[1:])}"
        raise BadInput(f"feature {place} has the class {name!r}", where=path, hint=hint)
    if not math.isfinite(score):
        raise BadInput(f"feature {place} has the score {score}", where=path)
    return Found(name, score, lonlat, pixels)


def _polygon(part: Any) -> BaseGeometry:
    import shapely
    from shapely.geometry import shape

    if part["type"] not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"a {part['type']}")
    return shapely.make_valid(shape(part))
