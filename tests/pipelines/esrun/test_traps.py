"""What the original runner gets wrong, by its users' accounts: each test fails where ours does the same."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import rasterio
from shapely.geometry import Point, box, mapping

from pipelines.errors import BadInput
from pipelines.esrun import EsFineTuneRunner, EsPredictRunner, sample
from pipelines.esrun.features import Feature, collection, read_features
from pipelines.esrun.partitioning import partition
from pipelines.esrun.project import load_project
from pipelines.esrun.projection import Projection, to_pixels
from pipelines.esrun.tools.partitioners.grid_partitioner import GridPartitioner
from tests.pipelines.esrun.sample_runs import (
    REQUEST,
    edit_json,
    edit_yaml,
    files,
    needs_earthpy,
    small_project,
)

pytestmark = needs_earthpy
TIMES = {"oe_start_time": "2020-01-01T00:00:00+00:00", "oe_end_time": "2020-02-01T00:00:00+00:00"}
POINTS = """\
partition_strategies:
  partition_request_geometry:
    class_path: esrun.runner.tools.partitioners.%s
  prepare_window_geometries:
    class_path: esrun.runner.tools.partitioners.%s
"""
IN_CELLS = ("grid_partitioner.GridPartitioner\n    init_args: {grid_size: 0.01}",
            "grid_partitioner.GridPartitioner\n    init_args: {grid_size: 16}")  # fmt: skip
ROUND_THEM = ("noop_partitioner.NoopPartitioner",
              "fixed_window_partitioner.FixedWindowPartitioner\n    init_args: {window_size: 2}")  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_project(tmp_path_factory.mktemp("traps") / "project")


@pytest.fixture(scope="module")
def predicted(project: Path) -> Path:
    """A scratch directory with windows and the model's output, which nobody has post-processed."""
    scratch = project.parent / "scratch"
    runner = EsPredictRunner(project, scratch)
    for one in runner.partition():
        runner.build_dataset(one)
        runner.run_inference(one)
    return scratch


@pytest.mark.parametrize("tools", [IN_CELLS, ROUND_THEM])
def test_points_are_not_pruned_to_nothing_and_lie_in_their_windows(tools, tmp_path):
    """Also where pixel coordinates are below 0: cutting off fractions there moves a window by a pixel."""
    chance = random.Random(0)
    points = [Point(chance.uniform(-170, 170), chance.uniform(-60, 60)) for _ in range(60)]
    asked = collection(Feature(one, TIMES, number) for number, one in enumerate(points)).to_json()
    (tmp_path / REQUEST).write_text(json.dumps(asked))
    (tmp_path / "esrun.yaml").write_text(POINTS % tools)
    ids = partition(load_project(tmp_path), tmp_path / REQUEST, tmp_path / "partitions")
    parts = [read_features(tmp_path / "partitions" / name / "windows.geojson") for name in ids]
    windows = [{key.removeprefix("oe_window_"): value for key, value in one.properties.items()}
               for part in parts for one in part]  # fmt: skip
    assert len(windows) == 60 and all(one["bounds"][1] < 0 for one in windows)
    for one in windows:
        where = Projection(one["crs"], one["x_resolution"], one["y_resolution"])
        left, top, right, bottom = one["bounds"]
        pixels = [to_pixels(point, where) for point in points if near(point, one["crs"])]
        assert sum(left <= at.x < right and top <= at.y < bottom for at in pixels) == 1


def near(point: Point, crs: str) -> bool:
    """In the UTM zone, and on its hemisphere."""
    zone = int(crs[-2:])
    return abs(point.x - (6 * zone - 183)) < 4 and (point.y >= 0) == crs.startswith("EPSG:326")


def test_no_cell_too_many_by_adding_up_a_step_that_no_float_holds():
    chance = random.Random(0)
    tool = GridPartitioner(grid_size=0.1)
    for _ in range(300):
        corners = [round(chance.uniform(-60, 60), 2) for _ in range(2)]
        sizes = [round(chance.uniform(0.01, 1.2), 2) for _ in range(2)]
        ends = [round(corner + size, 2) for corner, size in zip(corners, sizes, strict=True)]
        asked = collection([Feature(box(*corners, *ends), TIMES)])
        spans = [math.ceil(10 * exact(end)) - math.floor(10 * exact(corner))
                 for corner, end in zip(corners, ends, strict=True)]  # fmt: skip
        found = [one.geometry for part in tool.partition_request_geometry(asked) for one in part]
        assert len(found) == spans[0] * spans[1], (corners, ends)
        assert min(one.intersection(asked.features[0].geometry).area for one in found) > 1e-5


