"""A dataset cut into one video a site: which images go where, and the kwcoco dataset of the crops.

Where a crop lies is in crop_grids.py, how an image is cut in crop_images.py, the options in crop.py.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from pipelines.errors import BadInput
from pipelines.geowatch.coco_files import asset_path, assets, channels, frames
from pipelines.geowatch.crop_grids import crop_grid, source_video
from pipelines.geowatch.crop_images import Wanted, check_crs, crop_asset, cropped_annotations, has_data
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.site_areas import SiteArea


@dataclass(frozen=True)
class CropOptions:
    """What a crop is; the defaults are those of `sc_crop`.

    Attributes:
        target_gsd: metres per pixel of the crops.
        context_factor: the sides of a site's bounding box are multiplied by it.
        minimum_size: least width and height in metres.
        exclude_sensors: `sensor_coarse` of images to leave out.
        start_frames, end_frames: only so many first and last frames with data; None for all frames.
        convexify: the site's footprint noted in its video is its convex hull.
    """

    wanted: Wanted = Wanted()
    target_gsd: float = 4.0
    context_factor: float = 1.5
    minimum_size: tuple[float, float] = (1280.0, 1280.0)
    exclude_sensors: frozenset[str] = frozenset()
    start_frames: int | None = None
    end_frames: int | None = None
    convexify: bool = True


@dataclass(frozen=True)
class SiteCrop:
    """The plan of one site: images of the source, in order, onto a grid."""

    area: SiteArea
    grid: Grid
    images: tuple[dict[str, Any], ...]


def crop(
    dataset: Any, areas: list[SiteArea], folder: Path, options: CropOptions, workers: tuple[int, int] = (1, 1)
) -> Any:
    """Cut ``dataset`` into a video for each site and write the assets below ``folder``.

    Args:
        workers: threads over images, and over the assets of one image.

    Returns:
        A kwcoco dataset whose bundle is ``folder``, not yet written. Videos have the site's id as name,
        and `crs`, `transform`, `target_gsd`, `region_id`, `valid_region_geos`; images without any data
        are left out. A site that no image shows has no video.

    Raises:
        BadInput: no video shows any of the sites, a wanted channel is nowhere, a GeoTIFF has a fault.
    """
    plans = list(_plan(dataset, areas, options))
    jobs = [(plan, image) for plan in plans for image in plan.images]
    made = partial(_crop_image, dataset=dataset, folder=folder, wanted=options.wanted, aux_workers=workers[1])
    with ThreadPoolExecutor(max(1, workers[0])) as pool:
        images = list(_progress(pool.map(lambda job: made(*job), jobs), len(jobs), "crop"))
    return _assemble(dataset, plans, jobs, images, folder, options)


def _plan(dataset: Any, areas: list[SiteArea], options: CropOptions) -> Iterator[SiteCrop]:
    """The grid and the images of each site that any video shows."""
    _check_channels(dataset, options.wanted)
    checked: set[int] = set()
    missed: list[str] = []
    for area in areas:
        video = source_video(dataset, area)
        if video is None:
            missed.append(area.site_id)
            continue
        images = [i for i in frames(dataset, video["id"]) if _is_wanted(i, options)]
        for image in (image for image in images if image["id"] not in checked):
            _check_time(dataset, image)
            check_crs(dataset, image, video)
            checked.add(image["id"])
        grid = crop_grid(
            area.geometry,
            Grid.of_video(video),
            options.target_gsd,
            options.context_factor,
            options.minimum_size,
        )
        yield SiteCrop(area, grid, tuple(_ends(dataset, images, grid, options)))
    if missed and len(missed) == len(areas):
        raise BadInput(f"site {missed[0]!r} is outside all images, as are all others", where=dataset.fpath)
    for site in missed:
        click.echo(f"warning: site {site} is outside all images, it is left out", err=True)


def _check_channels(dataset: Any, wanted: Wanted) -> None:
    there = {name for image in dataset.imgs.values() for a in assets(image) for name in channels(a)}
    for name in sorted(wanted.channels or ()):
        if name not in there:
            raise BadInput(f"no image has channel {name!r}", dataset.fpath, f"there are {sorted(there)}")


def _check_time(dataset: Any, image: dict[str, Any]) -> None:
    if image.get("timestamp") is None and not image.get("date_captured"):
        raise BadInput(f"image {image.get('name', image['id'])!r} has no timestamp", where=dataset.fpath)


def _is_wanted(image: dict[str, Any], options: CropOptions) -> bool:
    if image.get("sensor_coarse") in options.exclude_sensors:
        return False
    return any(options.wanted.bands(asset) for asset in assets(image))


def _ends(
    dataset: Any, images: list[dict[str, Any]], grid: Grid, options: CropOptions
) -> list[dict[str, Any]]:
    """The first and last images that have data on the grid; all images where no number is given."""
    if options.start_frames is None and options.end_frames is None:
        return images
    first = _some(dataset, images, grid, options, options.start_frames or 0)
    rest = [image for image in images if image not in first]
    last = _some(dataset, rest[::-1], grid, options, options.end_frames or 0)
    return first + last[::-1]


def _some(
    dataset: Any, images: list[dict[str, Any]], grid: Grid, options: CropOptions, count: int
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for image in images:
        if len(found) == count:
            break
        if has_data(dataset, image, grid, options.wanted):
            found.append(image)
    return found


def _crop_image(
    plan: SiteCrop, image: dict[str, Any], *, dataset: Any, folder: Path, wanted: Wanted, aux_workers: int
) -> list[dict[str, Any]]:
    """Write the assets of one image of one site; the assets with data, as kwcoco has them."""
    name = image_name(plan.area, image)
    parts = [(number, a, wanted.bands(a)) for number, a in enumerate(assets(image)) if wanted.bands(a)]

    def write(part: tuple[int, dict[str, Any], list[int]]) -> dict[str, Any] | None:
        number, asset, bands = part
        names = [channels(asset)[band - 1] for band in bands]
        relative = Path("_assets") / plan.area.site_id / f"{name}_{number}.tif"
        source = asset_path(dataset, asset)
        if not crop_asset(source, bands, plan.grid, folder / relative, wanted, names):
            return None
        return {
            "file_name": relative.as_posix(),
            "channels": "|".join(names),
            "width": plan.grid.width,
            "height": plan.grid.height,
            "num_bands": len(bands),
            "warp_aux_to_img": {"type": "affine"},
        }

    with ThreadPoolExecutor(max(1, aux_workers)) as pool:
        return [asset for asset in pool.map(write, parts) if asset is not None]


def image_name(area: SiteArea, image: dict[str, Any]) -> str:
    """The name of a crop: `XX_R001_20180301_S2` of site `XX_R001_0004` is `XX_R001_0004_20180301_S2`."""
    name = str(image.get("name") or f"image{image['id']}")
    return f"{area.site_id}_{name.removeprefix(area.region_id).lstrip('_')}"


def _assemble(
    dataset: Any,
    plans: list[SiteCrop],
    jobs: list[tuple[SiteCrop, dict[str, Any]]],
    images: list[list[dict[str, Any]]],
    folder: Path,
    options: CropOptions,
) -> Any:
    """The kwcoco dataset of what was written."""
    import kwcoco

    # Sites are named, and kwcoco's table of tracks has numbers only.
    warnings.filterwarnings("ignore", "Adding annotation to non-existing track")
    made = kwcoco.CocoDataset(bundle_dpath=str(folder))
    for category in dataset.dataset.get("categories", ()):
        made.add_category(**category)
    videos = {plan.area.site_id: made.add_video(**_video(plan, options)) for plan in plans if plan.images}
    index = dict.fromkeys(videos, 0)
    for (plan, image), written in zip(jobs, images, strict=True):
        if not written:
            continue
        site = plan.area.site_id
        number = made.add_image(
            file_name=None,
            name=image_name(plan.area, image),
            video_id=videos[site],
            frame_index=index[site],
            width=plan.grid.width,
            height=plan.grid.height,
            warp_img_to_vid={"type": "affine"},
            auxiliary=written,
            **{k: image[k] for k in ("date_captured", "timestamp", "sensor_coarse") if k in image},
        )
        index[site] += 1
        for annotation in cropped_annotations(dataset, image, plan.grid):
            made.add_annotation(image_id=number, **annotation)
    return made


def _video(plan: SiteCrop, options: CropOptions) -> dict[str, Any]:
    from shapely.geometry import mapping

    shape = plan.area.geometry.convex_hull if options.convexify else plan.area.geometry
    return {
        "name": plan.area.site_id,
        "region_id": plan.area.region_id,
        "width": plan.grid.width,
        "height": plan.grid.height,
        "crs": plan.grid.crs,
        "transform": list(plan.grid.transform),
        "target_gsd": options.target_gsd,
        "valid_region_geos": mapping(shape),
    }


def _progress(items: Iterable[Any], total: int, name: str) -> Iterable[Any]:
    from tqdm import tqdm

    bar: Iterable[Any] = tqdm(items, total=total, desc=name, file=sys.stderr, disable=None)
    return bar
