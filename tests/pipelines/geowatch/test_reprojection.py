"""A site drawn in longitude and latitude comes back within half a pixel after predict, track and crop.

The model is made by hand: heat is the brightness of the pixel itself, so that any shift is the programs'.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio
import torch
from click import Command
from rasterio.features import geometry_mask, shapes
from shapely.geometry import Point, box, shape
from shapely.geometry.base import BaseGeometry

from pipelines import program
from pipelines.geowatch import grids, iarpa, series
from pipelines.geowatch.crop import main as crop
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.ingest import ingest
from pipelines.geowatch.package import Recipe, save
from pipelines.geowatch.predict import command as predict
from pipelines.geowatch.track import main as track

torch.set_num_threads(1)
HALF_SITE = 100.0  # metres from the centre to the side
WIDTH = 4
PARTS = 8  # of a pixel, by which its share of the site is counted


def call(command: Command, **options: object) -> None:
    with pytest.raises(SystemExit) as end:
        program.run(command, [f"--{name}={value}" for name, value in options.items()])
    assert end.value.code == 0


def package(path: Path, band: str = "nir", mean: float = 400.0, deviation: float = 100.0) -> Path:
    """Heat above 0.5 where the band is above mean + deviation, or below where the deviation is negative."""
    normalisation = {"*": {band: (mean, abs(deviation))}}
    recipe = Recipe("saliency", (band,), normalisation, 10.0, 2, "uniform", 32, WIDTH)
    network = recipe.network().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.zero_()
        sign = 1.0 if deviation > 0 else -1.0
        network.level0[0].weight[0, 0, 1, 1] = sign  # the band, 1 at 500, below 0 cut off
        network.head[0][0].weight[0, WIDTH, 1, 1] = 1.0  # after WIDTH maps from deeper levels
        network.head[1].weight[0, 0] = 4.0
        network.head[1].bias[:] = -4.0
    save(path, recipe, network)
    return path


def write_image(path: Path, grid: Grid, site: BaseGeometry) -> None:
    """300 beside the site, 700 on it, and on its edge in proportion, as a sensor sees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fine = grid.at_gsd(grid.gsd / PARTS)
    inside = geometry_mask(
        [fine.to_pixels(site)], (fine.height, fine.width), fine.affine.identity(), invert=True
    )
    share = inside.reshape(grid.height, PARTS, grid.width, PARTS).mean((1, 3))
    profile = {"width": grid.width, "height": grid.height, "count": 1, "dtype": "int16", "nodata": -9999}
    with rasterio.open(path, "w", driver="GTiff", crs=grid.crs, transform=grid.affine, **profile) as image:
        image.descriptions = ("nir",)
        image.write(np.rint(300 + 400 * share).astype(np.int16), 1)


def around(crs: str, place: Point, gsd: float, metres: float) -> Grid:
    """Pixels whose corners lie nowhere special."""
    middle = grids.reproject(place, grids.LONLAT, crs)
    size = round(metres / gsd)
    return Grid(crs, (gsd, 0, middle.x - metres / 2 + 1.3, 0, -gsd, middle.y + metres / 2 + 2.2), size, size)


def assert_within_half_a_pixel(found: BaseGeometry, drawn: BaseGeometry, grid: Grid) -> None:
    """The centre, along both axes; the sides too, but for the tenth by which resampling bends an edge."""
    mine, its = (grids.reproject(geometry, grids.LONLAT, grid.crs) for geometry in (found, drawn))
    assert np.abs(np.subtract(mine.centroid.coords[0], its.centroid.coords[0])).max() < 0.5 * grid.gsd
    assert np.abs(np.subtract(mine.bounds, its.bounds)).max() < 0.6 * grid.gsd


DAYS = ("20180401", "20190401")
# Longitude, latitude, the zones of the 10 m images and of the 3 m images, of both days or of each.
PLACES = {
    "52N": (127.03, 37.52, "32652", "32652"),
    "14N": (-97.21, 41.37, "32614", "32614"),
    "19S": (-70.61, -33.48, "32719", "32719"),
    "55S": (148.62, -33.28, "32755", "32755"),
    "31N beside 32N": (5.998, 48.1, "32631", "32632"),
    "23S beside 22S": (-47.999, -22.6, "32723", "32722"),
    "in 31N and 32N, each seen in both": (6.0, 48.1, "32631 32632", "32632 32631"),
    # Not -47.9995: its sides lie at half a pixel, and parts of a pixel decide which way they go.
    "in 22S and 23S, all in the other": (-47.9996, -22.6, "32722", "32723 32722"),
}


