"""A video of a kwcoco dataset as frames in time, and their bands brought onto a grid.

Truth, windows and models do not belong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, grids
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.heatmaps import moment

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Asset:
    """A GeoTIFF and the names of its bands."""

    path: Path
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """One image of a video; ``seconds`` since 1970."""

    image_id: int
    name: str
    sensor: str
    seconds: float
    assets: tuple[Asset, ...]

    def read(self, channels: Sequence[str], grid: Grid) -> np.ndarray:
        """(bands, height, width) float32 in the files' units, NaN where nodata.

        Raises:
            BadInput: a band is missing or a file unreadable.
        """
        import numpy as np

        if len({self._asset(name).path for name in channels}) == 1:  # as usual: one read, no copy
            asset = self._asset(channels[0])
            return grids.read(asset.path, grid, [asset.channels.index(name) + 1 for name in channels])
        parts = [self._asset(name) for name in channels]
        bands = [
            grids.read(asset.path, grid, [asset.channels.index(name) + 1])
            for asset, name in zip(parts, channels, strict=True)
        ]
        return np.concatenate(bands)

    def gsd(self, channels: Sequence[str]) -> float:
        """Metres per pixel of the finest file that holds one of the bands."""
        return min(Grid.of_file(self._asset(name).path).gsd for name in channels)

    def check(self, channels: Sequence[str], grid: Grid) -> None:
        """Raise BadInput unless the bands are there, in files that are whole and touch the grid."""
        for path in sorted({self._asset(name).path for name in channels}):
            asset = next(asset for asset in self.assets if asset.path == path)
            with grids.opened(path) as image:
                if image.count != len(asset.channels):
                    raise BadInput(
                        f"has {image.count} bands, but image {self.name!r} names {len(asset.channels)} "
                        f"({'|'.join(asset.channels)})",
                        where=path,
                    )
            footprint = Grid.of_file(path).outline
            if not footprint.intersects(grid.outline):
                raise BadInput(
                    f"lies outside its video's ground ({grid.crs}, bounds {grid.bounds}): wrong CRS or place",
                    where=path,
                )

    def lacks(self, channels: Sequence[str]) -> str | None:
        """The first of the bands that it does not have."""
        there = {name for asset in self.assets for name in asset.channels}
        return next((name for name in channels if name not in there), None)

    def _asset(self, channel: str) -> Asset:
        for asset in self.assets:
            if channel in asset.channels:
                return asset
        known = sorted({name for asset in self.assets for name in asset.channels})
        raise BadInput(f"image {self.name!r} has no band {channel!r}, it has {', '.join(known) or 'none'}")


@dataclass(frozen=True)
class Series:
    """A video: its frames in time order and the grid of its video space."""

    video_id: int
    name: str
    grid: Grid
    frames: tuple[Frame, ...]


def read_series(dataset: Any) -> list[Series]:
    """All videos that have images, by name.

    Raises:
        BadInput: an image is in no video or has no time.
    """
    stray = next((image for image in dataset.imgs.values() if image.get("video_id") is None), None)
    if stray is not None:
        raise BadInput(f"image {stray.get('name', stray['id'])!r} is in no video", where=dataset.fpath)
    found = []
    for video in sorted(dataset.videos().objs, key=lambda video: str(video["name"])):
        images = [dataset.imgs[image] for image in dataset.index.vidid_to_gids[video["id"]]]
        frames = sorted((_frame(dataset, image) for image in images), key=lambda f: (f.seconds, f.name))
        if frames:
            grid = Grid.of_video(video, dataset.fpath)
            found.append(Series(video["id"], video["name"], grid, tuple(frames)))
    if dataset.imgs and not found:
        raise BadInput("has no images in its videos", where=dataset.fpath)
    return found


def with_bands(every: Sequence[Series], channels: Sequence[str], where: str) -> list[Series]:
    """The videos with the frames that have all of the bands; a line on stderr says which have not.

    Raises:
        BadInput: there are frames, but none has them all.
    """
    kept = [replace(one, frames=tuple(f for f in one.frames if not f.lacks(channels))) for one in every]
    frames = [frame for one in every for frame in one.frames]
    lacking = Counter((frame.sensor, band) for frame in frames if (band := frame.lacks(channels)))
    if lacking and lacking.total() == len(frames):
        there = sorted({name for frame in frames for asset in frame.assets for name in asset.channels})
        wanted = "|".join(channels)
        band = next((name for name in channels if name not in there), frames[0].lacks(channels))
        raise BadInput(
            f"no image has all bands of the model ({wanted}): no band {band!r}, there are {'|'.join(there)}",
            where=where,
        )
    if lacking:
        told = (f"{count} of {sensor} without {band!r}" for (sensor, band), count in sorted(lacking.items()))
        total = lacking.total()
        click.echo(f"warning: {total} of {len(frames)} images are left out: {', '.join(told)}", err=True)
    return [one for one in kept if one.frames]


def _frame(dataset: Any, image: dict[str, Any]) -> Frame:
    name = str(image.get("name") or image["id"])
    assets = tuple(
        Asset(coco_files.asset_path(dataset, asset), tuple(coco_files.channels(asset)))
        for asset in coco_files.assets(image)
        if asset.get("channels")
    )
    sensor = str(image.get("sensor_coarse") or "unknown")
    return Frame(image["id"], name, sensor, moment(image, dataset.fpath).timestamp(), assets)
