"""One scene as tiles: their pixels, their files and what COCO says of them, a row of tiles at a time.

What a dataset of several scenes is does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cerulean import auxiliary, georeference, layers, scenes
from pipelines.cerulean.coco_tiles import CHANNELS, TILES, masks_of, tile_name
from pipelines.cerulean.tiling import Tile, tiles
from pipelines.errors import BadInput
from pipelines.rasters import CACHE

if TYPE_CHECKING:
    import numpy as np
    from rasterio.control import GroundControlPoint

    from pipelines.cerulean.auxiliary import Auxiliary, Warp
    from pipelines.cerulean.georeference import Georeference
    from pipelines.cerulean.scenes import Scene

_ROWS = 512  # warped at once: bounds the memory of what is in floats
_POINTS = 5  # ground control points along each side of a tile


@dataclass(frozen=True)
class Settings:
    """How scenes become tiles.

    Attributes:
        tile_length: of a side in pixels; 0 makes a scene one tile.
        georeference: one of `georeference.MODELS`.
        drop_empty: leave out tiles without annotation.
        min_valid: leave out tiles of which a smaller share (padding counts) has data.
    """

    tile_length: int = 512
    georeference: str = "polynomial"
    drop_empty: bool = False
    min_valid: float = 0.0


@dataclass(frozen=True)
class Cut:
    """What became of a scene.

    Attributes:
        about: for the head of the dataset, see `OpenScene.about`.
        parts: image and annotations of each tile that was kept, without their ids.
        dropped: tiles that were left out.
    """

    about: dict[str, Any]
    parts: list[tuple[dict[str, Any], list[dict[str, Any]]]]
    dropped: int


@dataclass(frozen=True)
class OpenScene:
    """A scene of which tiles can be had; made by `opened`.

    Attributes:
        shape: (height, width) in pixels.
    """

    scene: Scene
    shape: tuple[int, int]
    place: Georeference
    _vv: Any
    _warp: Warp

    @property
    def about(self) -> dict[str, Any]:
        """What the head of a dataset says of the scene: id, folder, size, residual in metres."""
        mean, most = self.place.residuals_m
        return {
            "id": self.scene.id,
            "folder": self.scene.line,
            "height": self.shape[0],
            "width": self.shape[1],
            "residual_m": {"mean": round(float(mean), 3), "max": round(float(most), 3)},
        }

    def read(self, grid: Iterable[Tile]) -> Iterator[tuple[Tile, np.ndarray]]:
        """The tiles of ``grid``, in its order, with their pixels, uint8 (3, height, width), padded with 0.

        Rows of tiles have to come from the top down, or the picture is decoded anew.
        """
        import numpy as np

        for _, row in groupby(grid, attrgetter("row", "height")):
            several = list(row)
            rows, _ = several[0].inside(*self.shape)
            strip = self._strip(rows)
            for tile in several:
                _, cols = tile.inside(*self.shape)
                if strip.shape[1:] == (tile.height, tile.width):
                    yield tile, strip
                    continue
                pixels = np.zeros((len(CHANNELS), tile.height, tile.width), np.uint8)
                pixels[:, *tile.placed(*self.shape)] = strip[:, :, cols]
                yield tile, pixels

    def _strip(self, rows: slice) -> np.ndarray:
        """All columns of some rows, uint8 (3, rows, width)."""
        import numpy as np

        cols = slice(0, self.shape[1])
        strip = np.empty((len(CHANNELS), rows.stop - rows.start, self.shape[1]), np.uint8)
        for start in range(rows.start, rows.stop, _ROWS):
            part = slice(start, min(start + _ROWS, rows.stop))
            here = slice(part.start - rows.start, part.stop - rows.start)
            strip[0, here] = self._vv.read(part, cols)
            strip[1:, here] = self._warp.window(part, cols)
        return strip

    def image(self, tile: Tile, pixels: np.ndarray) -> dict[str, Any]:
        """What COCO says of a tile, without its id; bounds are west, south, east, north in degrees."""
        rows, cols = tile.inside(*self.shape)
        return {
            "file_name": f"{TILES}/{tile_name(self.scene.id, tile.index)}",
            "height": tile.height,
            "width": tile.width,
            "date_captured": self.scene.date.isoformat(),
            "extra": {
                "big_image_id": self.scene.id,
                "tile": tile.index,
                "row": tile.row,
                "col": tile.col,
                "valid_height": rows.stop - rows.start,
                "valid_width": cols.stop - cols.start,
                "valid_share": valid_share(pixels),
                "bounds": [round(float(side), 7) for side in self.place.bounds(rows, cols)],
            },
        }

    def write(self, tile: Tile, pixels: np.ndarray, folder: Path) -> None:
        """Write a tile below ``folder``, as a GeoTIFF with ground control points.

        Raises:
            BadInput: it cannot be written.
        """
        import rasterio
        from rasterio.errors import RasterioIOError

        path = folder / TILES / tile_name(self.scene.id, tile.index)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with rasterio.open(
                path, "w", driver="GTiff", dtype="uint8", count=len(CHANNELS), height=tile.height,
                width=tile.width, crs="EPSG:4326", gcps=self._points(tile), compress="deflate",
                interleave="band",
            ) as target:  # fmt: skip
                target.write(pixels)
                target.descriptions = CHANNELS
        except RasterioIOError as error:
            raise BadInput(f"cannot be written ({error})", where=path) from None

    def _points(self, tile: Tile) -> list[GroundControlPoint]:
        """Where on earth a tile lies, by a lattice of points over what it has of the scene.

        Points, not a transform: a tile keeps the curvature of the swath, whatever model was chosen.
        """
        import numpy as np
        from rasterio.control import GroundControlPoint

        rows, cols = tile.inside(*self.shape)
        down, right = np.meshgrid(
            np.linspace(rows.start, rows.stop, _POINTS),
            np.linspace(cols.start, cols.stop, _POINTS),
            indexing="ij",
        )
        lon, lat = self.place.to_lonlat(down, right)
        return [
            GroundControlPoint(row=row - tile.row, col=col - tile.col, x=x, y=y)
            for row, col, x, y in zip(down.flat, right.flat, lon.flat, lat.flat, strict=True)
        ]


def valid_share(pixels: np.ndarray) -> float:
    """The share of a tile's pixels, padding included, where VV is not nodata (0)."""
    import numpy as np

    return float(np.count_nonzero(pixels[0]) / pixels[0].size)


