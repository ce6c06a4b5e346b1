"""One image cropped onto a grid: the assets that are needed, resampled, and the annotations on it.

Which images, and where, is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.geowatch.coco_files import asset_path, assets, channels
from pipelines.geowatch.grids import Grid, opened, read
from pipelines.geowatch.site_areas import footprint, image_grid
from pipelines.program import writing

_GEOTIFF = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}


@dataclass(frozen=True)
class Wanted:
    """What of an image is kept.

    Attributes:
        channels: names, or None for all.
        nodata: the value written where there is no data; None keeps the source's.
        keep: an asset that is already there on the same grid is not written again.
    """

    channels: frozenset[str] | None = None
    nodata: float | None = -9999
    keep: bool = False

    def bands(self, asset: dict[str, Any]) -> list[int]:
        """The bands of an asset to copy, 1-based."""
        names = channels(asset)
        return [i + 1 for i, name in enumerate(names) if self.channels is None or name in self.channels]


def has_data(dataset: Any, image: dict[str, Any], grid: Grid, wanted: Wanted) -> bool:
    """Whether any pixel of any wanted asset on the grid is data."""
    import numpy as np

    return any(
        bool(np.isfinite(read(asset_path(dataset, asset), grid, bands=wanted.bands(asset)[:1])).any())
        for asset in assets(image)
        if wanted.bands(asset)
    )


def check_crs(dataset: Any, image: dict[str, Any], video: dict[str, Any]) -> None:
    """Raise BadInput where the GeoTIFF of an image is not in the CRS that its video claims."""
    from rasterio.crs import CRS

    for asset in assets(image):
        path = asset_path(dataset, asset)
        with opened(path) as source:
            if source.crs is None or source.crs != CRS.from_user_input(video["crs"]):
                raise BadInput(
                    f"its CRS is {source.crs or 'missing'}, but its video {video['name']!r} is in"
                    f" {video['crs']}",
                    where=path,
                )


def crop_asset(
    source: Path, bands: list[int], grid: Grid, target: Path, wanted: Wanted, names: list[str]
) -> bool:
    """Resample bands of a GeoTIFF onto ``grid`` and write them; False, and no file, where all is nodata."""
    import numpy as np
    import rasterio

    with opened(source) as image:
        dtype, nodata = _storage(image.dtypes[bands[0] - 1], wanted.nodata, image.nodata)
    profile = dict(
        _GEOTIFF, count=len(bands), dtype=dtype, nodata=nodata, crs=grid.crs, transform=grid.affine,
        width=grid.width, height=grid.height, predictor=2 if np.dtype(dtype).kind in "iu" else 3,
    )  # fmt: skip
    if wanted.keep and _same(target, profile):
        return True
    pixels = read(source, grid, bands=bands)
    missing = ~np.isfinite(pixels)
    if missing.all():
        return False
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        pixels = np.clip(np.rint(pixels), limits.min, limits.max)
    if nodata is not None:
        pixels[missing] = nodata
    with writing(target) as temporary, rasterio.open(temporary, "w", **profile) as out:
        out.write(np.nan_to_num(pixels).astype(dtype) if nodata is None else pixels.astype(dtype))
        out.descriptions = tuple(names)
    return True


def cropped_annotations(dataset: Any, image: dict[str, Any], grid: Grid) -> list[dict[str, Any]]:
    """The annotations of an image that touch the grid, clipped to it, in its pixels.

    Everything but the shape is copied (category, track, score); ids are the caller's.
    """
    import kwimage
    from shapely.affinity import affine_transform
    from shapely.geometry import box

    numbers = sorted(dataset.index.gid_to_aids[image["id"]])
    if not numbers:
        return []
    source = image_grid(dataset, image)
    frame = box(0, 0, grid.width, grid.height)
    found = []
    for annotation in (dataset.anns[number] for number in numbers):
        shape = footprint(annotation)
        if shape is None:
            continue
        a, b, c, d, e, f = source.transform
        ground = affine_transform(shape, [a, b, d, e, c, f])
        clipped = _polygons(grid.to_pixels(ground, crs=source.crs).intersection(frame))
        if clipped.is_empty:
            continue
        polygon = kwimage.MultiPolygon.from_shapely(clipped)
        left, top, right, bottom = clipped.bounds
        kept = {k: v for k, v in annotation.items() if k not in ("id", "image_id", "area")}
        found.append(
            kept
            | {"segmentation": polygon.to_coco(style="new"), "bbox": [left, top, right - left, bottom - top]}
        )
    return found


def _polygons(shape: Any) -> Any:
    """The part of a shape that has an area, as one MultiPolygon."""
    from shapely.geometry import MultiPolygon

    parts = getattr(shape, "geoms", [shape])
    return MultiPolygon([part for part in parts if part.geom_type == "Polygon" and part.area > 0])


def _storage(dtype: str, forced: float | None, given: float | None) -> tuple[str, float | None]:
    """The dtype and nodata of a crop: the source's, wider only where the forced nodata does not fit."""
    import numpy as np

    kind = np.dtype(dtype)
    nodata = given if forced is None else forced
    if nodata is None or kind.kind == "f" or not math.isfinite(nodata):
        return str(kind if nodata is None or math.isfinite(nodata) or kind.kind == "f" else "float32"), nodata
    return str(np.promote_types(kind, np.min_scalar_type(int(nodata)))), nodata


def _same(path: Path, profile: dict[str, Any]) -> bool:
    """Whether a whole GeoTIFF of this profile is already there."""
    import rasterio

    if not path.exists():
        return False
    try:
        with rasterio.open(path) as image:
            there = dict(image.profile, crs=image.crs.to_string() if image.crs else None)
    except rasterio.errors.RasterioIOError:
        return False
    keys = ("count", "dtype", "nodata", "transform", "width", "height")
    return there["crs"] == profile["crs"] and all(there[key] == profile[key] for key in keys)
