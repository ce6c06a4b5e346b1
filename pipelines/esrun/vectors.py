"""Features of vector files that meet a window, in rslearn's GeoJSON: coordinates in pixels of the window.

Which files a window takes does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.esrun.dataset import Window
from pipelines.esrun.dataset_config import Source
from pipelines.esrun.features import FeatureCollection, read_features
from pipelines.program import write_json

if TYPE_CHECKING:
    from pipelines.esrun.local_files import Item


def write_vectors(path: Path, source: Source, items: Sequence[Item], window: Window) -> None:
    """Write whole features that share a point with the window, file by file in their order."""
    from shapely.geometry import box, mapping

    from pipelines.esrun.projection import to_pixels

    place, found = box(*window.bounds), []
    for item in items:
        file = source.folder / item.fnames[0]
        for feature in _features(file, file.stat().st_mtime_ns):
            shape = to_pixels(feature.geometry, window.projection)
            if shape.intersects(place):
                properties, geometry = dict(feature.properties), mapping(shape)
                found.append({"type": "Feature", "properties": properties, "geometry": geometry})
    grid = window.projection.to_json()
    write_json(path, {"type": "FeatureCollection", "properties": grid, "features": found})


@lru_cache(maxsize=8)
def _features(path: Path, mtime_ns: int) -> FeatureCollection:
    """Read once for many windows, and again when the file has changed."""
    return read_features(path)
