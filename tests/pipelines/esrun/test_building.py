"""Datasets of partitions: their files, going on after a stop, the same bytes for any number of workers."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pipelines.errors import BadInput
from pipelines.esrun import building, materialize
from pipelines.esrun.dataset import Dataset
from pipelines.esrun.projection import Projection
from tests.pipelines.esrun.source_images import (
    LEFT,
    TOP,
    YEAR,
    damaged,
    hills,
    layer,
    make_part,
    make_project,
    pixels,
    tree,
    window,
    write_image,
)  # fmt: skip

WINDOWS = {"a": (0, 0, 20, 20), "b": (12, 4, 32, 24), "c": (40, 40, 60, 60)}


@pytest.fixture
def project(tmp_path):
    write_image(tmp_path / "project" / "images" / "west.tif", hills(60, 30))
    write_image(tmp_path / "project" / "images" / "east.tif", hills(60, 30) // 2, at=(300, 0))
    more = {"query_config": {"space_mode": "INTERSECTS", "max_matches": 2}}
    return make_project(tmp_path / "project", image=layer(("B1", "B3")), each=layer(("B2",), **more))


@pytest.fixture
def part(tmp_path):
    return make_part(tmp_path / "partitions" / "partition_0", WINDOWS)


def test_a_partition_becomes_rslearns_folders(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    assert building.build_dataset(project, part, dataset) == 3
    assert (dataset.path / "config.json").read_bytes() == project.dataset_config.read_bytes()
    place = "windows/group_partition_0"
    found = {name.removeprefix(f"{place}/") for name in tree(dataset.path)} - {"config.json"}
    assert {name for name in found if name.startswith("b/")} == {
        "b/metadata.json", "b/items.json",
        "b/layers/image/B1_B3/geotiff.tif", "b/layers/image/completed",
        "b/layers/each/B2/geotiff.tif", "b/layers/each/completed",
        "b/layers/each.1/B2/geotiff.tif", "b/layers/each.1/completed",
    }  # fmt: skip
    assert not any(name.startswith("a/layers/each.1") for name in found)


def test_a_window_keeps_its_place_time_and_what_was_asked(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    b = dataset.window("group_partition_0", "b")
    assert b.bounds == (LEFT + 12, TOP + 4, LEFT + 32, TOP + 24)
    assert b.projection == Projection("EPSG:32613", 10, -10)
    assert [one.isoformat() for one in b.time_range] == [YEAR["oe_start_time"], YEAR["oe_end_time"]]
    assert b.options == {"request": {**YEAR, "parcel": "b"}}


def test_images_are_matched_and_lie_where_they_belong(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    b = dataset.window("group_partition_0", "b")
    items = json.loads((dataset.window_dpath(b) / "items.json").read_text())
    groups = [entry["serialized_item_groups"] for entry in items]
    names = [[[one["name"] for one in group] for group in entry] for entry in groups]
    assert names == [[["east", "west"]], [["east"], ["west"]]]
    assert items[0]["serialized_item_groups"][0][1] == {
        "name": "west", "src_dir": "images",
        "spec": {"fnames": ["west.tif"], "bands": None, "name": None},
        "geometry": {
            "projection": {"crs": "EPSG:32613", "x_resolution": 10.0, "y_resolution": -10.0},
            "shp": "POLYGON ((50000 -440000, 50030 -440000, 50030 -439940, 50000 -439940, 50000 -440000))",
            "time_range": None,
        },
    }  # fmt: skip
    assert items[0]["group_time_ranges"] == [[YEAR["oe_start_time"], YEAR["oe_end_time"]]]
    whole = np.concatenate([hills(60, 30), hills(60, 30) // 2], axis=2)
    assert np.array_equal(pixels(dataset, b, "image", ("B1", "B3")), whole[[0, 2], 4:24, 12:32])


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, project, part, workers):
    building.build_dataset(project, part, Dataset(tmp_path / "one"))
    building.build_dataset(project, part, Dataset(tmp_path / "other"), workers)
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_a_second_run_writes_nothing(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    times = {path: path.stat().st_mtime_ns for path in dataset.path.rglob("*")}
    building.build_dataset(project, part, dataset, workers=2)
    assert {path: path.stat().st_mtime_ns for path in dataset.path.rglob("*")} == times


@pytest.mark.parametrize("workers", [0, 2])
def test_after_a_crash_the_other_windows_are_done_and_only_the_rest_is_made(
    tmp_path, project, part, workers, monkeypatch
):
    write = materialize.write_bands

    def failing(path, *rest):
        if "/c/" in str(path):
            raise RuntimeError("the power went")
        write(path, *rest)

    dataset = Dataset(tmp_path / "dataset")
    monkeypatch.setattr(building, "write_bands", failing)
    with pytest.raises(RuntimeError):
        building.build_dataset(project, part, dataset, workers)
    assert dataset.is_completed(dataset.window("group_partition_0", "a"), "image")
    written = []
    monkeypatch.setattr(
        building, "write_bands", lambda path, *rest: (written.append(path), write(path, *rest))
    )
    building.build_dataset(project, part, dataset, workers)
    assert written
    assert all("/c/" in str(path) for path in written)
    building.build_dataset(project, part, Dataset(tmp_path / "other"))
    assert tree(dataset.path) == tree(tmp_path / "other")


def test_a_layer_without_its_marker_is_made_again(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    a = dataset.window("group_partition_0", "a")
    before = tree(dataset.path)
    (dataset.layer_dpath(a, "image") / "completed").unlink()
    dataset.raster_fpath(a, "image", ("B1", "B3")).write_bytes(b"half a fi")
    building.build_dataset(project, part, dataset)
    assert tree(dataset.path) == before


def test_what_was_made_of_other_images_goes(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    (project.path / "images" / "west.tif").unlink()
    building.build_dataset(project, part, dataset)
    b = dataset.window("group_partition_0", "b")
    assert not dataset.layer_dpath(b, "each", 1).exists()
    assert (pixels(dataset, b, "image", ("B1", "B3"))[:, :, :18] == 0).all()


def test_windows_that_are_not_asked_for_any_more_go_and_changed_ones_are_new(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    make_part(part.path, {"a": WINDOWS["a"], "b": (0, 0, 10, 10)})
    other = make_part(tmp_path / "partitions" / "partition_1", {"z": (0, 0, 10, 10)})
    building.build_dataset(project, other, dataset)
    building.build_dataset(project, part, dataset)
    assert [(one.group, one.name) for one in dataset.windows()] == [
        ("group_partition_0", "a"), ("group_partition_0", "b"), ("group_partition_1", "z"),
    ]  # fmt: skip
    b = dataset.window("group_partition_0", "b")
    assert np.array_equal(pixels(dataset, b, "image", ("B1", "B3")), hills(60, 30)[[0, 2], :10, :10])


def test_a_dataset_of_another_config_is_not_gone_on_with(tmp_path, project, part):
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    other = make_project(project.path, image=layer(("B2",)))
    with pytest.raises(BadInput, match=r"config\.json: was made with another dataset\.json"):
        building.build_dataset(other, part, dataset)


def test_windows_without_an_image_are_counted(tmp_path, project, capsys):
    part = make_part(tmp_path / "p", {"in": (0, 0, 10, 10), "out": (900, 0, 910, 10)})
    dataset = Dataset(tmp_path / "dataset")
    filled = building.build(project, part, dataset)
    assert building.summary(filled) == {"windows": 2, "empty_windows": 1, "layers": {"each": 1, "image": 1}}
    assert capsys.readouterr().err == "warning: no source image meets 1 of 2 windows of group_p\n"
    assert not (dataset.window_dpath(dataset.window("group_p", "out")) / "layers").exists()


def test_a_partition_that_no_image_meets_is_built_with_a_warning(tmp_path, project, capsys):
    part = make_part(tmp_path / "p", {"out": (900, 0, 910, 10)})
    dataset = Dataset(tmp_path / "dataset")
    assert building.build_dataset(project, part, dataset) == 1
    assert capsys.readouterr().err == "warning: no source image meets 1 of 1 windows of group_p\n"
    assert set(tree(dataset.path)) == {
        "config.json", "windows/group_p/out/items.json", "windows/group_p/out/metadata.json",
    }  # fmt: skip


def test_labelled_windows_of_which_no_image_meets_any_are_an_error(tmp_path, project):
    dataset = Dataset(tmp_path / "dataset")
    far = window(900, 0, 910, 10)
    dataset.add(far)
    with pytest.raises(BadInput, match=r"none of 1 windows meets an image in .*images"):
        building.fill(project, dataset, [far])


def broken(path):
    path.write_bytes(b"no image")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-50])


SOURCES = {
    "no folder": (lambda images: shutil.rmtree(images), {}, "no such folder of source images"),
    "no image": (lambda images: [one.unlink() for one in images.iterdir()], {}, "holds no .tif"),
    "broken": (lambda images: broken(images / "west.tif"), {}, "west.tif: cannot be opened"),
    "cut short": (lambda images: cut_short(images / "west.tif"), {}, "west.tif: ends too early"),
    "a band that none has": (
        lambda images: None, {"image": layer(("B1", "B9"))},
        r"dataset.json: layers.image: no image in .*images has a band B9; they have B1, B2, B3",
    ),
    "a band that one lacks": (
        lambda images: write_image(images / "west.tif", hills(60, 30, 2)), {"image": layer(("B1", "B3"))},
        "west.tif: has no band B3, only B1, B2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_sources_are_looked_at_before_anything_is_written(tmp_path, project, part, name):
    spoil, layers, said = SOURCES[name]
    spoil(project.path / "images")
    if layers:
        project = make_project(project.path, **layers)
    with pytest.raises(BadInput, match=said):
        building.build_dataset(project, part, Dataset(tmp_path / "dataset"))
    assert not (tmp_path / "dataset").exists()


def test_a_band_of_an_image_that_no_window_meets_may_be_missing(tmp_path, project, part):
    write_image(project.path / "images" / "far.tif", hills(10, 10, 1), at=(9000, 0))
    assert building.build_dataset(project, part, Dataset(tmp_path / "dataset")) == 3


def test_a_window_that_moved_is_not_taken_for_built_after_a_crash(tmp_path, project, part, monkeypatch):
    """Its metadata are new before its layers are: neither the old ones nor items.json may then be there."""
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    make_part(part.path, {**WINDOWS, "b": (0, 0, 10, 10)})

    def killed(*_):
        raise KeyboardInterrupt

    for name in ("add", "complete"):
        with monkeypatch.context() as patched:
            patched.setattr(Dataset, name, killed)
            with pytest.raises(KeyboardInterrupt):
                building.build_dataset(project, part, dataset)
        place = dataset.path / "windows" / "group_partition_0" / "b"
        assert not (place / "items.json").exists() and not list(place.rglob("completed"))
    building.build_dataset(project, part, dataset)
    building.build_dataset(project, part, Dataset(tmp_path / "fresh"))
    assert tree(dataset.path) == tree(tmp_path / "fresh")


def test_an_empty_partition_has_no_windows(tmp_path, project):
    part = make_part(tmp_path / "p", {})
    assert building.build_dataset(project, part, Dataset(tmp_path / "dataset")) == 0


def test_vector_files_fill_vector_layers_in_pixels(tmp_path, part):
    near, far = [-105 + 1e-4, 39.7495], [-104, 39.7495]
    features = [{"type": "Feature", "geometry": {"type": "Point", "coordinates": at}, "properties": {"n": n}}
                for n, at in enumerate([near, far])]  # fmt: skip
    (tmp_path / "project" / "points").mkdir(parents=True)
    path = tmp_path / "project" / "points" / "p.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    spec = {"type": "vector", "data_source": layer(src="points")["data_source"]}
    project = make_project(tmp_path / "project", points=spec)
    dataset = Dataset(tmp_path / "dataset")
    building.build_dataset(project, part, dataset)
    a = dataset.window("group_partition_0", "a")
    found = json.loads(dataset.vector_fpath(a, "points").read_text())
    assert found["properties"] == {"crs": "EPSG:32613", "x_resolution": 10, "y_resolution": -10}
    (only,) = found["features"]
    assert only["properties"] == {"n": 0}
    # 0.0001 degrees are 8.57 m east, 0.0005 degrees are 55.5 m south of 4400010.26 m north.
    assert only["geometry"]["coordinates"] == pytest.approx([50000.857, -439995.475], abs=1e-2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"oe_window_name": None}, "a feature has no oe_window_name"),
        ({"oe_window_bounds": [5, 5, 5, 9]}, "the window a has no pixels"),
        ({"oe_window_name": "b"}, "names the window b twice"),
        ({"oe_window_bounds": "1,2"}, "oe_window_bounds: '1,2' are not four pixels"),
        ({"oe_window_bounds": [0, 0, 1.5, 9]}, "are not four pixels"),
        ({"oe_window_name": "../b"}, "oe_window_name: '../b' cannot be a folder"),
        ({"oe_window_crs": "EPSG:1"}, "'EPSG:1' is no coordinate reference system"),
    ],
)
def test_windows_that_say_too_little_are_named(tmp_path, project, part, change, said):
    data = json.loads(part.windows.read_text())
    data["features"][0]["properties"].update(change)
    part.windows.write_text(json.dumps(data))
    with pytest.raises(BadInput, match=said):
        building.build_dataset(project, part, Dataset(tmp_path / "dataset"))


def program(*words):
    return subprocess.run(
        [sys.executable, "-m", "pipelines.esrun.build_dataset", *map(str, words)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_program_builds_and_then_fills_what_is_there(tmp_path, project, part):
    building.build_dataset(project, part, Dataset(tmp_path / "api"))
    dst, summary = tmp_path / "cli", tmp_path / "summary.json"
    given = [f"--project_path={project.path}", f"--dst={dst}", f"--summary_fpath={summary}"]
    done = program(*given, f"--partition_dpath={part.path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(dst) == tree(tmp_path / "api")
    assert json.loads(summary.read_text()) == {
        "windows": 3, "empty_windows": 0, "layers": {"image": 3, "each": 3},
    }  # fmt: skip
    first = next(Dataset(dst).windows())
    (Dataset(dst).layer_dpath(first, "image") / "completed").unlink()
    assert program(*given).returncode == 0
    assert tree(dst) == tree(tmp_path / "api")


def test_the_program_names_an_image_of_damaged_pixels_in_one_line(tmp_path, project, part):
    path = damaged(project.path / "images" / "west.tif")
    given = [f"--project_path={project.path}", f"--partition_dpath={part.path}", f"--dst={tmp_path / 'd'}"]
    done = program(*given, f"--summary_fpath={tmp_path / 's.json'}", "--workers=2")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}: cannot be ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "s.json").exists()


def test_the_program_needs_windows(tmp_path, project):
    done = program(f"--project_path={project.path}", f"--dst={tmp_path / 'd'}")
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path / 'd'}: has no windows to fill\n")
