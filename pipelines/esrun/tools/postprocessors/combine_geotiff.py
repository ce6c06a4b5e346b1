"""The raster post-processor that puts GeoTIFFs together.

Which of overlapping rasters a pixel comes from stands in mosaics.py.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.masks import Mask
from pipelines.esrun.mosaic_files import Values, cut, style_of, write_mosaic
from pipelines.esrun.mosaics import WINDOWS_TAG, Grid, Mosaic, by_grid, read_source
from pipelines.esrun.projection import Bounds
from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceRaster
from pipelines.rasters import CACHE

if TYPE_CHECKING:
    import numpy as np

DTYPES = ("uint8", "int16", "int32", "float32")


@dataclass(frozen=True)
class LinearValueTransform:
    """value * scale + offset, clipped to the range of the type written.

    As a whole number the result loses its fraction (an offset of 0.5 rounds). Nodata stays nodata, and NaN
    becomes it.

    Attributes:
        output_dtype: uint8, int16, int32 or float32 (the default).
    """

    type: str = "linear"
    scale: float = 1.0
    offset: float = 0.0
    output_dtype: str | None = None

    def __post_init__(self) -> None:
        if self.type != "linear":
            raise ValueError(f"type: {self.type!r} is not linear")
        if self.output_dtype not in (None, *DTYPES):
            raise ValueError(f"output_dtype: {self.output_dtype!r} is none of {', '.join(DTYPES)}")
        for name in ("scale", "offset"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name}: {value!r} is no number")

    @property
    def dtype(self) -> str:
        return self.output_dtype or "float32"

    def apply(self, values: np.ndarray) -> np.ndarray:
        """An array of the same shape; NaN stays in float32 and is 0 in other types."""
        import numpy as np

        found = values.astype(np.float64) * self.scale + self.offset
        if self.dtype == "float32":
            return found.astype(np.float32)
        limits = np.iinfo(self.dtype)
        return np.clip(np.nan_to_num(found, nan=0.0, posinf=limits.max, neginf=limits.min),
                       limits.min, limits.max).astype(self.dtype)  # fmt: skip


class CombineGeotiff(PostprocessInterfaceRaster):
    """Mosaics, one for each CRS: `result_epsg<number>_<i>.tif`, LZW, with the inputs' tags and colours.

    Rasters of one CRS but another pixel size or corner, type, nodata or bands make mosaics of their own. A
    large mosaic is cut into tiles, counted by ``i`` row by row; tiles without any input are left out. Where
    inputs overlap, a pixel is that of the input in which it lies deepest, nodata or not. As `process_window`
    it leaves the window's file as it is.

    Args:
        max_pixels_per_dimension: height and width of a tile at most.
        nodata_value: written where there is no input and where an input has nodata. Mind that the default
            hides a class 0: choose a value that is no class. None: as in the inputs (0 if they have none).
        value_transform: a LinearValueTransform or its arguments. Name it in one stage: in two it is applied
            twice.
        mask_path: GeoTIFF or GeoJSON areas outside which everything becomes nodata; relative to the project.
        mask_valid_values: of a GeoTIFF mask that count; none: all but 0 and nodata.
    """

    def __init__(
        self,
        max_pixels_per_dimension: int = 10000,
        nodata_value: float | None = 0,
        value_transform: LinearValueTransform | Mapping[str, Any] | None = None,
        mask_path: str | None = None,
        mask_valid_values: Sequence[float] | None = None,
    ):
        if max_pixels_per_dimension < 1:
            raise ValueError(f"max_pixels_per_dimension: {max_pixels_per_dimension!r} is below 1")
        if isinstance(value_transform, Mapping):
            value_transform = LinearValueTransform(**value_transform)
        if not isinstance(value_transform, LinearValueTransform | None):
            raise ValueError(f"value_transform: {value_transform!r} is no mapping of type, scale and offset")
        if not _are_numbers(mask_valid_values):
            raise ValueError(f"mask_valid_values: {mask_valid_values!r} is no list of numbers")
        self.max_pixels_per_dimension = max_pixels_per_dimension
        self.nodata_value = nodata_value
        self.value_transform = value_transform
        self.mask = None if mask_path is None else Mask(Path(mask_path), tuple(mask_valid_values or ()))

    def process_partition(self, partition_window_results: Sequence[Path], output_dir: Path) -> list[Path]:
        """Tiles with the bounds of their windows in a tag, so that `process_dataset` leaves no seams."""
        return self._combined(partition_window_results, output_dir, keep_windows=True)

    def process_dataset(self, all_partitions_result_paths: Sequence[Path], output_dir: Path) -> list[Path]:
        return self._combined(all_partitions_result_paths, output_dir, keep_windows=False)

    def _combined(self, paths: Sequence[Path], folder: Path, keep_windows: bool) -> list[Path]:
        import rasterio

        found: list[Path] = []
        numbers: Counter[str] = Counter()
        with rasterio.Env(GDAL_CACHEMAX=CACHE):
            for grid, sources in by_grid(read_source(Path(path)) for path in paths):
                mosaic, values = Mosaic(sources), self._values(grid, sources[0].path)
                style = style_of(sources[0].path, coloured=self.value_transform is None)
                for tile, windows in self._tiles(mosaic):
                    found.append(folder / f"result_{grid.name}_{numbers[grid.name]}.tif")
                    numbers[grid.name] += 1
                    kept = {WINDOWS_TAG: json.dumps(windows)} if keep_windows else {}
                    write_mosaic(found[-1], tile, mosaic, values, style.tagged(**kept))
        return found

    def _tiles(self, mosaic: Mosaic) -> Iterator[tuple[Bounds, list[Bounds]]]:
        """Bounds of the tiles that hold something, with those of the windows in them."""
        for tile in cut(mosaic.bounds, self.max_pixels_per_dimension):
            if windows := mosaic.windows(tile):
                yield tile, windows

    def _values(self, grid: Grid, path: Path) -> Values:
        dtype = grid.dtype if self.value_transform is None else self.value_transform.dtype
        own = 0.0 if grid.nodata == "None" else float(grid.nodata)
        nodata = own if self.nodata_value is None else self.nodata_value
        if not _holds(dtype, nodata):
            raise BadInput(f"nodata_value: {nodata} is no {dtype}, as which values are written", where=path)
        return Values(grid, dtype, nodata, self.value_transform, self.mask)


def _are_numbers(values: Any) -> bool:
    if values is None:
        return True
    return isinstance(values, list | tuple) and all(isinstance(one, int | float) for one in values)


def _holds(dtype: str, value: float) -> bool:
    import numpy as np

    if np.dtype(dtype).kind == "f":
        return True
    limits = np.iinfo(dtype)
    return math.isfinite(value) and value == int(value) and limits.min <= value <= limits.max
