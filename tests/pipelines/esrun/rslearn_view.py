"""What rslearn finds in a dataset; run by a Python that has it.

arguments: the dataset, and raster layers as LAYER=BAND,BAND; last line of stdout: JSON, a mapping for each
window. With --remake rslearn prepares, ingests and materialises all layers first.
"""

import json
import sys
import warnings
from typing import Any

VECTORS = {"labels", "output"}


def main() -> None:
    warnings.simplefilter("ignore")  # of methods that give way to others
    from rslearn.dataset import Dataset
    from upath import UPath

    words = [word for word in sys.argv[1:] if word != "--remake"]
    dataset = Dataset(UPath(words[0]))
    windows = dataset.load_windows()
    if "--remake" in sys.argv:
        remake(dataset, windows)
    layers = dict(word.split("=") for word in words[1:])
    print(json.dumps([seen(window, layers) for window in windows]))  # below rslearn's own lines


def remake(dataset: Any, windows: list) -> None:
    from rslearn.dataset.manage import (
        ingest_dataset_windows,
        materialize_dataset_windows,
        prepare_dataset_windows,
    )

    prepare_dataset_windows(dataset, windows)
    ingest_dataset_windows(dataset, windows)
    materialize_dataset_windows(dataset, windows)


def seen(window: Any, layers: dict[str, str]) -> dict[str, Any]:
    where = window.projection
    return {
        "group": window.group,
        "name": window.name,
        "crs": where.crs.to_string(),
        "resolution": [where.x_resolution, where.y_resolution],
        "bounds": list(window.bounds),
        "time_range": [one.isoformat() for one in window.time_range],
        "options": window.options,
        "completed": sorted([name, step] for name, step in window.list_completed_layers()),
        "items": {
            name: [[item["name"] for item in group] for group in found.serialized_item_groups]
            for name, found in window.load_layer_datas().items()
        },
        "pixels": {
            name: pixels(window, name, bands.split(","))
            for name, bands in layers.items()
            if window.is_layer_completed(name)
        },
        "features": [one for name in VECTORS - set(layers) for one in vectors(window, name)],
    }


def pixels(window: Any, layer: str, bands: list[str]) -> Any:
    """(bands, height, width) as rslearn reads it, by the window's own projection and bounds."""
    from rslearn.utils.raster_format import GeotiffRasterFormat

    folder = window.get_raster_dir(layer, bands)
    found = GeotiffRasterFormat().decode_raster(folder, window.projection, window.bounds)
    return getattr(found, "get_chw_array", lambda: found)().tolist()


def vectors(window: Any, layer: str) -> list:
    """Of each feature the layer, its pixel coordinates, and its properties."""
    from rslearn.utils.vector_format import GeojsonVectorFormat

    if not window.is_layer_completed(layer):
        return []
    found = GeojsonVectorFormat().decode_vector(window.get_layer_dir(layer), window.projection, window.bounds)
    return [[layer, one.geometry.to_projection(window.projection).shp.wkt, one.properties] for one in found]


if __name__ == "__main__":
    main()
