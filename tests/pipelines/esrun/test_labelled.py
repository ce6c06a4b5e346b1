"""Labelled windows from a project to a dataset: the seed's command, re-runs, workers, and bad projects."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset
from pipelines.esrun.fine_tune_runner import EsFineTuneRunner, EsFineTuningRunner
from tests.pipelines.esrun.labelled_projects import (
    DATASET,
    POINTS,
    POLYGONS,
    annotation,
    box,
    point,
    task,
    write_project,
)

GROUP = "post_random_split"
TOOLS = "esrun.runner.tools.labeled_window_preparers."


def areas(count, size=320):
    """Tasks side by side, each half ice, with a patch of rock in it."""
    tasks, rows = [], []
    for i in range(count):
        x, y = 440000 + 1000 * (i % 10), 4460000 + 1000 * (i // 10)
        tasks.append(task(f"t{i}", box(x + 0.5, y + 0.5, x + size - 0.5, y + size - 0.5)))
        rows.append(annotation(f"t{i}", box(x, y, x + size, y + size / 2), "ice"))
        rows.append(annotation(f"t{i}", box(x, y, x + 50, y + 50), "rock"))
    return tasks, rows


def spots(count):
    rows = [annotation("a", point(440005 + 10 * i, 4460005), i % 3) for i in range(count)]
    return [task("a", box(440000, 4460000, 441000, 4461000))], rows


def tree(path):
    return {str(one.relative_to(path)): one.read_bytes() for one in sorted(path.rglob("*")) if one.is_file()}


def prepare(folder, config, features, **how):
    project = write_project(folder / "project", config, *features)
    runner = EsFineTuneRunner(project, folder / "scratch")
    return runner.prepare_labeled_windows(**how), runner.dataset


def test_rasters_of_classes(tmp_path):
    count, dataset = prepare(tmp_path, POLYGONS, areas(12))
    windows = list(dataset.windows())
    assert count == 12 == len(windows) and {one.group for one in windows} == {GROUP}
    for window in windows:
        assert window.size == (32, 32) and dataset.is_completed(window, "labels")
        assert window.options["split"] in ("train", "val", "test")
        assert window.time_range == (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
        with rasterio.open(dataset.raster_fpath(window, "labels", ["label"])) as image:
            values = image.read(1)
            assert image.crs.to_string() == "EPSG:32613" and image.nodata == 255
            left, top = window.bounds[:2]
            assert image.transform @ (0, 0) == (left * 10, top * -10)
        wanted = np.full((32, 32), 255)
        wanted[16:], wanted[-5:, :5] = 0, 1  # in sorted order ice is 0, rock 1
        assert np.array_equal(values, wanted)
    assert dataset.config()["layers"] == {
        **DATASET["layers"],
        "labels": {"type": "raster", "band_sets": [{"bands": ["label"], "dtype": "uint8"}]},
    }
    said = json.loads((dataset.path / "labelled_windows.json").read_text())
    assert said["classes"] == [{"label": "ice", "value": 0}, {"label": "rock", "value": 1}]
    assert said["windows"] == 12 == sum(said["windows_by_split"].values())
    assert sum(split.get("1", 0) for split in said["labels"].values()) == 12 * 25


def test_points_with_a_class(tmp_path):
    count, dataset = prepare(tmp_path, POINTS, spots(9))
    assert count == 9
    for number, window in enumerate(dataset.windows()):
        data = json.loads(dataset.vector_fpath(window, "labels").read_text())
        (found,) = data["features"]
        assert data["properties"] == window.projection.to_json()
        assert found["properties"]["category"] == number % 3
        x, y = found["geometry"]["coordinates"]
        assert (x, y) == pytest.approx((window.bounds[0] + 0.5, window.bounds[1] + 0.5), abs=1e-3)
    assert dataset.config()["layers"]["labels"] == {"type": "vector"}


def test_names_are_the_projects_own(tmp_path):
    names = "  label_layer: truth\n  label_property: kind\n  group_name: all\n  split_property: part\n"
    _, dataset = prepare(tmp_path, POINTS + names, spots(2))
    (first, _) = dataset.windows(["all"])
    assert first.options["part"] in ("train", "val", "test")
    data = json.loads(dataset.vector_fpath(first, "truth").read_text())
    assert data["features"][0]["properties"]["kind"] == 0


@pytest.mark.parametrize(("config", "features"), [(POLYGONS, areas(25)), (POINTS, spots(25))])
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, config, features):
    trees = []
    for workers in (0, 1, 4):
        _, dataset = prepare(tmp_path / str(workers), config, features, workers=workers)
        trees.append(tree(dataset.path))
    assert trees[0] == trees[1] == trees[2]
    prepare(tmp_path / "4", config, features)
    assert tree(tmp_path / "4" / "scratch" / "dataset") == trees[0]


def test_the_order_of_annotations_does_not_matter_to_points(tmp_path):
    tasks, rows = spots(12)
    _, first = prepare(tmp_path / "a", POINTS, (tasks, rows))
    _, other = prepare(tmp_path / "b", POINTS, (tasks, rows[::-1]))
    assert tree(first.path) == tree(other.path)


def test_changed_annotations_replace_and_gone_ones_go(tmp_path):
    tasks, rows = areas(3)
    _, dataset = prepare(tmp_path, POLYGONS, (tasks, rows))
    windows = list(dataset.windows())
    for window in windows:
        dataset.complete(window, "image")
    mine = tmp_path / "scratch" / "dataset" / "windows" / GROUP / "by_hand"
    mine.mkdir()
    (mine / "metadata.json").write_text(json.dumps(windows[0].to_json() | {"options": {}}))
    rows[0]["geometry"] = tasks[0]["geometry"]  # all of it ice
    count, dataset = prepare(tmp_path, POLYGONS, (tasks[:2], rows[:4]))
    found = list(dataset.windows())
    assert count == 2 and [one.name for one in found] == ["by_hand", windows[0].name, windows[1].name]
    assert dataset.is_completed(found[1], "image")
    with rasterio.open(dataset.raster_fpath(found[1], "labels", ["label"])) as image:
        assert np.bincount(image.read(1).ravel()).tolist() == [32 * 32 - 25, 25]


def test_a_window_elsewhere_loses_its_images(tmp_path):
    tasks, rows = areas(1)
    _, dataset = prepare(tmp_path, POLYGONS, (tasks, rows))
    (window,) = dataset.windows()
    dataset.complete(window, "image")
    tasks[0]["properties"]["es_end_time"] = "2024-03-01"
    _, dataset = prepare(tmp_path, POLYGONS, (tasks, rows))
    (later,) = dataset.windows()
    assert later.name == window.name and not dataset.is_completed(later, "image")
    assert dataset.is_completed(later, "labels")


def test_vectors_take_the_place_of_rasters(tmp_path):
    rows = [annotation("a", point(440105, 4460105), 1)]
    tasks = [task("a", box(440000, 4460000, 440640, 4460640))]
    raster = POINTS.replace("point_to_pixel", "point_to_raster").replace("PointToPixel", "PointToRaster")
    args = "    init_args: {window_buffer: 0, window_resolution: 10, dtype: uint8, nodata_value: 255}\n"
    raster = raster.replace("Preparer\n\n", f"Preparer\n{args}")
    _, dataset = prepare(tmp_path, raster, (tasks, rows))
    (window,) = dataset.windows()
    assert dataset.raster_fpath(window, "labels", ["label"]).exists()
    _, dataset = prepare(tmp_path, POINTS, (tasks, rows))
    assert sorted(p.name for p in dataset.layer_dpath(window, "labels").iterdir()) == [
        "completed",
        "data.geojson",
    ]


def test_the_seeds_command(tmp_path):
    write_project(tmp_path / "esrun_data" / "sample", POLYGONS, *areas(4))
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.esrun", "prepare_labeled_windows", "--project_path",
         "esrun_data/sample", "--scratch_path", "scratch"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    _, other = prepare(tmp_path / "python", POLYGONS, areas(4), workers=2)
    assert tree(tmp_path / "scratch" / "dataset") == tree(other.path)


def test_images_of_labelled_windows(tmp_path):
    images = tmp_path / "project" / "images"
    images.mkdir(parents=True)
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    profile = {"driver": "GTiff", "width": 100, "height": 100, "count": 1, "dtype": "uint16", "nodata": 65535}
    where = {"crs": "EPSG:32613", "transform": rasterio.Affine(10, 0, 440000, 0, -10, 4461000)}
    with rasterio.open(images / "one.tif", "w", **profile, **where) as image:
        image.write(values, 1)
    source = {"class_path": "rslearn.data_sources.local_files.LocalFiles", "init_args": {"src_dir": "images"}}
    layer = {"type": "raster", "band_sets": [{"bands": ["B1"], "dtype": "uint16"}], "data_source": source}
    project = write_project(tmp_path / "project", POLYGONS, *areas(1), {"layers": {"image": layer}})
    runner = EsFineTuneRunner(project, tmp_path / "scratch")
    with pytest.raises(BadInput, match="has no windows in group 'post_random_split'"):
        runner.build_dataset_from_windows()
    assert runner.prepare_labeled_windows() == runner.build_dataset_from_windows() == 1
    (window,) = runner.dataset.windows()
    with rasterio.open(runner.dataset.raster_fpath(window, "image", ["B1"])) as image:
        assert np.array_equal(image.read(1), values[68:, :32])
    assert runner.dataset.is_completed(window, "labels")
    assert runner.prepare_labeled_windows() == 1 and runner.dataset.is_completed(window, "image")


def test_a_scratch_of_another_project_is_refused(tmp_path):
    prepare(tmp_path, POINTS, spots(2))
    other = {"layers": {"image": {"type": "raster", "band_sets": [{"bands": ["B2"], "dtype": "uint8"}]}}}
    project = write_project(tmp_path / "other", POINTS, *spots(3), other)
    before = tree(tmp_path / "scratch")
    with pytest.raises(BadInput, match="config.json: was made with another dataset.json"):
        EsFineTuneRunner(project, tmp_path / "scratch").prepare_labeled_windows()
    assert tree(tmp_path / "scratch") == before


def test_labels_that_do_not_fit_their_window(tmp_path, monkeypatch):
    (tmp_path / "my_preparer.py").write_text(
        "import numpy as np\n"
        "from pipelines.esrun.labelled_windows import LabeledWindow, RasterLabel\n"
        "from pipelines.esrun.projection import Projection\n"
        "from pipelines.esrun.tools.labeled_window_preparers.labeled_window_preparer import *\n"
        "class Small(RasterLabelsWindowPreparer):\n"
        "    def prepare_labeled_windows(self, task):\n"
        "        label = RasterLabel(np.zeros((2, 2), np.uint8))\n"
        "        place = Projection('EPSG:32613', 10, -10)\n"
        "        return [LabeledWindow('w', place, (0, 0, 3, 2), None, label)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = POINTS[POINTS.index("  data_splitter") :]
    config = "window_prep:\n  labeled_window_preparer: {class_path: my_preparer.Small}\n" + config
    with pytest.raises(BadInput, match=r"window w of \(2, 3\) pixels has labels of \(2, 2\)"):
        prepare(tmp_path, config, spots(2))


def test_the_other_name_of_the_runner():
    assert EsFineTuningRunner is EsFineTuneRunner


def test_a_users_own_tools(tmp_path, monkeypatch):
    """A splitter that takes turns: windows come in one order for any number of workers."""
    (tmp_path / "my_labels.py").write_text(
        "from pipelines.esrun.tools.data_splitters.data_splitter_interface import DataSplitterInterface\n"
        "class Turns(DataSplitterInterface):\n"
        "    turn = 0\n"
        "    def choose_split_for_window(self, labeled_window):\n"
        "        self.turn += 1\n"
        "        return ('train', 'val', 'test')[self.turn % 3]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = POINTS[: POINTS.index("  data_splitter")] + "  data_splitter: {class_path: my_labels.Turns}\n"
    splits = []
    for workers in (0, 3):
        _, dataset = prepare(tmp_path / str(workers), config, spots(30), workers=workers)
        splits.append([window.options["split"] for window in dataset.windows()])
    assert splits[0] == splits[1] and splits[0].count("train") == 10


SHARES = "{train_prop: 0.5, val_prop: 0.25, test_prop: 0.25, seed: 3}"
BAD = {
    "shares": (POINTS.replace(SHARES, SHARES.replace("0.25, s", "0.2, s")), "sum to 0.95, not 1"),
    "class": (POINTS.replace("PointToPixel", "PointToPixle"), "no class .* did you mean"),
    "argument": (POINTS.replace("seed: 3", "sede: 3"), "takes no 'sede'"),
    "no preparer": ("window_prep: {}", "window_prep.labeled_window_preparer is missing"),
    "no splitter": (POINTS[: POINTS.index("  data_splitter")], "window_prep.data_splitter is missing"),
    "key": (POINTS + "  label_layr: x\n", "window_prep: no key 'label_layr'; did you mean 'label_layer'"),
    "name": (POINTS + "  group_name: a/b\n", "window_prep.group_name: 'a/b' is no name"),
    "group that is no folder": (POINTS + "  group_name: ..\n", "window_prep.group_name: '..' is no name"),
    "label layer": (POINTS + "  label_layer: image\n", "layer 'image' is of another type"),
    "wrong geometry": (POLYGONS, "feature 0 of annotation_features.geojson is a Point; wanted is a Polygon"),
    "no classes": (
        POINTS + "inference_results_config: {classification_fields: [{allowed_values: 3}]}\n",
        "allowed_values must be a list, not 3",
    ),
    "no mapping": ("window_prep: [1]", "window_prep: must be a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_project_is_refused_before_anything_is_written(tmp_path, name):
    config, said = BAD[name]
    with pytest.raises(BadInput, match=said):
        prepare(tmp_path, config, spots(3))
    assert not (tmp_path / "scratch").exists()


def test_a_dataset_json_that_no_json_can_say_is_refused(tmp_path):
    project = write_project(tmp_path / "p", POINTS, *spots(1), {**DATASET, "scale": float("nan")})
    with pytest.raises(BadInput, match=r"dataset\.json: holds a number that is none"):
        EsFineTuneRunner(project, tmp_path / "scratch").prepare_labeled_windows()
    assert not (tmp_path / "scratch").exists()


def test_no_window_at_all(tmp_path):
    tasks, rows = spots(1)
    stray = [annotation("b", point(440105, 4460105), 1)]
    with pytest.raises(BadInput, match="none of the annotations makes a window"):
        prepare(tmp_path, POINTS, (tasks, stray))
    assert not (tmp_path / "scratch").exists()
    _, dataset = prepare(tmp_path, POINTS, (tasks, rows))
    before = tree(dataset.path)
    with pytest.raises(BadInput, match="none of the annotations makes a window"):
        prepare(tmp_path, POINTS, (tasks, stray))
    assert tree(dataset.path) == before


def test_bad_input_is_one_line_of_the_command(tmp_path):
    project = write_project(tmp_path / "project", POLYGONS, *spots(3))
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.esrun.prepare_labeled_windows", f"--project_path={project}",
         f"--scratch_path={tmp_path / 'scratch'}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "feature 0 of annotation_features.geojson is a Point" in line
    assert not Path(tmp_path / "scratch").exists()


def test_windows_are_found_by_dataset_alone(tmp_path):
    """The folder may be moved: nothing in it names where it was made."""
    _, dataset = prepare(tmp_path, POINTS, spots(3))
    dataset.path.rename(tmp_path / "moved")
    assert len(list(Dataset(tmp_path / "moved").windows())) == 3
    assert not any(str(tmp_path).encode() in data for data in tree(tmp_path / "moved").values())
