"""What stands in a generated region, and how a sensor sees it."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info
from rasterio.features import rasterize
from shapely.geometry import Polygon, box

from pipelines.geowatch import grids, places, rendering, scenes, truth
from pipelines.geowatch.iarpa import PHASES

CLEAR = scenes.Acquisition("S2", date(2018, 1, 1), clouds=0.0, swath=0.0, stripes=False, seed=5)
SUMMER, WINTER = date(2018, 7, 10), date(2018, 1, 10)


def plan(index: int, size: int = 96, seed: int = 2) -> scenes.Scene:
    return scenes.plan(seed, index, 2, size)


def seen(view: rendering.View, day: date, **sky: object) -> np.ndarray:
    """float (4, h, w) on a clear day; two days differ only by the ground (one seed, one haze and grain)."""
    return view.image(replace(CLEAR, sensor=view.sensor, day=day, **sky)).pixels.astype(float)


def ndvi(pixels: np.ndarray) -> np.ndarray:
    return (pixels[3] - pixels[2]) / (pixels[3] + pixels[2])


def test_the_regions_lie_in_utm_zones_of_both_hemispheres():
    chosen = [scenes.plan(0, index, 1, 32) for index in range(10)]
    assert len({scene.grid.crs for scene in chosen}) == 10
    assert {scene.place.southern for scene in chosen} == {True, False}
    for scene in chosen:
        west, south, east, north = scene.grid.outline.bounds
        (zone,) = query_utm_crs_info("WGS 84", AreaOfInterest(west, south, east, north), contains=True)
        assert scene.grid.crs == f"EPSG:{zone.code}"
    assert places.place(0).region_id == "KR_R001" and places.place(10).region_id == "KR_R002"


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), index=st.integers(0, 25), size=st.integers(48, 160))
def test_objects_keep_clear_of_each_other_and_of_the_edge(seed, index, size):
    scene = scenes.plan(seed, index, 1, size)
    area = box(*scene.grid.bounds)
    objects = [site.outline for site in scene.sites] + [item.outline for item in scene.distractors]
    roads = {id(item.outline) for item in scene.distractors if item.kind == "road"}
    for one, other in combinations(objects, 2):
        assert {id(one), id(other)} <= roads or one.distance(other) > 39
    assert scene.sites
    for site in scene.sites:
        assert isinstance(site.outline, Polygon) and site.outline.is_valid
        assert area.buffer(-39).contains(site.outline) and site.outline.area > 7200
        assert all(site.outline.contains(building.outline) for building in site.buildings)
        assert len(site.buildings) >= 2
        assert scenes.FIRST_DAY < site.prepared < site.built < site.finished


def test_more_images_move_no_site():
    few, many = (scenes.plan(3, 0, frames, 96) for frames in (2, 12))
    assert few.sites == many.sites and few.distractors == many.distractors and few.grid == many.grid


def test_a_site_has_its_phases_in_time():
    site = plan(0).sites[0]
    day = timedelta(1)
    firsts = (site.prepared, site.built, site.finished)
    assert tuple(site.phase(first) for first in firsts) == PHASES[1:]
    assert tuple(site.phase(first - day) for first in firsts) == PHASES[:3]


@pytest.mark.parametrize("sensor", ["S2", "PD"])
@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_the_truth_lies_on_the_pixels_that_change(index, sensor):
    """In four UTM zones of both hemispheres: overlap, and the centre to a quarter of a pixel."""
    scene = plan(index)
    view = rendering.View(scene, sensor)
    for number, site in enumerate(scene.sites):
        change = seen(view, site.prepared) - seen(view, site.prepared - timedelta(1))
        changed = np.abs(change).sum(axis=0) > 600
        entry = truth.site_annotations(scene, CLEAR, view.grid)[number]
        polygon = Polygon(np.reshape(entry["segmentation"][0], (-1, 2)))
        near = rasterize([polygon.buffer(6)], changed.shape, dtype="uint8").astype(bool)
        inside = rasterize([polygon], changed.shape, dtype="uint8").astype(bool)
        changed &= near  # another site may begin on the same day
        assert (changed & inside).sum() / (changed | inside).sum() > 0.85
        rows, cols = np.nonzero(changed)
        centre = (cols.mean() + 0.5, rows.mean() + 0.5)
        assert centre == pytest.approx((polygon.centroid.x, polygon.centroid.y), abs=0.25)
        x, y, width, height = entry["bbox"]
        assert (x, y, x + width, y + height) == pytest.approx(polygon.bounds, abs=1e-3)


def test_phases_look_as_they_should():
    """Green before, bare soil, soil and bright roofs, then grey and green around the roofs."""
    scene = plan(0)
    view = rendering.View(scene, "PD")
    for site in scene.sites:
        inside = rasterize([site.outline], view.patch.shape, transform=view.grid.affine).astype(bool)
        roofs = rasterize(
            [one.outline for one in site.buildings], view.patch.shape, transform=view.grid.affine
        ).astype(bool)
        bare, building, done = (
            seen(view, day)
            for day in (site.prepared, site.finished - timedelta(1), site.finished + timedelta(5))
        )
        assert bare[2][inside].mean() > 1900 and bare[2][inside].std() < 250
        assert building[2][roofs].mean() > 2600 and building[2][inside].std() > 500
        assert done[2][roofs].mean() > 2600
        ground = inside & ~roofs
        assert done[2][ground].mean() < 0.65 * building[2][ground].mean()


@pytest.mark.parametrize("index", [0, 3])
def test_it_is_green_in_summer(index):
    scene = plan(index)
    view = rendering.View(scene, "S2")
    july, january = (np.median(ndvi(seen(view, day))) for day in (SUMMER, WINTER))
    summer, winter = (january, july) if scene.place.southern else (july, january)
    assert summer > winter + 0.15


def test_distractors_stay_or_come_back():
    scene = plan(2, size=128)
    view = rendering.View(scene, "PD")
    kinds = {item.kind for item in scene.distractors}
    assert kinds == {"road", "bright", "lake", "seasonal", "house"}
    year = [seen(view, date(2018, 1, 15) + timedelta(30 * month)) for month in range(24)]
    for item in scene.distractors:
        if item.kind in ("road", "house"):
            continue
        core = rasterize([item.outline.buffer(-4)], view.patch.shape, transform=view.grid.affine).astype(bool)
        red = np.array([pixels[2][core].mean() for pixels in year])
        green = np.array([ndvi(pixels)[core].mean() for pixels in year])
        if item.kind == "bright":
            assert red.min() > 1800 and np.ptp(red) < 400
        elif item.kind == "lake":
            assert red.max() < 900 and green.max() < 0
        else:
            assert green.max() - green.min() > 0.3
            assert np.corrcoef(green[:12], green[12:])[0, 1] > 0.8


def test_both_sensors_see_the_same_land(tmp_path):
    """PD brought onto the grid of S2 looks like S2, most so without any shift."""
    from pipelines.geowatch import bundles

    scene = plan(1)
    images = {}
    for sensor in ("S2", "PD"):
        view = rendering.View(scene, sensor)
        path = tmp_path / f"{sensor}.tif"
        bundles.write_geotiff(path, seen(view, SUMMER).astype(np.int16), view.grid)
        images[sensor] = grids.read(path, scene.grid)[2, 4:-4, 4:-4]
    alike = {
        (row, col): np.corrcoef(images["S2"].ravel(), np.roll(images["PD"], (row, col), (0, 1)).ravel())[0, 1]
        for row in (-1, 0, 1)
        for col in (-1, 0, 1)
    }
    assert max(alike, key=alike.get) == (0, 0) and alike[0, 0] > 0.97


def test_clouds_cover_what_they_should_for_both_sensors():
    scene = plan(0)
    views = [rendering.View(scene, sensor) for sensor in ("S2", "PD")]
    for seed in range(3):
        for view in views:
            hidden = view.image(replace(CLEAR, sensor=view.sensor, clouds=0.3, seed=seed)).hidden
            assert hidden.mean() == pytest.approx(0.3, abs=0.03)


def test_a_cloud_is_bright_and_its_shadow_dark():
    view = rendering.View(plan(0), "S2")
    clear, cloudy = seen(view, SUMMER), seen(view, SUMMER, clouds=0.3)
    hidden = view.image(replace(CLEAR, day=SUMMER, clouds=0.3)).hidden
    assert cloudy[0][hidden].mean() > 5000
    assert ((cloudy[3] < 0.7 * clear[3]) & ~hidden).mean() > 0.05


def test_nodata_is_the_edge_of_the_swath_and_stripes():
    view = rendering.View(plan(0), "S2")
    edge = seen(view, SUMMER, swath=0.25) == rendering.NODATA
    stripes = seen(view, SUMMER, stripes=True) == rendering.NODATA
    assert not (seen(view, SUMMER) == rendering.NODATA).any()
    assert edge.all(axis=0).sum() == edge.any(axis=0).sum()  # all bands alike
    assert 0.15 < edge.mean() < 0.35
    assert 0.02 < stripes.mean() < 0.12
    # One edge, but several stripes, along a row.
    assert np.abs(np.diff(edge[0].astype(int), axis=1)).sum(axis=1).max() == 1
    assert np.abs(np.diff(stripes[0].astype(int), axis=1)).sum(axis=1).max() >= 6
