"""Pixels of a window out of source images: resampled to its grid, the first valid one on top, a GeoTIFF.

Which images a window takes, and when a layer is complete, does not belong here.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.dataset_config import BandSet, Layer, Remap
from pipelines.esrun.local_files import ImageFile, Item
from pipelines.esrun.projection import LONLAT, Bounds, Projection, transformer
from pipelines.program import writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.esrun.dataset import Window

OPEN = 32  # files that a reader keeps open
TILE = 512  # pixels; rasters that are larger are tiled, as rslearn does
SIDE = 2 * TILE  # of the pieces of a larger window
TOLERANCE = 1e-9  # source pixels; 0 would not be taken
TIE = 1e-3  # see _rounded
NEAR = 0.05  # of a source pixel


class Reader:
    """Reads images for one thread, and keeps the last ones open.

    Usage: `with Reader() as reader: ...`
    """

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Any] = OrderedDict()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def image(self, path: Path) -> Any:
        """An open rasterio dataset. Raises BadInput: it cannot be opened."""
        import rasterio
        from rasterio.errors import RasterioError

        if path not in self._open:
            if len(self._open) >= OPEN:
                self._open.popitem(last=False)[1].close()
            try:
                self._open[path] = rasterio.open(path)
            except RasterioError as error:
                raise BadInput(f"cannot be opened ({error})", where=path) from None
        self._open.move_to_end(path)
        return self._open[path]


def write_bands(
    path: Path, reader: Reader, items: Sequence[Item], layer: Layer, bands: BandSet, window: Window
) -> None:
    """Write a band set of a window as rslearn does: an LZW GeoTIFF, in tiles where it is large.

    A pixel that no image covers has the band set's nodata value, else that of the first image, else 0, which
    then is not declared. A large window is made piece by piece, so that it does not fill the memory.

    Raises:
        BadInput: an image lacks a band, or cannot be read.
    """
    import rasterio
    from rasterio.windows import Window as Piece

    projection, bounds = grid(window, bands)
    left, top, right, bottom = bounds
    width, height = right - left, bottom - top
    nodata = bands.nodata if bands.nodata is not None else _declared(items[0], bands)
    tiles = {"tiled": True, "blockxsize": TILE, "blockysize": TILE} if max(height, width) > TILE else {}
    with writing(path) as temporary, rasterio.open(
        temporary, "w", driver="GTiff", width=width, height=height, count=len(bands.bands), dtype=bands.dtype,
        crs=projection.crs, transform=projection.transform(bounds), nodata=nodata, compress="lzw",
        BIGTIFF="IF_SAFER", **tiles,
    ) as image:  # fmt: skip
        for x, y in product(range(left, right, SIDE), range(top, bottom, SIDE)):
            piece = (x, y, min(x + SIDE, right), min(y + SIDE, bottom))
            values = composite(reader, items, bands, projection, piece, layer.resampling, nodata or 0)
            image.write(values, window=Piece(x - left, y - top, piece[2] - x, piece[3] - y))


def composite(
    reader: Reader,
    items: Sequence[Item],
    bands: BandSet,
    projection: Projection,
    bounds: Bounds,
    resampling: str,
    nodata: float,
) -> NDArray[Any]:
    """(bands, height, width) of the first value at each pixel and band that is not ``nodata``."""
    import numpy as np

    left, top, right, bottom = bounds
    found = np.full((len(bands.bands), bottom - top, right - left), np.nan)
    for item in items:
        new = _item(reader, item, bands.bands, projection, bounds, resampling)
        free = np.isnan(found) | ((found == nodata) & ~np.isnan(new))
        found[free] = new[free]
        if not (np.isnan(found) | (found == nodata)).any():
            break
    return _cast(found, bands, nodata)


def grid(window: Window, bands: BandSet) -> tuple[Projection, Bounds]:
    """Projection and bounds of a band set of a window; whole pixels that cover it where they are larger."""
    if bands.zoom_offset == 0:
        return window.projection, window.bounds
    factor = 2.0**bands.zoom_offset
    one = window.projection
    projection = Projection(one.crs, one.x_resolution / factor, one.y_resolution / factor)
    left, top, right, bottom = (value * factor for value in window.bounds)
    return projection, (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))


def _item(
    reader: Reader, item: Item, bands: Sequence[str], projection: Projection, bounds: Bounds, resampling: str
) -> NDArray[Any]:
    """Float values of the bands of an item; NaN where it has none."""
    import numpy as np

    left, top, right, bottom = bounds
    found = np.full((len(bands), bottom - top, right - left), np.nan)
    missing = set(bands)
    for file in item.files:
        places = [place for place, band in enumerate(bands) if band in file.bands and band in missing]
        if places:
            indexes = [file.bands.index(bands[place]) + 1 for place in places]
            found[places] = _warped(reader, file, indexes, projection, bounds, resampling)
            missing -= set(file.bands)
    if missing:
        has = ", ".join(band for file in item.files for band in file.bands)
        raise BadInput(f"has no band {min(missing)}, only {has}", where=item.files[0].path)
    return found


def _warped(
    reader: Reader,
    file: ImageFile,
    indexes: list[int],
    projection: Projection,
    bounds: Bounds,
    resampling: str,
) -> NDArray[Any]:
    """Bands of a file on a grid, as floats; NaN where there are none.

    What a pixel becomes depends on its place alone, not on the window round it: positions are exact, not
    interpolated along rows (TOLERANCE), and the reduction is set, not guessed from the piece that is read
    (XSCALE). In whole numbers nodata may be a value, such as 255 in one band of a bright pixel, so a pixel
    is only left out where all bands have it; of floats each band for itself.
    """
    import numpy as np
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.vrt import WarpedVRT

    image = reader.image(file.path)
    dtype = np.dtype(image.dtypes[indexes[0] - 1])
    exact = "float32" if dtype.itemsize <= 2 or dtype == np.float32 else "float64"
    left, top, right, bottom = bounds
    across, down = _reduction(file, projection, _snapped(projection, bounds))
    try:
        with WarpedVRT(
            image, crs=projection.crs, transform=projection.transform(bounds), width=right - left,
            height=bottom - top, src_nodata=file.nodata[indexes[0] - 1], nodata=math.nan, dtype=exact,
            resampling=Resampling[resampling], tolerance=TOLERANCE, XSCALE=1 / across, YSCALE=1 / down,
            UNIFIED_SRC_NODATA="YES" if np.issubdtype(dtype, np.integer) else "NO",
        ) as warped:  # fmt: skip
            values = warped.read(indexes)
    except RasterioError as error:
        raise BadInput(f"cannot be read ({error})", where=file.path) from None
    return _rounded(values.astype(np.float64), dtype)


def _rounded(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Whole numbers of an integer type, halves upward.

    Halves are common where a grid is doubled, and come out as 0.4999999 in one window and 0.5 in another.
    """
    import numpy as np

    if not np.issubdtype(dtype, np.integer):
        return values
    kind = np.iinfo(dtype)
    return np.clip(np.floor(values + (0.5 + TIE)), kind.min, kind.max)


