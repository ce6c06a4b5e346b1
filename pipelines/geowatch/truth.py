"""What a generated scene holds, as others write it down: kwcoco annotations, region and site models.

The pixels are rendering.py's; the files of a whole data set bundles.py's.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from pipelines.geowatch.grids import LONLAT, Grid, reproject
from pipelines.geowatch.iarpa import (
    Observation,
    Region,
    SiteSummary,
    write_region,
    write_site,
)
from pipelines.geowatch.iarpa import Site as SiteModel
from pipelines.geowatch.rendering import Image
from pipelines.geowatch.scenes import DAYS, FIRST_DAY, NO_ACTIVITY, Acquisition, Scene, Site

LAST_DAY = FIRST_DAY + timedelta(DAYS)
REGION_MODELS, SITE_MODELS = "region_models", "site_models"
STATUS = "positive_annotated"


def site_annotations(scene: Scene, shot: Acquisition, grid: Grid) -> list[dict[str, Any]]:
    """One annotation per site in the phase of that day, polygons in continuous pixels of ``grid``.

    `category` is a name yet, `track_id` the site's id; (0, 0) is the outer corner of a pixel.
    """
    found = []
    for site in scene.sites:
        outline = grid.to_pixels(site.outline, scene.grid.crs)
        left, top, right, bottom = (round(number, 4) for number in outline.bounds)
        points = [round(number, 4) for point in outline.exterior.coords[:-1] for number in point]
        found.append(
            {
                "category": site.phase(shot.day),
                "track_id": site.site_id,
                "segmentation": [points],
                "bbox": [left, top, round(right - left, 4), round(bottom - top, 4)],
            }
        )
    return found


def site_model(scene: Scene, site: Site, images: list[tuple[Acquisition, Image]]) -> SiteModel:
    """The site model of ``site``, with one observation per image from the last one without activity on."""
    outline = reproject(site.outline, scene.grid.crs, LONLAT)
    seen = [
        Observation(
            date=shot.day,
            phase=site.phase(shot.day),
            geometry=outline,
            source=image_name(scene, shot),
            sensor_name=shot.sensor,
            is_occluded=_hidden(site.outline, image) > 0.5,
            is_site_boundary=True,
        )
        for shot, image in images
    ]
    idle = sum(one.phase == NO_ACTIVITY for one in seen)
    return SiteModel(
        site_id=site.site_id,
        region_id=scene.region_id,
        status=STATUS,
        geometry=outline,
        start_date=site.prepared,
        end_date=site.finished if site.finished <= LAST_DAY else None,
        observations=tuple(seen[max(0, idle - 1) :]),
    )


def write_models(folder: Path, scene: Scene, models: list[SiteModel]) -> None:
    """Write `region_models/<region>.geojson` and one `site_models/<site>.geojson` per site."""
    summaries = tuple(
        SiteSummary(one.site_id, one.status, one.geometry, one.start_date, one.end_date) for one in models
    )
    region = Region(
        region_id=scene.region_id,
        geometry=scene.grid.outline,
        start_date=FIRST_DAY,
        end_date=LAST_DAY,
        sites=summaries,
    )
    for model in models:
        write_site(folder / SITE_MODELS / f"{model.site_id}.geojson", model)
    write_region(folder / REGION_MODELS / f"{scene.region_id}.geojson", region)


def image_name(scene: Scene, shot: Acquisition) -> str:
    """Such as `KR_R001_20180301_S2`."""
    return f"{scene.region_id}_{shot.day:%Y%m%d}_{shot.sensor}"


def _hidden(outline: Polygon | BaseGeometry, image: Image) -> float:
    """The share of a site's pixels under clouds or without data."""
    from rasterio.features import geometry_mask

    inside = geometry_mask([outline], image.hidden.shape, image.grid.affine, invert=True)
    return float(image.hidden[inside].mean()) if inside.any() else 1.0
