"""The label layer of a dataset: what its config says, and the files of one window.

How labels are made does not belong here.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.esrun.annotations import Annotation
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.labelled_windows import RasterLabel
from pipelines.esrun.projection import to_pixels
from pipelines.program import writing

BAND = "label"


@dataclass(frozen=True)
class LabelLayer:
    """Where labels are written.

    Attributes:
        band: of rasters; None where labels are vectors.
        property_name: of vectors.
    """

    name: str
    band: str | None
    property_name: str

    def write(self, dataset: Dataset, window: Window, labels: tuple[Annotation, ...] | RasterLabel) -> None:
        """Write the labels of a window, in place of older ones, and complete the layer.

        Raises:
            BadInput: they are not of the layer's kind, or a raster of another size than the window.
        """
        folder = dataset.layer_dpath(window, self.name)
        if isinstance(labels, RasterLabel) != (self.band is not None):
            raise BadInput(
                f"window {window.name} has labels of another kind than its labeled_window_preparer says"
            )
        if isinstance(labels, RasterLabel) and labels.values.shape != window.size:
            raise BadInput(
                f"window {window.name} of {window.size} pixels has labels of {labels.values.shape}"
            )
        if isinstance(labels, RasterLabel):
            assert self.band is not None
            target = dataset.raster_fpath(window, self.name, [self.band])
            _clear(folder, target.parent)
            _write_raster(target, window, labels, self.band)
        else:
            target = dataset.vector_fpath(window, self.name)
            _clear(folder, target)
            _write_vector(target, window, labels, self.property_name)
        dataset.complete(window, self.name)


def with_label_layer(
    config: Mapping[str, Any], path: Path, name: str, property_name: str, dtype: str | None
) -> tuple[dict[str, Any], LabelLayer]:
    """A dataset's config with a layer for labels, and that layer. One that is there stays as it is.

    Args:
        path: the file of the config, for errors.
        dtype: of raster labels; None for vectors.

    Raises:
        BadInput: a layer of that name is there, but of the other type, with a data source, of several bands
            or of another dtype.
    """
    kind = "vector" if dtype is None else "raster"
    layers = config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(layers, Mapping):
        raise BadInput("has no layers", where=path)
    layer = layers.get(name)
    if layer is None:
        layer = (
            {"type": kind}
            if dtype is None
            else {"type": kind, "band_sets": [{"bands": [BAND], "dtype": dtype}]}
        )
    if not isinstance(layer, Mapping) or layer.get("type") != kind:
        raise BadInput(f"layer {name!r} is of another type than its labels, which are {kind}", where=path)
    if layer.get("data_source"):
        raise BadInput(f"layer {name!r} has a data source, so that it cannot hold labels", where=path)
    band = None if dtype is None else _band(layer, path, name, dtype)
    return {**config, "layers": {**layers, name: layer}}, LabelLayer(name, band, property_name)


def _band(layer: Mapping[str, Any], path: Path, name: str, dtype: str) -> str:
    sets = layer.get("band_sets") or []
    bands = [band for one in sets for band in one.get("bands", [])]
    if len(bands) != 1:
        raise BadInput(f"layer {name!r} must have one band for labels, not {len(bands)}", where=path)
    if sets[0].get("dtype") != dtype:
        raise BadInput(f"layer {name!r} has dtype {sets[0].get('dtype')}, its labels are {dtype}", where=path)
    return str(bands[0])


def _write_raster(target: Path, window: Window, label: RasterLabel, band: str) -> None:
    import rasterio

    height, width = window.size
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": label.values.dtype.name,
        "crs": window.projection.crs, "transform": window.projection.transform(window.bounds),
        "nodata": label.nodata_value, "compress": "lzw",
    }  # fmt: skip
    with writing(target) as temporary, rasterio.open(temporary, "w", **profile) as image:
        image.write(label.values, 1)
        image.set_band_description(1, band)


def _write_vector(target: Path, window: Window, labels: tuple[Annotation, ...], property_name: str) -> None:
    """In pixels of the window's projection, which the collection names, as rslearn writes and reads it."""
    import json

    from shapely.geometry import mapping

    features = [
        {
            "type": "Feature",
            "geometry": mapping(to_pixels(one.geometry, window.projection)),
            "properties": {**one.labels, property_name: one.label},
        }
        for one in labels
    ]
    data = {"type": "FeatureCollection", "properties": window.projection.to_json(), "features": features}
    with writing(target) as temporary:
        temporary.write_text(json.dumps(data, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _clear(folder: Path, keep: Path) -> None:
    """Remove what labels of another kind left in a layer."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path != keep and path.is_dir():
            shutil.rmtree(path)
        elif path != keep and path.name != "completed":
            path.unlink()
