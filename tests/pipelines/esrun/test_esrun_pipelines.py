"""The pipelines as kwdag sees them: which jobs there are, what they read, and that programs take it."""

from __future__ import annotations

import importlib
import re

import click
import pytest

from kwdag.plan import Item
from kwdag.resolve import build_plan
from pipelines.esrun import nodes
from pipelines.esrun.partitioning import listing
from pipelines.esrun.pipelines import PREDICT, esrun, esrun_train

ROW = {"partition.project_path": "/project", "evaluate.labels_fpath": "/truth.tif"}
IDS = [f"partition_{number}" for number in range(3)]


def plan(pipeline, *rows):
    wiring = pipeline.wiring()
    first = build_plan(wiring, list(rows), "/root", workdir="/work")
    items = [Item(one["key"], one["values"]) for one in listing(IDS)]
    scattered = {job.id: items for job in first.by_node()["partition"]}
    return build_plan(wiring, list(rows), "/root", workdir="/work", scattered=scattered)


def count(found):
    return {name: len(jobs) for name, jobs in found.by_node().items()}


def test_a_chain_of_jobs_for_each_partition():
    found = plan(esrun(), ROW)
    assert count(found) == {
        "partition": 1, "build_dataset": 3, "run_inference": 3, "postprocess": 3, "combine": 1, "evaluate": 1,
        "visualize": 1,
    }  # fmt: skip
    assert not found.open
    for job in found.by_node()["postprocess"]:  # all that it reads is of one partition
        branches = {
            up.sources["branch"].key for up in (job, *(up for up in job.upstream if "branch" in up.sources))
        }
        assert branches == {job.params["partition_id"]}
    (combine,) = found.by_node()["combine"]
    members = [member.job.params["partition_id"] for member in combine.groups[0].members]
    assert members == IDS


def test_only_partitions_of_one_model_and_threshold_come_together():
    rows = [
        {**ROW, "run_inference.checkpoint_path": f"/{model}.ckpt", "run_inference.threshold": threshold}
        for model in "ab"
        for threshold in (0.1, 0.5)
    ]
    found = plan(esrun(), *rows)
    assert count(found) == {
        "partition": 1, "build_dataset": 3, "run_inference": 12, "postprocess": 12, "combine": 4,
        "evaluate": 4, "visualize": 4,
    }  # fmt: skip
    for job in (*found.by_node()["combine"], *found.by_node()["evaluate"]):
        (group,) = job.groups
        assert len(group.members) == 3


def test_window_sizes_make_their_own_partitions():
    found = plan(esrun(), *({**ROW, "partition.window_size": size} for size in (32, 64)))
    assert count(found)["partition"] == count(found)["combine"] == 2
    assert count(found)["build_dataset"] == 6


def test_training_feeds_the_prediction():
    found = plan(esrun_train(), *({**ROW, "prepare_windows.project_path": "/project", "fit.seed": seed}
                                  for seed in (0, 1)))  # fmt: skip
    assert count(found) == {
        "prepare_windows": 1, "fit": 2, "partition": 1, "build_dataset": 3, "run_inference": 6,
        "postprocess": 6, "combine": 2, "evaluate": 2, "visualize": 2,
    }  # fmt: skip


@pytest.mark.parametrize("node", [*PREDICT, nodes.PrepareWindows, nodes.Fit], ids=lambda node: node.name)
def test_the_program_of_a_node_has_its_ports_as_options(node):
    one = node()
    text = one.command_template or one.executable
    modules = re.findall(r"-m pipelines\.esrun\.(\w+)", text)
    options = set.intersection(*(_options(name) for name in modules))
    named = set(re.findall(r"\{(\w+)\}", one.command_template or ""))
    flags = {*one.in_paths, *one.out_paths, *one.algo_params, *one.perf_params} - named
    assert flags <= options
    for name, words in zip(modules, re.split(r"-m pipelines\.esrun\.\w+", text)[1:], strict=True):
        assert set(re.findall(r"--(\w+)=", words)) <= _options(name)


def _options(name):
    command = importlib.import_module(f"pipelines.esrun.{name}").command
    return {name for one in command.params if isinstance(one, click.Option) for name in one.name.split()}
