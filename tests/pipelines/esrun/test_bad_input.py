"""What a user can get wrong in a project: one line that names the place, exit 2, and nothing written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from shapely.geometry import box, mapping

from pipelines.esrun import sample
from pipelines.esrun.networks import SegmentationNet
from tests.pipelines.esrun.sample_runs import call, edit_json, edit_yaml, files, needs_earthpy, small_project

pytestmark = needs_earthpy

REQUEST = "prediction_request_geometry.geojson"
TASKS, ANNOTATIONS = "annotation_task_features.geojson", "annotation_features.geojson"
PREDICT, LABEL = "local_predict", "prepare_labeled_windows"
Change = Callable[[Path], None]


def in_yaml(name: str, *keys: str, to: Any = None) -> Change:
    """Set (or without ``to`` remove) a value; the keys lead to it."""

    def change(data: Any) -> None:
        *outer, last = keys
        for key in outer:
            data = data.setdefault(key, {})
        if to is None:
            del data[last]
        else:
            data[last] = to

    return lambda project: edit_yaml(project / name, change)


def in_json(name: str, change: Callable[[Any], None]) -> Change:
    return lambda project: edit_json(project / name, change)


def in_features(name: str, change: Callable[[Any], None]) -> Change:
    """Change the first feature of a file."""
    return in_json(name, lambda data: change(data["features"][0]))


def text(name: str, content: str) -> Change:
    return lambda project: (project / name).write_text(content) and None


def a_polygon_among_points(project: Path) -> None:
    sample.make(project, "glaciers")
    square = mapping(box(-105.7, 40.3, -105.6, 40.4))
    in_features(ANNOTATIONS, lambda one: one.update(geometry=square))(project)


WINDOWS = ("partition_strategies", "prepare_window_geometries")
PARTS = ("partition_strategies", "partition_request_geometry")
SPLIT = ("window_prep", "data_splitter", "init_args")
PREPARER = ("window_prep", "labeled_window_preparer")
TOOLS = "esrun.runner.tools."
GRIDS = f"{TOOLS}partitioners.grid_partitioner"

#: program, what is wrong, what the line names
CASES: dict[str, tuple[str, Change, tuple[str, ...]]] = {
    "unknown class_path": (
        PREDICT,
        in_yaml("esrun.yaml", *PARTS, "class_path", to=f"{GRIDS}.GridPartitoner"),
        ("esrun.yaml", "partition_request_geometry", "GridPartitoner", "GridPartitioner"),
    ),
    "unknown module": (
        PREDICT,
        in_yaml("esrun.yaml", *WINDOWS, "class_path", to="rslp.partitioners.Mine"),
        ("esrun.yaml", "prepare_window_geometries", "rslp.partitioners.Mine"),
    ),
    "a class of another kind": (
        PREDICT,
        in_yaml("esrun.yaml", *PARTS, "class_path", to=f"{TOOLS}samplers.noop_sampler.NoopSampler"),
        ("esrun.yaml", "partition_request_geometry", "NoopSampler"),
    ),
    "unknown argument": (
        PREDICT,
        in_yaml("esrun.yaml", *WINDOWS, "init_args", "gridsize", to=64),
        ("esrun.yaml", "prepare_window_geometries.init_args", "'gridsize'", "grid_size"),
    ),
    "missing argument": (
        PREDICT,
        in_yaml("esrun.yaml", *WINDOWS, "init_args", "grid_size"),
        ("esrun.yaml", "prepare_window_geometries.init_args", "grid_size"),
    ),
    "argument of another type": (
        PREDICT,
        in_yaml("esrun.yaml", *WINDOWS, "init_args", "grid_size", to="sixty"),
        ("esrun.yaml", "grid_size", "'sixty'"),
    ),
    "unknown crs": (
        PREDICT,
        in_yaml("esrun.yaml", *WINDOWS, "init_args", "output_projection", "crs", to="EPSG:1"),
        ("esrun.yaml", "output_projection", "EPSG:1"),
    ),
    "window size 0": (
        PREDICT,
        in_yaml("esrun.yaml", *WINDOWS, "init_args", "grid_size", to=0),
        ("esrun.yaml", "grid_size", "0"),
    ),
    "overlap below 0": (
        PREDICT,
        in_yaml("esrun.yaml", *WINDOWS, "init_args", "overlap_size", to=-1),
        ("esrun.yaml", "overlap_size", "-1"),
    ),
    "unknown section": (
        PREDICT,
        in_yaml("esrun.yaml", "partition_strategy", to={}),
        ("esrun.yaml", "'partition_strategy'", "partition_strategies"),
    ),
    "no strategy": (PREDICT, in_yaml("esrun.yaml", *WINDOWS), ("esrun.yaml", "prepare_window_geometries")),
    "no YAML": (PREDICT, text("esrun.yaml", "a: [1,\n"), ("esrun.yaml",)),
    "no esrun.yaml": (PREDICT, lambda project: (project / "esrun.yaml").unlink(), ("esrun.yaml",)),
    "request without features": (
        PREDICT, in_json(REQUEST, lambda data: data.update(features=[])), (REQUEST, "no features"),
    ),
    "unclosed polygon": (
        PREDICT,
        in_features(REQUEST, lambda one: one["geometry"]["coordinates"][0].pop()),
        (REQUEST, "feature 0", "not closed"),
    ),
    "metres for degrees": (
        PREDICT,
        in_features(REQUEST, lambda one: one["geometry"].update(type="Point", coordinates=[440000, 4467000])),
        (REQUEST, "feature 0", "lon/lat"),
    ),
    "across the antimeridian": (
        PREDICT,
        in_features(REQUEST, lambda one: one["geometry"].update(
            coordinates=[[[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]])),
        (REQUEST, "feature 0", "antimeridian"),
    ),
    "request ends before it starts": (
        PREDICT,
        in_features(REQUEST, lambda one: one["properties"].update(oe_end_time="2016-01-01T00:00:00+00:00")),
        (REQUEST, "feature 0", "2016-01-01"),
    ),
    "no date": (
        PREDICT,
        in_features(REQUEST, lambda one: one["properties"].update(oe_end_time="summer")),
        (REQUEST, "feature 0", "'summer'"),
    ),
    "request cut in the middle": (
        PREDICT,
        lambda project: (project / REQUEST).write_bytes((project / REQUEST).read_bytes()[:100]) and None,
        (REQUEST, "JSON"),
    ),
    "no dataset.json": (
        "build_dataset", lambda project: (project / "dataset.json").unlink(), ("dataset.json",),
    ),
    "unknown data source": (
        "build_dataset",
        in_json("dataset.json", lambda data: data["layers"]["image"]["data_source"].update(
            class_path="rslearn.data_sources.planetary.Sentinel2")),
        ("dataset.json", "Sentinel2"),
    ),
    "no such image folder": (
        "build_dataset",
        in_json("dataset.json", lambda data: data["layers"]["image"]["data_source"]["init_args"].update(
            src_dir="pictures")),
        ("pictures",),
    ),
    "unknown band": (
        "build_dataset",
        in_json("dataset.json", lambda data: data["layers"]["image"].update(
            band_sets=[{"bands": ["B1", "B9"], "dtype": "uint8"}])),
        ("B9",),
    ),
    "half an image": (
        "build_dataset",
        lambda project: (project / "images/rmnp-rgb.tif").write_bytes(
            (project / "images/rmnp-rgb.tif").read_bytes()[:5000]) and None,
        ("rmnp-rgb.tif",),
    ),
    "no image": (
        "build_dataset", text("images/rmnp-rgb.tif", "an image\n"), ("rmnp-rgb.tif",),
    ),
    "proportions that do not sum to 1": (
        LABEL, in_yaml("esrun.yaml", *SPLIT, "train_prop", to=0.9), ("esrun.yaml", "data_splitter", "1.2"),
    ),
    "a proportion below 0": (
        LABEL,
        in_yaml("esrun.yaml", *SPLIT, to={"train_prop": 1.5, "val_prop": -0.5, "test_prop": 0}),
        ("esrun.yaml", "data_splitter", "1.5"),
    ),
    "annotation without task": (
        LABEL,
        in_features(ANNOTATIONS, lambda one: one["properties"].pop("es_annotations_task_id")),
        (ANNOTATIONS, "feature 0", "task"),
    ),
    "annotation without label": (
        LABEL,
        in_features(ANNOTATIONS, lambda one: one["properties"].pop("es_label")),
        (ANNOTATIONS, "feature 0", "label"),
    ),
    "point for the polygon preparer": (
        LABEL,
        in_features(ANNOTATIONS, lambda one: one["geometry"].update(
            type="Point", coordinates=one["geometry"]["coordinates"][0][0])),
        (ANNOTATIONS, "feature 0", "Point", "Polygon"),
    ),
    "polygon for the point preparer": (
        LABEL, a_polygon_among_points, (ANNOTATIONS, "feature 0", "Polygon", "Point"),
    ),
    "raster labels in a vector layer": (
        LABEL,
        in_json("dataset.json", lambda data: data["layers"].update(labels={"type": "vector"})),
        ("dataset.json", "'labels'", "raster"),
    ),
    "task ends before it starts": (
        LABEL,
        in_features(TASKS, lambda one: one["properties"].update(es_end_time="2016-01-01T00:00:00+00:00")),
        (TASKS, "feature 0", "2016-01-01"),
    ),
    "label windows of size 0": (
        LABEL,
        in_yaml("esrun.yaml", *PREPARER, "init_args", "grid_config", "window_size_px", to=0),
        ("esrun.yaml", "window_size_px", "0"),
    ),
    "unknown gridding": (
        LABEL,
        in_yaml("esrun.yaml", *PREPARER, "init_args", "grid_config", "gridding_strategy", to="CENTRE"),
        ("esrun.yaml", "CENTRE", "CENTER_CROP"),
    ),
    "no tasks": (LABEL, lambda project: (project / TASKS).unlink(), (TASKS,)),
    "no window_prep": (LABEL, in_yaml("esrun.yaml", "window_prep"), ("esrun.yaml", "window_prep")),
    "no checkpoint": (
        "run_inference", lambda project: (project / "checkpoint.ckpt").unlink(), ("checkpoint.ckpt",),
    ),
    "checkpoint of another architecture": (
        "run_inference",
        lambda project: torch.save(SegmentationNet(3, 3, width=7).state_dict(), project / "checkpoint.ckpt"),
        ("checkpoint.ckpt", "24", "7"),
    ),
    "checkpoint of other classes": (
        "run_inference",
        lambda project: torch.save(SegmentationNet(3, 5).state_dict(), project / "checkpoint.ckpt"),
        ("checkpoint.ckpt", "3", "5"),
    ),
    "checkpoint of something else": (
        "run_inference", text("checkpoint.ckpt", "weights\n"), ("checkpoint.ckpt",),
    ),
    "unknown variable": (
        "run_inference", in_yaml("model.yaml", "task", to="${DATA_PATH}"), ("model.yaml", "${DATA_PATH}"),
    ),
    "unknown layer": (
        "run_inference",
        in_yaml("model.yaml", "inputs", to=[{"layer": "sentinel", "bands": ["B1", "B2", "B3"]}]),
        ("sentinel",),
    ),
    "unknown network": (
        "run_inference",
        in_yaml("model.yaml", "model", "class_path", to="pipelines.esrun.networks.SegmentationNetwork"),
        ("model.yaml", "SegmentationNetwork"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose programs run: partitions made, a small dataset built, weights at hand."""
    base = tmp_path_factory.mktemp("good")
    small_project(base / "project")
    for name in ("partition", "build_dataset", "run_inference", LABEL, PREDICT):
        ended = call(name, *arguments(name, base))
        assert ended.code == 0, f"{name}: {ended.err}"
    for left in ("labelled", "predicted", "output", "output.json"):
        gone = base / left
        if gone.is_dir():
            shutil.rmtree(gone)
        else:
            gone.unlink(missing_ok=True)
    return base