def _cast(values: NDArray[Any], bands: BandSet, nodata: float) -> NDArray[Any]:
    """Remapped, and in the type of the band set; values beyond its range become its ends."""
    import numpy as np

    if bands.remap is not None:
        values = _remapped(values, bands.remap)
    if np.issubdtype(bands.dtype, np.integer):
        kind = np.iinfo(bands.dtype)
        values = np.clip(values, kind.min, kind.max)
    return np.where(np.isnan(values), nodata, values).astype(bands.dtype)


def _remapped(values: NDArray[Any], remap: Remap) -> NDArray[Any]:
    import numpy as np

    (low, high), (first, last) = remap.source, remap.target
    return (np.clip(values, low, high) - low) / (high - low) * (last - first) + first


def _declared(item: Item, bands: BandSet) -> float | None:
    """The nodata value of the first band, if the type of the band set can hold it."""
    import numpy as np

    band = bands.bands[0]
    value = next((f.nodata[f.bands.index(band)] for f in item.files if band in f.bands), None)
    if value is None or not np.issubdtype(bands.dtype, np.integer):
        return value
    kind = np.iinfo(bands.dtype)
    return value if kind.min <= value <= kind.max and value == int(value) else None


def _snapped(projection: Projection, bounds: Bounds) -> tuple[float, float]:
    """The corner of whole degrees (lon, lat) that lies south-west of a window's centre."""
    x = (bounds[0] + bounds[2]) / 2 * projection.x_resolution
    y = (bounds[1] + bounds[3]) / 2 * projection.y_resolution
    lon, lat = transformer(projection.crs, LONLAT).transform(x, y)
    return math.floor(lon), math.floor(lat)


@lru_cache(maxsize=4096)
def _reduction(file: ImageFile, projection: Projection, near: tuple[float, float]) -> tuple[float, float]:
    """Source pixels per pixel of the grid across and down, at least 1.

    Taken at one place per degree, so that windows that overlap have the same.
    """
    size = abs(projection.x_resolution), abs(projection.y_resolution)
    if file.crs == projection.crs:
        ratios = size[0] / file.resolution[0], size[1] / file.resolution[1]
    else:
        west, south, east, north = file.bounds
        x, y = transformer(LONLAT, file.crs).transform(*near)
        x, y = min(max(x, west), east), min(max(y, south), north)
        to_grid = transformer(file.crs, projection.crs)
        x0, y0 = to_grid.transform(x, y)
        x1, y1 = to_grid.transform(x + file.resolution[0], y)
        x2, y2 = to_grid.transform(x, y + file.resolution[1])
        # Sides of a source pixel in the grid, projected on its axes.
        ratios = size[0] / max(abs(x1 - x0), abs(x2 - x0)), size[1] / max(abs(y1 - y0), abs(y2 - y0))
    across, down = (_whole_if_near(max(1.0, ratio)) for ratio in ratios)
    return across, down


def _whole_if_near(ratio: float) -> float:
    """As GDAL does where it chooses itself."""
    return round(ratio) if abs(ratio - round(ratio)) < NEAR else ratio
