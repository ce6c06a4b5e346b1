"""Rasters and features as class numbers on a grid, and the labels that results are held to.

What is made of the numbers does not belong here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.colours import Legend
from pipelines.esrun.features import FeatureCollection, read_features

if TYPE_CHECKING:
    import numpy as np
    from affine import Affine
    from rasterio.io import DatasetReader
    from rasterio.windows import Window
    from shapely.geometry.base import BaseGeometry

    Numbers = np.ndarray[Any, np.dtype[np.int16]]

NONE = -1  # the number of no class
BLOCK = 1024  # pixels; what is in memory at a time
RASTERS = (".tif", ".tiff")
PROPERTIES = ("oe_label", "es_label", "label", "category")


@dataclass(frozen=True)
class Block:
    """A part of a raster's grid.

    Attributes:
        shape: height and width in pixels.
    """

    crs: Any
    transform: Affine
    shape: tuple[int, int]

    @classmethod
    def of(cls, image: DatasetReader) -> Block:
        """All of a raster's grid."""
        return cls(image.crs, image.transform, image.shape)


@dataclass(frozen=True)
class Labels:
    """Labels of a file: a raster of class values, or features with a property."""

    path: Path
    legend: Legend
    features: FeatureCollection | None = None
    property_name: str | None = None

    def numbers(self, block: Block) -> Numbers:
        """Class numbers on a grid, (H, W); a raster by the nearest pixel, features by pixel centres.

        Of features that overlap the later one counts; a point counts in the pixel that it is in.
        """
        return self._of_raster(block) if self.features is None else self._of_features(block)

    def number(self, properties: Mapping[str, Any]) -> int:
        """The class of a feature; NONE where it has none."""
        found = self.legend.index(properties.get(str(self.property_name)))
        return NONE if found is None else found

    def _of_raster(self, block: Block) -> Numbers:
        with opened(self.path) as image:
            return numbers(*warped(image, block), self.legend)

    def _of_features(self, block: Block) -> Numbers:
        assert self.features is not None
        known = ((one.geometry, self.number(one.properties)) for one in self.features)
        return burnt([(shape, number) for shape, number in known if number != NONE], block)


def read_labels(path: str | Path, legend: Legend, property_name: str | None = None) -> Labels:
    """Labels of a GeoTIFF of class values or of GeoJSON features.

    Args:
        property_name: that holds a feature's class, as value or as label; by default the legend's, else
            `oe_label`, `es_label`, `label` or `category`.

    Raises:
        BadInput: no such file, or no feature with such a property.
    """
    path = Path(path)
    if path.suffix.lower() in RASTERS:
        with opened(path):
            return Labels(path, legend)
    features = read_features(path)
    names = [property_name] if property_name else [legend.property_name, *PROPERTIES]
    found = next((name for name in names if any(name in one.properties for one in features)), None)
    if found is None:
        raise BadInput(f"no feature has a property {' or '.join(names)}", where=path)
    labels = Labels(path, legend, features, found)
    if all(labels.number(one.properties) == NONE for one in features):
        seen = features.features[0].properties.get(found)
        raise BadInput(f"{found}: {seen!r} is none of {', '.join(legend.labels)}", where=path)
    return labels


def numbers(values: np.ndarray[Any, Any], valid: np.ndarray[Any, Any], legend: Legend) -> Numbers:
    """Class numbers of the values of a raster; NONE for other values and where it is not ``valid``."""
    import numpy as np

    found = np.full(values.shape, NONE, dtype=np.int16)
    for number, value in enumerate(legend.values):
        with contextlib.suppress(TypeError, ValueError):  # vector results may have names for values
            found[values == int(value)] = number
    found[~valid] = NONE
    return found


def warped(image: DatasetReader, block: Block) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Values of band 1 on a grid by the nearest pixel, and where there are any, both (H, W)."""
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.vrt import WarpedVRT

    flags = image.mask_flag_enums[0]
    # Beyond the edges of an image that has no nodata value GDAL would make up valid zeros.
    add_alpha = MaskFlags.nodata not in flags and ColorInterp.alpha not in image.colorinterp
    height, width = block.shape
    with WarpedVRT(
        image, crs=block.crs, transform=block.transform, width=width, height=height, add_alpha=add_alpha
    ) as there:
        return there.read(1), there.dataset_mask() > 0 if add_alpha else there.read_masks(1) > 0


def burnt(shapes: list[tuple[BaseGeometry, int]], block: Block) -> Numbers:
    """Numbers of shapes in lon/lat on a grid; NONE elsewhere."""
    import numpy as np
    from rasterio.features import rasterize

    found = np.full(block.shape, NONE, dtype=np.int16)
    near = [(one, number) for one, number in _in_crs(shapes, block) if not one.is_empty]
    if near:
        rasterize(near, out=found, transform=block.transform)
    return found


def _in_crs(shapes: list[tuple[BaseGeometry, int]], block: Block) -> Iterator[tuple[BaseGeometry, int]]:
    """What lies near a block, in its CRS: far away from its place a CRS may have no numbers at all."""
    import shapely

    west, south, east, north = footprint(block).bounds
    margin = max(east - west, north - south) / 10
    near = shapely.box(west - margin, south - margin, east + margin, north + margin)
    for place in shapely.intersects([shape for shape, _ in shapes], near).nonzero()[0]:
        shape, number = shapes[place]
        inside = shape if near.contains(shape) else shapely.make_valid(shape).intersection(near)
        yield reprojected(inside, block.crs), number


def footprint(block: Block) -> BaseGeometry:
    """The area of a block in lon/lat; its edges are as bent there as they are."""
    import shapely
    from rasterio.transform import array_bounds

    from pipelines.esrun.projection import Projection, to_lonlat

    edges = shapely.box(*array_bounds(*block.shape, block.transform))
    steps = shapely.segmentize(edges, edges.length / 64)
    return to_lonlat(steps, Projection(block.crs.to_string(), 1, 1))


def reprojected(shape: BaseGeometry, crs: Any) -> BaseGeometry:
    """A shape in lon/lat in the coordinates of ``crs``, vertex by vertex."""
    from pipelines.esrun.projection import Projection, to_pixels

    return to_pixels(shape, Projection(crs.to_string(), 1, 1))


def blocks(image: DatasetReader) -> Iterator[tuple[Window, Block]]:
    """The parts of a raster, row by row."""
    from rasterio.windows import Window

    for top in range(0, image.height, BLOCK):
        for left in range(0, image.width, BLOCK):
            window = Window(left, top, min(BLOCK, image.width - left), min(BLOCK, image.height - top))
            size = int(window.height), int(window.width)
            yield window, Block(image.crs, image.window_transform(window), size)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[DatasetReader]:
    """A raster with a CRS; raises BadInput where that cannot be."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        image = rasterio.open(path)
    except (RasterioError, OSError):
        raise BadInput("cannot be read as a raster", where=path) from None
    with image:
        if image.crs is None or not (image.crs.is_geographic or image.crs.is_projected):
            raise BadInput("has no coordinate reference system", where=path)
        yield image
