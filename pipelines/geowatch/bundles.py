"""A generated data set on disk: GeoTIFFs, the kwcoco file that lists them, region and site models.

What the images show is scenes.py's and rendering.py's.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadInput
from pipelines.geowatch import truth
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.iarpa import PHASES
from pipelines.geowatch.landscape import BANDS
from pipelines.geowatch.places import VIDEO_GSD
from pipelines.geowatch.rendering import NODATA, Image, View
from pipelines.geowatch.scenes import Acquisition, Scene
from pipelines.program import writing

if TYPE_CHECKING:
    import kwcoco

KWCOCO = "data.kwcoco.json"
_FOLDERS = _ASSETS, _REGION_MODELS, _SITE_MODELS = "assets", truth.REGION_MODELS, truth.SITE_MODELS
CHANNELS = "|".join(BANDS)
_PASSES = {"S2": time(10, 30), "PD": time(9, 50)}  # solar time of the sensor's pass, taken as UTC


def write(folder: Path, scenes: list[Scene], tick: Callable[[], Any] = lambda: None) -> Path:
    """Write the data set of ``scenes``; `data.kwcoco.json` comes last, so it is never there half.

    Args:
        tick: called after each image.

    Returns:
        the kwcoco file.

    Raises:
        BadInput: the folder holds images or models of another data set.
    """
    import kwcoco

    _check_free(folder, scenes)
    path = folder / KWCOCO
    path.unlink(missing_ok=True)  # an earlier one must not list the images of this one
    dataset = kwcoco.CocoDataset()
    for phase in PHASES:
        dataset.add_category(phase)
    for scene in scenes:
        _write_scene(folder, scene, dataset, tick)
    dataset.fpath = os.fspath(path)
    with writing(path) as temporary:
        dataset.dump(os.fspath(temporary), newlines=True)
    return path


def _check_free(folder: Path, scenes: list[Scene]) -> None:
    """Whoever reads `site_models` takes all that is in it: another data set's sites would be truth, too."""
    ours = {folder / name for scene in scenes for name in _names(scene)}
    # Not those of a name that starts with a dot: what a killed run leaves.
    found = (file for part in _FOLDERS for file in (folder / part).rglob("[!.]*") if file.is_file())
    foreign = min((file for file in found if file not in ours), default=None)
    if foreign is not None:
        raise BadInput("belongs to another data set", where=foreign, hint="write to an empty folder")


def _names(scene: Scene) -> list[str]:
    """The files of a scene, relative to the data set's folder."""
    return [
        f"{_REGION_MODELS}/{scene.region_id}.geojson",
        *(f"{_SITE_MODELS}/{site.site_id}.geojson" for site in scene.sites),
        *(_asset(scene, shot) for shot in scene.acquisitions),
    ]


def _asset(scene: Scene, shot: Acquisition) -> str:
    return f"{_ASSETS}/{scene.region_id}/{truth.image_name(scene, shot)}.tif"


def _write_scene(folder: Path, scene: Scene, dataset: kwcoco.CocoDataset, tick: Callable[[], Any]) -> None:
    video = dataset.add_video(
        name=scene.region_id,
        width=scene.grid.width,
        height=scene.grid.height,
        crs=scene.grid.crs,
        transform=list(scene.grid.transform),
        target_gsd=VIDEO_GSD,
    )
    views = {sensor: View(scene, sensor) for sensor in sorted({shot.sensor for shot in scene.acquisitions})}
    images: list[tuple[Acquisition, Image]] = []
    for frame, shot in enumerate(scene.acquisitions):
        image = views[shot.sensor].image(shot)
        file_name = _asset(scene, shot)
        write_geotiff(folder / file_name, image.pixels, image.grid)
        _add_image(dataset, scene, shot, image.grid, {"file_name": file_name, "video": video, "frame": frame})
        images.append((shot, image))
        tick()
    truth.write_models(folder, scene, [truth.site_model(scene, site, images) for site in scene.sites])


def _add_image(
    dataset: kwcoco.CocoDataset, scene: Scene, shot: Acquisition, grid: Grid, place: dict[str, Any]
) -> None:
    taken = datetime.combine(shot.day, _PASSES[shot.sensor], UTC)
    size = {"width": grid.width, "height": grid.height}
    to_video = (~scene.grid.affine @ grid.affine)[:6]
    matrix = [[round(number, 9) for number in row] for row in (to_video[:3], to_video[3:], (0, 0, 1))]
    asset = {
        "file_name": place["file_name"],
        "channels": CHANNELS,
        "num_bands": len(BANDS),
        "warp_aux_to_img": {"type": "affine", "matrix": np.eye(3).tolist()},
        **size,
    }
    image = dataset.add_image(
        file_name=None,
        name=truth.image_name(scene, shot),
        video_id=place["video"],
        frame_index=place["frame"],
        date_captured=taken.isoformat(),
        timestamp=int(taken.timestamp()),
        sensor_coarse=shot.sensor,
        channels=None,
        auxiliary=[asset],
        warp_img_to_vid={"type": "affine", "matrix": matrix},
        **size,
    )
    for annotation in truth.site_annotations(scene, shot, grid):
        category = dataset.index.name_to_cat[annotation.pop("category")]["id"]
        with warnings.catch_warnings():
            # The ids of its table of tracks are numbers; a site's id on the annotation says more.
            warnings.filterwarnings("ignore", "Adding annotation to non-existing track")
            dataset.add_annotation(image_id=image, category_id=category, **annotation)


def write_geotiff(path: Path, pixels: np.ndarray, grid: Grid) -> None:
    """Write int16 ``pixels`` (bands, h, w) as a tiled, deflated GeoTIFF with nodata -9999, without a date."""
    import rasterio

    profile = {
        "driver": "GTiff",
        "count": pixels.shape[0],
        "height": grid.height,
        "width": grid.width,
        "dtype": "int16",
        "nodata": NODATA,
        "crs": grid.crs,
        "transform": grid.affine,
        "tiled": True,
        "blockxsize": 128,
        "blockysize": 128,
        "compress": "deflate",
        "predictor": 2,
    }
    with writing(path) as temporary, rasterio.open(temporary, "w", **profile) as image:
        image.write(pixels)
        image.descriptions = BANDS
