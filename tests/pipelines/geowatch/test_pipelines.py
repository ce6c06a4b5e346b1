from __future__ import annotations

import importlib
import shlex

import click
import pytest

import pipelines.geowatch
from kwdag.resolve import build_plan
from pipelines.geowatch.pipelines import NAMED, joint_bas_sv_sc, train

BAS = {"bas_pxl.package_fpath": "/m/bas.pt", "bas_pxl.test_dataset": "/d/data.kwcoco.json"}
SC = {"sc_pxl.package_fpath": "/m/sc.pt"}
CROPS = {"sc_pxl.test_dataset": "/d/crops.kwcoco.zip"}
CROP = {"sc_crop.crop_src_fpath": "/d/high.kwcoco.json"}
SUMMARIES = {"sc_crop.regions": "/d/summaries"}
SV = {"sv_crop.crop_src_fpath": "/d/high.kwcoco.json"}


def truth(node):
    return {f"{node}.true_site_dpath": "/t/site_models", f"{node}.true_region_dpath": "/t/region_models"}


ROWS = {
    "bas": BAS | truth("bas_poly_eval"),
    "sc": SC | CROPS | truth("sc_poly_eval"),
    "crop_sc": SC | CROP | SUMMARIES | truth("sc_poly_eval"),
    "joint_bas_sc": BAS | SC | CROP | truth("bas_poly_eval"),
    "joint_bas_sc_nocrop": BAS | SC | CROPS | truth("bas_poly_eval"),
    "joint_bas_sv_sc": BAS | SC | SV | truth("bas_poly_eval"),
    "train": {"fit.dataset": "/d/data.kwcoco.json"},
    "train_bas": {"fit.dataset": "/d/train.json", "bas_pxl.test_dataset": "/d/data.kwcoco.json"}
    | truth("bas_poly_eval"),
}


def plan(name, row):
    return build_plan(NAMED[name]().wiring(), [row], "/root", workdir="/")


@pytest.mark.parametrize("name", NAMED)
def test_every_named_pipeline_plans_one_job_a_node(name):
    found = plan(name, ROWS[name])
    assert sorted(job.node.name for job in found.jobs.values()) == sorted(NAMED[name]().nodes)
    assert getattr(pipelines.geowatch, name)().nodes.keys() == NAMED[name]().nodes.keys()


def reads(name):
    """node -> the nodes that it reads from."""
    jobs = plan(name, ROWS[name]).jobs.values()
    return {job.node.name: sorted(up.node.name for up in job.upstream) for job in jobs}


def test_what_reads_what_in_the_joint_pipeline():
    assert reads("joint_bas_sc") == {
        "bas_pxl": [],
        "bas_pxl_eval": ["bas_pxl"],
        "bas_poly": ["bas_pxl"],
        "bas_poly_eval": ["bas_poly"],
        "bas_poly_viz": ["bas_poly"],
        "sc_crop": ["bas_poly"],
        "sc_pxl": ["sc_crop"],
        "sc_pxl_eval": ["sc_crop", "sc_pxl"],
        "sc_poly": ["bas_poly", "sc_pxl"],
        "sc_poly_eval": ["sc_poly"],
        "sc_poly_viz": ["sc_poly"],
    }


def test_site_validation_stands_between_bas_and_sc():
    found = reads("joint_bas_sv_sc")
    assert found["sv_crop"] == ["bas_poly"]
    assert found["sv_filter"] == ["bas_poly", "sv_score"]
    assert found["sc_crop"] == ["sv_filter"]
    assert found["sc_poly"] == ["sc_pxl", "sv_filter"]


@pytest.mark.parametrize("name", NAMED)
def test_what_nodes_declare_holds_together(name):
    for node in NAMED[name]().nodes.values():
        metrics = {metric["metric"] for metric in node.default_metrics()}
        for point in node.default_vantage_points:
            for metric in point.values():
                assert metric.removeprefix(f"metrics.{node.name}.") in metrics
        assert not metrics or any(metric["primary"] for metric in node.default_metrics())
        for metric in node.default_metrics():
            wanted = (
                "minimize" if metric["metric"].endswith(("FAR", "ffpa", "_fp", "_fn", "loss")) else "maximize"
            )
            assert metric["objective"] == wanted


def test_perf_params_and_the_dataset_leave_the_parameters_of_a_row_alone():
    first = plan("bas", ROWS["bas"])
    second = plan("bas", ROWS["bas"] | {"bas_pxl.devices": "0,1", "bas_pxl.num_workers": 8})
    assert first.jobs.keys() == second.jobs.keys()


NODES = joint_bas_sv_sc().nodes | train().nodes


def options_of(node):
    """The options of a node's program, and those that are required."""
    words = shlex.split(node.executable)
    module = importlib.import_module(words[words.index("-m") + 1])
    (command,) = [found for found in vars(module).values() if isinstance(found, click.Command)]
    options = [param for param in command.params if isinstance(param, click.Option)]
    return {name.removeprefix("--"): option for option in options for name in option.opts}


@pytest.mark.parametrize("name", NODES)
def test_programs_take_what_their_nodes_declare(name):
    node = NODES[name]
    options = options_of(node)
    declared = {**node.in_paths, **node.out_paths, **node.algo_params, **node.perf_params}
    assert declared.keys() <= options.keys()
    required = {name for name, option in options.items() if option.required}
    given = {*node.in_paths, *node.out_paths} - node.optional
    assert required <= given
    for param, default in {**node.algo_params, **node.perf_params}.items():
        if default is not None:
            options[param].type_cast_value(
                click.Context(click.Command("x")), _rendered(options[param], default)
            )


def _rendered(option, default):
    return [str(default)] if option.multiple else str(default)
