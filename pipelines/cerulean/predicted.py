"""What `predict` wrote, checked: the record of its folder and the raster of every scene.

What the records of all steps have in common stands in records.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.cerulean import georeference, records
from pipelines.cerulean.georeference import Georeference
from pipelines.errors import BadInput

_SCENE = {"raster": str, "height": int, "width": int}

#: Reads probabilities, (classes, height, width), of rows and columns of a scene.
Reader = Callable[[slice, slice], NDArray[np.uint16]]


@dataclass(frozen=True)
class Predicted:
    """A scene whose raster is there and what the record says of it.

    Attributes:
        size: height and width in pixels.
        record: its members in predict.json, with the raster's whole path.
    """

    id: str
    raster: Path
    size: tuple[int, int]
    georeference: Georeference
    record: dict[str, Any]

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """What reads windows of it.

        Raises:
            BadInput: (when reading) the file is damaged.
        """
        import rasterio

        with rasterio.open(self.raster) as source:

            def read(rows: slice, cols: slice) -> NDArray[np.uint16]:
                try:
                    return source.read(window=((rows.start, rows.stop), (cols.start, cols.stop)))
                except rasterio.errors.RasterioIOError:
                    raise BadInput("is cut short or damaged", where=self.raster) from None

            yield read


def read(folder: Path, model: str) -> tuple[dict[str, Any], list[Predicted]]:
    """The record of a folder of `predict`, and its scenes as they stand in it.

    Args:
        model: of the georeference, see `georeference.fit`.

    Raises:
        BadInput: see `records.read`; a raster is not what is said of it.
    """
    path = folder / "predict.json"
    record = records.read(path, _SCENE, "predict")
    return record, [_scene(scene, path, len(record["classes"]), model) for scene in record["scenes"]]


def _scene(record: dict[str, Any], path: Path, bands: int, model: str) -> Predicted:
    import rasterio

    raster = path.parent / record["raster"]  # a whole path stays as it is
    size = (record["height"], record["width"])
    place = georeference.read(raster, model)
    with rasterio.open(raster) as source:
        found = (source.count, *source.shape, *set(source.dtypes))
    if found != (bands, *size, "uint16"):
        raise BadInput(
            f"is not {bands} bands of {size[0]} x {size[1]} pixels in uint16, as predict.json has it",
            where=raster,
        )
    return Predicted(record["id"], raster, size, place, {**record, "raster": str(raster.resolve())})
