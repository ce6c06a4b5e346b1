"""What `predict` and `postprocess` leave behind, made by hand, for the tests of prediction and merging."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import shapely

from pipelines.cerulean import georeference
from pipelines.cerulean.classes import USUAL, remap
from pipelines.cerulean.scenes import from_line
from tests.pipelines.programs import caller

call = caller("pipelines.cerulean")
REMAP = remap(USUAL)
CLASSES = REMAP.names  # background, infra_slick, natural_seep, recent_vessel
METRES = 40  # a pixel of scene_folders.straight


class Part(NamedTuple):
    """A polygon of a tile, in pixels of the scene."""

    geometry: shapely.Polygon
    name: str = "infra_slick"
    score: float = 0.8
    tile_set: int = 0


def write_record(path: Path, folders: Sequence[Path], **more: Any) -> None:
    scenes = [
        {"id": folder.name, "folder": str(folder), "raster": str(path.parent / f"{folder.name}.tif"),
         "height": from_line(str(folder)).size()[0], "width": from_line(str(folder)).size()[1]}
        for folder in folders
    ]  # fmt: skip
    facts = {"classes": CLASSES, "numbers": REMAP.numbers, "dropped": sorted(REMAP.dropped)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**facts, "channels": ["vv"], "scenes": scenes, **more}))


def write_polygons(folder: Path, found: Mapping[Path, Sequence[Part]]) -> Path:
    """As `postprocess` does."""
    write_record(folder / "postprocess.json", list(found))
    for scene, parts in found.items():
        features = [
            {
                "type": "Feature", "id": number, "geometry": None,
                "pixels": shapely.geometry.mapping(part.geometry),
                "properties": {"class": part.name, "score": part.score, "max_confidence": part.score,
                               "tile_set": part.tile_set},
            }
            for number, part in enumerate(parts, 1)
        ]  # fmt: skip
        text = json.dumps({"type": "FeatureCollection", "features": features})
        (folder / f"{scene.name}.geojson").write_text(text)
    return folder


def write_predicted(folder: Path, found: Mapping[Path, Mapping[str, np.ndarray]]) -> Path:
    """As `predict` does: of each scene the probabilities (h, w) of some classes."""
    write_record(folder / "predict.json", list(found))
    for scene, maps in found.items():
        height, width = next(iter(maps.values())).shape
        bands = np.stack([maps.get(name, np.zeros((height, width))) for name in CLASSES])
        bands[0] = 1 - bands[1:].sum(0)
        with rasterio.open(scene / "Background.png") as background:
            points, crs = background.gcps
        shape = {"height": height, "width": width, "count": len(bands), "dtype": "uint16"}
        with rasterio.open(
            folder / f"{scene.name}.tif", "w", driver="GTiff", gcps=points, crs=crs, **shape
        ) as file:
            file.write(np.rint(bands * 65535).astype(np.uint16))
    return folder


def merge(polygons: Path, *options: object) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The record of `merge` and the features of each scene."""
    dst = polygons.parent / "merged"
    ended = call("merge", f"--polygons={polygons}", f"--dst={dst}", *options)
    assert ended.code == 0, ended.err
    record = json.loads((dst / "merge.json").read_text())
    return record, {
        one["id"]: json.loads(Path(one["polygons"]).read_text())["features"] for one in record["scenes"]
    }


def in_pixels(feature: Mapping[str, Any], scene: Path) -> Any:
    """The polygon in degrees of a feature, brought to pixels by the scene's points."""
    place = georeference.read(scene / "Background.png")

    def back(points: np.ndarray) -> np.ndarray:
        rows, cols = place.from_lonlat(points[:, 0], points[:, 1])
        return np.column_stack([cols, rows])

    return shapely.transform(shapely.geometry.shape(feature["geometry"]), back)


def write_land(folder: Path, *shapes: Any) -> Path:
    """A folder of auxiliary data with land alone, in degrees."""
    folder.mkdir(parents=True, exist_ok=True)
    features = [
        {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(one)} for one in shapes
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (folder / "land.geojson").write_text(text)
    return folder
