"""What is predicted for a window, as the files of its output layer: a raster with colours, or GeoJSON.

Scoring, and joining the windows' files, does not belong here.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.colours import Legend
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.projection import to_lonlat
from pipelines.esrun.scratch import OUTPUT_LAYER
from pipelines.program import read_json

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

RECORD = "inference.json"


def is_current(target: Dataset, window: Window, key: str) -> bool:
    """Whether the output layer is complete and was made from the same things, which ``key`` stands for."""
    record = target.layer_dpath(window, OUTPUT_LAYER) / RECORD
    if not target.is_completed(window, OUTPUT_LAYER) or not record.is_file():
        return False
    try:
        return bool(read_json(record) == {"key": key})
    except BadInput:
        return False


def write_output(
    target: Dataset, window: Window, likely: np.ndarray, threshold: float, its: Legend, key: str,
    band: str | None = None,
) -> None:  # fmt: skip
    """Write a window's output layer, whole or not at all, and then its `completed`.

    The class of a pixel (of the window, if ``likely`` is for all of it) is the most likely one; nodata where
    nothing is known or where it is less likely than ``threshold``.

    Args:
        likely: (classes, height, width) or (classes,) probabilities, NaN where nothing is known.
        key: of what it was made from, see `is_current`.
        band: name of a raster's band set, by default the legend's property name.
    """
    place = target.layer_dpath(window, OUTPUT_LAYER)
    hidden = place.with_name(f".{os.getpid()}.{threading.get_ident()}.{OUTPUT_LAYER}")
    try:
        _sweep(place.parent)
        hidden.mkdir(parents=True)
        if its.vector:
            features = [_feature(window, *found, its) for found in _areas(window, likely, threshold)]
            _write_vector(hidden / "data.geojson", features)
        else:
            path = hidden / (band or its.property_name) / "geotiff.tif"
            _write_raster(path, window, class_map(likely, threshold, its, window.size), its)
        (hidden / RECORD).write_text(json.dumps({"key": key}) + "\n")
        (place / "completed").unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        hidden.replace(place)
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror or error})", where=place) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    target.complete(window, OUTPUT_LAYER)


def _sweep(layers: Path) -> None:
    """Remove what a run left that was killed outright: readers would take it for a layer."""
    for left in layers.glob(f".*.{OUTPUT_LAYER}"):
        if not Path("/proc", left.name.split(".")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)


def class_map(likely: np.ndarray, threshold: float, its: Legend, size: tuple[int, int]) -> np.ndarray:
    """(height, width) uint8 of the legend's values, nodata where nothing is sure enough."""
    import numpy as np

    numbers = _classes(likely, threshold)
    values = np.array([*its.values, its.nodata], np.uint8)
    return np.broadcast_to(values[numbers], size)  # -1 is the last


def _classes(likely: np.ndarray, threshold: float) -> np.ndarray:
    """The most likely class along the first axis, the first of equals; -1 where unknown or not sure."""
    import numpy as np

    best = likely.max(0)  # NaN stays
    return np.where(best >= threshold, np.nan_to_num(likely, nan=-1.0).argmax(0), -1)


def _write_raster(path: Path, window: Window, values: np.ndarray, its: Legend) -> None:
    import rasterio

    path.parent.mkdir(parents=True)
    height, width = window.size
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint8", count=1, width=width, height=height, nodata=its.nodata,
        crs=window.projection.crs, transform=window.projection.transform(window.bounds), compress="lzw",
    ) as image:  # fmt: skip
        image.write_colormap(1, its.colormap())
        image.set_band_description(1, its.property_name)
        names = {str(value): label for value, label in zip(its.values, its.labels, strict=True)}
        image.update_tags(classes=json.dumps(names, sort_keys=True))
        image.write(values, 1)


def _areas(window: Window, likely: np.ndarray, threshold: float) -> Iterator[tuple[BaseGeometry, int, float]]:
    """Connected areas of a class, in the window's pixels, each with the mean probability of it there."""
    import numpy as np
    from affine import Affine
    from rasterio.features import rasterize, shapes
    from shapely.geometry import box, shape

    numbers = _classes(likely, threshold)
    if numbers.ndim == 0:
        if numbers >= 0:
            yield box(*window.bounds), int(numbers), float(likely[int(numbers)])
        return
    move = Affine.translation(*window.bounds[:2])
    areas = list(shapes(numbers.astype(np.int16), mask=numbers >= 0, transform=move))
    if not areas:
        return
    burnt = ((geometry, place) for place, (geometry, _) in enumerate(areas, 1))
    which = rasterize(burnt, numbers.shape, transform=move, dtype="int32").ravel()
    best = np.nan_to_num(likely.max(0)).ravel()
    means = np.bincount(which, best, len(areas) + 1) / np.maximum(np.bincount(which, None, len(areas) + 1), 1)
    for place, (geometry, number) in enumerate(areas, 1):
        yield shape(geometry), int(number), float(means[place])


def _feature(window: Window, area: BaseGeometry, number: int, likely: float, its: Legend) -> dict[str, Any]:
    from shapely.geometry import mapping

    colour = its.css(number)
    return {
        "type": "Feature", "geometry": mapping(to_lonlat(area, window.projection)),
        "properties": {
            its.property_name: its.labels[number], its.confidence: round(likely, 6),
            "value": its.values[number], "fill": colour, "stroke": colour,
        },
    }  # fmt: skip


def _write_vector(path: Path, features: list[dict[str, Any]]) -> None:
    text = json.dumps({"type": "FeatureCollection", "features": features}, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
