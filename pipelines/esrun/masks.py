"""Masks: which pixels of a result count, from a GeoTIFF or from areas in GeoJSON.

What is done with the pixels that do not count does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.features import read_features
from pipelines.esrun.projection import Projection, to_pixels

if TYPE_CHECKING:
    import numpy as np
    from affine import Affine
    from shapely.geometry.base import BaseGeometry

GEOTIFF = (".tif", ".tiff")
GEOJSON = (".geojson", ".json")


@dataclass(frozen=True)
class Mask:
    """A mask file.

    Attributes:
        path: a GeoTIFF, of which the first band counts, or GeoJSON, whose areas do.
        values: of the GeoTIFF's pixels that count; empty: all but 0 and nodata.
    """

    path: Path
    values: Sequence[float] = ()

    def __post_init__(self) -> None:
        if self.path.suffix.lower() not in (*GEOTIFF, *GEOJSON):
            raise BadInput("a mask must be a GeoTIFF or GeoJSON", where=self.path)
        if not self.path.is_file():
            raise BadInput("no such mask", where=self.path)

    def on(self, crs: str, transform: Affine, shape: tuple[int, int]) -> np.ndarray:
        """Whether each pixel of a north-up grid counts: of its centre, the nearest of the mask.

        Args:
            transform: (column, row) -> ``crs``.
            shape: height and width in pixels.

        Returns:
            booleans of ``shape``; False outside the mask.
        """
        if self.path.suffix.lower() in GEOTIFF:
            return self._of_pixels(crs, transform, shape)
        return self._of_areas(crs, transform, shape)

    def _of_pixels(self, crs: str, transform: Affine, shape: tuple[int, int]) -> np.ndarray:
        import numpy as np
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.vrt import WarpedVRT

        try:
            with (
                rasterio.open(self.path) as source,
                WarpedVRT(source, crs=crs, transform=transform, width=shape[1], height=shape[0],
                          add_alpha=source.nodata is None) as warped,
            ):  # fmt: skip
                values = warped.read(1)
                inside = warped.read_masks(1) > 0
        except RasterioError as error:
            raise BadInput(f"cannot be read as a mask ({error})", where=self.path) from None
        counts = np.isin(values, list(self.values)) if self.values else values != 0
        return np.asarray(inside & counts)

    def _of_areas(self, crs: str, transform: Affine, shape: tuple[int, int]) -> np.ndarray:
        from affine import Affine
        from rasterio.features import geometry_mask

        projection = Projection(crs, transform.a, transform.e)
        shift = Affine.translation(transform.c / transform.a, transform.f / transform.e)
        shapes = [to_pixels(one, projection) for one in self._areas]
        kept: Any = geometry_mask(shapes, shape, shift, invert=True)
        return kept

    @cached_property
    def _areas(self) -> list[BaseGeometry]:
        found = [feature.geometry for feature in read_features(self.path)]
        for shape in found:
            if shape.geom_type not in ("Polygon", "MultiPolygon"):
                raise BadInput(f"a mask has areas, not a {shape.geom_type}", where=self.path)
        return found
