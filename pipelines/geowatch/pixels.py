"""A GeoTIFF read onto any pixel grid, with NaN where it says nothing.

What a grid is belongs to `grids.py`, under whose name callers find these functions too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

    from pipelines.geowatch.grids import Grid


def opened(path: str | os.PathLike[str]) -> Any:
    """An open rasterio dataset, for a `with`.

    Raises:
        BadInput: the file is missing or no image that GDAL can read.
    """
    import rasterio

    if not Path(path).exists():
        raise BadInput("no such file", where=path)
    try:
        return rasterio.open(path)
    except rasterio.errors.RasterioIOError as error:
        raise BadInput(f"cannot be read as an image ({error})", where=path) from None


def read(
    path: str | os.PathLike[str],
    grid: Grid,
    bands: Sequence[int] | None = None,
    resampling: str = "bilinear",
) -> np.ndarray:
    """A GeoTIFF brought onto ``grid``.

    Args:
        bands: 1-based; all of them by default.
        resampling: a name of `rasterio.enums.Resampling`; GDAL widens its kernel where the grid is coarser
            than the file, and leaves nodata out of it.

    Returns:
        float32 (bands, height, width), NaN where nodata or outside the file.

    Raises:
        BadInput: the file cannot be read, is corrupt, has no CRS or not these bands.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    with opened(path) as image:
        if image.crs is None:
            raise BadInput("has no coordinate reference system", where=path)
        wanted = list(bands) if bands is not None else list(range(1, image.count + 1))
        absent = [band for band in wanted if not 1 <= band <= image.count]
        if absent:
            raise BadInput(f"has no band {absent[0]}, it has {image.count}", where=path)
        try:
            offset = _whole_pixel_offset(image, grid)
            if offset is not None:
                return _copied(image, grid, wanted, *offset)
            return _warped(image, grid, wanted, resampling)
        except (RasterioError, CPLE_BaseError) as error:
            raise BadInput(f"is corrupt: its pixels cannot be read ({error})", where=path) from None


def _whole_pixel_offset(image: Any, grid: Grid) -> tuple[int, int] | None:
    """Column and row of the grid's corner in the file, where both have the same pixels."""
    from rasterio.crs import CRS

    sizes = zip(
        grid.transform[:2] + grid.transform[3:5], image.transform[:2] + image.transform[3:5], strict=True
    )
    if any(not math.isclose(mine, its, rel_tol=1e-9, abs_tol=1e-12) for mine, its in sizes):
        return None
    col, row = ~image.transform @ (grid.transform[2], grid.transform[5])
    if max(abs(col - round(col)), abs(row - round(row))) > 1e-3 or image.crs != CRS.from_user_input(grid.crs):
        return None
    return round(col), round(row)


def _copied(image: Any, grid: Grid, bands: list[int], col: int, row: int) -> np.ndarray:
    """Pixels of the file as they are, from (col, row) of the file."""
    import numpy as np
    from rasterio.windows import Window

    pixels = np.full((len(bands), grid.height, grid.width), np.nan, dtype=np.float32)
    left, right = max(col, 0), min(col + grid.width, image.width)
    top, bottom = max(row, 0), min(row + grid.height, image.height)
    if left < right and top < bottom:
        part = image.read(bands, window=Window(left, top, right - left, bottom - top), masked=True)
        pixels[:, top - row : bottom - row, left - col : right - col] = part.astype(np.float32).filled(np.nan)
    return pixels


def _warped(image: Any, grid: Grid, bands: list[int], resampling: str) -> np.ndarray:
    """Pixels of the file resampled onto the grid."""
    import numpy as np
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    scale = min(1.0, _gsd(image) / grid.gsd)
    with WarpedVRT(
        image,
        crs=grid.crs,
        transform=grid.affine,
        width=grid.width,
        height=grid.height,
        resampling=Resampling[resampling],
        nodata=np.nan,
        dtype="float32",
        # In pixels of the file; and the width of the kernel, which GDAL else estimates anew for each
        # window: neither may show as a seam between windows.
        tolerance=0.005,
        XSCALE=scale,
        YSCALE=scale,
    ) as warped:
        pixels: np.ndarray = warped.read(bands)
    return pixels


def _gsd(image: Any) -> float:
    """Metres per pixel of an open file."""
    from pipelines.geowatch.grids import Grid

    return Grid(image.crs.to_wkt(), image.transform[:6], image.width, image.height).gsd