def exact(value: float) -> Fraction:
    return Fraction(repr(value))


def test_one_id_is_not_a_list_of_letters(project, tmp_path):
    runner = EsPredictRunner(project, tmp_path)
    first, second = runner.partition()
    assert runner.build_dataset(first) > 0
    assert [one.name for one in (tmp_path / "dataset_0/windows").iterdir()] == [f"group_{first}"]
    assert runner.build_dataset([first, second]) > runner.build_dataset(second)


def test_postprocess_works_in_another_process_than_the_inference(project, predicted, tmp_path):
    scratch = shutil.copytree(predicted, tmp_path / "scratch")
    words = [sys.executable, "-m", "pipelines.esrun.local_predict", project, f"--scratch-path={scratch}"]
    subprocess.run([*words, "--steps=postprocess,combine"], check=True, capture_output=True)
    (raster,) = (scratch / "results/results_raster").glob("*.tif")
    with rasterio.open(raster) as image:
        assert set(image.read(1).ravel().tolist()) <= {0, 1, 2, 3} and image.read(1).any()


def test_a_scratch_of_another_request_is_refused(project, predicted, tmp_path):
    other = shutil.copytree(project, tmp_path / "project")
    square = mapping(box(-105.7, 40.3, -105.6, 40.35))
    edit_json(other / REQUEST, lambda data: data["features"][0].update(geometry=square))
    before = files(predicted)
    with pytest.raises(BadInput, match="another request"):
        EsPredictRunner(other, predicted).partition()
    assert files(predicted) == before


def test_a_changed_project_is_not_answered_with_its_old_partitions(project, predicted, tmp_path):
    other, scratch = shutil.copytree(project, tmp_path / "project"), tmp_path / "scratch"
    shutil.copytree(predicted, scratch)
    edit_yaml(other / "esrun.yaml", lambda data: data["partition_strategies"]["prepare_window_geometries"][
        "init_args"].update(overlap_size=0))  # fmt: skip
    runner = EsPredictRunner(other, scratch)
    for one in runner.partition():
        runner.build_dataset(one)
    fresh = EsPredictRunner(other, tmp_path / "fresh")
    for one in fresh.partition():
        fresh.build_dataset(one)
    built = {name for name in files(scratch / "dataset_0") if "/output/" not in name}
    assert built >= set(files(tmp_path / "fresh/dataset_0"))
    assert files(scratch / "partitions") == files(tmp_path / "fresh/partitions")


def test_a_relative_project_path_holds_when_the_working_directory_changes(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project.parent)
    runner = EsPredictRunner(project.name, os.path.relpath(tmp_path / "scratch"))
    ids = runner.partition()
    monkeypatch.chdir(tmp_path)
    assert runner.build_dataset(ids) > 0
    assert runner.run_inference(ids[0]) > 0


def test_a_rerun_adds_no_window_and_leaves_what_is_complete(project, predicted, tmp_path):
    scratch = shutil.copytree(predicted, tmp_path / "scratch")
    before = {path: path.stat().st_mtime_ns for path in sorted(scratch.rglob("*.tif"))}
    runner = EsPredictRunner(project, scratch)
    for one in runner.partition():
        runner.build_dataset(one)
        runner.run_inference(one)
    assert {path: path.stat().st_mtime_ns for path in sorted(scratch.rglob("*.tif"))} == before
    assert files(scratch) == files(predicted)


def test_splits_do_not_depend_on_the_number_of_workers(tmp_path):
    project = sample.make(tmp_path / "project").path
    for workers in (0, 2):
        EsFineTuneRunner(project, tmp_path / str(workers)).prepare_labeled_windows(workers)
    assert files(tmp_path / "0") == files(tmp_path / "2")


def test_class_0_is_not_hidden_in_silence(project, predicted, tmp_path, capfd):
    """nodata is 0 unless one says otherwise, and so may be a class."""
    other, scratch = (
        shutil.copytree(project, tmp_path / "project"),
        shutil.copytree(predicted, tmp_path / "s"),
    )
    edit_yaml(other / "esrun.yaml", lambda data: data["inference_results_config"]["classification_fields"][0][
        "allowed_values"].append({"value": 0, "label": "water", "color": [0, 0, 255]}))  # fmt: skip
    EsPredictRunner(other, scratch).postprocess(["partition_0", "partition_1"])
    err = capfd.readouterr().err
    assert "warning" in err and "0" in err and "nodata" in err
