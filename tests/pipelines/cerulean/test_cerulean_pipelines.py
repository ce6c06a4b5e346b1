"""The pipelines as kwdag sees them: which jobs there are, what they read, and that programs take it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import numpy as np
import pytest
import yaml

from kwdag import Pipeline, schedule
from kwdag.params import load_params
from kwdag.request import prepare
from kwdag.resolve import build_plan
from pipelines import cerulean as package
from pipelines.cerulean import demo
from pipelines.cerulean.nodes import SplitScenes
from pipelines.cerulean.pipelines import FIND, LEARN, SPLIT, cerulean, cerulean_predict, cerulean_train
from tests.pipelines.cerulean.scene_folders import COLOURS, ID, OTHER, write_layer, write_scene

CONFIGS = Path(package.__file__).parent / "configs"
ROW = {"split_scenes.list": "/data/scenes.txt", "make_train.aux": "/data/aux"}


def plan(pipeline, *rows):
    return build_plan(pipeline.wiring(), list(rows), "/root", workdir="/work")


def count(found):
    return {name: len(jobs) for name, jobs in found.by_node().items()}


def test_rows_that_differ_in_thresholds_share_one_prediction():
    thresholds = ("bbox_score_thresh", "pixel_score_thresh", "pixel_nms_thresh", "poly_score_thresh")
    rows = [{**ROW, f"postprocess.{name}": value} for name in thresholds for value in (0.3, 0.6, "none")]
    assert count(plan(cerulean(), *rows)) == {
        "split_scenes": 1, "make_train": 1, "make_val": 1, "train": 1, "predict": 1,
        "postprocess": 12, "merge": 12, "evaluate": 12, "visualize": 12,
    }  # fmt: skip


def test_all_steps_read_the_same_auxiliary_data_and_georeference():
    row = {**ROW, "make_train.georeference": "tps", "make_train.tile_length": 64}
    jobs = {job.node.name: job for job in plan(cerulean(), row).jobs.values()}
    for name in ("make_train", "make_val", "predict", "merge", "evaluate"):
        assert jobs[name].sources["aux"].value == "/data/aux"
    for name in ("make_train", "make_val", "predict", "postprocess", "merge"):
        assert jobs[name].sources["georeference"].value == "tps"
    for name in ("make_train", "make_val"):
        assert jobs[name].sources["tile_length"].value == "64"


def test_a_model_that_is_there():
    row = {"predict.model": "/m/model.pt", "predict.list": "/data/new.txt", "predict.aux": "/data/aux"}
    assert set(count(plan(cerulean_predict(), row))) == {node.name for node in FIND}
    assert set(count(plan(cerulean_train(), ROW))) == {node.name for node in (*SPLIT, *LEARN)}


@pytest.mark.parametrize("node", [*SPLIT, *LEARN, *FIND], ids=lambda node: node.name)
def test_the_program_of_a_node_has_its_ports_as_options(node):
    one = node()
    text = one.command_template or one.executable
    (name,) = re.findall(r"-m pipelines\.cerulean\.(\w+)", text)
    command = importlib.import_module(f"pipelines.cerulean.{name}").command
    spelled = {word for one in command.params if isinstance(one, click.Option) for word in one.opts}
    options = {word.lstrip("-") for word in spelled}
    named = set(re.findall(r"\{(\w+)\}", one.command_template or ""))
    assert {*one.in_paths, *one.out_paths, *one.algo_params, *one.perf_params} - named <= options
    assert set(re.findall(r"--(\w+)=", one.command_template or "")) <= options


@pytest.mark.parametrize(
    "path", sorted(CONFIGS.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_each_group_of_settings_fits_the_pipeline(path, tmp_path):
    name = f"pipelines.cerulean:configs/{path.parent.name}/{path.name}"
    lists = {"split_scenes.list": "/data/scenes.txt"}
    request = prepare(
        {"matrix": {"__include__": name, **lists}}, tmp_path, "pipelines.cerulean.pipelines.cerulean()"
    )
    assert len(request.rows) == 1


def test_there_is_a_choice_in_every_group():
    groups = {path.parent.name for path in CONFIGS.glob("*/*.yaml")}
    assert groups == {"data", "model", "trainer", "scheduler", "logger"}
    assert all(len(list((CONFIGS / group).glob("*.yaml"))) > 1 for group in groups)


def test_own_keys_win_over_groups():
    grid = load_params(
        "matrix: {__include__: 'pipelines.cerulean:configs/model/unet_small.yaml', train.width: 5}"
    )
    (axes,) = [
        dict(zip(axis.keys, axis.points[0], strict=True))
        for axis in grid.grids[0].axes
        if axis.keys == ("train.width",)
    ]
    assert axes == {"train.width": 5}


def test_a_layer_that_changes_below_a_folder_of_scenes_runs_all_again(tmp_path):
    """What a list names kwdag does not see; of a folder it watches every file."""
    mark = np.zeros((40, 40), bool)
    mark[5:20, 5:20] = True
    for name in (ID, OTHER):
        folder = write_scene(
            tmp_path / "scenes", np.full((40, 40), 90, np.uint8), {"slick.png": (1, mark)}, name
        )
    matrix = {"split_scenes.list": str(tmp_path / "scenes"), "split_scenes.val": 0, "split_scenes.test": 0.5}
    ask = {"root_dpath": tmp_path / "out", "pipeline": Pipeline([SplitScenes()])}
    assert schedule({"matrix": matrix}, run=True, **ask).complete
    assert not schedule({"matrix": matrix}, **ask).outlook.selection.run
    mark[30, 30] = True
    write_layer(folder / "slick.png", mark, COLOURS[1])
    (reason,) = schedule({"matrix": matrix}, **ask).outlook.selection.run.values()
    assert str(tmp_path / "scenes") in reason


def test_the_grid_of_the_demo(tmp_path):
    request = prepare(yaml.safe_load(demo.PARAMS), tmp_path / "out")
    found = count(build_plan(request.wiring, request.rows, "/root", workdir="/work"))
    assert found["evaluate"] == len(request.rows) >= 8
    assert found["train"] == found["predict"] < found["postprocess"]  # thresholds share a prediction