@contextmanager
def opened(scene: Scene, aux: Auxiliary, model: str = "polynomial") -> Iterator[OpenScene]:
    """A scene as a source of tiles.

    Args:
        model: one of `georeference.MODELS`.

    Raises:
        BadInput: its background or its ground control points cannot be used.
    """
    import rasterio

    place = georeference.read(scene.background, model)
    with rasterio.Env(GDAL_CACHEMAX=CACHE), scenes.opened(scene) as vv:
        yield OpenScene(scene, vv.shape, place, vv, auxiliary.Warp.of(aux, scene, model))


def cut(scene: Scene, aux: Auxiliary, folder: Path, settings: Settings) -> Cut:
    """Write the tiles of a scene below ``folder``.

    One slick is one annotation in each tile that has any of its pixels; a layer of background's colour is
    none. In memory are one row of tiles and one slick within its box.

    Raises:
        BadInput: the background, a layer or the georeference cannot be used.
    """
    with opened(scene, aux, settings.georeference) as source:
        grid = list(tiles(*source.shape, settings.tile_length))
        found = slicks(scene, source.shape, grid)
        wanted = [tile for tile in grid if tile.index in found or not settings.drop_empty]
        parts = []
        for tile, pixels in source.read(wanted):
            if valid_share(pixels) < settings.min_valid:
                continue
            source.write(tile, pixels, folder)
            parts.append((source.image(tile, pixels), found.get(tile.index, [])))
        return Cut(source.about, parts, len(grid) - len(parts))


def slicks(scene: Scene, shape: tuple[int, int], grid: list[Tile]) -> dict[int, list[dict[str, Any]]]:
    """What the layers of a scene have in each tile, by the tile's index, in the layers' order."""
    found: dict[int, list[dict[str, Any]]] = {}
    for path in scene.layers:
        layer = layers.read_cropped(path, shape)
        if layer.number == 0:  # background: says that here is no slick
            continue
        for index, mask in masks_of(layer, shape, grid).items():
            found.setdefault(index, []).append(mask.annotation(layer.number, path.name))
    return found