def arguments(name: str, base: Path) -> list[str]:
    project, part = base / "project", base / "partitions" / "partition_0"
    return {
        PREDICT: [f"{project}", f"--scratch-path={base / 'predicted'}"],
        LABEL: [f"--project_path={project}", f"--scratch_path={base / 'labelled'}"],
        "partition": [f"--project_path={project}", f"--partitions_dpath={base / 'partitions'}",
                      f"--dst={base / 'partitions.json'}"],
        "build_dataset": [f"--project_path={project}", f"--partition_dpath={part}", f"--dst={base / 'built'}",
                          f"--summary_fpath={base / 'built.json'}"],
        "run_inference": [f"--project_path={project}", f"--partition_dpath={part}",
                          f"--dataset={base / 'built'}", f"--dst={base / 'output'}",
                          f"--summary_fpath={base / 'output.json'}"],
    }[name]  # fmt: skip


@pytest.mark.parametrize("wrong", CASES)
def test_one_line_and_nothing_written(wrong, good, tmp_path):
    name, change, words = CASES[wrong]
    base = tmp_path / "base"
    shutil.copytree(good, base)
    if name == "build_dataset":
        shutil.rmtree(base / "built")
        (base / "built.json").unlink()
    change(base / "project")
    before = files(base)
    ended = call(name, *arguments(name, base))
    lines = ended.err.splitlines()
    assert ended.code == 2 and len(lines) == 1 and lines[0].startswith("error: "), ended
    assert [word for word in words if word not in lines[0]] == [], lines[0]
    after = files(base)
    if name == "build_dataset":  # windows stay, for the run that goes on from there, but nothing is in them
        assert not any("/layers/" in one or one.endswith("built.json") for one in after)
        after = {one: digest for one, digest in after.items() if not one.startswith("built/")}
    assert after == before
