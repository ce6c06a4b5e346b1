"""The generated data set on disk: valid, the same every time, and its truth where and when its pixels are."""

import filecmp
import os
import subprocess
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from pipelines.geowatch import bundles, iarpa, scenes
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.iarpa import PHASES

FRAMES, SIZE = 6, 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two regions, one in each hemisphere."""
    path = tmp_path_factory.mktemp("data") / "set of 2"
    bundles.write(path, [scenes.plan(1, index, FRAMES, SIZE) for index in (0, 1)])
    return path


@pytest.fixture(scope="module")
def dataset(folder) -> kwcoco.CocoDataset:
    return kwcoco.CocoDataset(folder / "data.kwcoco.json")


def program(*arguments: object, seed: str = "0") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.geowatch.generate", *map(str, arguments)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
    )


def tree(path: Path) -> list[Path]:
    return sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())


def test_the_same_options_give_the_same_bytes(tmp_path):
    options = ("--regions=2", "--frames=2", "--size=48", "--seed=7")
    one, again = tmp_path / "one", tmp_path / "again"
    assert program(f"--dst={one}", *options).returncode == 0
    assert program(f"--dst={again}", *options, seed="1").returncode == 0
    assert tree(one) == tree(again)
    assert len(tree(one)) == 1 + 2 * 2 * 2 + 2 + 2
    same, different, _ = filecmp.cmpfiles(one, again, tree(one), shallow=False)
    assert different == [] and len(same) == len(tree(one))
    assert scenes.plan(7, 0, 2, 48) == scenes.plan(7, 0, 2, 48) != scenes.plan(8, 0, 2, 48)


def test_kwcoco_finds_nothing_wrong(dataset):
    found = dataset.validate(missing=True, corrupted=True, verbose=0)
    assert found["errors"] == [] and found["warnings"] == []
    assert (dataset.n_videos, dataset.n_images) == (2, 2 * 2 * FRAMES)
    assert [category["name"] for category in dataset.dataset["categories"]] == list(PHASES)


def test_the_images_of_a_video_are_in_order_of_time(dataset):
    for video in dataset.videos().objs:
        images = [dataset.imgs[image] for image in dataset.index.vidid_to_gids[video["id"]]]
        assert [image["frame_index"] for image in images] == list(range(2 * FRAMES))
        stamps = [image["timestamp"] for image in images]
        assert stamps == sorted(stamps) and len(set(stamps)) == len(stamps)
        assert {image["sensor_coarse"] for image in images} == {"S2", "PD"}


def test_a_geotiff_lies_where_its_entry_says(dataset, folder):
    for image in dataset.images().objs:
        (asset,) = image["auxiliary"]
        video = Grid.of_video(dataset.index.videos[image["video_id"]])
        with rasterio.open(folder / asset["file_name"]) as file:
            assert (file.width, file.height, file.count) == (image["width"], image["height"], 4)
            assert (file.dtypes[0], file.nodata, str(file.crs)) == ("int16", -9999, video.crs)
            assert file.descriptions == ("blue", "green", "red", "nir") == tuple(asset["channels"].split("|"))
            assert file.res == {"S2": (10, 10), "PD": (3, 3)}[image["sensor_coarse"]]
            assert (
                file.block_shapes[0] == (128, 128)
                and file.compression.name == "deflate"
                and "TIFFTAG_DATETIME" not in file.tags()
            )
            assert file.bounds.left <= video.bounds[0] and file.bounds.right >= video.bounds[2]
            assert file.bounds.bottom <= video.bounds[1] and file.bounds.top >= video.bounds[3]
            matrix = np.array(image["warp_img_to_vid"]["matrix"])
            for corner in ((0, 0), (file.width, file.height)):
                ground = video.affine @ (matrix @ (*corner, 1))[:2]
                assert ground == pytest.approx(file.transform @ corner, abs=1e-6)


def test_annotations_and_site_models_tell_the_same(dataset, folder):
    """The polygons agree on the ground, by a way of their own, and the phases on each day."""
    names = {category["id"]: category["name"] for category in dataset.dataset["categories"]}
    models = {path.stem: iarpa.read_site(path) for path in (folder / "site_models").iterdir()}
    assert {annotation["track_id"] for annotation in dataset.dataset["annotations"]} == set(models)
    for annotation in dataset.dataset["annotations"]:
        image = dataset.imgs[annotation["image_id"]]
        model = models[annotation["track_id"]]
        with rasterio.open(folder / image["auxiliary"][0]["file_name"]) as file:
            transform, crs = file.transform, file.crs
        move = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        drawn = [~transform @ move.transform(*point) for point in model.geometry.exterior.coords[:-1]]
        polygon = np.reshape(annotation["segmentation"][0], (-1, 2))
        assert polygon == pytest.approx(np.array(drawn), abs=0.01)
        phases = {one.source: one.phase for one in model.observations}
        assert phases.get(image["name"], PHASES[0]) == names[annotation["category_id"]]


def test_every_site_goes_through_its_phases_in_order(dataset):
    order = {category["id"]: PHASES.index(category["name"]) for category in dataset.dataset["categories"]}
    lives = defaultdict(list)
    for annotation in dataset.dataset["annotations"]:
        frame = dataset.imgs[annotation["image_id"]]["frame_index"]
        lives[annotation["track_id"]].append((frame, order[annotation["category_id"]]))
    for life in lives.values():
        phases = [phase for _, phase in sorted(life)]
        assert phases == sorted(phases) and phases[0] == 0 and len(phases) == 2 * FRAMES
        assert set(phases) >= {0, 1, 2}
    assert any(life[-1][1] == 3 for life in map(sorted, lives.values()))


def test_region_models_name_the_sites_with_their_dates(dataset, folder):
    for video in dataset.videos().objs:
        region = iarpa.read_region(folder / "region_models" / f"{video['name']}.geojson")
        assert (region.start_date, region.end_date) == (date(2018, 1, 1), date(2020, 1, 1))
        assert region.geometry.symmetric_difference(Grid.of_video(video).outline).area < 1e-9
        assert region.sites
        for summary in region.sites:
            site = iarpa.read_site(folder / "site_models" / f"{summary.site_id}.geojson")
            assert site.summary == summary and region.geometry.contains(site.geometry)
            active = [one.date for one in site.observations if one.phase in PHASES[1:3]]
            assert site.start_date <= min(active) and max(active) < (site.end_date or date.max)
            assert [one.phase for one in site.observations[:2]] == list(PHASES[:2])


def test_an_occluded_observation_is_one_that_cannot_be_seen(dataset, folder):
    images = {image["name"]: image for image in dataset.images().objs}
    occluded = []
    for path in (folder / "site_models").iterdir():
        for one in iarpa.read_site(path).observations:
            with rasterio.open(folder / images[one.source]["auxiliary"][0]["file_name"]) as file:
                shape = Grid.of_file(file.name).to_pixels(one.geometry)
                blue = file.read(1)
                inside = rasterio.features.geometry_mask(
                    [shape], blue.shape, rasterio.Affine.identity(), invert=True
                )
            seen = blue[inside]
            # Nothing on the ground is as blue as a cloud that hides it.
            assert one.is_occluded == (np.mean((seen == -9999) | (seen > 4500)) > 0.5) or (
                0.3 < np.mean((seen == -9999) | (seen > 4500)) < 0.7
            )
            occluded.append(one.is_occluded)
    assert 0 < sum(occluded) < len(occluded) / 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--frames=0"], "frames"),
        (["--size=16"], "size"),
        (["--size=99999"], "size"),
        (["--regions=none"], "regions"),
        (["--sensors=L8"], "sensors"),
        (["--frame=3"], "--frame"),
    ],
)
def test_a_bad_option_is_one_line_and_no_file(tmp_path, options, said, capsys):
    from pipelines.geowatch.generate import generate
    from pipelines.program import run

    with pytest.raises(SystemExit) as end:
        run(generate, [f"--dst={tmp_path / 'data'}", *options])
    complaint = capsys.readouterr().err
    assert end.value.code == 2 and complaint.startswith("error: ") and complaint.count("\n") == 1
    assert said in complaint and not (tmp_path / "data").exists()


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path, capsys):
    from pipelines.geowatch.generate import generate
    from pipelines.program import run

    (tmp_path / "data").write_text("mine")
    with pytest.raises(SystemExit) as end:
        run(generate, [f"--dst={tmp_path / 'data'}"])
    assert end.value.code == 2 and str(tmp_path / "data") in capsys.readouterr().err
    assert (tmp_path / "data").read_text() == "mine"


def test_help_shows_an_example_that_can_be_copied():
    shown = program("--help")
    example = (
        "Example:\n    python -m pipelines.geowatch.generate --dst=data --regions=3 --frames=8 --size=128\n"
    )
    assert shown.returncode == 0 and example in shown.stdout


def test_two_data_sets_do_not_share_a_folder(tmp_path, capsys):
    """The sites of the first would be truth of the second; the same one may be written again."""
    from pipelines.geowatch.generate import generate
    from pipelines.program import run

    one = [f"--dst={tmp_path}", "--regions=1", "--frames=1", "--size=48", "--sensors", "S2"]
    ends = []
    for options in (one, one, [*one, "--first=1"]):
        with pytest.raises(SystemExit) as end:
            run(generate, options)
        ends.append(end.value.code)
    assert ends == [0, 0, 2]
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert str(tmp_path / "assets" / "KR_R001") in complaint
    assert bundles.KWCOCO in map(str, tree(tmp_path)) and "BR" not in str(tree(tmp_path))