def make(folder: Path, name: str) -> BaseGeometry:
    """Import S2 and PD images of two days around a site; the site, in longitude and latitude."""
    longitude, latitude, *zones = PLACES[name]
    coarse, fine = ([f"EPSG:{code}" for code in (text.split() * 2)[:2]] for text in zones)
    place = Point(longitude, latitude)
    middle = grids.reproject(place, grids.LONLAT, coarse[0])
    drawn = grids.reproject(box(*middle.buffer(HALF_SITE).bounds), coarse[0], grids.LONLAT)
    region = iarpa.Region("XX_R001", around(coarse[0], place, 10.0, 700).outline, date(2018, 1, 1))
    iarpa.write_region(folder / "region.geojson", region)
    for sensor, systems, gsd in (("S2", coarse, 10.0), ("PD", fine, 3.0)):
        for day, crs in zip(DAYS, systems, strict=True):
            write_image(folder / sensor / f"{sensor}_{day}.tif", around(crs, place, gsd, 900), drawn)
        options = {"src": folder / sensor, "regions": folder / "region.geojson", "target_gsd": f"{gsd}GSD"}
        call(ingest, dst=folder / f"{sensor}.data", **options)
    return drawn


def predicted(folder: Path) -> series.Series:
    """The images with their heatmaps."""
    call(
        predict,
        package_fpath=package(folder / "model.pt"),
        test_dataset=folder / "S2.data" / "data.kwcoco.json",
        pred_pxl_fpath=folder / "pred" / "pred.kwcoco.zip",
        num_workers=0,
    )
    (video,) = series.read_series(kwcoco.CocoDataset(str(folder / "pred" / "pred.kwcoco.zip")))
    return video


def tracked(folder: Path) -> iarpa.Site:
    """The site in the heatmaps."""
    call(
        track,
        pred_pxl_fpath=folder / "pred" / "pred.kwcoco.zip",
        boundary_region=folder / "region.geojson",
        sites_fpath=folder / "track" / "sites_manifest.json",
        thresh=0.5,
    )
    (path,) = iarpa.find(folder / "track" / "sites_manifest.json")
    return iarpa.read_site(path)


def cropped(folder: Path) -> series.Series:
    """The 3 m images around the tracked site, on 4 m pixels."""
    call(
        crop,
        crop_src_fpath=folder / "PD.data" / "data.kwcoco.json",
        regions=folder / "track" / "sites_manifest.json",
        crop_dst_fpath=folder / "crop" / "sitecrop.kwcoco.zip",
        target_gsd=4,
    )
    (video,) = series.read_series(kwcoco.CocoDataset(str(folder / "crop" / "sitecrop.kwcoco.zip")))
    return video


@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_site_comes_back_after_predict_track_and_crop(name, tmp_path):
    drawn = make(tmp_path, name)

    video = predicted(tmp_path)
    assert len(video.frames) == 2 and video.grid.gsd == 10
    for frame in video.frames:
        (heat,) = [asset.path for asset in frame.assets if "salient" in asset.channels]
        assert_within_half_a_pixel(traced(heat, 0.5), drawn, video.grid)

    assert_within_half_a_pixel(tracked(tmp_path).geometry, drawn, video.grid)

    video = cropped(tmp_path)
    assert len(video.frames) == 2 and video.grid.gsd == pytest.approx(4)
    for frame in video.frames:
        assert_within_half_a_pixel(traced(frame.assets[0].path, 500), drawn, video.grid)


def traced(path: Path, thresh: float) -> BaseGeometry:
    """The outline, in longitude and latitude, of what lies above the threshold."""
    grid = Grid.of_file(path)
    above = (np.nan_to_num(grids.read(path, grid)[0]) > thresh).astype(np.uint8)
    (outline,) = [shape(one) for one, value in shapes(above, mask=above > 0) if value]
    return grid.to_lonlat(outline)
