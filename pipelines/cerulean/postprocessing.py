"""From the probabilities of a scene to an outline per instance, tile by tile.

The steps themselves stand in suppression.py and polygons.py; files and options in postprocess.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.instances import Instances, candidates
from pipelines.cerulean.polygons import ToLonLat, on_earth, outline
from pipelines.cerulean.suppression import by_bbox_score, by_pixel_score, not_repeated
from pipelines.cerulean.tiling import Tile, tiles

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

    from pipelines.cerulean.predicted import Reader

#: What is counted, in the order of the steps: instances left after each.
STEPS = ("candidates", "bbox_score", "pixel_score", "pixel_nms", "polygons")


@dataclass(frozen=True)
class Settings:
    """Thresholds, each in [0, 1] or None (no such step), and the tiles of the scene.

    Attributes:
        tile_length: pixels; 0 makes the whole scene one tile.
        offsets: parts of a tile by which the tile sets begin before the scene.
    """

    bbox_score_thresh: float | None = 0.2
    pixel_score_thresh: float | None = 0.2
    pixel_nms_thresh: float | None = 0.4
    poly_score_thresh: float | None = 0.2
    conf_threshold: float | None = 0.2
    tile_length: int = 512
    offsets: tuple[float, ...] = (0.0, 0.33, 0.66)

    def tiles(self, height: int, width: int) -> Iterator[tuple[int, Tile]]:
        """Tiles of all tile sets that hold a pixel of the scene, each with the number of its set from 0."""
        # A tile that is the whole scene is the same in every set.
        for number, offset in enumerate(self.offsets if self.tile_length else self.offsets[:1]):
            for tile in tiles(height, width, self.tile_length, offset):
                rows, cols = tile.inside(height, width)
                if rows.start < rows.stop and cols.start < cols.stop:
                    yield number, tile


@dataclass(frozen=True)
class Outlined:
    """An instance that stayed, in pixels of the scene."""

    label: int
    score: float
    peak: float
    box: tuple[int, int, int, int]
    pixels: int
    outline: Polygon | MultiPolygon


def reduce(instances: Instances, settings: Settings, counts: Counter[str]) -> Instances:
    """Those that stay after the thresholds, in the order that cerulean-ml applies them in.

    Args:
        counts: is added to: how many were left after each step.
    """
    counts["candidates"] += len(instances)
    instances = by_bbox_score(instances, settings.bbox_score_thresh)
    counts["bbox_score"] += len(instances)
    instances = by_pixel_score(instances, settings.pixel_score_thresh)
    counts["pixel_score"] += len(instances)
    instances = not_repeated(instances, settings.pixel_nms_thresh)
    counts["pixel_nms"] += len(instances)
    return instances


def outlined(instances: Instances, threshold: float | None, row: int, col: int) -> Iterator[Outlined]:
    """The outlines of pixels surer than ``threshold`` (None: of all of an instance); who has none goes.

    Args:
        row, col: where the tile's first pixel stands in the scene.
    """
    for place, mask in enumerate(instances.masks):
        left, top, right, bottom = (int(edge) for edge in instances.boxes[place])
        sure = mask > (threshold or 0.0)
        if sure.any():
            yield Outlined(
                label=int(instances.labels[place]),
                score=float(instances.scores[place]),
                peak=float(mask.max()),
                box=(left + col, top + row, right + col, bottom + row),
                pixels=int(sure.sum()),
                outline=outline(sure, top + row, left + col),
            )


def features(
    read: Reader,
    size: tuple[int, int],
    names: tuple[str, ...],
    georeference: ToLonLat,
    settings: Settings,
    counts: Counter[str],
    tick: Callable[[], object] = lambda: None,
) -> Iterator[dict[str, Any]]:
    """The GeoJSON features of a scene, numbered from 1: tile set by tile set, tile by tile, surest first.

    Args:
        size: height and width of the scene in pixels.
        names: classes by number, background first.
        counts: is added to, see `STEPS`.
        tick: called after each tile.
    """
    number = 0
    for tile_set, tile in settings.tiles(*size):
        rows, cols = tile.inside(*size)
        kept = reduce(candidates(read(rows, cols), settings.conf_threshold), settings, counts)
        for one in outlined(kept, settings.poly_score_thresh, rows.start, cols.start):
            number += 1
            where = {"tile_set": tile_set, "offset": settings.offsets[tile_set], "tile": tile.index}
            yield _feature(number, one, names[one.label], where, georeference)
        tick()
    counts["polygons"] += number


def _feature(
    number: int, one: Outlined, name: str, where: dict[str, Any], georeference: ToLonLat
) -> dict[str, Any]:
    from shapely.geometry import mapping

    pixels = mapping(one.outline)
    return {
        "type": "Feature",
        "id": number,
        "geometry": mapping(on_earth(one.outline, georeference)),
        "pixels": {**pixels, "coordinates": _whole(pixels["coordinates"])},
        "properties": {
            "class": name,
            "class_number": one.label,
            "score": one.score,
            "max_confidence": one.peak,
            "pixel_count": one.pixels,
            "box": list(one.box),
            **where,
        },
    }


def _whole(coordinates: Any) -> Any:
    """The same nested coordinates as whole numbers, which corners of pixels are."""
    return int(coordinates) if isinstance(coordinates, float) else [_whole(part) for part in coordinates]
