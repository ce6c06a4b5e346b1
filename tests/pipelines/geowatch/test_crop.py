"""Crops: where they lie, what is in them, and what is refused; real GeoTIFFs in four UTM zones."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio
import rasterio.features
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, crop, iarpa
from pipelines.geowatch.crop_grids import crop_grid, ground_size
from pipelines.geowatch.crop_images import Wanted, crop_asset
from pipelines.geowatch.grids import LONLAT, Grid, reproject
from pipelines.geowatch.site_areas import SiteArea, footprint, site_areas
from pipelines.program import run

REGION = "KR_R001"
GRID = Grid("EPSG:32652", (10.0, 0.0, 300000.0, 0.0, -10.0, 4100000.0), 64, 48)
SITE = box(300200, 4099750, 300260, 4099800)  # 6 x 5 pixels of GRID, in its CRS
SITE_PIXELS = (slice(20, 25), slice(20, 26))


def write_image(path: Path, pixels, grid: Grid, nodata=-9999, crs=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "count": len(pixels), "dtype": pixels.dtype, "nodata": nodata}
    size = {"width": grid.width, "height": grid.height}
    with rasterio.open(path, "w", crs=crs or grid.crs, transform=grid.affine, **profile, **size) as out:
        out.write(pixels)


def make_dataset(folder: Path, grid: Grid = GRID, site=SITE, frames=8, sensors=("S2",), empty=(), **image):
    """A kwcoco with one region and one site, 1000 bright on a ground of 100."""
    dataset = kwcoco.CocoDataset(bundle_dpath=str(folder))
    category = dataset.add_category("Active Construction")
    video = dataset.add_video(
        name=REGION, width=grid.width, height=grid.height, crs=grid.crs, transform=list(grid.transform)
    )
    for number in range(frames):
        sensor = sensors[number % len(sensors)]
        own = grid if sensor == "S2" else grid.at_gsd(3)
        pixels = np.full((2, own.height, own.width), -9999 if number in empty else 100, dtype=np.int16)
        shape = own.to_pixels(site, crs=grid.crs)
        if number not in empty:
            pixels[:, rasterio.features.rasterize([shape], pixels.shape[1:]) > 0] = 1000
        name = f"{REGION}_2020{number + 1:02d}01_{sensor}"
        write_image(folder / f"{name}.tif", pixels, own)
        asset = {"file_name": f"{name}.tif", "channels": "red|nir", "num_bands": 2}
        size = {"width": own.width, "height": own.height}
        keys = {"date_captured": f"2020-{number + 1:02d}-01", "timestamp": number * 86400, "name": name}
        keys |= {"sensor_coarse": sensor, "frame_index": number, **size, **image}
        gid = dataset.add_image(file_name=None, video_id=video, auxiliary=[asset | size], **keys)
        points = [float(c) for point in shape.exterior.coords[:-1] for c in point]
        dataset.add_annotation(
            image_id=gid, category_id=category, segmentation=[points], track_id=f"{REGION}_0001"
        )
    path = folder / "data.kwcoco.json"
    coco_files.write_dataset(dataset, path)
    return path


def program(capsys, *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        run(crop.main, list(arguments))
    return end.value.code, capsys.readouterr().err


def cropped(tmp_path: Path, source: Path, *arguments: str, regions="truth", name="out"):
    target = tmp_path / name / "sitecrop.kwcoco.zip"
    with pytest.raises(SystemExit) as end:
        run(crop.main, [f"--crop_src_fpath={source}", f"--regions={regions}", f"--crop_dst_fpath={target}",
                        *arguments])  # fmt: skip
    assert end.value.code == 0
    return coco_files.read_dataset(target)


def images_of(dataset) -> list[dict]:
    return [image for video in sorted(dataset.index.videos) for image in coco_files.frames(dataset, video)]


@pytest.mark.filterwarnings("ignore:Adding annotation")
class TestCrops:
    def test_a_site_is_a_video_with_its_own_grid(self, tmp_path):
        dataset = cropped(tmp_path, make_dataset(tmp_path, frames=2), "--target_gsd=4")
        (video,) = dataset.index.videos.values()
        assert (video["name"], video["region_id"], video["target_gsd"]) == (f"{REGION}_0001", REGION, 4)
        assert (video["width"], video["height"], video["crs"]) == (320, 320, GRID.crs)
        assert [i["name"] for i in images_of(dataset)] == [
            f"{REGION}_0001_20200101_S2", f"{REGION}_0001_20200201_S2"]  # fmt: skip
        for image in images_of(dataset):
            with rasterio.open(coco_files.asset_path(dataset, image["auxiliary"][0])) as file:
                assert (file.width, file.height, file.nodata) == (320, 320, -9999)
                assert tuple(file.transform)[:6] == tuple(video["transform"])
                assert file.dtypes == ("int16", "int16") and file.descriptions == ("red", "nir")
        assert dataset.validate()["errors"] == []

    def test_without_resampling_pixels_are_the_sources(self, tmp_path):
        source = make_dataset(tmp_path, frames=1)
        arguments = ("--target_gsd=10", "--context_factor=1", "--minimum_size=1x1@10GSD")
        dataset = cropped(tmp_path, source, *arguments)
        with rasterio.open(coco_files.asset_path(dataset, images_of(dataset)[0]["auxiliary"][0])) as file:
            pixels, place = file.read(), file.transform
        with rasterio.open(tmp_path / f"{REGION}_20200101_S2.tif") as file:
            expected = file.read()[:, *SITE_PIXELS]
        assert np.array_equal(pixels, expected) and (place.c, place.f) == (300200, 4099800)

    def test_outside_of_the_image_is_nodata_and_an_empty_image_is_left_out(self, tmp_path):
        dataset = cropped(tmp_path, make_dataset(tmp_path, frames=3, empty=(1,)), "--target_gsd=10")
        assert [i["frame_index"] for i in images_of(dataset)] == [0, 1]
        assert [i["date_captured"] for i in images_of(dataset)] == ["2020-01-01", "2020-03-01"]
        with rasterio.open(coco_files.asset_path(dataset, images_of(dataset)[0]["auxiliary"][0])) as file:
            missing = file.read(1) == -9999
        assert (~missing).sum() == 64 * 48

    def test_only_wanted_bands_and_sensors(self, tmp_path):
        source = make_dataset(tmp_path, frames=4, sensors=("S2", "PD"))
        dataset = cropped(tmp_path, source, "--include_channels=nir", "--exclude_sensors", "PD", "L8")
        assert {image["sensor_coarse"] for image in images_of(dataset)} == {"S2"}
        assert {image["auxiliary"][0]["channels"] for image in images_of(dataset)} == {"nir"}
        assert {image["auxiliary"][0]["num_bands"] for image in images_of(dataset)} == {1}

    def test_site_validation_takes_the_first_and_last_frames_with_data(self, tmp_path):
        source = make_dataset(tmp_path, frames=11, empty=(0, 4, 10))
        dataset = cropped(tmp_path, source, "--num_start_frames=3", "--num_end_frames=3")
        assert [image["date_captured"][5:7] for image in images_of(dataset)] == [
            "02", "03", "04", "08", "09", "10"]  # fmt: skip

    def test_few_frames_are_not_taken_twice(self, tmp_path):
        source = make_dataset(tmp_path, frames=4)
        dataset = cropped(tmp_path, source, "--num_start_frames=3", "--num_end_frames=3")
        assert [image["date_captured"][5:7] for image in images_of(dataset)] == ["01", "02", "03", "04"]

    def test_annotations_come_along_clipped(self, tmp_path):
        source = make_dataset(tmp_path, frames=1, sensors=("PD",))
        half = SiteArea(
            "KR_R001_0001", REGION, reproject(box(300200, 4099750, 300230, 4099800), GRID.crs, LONLAT)
        )
        region = iarpa.Region(
            REGION, GRID.outline, sites=(iarpa.SiteSummary(half.site_id, "system_confirmed", half.geometry),)
        )
        iarpa.write_region(tmp_path / "region.geojson", region)
        arguments = ("--target_gsd=1", "--context_factor=1", "--minimum_size=1x1@1GSD")
        dataset = cropped(tmp_path, source, *arguments, regions=tmp_path / "region.geojson")
        (annotation,) = dataset.anns.values()
        assert annotation["track_id"] == "KR_R001_0001"
        assert footprint(annotation).area == pytest.approx(30 * 50, rel=0.05)

    def test_the_bytes_do_not_depend_on_workers_or_the_run(self, tmp_path):
        source = make_dataset(tmp_path, frames=3, sensors=("S2", "PD"))
        digests = []
        for name, workers in (("a", 1), ("b", 4)):
            cropped(tmp_path, source, f"--img_workers={workers}", "--aux_workers=2", name=name)
            files = sorted((tmp_path / name).rglob("*.*"))
            digests.append(
                [(f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files if f.is_file()]
            )
        assert digests[0] == digests[1] and len(digests[0]) == 4

    def test_kept_assets_are_not_written_again(self, tmp_path):
        source = make_dataset(tmp_path, frames=1)
        dataset = cropped(tmp_path, source)
        asset = coco_files.asset_path(dataset, images_of(dataset)[0]["auxiliary"][0])
        before = asset.stat().st_mtime_ns
        cropped(tmp_path, source, "--keep=img")
        assert asset.stat().st_mtime_ns == before
        cropped(tmp_path, source, "--keep=img", "--target_gsd=5")
        assert asset.stat().st_mtime_ns != before

    def test_no_sites_is_an_empty_dataset(self, tmp_path):
        iarpa.write_manifest(tmp_path / "none.json", [])
        dataset = cropped(tmp_path, make_dataset(tmp_path, frames=1), regions=tmp_path / "none.json")
        assert (dataset.n_images, dataset.n_videos) == (0, 0)


ZONES = {"EPSG:32652": (127.0, 37.5), "EPSG:32633": (17.99, 59.3), "EPSG:32719": (-69.0, -18.0),
         "EPSG:32756": (150.0, -33.8)}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Adding annotation")
@pytest.mark.parametrize("crs", ZONES)
def test_a_site_comes_back_within_half_a_pixel(tmp_path, crs):
    """In four zones of both hemispheres; the second one's images reach over its zone's boundary."""
    from pyproj import Transformer

    x, y = Transformer.from_crs(LONLAT, crs, always_xy=True).transform(*ZONES[crs])
    grid = Grid(crs, (10.0, 0.0, round(x) + 0.0, 0.0, -10.0, round(y) + 0.0), 64, 64)
    corner = grid.to_lonlat(Polygon([(20, 20), (32, 22), (30, 34), (19, 31)]))
    source = make_dataset(tmp_path, grid, reproject(corner, LONLAT, crs), frames=1, sensors=("PD",))
    dataset = cropped(tmp_path, source, "--target_gsd=3")
    (video,) = dataset.index.videos.values()
    crops = Grid.of_video(video)
    (annotation,) = dataset.anns.values()
    expected = crops.to_pixels(corner)
    assert expected.hausdorff_distance(footprint(annotation)) < 0.5
    with rasterio.open(coco_files.asset_path(dataset, images_of(dataset)[0]["auxiliary"][0])) as file:
        rows, cols = np.nonzero(file.read(1) > 550)
    assert abs(cols.mean() + 0.5 - expected.centroid.x) < 0.5
    assert abs(rows.mean() + 0.5 - expected.centroid.y) < 0.5
    assert math.isclose(len(rows), expected.area, rel_tol=0.03)


@settings(max_examples=60, deadline=None)
@given(
    left=st.floats(-200, 600), top=st.floats(-200, 500), width=st.floats(1, 300), height=st.floats(1, 300),
    target=st.sampled_from([0.5, 2.0, 4.0, 10.0, 15.0]), factor=st.sampled_from([1.0, 1.3, 2.0]),
    least=st.sampled_from([0.0, 320.0]),
)  # fmt: skip
def test_a_crop_covers_the_widened_box_tightly(left, top, width, height, target, factor, least):
    site = box(300000 + left, 4100000 - top - height, 300000 + left + width, 4100000 - top)
    grid = crop_grid(reproject(site, GRID.crs, LONLAT), GRID, target, factor, (least, least))
    west, south, east, north = grid.bounds
    # The round trip through longitude and latitude moves corners by less than a micrometre.
    slack = 2e-6 * target + 1e-5
    for low, high, side, middle in (
        (west, east, width, 300000 + left + width / 2), (south, north, height, 4100000 - top - height / 2)
    ):  # fmt: skip
        wanted = max(side * factor, least, target)
        if side * factor > least and side * factor >= target:
            assert low <= middle - wanted / 2 + slack and high >= middle + wanted / 2 - slack
        assert high - low <= wanted + 2 * target + slack
        assert abs((low + high) / 2 - middle) <= target + slack
    steps = (west - 300000) / target
    assert steps == pytest.approx(round(steps), abs=1e-6)
    assert grid.gsd == pytest.approx(target)


def test_a_minimum_size_is_met_exactly():
    for shift in (0.0, 1.7, 3.3):
        site = reproject(box(300200 + shift, 4099750, 300260 + shift, 4099800), GRID.crs, LONLAT)
        grid = crop_grid(site, GRID, 4, 1.5, ground_size("128x64@10GSD"))
        assert (grid.width, grid.height) == (320, 160)


@pytest.mark.parametrize("dtype, forced, expected", [
    ("int16", -9999, ("int16", -9999)), ("uint16", -9999, ("int32", -9999)), ("uint8", 0, ("uint8", 0)),
    ("float32", -9999, ("float32", -9999)), ("int16", None, ("int16", -1)),
])  # fmt: skip
def test_nodata_fits_the_pixels(tmp_path, dtype, forced, expected):
    nodata = 255 if dtype == "uint8" else 0 if dtype == "uint16" else -1
    pixels = np.full((1, 48, 64), 7, dtype=dtype)
    pixels[0, 0, 0] = nodata
    write_image(tmp_path / "a.tif", pixels, GRID, nodata=nodata)
    assert crop_asset(tmp_path / "a.tif", [1], GRID, tmp_path / "b.tif", Wanted(nodata=forced), ["x"])
    with rasterio.open(tmp_path / "b.tif") as file:
        assert (file.dtypes[0], file.nodata) == expected
        made = file.read(1)
    assert made[0, 0] == expected[1] and (made.ravel()[1:] == 7).all()


class TestSites:
    def test_truth_is_the_union_of_a_track(self, tmp_path):
        dataset = coco_files.read_dataset(make_dataset(tmp_path, frames=2, sensors=("S2", "PD")))
        (area,) = site_areas("truth", dataset)
        assert (area.site_id, area.region_id) == (f"{REGION}_0001", REGION)
        assert reproject(area.geometry, LONLAT, GRID.crs).area == pytest.approx(3000, rel=0.01)

    def test_manifest_folder_file_and_glob_say_the_same(self, tmp_path):
        geometry = reproject(SITE, GRID.crs, LONLAT)
        statuses = {2: "system_confirmed", 1: "system_confirmed", 3: "system_rejected"}
        sites = [iarpa.SiteSummary(f"{REGION}_000{n}", s, geometry) for n, s in statuses.items()]
        iarpa.write_region(
            tmp_path / "m" / "r.geojson", iarpa.Region(REGION, GRID.outline, sites=tuple(sites))
        )
        iarpa.write_manifest(tmp_path / "manifest.json", [tmp_path / "m" / "r.geojson"])
        places = (
            tmp_path / "manifest.json",
            tmp_path / "m",
            tmp_path / "m" / "r.geojson",
            tmp_path / "m" / "*.geojson",
        )
        for place in places:
            assert [area.site_id for area in site_areas(str(place))] == [f"{REGION}_0001", f"{REGION}_0002"]


@pytest.mark.filterwarnings("ignore:Adding annotation")
class TestRefusals:
    def refused(self, capsys, tmp_path, source, *arguments, regions="truth") -> str:
        target = tmp_path / "out" / "crop.kwcoco.zip"
        code, text = program(capsys, f"--crop_src_fpath={source}", f"--regions={regions}",
                             f"--crop_dst_fpath={target}", *arguments)  # fmt: skip
        assert code == 2 and text.startswith("error: ") and text.count("\n") == 1
        assert not target.exists()
        return text

    def test_a_channel_that_no_image_has(self, capsys, tmp_path):
        text = self.refused(capsys, tmp_path, make_dataset(tmp_path, frames=1), "--include_channels=red|swir")
        assert "'swir'" in text and "nir" in text

    def test_an_image_without_time(self, capsys, tmp_path):
        source = make_dataset(tmp_path, frames=1, date_captured=None, timestamp=None)
        assert "no timestamp" in self.refused(capsys, tmp_path, source)

    def test_another_crs_than_the_videos(self, capsys, tmp_path):
        source = make_dataset(tmp_path, frames=2)
        write_image(
            tmp_path / f"{REGION}_20200201_S2.tif", np.ones((2, 48, 64), "int16"), GRID, crs="EPSG:32653"
        )
        text = self.refused(capsys, tmp_path, source)
        assert "20200201" in text and "EPSG:32653" in text and "EPSG:32652" in text

    def test_a_corrupt_image(self, capsys, tmp_path):
        source = make_dataset(tmp_path, frames=1)
        file = tmp_path / f"{REGION}_20200101_S2.tif"
        file.write_bytes(file.read_bytes()[:5000])
        assert file.name in self.refused(capsys, tmp_path, source)

    def test_a_region_outside_the_images(self, capsys, tmp_path):
        site = iarpa.SiteSummary(f"{REGION}_0001", "system_confirmed", box(10, 10, 10.01, 10.01))
        iarpa.write_region(tmp_path / "r.geojson", iarpa.Region(REGION, box(9, 9, 11, 11), sites=(site,)))
        text = self.refused(
            capsys, tmp_path, make_dataset(tmp_path, frames=1), regions=tmp_path / "r.geojson"
        )
        assert "outside" in text and f"{REGION}_0001" in text

    @pytest.mark.parametrize("argument, word", [
        ("--minimum_size=128", "128x128@10GSD"), ("--target_gsd=0", "ground sample distance"),
        ("--context_factor=0", "context_factor"), ("--keep=all", "keep"), ("--target_gds=3", "target_gsd"),
    ])  # fmt: skip
    def test_unusable_options(self, capsys, tmp_path, argument, word):
        assert word in self.refused(capsys, tmp_path, make_dataset(tmp_path, frames=1), argument)

    @pytest.mark.parametrize("name", ["none.json", "list.json", "text.json"])
    def test_no_dataset(self, capsys, tmp_path, name):
        (tmp_path / "list.json").write_text(json.dumps([1, 2]))
        (tmp_path / "text.json").write_text("{")
        assert name in self.refused(capsys, tmp_path, tmp_path / name)

    def test_two_shapes_of_one_site(self, tmp_path):
        for number, wide in enumerate((0.01, 0.02)):
            site = iarpa.SiteSummary(f"{REGION}_0001", "system_confirmed", box(10, 10, 10 + wide, 10.01))
            iarpa.write_region(
                tmp_path / "m" / f"{number}.geojson", iarpa.Region(REGION, box(9, 9, 11, 11), sites=(site,))
            )
        with pytest.raises(BadInput, match="twice"):
            site_areas(str(tmp_path / "m"))
