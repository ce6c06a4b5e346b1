"""Heatmaps of a kwcoco dataset, read as videos on one grid: by blocks over time, or under footprints.

What is made of the values does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, grids
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.phases import active_score

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

SALIENT = ("salient",)
_BLOCK = 512  # pixels: 64 frames of a block are 64 MiB
_WHOLE = 4096 * 4096  # values of a frame that are held at once rather than read footprint by footprint


@dataclass(frozen=True)
class Frame:
    """The heatmap of one image; bands are 1-based, in the order of the channels asked for."""

    image_name: str
    moment: datetime
    sensor: str | None
    path: Path
    bands: tuple[int, ...]

    @property
    def date(self) -> date:
        """In UTC."""
        return self.moment.date()


@dataclass(frozen=True)
class HeatVideo:
    """The heatmaps of a video in the order of time, and the grid that they are read on.

    Its name is its region's id, or a site's if it is a crop.
    """

    name: str
    region_id: str
    grid: Grid
    frames: tuple[Frame, ...]

    @property
    def timestamps(self) -> list[float]:
        """Of the frames, in seconds since 1970."""
        return [frame.moment.timestamp() for frame in self.frames]


@dataclass(frozen=True)
class Footprint:
    """Pixels of a grid: the corner of a window, and which of its pixels count."""

    col: int
    row: int
    mask: np.ndarray


def heat_videos(dataset: Any, channels: Sequence[str]) -> list[HeatVideo]:
    """The videos of a dataset by name; images without these heatmaps are left out.

    Args:
        channels: `SALIENT` or `iarpa.PHASES`, all in one file per image.

    Raises:
        BadInput: no image has them, an image has no time, a heatmap lies on another CRS than its video.
    """
    videos = [
        _heat_video(dataset, video, channels)
        for video in sorted(dataset.dataset.get("videos", ()), key=lambda video: str(video["name"]))
    ]
    if dataset.dataset["images"] and not any(video.frames for video in videos):
        raise BadInput(f"has no heatmaps with the channels {'|'.join(channels)!r}", where=dataset.fpath)
    return [video for video in videos if video.frames]


def _heat_video(dataset: Any, video: dict[str, Any], channels: Sequence[str]) -> HeatVideo:
    found = [_frame(dataset, image, channels) for image in coco_files.frames(dataset, video["id"])]
    frames = tuple(sorted((f for f in found if f), key=lambda f: (f.moment, f.image_name)))
    grid = Grid.of_video(video, dataset.fpath)
    if frames:
        own = Grid.of_file(frames[0].path)
        if own.crs != grid.crs:
            raise BadInput(
                f"lies on {own.crs}, its video {video['name']!r} on {grid.crs}", where=frames[0].path
            )
        grid = grid.at_gsd(own.gsd)
    name = str(video["name"])
    return HeatVideo(name, str(video.get("region_id") or name), grid, frames)


def _frame(dataset: Any, image: dict[str, Any], channels: Sequence[str]) -> Frame | None:
    for asset in coco_files.assets(image):
        names = coco_files.channels(asset)
        if set(channels) <= set(names):
            return Frame(
                image_name=str(image.get("name") or image["id"]),
                moment=moment(image, dataset.fpath),
                sensor=image.get("sensor_coarse"),
                path=coco_files.asset_path(dataset, asset),
                bands=tuple(names.index(channel) + 1 for channel in channels),
            )
    return None


def moment(image: dict[str, Any], where: str | None = None) -> datetime:
    """When an image was taken, in UTC: its `timestamp` (seconds since 1970, or ISO), or `date_captured`.

    Raises:
        BadInput: it has neither, or they cannot be read.
    """
    name = f"image {image.get('name', image.get('id'))!r}"
    try:
        if isinstance(image.get("timestamp"), int | float):
            return datetime.fromtimestamp(image["timestamp"], UTC)
        text = image.get("timestamp") or image.get("date_captured")
        if text:
            taken = datetime.fromisoformat(str(text))
            return taken.astimezone(UTC) if taken.tzinfo else taken.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"{name} has an unusable time ({error})", where=where) from None
    raise BadInput(f"{name} has neither timestamp nor date_captured", where=where)


def foreground(pixels: np.ndarray) -> np.ndarray:
    """Of heat (bands, ...): saliency itself, or the sum of the classes in which a site is one."""
    import numpy as np

    if len(pixels) == 1:
        return pixels[0]
    return active_score(np.moveaxis(pixels, 0, -1))


def blocks(video: HeatVideo) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Rows, columns and foreground heat (time, height, width) of every part of the video's grid."""
    import numpy as np

    grid = video.grid
    for row in range(0, grid.height, _BLOCK):
        for col in range(0, grid.width, _BLOCK):
            part = grid.crop(col, row, min(_BLOCK, grid.width - col), min(_BLOCK, grid.height - row))
            stack = np.stack(
                [foreground(grids.read(frame.path, part, frame.bands)) for frame in video.frames]
            )
            yield slice(row, row + part.height), slice(col, col + part.width), stack


def footprint(geometry: BaseGeometry, grid: Grid) -> Footprint | None:
    """The pixels whose centres a polygon (longitude, latitude) holds, else those it touches; None outside."""
    from affine import Affine
    from rasterio import features

    polygon = grid.to_pixels(geometry)
    west, north, east, south = polygon.bounds
    col, row = max(0, math.floor(west)), max(0, math.floor(north))
    width, height = min(grid.width, math.ceil(east)) - col, min(grid.height, math.ceil(south)) - row
    if width < 1 or height < 1:
        return None
    for all_touched in (False, True):
        mask = features.rasterize(
            [polygon],
            out_shape=(height, width),
            transform=Affine.translation(col, row),
            all_touched=all_touched,
        ).astype(bool)
        if mask.any():
            return Footprint(col, row, mask)
    return None


def series(video: HeatVideo, footprints: Sequence[Footprint | None]) -> tuple[np.ndarray, np.ndarray]:
    """What each frame says under each footprint.

    Returns:
        Mean heat (footprints, frames, bands), NaN without data, and the share of pixels with data
        (footprints, frames).
    """
    import numpy as np

    bands = len(video.frames[0].bands) if video.frames else 1
    means = np.full((len(footprints), len(video.frames), bands), np.nan)
    known = np.zeros((len(footprints), len(video.frames)))
    for t, frame in enumerate(video.frames):
        window = _reader(frame, video.grid)
        for i, place in enumerate(footprints):
            if place is None:
                continue
            values = window(place)[:, place.mask]
            usable = ~np.isnan(values).any(axis=0)
            known[i, t] = usable.mean()
            if usable.any():
                means[i, t] = values[:, usable].mean(axis=1, dtype=np.float64)
    return means, known


def _reader(frame: Frame, grid: Grid) -> Any:
    """A function from a footprint to the heat (bands, height, width) of its window."""
    whole = None
    if grid.width * grid.height * len(frame.bands) <= _WHOLE:
        whole = grids.read(frame.path, grid, frame.bands)

    def window(place: Footprint) -> np.ndarray:
        height, width = place.mask.shape
        if whole is not None:
            return whole[:, place.row : place.row + height, place.col : place.col + width]
        return grids.read(frame.path, grid.crop(place.col, place.row, width, height), frame.bands)

    return window
