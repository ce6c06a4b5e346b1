"""Imported files as the videos of a kwcoco dataset: one per region, on one grid, with truth drawn in.

What files and truth there are is image_files.py's and ingest_truth.py's.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.geowatch import iarpa
from pipelines.geowatch.coco_files import write_dataset
from pipelines.geowatch.grids import LONLAT, Grid, read, reproject, utm
from pipelines.geowatch.image_files import ImageFile
from pipelines.geowatch.ingest_truth import IGNORE, on_day, sites_of
from pipelines.program import writing

KWCOCO = "data.kwcoco.json"
NODATA = -9999
HAIR = 0.01  # of a pixel: an outline that was once whole pixels is so again, though rounded in degrees
_ROWS = 512  # read at once when resampling: bounds the memory
Shot = tuple[ImageFile, ...]  # the files of one image


@dataclass(frozen=True)
class Video:
    """A region to be: its grid, its truth, and the files of each image in order of time."""

    region: iarpa.Region
    grid: Grid
    sites: tuple[iarpa.Site, ...]
    shots: tuple[Shot, ...]


def region_of(name: str, files: Sequence[ImageFile]) -> iarpa.Region:
    """The region that all files together cover."""
    import shapely

    covered = shapely.union_all([file.grid.outline for file in files])
    return iarpa.Region(re.sub(r"[^A-Za-z0-9_.-]+", "_", name), covered.envelope)


def plan(
    region: iarpa.Region, files: Sequence[ImageFile], truth: Sequence[iarpa.Site], metres: float
) -> Video:
    """What lies in ``region``, on pixels of ``metres``.

    Raises:
        BadInput: it goes around the globe, no file covers any of it, or two files hold the same band of
            one image.
    """
    west, _, east, _ = region.geometry.bounds
    if east - west > 180:  # what a polygon over the 180th meridian looks like in GeoJSON; a huge video
        raise BadInput(
            f"region {region.region_id!r} reaches over {east - west:.0f} degrees of longitude",
            hint="cut what lies on the 180th meridian into two regions",
        )
    inside = [file for file in files if file.grid.outline.intersects(region.geometry)]
    if not inside:
        raise BadInput(f"region {region.region_id!r} lies outside all {len(files)} images")
    days = [file.taken.date() for file in inside]
    region = replace(region, start_date=region.start_date or min(days), end_date=region.end_date or max(days))
    sites = tuple(sites_of(region, truth))
    region = replace(region, sites=tuple(site.summary for site in sites))
    return Video(region, _video_grid(region, inside, metres), sites, tuple(_shots(inside)))


def _video_grid(region: iarpa.Region, files: Sequence[ImageFile], metres: float) -> Grid:
    """Whole multiples of the pixel around the region, in the commonest metric CRS, else in its UTM zone."""
    from rasterio.crs import CRS

    counts = Counter(file.grid.crs for file in files if CRS.from_user_input(file.grid.crs).is_projected)
    centre = region.geometry.centroid
    # By name among equals, so that the order of the files does not matter.
    crs = min(counts, key=lambda name: (-counts[name], name)) if counts else utm(centre.x, centre.y)
    outline = reproject(region.geometry.segmentize(0.01), LONLAT, crs)
    west, south, east, north = (side / metres for side in outline.bounds)
    left, bottom = math.floor(west + HAIR), math.floor(south + HAIR)
    right, top = math.ceil(east - HAIR), math.ceil(north - HAIR)
    return Grid(crs, (metres, 0.0, left * metres, 0.0, -metres, top * metres), right - left, top - bottom)


def _shots(files: Sequence[ImageFile]) -> list[Shot]:
    """Files of one time and sensor together, in order of time."""
    groups: dict[Any, list[ImageFile]] = {}
    for file in files:
        groups.setdefault((file.taken, file.sensor), []).append(file)
    for group in groups.values():
        owner: dict[str, ImageFile] = {}
        for file in group:
            for channel in file.channels:
                other = owner.setdefault(channel, file)
                if other is not file:
                    raise BadInput(
                        f"has the band {channel!r} of {file.sensor} at {file.taken:%Y-%m-%dT%H:%M:%S},"
                        f" as {other.path} has",
                        where=file.path,
                    )
    return [tuple(groups[key]) for key in sorted(groups)]


def write(folder: Path, videos: Sequence[Video], tick: Callable[[int], Any] = lambda _: None) -> Path:
    """Write models, resampled files and, last, the kwcoco file, whose path is returned."""
    import kwcoco

    dataset = kwcoco.CocoDataset()
    for category in (*iarpa.PHASES, IGNORE):
        dataset.add_category(category)
    for video in videos:
        _add_video(dataset, folder, video, tick)
        iarpa.write_region(folder / "region_models" / f"{video.region.region_id}.geojson", video.region)
        for site in video.sites:
            iarpa.write_site(folder / "site_models" / f"{site.site_id}.geojson", site)
    write_dataset(dataset, folder / KWCOCO)
    return folder / KWCOCO


def _add_video(dataset: Any, folder: Path, video: Video, tick: Callable[[int], Any]) -> None:
    grid = video.grid
    number = dataset.add_video(
        name=video.region.region_id,
        width=grid.width,
        height=grid.height,
        crs=grid.crs,
        transform=list(grid.transform),
        target_gsd=grid.gsd,
    )
    for frame, shot in enumerate(video.shots):
        image, image_grid = _add_image(
            dataset, folder, video, shot, {"video_id": number, "frame_index": frame}
        )
        _annotate(dataset, image, image_grid, video.sites, shot[0].taken.date())
        tick(1)


def _annotate(dataset: Any, image: int, grid: Grid, sites: Sequence[iarpa.Site], day: date) -> None:
    """Draw into an image what its sites are on that day."""
    for site in sites:
        for category, geometry in on_day(site, day):
            outline = _drawn(geometry, grid)
            if outline is None:
                continue
            number = dataset.index.name_to_cat[category]["id"]
            with warnings.catch_warnings():
                # The ids of its table of tracks are numbers; a site's id on the annotation says more.
                warnings.filterwarnings("ignore", "Adding annotation to non-existing track")
                dataset.add_annotation(image_id=image, category_id=number, track_id=site.site_id, **outline)


def _add_image(
    dataset: Any, folder: Path, video: Video, shot: Shot, place: dict[str, int]
) -> tuple[int, Grid]:
    first = shot[0]
    name = f"{video.region.region_id}_{first.taken:%Y%m%d}_{first.sensor}"
    if name in dataset.index.name_to_img:
        name = f"{video.region.region_id}_{first.taken:%Y%m%dT%H%M%S}_{first.sensor}"
    local = [_on_crs(file, folder / "assets" / video.region.region_id, name, video.grid) for file in shot]
    grid = min((file.grid for file in local), key=lambda grid: grid.gsd)
    assets = [
        {
            "file_name": os.path.relpath(file.path.resolve(), folder.resolve()),
            "channels": "|".join(file.channels),
            "num_bands": len(file.channels),
            "width": file.grid.width,
            "height": file.grid.height,
            "warp_aux_to_img": _warp(file.grid, grid),
        }
        for file in local
    ]
    image = dataset.add_image(
        file_name=None,
        name=name,
        date_captured=first.taken.isoformat(),
        timestamp=int(first.taken.timestamp()),
        sensor_coarse=first.sensor,
        width=grid.width,
        height=grid.height,
        channels=None,
        auxiliary=assets,
        warp_img_to_vid=_warp(grid, video.grid),
        **place,
    )
    return image, grid


def _warp(source: Grid, target: Grid) -> dict[str, Any]:
    """Pixels of one grid to pixels of another in the same CRS, corner (0, 0) to corner, as kwcoco has it."""
    matrix = (~target.affine @ source.affine)[:6]
    rows = (matrix[:3], matrix[3:], (0.0, 0.0, 1.0))
    return {"type": "affine", "matrix": [[round(number, 9) for number in row] for row in rows]}


def _drawn(geometry: Any, grid: Grid) -> dict[str, Any] | None:
    """The polygons of a site in the pixels of an image, None where it does not see the site."""
    import kwimage
    from shapely.geometry import MultiPolygon, box

    pixels = grid.to_pixels(geometry)
    if not pixels.intersects(box(0, 0, grid.width, grid.height)):
        return None
    left, top, right, bottom = pixels.bounds
    parts = MultiPolygon(getattr(pixels, "geoms", [pixels]))
    return {
        "segmentation": kwimage.MultiPolygon.from_shapely(parts).to_coco(style="new"),
        "bbox": [left, top, right - left, bottom - top],
    }


def _on_crs(file: ImageFile, folder: Path, name: str, video: Grid) -> ImageFile:
    """The file itself where it is in the video's CRS, else a resampled copy of the video's ground."""
    if file.grid.crs == video.crs:
        return file
    grid = video.at_gsd(max(file.grid.gsd, video.gsd / 8))  # degrees make no metres: bound the copy
    path = folder / f"{name}_{'_'.join(file.channels)}.tif"
    _write_resampled(file, grid, path)
    return replace(file, path=path, grid=grid)


def _write_resampled(file: ImageFile, grid: Grid, path: Path) -> None:
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    # int16 holds these whole; larger ranges stay what they are.
    whole = file.dtype in ("uint8", "int8", "int16")
    profile = {
        "driver": "GTiff",
        "count": len(file.channels),
        "width": grid.width,
        "height": grid.height,
        "dtype": "int16" if whole else "float32",
        "nodata": NODATA if whole else math.nan,
        "crs": grid.crs,
        "transform": grid.affine,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 2 if whole else 3,
    }
    with writing(path) as temporary, rasterio.open(temporary, "w", **profile) as image:
        image.descriptions = file.channels
        for top in range(0, grid.height, _ROWS):
            rows = min(_ROWS, grid.height - top)
            pixels = read(file.path, grid.crop(0, top, grid.width, rows))
            if whole:
                pixels = np.where(np.isnan(pixels), NODATA, np.rint(pixels)).astype(np.int16)
            image.write(pixels, window=Window(0, top, grid.width, rows))
