"""What the tracker writes: site models, region models with summaries, their manifests, polygons in kwcoco.

How sites are found does not belong here.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, iarpa
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.iarpa import PHASES, Region, Site

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class TrackPaths:
    """Where the outputs go."""

    sites_fpath: Path
    sites_dpath: Path
    site_summaries_fpath: Path
    site_summaries_dpath: Path
    poly_kwcoco_fpath: Path


def write_tracks(paths: TrackPaths, dataset: Any, regions: Sequence[Region], sites: Sequence[Site]) -> None:
    """Write everything, the manifest of the sites last.

    Args:
        dataset: the kwcoco dataset with the heatmaps; gains annotations and is then written.
        regions: the sites that they hold are replaced by those found.
    """
    annotate(dataset, sites)
    rebase(dataset, paths.poly_kwcoco_fpath)
    coco_files.write_dataset(dataset, paths.poly_kwcoco_fpath)
    summaries = [
        (region.region_id, replace(region, sites=tuple(s.summary for s in sites if _of(region, s))))
        for region in regions
    ]
    _write_models(paths.site_summaries_fpath, paths.site_summaries_dpath, summaries, iarpa.write_region)
    models = [(site.site_id, site) for site in sites]
    _write_models(paths.sites_fpath, paths.sites_dpath, models, iarpa.write_site)


def _of(region: Region, site: Site) -> bool:
    return site.region_id == region.region_id


def _write_models(manifest: Path, folder: Path, models: Sequence[tuple[str, Any]], write: Any) -> None:
    """A file for each model, then the manifest; what an earlier manifest here named goes first."""
    with contextlib.suppress(BadInput):
        for old in iarpa.read_manifest(manifest):
            if old.parent.resolve() == folder.resolve():
                old.unlink()
    with contextlib.suppress(FileNotFoundError):
        manifest.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.geojson" for name, _ in models]
    for file, (_, model) in zip(files, models, strict=True):
        write(file, model)
    iarpa.write_manifest(manifest, files)


def annotate(dataset: Any, sites: Sequence[Site]) -> None:
    """Add each observation as a polygon on its image, in that image's pixels.

    `track_id` is the site id and `role` is `pred`; annotations that were there get the role `true` unless
    they say otherwise.
    """
    for annotation in dataset.dataset.get("annotations", ()):
        annotation.setdefault("role", "true")
    categories = {phase: dataset.ensure_category(phase) for phase in PHASES}
    images = {str(image.get("name") or image["id"]): image for image in dataset.dataset["images"]}
    with warnings.catch_warnings():
        # kwcoco's table of tracks numbers them; a site's id on the annotation says more.
        warnings.filterwarnings("ignore", "Adding annotation to non-existing track")
        for site in sites:
            _annotate_site(dataset, site, images, categories)


def _annotate_site(
    dataset: Any, site: Site, images: dict[str, dict[str, Any]], categories: dict[str, int]
) -> None:
    polygons: dict[int, BaseGeometry] = {}
    for seen in site.observations:
        image = images[str(seen.source)]
        video = dataset.index.videos[image["video_id"]]
        if video["id"] not in polygons:
            polygons[video["id"]] = Grid.of_video(video).to_pixels(site.geometry)
        segmentation, bbox = _on_image(polygons[video["id"]], image)
        dataset.add_annotation(
            image_id=image["id"],
            category_id=categories[str(seen.phase)],
            bbox=bbox,
            segmentation=segmentation,
            track_id=site.site_id,
            score=seen.score,
            role="pred",
        )


def _on_image(polygon: BaseGeometry, image: dict[str, Any]) -> tuple[list[dict[str, Any]], list[float]]:
    """A polygon in pixels of the video as kwcoco has it, and its box (x, y, width, height)."""
    import kwimage

    to_video = kwimage.Affine.coerce(image.get("warp_img_to_vid"))
    shape = kwimage.MultiPolygon.from_shapely(polygon).warp(to_video.inv())
    west, north, east, south = shape.to_shapely().bounds
    segmentation = _rounded(shape.to_coco(style="new"))
    return segmentation, _rounded([west, north, east - west, south - north])


def _rounded(value: Any) -> Any:
    """Numbers to a thousandth of a pixel."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(float(value), 3)


def rebase(dataset: Any, path: str | os.PathLike[str]) -> None:
    """Make the paths of assets relative to the folder of ``path``, where the dataset will lie."""
    folder = Path(path).absolute().parent
    for image in dataset.dataset["images"]:
        for asset in coco_files.assets(image):
            here = coco_files.asset_path(dataset, asset).absolute()
            asset["file_name"] = Path(os.path.relpath(here, folder)).as_posix()
    dataset.fpath = os.fspath(path)
