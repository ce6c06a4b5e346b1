"""Mosaics as GeoTIFFs: values, nodata and masks, and what the inputs say beside their values.

Which input a pixel comes from, and how large mosaics are cut, does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.esrun.masks import Mask
from pipelines.esrun.mosaics import WINDOWS_TAG, Grid, Mosaic
from pipelines.esrun.projection import Bounds

if TYPE_CHECKING:
    import numpy as np

BLOCK = 512  # pixels a side of what lies together in a file
CHUNK = 2 * BLOCK  # of what is worked on at once
OURS = ("AREA_OR_POINT", WINDOWS_TAG)


class Transform(Protocol):
    def apply(self, values: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Values:
    """What becomes of the values of a mosaic.

    Attributes:
        nodata: written where no input is, where one has nodata or NaN, and outside the mask.
    """

    grid: Grid
    dtype: str
    nodata: float
    transform: Transform | None = None
    mask: Mask | None = None

    def of(self, mosaic: Mosaic, area: Bounds) -> np.ndarray:
        """Pixels (bands, rows, columns) of ``area`` as they are written."""
        import numpy as np

        read, there = mosaic.read(area)
        gone = np.broadcast_to(~there, read.shape)
        if self.grid.nodata != "None":
            gone = gone | (read == float(self.grid.nodata))
        if read.dtype.kind == "f":
            gone = gone | np.isnan(read)
        if self.mask is not None:
            gone = gone | ~self.mask.on(self.grid.crs, self.grid.transform(area), there.shape)
        found = read if self.transform is None else self.transform.apply(read)
        return np.where(gone, np.array(self.nodata, self.dtype), found)


@dataclass(frozen=True)
class Style:
    """What a raster says beside its values: tags, names and tags of bands, colours."""

    tags: Mapping[str, str]
    names: Sequence[str | None]
    band_tags: Sequence[Mapping[str, str]]
    colours: Mapping[int, tuple[int, int, int, int]] | None = field(default=None)

    def tagged(self, **tags: str) -> Style:
        return replace(self, tags={**self.tags, **tags})


def style_of(path: Path, coloured: bool) -> Style:
    """The style of a raster; without its colours unless ``coloured``."""
    import rasterio
    from rasterio.enums import ColorInterp

    with rasterio.open(path) as dataset:
        tags = {key: value for key, value in dataset.tags().items() if key not in OURS}
        has_colours = coloured and dataset.colorinterp[0] is ColorInterp.palette
        # GDAL's own figures were true of this file alone
        bands = [
            {key: value for key, value in dataset.tags(band).items() if not key.startswith("STATISTICS_")}
            for band in dataset.indexes
        ]
        return Style(tags, dataset.descriptions, bands, dataset.colormap(1) if has_colours else None)


def write_mosaic(path: Path, bounds: Bounds, mosaic: Mosaic, values: Values, style: Style) -> None:
    """Write the part of a mosaic in ``bounds`` (pixels of its grid), block by block."""
    import rasterio
    from rasterio.windows import Window

    left, top, right, bottom = bounds
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": right - left, "height": bottom - top, "count": len(values.grid.bands),
        "dtype": values.dtype, "nodata": values.nodata, "crs": values.grid.crs,
        "transform": values.grid.transform(bounds), "compress": "lzw", "tiled": True, "blockxsize": BLOCK,
        "blockysize": BLOCK, "sparse_ok": True, "bigtiff": "if_safer",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        _say(dataset, style)
        for area in _progress(bounds):
            if mosaic.windows(area):  # a block without any stays out of the file and reads as nodata
                place = Window(area[0] - left, area[1] - top, area[2] - area[0], area[3] - area[1])
                dataset.write(values.of(mosaic, area), window=place)


def _say(dataset: Any, style: Style) -> None:
    dataset.update_tags(**style.tags)
    for number, (name, tags) in enumerate(zip(style.names, style.band_tags, strict=True), start=1):
        dataset.update_tags(number, **tags)
        if name:
            dataset.set_band_description(number, name)
    if style.colours is not None:
        dataset.write_colormap(1, style.colours)


def _progress(bounds: Bounds) -> Iterator[Bounds]:
    from tqdm import tqdm

    yield from tqdm(list(cut(bounds, CHUNK)), desc="mosaic", unit="block", disable=None, leave=False)


def cut(bounds: Bounds, size: int) -> Iterator[Bounds]:
    """Squares of ``size`` from the upper left on, row by row, the last ones narrower."""
    left, top, right, bottom = bounds
    for y in range(top, bottom, size):
        for x in range(left, right, size):
            yield x, y, min(x + size, right), min(y + size, bottom)
