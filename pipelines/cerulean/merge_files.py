"""What `merge` reads and writes: polygons of `postprocess`, slicks of a scene.

What is done with them stands in merging.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cerulean import records
from pipelines.cerulean.joining import Slick
from pipelines.cerulean.planes import polygons_of
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from pipelines.cerulean.planes import Plane

SOURCE = "postprocess.json"


@dataclass(frozen=True)
class Source:
    """A scene of postprocess.json, with the file of its polygons."""

    id: str
    polygons: Path
    record: dict[str, Any]


def read_record(folder: Path) -> tuple[dict[str, Any], list[Source]]:
    """What `postprocess` wrote in a folder.

    Raises:
        BadInput: see `records.read`.
    """
    record = records.read(folder / SOURCE, {"folder": str}, "postprocess")
    sources = [Source(one["id"], folder / f"{one['id']}.geojson", one) for one in record["scenes"]]
    return record, sources


def read_slicks(path: Path, classes: Sequence[str], plane: Plane) -> list[Slick]:
    """The instances in a file of polygons, in pixels of the scene.

    Raises:
        BadInput: no such file, or a feature is not as `postprocess` writes it.
    """
    from shapely.errors import ShapelyError

    found = []
    for number, feature in enumerate(records.read_features(path), 1):
        try:
            found.append(_slick(feature, plane))
        except (KeyError, TypeError, ValueError, AttributeError, ShapelyError) as error:
            raise BadInput(
                f"feature {number} is not as postprocess writes it ({error})", where=path
            ) from None
        if found[-1].name not in classes[1:]:
            raise BadInput(
                f"feature {number} has the class {found[-1].name!r}, which no slick has", where=path
            )
    return [one for one in found if not one.geometry.is_empty]


def _slick(feature: dict[str, Any], plane: Plane) -> Slick:
    import shapely

    facts = feature["properties"]
    if "pixels" in feature:
        shape = shapely.geometry.shape(feature["pixels"])
    else:
        shape = plane.to_pixels(plane.from_lonlat(shapely.geometry.shape(feature["geometry"])))
    score = float(facts["score"])
    surest = float(facts.get("max_confidence", score))
    return Slick(
        polygons_of(shape), (str(facts["class"]),), (score,), surest, (int(facts.get("tile_set", 0)),)
    )


def write_slicks(
    path: Path, head: dict[str, Any], slicks: Sequence[Slick], numbers: Sequence[str], plane: Plane
) -> None:
    """Write slicks in pixels as a FeatureCollection in longitude and latitude, one a line.

    Args:
        head: members of the collection.
        numbers: names of the classes, in their places.
    """
    features = (
        _feature(number, slick, list(numbers).index(slick.name), plane)
        for number, slick in enumerate(slicks, 1)
    )
    records.write_features(path, head, features)


def _feature(number: int, slick: Slick, class_number: int, plane: Plane) -> dict[str, Any]:
    import shapely

    from pipelines.cerulean.polygons import on_earth

    left, top, right, bottom = slick.geometry.bounds
    return {
        "type": "Feature",
        "id": number,
        "geometry": shapely.geometry.mapping(on_earth(slick.geometry, plane.georeference)),
        "pixels": shapely.geometry.mapping(slick.geometry),
        "properties": {
            "id": number,
            "class": slick.name,
            "class_number": class_number,
            "score": slick.score,
            "max_confidence": slick.max_confidence,
            "parts": len(slick.scores),
            "tile_sets": list(slick.tile_sets),
            "area_m2": round(plane.from_pixels(slick.geometry).area, 1),
            "box": [left, top, right, bottom],
        },
    }
