"""EsPredictRunner on a small project: steps by themselves, again, and in a scratch directory of another."""

from __future__ import annotations

import json
import shutil

import pytest

from pipelines.errors import BadInput
from pipelines.esrun import EsPredictRunner
from tests.pipelines.esrun.runner_projects import SQUARES, image, make_project, request
from tests.pipelines.esrun.sample_runs import edit_yaml, files


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("whole") / "project")


@pytest.fixture(scope="module")
def done(project):
    """A scratch directory in which one runner has done all, as the listing does it."""
    runner = EsPredictRunner(project_path=project, scratch_path=project.parent / "scratch")
    partitions = runner.partition()
    for partition_id in partitions:
        runner.build_dataset(partition_id)
        runner.run_inference(partition_id)
        runner.postprocess(partition_id)
    runner.combine(partitions)
    return runner.scratch.path


def whole(runner):
    for step in (runner.build_dataset, runner.run_inference, runner.postprocess, runner.combine):
        step(runner.partition_ids())


def test_every_pixel_of_the_request_has_the_class_of_its_brightest_band(done):
    import numpy as np
    import rasterio

    (path,) = (done / "results/results_raster").glob("*.tif")
    expected = np.array([1, 2, 7])[image().argmax(0)]
    with rasterio.open(path) as result:
        found = result.read(1)
        top_left = result.bounds.left, result.bounds.top
    column, row = (
        round((500000 - top_left[0]) / 10),
        round((top_left[1] - 4400000) / 10),
    )  # the image's corner
    for left, top, right, bottom in SQUARES:
        rows, columns = slice(top, bottom), slice(left, right)
        there = found[row + top : row + bottom, column + left : column + right]
        assert (there == expected[rows, columns]).all()


def test_each_step_works_from_files_in_a_process_of_its_own(project, done, tmp_path):
    def fresh():
        return EsPredictRunner(project, tmp_path)

    ids = fresh().partition()
    for name in reversed(ids):
        fresh().build_dataset(name)
    for name in ids:
        fresh().run_inference(name)
    for name in reversed(ids):
        fresh().postprocess(name)
    fresh().combine(reversed(ids))
    assert files(tmp_path) == files(done)


def test_one_id_is_one_partition_not_its_letters(project, tmp_path):
    runner = EsPredictRunner(project, tmp_path)
    assert runner.partition() == ["partition_0", "partition_1"] == runner.partition_ids()
    built = runner.build_dataset("partition_1")
    assert (
        built
        == len(list(runner.dataset.windows()))
        == len(list(runner.dataset.windows(["group_partition_1"])))
    )


def test_several_ids_at_once(project, done, tmp_path):
    runner = EsPredictRunner(project, tmp_path)
    runner.partition()
    whole(runner)
    assert files(tmp_path) == files(done)


def test_a_relative_project_path_means_the_working_directory_of_the_moment(
    project, done, tmp_path, monkeypatch
):
    monkeypatch.chdir(project.parent)
    runner = EsPredictRunner(project.name, "scratch_2")
    monkeypatch.chdir(tmp_path)
    runner.partition()
    whole(runner)
    assert files(project.parent / "scratch_2") == files(done) and not list(tmp_path.iterdir())


def test_a_second_time_changes_nothing(project, done):
    before = {path: path.stat().st_mtime_ns for path in (done / "dataset_0").rglob("*")}
    runner = EsPredictRunner(project, done)
    assert runner.partition() == ["partition_0", "partition_1"]
    whole(runner)
    assert {path: path.stat().st_mtime_ns for path in (done / "dataset_0").rglob("*")} == before


def test_inference_builds_what_is_not_built(project, tmp_path):
    runner = EsPredictRunner(project, tmp_path)
    runner.partition()
    assert runner.run_inference("partition_0") == len(list(runner.dataset.windows()))


def test_inference_fills_windows_that_a_killed_build_left_without_an_image(project, done, tmp_path):
    scratch = shutil.copytree(done, tmp_path / "scratch")
    last = max((scratch / "dataset_0/windows/group_partition_1").iterdir())
    shutil.rmtree(last / "layers")
    EsPredictRunner(project, scratch).run_inference("partition_1")
    assert files(scratch) == files(done)


def test_windows_of_an_earlier_partitioning_are_no_longer_asked_for(project, tmp_path):
    copied = make_project(tmp_path / "project")
    runner = EsPredictRunner(copied, tmp_path / "scratch")
    runner.partition()
    built = runner.build_dataset("partition_0")
    fixed = {
        "class_path": "esrun.tools.partitioners.fixed_window_partitioner.FixedWindowPartitioner",
        "init_args": {"window_size": 8, "limit": 1, "output_projection": _projection(copied)},
    }
    edit_yaml(
        copied / "esrun.yaml",
        lambda data: data["partition_strategies"].update(prepare_window_geometries=fixed),
    )
    runner = EsPredictRunner(copied, tmp_path / "scratch")
    runner.partition()
    assert runner.run_inference("partition_0") == 1 < built
    assert len(list(runner.dataset.windows())) == 1
    runner.postprocess("partition_0")
    runner.combine("partition_0")


def _projection(project):
    import yaml

    strategies = yaml.safe_load((project / "esrun.yaml").read_text())["partition_strategies"]
    return strategies["prepare_window_geometries"]["init_args"]["output_projection"]


def test_an_unknown_partition_is_refused_with_the_nearest(project, done):
    runner = EsPredictRunner(project, done)
    for step in (runner.build_dataset, runner.run_inference, runner.postprocess, runner.combine):
        with pytest.raises(BadInput, match="has no partition 'partition_12'.*did you mean 'partition_1'"):
            step("partition_12")


def test_nothing_can_be_done_before_there_are_partitions(project, tmp_path):
    with pytest.raises(BadInput, match="has no partitions yet.*partition first"):
        EsPredictRunner(project, tmp_path / "new").build_dataset("partition_0")
    assert not (tmp_path / "new").exists()


def test_a_scratch_directory_belongs_to_one_request(project, done, tmp_path):
    other = request(tmp_path / "other.geojson", [(4, 4, 9, 9)])
    before = files(done)
    with pytest.raises(BadInput, match="was made for another request than .*other.geojson"):
        EsPredictRunner(project, done, request_geometry_path=other)
    assert files(done) == before
    mine = json.loads((project / "prediction_request_geometry.geojson").read_text())
    other.write_text(json.dumps(mine, indent=3))  # the same in another hand
    EsPredictRunner(project, done, request_geometry_path=other)


def test_a_scratch_directory_belongs_to_one_dataset_json(done, tmp_path):
    other = make_project(tmp_path / "project")
    data = json.loads((other / "dataset.json").read_text())
    data["layers"]["image"]["resampling_method"] = "nearest"
    (other / "dataset.json").write_text(json.dumps(data))
    with pytest.raises(BadInput, match="was made with another dataset.json"):
        EsPredictRunner(other, done)


def test_a_bad_request_leaves_no_scratch_directory(project, tmp_path):
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(BadInput, match="has no features"):
        EsPredictRunner(project, tmp_path / "scratch", empty).partition()
    assert not (tmp_path / "scratch").exists()
