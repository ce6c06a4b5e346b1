"""Images and vector files in a folder: where each lies, and which of them meet a window.

How many of them a window takes, and their pixels, do not belong here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.dataset_config import ItemSpec, Source
from pipelines.esrun.projection import LONLAT, Projection

if TYPE_CHECKING:
    from shapely import STRtree
    from shapely.geometry.base import BaseGeometry

    from pipelines.esrun.dataset import Window

RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
VECTORS = (".geojson",)
LEAST = 1e-3  # pixels of area; less is rounding of a projection, not a shared pixel
MARGIN = 1e-4  # degrees round a vector file, which may hold one point


@dataclass(frozen=True)
class ImageFile:
    """One file of an image.

    Attributes:
        bands: their names in the order of the file.
        resolution: size of a pixel in units of the CRS, without a sign.
        nodata: of each band, as the file declares it.
    """

    path: Path
    crs: str
    bands: tuple[str, ...]
    bounds: tuple[float, float, float, float]
    resolution: tuple[float, float]
    nodata: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Item:
    """A source image, or a vector file.

    Attributes:
        footprint: in the units of its CRS.
        grid: its CRS and pixel size, by which rslearn writes footprints.
        fnames: relative to the source's folder.
        files: of an image.
        spec: bands and name, where the config gives them.
    """

    name: str
    grid: Projection
    footprint: BaseGeometry
    fnames: tuple[str, ...]
    files: tuple[ImageFile, ...] = ()
    spec: ItemSpec | None = None


def list_items(source: Source, kind: str = "raster") -> list[Item]:
    """All items of a source: of its ``item_specs`` in their order, else its files sorted by name.

    Raises:
        BadInput: no such folder, nothing in it, or a file that cannot be opened or placed.
    """
    if not source.folder.is_dir():
        raise BadInput("no such folder of source images", where=source.folder)
    suffixes = RASTERS if kind == "raster" else VECTORS
    if kind == "raster" and source.specs is not None:
        return [_image_item(source.folder, spec, spec) for spec in source.specs]
    names = sorted(
        path.relative_to(source.folder).as_posix()
        for path in source.folder.rglob("*")
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )
    if not names:
        raise BadInput(f"holds no {' or '.join(suffixes)} file", where=source.folder)
    if kind == "vector":
        return [_vector_item(source.folder, name) for name in names]
    return [_image_item(source.folder, ItemSpec((name,)), None) for name in names]


class Index:
    """Finds items by place.

    Args:
        items: in the order in which they are preferred.
    """

    def __init__(self, items: Sequence[Item]):
        self.items = list(items)
        places = defaultdict(list)
        for place, item in enumerate(self.items):
            places[item.grid.crs].append(place)
        self._trees = {crs: (_tree([self.items[n] for n in found]), found) for crs, found in places.items()}

    def meeting(self, window: Window) -> list[tuple[Item, BaseGeometry]]:
        """Items that share pixels with a window, and the part of it that each covers, in its pixels."""
        found: list[tuple[int, BaseGeometry]] = []
        for crs, (tree, places) in self._trees.items():
            found += self._shares(window, crs, tree, places)
        return [(self.items[place], share) for place, share in sorted(found, key=lambda pair: pair[0])]

    def _shares(
        self, window: Window, crs: str, tree: STRtree, places: Sequence[int]
    ) -> list[tuple[int, BaseGeometry]]:
        outline = _outline(window, crs)
        if outline is None:
            return []
        found = []
        for number in sorted(tree.query(outline)):
            item = self.items[places[number]]
            share = _to_window(outline.intersection(item.footprint), window, crs)
            if share is not None and share.area > LEAST:
                found.append((places[number], share))
        return found


def _tree(items: Sequence[Item]) -> STRtree:
    from shapely import STRtree

    return STRtree([item.footprint for item in items])


def _outline(window: Window, crs: str) -> BaseGeometry | None:
    """A window in units of ``crs``, its sides bent as they are there; None where it cannot be."""
    import shapely
    from shapely.geometry import box

    projection = window.projection
    size = (projection.x_resolution, projection.y_resolution)
    shape = box(*window.bounds)
    if crs == projection.crs:
        return shapely.transform(shape, lambda points: points * size)
    dense = shapely.segmentize(shape, max(1.0, max(window.size) / 8))
    return _moved(dense, projection.crs, crs, before=size)


def _to_window(shape: BaseGeometry, window: Window, crs: str) -> BaseGeometry | None:
    import shapely

    projection = window.projection
    size = (projection.x_resolution, projection.y_resolution)
    if shape.is_empty or crs == projection.crs:
        return shapely.transform(shape, lambda points: points / size)
    return _moved(shape, crs, projection.crs, after=size)


def _moved(
    shape: BaseGeometry,
    source: str,
    target: str,
    before: tuple[float, float] = (1, 1),
    after: tuple[float, float] = (1, 1),
) -> BaseGeometry | None:
    import numpy as np
    import shapely

    from pipelines.esrun.projection import transformer

    def move(points: Any) -> Any:
        x, y = transformer(source, target).transform(points[:, 0] * before[0], points[:, 1] * before[1])
        return np.column_stack([x / after[0], y / after[1]])

    moved = shapely.transform(shape, move)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        return None
    return moved if moved.is_valid else moved.buffer(0)


def _image_item(folder: Path, spec: ItemSpec, given: ItemSpec | None) -> Item:
    files = []
    for number, fname in enumerate(spec.fnames):
        path = folder / fname
        try:
            stat = path.stat()
        except OSError as error:
            raise BadInput(f"cannot be opened ({error.strerror})", where=path) from None
        bands = spec.bands[number] if spec.bands is not None else None
        files.append(_image_file(path, bands, stat.st_mtime_ns, stat.st_size))
    first, footprint = files[0]
    x, y = first.resolution
    name = spec.name or Path(spec.fnames[0]).name.partition(".")[0]
    return Item(name, Projection(first.crs, x, -y), footprint, spec.fnames,
                tuple(file for file, _ in files), given)  # fmt: skip


@lru_cache(maxsize=65536)
def _image_file(
    path: Path, bands: tuple[str, ...] | None, mtime_ns: int, size: int
) -> tuple[ImageFile, BaseGeometry]:
    """What a file says of itself; remembered as long as the file stays as it is."""
    import rasterio
    from rasterio.errors import RasterioError
    from shapely.geometry import Polygon

    try:
        with rasterio.open(path) as image:
            if image.crs is None:
                raise BadInput("has no coordinate reference system", where=path)
            corners = [(0, 0), (image.width, 0), (image.width, image.height), (0, image.height)]
            if _end(image) > size:
                raise BadInput("ends too early: a copy that was cut short?", where=path)
            t, crs, nodata, count = image.transform, image.crs, image.nodatavals, image.count
    except RasterioError as error:
        raise BadInput(f"cannot be opened ({error})", where=path) from None
    names = bands or tuple(f"B{number + 1}" for number in range(count))
    if len(names) != count:
        raise BadInput(f"has {count} bands, not {len(names)} as its item says", where=path)
    footprint = Polygon([t @ corner for corner in corners])
    code = crs.to_epsg()
    found = ImageFile(
        path, f"EPSG:{code}" if code else crs.to_wkt(), names, footprint.bounds,
        (math.hypot(t.a, t.d), math.hypot(t.b, t.e)), tuple(nodata),
    )  # fmt: skip
    return found, footprint


def _end(image: Any) -> int:
    """Where in a GeoTIFF its last pixels end, in bytes; 0 of any other file, and where there are none."""
    if image.driver != "GTiff":
        return 0
    (height, width), band = image.block_shapes[-1], image.count
    row, column = (image.height - 1) // height, (image.width - 1) // width
    said = [
        image.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE")
    ]
    return 0 if None in said else sum(map(int, said))


def _vector_item(folder: Path, fname: str) -> Item:
    from shapely.geometry import box

    from pipelines.esrun.features import read_features

    shapes = [feature.geometry.bounds for feature in read_features(folder / fname)]
    west, south = min(one[0] for one in shapes), min(one[1] for one in shapes)
    east, north = max(one[2] for one in shapes), max(one[3] for one in shapes)
    footprint = box(west - MARGIN, south - MARGIN, east + MARGIN, north + MARGIN)
    return Item(Path(fname).name.partition(".")[0], Projection(LONLAT, 1, 1), footprint, (fname,))
