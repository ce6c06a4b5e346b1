"""Which sites a program is to look at: from a manifest, region or site models, or the truth of a dataset.

What is done with them (crops, scores, pictures) does not belong here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch import iarpa
from pipelines.geowatch.coco_files import asset_path, assets
from pipelines.geowatch.grids import Grid
from pipelines.program import read_json

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

TRUTH = "truth"
REJECTED = "system_rejected"


@dataclass(frozen=True)
class SiteArea:
    """One site on the ground; `geometry` in longitude and latitude."""

    site_id: str
    region_id: str
    geometry: BaseGeometry


def site_areas(regions: str, dataset: Any = None) -> list[SiteArea]:
    """The sites that ``regions`` names, by site id, without those that were rejected.

    Args:
        regions: a manifest of site summaries or sites, a region or site model, a folder or a glob of
            them, or `truth`: the tracks annotated in ``dataset``.

    Raises:
        BadInput: nothing there, a malformed file, or one site id with two shapes.
    """
    found = _annotated(dataset) if regions == TRUTH else [area for f in _files(regions) for area in _areas(f)]
    unique: dict[str, SiteArea] = {}
    for area in found:
        if not unique.setdefault(area.site_id, area).geometry.equals(area.geometry):
            raise BadInput(f"site {area.site_id!r} is given twice, with two shapes", where=regions)
    return [unique[site] for site in sorted(unique)]


def image_grid(dataset: Any, image: dict[str, Any]) -> Grid:
    """Where the pixels of a kwcoco image lie: by the GeoTIFF of its first asset.

    Raises:
        BadInput: the image has no asset, or the asset no place on the ground.
    """
    asset = next(assets(image), None)
    if asset is None:
        raise BadInput(f"image {image.get('name', image['id'])!r} has no asset", where=dataset.fpath)
    grid = Grid.of_file(asset_path(dataset, asset))
    width, height = int(image.get("width") or grid.width), int(image.get("height") or grid.height)
    a, b, c, d, e, f = grid.transform
    across, down = grid.width / width, grid.height / height
    return Grid(grid.crs, (a * across, b * down, c, d * across, e * down, f), width, height)


def footprint(annotation: dict[str, Any]) -> BaseGeometry | None:
    """The polygon of an annotation in the pixels of its image, None where it has no shape."""
    import kwimage
    from shapely.geometry import box

    if annotation.get("segmentation"):
        shape = kwimage.Segmentation.coerce(annotation["segmentation"]).to_multi_polygon().to_shapely()
        return shape.buffer(0) if not shape.is_valid else shape
    if annotation.get("bbox"):
        x, y, width, height = annotation["bbox"]
        return box(x, y, x + width, y + height)
    return None


def track_name(dataset: Any, annotation: dict[str, Any]) -> str | None:
    """The site of an annotation: its `track_id`, or the name of the track that has this id."""
    number = annotation.get("track_id")
    tracks = dataset.index.tracks or {}
    return str(tracks[number]["name"]) if number in tracks else None if number is None else str(number)


def _files(regions: str) -> list[Path]:
    """Region and site models behind a manifest, a folder, a glob or a path."""
    path = Path(regions)
    if path.is_dir():
        return sorted(path.glob("*.geojson"))
    if not path.exists() and (matches := sorted(path.parent.glob(path.name))):
        return matches
    document = read_json(path)
    if isinstance(document, dict) and document.get("type") == "tracking_result":
        return list(iarpa.read_manifest(path))
    return [path]


def _areas(path: Path) -> list[SiteArea]:
    document = read_json(path)
    features = document.get("features") or () if isinstance(document, dict) else ()
    kinds = {f.get("properties", {}).get("type") for f in features if isinstance(f, dict)}
    if "site" in kinds:
        site = iarpa.read_site(path)
        return [] if site.status == REJECTED else [SiteArea(site.site_id, site.region_id, site.geometry)]
    region = iarpa.read_region(path)
    return [
        # The id says it, also where one file holds the sites of several regions.
        SiteArea(site.site_id, site.site_id.rpartition("_")[0] or region.region_id, site.geometry)
        for site in region.sites
        if site.status != REJECTED
    ]


def _annotated(dataset: Any) -> list[SiteArea]:
    """The true tracks of a dataset: all that each of them ever covered."""
    import shapely

    shapes: dict[tuple[str, str], list[BaseGeometry]] = defaultdict(list)
    for image_id in sorted(dataset.imgs):
        annotations = [dataset.anns[i] for i in sorted(dataset.index.gid_to_aids[image_id])]
        tracks = [a for a in annotations if a.get("track_id") is not None and a.get("role") != "pred"]
        if not tracks:
            continue
        image = dataset.imgs[image_id]
        region = str(dataset.index.videos[image["video_id"]]["name"])
        grid = image_grid(dataset, image)
        for annotation in tracks:
            shape = footprint(annotation)
            if shape is not None:
                shapes[str(track_name(dataset, annotation)), region].append(grid.to_lonlat(shape))
    return [SiteArea(site, region, shapely.union_all(parts)) for (site, region), parts in shapes.items()]
