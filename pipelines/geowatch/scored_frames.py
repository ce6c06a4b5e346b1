"""Heatmaps beside the truth of their images: what pixel evaluation reads, part by part.

Counting and metrics are `pixel_scores` and `evaluate_pixels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, grids, heatmaps, site_areas
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.heatmaps import SALIENT, Frame
from pipelines.geowatch.iarpa import PHASES

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

IGNORE = 255
_CODES = {
    **{phase: code for code, phase in enumerate(PHASES)},
    "negative": 0,
    "ignore": IGNORE,
    "Unknown": IGNORE,
}
_BLOCK = 1024


@dataclass(frozen=True)
class ScoredFrame:
    """An image with a heatmap and truth.

    Attributes:
        grid: of video space, on which both are compared.
        truth: (code, polygon in pixels of ``grid``); a code is an index of `PHASES`, or `IGNORE`.
    """

    video: str
    grid: Grid
    heatmap: Frame
    truth: tuple[tuple[int, BaseGeometry], ...]


def tasks(dataset: Any) -> list[tuple[str, ...]]:
    """The heatmaps that a dataset holds: `SALIENT`, `PHASES`, or both.

    Raises:
        BadInput: neither.
    """
    known = {
        name
        for image in dataset.imgs.values()
        for asset in coco_files.assets(image)
        for name in coco_files.channels(asset)
    }
    kinds: tuple[tuple[str, ...], ...] = (SALIENT, PHASES)
    found = [channels for channels in kinds if set(channels) <= known]
    if dataset.imgs and not found:
        raise BadInput("has no heatmaps: neither 'salient' nor the four phases", where=dataset.fpath)
    return found


def pair(true_dataset: Any, pred_dataset: Any, channels: tuple[str, ...]) -> list[ScoredFrame]:
    """The images with heatmaps of these channels and truth of the same video and name, in order.

    Raises:
        BadInput: they have no image in common, or the truth has a category that is no phase.
    """
    images = _images(true_dataset)
    found = []
    for video in heatmaps.heat_videos(pred_dataset, channels):
        for heatmap in video.frames:
            image = images.get((video.name, heatmap.image_name))
            if image is not None:
                grid = Grid.of_video(true_dataset.index.videos[image["video_id"]])
                found.append(ScoredFrame(video.name, grid, heatmap, _truth(true_dataset, image)))
    if not found:
        raise BadInput(
            f"has no image in common with the truth {true_dataset.fpath}", where=pred_dataset.fpath
        )
    return found


def blocks(frame: ScoredFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Heat (bands, height, width) and codes uint8 (height, width) of every part of the video's grid.

    Heat is NaN without data and where the truth is `IGNORE`; pixels of no annotation are `No Activity`.
    """
    grid = frame.grid
    for row in range(0, grid.height, _BLOCK):
        for col in range(0, grid.width, _BLOCK):
            yield read(
                frame, grid.crop(col, row, min(_BLOCK, grid.width - col), min(_BLOCK, grid.height - row))
            )


def read(frame: ScoredFrame, part: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Heat and codes on any grid over the video's ground; see `blocks`.

    Raises:
        BadInput: the heatmap cannot be read or holds something else than probabilities.
    """
    import numpy as np

    heat = grids.read(frame.heatmap.path, part, frame.heatmap.bands)
    codes = _codes(frame, part)
    heat[:, codes == IGNORE] = np.nan
    known = heat[~np.isnan(heat)]
    if known.size and not (known.min() >= -1e-3 and known.max() <= 1 + 1e-3):
        raise BadInput(
            f"holds values from {known.min():g} to {known.max():g}, not probabilities",
            where=frame.heatmap.path,
        )
    return np.clip(heat, 0.0, 1.0), codes


def _images(dataset: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The images of a dataset by the names of their video and their own."""
    videos = dataset.index.videos
    return {
        (str(videos[image["video_id"]]["name"]), str(image.get("name") or image["id"])): image
        for image in dataset.imgs.values()
        if image.get("video_id") is not None
    }


def _truth(dataset: Any, image: dict[str, Any]) -> tuple[tuple[int, BaseGeometry], ...]:
    """Its annotations in video pixels; what is to be ignored last, so that it lies on top."""
    import kwimage
    from shapely.affinity import affine_transform

    warp = kwimage.Affine.coerce(image.get("warp_img_to_vid"))
    (a, b, c), (d, e, f), _ = warp.matrix.tolist() if warp.matrix is not None else kwimage.Affine.eye().matrix
    found = []
    for annotation in dataset.annots(image_id=image["id"]).objs:
        name = dataset.cats[annotation["category_id"]]["name"]
        if name not in _CODES:
            raise BadInput(
                f"annotates image {image.get('name')!r} as {name!r}, which is no phase", where=dataset.fpath
            )
        outline = site_areas.footprint(annotation)
        if outline is not None:
            found.append((_CODES[name], affine_transform(outline, [a, b, d, e, c, f])))
    return tuple(sorted(found, key=lambda item: item[0]))


def _codes(frame: ScoredFrame, part: Grid) -> np.ndarray:
    """The truth as codes uint8 (height, width): a pixel belongs to the polygon that holds its centre."""
    import numpy as np
    from rasterio.features import rasterize

    shape = (part.height, part.width)
    # From pixels of the part to pixels of the video; both lie on the same CRS.
    transform = ~frame.grid.affine @ part.affine
    polygons = [(outline, code) for code, outline in frame.truth if code and not outline.is_empty]
    if not polygons:
        return np.zeros(shape, dtype=np.uint8)
    codes: np.ndarray = rasterize(polygons, out_shape=shape, transform=transform, dtype="uint8")
    return codes
