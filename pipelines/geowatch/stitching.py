"""Maps of overlapping windows blended into GeoTIFFs, a strip of rows at a time.

What computes the maps does not belong here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.geowatch import grids
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.windows import ramp

if TYPE_CHECKING:
    import numpy as np

BLOCK = 128  # pixels of a GeoTIFF's tile; rows are written in whole tiles, each compressed once
STEP = 2.0**-14  # probabilities are multiples of it: noise in the last bits does not compress


def create(path: Path, grid: Grid, bands: Sequence[str]) -> Any:
    """An open float32 GeoTIFF on ``grid``, tiled and compressed, NaN where nothing was predicted."""
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    # No predictor: kwcoco's own reader, without GDAL, cannot undo the one for floats.
    image = rasterio.open(
        path, "w", driver="GTiff", dtype="float32", count=len(bands), width=grid.width, height=grid.height,
        crs=grid.crs, transform=grid.affine, nodata=float("nan"), tiled=True, blockxsize=BLOCK,
        blockysize=BLOCK, compress="deflate", zlevel=4, bigtiff="if_safer",
    )  # fmt: skip
    for number, name in enumerate(bands, 1):
        image.set_band_description(number, name)
    return image


class Mosaic:
    """Windows of several frames on one grid, given row by row of windows, become one GeoTIFF per frame.

    Memory is (frames, bands, window + BLOCK, width) float32, whatever the height of the grid.

    Args:
        paths: one GeoTIFF per frame.
        window: height and width of a window in pixels; one that reaches over the grid's rim is cut.
        overlap: as in `windows.starts`.
    """

    def __init__(
        self, paths: Sequence[Path], grid: Grid, bands: Sequence[str], window: tuple[int, int], overlap: float
    ):
        import numpy as np

        self.grid, self.window = grid, window
        self.top = 0
        self.valid = [0] * len(paths)  # pixels with a prediction, per frame
        rows = min(window[0] + BLOCK, grid.height + window[0])
        self._sums = np.zeros((len(paths), len(bands), rows, grid.width), np.float32)
        self._weights = np.zeros((rows, grid.width), np.float32)
        self._ramp = ramp(window[0], overlap)[:, None] * ramp(window[1], overlap)
        self._files = contextlib.ExitStack()
        self._images = [self._files.enter_context(create(path, grid, bands)) for path in paths]

    def __enter__(self) -> Mosaic:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, row: int, col: int, maps: np.ndarray) -> None:
        """Blend in ``maps`` (frames, bands, height, width), NaN where nodata, at pixel (row, col).

        Rows never go back; all windows of one row are given before the next row begins.
        """
        self._write_until(row // BLOCK * BLOCK)
        height, width = (
            min(self.window[0], self.grid.height - row),
            min(self.window[1], self.grid.width - col),
        )
        place = (..., slice(row - self.top, row - self.top + height), slice(col, col + width))
        weights = self._ramp[:height, :width]
        self._sums[place] += maps[..., :height, :width] * weights  # NaN stays NaN: nodata of any window
        self._weights[place] += weights

    def finish(self) -> None:
        """Write what is left."""
        self._write_until(self.grid.height)

    def _write_until(self, bottom: int) -> None:
        import numpy as np
        from rasterio.windows import Window

        count = bottom - self.top
        if count <= 0:
            return
        place = Window(0, self.top, self.grid.width, count)
        for number, image in enumerate(self._images):  # one by one: a strip of all frames is large
            maps = _rounded(self._sums[number, :, :count] / self._weights[:count])
            image.write(maps, window=place)
            self.valid[number] += int(np.isfinite(maps[0]).sum())
        self._sums = _shifted(self._sums, count)
        self._weights = _shifted(self._weights, count)
        self.top = bottom


def _shifted(values: np.ndarray, count: int) -> np.ndarray:
    """``values`` moved up by ``count`` rows (axis -2) in place, zeros below."""
    kept = values.shape[-2] - count
    for start in range(0, kept, count):  # piece by piece: source and target never overlap
        stop = min(start + count, kept)
        values[..., start:stop, :] = values[..., start + count : stop + count, :]
    values[..., max(kept, 0) :, :] = 0
    return values


def combine(parts: Sequence[Path], target: Path, grid: Grid, bands: Sequence[str]) -> None:
    """The mean of heatmaps of one frame (NaN in any is NaN), brought onto ``grid``."""
    import numpy as np
    from rasterio.windows import Window

    with create(target, grid, bands) as image:
        for row in range(0, grid.height, BLOCK):
            height = min(BLOCK, grid.height - row)
            strip = grid.crop(0, row, grid.width, height)
            mean = np.stack([grids.read(part, strip) for part in parts]).mean(0)
            image.write(_rounded(mean), window=Window(0, row, grid.width, height))


def _rounded(maps: np.ndarray) -> np.ndarray:
    """``maps`` in multiples of `STEP`."""
    import numpy as np

    rounded: np.ndarray = np.round(maps / np.float32(STEP)) * np.float32(STEP)
    return rounded
